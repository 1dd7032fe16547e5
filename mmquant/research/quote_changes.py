"""The best prices and sizes of a tape, each time that they change."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_BID
from mmquant.core.quote_scan import QUOTED, scan_quotes
from mmquant.data.crossing import BOOK_COLUMNS, kernel_columns
from mmquant.data.tape import contracts_of
from mmquant.errors import UsageError


def quote_changes(
    tape: xr.Dataset, *, inst: int = 0, start: int | None = None, end: int | None = None
) -> np.ndarray:
    """Records (``core.quote_scan.QUOTED``) from each packet that changed the best level.

    Parameters
    ----------
    inst : instrument of the tape.
    start, end : exchange times [ns], all if not given. What held at ``start`` is the first record,
        from then on; ``end`` itself is outside. The book is built from the tape's beginning.

    Raises
    ------
    UsageError
        where the tape is not L2, has no such instrument, or ``start`` is not before ``end``.
    """
    if tape.attrs["level"] != "L2":
        raise UsageError(f"the tape is {tape.attrs['level']}, not L2", fix="use an L2 tape")
    count = len(contracts_of(tape))
    if not 0 <= inst < count:
        raise UsageError(f"the tape has no instrument {inst}", fix=f"give 0 to {count - 1}")
    if start is not None and end is not None and start >= end:
        raise UsageError(f"start {start} is not before end {end}", fix="give start < end")
    rows = _scan(tape, inst)
    if end is not None:
        rows = rows[rows["ts"] < end]
    if start is not None:
        at = int(np.searchsorted(rows["ts"], start, side="right"))
        held = max(at - 1, 0)
        rows = rows[held:].copy()
        if at > 0:
            rows["ts"][0] = start
    return rows


def has_market(rows: np.ndarray) -> np.ndarray:
    """Mask of the records with two sides."""
    mask: np.ndarray = rows["bid"] > NO_BID
    return mask


def _scan(tape: xr.Dataset, inst: int) -> np.ndarray:
    data = {name: tape[name].values for name in ("exch_ts", *BOOK_COLUMNS)}
    times = data["exch_ts"][data["inst"] == inst]
    rows = np.zeros(int(np.count_nonzero(np.diff(times))) + 1, QUOTED)
    columns = kernel_columns(data, ("exch_ts", *BOOK_COLUMNS))
    far = 1 << 13
    while (n := int(scan_quotes(make_book(1, far=far), *columns, inst, rows))) < 0:
        far *= 4
    return rows[:n]
