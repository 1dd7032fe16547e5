"""Bars of five seconds as they happen, joined to longer ones; a seeded past before the start."""

from __future__ import annotations

import datetime
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmquant.gateway.clock import eastern
from mmquant.gateway.reference import ZONE

BASE_S = 5
"""Length of a recorded bar. [s]"""
KEPT = 17_280
"""Recorded bars of an instrument: a day."""
YEAR_S = 252 * 6.5 * 3600
PAST_VOLATILITY = 0.25
"""Of the seeded walk before the start, a year."""
UNITS = {"S": 1, "D": 86_400, "W": 604_800, "M": 2_592_000, "Y": 31_536_000}
SIZES = {
    "1 secs": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30, "1 min": 60,
    "2 mins": 120, "3 mins": 180, "5 mins": 300, "10 mins": 600, "15 mins": 900,
    "20 mins": 1_200, "30 mins": 1_800, "1 hour": 3_600, "2 hours": 7_200, "3 hours": 10_800,
    "4 hours": 14_400, "8 hours": 28_800, "1 day": 86_400, "1w": 604_800, "1m": 2_592_000,
}  # fmt: skip
"""Bar sizes that there are. [s]"""
SAME_SIZES = {
    "1 sec": "1 secs", "1 mins": "1 min", "1 hours": "1 hour", "1 days": "1 day",
    "1 week": "1w", "1 w": "1w", "1 month": "1m", "1 m": "1m",
}  # fmt: skip
LEGAL_SIZES = ", ".join([*list(SIZES)[:-2], "1W", "1M"])
MAX_PAST = 100_000
"""Bars that the seeded past goes back."""


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

    def joined(self, starts: Sequence[int], length: int, last: float | None = None) -> list[Bar]:
        """Bars of ``length`` from each start; one without prices repeats the close before it.

        ``last`` is the close before the first; None: bars begin with the first price.
        """
        found: list[Bar] = []
        at, bars = 0, list(self._bars)
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
    key: str, first: int, last: int, length: int, begin: int, price: float, step: float
) -> list[Bar]:
    """Bars from ``first`` to ``last`` of a seeded walk that ends with ``price`` at ``begin``. [s]

    The same for the same key, whatever part of it is asked for; none further back than MAX_PAST.
    """
    count = -(-(begin - first) // length)
    if count > MAX_PAST or last < first:
        return []
    rng = np.random.Generator(np.random.PCG64([zlib.crc32(key.encode()), length]))
    draws = rng.standard_normal((count, 4))
    spread = PAST_VOLATILITY * (length / YEAR_S) ** 0.5
    close = price * np.exp(spread * np.concatenate([[0.0], np.cumsum(draws[:, 0])]))
    close = np.clip(close, step, 1e7)
    first_price, last_price = close[1:], close[:-1]
    wick = 0.5 * spread * last_price
    high = np.maximum(first_price, last_price) + wick * np.abs(draws[:, 1])
    low = np.maximum(np.minimum(first_price, last_price) - wick * np.abs(draws[:, 2]), step)
    prices = [_on(x, step) for x in (first_price, high, low, last_price)]
    volume = 100.0 * np.ceil(20.0 * np.abs(draws[:, 3]) + 1.0)
    found = []
    for k in range(count - 1, (begin - last - 1) // length - 1, -1):
        size = float(volume[k])
        opened, top, bottom, closed = (float(x[k]) for x in prices)
        start = first + (count - 1 - k) * length
        worth = size * closed
        found.append(Bar(start, opened, top, bottom, closed, size, worth, int(size // 100)))
    return found


def _on(price: np.ndarray, step: float) -> np.ndarray:
    """Prices on a grid. [currency]"""
    return np.round(np.round(price / step) * step, 6)


def seconds_of(size: str) -> int | None:
    """Length of a bar size such as ``5 mins``; None where it is none. [s]"""
    name = " ".join(size.lower().split())
    return SIZES.get(SAME_SIZES.get(name, name))


def duration_of(text: str) -> int | None:
    """Length of a duration such as ``1 D``; None where it is none. [s]"""
    words = text.upper().split()
    if len(words) != 2 or not words[0].isdecimal() or len(words[0]) > 7 or words[1] not in UNITS:
        return None
    return int(words[0]) * UNITS[words[1]] or None


def schedule(end: int, count: int, length: int) -> list[object]:
    """Fields of historicalSchedule: one session a day, around the clock, up to ``end``. [s]"""
    last = eastern(end * 1_000_000_000).date()
    days = [last - datetime.timedelta(k) for k in range(-(-count * length // 86_400) - 1, -1, -1)]
    rows: list[object] = []
    for day in days:
        rows += [f"{day:%Y%m%d}-00:00:00", f"{day:%Y%m%d}-23:59:59", f"{day:%Y%m%d}"]
    return [rows[0], rows[-2], ZONE, len(days), *rows]


def shown_date(second: int, epoch: bool, length: int) -> str:
    """Date of a bar as it was asked for; bars of days have no time."""
    if epoch and length < 86_400:
        return str(second)
    if length >= 86_400:
        return f"{datetime.datetime.fromtimestamp(second, datetime.UTC):%Y%m%d}"
    return f"{eastern(second * 1_000_000_000):%Y%m%d %H:%M:%S} {ZONE}"
