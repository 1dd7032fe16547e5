"""Signals from the whole history at once: explicit weights, no recursion."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID

S = 1_000_000_000


class Seen(NamedTuple):
    """What one decision sees; levels best first, ``None`` for a side that is empty."""

    ts: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    mid: float
    bought: float
    sold: float

    @property
    def usable(self) -> bool:
        return bool(self.bids) and bool(self.asks) and self.bids[0][0] < self.asks[0][0]


def levels(side: tuple[tuple[int, int], ...], none: int, depth: int = 5):
    """Ticks and lots of one side as kernels see them."""
    tick, lots = np.full(depth, none, np.int32), np.zeros(depth, np.int32)
    for i, (t, n) in enumerate(side[:depth]):
        tick[i], lots[i] = t, n
    return tick, lots


def arguments(seen: Seen) -> tuple:
    """Arguments of ``update_signals`` after state and parameters."""
    sides = (*levels(seen.bids, NO_BID), *levels(seen.asks, NO_ASK))
    return seen.ts, *sides, seen.mid, seen.bought, seen.sold


def in_order(history: list[Seen]) -> list[Seen]:
    """Without what came with a time before the last one."""
    kept: list[Seen] = []
    for seen in history:
        if not kept or seen.ts >= kept[-1].ts:
            kept.append(seen)
    return kept


def left(seconds: float, halflife: float) -> float:
    return 2.0 ** (-seconds / halflife)


def even_weight(ago: float, seconds: float, halflife: float, pieces: int = 4_000) -> float:
    """Weight now of something spread evenly over ``seconds``, the end being ``ago``: Simpson."""
    at = ago + np.linspace(0.0, seconds, pieces + 1)
    parts = np.full(pieces + 1, 2.0)
    parts[1::2], parts[0], parts[-1] = 4.0, 1.0, 1.0
    return float(parts @ np.exp2(-at / halflife)) / (3.0 * pieces)


def ratio(parts: list[tuple[float, float]], halflife: float) -> float:
    """Weighted amount per second from (seconds, amount) of intervals, the newest last."""
    ago, amount, time = 0.0, 0.0, 0.0
    for seconds, value in reversed(parts):
        weight = even_weight(ago, seconds, halflife)
        amount += weight * value
        time += weight * seconds
        ago += seconds
    return amount / time


def volatility(
    history: list[Seen], halflife: float, sample_s: float, stale_s: float, warm: int
) -> float:
    good = [s for s in in_order(history) if s.usable and math.isfinite(s.mid)]
    now = in_order(history)[-1].ts
    if not good or now - good[-1].ts > stale_s * S:
        return math.nan
    parts: list[tuple[float, float]] = []
    taken, before = good[0], good[0]
    for seen in good[1:]:
        seconds = (seen.ts - taken.ts) / S
        if seen.ts - before.ts > stale_s * S:
            taken = seen
        elif seconds >= sample_s and seconds > 0:
            parts.append((seconds, (seen.mid - taken.mid) ** 2))
            taken = seen
        before = seen
    return math.sqrt(ratio(parts, halflife)) if len(parts) >= warm and parts else math.nan


def side_flow(up: int, old: tuple[int, int], new: tuple[int, int]) -> int:
    """Size added on one side; ``up`` is the direction in which its price improves."""
    better = up * (new[0] - old[0])
    if better > 0:
        return new[1]
    if better < 0:
        return -old[1]
    return new[1] - old[1]


def order_flow(history: list[Seen], halflife: float, stale_s: float, warm: int) -> float:
    good = [s for s in in_order(history) if s.usable]
    now = in_order(history)[-1].ts
    if not good or now - good[-1].ts > stale_s * S:
        return math.nan
    flow, count = 0.0, 0
    size = [(good[0].bids[0][1] + good[0].asks[0][1]) / 2]
    seconds_each: list[float] = []
    for a, b in itertools.pairwise(good):
        if b.ts - a.ts > stale_s * S:
            continue
        net = side_flow(1, a.bids[0], b.bids[0]) - side_flow(-1, a.asks[0], b.asks[0])
        flow += net * left((good[-1].ts - b.ts) / S, halflife)
        count += 1
        size.append((a.bids[0][1] + a.asks[0][1]) / 2)
        seconds_each.append((b.ts - a.ts) / S)
    if count < max(warm, 1):
        return math.nan
    whole = sum(seconds_each)
    mean = size[0] * left(whole, halflife)
    for held, seconds in zip(size[1:], seconds_each, strict=True):
        whole -= seconds
        mean += held * (left(whole, halflife) - left(whole + seconds, halflife))
    return flow / (2.0 * mean)


def trade_rates(
    history: list[Seen], halflife: float, stale_s: float, warm: int
) -> tuple[float, float]:
    good = [s for s in in_order(history) if math.isfinite(s.bought) and math.isfinite(s.sold)]
    now = in_order(history)[-1].ts
    parts: list[tuple[float, float, float]] = []
    last = good[0] if good else None
    for seen in good[1:]:
        if seen.ts == last.ts:
            continue
        if seen.bought >= last.bought and seen.sold >= last.sold:
            bought, sold = seen.bought - last.bought, seen.sold - last.sold
            parts.append(((seen.ts - last.ts) / S, bought, sold))
        last = seen
    if len(parts) < max(warm, 1) or now - last.ts > stale_s * S:
        return math.nan, math.nan
    buys, sells = [(p[0], p[1]) for p in parts], [(p[0], p[2]) for p in parts]
    return ratio(buys, halflife), ratio(sells, halflife)
