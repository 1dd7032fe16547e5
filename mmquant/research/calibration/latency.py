"""Latency of market data from a tape, and of orders from measured times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.latencies import (
    KNOTS,
    LatencyModel,
    constants,
    read_order_times,
    refuse_negative,
    thinned,
)
from mmquant.errors import UsageError
from mmquant.research.calibration.flow import Moment, window_of


@dataclass(frozen=True)
class Measured:
    """Latencies that were measured, as constants and as a model by time.

    Attributes
    ----------
    count : measurements. ``left_out`` lacked a time.
    constants : by latency ("feed_ns", or "entry_ns", "response_ns" and "round_trip_ns"): min, p10,
        median, p90, p99, max. [ns]
    model : the measurements thinned to knots.
    error_ns : by latency of the model, median distance between it and what was measured. [ns]
    """

    count: int
    left_out: int
    constants: dict[str, dict[str, int]]
    model: LatencyModel
    error_ns: dict[str, int]


@dataclass(frozen=True)
class Latency:
    """Latencies of a tape and, where their times were given, of orders.

    ``feed`` is None, with ``feed_reason``, where the tape's clock was not measured.
    ``clock_shift_ns`` was added to the local clock when the tape was read: if it is not 0, only
    differences of feed latencies mean something.
    """

    feed: Measured | None
    feed_reason: str
    clock_shift_ns: int
    orders: Measured | None

    def to_dict(self) -> dict[str, Any]:
        """Flat numbers, such as ``feed_ns_median``; None where there is no measurement."""
        flat: dict[str, Any] = {}
        for part, names, found in (
            ("feed", ("feed_ns",), self.feed),
            ("orders", ("entry_ns", "response_ns", "round_trip_ns"), self.orders),
        ):
            flat[f"{part}_count"] = found.count if found else 0
            flat[f"{part}_left_out"] = found.left_out if found else 0
            flat[f"{part}_knots"] = len(found.model.knots) if found else 0
            for name in names:
                values = found.constants[name] if found else {}
                for key in ("min", "p10", "median", "p90", "p99", "max"):
                    flat[f"{name}_{key}"] = values.get(key)
                if name != "round_trip_ns":
                    flat[f"{name}_model_error"] = found.error_ns[name] if found else None
        return flat | {"feed_reason": self.feed_reason, "clock_shift_ns": self.clock_shift_ns}


def calibrate_latency(
    tape: xr.Dataset,
    *,
    orders: str | Path | None = None,
    knots: int = KNOTS,
    start: Moment = None,
    end: Moment = None,
) -> Latency:
    """Feed latency of a tape, local_ts - exch_ts, and order latencies from measured times.

    Parameters
    ----------
    tape : tape; rows of the same two times count as one message.
    orders : .csv or .parquet with the columns ``request_ts``, ``exch_ts`` and ``response_ts`` [ns];
        entry = exch_ts - request_ts, response = response_ts - exch_ts.
    knots : most knots of an interpolated model.
    start, end : window of the tape, as in the other calibrations; orders are all taken.

    Raises
    ------
    UsageError
        where the window or the number of knots cannot be.
    DataError
        where a latency is negative, as clocks that do not agree make it, or the file of orders is
        not readable.
    """
    if knots < 1:
        raise UsageError(f"knots is {knots}", fix="give 1 or more")
    feed, reason = _feed(tape, knots, start, end)
    shift = json.loads(tape.attrs["counts"]).get("clock_shift_ns", 0)
    return Latency(
        feed=feed,
        feed_reason=reason,
        clock_shift_ns=int(shift) if feed else 0,
        orders=None if orders is None else _orders(orders, knots),
    )


def _feed(tape: xr.Dataset, knots: int, start: Moment, end: Moment) -> tuple[Measured | None, str]:
    window = window_of(tape, start, end)
    exch, local = tape["exch_ts"].values, tape["local_ts"].values
    rows = slice(*np.searchsorted(exch, [window.start, window.end]))
    exch, local = exch[rows], local[rows]
    if not len(exch):
        return None, "there is no row in the window"
    new = np.append(True, (np.diff(exch) != 0) | (np.diff(local) != 0))
    exch, local = exch[new], local[new]
    latency = local - exch
    refuse_negative(
        latency, "local_ts is before exch_ts", "tape", np.flatnonzero(new) + rows.start + 1
    )
    if len(latency) > 1 and latency.min() == latency.max():
        return None, (
            f"all {len(latency)} messages take {int(latency[0])} ns: that was set when the tape "
            "was read, not measured"
        )
    return _measured("feed_latency", local, {"feed_ns": latency}, knots, 0), ""


def _orders(path: str | Path, knots: int) -> Measured | None:
    times, left_out = read_order_times(path)
    request, exch, response = (times[name].to_numpy() for name in times.columns)
    if not len(request):
        return None
    latency = {"entry_ns": exch - request, "response_ns": response - exch}
    return _measured("order_latency", request, latency, knots, left_out)


def _measured(
    table: str, ts: np.ndarray, latency: dict[str, np.ndarray], knots: int, left_out: int
) -> Measured:
    model = thinned(table, ts, latency, knots)
    drawn = model.at(ts)
    found = {name: constants(values) for name, values in latency.items()}
    if len(latency) > 1:
        found["round_trip_ns"] = constants(np.sum(list(latency.values()), axis=0))
    error = {
        name: int(np.median(np.abs(drawn[name].to_numpy() - values)))
        for name, values in latency.items()
    }
    return Measured(len(ts), left_out, found, model, error)
