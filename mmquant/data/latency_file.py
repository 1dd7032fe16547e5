"""Measured latencies of orders, from a file, as the engine takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.core.latency import KNOT
from mmquant.data.latencies import LONGEST_NS, read_latency
from mmquant.errors import DataError


def read_knots(path: str | Path) -> np.ndarray:
    """KNOT rows of a .csv or .parquet with ``ts`` (UTC), ``entry_ns`` and ``response_ns``. [ns]

    Raises
    ------
    DataError
        naming file, row and column: a column is missing or unknown, a value is missing or no whole
        number, times do not rise, a latency is below 1 ns or above an hour, or there is no row.
    """
    model = read_latency(path)
    if model.table != "order_latency":
        raise DataError(
            "these are latencies of market data, not of orders",
            where=f"{path}, column 'feed_ns'",
            fix="write them with mmquant calibrate latency --orders FILE --out FILE",
        )
    knots = np.zeros(len(model.knots), KNOT)
    for name in knots.dtype.names or ():
        knots[name] = model.knots[name].to_numpy()
    for name in model.latencies:
        long = np.flatnonzero(knots[name] > LONGEST_NS)
        if long.size:
            raise DataError(
                f"{name} is {knots[name][long[0]]} ns, above an hour",
                where=f"{path}, row {long[0] + 1}, column {name!r}",
                fix="give nanoseconds",
            )
    return knots


def latency_note(path: str | Path, tape: xr.Dataset) -> str:
    """A sentence on a file of latencies, for the run that used it."""
    knots, times = read_knots(path), tape["exch_ts"].values
    note = f"Order latencies are interpolated between {len(knots)} measured ones."
    if times[-1] < knots["ts"][0] or times[0] > knots["ts"][-1]:
        note += " None of them is from the time of the tape: the nearest one holds throughout."
    return note
