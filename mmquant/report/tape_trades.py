"""Trades of a tape with their prices, for charts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import lots_to_size, tick_to_price
from mmquant.data.mapping import pieces
from mmquant.data.tape import contracts_of
from mmquant.report.scope import Scope


def trades_in(
    scope: Scope, tape: xr.Dataset, start: int, end: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Local times [ns], prices [currency] and sizes [units] of the trades in a window of time."""
    columns = [tape[name].values for name in ("local_ts", "kind", "inst")]
    local = columns[0]
    found = [np.zeros(0, np.int64)]
    for some in pieces(columns):
        times, kind, inst = (values[some] for values in columns)
        wanted = (kind == int(RowKind.TRADE)) & (inst == scope.inst)
        found.append(some.start + np.flatnonzero(wanted & (times >= start) & (times <= end)))
    rows = np.concatenate(found)
    rows = rows[np.argsort(local[rows], kind="stable")]
    contract = next(c for c in contracts_of(tape) if c.id == scope.inst)
    date = str(tape.attrs["date"])
    tick = tape["tick"].values[rows]
    price = tick_to_price(contract, tick, date=date)
    part = tape["subtick"].values[rows].astype(np.float64)
    price = price + part * (tick_to_price(contract, tick + 1, date=date) - price)
    return local[rows], price, lots_to_size(contract, tape["size"].values[rows])
