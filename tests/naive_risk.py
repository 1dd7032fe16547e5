"""What the risk guard must hold to, the slow and obvious way: each way that orders could fill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple


class Open(NamedTuple):
    """Lots that may still fill."""

    inst: int
    side: int
    lots: int


class Extremes(NamedTuple):
    low: float
    high: float
    gross: float


def outcomes(held: Sequence[int], orders: Sequence[Open]) -> Iterator[list[int]]:
    """Positions after each choice of orders that fill whole while the others do not."""
    for choice in product((0, 1), repeat=len(orders)):
        after = list(held)
        for filled, order in zip(choice, orders, strict=True):
            after[order.inst] += filled * order.side * order.lots
        yield after


def extremes(held: Sequence[int], orders: Sequence[Open], each: Sequence[float]) -> Extremes:
    """Lowest and highest sum of a measure, and its largest sum of sizes; ``each`` is one lot's."""
    sums, sizes = [], []
    for after in outcomes(held, orders):
        parts = [k * lots for k, lots in zip(each, after, strict=True)]
        sums.append(sum(parts))
        sizes.append(sum(map(abs, parts)))
    return Extremes(min(sums), max(sums), max(sizes))
