"""Tick ladders by date, and exact conversion between prices and ticks.

A ladder is a run of steps ``(from_price, tick)``: from that price up, prices are multiples of that
tick above it. Tick 0 is price 0 and each step starts on the grid of the step below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date as Date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import Any

import numpy as np

from mmquant.core.dtypes import LADDER, NO_ASK, NO_BID
from mmquant.errors import DataError

ALWAYS = "0001-01-01"
"""``from_date`` of a ladder that holds for all dates."""
LAST_PART = np.nextafter(np.float32(1), np.float32(0))
"""Largest fraction of a tick: a part just below 1 must not round up to the next tick."""


@dataclass(frozen=True)
class Step:
    """One step of a ladder: prices from ``from_price`` up move by ``tick`` (decimal strings)."""

    from_price: str
    tick: str


@dataclass(frozen=True)
class Ladder:
    """The tick ladder in force from ``from_date`` (ISO date) on.

    Raises
    ------
    DataError
        where steps are out of order, off each other's grid, or not positive.
    """

    from_date: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        as_date(self.from_date, "from_date of a tick ladder")
        self.rows()

    @classmethod
    def flat(cls, tick: str, from_date: str = ALWAYS) -> Ladder:
        """One tick size at all prices."""
        return cls(from_date, (Step("0", str(tick)),))

    @classmethod
    def of(cls, value: Ladder | Mapping[str, Any]) -> Ladder:
        """A ladder from its dict, or itself."""
        if isinstance(value, Ladder):
            return value
        try:
            steps = tuple(Step(str(s["from_price"]), str(s["tick"])) for s in value["steps"])
            return cls(str(value.get("from_date", ALWAYS)), steps)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"a tick ladder is not readable ({error!r})",
                where=str(value),
                fix='write {"from_date": "...", "steps": [{"from_price": "0", "tick": "0.01"}]}',
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """The ladder as plain JSON values."""
        return {"from_date": self.from_date, "steps": [asdict(step) for step in self.steps]}

    def rows(self) -> list[tuple[int, int, int, int]]:
        """``(tick_from, price_num, step_num, den)`` of each step, all integers."""
        starts = [as_fraction(step.from_price, "from_price") for step in self.steps]
        ticks = [as_fraction(step.tick, "tick") for step in self.steps]
        self._check(starts, ticks)
        tick_from = Fraction(0)
        out = []
        for i, (start, tick) in enumerate(zip(starts, ticks, strict=True)):
            if i:
                tick_from += (start - starts[i - 1]) / ticks[i - 1]
                if tick_from.denominator != 1:
                    raise _refused(self, f"step from {start} is off the grid of the step below it")
            den = lcm(start.denominator, tick.denominator)
            out.append((int(tick_from), int(start * den), int(tick * den), den))
        return out

    def _check(self, starts: Sequence[Fraction], ticks: Sequence[Fraction]) -> None:
        if not starts or starts[0] != 0:
            raise _refused(self, "the first step does not start at price 0")
        if any(b <= a for a, b in pairwise(starts)):
            raise _refused(self, "steps are out of order")
        if any(tick <= 0 for tick in ticks):
            raise _refused(self, "a tick is not positive")

    def array(self) -> np.ndarray:
        """The steps as LADDER records, for kernels."""
        return np.array(self.rows(), dtype=LADDER)


def _refused(ladder: Ladder, what: str) -> DataError:
    steps = ", ".join(f"{s.from_price}: {s.tick}" for s in ladder.steps)
    return DataError(
        f"tick ladder refused: {what}",
        where=f"ladder from {ladder.from_date} ({steps})",
        fix="list steps by rising from_price, the first at 0, each a whole number of ticks above",
    )


def option_ladder(tick_class: str, from_date: str = ALWAYS) -> Ladder:
    """Ladder of a US option class.

    ``"penny"``: 0.01 below 3, 0.05 from 3; ``"nickel"``: 0.05 below 3, 0.10 from 3;
    ``"all_penny"``: 0.01 at all prices.
    """
    classes = {
        "penny": (Step("0", "0.01"), Step("3", "0.05")),
        "nickel": (Step("0", "0.05"), Step("3", "0.10")),
        "all_penny": (Step("0", "0.01"),),
    }
    if tick_class not in classes:
        raise DataError(
            f"unknown option tick class {tick_class!r}", fix=f"use one of {', '.join(classes)}"
        )
    return Ladder(from_date, classes[tick_class])


def stock_ladder(tick: str = "0.01", from_date: str = ALWAYS) -> Ladder:
    """Ladder of a US stock: 0.0001 below 1, from 1 up ``tick`` (0.01, or 0.005 for half cents)."""
    return Ladder(from_date, (Step("0", "0.0001"), Step("1", tick)))


def ladder_on(ladders: Iterable[Ladder], date: str, *, where: str = "") -> Ladder:
    """The ladder in force on a date (ISO): the last one whose ``from_date`` is not after it."""
    as_date(date, "date")
    known = [ladder for ladder in ladders if ladder.from_date <= date]
    if not known:
        raise DataError(
            f"no tick ladder is in force on {date}",
            where=where,
            fix=f'give the contract a ladder with an earlier from_date, or "{ALWAYS}" for always',
        )
    return known[-1]


def scaled_prices(texts: Sequence[str]) -> tuple[np.ndarray, int]:
    """Decimal strings as one integer array (int64, n) and its scale: price = integer / scale.

    Exact. Raises DataError naming the first text that is not a decimal number.
    """
    places = max((len(t.partition(".")[2]) for t in texts), default=0)
    scale = 10**places
    out = np.empty(len(texts), np.int64)
    for i, text in enumerate(texts):
        whole, _, part = text.partition(".")
        try:
            value = int(whole + part) * 10 ** (places - len(part))
        except ValueError:
            value = int(as_fraction(text, "price") * scale)
        out[i] = value
    return out, scale


def ticks_of(ladder: Ladder, price: np.ndarray, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Floor tick (int64) and fraction of a step above it (float32) of prices ``price / scale``.

    ``price`` is an integer array. All arithmetic is in integers, so a price on the grid has
    fraction 0 and no other price does. Prices below 0 continue the first step downwards.
    """
    price = np.asarray(price, np.int64)
    tick = np.zeros(price.shape, np.int64)
    part = np.zeros(price.shape, np.float32)
    for i, (tick_from, num, step, den) in enumerate(ladder.rows()):
        a, b, c = _reduced(den, num * scale, scale * step)
        here = _exact(price, den) * den >= num * scale if i else np.ones(price.shape, bool)
        above = _exact(price[here], a) * a - b
        whole = above // c
        tick[here] = tick_from + whole
        part[here] = np.minimum(((above - whole * c) / c).astype(np.float32), LAST_PART)
    _fits(tick)
    return tick, part


def _reduced(a: int, b: int, c: int) -> tuple[int, int, int]:
    g = gcd(a, b, c)
    return a // g, b // g, c // g


def _exact(price: np.ndarray, factor: int) -> np.ndarray:
    """The prices, checked: their product with ``factor`` does not leave int64."""
    if price.size and max(abs(int(price.max())), abs(int(price.min()))) * factor >= 2**62:
        raise DataError(
            "a price is too large for exact arithmetic",
            where=f"largest {int(price.max())}, smallest {int(price.min())}",
            fix="check the price scale of the file",
        )
    return price


def _fits(tick: np.ndarray) -> None:
    if tick.size and (tick.max() >= NO_ASK or tick.min() <= NO_BID):
        raise DataError(
            f"a price is beyond the int32 ticks of a tape ({int(tick.min())} to {int(tick.max())})",
            fix="check the price scale, or use a coarser tick ladder",
        )


def prices_of(ladder: Ladder, tick: np.ndarray) -> np.ndarray:
    """Price (float64) of each tick, each the double nearest to its decimal. [currency]"""
    tick = np.asarray(tick, np.int64)
    rows = ladder.array()
    at = np.maximum(np.searchsorted(rows["tick_from"], tick, side="right") - 1, 0)
    row = rows[at]
    return (row["price_num"] + (tick - row["tick_from"]) * row["step_num"]) / row["den"]


def as_fraction(text: str, what: str) -> Fraction:
    """An exact number from a decimal string. Raises DataError."""
    try:
        value = Decimal(str(text).strip())
        if value.is_finite():
            return Fraction(value)
    except InvalidOperation:
        pass
    raise DataError(f"{what} {text!r} is not a number", fix='write a decimal string like "0.01"')


def as_date(text: str, what: str) -> Date:
    """A date from an ISO string (``2012-06-21``). Raises DataError."""
    try:
        value = Date.fromisoformat(text)
        if value.isoformat() == text:
            return value
    except (TypeError, ValueError):
        pass
    raise DataError(f"{what} {text!r} is not an ISO date", fix="write it like 2012-06-21")
