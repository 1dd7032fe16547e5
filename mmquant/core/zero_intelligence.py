"""A zero-intelligence limit order book after Cont, Stoikov and Talreja (2010), event by event.

Limit orders come at distance i from the opposite best price with rate ``limit[i - 1]``, market
orders with rate ``market``, and each displayed order at distance i is cancelled with rate
``cancel[i - 1]``; all rates are per second and per side. Orders of one lot give the paper's model.
Each event takes four uniforms: waiting time, which event, how many lots, and feed latency.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import RowKind, Status
from mmquant.core.jit import kernel

DEPTH = int(RowKind.DEPTH)
TRADE = int(RowKind.TRADE)
OK = int(Status.OK)
END = int(Status.END)
LOG_FULL = int(Status.LOG_FULL)
BOOK_FULL = int(Status.BOOK_FULL)

MAX_SWEEP = 16
"""Price levels that one market order can take; what is left of it is cancelled."""
MAX_ROWS = 2 * MAX_SWEEP + 1
"""Rows that one event can write."""
DRAWS = 4
"""Uniforms that one event takes."""

_TIMES = [("exch_ts", np.int64), ("local_ts", np.int64)]
_LEVEL = [("tick", np.int32), ("size", np.int32), ("kind", np.int8), ("side", np.int8)]
ROW = np.dtype([*_TIMES, *_LEVEL], align=True)
"""One row of the tape, as the market writes it."""


class Flow(NamedTuple):
    """What arrives. Rates are per second and side; ``*_cdf`` are the odds of ``*_lots``."""

    limit: np.ndarray
    cancel: np.ndarray
    market: float
    limit_cdf: np.ndarray
    limit_lots: np.ndarray
    market_cdf: np.ndarray
    market_lots: np.ndarray
    mean_lots: float
    refill_lots: int
    start_ns: int
    clock_ns: int
    latency_ns: int
    jitter_ns: int


class Market(NamedTuple):
    """The book and its clock. Index 0 of ``best`` and ``far`` is the bid side, 1 the ask side."""

    lots: np.ndarray
    """(ticks,) int64, displayed lots by tick; the sides share it, as they never overlap."""
    best: np.ndarray
    """(2,) int64, best tick of each side."""
    far: np.ndarray
    """(2,) int64, the tick farthest from the other side with lots on it."""
    time: np.ndarray
    """(1,) float64, seconds since the start of the session."""
    last: np.ndarray
    """(3,) int64: exchange time and local time of the last event, and refills so far."""


@kernel
def exponential(u):
    """Standard exponential draw, -log(1 - u), for u in [0, 1).

    Written with +, -, *, / alone, so that every platform gives the same bits.
    """
    mantissa, exponent = math.frexp(1.0 - u)
    if mantissa < 0.7071067811865476:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 1.0 / 19.0
    for k in range(8, -1, -1):
        series = series * z + 1.0 / (2.0 * k + 1.0)
    return -(exponent * 0.6931471805599453 + 2.0 * s * series)


@kernel
def draw_lots(cdf, lots, u):
    """The size whose interval of ``cdf`` holds ``u``. [lots]"""
    k = 0
    while k < cdf.size - 1 and u >= cdf[k]:
        k += 1
    return lots[k]


@kernel
def limit_total(flow):
    """Rate of limit orders of one side, over all distances. [1/s]"""
    total = 0.0
    for i in range(flow.limit.size):
        total += flow.limit[i]
    return total


@kernel
def cancel_rate(flow, distance, lots):
    """Rate of cancellations at ``distance`` ticks from the opposite best price. [1/s]

    Levels beyond the table, left behind by the price, take its last entry.
    """
    i = min(distance, flow.cancel.size) - 1
    return flow.cancel[i] * (lots / flow.mean_lots)


@kernel
def cancel_total(flow, market, k):
    """Rate of cancellations of side ``k``, over all its levels. [1/s]"""
    away = 2 * k - 1
    opposite = market.best[1 - k]
    total = 0.0
    for j in range(abs(market.far[k] - market.best[k]) + 1):
        tick = market.best[k] + away * j
        lots = market.lots[tick]
        if lots > 0:
            total += cancel_rate(flow, abs(tick - opposite), lots)
    return total


@kernel
def pick_distance(flow, target):
    """The distance at which the running sum of the limit rates passes ``target``. [ticks]"""
    for i in range(flow.limit.size - 1):
        target -= flow.limit[i]
        if target < 0.0:
            return i + 1
    return flow.limit.size


@kernel
def pick_cancel(flow, market, k, target):
    """The tick of side ``k`` at which the running sum of the cancel rates passes ``target``."""
    away = 2 * k - 1
    opposite = market.best[1 - k]
    picked = market.best[k]
    for j in range(abs(market.far[k] - market.best[k]) + 1):
        tick = market.best[k] + away * j
        lots = market.lots[tick]
        if lots > 0:
            picked = tick
            target -= cancel_rate(flow, abs(tick - opposite), lots)
            if target < 0.0:
                break
    return picked


@kernel
def write_row(market, rows, n, kind, side, tick, size):
    """Append one row with the times of the current event; the count of rows is returned."""
    rows["exch_ts"][n] = market.last[0]
    rows["local_ts"][n] = market.last[1]
    rows["tick"][n] = tick
    rows["size"][n] = size
    rows["kind"][n] = kind
    rows["side"][n] = side
    return n + 1


@kernel
def write_depth(market, rows, n, k, tick):
    """Append the displayed size of a level of side ``k``."""
    return write_row(market, rows, n, DEPTH, 1 - 2 * k, tick, market.lots[tick])


@kernel
def settle(flow, market, rows, n, k):
    """Find best and far of side ``k`` after lots left it; an empty side gets one new level."""
    away = 2 * k - 1
    best = market.best[k]
    far = market.far[k]
    while (far - best) * away >= 0 and market.lots[best] == 0:
        best += away
    if (far - best) * away < 0:
        best = market.best[1 - k] + away * flow.limit.size
        market.lots[best] = flow.refill_lots
        market.best[k] = best
        market.far[k] = best
        market.last[2] += 1
        return write_depth(market, rows, n, k, best)
    while market.lots[far] == 0:
        far -= away
    market.best[k] = best
    market.far[k] = far
    return n


@kernel
def add_limit(flow, market, rows, n, k, distance, u):
    """A limit order of side ``k`` at ``distance`` ticks from the opposite best price."""
    away = 2 * k - 1
    tick = market.best[1 - k] + away * distance
    market.lots[tick] += draw_lots(flow.limit_cdf, flow.limit_lots, u)
    if (market.best[k] - tick) * away > 0:
        market.best[k] = tick
    if (tick - market.far[k]) * away > 0:
        market.far[k] = tick
    return write_depth(market, rows, n, k, tick)


@kernel
def cancel_lots(flow, market, rows, n, k, tick, u):
    """One order of side ``k`` leaves the level ``tick``; never more than the level shows."""
    lots = draw_lots(flow.limit_cdf, flow.limit_lots, u)
    market.lots[tick] -= min(lots, market.lots[tick])
    n = write_depth(market, rows, n, k, tick)
    return settle(flow, market, rows, n, k)


@kernel
def take_market(flow, market, rows, n, k, u):
    """A market order takes from side ``k``: a trade row and then a depth row at each level."""
    away = 2 * k - 1
    left = draw_lots(flow.market_cdf, flow.market_lots, u)
    tick = market.best[k]
    levels = 0
    while left > 0 and levels < MAX_SWEEP and (market.far[k] - tick) * away >= 0:
        shown = market.lots[tick]
        if shown > 0:
            taken = min(left, shown)
            left -= taken
            n = write_row(market, rows, n, TRADE, 2 * k - 1, tick, taken)
            market.lots[tick] = shown - taken
            n = write_depth(market, rows, n, k, tick)
            levels += 1
        tick += away
    return settle(flow, market, rows, n, k)


@kernel
def set_clock(flow, market, u):
    """Stamp the event at the market's time: distinct at the exchange, in order at the receiver."""
    steps = math.floor(market.time[0] * 1.0e9 / flow.clock_ns)
    ts = max(flow.start_ns + np.int64(steps) * flow.clock_ns, market.last[0] + flow.clock_ns)
    jitter = math.floor(u * u * u * u * flow.jitter_ns / flow.clock_ns)
    local = ts + flow.latency_ns + np.int64(jitter) * flow.clock_ns
    market.last[0] = ts
    market.last[1] = max(local, market.last[1])


@kernel
def act(flow, market, rows, n, target, bid_cancel, u):
    """Apply the event at ``target`` on the line of all rates; the count of rows is returned.

    The line is: market buy, market sell, limit bid, limit ask, cancel bid, cancel ask.
    """
    limits = limit_total(flow)
    for k in (1, 0):
        if target < flow.market:
            return take_market(flow, market, rows, n, k, u)
        target -= flow.market
    for k in (0, 1):
        if target < limits:
            return add_limit(flow, market, rows, n, k, pick_distance(flow, target), u)
        target -= limits
    k = 0 if target < bid_cancel else 1
    tick = pick_cancel(flow, market, k, target - k * bid_cancel)
    return cancel_lots(flow, market, rows, n, k, tick, u)


@kernel
def simulate(flow, market, uniforms, end_ns, max_rows, rows):
    """Run the market for one event a row of ``uniforms``, an (events, 4) array in [0, 1).

    Returns (status, rows written, events used). OK: all uniforms used. END: the next event is
    at or after ``end_ns``. LOG_FULL: the next event may pass ``max_rows``. BOOK_FULL: the price
    is near an end of ``market.lots``.
    """
    margin = 2 * flow.limit.size + 2
    n = 0
    for e in range(uniforms.shape[0]):
        if n + MAX_ROWS > max_rows:
            return LOG_FULL, n, e
        if market.best[0] < margin or market.best[1] >= market.lots.size - margin:
            return BOOK_FULL, n, e
        bid_cancel = cancel_total(flow, market, 0)
        total = 2.0 * (flow.market + limit_total(flow))
        total += bid_cancel + cancel_total(flow, market, 1)
        market.time[0] += exponential(uniforms[e, 0]) / total
        set_clock(flow, market, uniforms[e, 3])
        if market.last[0] >= end_ns:
            return END, n, e
        target = uniforms[e, 1] * total
        n = act(flow, market, rows, n, target, bid_cancel, uniforms[e, 2])
    return OK, n, uniforms.shape[0]
