"""Bars of five seconds as they happen, joined to longer ones; a seeded past before the start."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

BASE_S = 5
"""Length of a recorded bar. [s]"""
KEPT = 17_280
"""Recorded bars of an instrument: a day."""
YEAR_S = 252 * 6.5 * 3600
PAST_VOLATILITY = 0.25
"""Of the seeded walk before the start, a year."""


@dataclass
class Bar:
    """One bar; ``start`` in seconds since the epoch."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    value: float = 0.0
    count: int = 0

    @property
    def average(self) -> float:
        """Average price by volume; the close where nothing traded."""
        return self.value / self.volume if self.volume else self.close

    def add(self, price: float, size: float) -> None:
        """Take in a price."""
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.close = price
        self.volume += size
        self.value += size * price
        self.count += 1 if size else 0


class Bars:
    """Recorded bars of one series of prices."""

    def __init__(self) -> None:
        self._bars: deque[Bar] = deque(maxlen=KEPT)

    def add(self, second: int, price: float, size: float = 0.0) -> None:
        """Take in a price at a second."""
        start = second - second % BASE_S
        if not self._bars or self._bars[-1].start < start:
            self._bars.append(Bar(start, price, price, price, price))
        self._bars[-1].add(price, size)

    def joined(self, starts: Sequence[int], length: int) -> list[Bar]:
        """Bars of ``length`` from each start; one without prices repeats the close before it."""
        found: list[Bar] = []
        at, bars = 0, list(self._bars)
        last: float | None = None
        for start in starts:
            bar: Bar | None = None
            while at < len(bars) and bars[at].start < start + length:
                part = bars[at]
                at += 1
                last = part.close
                if part.start >= start:
                    bar = _merged(bar, part, start)
            if bar is None and last is not None:
                bar = Bar(start, last, last, last, last)
            if bar is not None:
                found.append(bar)
        return found


def _merged(bar: Bar | None, part: Bar, start: int) -> Bar:
    if bar is None:
        return replace(part, start=start)
    bar.high, bar.low = max(bar.high, part.high), min(bar.low, part.low)
    bar.close = part.close
    bar.volume += part.volume
    bar.value += part.value
    bar.count += part.count
    return bar


def past_bars(
    key: str, starts: Iterable[int], length: int, price: float, step: float, volumes: bool
) -> list[Bar]:
    """A seeded walk that ends at ``price``: the same for the same key, bar by bar."""
    spread = PAST_VOLATILITY * (length / YEAR_S) ** 0.5
    found = []
    for start in sorted(starts, reverse=True):
        rng = random.Random(f"{key}:{length}:{start}")
        close = price
        first = max(close * (1.0 - spread * rng.gauss(0.0, 1.0)), step)
        wick = 0.5 * spread * close
        high = max(first, close) + wick * rng.random()
        low = max(min(first, close) - wick * rng.random(), step)
        size = float(100 * rng.randint(1, 200)) if volumes else 0.0
        bar = Bar(
            start, _on(first, step), _on(high, step), _on(low, step), _on(close, step), size,
            size * close, int(size // 100),
        )  # fmt: skip
        found.append(bar)
        price = first
    return found[::-1]


def _on(price: float, step: float) -> float:
    return round(round(price / step) * step, 6)
