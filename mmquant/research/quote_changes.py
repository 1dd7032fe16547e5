"""The best prices and sizes of a tape, each time that they change."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_BID
from mmquant.core.quote_scan import QUOTED, scan_quotes
from mmquant.data.crossing import BOOK_COLUMNS, kernel_columns
from mmquant.errors import UsageError
from mmquant.research.calibration.flow import Moment, contract_of, window_of


def quote_changes(
    tape: xr.Dataset, *, inst: int = 0, start: Moment = None, end: Moment = None
) -> np.ndarray:
    """Records (``core.quote_scan.QUOTED``) from each packet that changed the best level.

    Parameters
    ----------
    inst : instrument of the tape.
    start, end : seconds from the first row, or clock times like "09:30"; all if not given. What
        held at ``start`` is the first record, from then on; ``end`` itself is outside.

    Raises
    ------
    UsageError
        where the tape is not L2, has no such instrument, or nothing in the window.
    DataError
        where the tape is empty.
    """
    if tape.attrs["level"] != "L2":
        raise UsageError(f"the tape is {tape.attrs['level']}, not L2", fix="use an L2 tape")
    contract_of(tape, inst)
    window = window_of(tape, start, end)
    stop = int(np.searchsorted(tape["exch_ts"].values, window.end))
    rows = _scan({name: tape[name].values[:stop] for name in ("exch_ts", *BOOK_COLUMNS)}, inst)
    held = max(int(np.searchsorted(rows["ts"], window.start, side="right")) - 1, 0)
    rows = rows[held:]
    rows["ts"] = np.maximum(rows["ts"], window.start)
    return rows


def has_market(rows: np.ndarray) -> np.ndarray:
    """Mask of the records with two sides."""
    mask: np.ndarray = rows["bid"] > NO_BID
    return mask


def _scan(data: dict[str, np.ndarray], inst: int) -> np.ndarray:
    times = data["exch_ts"][data["inst"] == inst]
    rows = np.zeros(int(np.count_nonzero(np.diff(times))) + 1, QUOTED)
    columns = kernel_columns(data, ("exch_ts", *BOOK_COLUMNS))
    far = 1 << 13
    while (n := int(scan_quotes(make_book(1, far=far), *columns, inst, rows))) < 0:
        far *= 4
    return rows[:n]
