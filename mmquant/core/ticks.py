"""Price and tick index over piecewise ladders, exactly.

An instrument's ladder is a run of steps sorted by ``tick_from``. All are integers, and a price is
one division, so each price is the double nearest to its decimal.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NO_BID
from mmquant.core.hints import rarely
from mmquant.core.jit import kernel

NO_TICK = NO_BID
"""No quote at this tick is valid, on either side."""
MOST_STEPS = 2.0**31


@kernel
def price_of_tick(instrument, tick, subtick):
    """Price of a tick, plus a fraction of the step above it. [currency]"""
    i = instrument["ladder_len"] - 1
    while rarely(i > 0) and tick < instrument["tick_from"][i]:
        i -= 1
    step = instrument["step_num"][i]
    num = instrument["price_num"][i] + (tick - instrument["tick_from"][i]) * step
    if subtick != 0.0:
        return (num + subtick * step) / instrument["den"][i]
    return num / instrument["den"][i]


@kernel
def step_at(instrument, tick):
    """Step from a tick to the next one. [currency]"""
    i = instrument["ladder_len"] - 1
    while i > 0 and tick < instrument["tick_from"][i]:
        i -= 1
    return instrument["step"][i]


@kernel
def tick_below(instrument, price):
    """Largest tick whose price is at most ``price`` (the passive side for a bid).

    NO_TICK for a price that is not finite or beyond all ticks.
    """
    i = instrument["ladder_len"] - 1
    while i > 0 and price < instrument["price_num"][i] / instrument["den"][i]:
        i -= 1
    steps = (price * instrument["den"][i] - instrument["price_num"][i]) / instrument["step_num"][i]
    if not abs(steps) < MOST_STEPS:
        return NO_TICK
    tick = instrument["tick_from"][i] + np.int64(math.floor(steps))
    while price_of_tick(instrument, tick + 1, 0.0) <= price:
        tick += 1
    while price_of_tick(instrument, tick, 0.0) > price:
        tick -= 1
    return tick


@kernel
def tick_above(instrument, price):
    """Smallest tick whose price is at least ``price`` (the passive side for an ask), or NO_TICK."""
    tick = tick_below(instrument, price)
    if tick == NO_TICK:
        return tick
    if price_of_tick(instrument, tick, 0.0) < price:
        tick += 1
    return tick


@kernel
def ticks_of_price(instrument, price):
    """Tick of a price with its fraction of the step above it, whole on the grid. [ticks]

    NaN for a price that is not finite or beyond all ticks.
    """
    tick = tick_below(instrument, price)
    if tick == NO_TICK:
        return math.nan
    low = price_of_tick(instrument, tick, 0.0)
    return tick + (price - low) / (price_of_tick(instrument, tick + 1, 0.0) - low)
