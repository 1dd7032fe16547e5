"""A zero-intelligence limit order book after Cont, Stoikov and Talreja (2010), event by event.

Limit orders come at distance i from the opposite best price with rate ``limit[i - 1]``, market
orders with rate ``market``, and each displayed lot at distance i is cancelled with rate
``cancel[i - 1]``; all rates are per second and per side. Orders of one lot give the paper's model.
Each event takes four uniforms: waiting time, which event, how many lots, and feed latency.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import RowKind, Status
from mmquant.core.jit import kernel

DEPTH, TRADE = int(RowKind.DEPTH), int(RowKind.TRADE)
OK, END = int(Status.OK), int(Status.END)
LOG_FULL, BOOK_FULL = int(Status.LOG_FULL), int(Status.BOOK_FULL)

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

NOW, EXCH, LOCAL, REFILLS, BEST, FAR = 0, 1, 2, 3, 4, 6
"""Places in ``Market.state``; BEST and FAR are those of the bid, and the ask's come after them."""
STATE_SIZE = 8


class Flow(NamedTuple):
    """What arrives. Rates are per second and side."""

    limit: np.ndarray
    """By distance from the opposite best price, less 1 tick."""
    cancel: np.ndarray
    """Of each displayed lot, by distance as above; the last entry holds beyond the table."""
    market: float
    limit_lots: np.ndarray
    """Sizes of limit orders and cancellations, all as likely. [lots]"""
    market_lots: np.ndarray
    """Sizes of market orders, all as likely. [lots]"""
    refill_lots: int
    """Size of the level that an empty side gets. [lots]"""
    start_ns: int
    clock_ns: int
    """Resolution of both clocks."""
    latency_ns: int
    jitter_ns: int


class Market(NamedTuple):
    """The book and its clock; side index k is 0 for bids and 1 for asks."""

    lots: np.ndarray
    """(ticks,) int64, displayed lots by tick; the sides share it, as they never overlap."""
    state: np.ndarray
    """(8,) int64: ns since the start; exchange and local time of the last event; refills so far;
    best tick of each side; of each side the tick with lots that is farthest from the other."""


@kernel
def exponential(u):
    """-log(1 - u) for u in [0, 1), from + - * / alone: the same bits on every platform."""
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
def draw_lots(sizes, u):
    """One of the sizes. [lots]"""
    return sizes[math.floor(u * sizes.size)]


@kernel
def limit_total(flow):
    """Rate of limit orders of one side, over all distances. [1/s]"""
    total = 0.0
    for i in range(flow.limit.size):
        total += flow.limit[i]
    return total


@kernel
def cancel_rate(rates, distance, lots):
    """Rate of cancellations of ``lots`` at ``distance`` ticks from the opposite best price. [1/s]

    Levels beyond the table, left behind by the price, take its last entry.
    """
    return rates[min(distance, rates.size) - 1] * lots


@kernel
def cancel_total(flow, market, k):
    """Rate of cancellations of side ``k``, over all its levels. [1/s]"""
    away = 2 * k - 1
    best = market.state[BEST + k]
    opposite = market.state[BEST + 1 - k]
    total = 0.0
    for j in range(abs(market.state[FAR + k] - best) + 1):
        tick = best + away * j
        total += cancel_rate(flow.cancel, abs(tick - opposite), market.lots[tick])
    return total


@kernel
def pick_distance(rates, target):
    """The distance at which the running sum of the limit rates passes ``target``. [ticks]"""
    for i in range(rates.size - 1):
        target -= rates[i]
        if target < 0.0:
            return i + 1
    return rates.size


@kernel
def pick_cancel(rates, lots, best, far, opposite, target):
    """The tick of one side at which the running sum of the cancel rates passes ``target``."""
    away = 1 if best > opposite else -1
    picked = best
    for j in range(abs(far - best) + 1):
        tick = best + away * j
        if lots[tick] > 0:
            picked = tick
            target -= cancel_rate(rates, abs(tick - opposite), lots[tick])
            if target < 0.0:
                break
    return picked


@kernel
def next_level(lots, tick, end, step):
    """The first tick with lots on it from ``tick`` to ``end``; past ``end`` if there is none."""
    while (end - tick) * step >= 0 and lots[tick] == 0:
        tick += step
    return tick


@kernel
def write_row(market, rows, n, kind, side, tick, size):
    """Append one row with the times of the current event; the count of rows is returned."""
    rows["exch_ts"][n] = market.state[EXCH]
    rows["local_ts"][n] = market.state[LOCAL]
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
    state = market.state
    best = next_level(market.lots, state[BEST + k], state[FAR + k], away)
    far = next_level(market.lots, state[FAR + k], best, -away)
    empty = (far - best) * away < 0
    if empty:
        best = state[BEST + 1 - k] + away * flow.limit.size
        far = best
        market.lots[best] = flow.refill_lots
        state[REFILLS] += 1
        n = write_depth(market, rows, n, k, best)
    state[BEST + k] = best
    state[FAR + k] = far
    return n


@kernel
def add_limit(flow, market, rows, n, k, distance, u):
    """A limit order of side ``k`` at ``distance`` ticks from the opposite best price."""
    away = 2 * k - 1
    state = market.state
    tick = state[BEST + 1 - k] + away * distance
    market.lots[tick] += draw_lots(flow.limit_lots, u)
    if (state[BEST + k] - tick) * away > 0:
        state[BEST + k] = tick
    if (tick - state[FAR + k]) * away > 0:
        state[FAR + k] = tick
    return write_depth(market, rows, n, k, tick)


@kernel
def cancel_lots(flow, market, rows, n, k, target, u):
    """One order of side ``k`` leaves the book; never more lots than its level shows."""
    best, far, opposite = market.state[BEST + k], market.state[FAR + k], market.state[BEST + 1 - k]
    tick = pick_cancel(flow.cancel, market.lots, best, far, opposite, target)
    market.lots[tick] -= min(draw_lots(flow.limit_lots, u), market.lots[tick])
    n = write_depth(market, rows, n, k, tick)
    return settle(flow, market, rows, n, k)


@kernel
def take_market(flow, market, rows, n, k, u):
    """A market order takes from side ``k``: a trade row and then a depth row at each level."""
    away = 2 * k - 1
    left = draw_lots(flow.market_lots, u)
    tick = market.state[BEST + k]
    far = market.state[FAR + k]
    levels = 0
    while left > 0 and levels < MAX_SWEEP and (far - tick) * away >= 0:
        shown = market.lots[tick]
        if shown > 0:
            taken = min(left, shown)
            left -= taken
            n = write_row(market, rows, n, TRADE, away, tick, taken)
            market.lots[tick] = shown - taken
            n = write_depth(market, rows, n, k, tick)
            levels += 1
        tick += away
    return settle(flow, market, rows, n, k)


@kernel
def set_clock(flow, market, wait, u):
    """Move on by ``wait`` seconds and stamp the event.

    Events are distinct at the exchange and stay in order at the receiver.
    """
    state = market.state
    state[NOW] += math.floor(wait * 1.0e9)
    clock = flow.clock_ns
    ts = max(flow.start_ns + state[NOW] // clock * clock, state[EXCH] + clock)
    delay = flow.latency_ns + math.floor(u * u * u * u * flow.jitter_ns / clock) * clock
    state[EXCH] = ts
    state[LOCAL] = max(ts + delay, state[LOCAL])


@kernel
def pick_event(target, market_rate, limit_rate, bid_cancel):
    """Kind of the event at ``target`` on the line of all rates, and how far into the kind it is.

    Kinds: 0 market sell, 1 market buy, 2 limit bid, 3 limit ask, 4 cancel bid, 5 cancel ask.
    """
    for kind in range(5):
        rate = market_rate if kind < 2 else limit_rate if kind < 4 else bid_cancel
        if target < rate:
            return kind, target
        target -= rate
    return 5, target


@kernel
def simulate(flow, market, uniforms, end_ns, max_rows, rows):
    """Run the market for one event a row of ``uniforms``, an (events, 4) array in [0, 1).

    Returns (status, rows written, events used). OK: all uniforms used. END: the next event is
    at or after ``end_ns``. LOG_FULL: the next event may pass ``max_rows``. BOOK_FULL: the price
    is near an end of ``market.lots``.
    """
    margin = 2 * flow.limit.size + 2
    limit_rate = limit_total(flow)
    state = market.state
    n = 0
    for e in range(uniforms.shape[0]):
        if n + MAX_ROWS > max_rows:
            return LOG_FULL, n, e
        if state[BEST] < margin or state[BEST + 1] >= market.lots.size - margin:
            return BOOK_FULL, n, e
        bid_cancel = cancel_total(flow, market, 0)
        total = 2.0 * (flow.market + limit_rate) + bid_cancel + cancel_total(flow, market, 1)
        set_clock(flow, market, exponential(uniforms[e, 0]) / total, uniforms[e, 3])
        if state[EXCH] >= end_ns:
            return END, n, e
        kind, target = pick_event(uniforms[e, 1] * total, flow.market, limit_rate, bid_cancel)
        k = kind % 2
        u = uniforms[e, 2]
        if kind < 2:
            n = take_market(flow, market, rows, n, k, u)
        elif kind < 4:
            n = add_limit(flow, market, rows, n, k, pick_distance(flow.limit, target), u)
        else:
            n = cancel_lots(flow, market, rows, n, k, target, u)
    return OK, n, uniforms.shape[0]
