"""Position, cash and the split of profit and loss.

Equity = cash + position * mid * multiplier - fees, and it is also spread captured (against the
exchange's mid just before each fill) plus inventory (position times each move of that mid) - fees.
The two are added up independently, so that they check each other.
"""

from __future__ import annotations

import math

from mmquant.core.exchange import units_of
from mmquant.core.jit import kernel


@kernel
def fee_of(instrument, price, units, maker):
    """Fee of an execution: a rate on its value plus a rate on its units. [currency]"""
    value = abs(price) * units * instrument["multiplier"]
    if maker:
        return value * instrument["maker_value_rate"] + units * instrument["maker_unit_rate"]
    return value * instrument["taker_value_rate"] + units * instrument["taker_unit_rate"]


@kernel
def move_mark(position, instrument, mid):
    """Book the inventory's gain up to ``mid`` and mark there. A NaN mid leaves all as it is."""
    if not math.isfinite(mid):
        return
    position["inventory_pnl"] = inventory_at(position, instrument, mid)
    position["mark"] = mid


@kernel
def book_execution(position, instrument, side, lots, price, mid, maker, peer_arithmetic):
    """Book one execution; returns the spread captured and the fee. [currency]

    Without a two-sided market before the fill, the last mark stands in, and without any mark the
    price itself, so that nothing counts as captured. Negative lots take an execution back.
    """
    move_mark(position, instrument, mid)
    reference = position["mark"]
    if not math.isfinite(reference):
        reference = price
        position["mark"] = price
    units = units_of(instrument, lots)
    position["lots"] += side * lots
    if peer_arithmetic:
        units = lots * (instrument["lot_num"] / instrument["lot_den"])
        position["units"] += side * units
    else:
        position["units"] = units_of(instrument, position["lots"])
    scale = units * instrument["multiplier"]
    captured = side * (reference - price) * scale
    fee = fee_of(instrument, price, units, maker)
    position["cash"] -= side * price * scale
    position["fees"] += fee
    position["spread_pnl"] += captured
    position["gross_value"] += abs(price) * scale
    position["volume"] += units
    position["fills"] += 1 if lots > 0 else -1
    return captured, fee


@kernel
def equity_of(position, instrument, mid):
    """Cash plus the position at ``mid``, less fees; NaN if held without a mid. [currency]"""
    if position["lots"] == 0:
        return position["cash"] - position["fees"]
    held = position["units"] * instrument["multiplier"]
    return position["cash"] + held * mid - position["fees"]


@kernel
def inventory_at(position, instrument, mid):
    """Gain of the inventory if marked at ``mid``. [currency]"""
    if position["lots"] == 0:
        return position["inventory_pnl"]
    held = position["units"] * instrument["multiplier"]
    return position["inventory_pnl"] + held * (mid - position["mark"])
