"""Price and tick index over piecewise ladders, exactly.

A ladder is a run of LADDER rows sorted by ``tick_from``. All are integers, and a price is one
division, so each price is the double nearest to its decimal.
"""

from __future__ import annotations

import math

from mmquant.core.jit import kernel


@kernel
def price_of_tick(ladder, start, length, tick, subtick):
    """Price of a tick, plus a fraction of the step above it. [currency]"""
    i = start + length - 1
    while i > start and tick < ladder[i]["tick_from"]:
        i -= 1
    step = ladder[i]
    num = step["price_num"] + (tick - step["tick_from"]) * step["step_num"]
    if subtick != 0.0:
        return (num + subtick * step["step_num"]) / step["den"]
    return num / step["den"]


@kernel
def tick_below(ladder, start, length, price):
    """Largest tick whose price is at most ``price`` (the passive side for a bid)."""
    i = start + length - 1
    while i > start and price < ladder[i]["price_num"] / ladder[i]["den"]:
        i -= 1
    step = ladder[i]
    x = (price * step["den"] - step["price_num"]) / step["step_num"]
    tick = step["tick_from"] + math.floor(x + 1e-9)
    if price_of_tick(ladder, start, length, tick, 0.0) > price + 1e-9 * abs(price):
        tick -= 1
    return tick


@kernel
def tick_above(ladder, start, length, price):
    """Smallest tick whose price is at least ``price`` (the passive side for an ask)."""
    tick = tick_below(ladder, start, length, price)
    if price_of_tick(ladder, start, length, tick, 0.0) < price - 1e-9 * abs(price):
        tick += 1
    return tick
