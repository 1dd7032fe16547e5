"""Trades of a tape with their prices, for charts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import lots_to_size, tick_to_price
from mmquant.data.tape import contracts_of
from mmquant.report.scope import Scope


def trades_in(
    scope: Scope, tape: xr.Dataset, start: int, end: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Local times [ns], prices [currency] and sizes [units] of the trades in a window of time."""
    local = tape["local_ts"].values
    rows = np.flatnonzero(
        (tape["kind"].values == int(RowKind.TRADE))
        & (tape["inst"].values == scope.inst)
        & (local >= start)
        & (local <= end)
    )
    rows = rows[np.argsort(local[rows], kind="stable")]
    contract = next(c for c in contracts_of(tape) if c.id == scope.inst)
    date = str(tape.attrs["date"])
    tick = tape["tick"].values[rows]
    price = tick_to_price(contract, tick, date=date)
    part = tape["subtick"].values[rows].astype(np.float64)
    price = price + part * (tick_to_price(contract, tick + 1, date=date) - price)
    return local[rows], price, lots_to_size(contract, tape["size"].values[rows])
