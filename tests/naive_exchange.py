"""The exchange half of the naive backtest: own orders against a recorded tape, in plain Python.

``fill_mode`` "partial": a passive order gets at most what was traded beyond the queue ahead of it,
own orders share one trade by price and time, and displayed lots are taken once until their level's
next row. "peer": whole orders or nothing, and one trade may fill any number of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

from mmquant.core.dtypes import RowKind
from tests.naive_book import Book, after_depth, lots_past

BOOK_ROWS = (RowKind.DEPTH, RowKind.SNAPSHOT)


@dataclass
class Order:
    """An own order, as either half sees it. ``tick`` None is a market order."""

    id: int
    side: int
    tick: int | None
    lots: int
    style: str = "post"  # post, limit, ioc, fok, market, primary, mid, best (the last three: pegs)
    offset: int = 0  # of a peg
    cap: int = 0  # of a peg
    half: float = 0.0  # by how much a mid between two ticks is better than the tick
    leaves: int = 0
    front: float = 0.0  # displayed units ahead
    traded: float = 0.0  # units traded at the level since its last depth row
    state: str = "sent"  # sent, working, cancelling, and the ends: filled, cancelled, expired
    submit_time: int = 0
    ack_time: int = 0
    end_time: int = 0

    def __post_init__(self) -> None:
        self.leaves = self.lots


PEGS = ("primary", "mid", "best")


def peg_price(order: Order, bid: int, ask: int) -> float:
    """Where a peg belongs: by its rule, never beyond its cap, and never where it would take."""
    side = order.side
    own, other = (bid, ask) if side > 0 else (ask, bid)
    mid = (bid + ask) / 2
    if order.style == "mid":
        allowed = [mid - side * order.offset, other - side / 2, order.cap]
    elif order.style == "primary":
        allowed = [own + side * order.offset, other - side, order.cap]
    else:
        rounded = math.floor(mid) if side > 0 else math.ceil(mid)
        allowed = [own + side * order.offset, rounded, order.cap]
    return min(allowed) if side > 0 else max(allowed)


def reaches(order: Order, tick: int) -> bool:
    """Whether an order's limit reaches a level of the other side."""
    return order.tick is None or order.side * order.tick >= order.side * tick


@dataclass
class Exchange:
    """Matches own orders against a recorded tape."""

    fill_mode: str
    queue: tuple[str, float]
    lot: tuple[int, int]
    send: Callable[..., None]  # send(now, what, id, lots, tick, maker)
    book: Book = field(default_factory=Book)
    resting: list[Order] = field(default_factory=list)  # in order of arrival
    used: dict[tuple[int, int], int] = field(default_factory=dict)  # displayed lots already taken

    def units(self, lots: float) -> float:
        return lots * self.lot[0] / self.lot[1]

    def by_priority(self, side: int) -> list[Order]:
        """Own resting orders of a side, best price first, then first come."""
        return sorted((o for o in self.resting if o.side == side), key=lambda o: -side * o.tick)

    def fill(self, now: int, order: Order, lots: int, tick: int, maker: bool) -> None:
        order.leaves -= lots
        if order.leaves == 0 and order in self.resting:
            self.resting.remove(order)
        self.send(now, "filled" if order.leaves == 0 else "partly", order.id, lots, tick, maker)

    def on_row(self, now: int, kind: int, side: int, tick: int, subtick: float, lots: int) -> None:
        if kind in BOOK_ROWS:
            self.on_depth(now, side, tick, lots)
        elif kind == RowKind.CLEAR:
            self.book.clear(side, tick)
            self.used = {k: v for k, v in self.used.items() if self.book.lots(*k) > 0}
        elif kind == RowKind.TRADE and side != 0:
            self.on_trade(now, side, tick, subtick, lots)
        for own in sorted(self.resting, key=lambda o: o.id):
            if own.style in PEGS and None not in self.book.best.values():
                self.move_peg(own)

    def move_peg(self, own: Order) -> None:
        """Let a peg follow the book: behind all others where its tick changes."""
        price = peg_price(own, self.book.best[1], self.book.best[-1])
        tick = math.floor(price) if own.side > 0 else math.ceil(price)
        own.half = price - tick
        if tick != own.tick:
            own.tick = tick
            own.front, own.traded = self.units(self.book.lots(own.side, tick)), 0.0
            if own in self.resting:
                self.resting.remove(own)
                self.resting.append(own)

    def on_depth(self, now: int, side: int, tick: int, lots: int) -> None:
        best_before = self.book.best[side]
        before = self.book.set(side, tick, lots)
        self.used.pop((side, tick), None)
        for own in self.resting:
            if own.side == side and own.tick == tick:
                own.front = after_depth(
                    *self.queue, own.front, self.units(before), self.units(lots), own.traded
                )
                own.traded = 0.0
        best = self.book.best[side]
        if self.fill_mode == "peer":
            if best is not None and (best_before is None or side * best > side * best_before):
                for own in self.by_priority(-side):
                    if side * own.tick <= side * best:
                        self.fill(now, own, own.leaves, own.tick, True)
        elif lots > 0:
            for own in self.by_priority(-side):
                self.take_levels(now, own, own.tick)

    def reachable(self, order: Order) -> list[int]:
        """Displayed levels of the other side that an order's price reaches, best first."""
        levels = self.book.from_best(-order.side)
        return list(takewhile(lambda t: reaches(order, t), levels))

    def free_lots(self, side: int, tick: int) -> int:
        """Displayed lots of a level that nobody took since its last row."""
        return self.book.lots(side, tick) - self.used.get((side, tick), 0)

    def take_levels(self, now: int, order: Order, own_price: int | None) -> None:
        """Fill from displayed lots: a resting order at its own price, else at each level's."""
        for t in self.reachable(order):
            lots = min(order.leaves, self.free_lots(-order.side, t))
            if lots > 0:
                self.used[-order.side, t] = self.used.get((-order.side, t), 0) + lots
                at = t if own_price is None else own_price
                self.fill(now, order, lots, at, own_price is not None)

    def on_trade(self, now: int, side: int, tick: int, subtick: float, lots: int) -> None:
        left = lots
        for own in self.by_priority(-side):
            ahead = side * (
                tick + subtick - own.tick - own.half
            )  # above 0: printed through the own price
            if ahead < 0:
                continue
            if ahead > 0:
                if self.fill_mode == "peer":
                    self.fill(now, own, own.leaves, own.tick, True)
                    continue
                wanted = left
            elif own.style == "mid":
                continue  # other hidden size is ahead
            else:
                own.front -= self.units(left)
                own.traded += self.units(lots)  # the level's next row shows the whole trade gone
                wanted = lots_past(own.front, self.units(1))
                if wanted > 0:
                    own.front = 0.0
                if self.fill_mode == "peer":
                    if wanted > 0:
                        self.fill(now, own, own.leaves, own.tick, True)
                    continue
            fill = min(own.leaves, wanted, left)
            if fill > 0:
                left -= fill
                self.fill(now, own, fill, own.tick, True)

    def on_order(self, now: int, what: str, order: Order) -> None:
        if what == "cancel":
            mine = [o for o in self.resting if o.id == order.id]
            self.resting = [o for o in self.resting if o.id != order.id]
            self.send(now, "cancelled" if mine else "cancel rejected", order.id)
            return
        order = Order(order.id, order.side, order.tick, order.lots, order.style, order.offset)
        if order.style in PEGS:
            order.cap, order.tick = order.tick, None
            if None in self.book.best.values():
                self.send(now, "expired", order.id)
                return
            self.move_peg(order)
            self.resting.append(order)
            self.send(now, "working", order.id)
            return
        touch = self.book.best[-order.side]
        takes = touch is not None and reaches(order, touch)
        if order.style == "post" and takes:
            self.send(now, "expired", order.id)
            return
        if takes and self.fill_mode == "peer":
            self.fill(now, order, order.leaves, touch, False)
        elif takes:
            free = sum(self.free_lots(-order.side, t) for t in self.reachable(order))
            if order.style != "fok" or free >= order.lots:
                self.take_levels(now, order, None)
        if order.leaves == 0:
            return
        if order.style in ("post", "limit"):
            order.front = self.units(self.book.lots(order.side, order.tick))
            self.resting.append(order)
            self.send(now, "working", order.id)
        else:
            self.send(now, "expired", order.id)
