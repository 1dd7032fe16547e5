"""Fee rates of one venue and date."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeeRates:
    """What a fill costs: value rates are of price * size * multiplier, unit rates per unit.

    Negative rates are rebates.
    """

    maker_value_rate: float = 0.0
    maker_unit_rate: float = 0.0
    taker_value_rate: float = 0.0
    taker_unit_rate: float = 0.0
