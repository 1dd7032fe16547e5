"""Latency of order messages: constant, or interpolated between measurements."""

from __future__ import annotations

import numpy as np

from mmquant.core.jit import kernel

KNOT = np.dtype(
    [("ts", np.int64), ("entry_ns", np.int64), ("response_ns", np.int64)],
    align=True,
)
"""A measurement: at ``ts`` a request took ``entry_ns`` to the exchange, its answer ``response_ns``
back. Times rise."""


@kernel
def last_knot(knots, ts):
    """Index of the last knot at or before ``ts``; 0 before the first."""
    low, high = 0, knots.shape[0]
    while high - low > 1:
        middle = (low + high) >> 1
        if knots[middle]["ts"] <= ts:
            low = middle
        else:
            high = middle
    return low


@kernel
def between(start_ts, start, end_ts, end, ts):
    """Linear interpolation of a latency between two measurements. [ns]"""
    if ts <= start_ts or end_ts <= start_ts:
        return start
    if ts >= end_ts:
        return end
    share = (ts - start_ts) / (end_ts - start_ts)
    return start + np.int64((end - start) * share)


@kernel
def entry_latency(knots, ts):
    """Time from here to the exchange of a request sent at ``ts``. [ns] Constant beyond the ends."""
    i = last_knot(knots, ts)
    a, b = knots[i], knots[min(i + 1, knots.shape[0] - 1)]
    return between(a["ts"], a["entry_ns"], b["ts"], b["entry_ns"], ts)


@kernel
def response_latency(knots, ts):
    """Time from the exchange to here of an answer given at ``ts``, as ``entry_latency``. [ns]"""
    i = last_knot(knots, ts)
    a, b = knots[i], knots[min(i + 1, knots.shape[0] - 1)]
    return between(a["ts"], a["response_ns"], b["ts"], b["response_ns"], ts)
