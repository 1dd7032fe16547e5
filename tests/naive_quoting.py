"""The built-in quoting as its documentation tells it, slow and exact: the kernels' reference.

Written from the help of the keys and from docs/market_making/quoting.md, with fractions for all
that is a decimal. Nothing of the kernels is used. One instrument; no micro-price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from mmquant.config_quoting import QuotingConfig
from tests.naive_models import model_distances

BUY, SELL = 1, -1
INFINITE = math.inf
ALMOST = Fraction(1, 10**9)
"""What models, which are computed as floats, may miss a tick by. [ticks]"""
Number = Fraction | float
"""A fraction, or an infinity."""


def exact(x: float | str) -> Fraction:
    """The decimal that a number was written as."""
    return Fraction(str(x))


class Market(NamedTuple):
    """What is seen of one instrument. None: not known. Prices in ticks, times in seconds."""

    best_bid: int
    best_ask: int
    bid_lots: int
    ask_lots: int
    tick_size: Fraction
    position: int
    now: Fraction
    bought: Fraction | None
    sold: Fraction | None
    offset: Fraction
    """In currency."""
    external: Fraction | None
    volatility: Fraction | None
    imbalance: Fraction | None
    order_flow: Fraction | None
    equity: Fraction


class Quote(NamedTuple):
    side: int
    tick: int
    lots: int


class NoQuote(NamedTuple):
    side: int
    reason: str


@dataclass
class Standing:
    """A quote that is out, and since when it is what it is."""

    tick: int
    lots: int
    since: Fraction


class NoSignal(Exception):
    """A signal or a model has no number yet."""


def known(x: Fraction | None) -> Fraction:
    if x is None:
        raise NoSignal
    return x


class NaiveMaker:
    def __init__(self, q: QuotingConfig, *, length_s: float = 0.0) -> None:
        self.q = q
        self.length_s = length_s
        self.standing: dict[tuple[int, int], Standing] = {}

    def quote(self, m: Market) -> list[Quote | NoQuote]:
        """All that is wanted: bids, best first, then asks; or why a side has none."""
        wanted = {side: self.wanted(m, side) for side in (BUY, SELL)}
        rows: list[Quote | NoQuote] = []
        for side in (BUY, SELL):
            found, other = wanted[side], wanted[-side]
            if isinstance(found, str):
                self.standing = {k: v for k, v in self.standing.items() if k[0] != side}
                rows.append(NoQuote(side, found))
            else:
                opposite = None if isinstance(other, str) else other[0]
                rows += self.layers(m, side, *found, opposite)
        return rows

    # --- what a side wants: a price and a part of its size, or a reason for nothing

    def wanted(self, m: Market, side: int) -> tuple[Fraction, Fraction] | str:
        reason = self.not_now(m, side)
        if reason:
            return reason
        theo = self.theo(m)
        if theo is None:
            return "PULL_NO_THEO"
        try:
            distance = self.distances(m)[side]
            factor = self.size_factor(m.position, side)
            if self.soft(m, side):
                distance += exact(self.q.soft_ticks)
                factor *= exact(self.q.soft_factor)
            if distance == INFINITE:
                return "PULL_INVENTORY"
            return theo + self.shift(m) - side * Fraction(distance), factor
        except NoSignal:
            return "PULL_NO_SIGNAL"

    def not_now(self, m: Market, side: int) -> str:
        q = self.q
        start = max(exact(q.start_s or 0), exact(q.calibrate_s or 0))
        if m.now < start or (q.stop_s is not None and m.now >= exact(q.stop_s)):
            return "PULL_WINDOW"
        only = {"bid": side == BUY, "ask": side == SELL, "reduce": side * m.position < 0}
        if not only.get(q.sides, True):
            return "PULL_SIDE"
        if q.max_position_lots is not None and side * m.position >= q.max_position_lots:
            return "PULL_LIMIT"
        filled, delay = (m.bought, q.bid_delay_s) if side == BUY else (m.sold, q.ask_delay_s)
        if filled is not None and m.now - filled < exact(delay):
            return "PULL_AFTER_FILL"
        return ""

    def theo(self, m: Market) -> Fraction | None:
        value: Fraction | None = Fraction(m.best_bid + m.best_ask, 2)
        if self.q.theo == "weighted_mid":
            total = m.bid_lots + m.ask_lots
            value = Fraction(m.best_bid * m.ask_lots + m.best_ask * m.bid_lots, total)
        elif self.q.theo == "external":
            value = m.external
        elif self.q.theo == "manual":
            value = exact(self.q.manual_theo_ccy or 0.0) / m.tick_size
        return None if value is None else value + m.offset / m.tick_size

    def shift(self, m: Market) -> Fraction:
        parts = ((self.q.imbalance_ticks, m.imbalance), (self.q.order_flow_ticks, m.order_flow))
        return sum((exact(ticks) * known(x) for ticks, x in parts if ticks), Fraction(0))

    def soft(self, m: Market, side: int) -> bool:
        q = self.q
        if q.soft_loss_ccy is not None and m.equity <= -exact(q.soft_loss_ccy):
            return True
        return q.soft_position_lots is not None and side * m.position >= q.soft_position_lots

    # --- distances

    def distances(self, m: Market) -> dict[int, Number]:
        q = self.q
        model = self.model(m)
        skew = self.skew(m.position)
        both = exact(q.half_spread_ticks)
        both += exact(q.half_spread_bps) / 10_000 * abs(Fraction(m.best_bid + m.best_ask, 2))
        if q.volatility_factor:
            both += exact(q.volatility_factor) * known(m.volatility)
        out: dict[int, Number] = {}
        for side, lots in ((BUY, m.bid_lots), (SELL, m.ask_lots)):
            thin = max(1 - Fraction(lots, q.depth_reference_lots), Fraction(0))
            out[side] = model[side] + both + side * skew + exact(q.depth_ticks) * thin
        lacks = 2 * exact(q.min_half_spread_ticks) - (out[BUY] + out[SELL])
        if lacks > 0:
            out = {side: distance + lacks / 2 for side, distance in out.items()}
        return out

    def skew(self, position: int) -> Fraction:
        """How far both quotes move down."""
        s = self.q.skew
        if s.kind == "knots":
            return through(s.knots, position)
        shift = exact(s.ticks) * Fraction(position, self.q.order_lots)
        most = exact(s.max_ticks or 0.0)
        return max(-most, min(most, shift)) if s.kind == "bounded" else shift

    def size_factor(self, position: int, side: int) -> Fraction:
        s = self.q.size_skew
        if s.kind == "knots":
            return through(s.knots, side * position)
        held = max(Fraction(side * position, self.q.order_lots), Fraction(0))
        least = exact(s.min_factor or 0.0) if s.kind == "bounded" and held else Fraction(0)
        return max(1 - exact(s.per_order) * held, least)

    def model(self, m: Market) -> dict[int, Number]:
        """Distances of the model, as fractions, or infinite."""
        q = self.q
        if q.model == "fixed":
            return {BUY: Fraction(0), SELL: Fraction(0)}
        n = m.position / q.order_lots
        sigma = math.nan
        if q.model != "cartea_jaimungal":
            given = q.volatility_ticks
            sigma = float(known(m.volatility)) if given is None else given
        both = zip((BUY, SELL), model_distances(q, n, sigma, self.time_left(m)), strict=True)
        return {side: x if math.isinf(x) else Fraction(x) for side, x in both}

    def time_left(self, m: Market) -> float:
        if not self.q.horizon_to_end:
            return self.q.horizon_s
        end = self.length_s if self.q.stop_s is None else min(self.length_s, self.q.stop_s)
        return max(end - float(m.now), 0.0)

    # --- layers, places and sizes

    def layers(
        self, m: Market, side: int, price: Fraction, factor: Fraction, opposite: Fraction | None
    ) -> list[Quote | NoQuote]:
        q = self.q
        room: Number = INFINITE
        if q.max_position_lots is not None:
            room = q.max_position_lots - side * m.position
        if q.sides == "reduce":
            room = min(room, abs(m.position))
        rows: list[Quote | NoQuote] = []
        reason = "PULL_INVENTORY"
        before: int | None = None
        for i, layer in enumerate(q.layers):
            lots = (layer.lots or q.order_lots) * factor
            size = math.floor(lots / q.size_increment_lots) * q.size_increment_lots
            size = int(min(size, room))
            tick = self.place(m, side, price - side * exact(layer.offset_ticks))
            if before is not None:
                behind = before - side * q.price_increment_ticks
                tick = min(tick, behind) if side == BUY else max(tick, behind)
            old = self.standing.pop((side, i), None)
            if old and self.stays(m, side, old, tick, size, before, opposite):
                tick, size = old.tick, int(min(old.lots, room))
            if self.out_of_bounds(m, side, tick):
                reason = "PULL_PRICE_BOUND"
            elif size > 0:
                same = old is not None and (old.tick, old.lots) == (tick, size)
                since = old.since if old is not None and same else m.now
                self.standing[side, i] = Standing(tick, size, since)
                rows.append(Quote(side, tick, size))
                room -= size
                before = tick
        return rows or [NoQuote(side, reason)]

    def place(self, m: Market, side: int, price: Fraction) -> int:
        """The price on the grid, no further in than allowed."""
        own, other = (m.best_bid, m.best_ask) if side == BUY else (m.best_ask, m.best_bid)
        short = other - side
        furthest = {
            "passive": short,
            "join": own,
            "improve": min(own + 1, short) if side == BUY else max(own - 1, short),
        }
        limit = furthest.get(self.q.placement)
        if limit is not None:
            price = min(price, Fraction(limit)) if side == BUY else max(price, Fraction(limit))
        step = self.q.price_increment_ticks
        if side == BUY:
            return math.floor((price + ALMOST) / step) * step
        return math.ceil((price - ALMOST) / step) * step

    def stays(
        self, m: Market, side: int, old: Standing, tick: int, size: int, before: int | None,
        opposite: Fraction | None,
    ) -> bool:  # fmt: skip
        q = self.q
        near = abs(tick - old.tick) <= exact(q.price_tolerance_ticks)
        near = near and abs(size - old.lots) <= q.size_tolerance_lots
        if not near and m.now - old.since >= exact(q.refresh_s):
            return False
        if before is not None and side * old.tick >= side * before:
            return False
        if opposite is not None and side * (opposite - old.tick) <= ALMOST:
            return False
        other = m.best_ask if side == BUY else m.best_bid
        return q.placement == "free" or side * old.tick < side * other

    def out_of_bounds(self, m: Market, side: int, tick: int) -> bool:
        price = tick * m.tick_size
        if side == BUY:
            return self.q.ceiling_ccy is not None and price > exact(self.q.ceiling_ccy)
        return self.q.floor_ccy is not None and price < exact(self.q.floor_ccy)


def through(knots: Sequence[tuple[float, float]], x: int) -> Fraction:
    """Straight lines between knots, flat beyond them."""
    points = [(exact(a), exact(b)) for a, b in knots]
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
