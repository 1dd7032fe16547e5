"""From prices and sizes to ticks and lots, and the messages that wait to be taken."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from mmquant.brokers.ibkr_clock import Clock
from mmquant.core.dtypes import MSG, NO_ASK, NO_BID, MsgKind, OrderEvent, Session
from mmquant.data.contracts import Contract

NO_LOTS = 2**31 - 1
"""Lots of a size that is no whole number of them: the local half believes no such message."""
NO_PRICE_TICK = NO_ASK
NEAR = 1e-6
"""So near to a whole number of ticks or lots is one."""
BLOCK_ROWS = 256
NAN = math.nan


class Grid:
    """Ticks and lots of one contract on a date; prices and sizes are the wire's floats."""

    def __init__(self, contract: Contract, date: str) -> None:
        self._steps = contract.ladder(date).rows()
        self._edges = [num / den for _, num, _, den in self._steps]
        self._lot_num, self._lot_den = contract.lot_fraction()
        self._lowest = NO_BID if contract.negative_prices else 0

    def price(self, tick: int) -> float:
        """Price of a tick: the double nearest to its decimal. [currency]"""
        for tick_from, num, step, den in reversed(self._steps):
            if tick >= tick_from:
                return (num + (tick - tick_from) * step) / den
        tick_from, num, step, den = self._steps[0]
        return (num + (tick - tick_from) * step) / den

    def width(self, tick: int) -> float:
        """Distance from a tick to the next one. [currency]"""
        return self.price(tick + 1) - self.price(tick)

    def tick(self, price: float) -> tuple[int, float]:
        """Tick at or below a price, and the part of a step above it (0 on the grid).

        NO_PRICE_TICK for what is no price.
        """
        if not abs(price) < 1e9:
            return NO_PRICE_TICK, 0.0
        i = len(self._steps) - 1
        while i and price < self._edges[i] - NEAR:
            i -= 1
        tick_from, num, step, den = self._steps[i]
        steps = (price * den - num) / step
        whole = round(steps)
        if abs(steps - whole) > NEAR:
            whole = math.floor(steps)
            return tick_from + whole, min(steps - whole, 1.0 - NEAR)
        return tick_from + whole, 0.0

    def lots(self, size: float) -> int:
        """Lots of an executed or held size; NO_LOTS where it is no whole number of them."""
        if not abs(size) < 1e9:
            return NO_LOTS
        exact = size * self._lot_den / self._lot_num
        whole = round(exact)
        return whole if abs(exact - whole) <= NEAR else NO_LOTS

    def shown_lots(self, size: float) -> int:
        """Whole lots of a displayed size."""
        if not abs(size) < 1e9:
            return NO_LOTS
        return max(math.floor(size * self._lot_den / self._lot_num + NEAR), 0)

    def size(self, lots: int) -> float:
        """Size of a number of lots. [units]"""
        return lots * self._lot_num / self._lot_den


class Outbox:
    """Messages in order of receipt; each gets its time here."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._rows: deque[tuple[Any, ...]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._rows)

    def put(
        self, kind: int, *, exch_ts: int = 0, seq: int = 0, order_id: int = 0, price: float = NAN,
        mid: float = NAN, subtick: float = 0.0, tick: int = 0, lots: int = 0, inst: int = 0,
        reason: int = 0, event: int = 0, side: int = 0, liquidity: int = 0,
    ) -> None:  # fmt: skip
        """Put a message behind all others; without ``exch_ts`` it has the wall clock's time."""
        ts = self.clock.stamp()
        self._rows.append((
            ts, exch_ts or self.clock.wall(), seq, order_id, price, mid, subtick, tick, lots, 0,
            inst, reason, kind, event, side, liquidity,
        ))  # fmt: skip

    def order(self, event: OrderEvent, order_id: int, inst: int, **fields: Any) -> None:
        """Put an order message."""
        self.put(int(MsgKind.ORDER), event=int(event), order_id=order_id, inst=inst, **fields)

    def session(self, code: Session, inst: int = -1) -> None:
        """Put a change of the link or of the market data."""
        self.put(int(MsgKind.SESSION), reason=int(code), inst=inst)

    def take(self) -> np.ndarray | None:
        """The next messages, at most BLOCK_ROWS, or None."""
        if not self._rows:
            return None
        count = min(len(self._rows), BLOCK_ROWS)
        return np.array([self._rows.popleft() for _ in range(count)], MSG)
