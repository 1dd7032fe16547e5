"""The folder of a recorder as a tape: books and trades as they were told, in order of receipt.

The broker tells no exchange times that orders could be made by: both times of a row are that of its
receipt. In a gap the book is empty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import PathLike
from mmquant.data.readers.parquet import one_path
from mmquant.data.screening import screen
from mmquant.data.store.recording import GAPS, TAPE, read_header, read_table
from mmquant.data.tape import COLUMNS, make_tape
from mmquant.errors import DataError


def read(path: PathLike, *, lenient: bool = False) -> xr.Dataset:
    """Read a recording as a tape; one that is still written to, or was killed, too.

    Raises DataError where it has no rows, or a part is damaged.
    """
    folder = Path(one_path(path))
    header = read_header(folder)
    table, torn = read_table(folder, TAPE)
    if not table.num_rows:
        raise DataError(
            "the recording has no rows of a market yet",
            where=str(folder),
            fix="record while the market is open, with market data that are live",
        )
    data = {name: table[name].to_numpy() for name in table.column_names}
    n = table.num_rows
    data |= {"local_ts": data["exch_ts"], "seq": np.arange(n, dtype=np.int64)}
    for name in COLUMNS:
        data.setdefault(name, np.zeros(n, COLUMNS[name]))
    whole = {k: v.astype(np.int64) if v.dtype.kind == "i" else v for k, v in data.items()}
    q = Quarantine(folder, lenient)
    # Books of several venues are crossed at times.
    good = screen(whole, np.arange(1, n + 1), q, len(header.contracts), allow_crossed=True)
    gaps = read_table(folder, GAPS).rows["what"].to_pylist()
    counts = {what: gaps.count(what) for what in ("start", "down", "stale")}
    tape = make_tape(
        good,
        header.contracts,
        source={"format": "recording", "files": [], **header.source},
        date=header.date,
        notes=[f"{torn} bytes at the end were torn"] if torn else [],
        counts={f"gaps_{what}": count for what, count in counts.items()},
    )
    return q.attach(tape) if q.total else tape
