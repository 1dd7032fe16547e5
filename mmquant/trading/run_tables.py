"""Plain arrays out of the tables of a run: one place that knows their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from mmquant.data.mapping import give_back

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Multipliers = Mapping[int, float]


def path_times(path: xr.Dataset) -> Ints:
    """Times of the path steps [ns since the epoch, UTC], ascending, shape (time,)."""
    values = path["time"].values
    if values.dtype.kind == "M":
        values = values.astype("datetime64[ns]")
    return values.astype(np.int64)


def inst_ids(path: xr.Dataset) -> Ints:
    """Instrument ids of the path's ``inst`` dimension, shape (inst,)."""
    if "inst" in path.coords:
        return path["inst"].values.astype(np.int64)
    return np.arange(path.sizes["inst"], dtype=np.int64)


def path_column(path: xr.Dataset, name: str) -> Floats:
    """One path variable as float64, shape (time, inst)."""
    values = path[name].transpose("time", "inst").values
    taken = values.astype(np.float64)
    give_back([values], 0, len(values))
    return taken


def column(table: pd.DataFrame, name: str, dtype: type = float) -> NDArray:
    """One table column as an array; an empty table gives an empty array."""
    if len(table) == 0:
        return np.zeros(0, dtype=dtype)
    return table[name].to_numpy(dtype=dtype)


@dataclass(frozen=True)
class Fills:
    """The fill log as arrays, all of shape (fill,); prices and sizes as in the table."""

    time: Ints
    inst: Ints
    side: Floats
    price: Floats
    size: Floats
    fee: Floats
    mid: Floats
    capture: Floats
    liquidity: Ints

    @classmethod
    def of(cls, table: pd.DataFrame) -> Fills:
        return cls(
            time=column(table, "timestamp", np.int64),
            inst=column(table, "inst", np.int64),
            side=column(table, "side"),
            price=column(table, "price"),
            size=column(table, "size"),
            fee=column(table, "fee"),
            mid=column(table, "mid"),
            capture=column(table, "spread_capture"),
            liquidity=column(table, "liquidity", np.int64),
        )

    def __len__(self) -> int:
        return len(self.time)


def multipliers_of(
    *, path: xr.Dataset, fills: pd.DataFrame, multipliers: Multipliers | None = None
) -> dict[int, float]:
    """Contract multiplier of every instrument id.

    Taken from ``multipliers``, else from the path's ``multiplier`` variable, else from the fills:
    ``spread_capture`` is side * (mid - price) * size * multiplier, so the fill with the largest
    capture gives the multiplier back. An instrument that none of these knows gets 1.
    """
    ids = [int(i) for i in inst_ids(path)]
    if multipliers is not None:
        return {i: float(multipliers.get(i, 1.0)) for i in ids}
    if "multiplier" in path.variables:
        values = np.atleast_1d(path["multiplier"].values.astype(np.float64))
        return dict(zip(ids, values.tolist(), strict=True))
    return {i: _implied_multiplier(Fills.of(fills), i) for i in ids}


def _implied_multiplier(log: Fills, inst: int) -> float:
    per_multiplier = log.side * (log.mid - log.price) * log.size
    known = (log.inst == inst) & np.isfinite(log.capture) & (log.capture * per_multiplier > 0)
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return 1.0
    best = rows[np.argmax(np.abs(per_multiplier[rows]))]
    ratio = float(log.capture[best] / per_multiplier[best])
    nearest = round(ratio, 9)
    return nearest if abs(ratio - nearest) <= 1e-9 * abs(ratio) else ratio


def per_fill(values: Mapping[int, float], inst: Ints) -> Floats:
    """The multiplier of each fill's instrument, shape (fill,)."""
    return np.array([values.get(int(i), 1.0) for i in inst], dtype=np.float64)
