"""What broker messages come to, whatever their order: from the whole list of them at once.

Each execution counts as its highest revision says, and once; an execution's fee is the one given
with the highest revision, or the rate on its value; nothing is paid for what was taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Said(NamedTuple):
    """One message about an execution; ``lots`` 0 is a bust, ``fee`` not None a fee."""

    number: int
    revision: int
    order_id: int
    side: int
    lots: int
    price: float
    fee: float | None = None


class Outcome(NamedTuple):
    position: int
    cash: float
    fees: float
    filled: dict[int, int]
    value: dict[int, float]


def outcome_of(said: Iterable[Said], *, fee_rate: float, multiplier: float) -> Outcome:
    """Position, cash and fees, and the lots and value filled of each order."""
    last: dict[int, Said] = {}
    fees: dict[int, Said] = {}
    for one in said:
        kept = last if one.fee is None else fees
        if one.number not in kept or one.revision > kept[one.number].revision:
            kept[one.number] = one
    position, cash, paid = 0, 0.0, 0.0
    filled: dict[int, int] = {}
    value: dict[int, float] = {}
    for number, one in last.items():
        position += one.side * one.lots
        cash -= one.side * one.lots * one.price * multiplier
        filled[one.order_id] = filled.get(one.order_id, 0) + one.lots
        value[one.order_id] = value.get(one.order_id, 0.0) + one.lots * one.price
        if one.lots:
            given = fees.get(number)
            rated = fee_rate * one.price * one.lots * multiplier
            paid += rated if given is None or given.fee is None else given.fee
    return Outcome(position, cash, paid, filled, value)
