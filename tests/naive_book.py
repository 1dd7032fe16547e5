"""The displayed book and the queue formulas of the naive backtest, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

PEER_QUEUES = {
    "risk": ("risk", 0.0),
    "power2": ("power", 2.0),
    "power3_3": ("power3", 3.0),
    "log": ("log", 0.0),
    "log2": ("log2", 0.0),
}
"""The peer tool's names of queue models: (formula, exponent)."""


class Book:
    """Displayed lots by side and tick. Sides are +1 bid and -1 ask.

    The best is kept as a state: a row that crosses the other side pushes the other side's best back
    behind it, and the crossed levels keep their lots, unseen, until a row or a search finds them.
    """

    def __init__(self, *, peer_clear: bool = False) -> None:
        self.peer_clear = peer_clear
        self.level: dict[int, dict[int, int]] = {+1: {}, -1: {}}
        self.best: dict[int, int | None] = {+1: None, -1: None}
        self.far: dict[int, int | None] = {+1: None, -1: None}

    def lots(self, side: int, tick: int) -> int:
        return self.level[side].get(tick, 0)

    def next_from(self, side: int, tick: int) -> int | None:
        """The best level strictly behind ``tick``."""
        far = self.far[side]
        while far is not None and side * tick > side * far:
            tick -= side
            if self.lots(side, tick) > 0:
                return tick
        return None

    def from_best(self, side: int) -> Iterator[int]:
        tick = self.best[side]
        while tick is not None:
            yield tick
            tick = self.next_from(side, tick)

    def set(self, side: int, tick: int, lots: int) -> int:
        """Show ``lots`` at a level; returns what it showed before."""
        before = self.lots(side, tick)
        self.level[side][tick] = lots
        best, other = self.best[side], self.best[-side]
        if lots == 0:
            if tick == best:
                self.best[side] = self.next_from(side, tick)
                if self.best[side] is None:
                    self.far[side] = None
            return before
        if best is None or side * tick > side * best:
            self.best[side] = tick
            if other is not None and side * tick >= side * other:
                self.best[-side] = self.next_from(-side, tick)
        far = self.far[side]
        self.far[side] = tick if far is None else side * min(side * far, side * tick)
        return before

    def clear(self, side: int, tick: int) -> None:
        """Empty a side from its best to ``tick``, that tick included; side 0 empties both."""
        if side == 0:
            self.__init__(peer_clear=self.peer_clear)  # type: ignore[misc]
            return
        if self.peer_clear:
            self.clear_as_peer(side, tick)
            return
        for t in [t for t in self.level[side] if side * t >= side * tick]:
            del self.level[side][t]
        best = self.best[side]
        if best is not None and side * best >= side * tick:
            self.best[side] = self.next_from(side, tick)
            if self.best[side] is None:
                self.far[side] = None

    def clear_as_peer(self, side: int, tick: int) -> None:
        """As hftbacktest 2.4.4: asks keep their lots, and the next level is not looked at."""
        best = self.best[side]
        if side > 0 and best is not None:
            for t in [t for t in self.level[side] if tick <= t <= best]:
                del self.level[side][t]
        self.best[side] = self.next_from(side, tick - side)
        if self.best[side] is None:
            self.far[side] = None


def share_behind(model: str, n: float, front: float, back: float) -> float:
    """Probability that a decrease of a level happened behind the own order; NaN for 0/0."""
    with np.errstate(all="ignore"):
        f, b = np.float64(front), np.float64(back)
        share = {
            "power": lambda: b**n / (b**n + f**n),
            "power2": lambda: b**n / (b + f) ** n,
            "power3": lambda: 1.0 - (f / (f + b)) ** n,
            "log": lambda: np.log(1 + b) / (np.log(1 + b) + np.log(1 + f)),
            "log2": lambda: np.log(1 + b) / np.log(1 + b + f),
        }[model]()
    return 1.0 if math.isinf(share) else float(share)


def after_depth(
    model: str, n: float, front: float, before: float, after: float, traded: float
) -> float:
    """Units ahead once a depth row took the level from ``before`` to ``after``.

    ``traded`` since the last depth row has moved the queue already.
    """
    change = before - after - traded
    if model == "risk" or change < 0:
        return min(front, after)
    back = before - front
    share = share_behind(model, n, front, back)
    ahead = front - (1 - share) * change + min(back - share * change, 0.0)
    return after if math.isnan(ahead) else min(ahead, after)


def lots_past(front: float, lot: float) -> int:
    """Whole lots by which trades went past the queue ahead; halves away from zero."""
    x = -front / lot
    return math.floor(x + 0.5) if x > 0 else 0
