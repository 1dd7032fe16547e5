"""The market of Avellaneda and Stoikov (2008), path by path.

In each step of ``dt`` seconds the bid is filled with probability A exp(-k d) dt and so is the ask,
d being the distance from the mid; then the mid moves up or down by sigma sqrt(dt), both as likely.
Quotes are a half spread and a slope for each step, as in ``optimal_quotes``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.optimal_quotes import distances, fill_intensity

BITS_31 = 0x7FFFFFFF
UNIT = 2.0**-31
"""From 31 random bits to a number in [0, 1)."""
BID, ASK, BID_CHANCE, ASK_CHANCE = 0, 1, 2, 3
"""Rows of ``Paths.quotes``."""


class Market(NamedTuple):
    """Where orders come from, and how far the mid moves."""

    A: float
    """Fills a second at the mid. [1/s]"""
    k: float
    """Decay of the fill intensity. [1/price]"""
    dt: float
    """Length of a step. [s]"""
    move: float
    """What the mid moves in a step, sigma sqrt(dt). [price]"""


class Paths(NamedTuple):
    """What has come of each path so far."""

    profit: np.ndarray
    """(paths,) float64: cash and inventory at the mid, less that of the start. [price · size]"""
    inventory: np.ndarray
    """(paths,) int64 [order sizes]"""
    trades: np.ndarray
    """(paths,) int64"""
    quotes: np.ndarray
    """(4, 2 steps + 1) float64, scratch: what fills earn and their chances, by inventory."""


@kernel
def fill_chance(market, distance):
    """Probability that a quote at this distance is filled in one step."""
    return min(fill_intensity(market.A, market.k, distance) * market.dt, 1.0)


@inner_kernel
def quote_inventories(market, half_spread, slope, least, most, quotes):
    """What fills earn, and their chances, for inventories from ``least`` to ``most``."""
    middle = quotes.shape[1] // 2
    for q in range(least, most + 1):
        bid, ask = distances(half_spread, slope, float(q))
        bid_chance, ask_chance = fill_chance(market, bid), fill_chance(market, ask)
        quotes[BID, middle + q] = 0.0 if bid_chance == 0.0 else bid
        quotes[ASK, middle + q] = 0.0 if ask_chance == 0.0 else ask
        quotes[BID_CHANCE, middle + q] = bid_chance
        quotes[ASK_CHANCE, middle + q] = ask_chance


@kernel
def simulate(market, half_spread, slope, draws, paths):
    """Play all steps on all paths.

    ``half_spread`` and ``slope`` are (steps,) float64, ``draws`` is (steps, paths) int64 of random
    bits: the lowest moves the mid, the next 31 decide on the ask, and 31 more on the bid.
    """
    profit, inventory, trades, quotes = paths
    middle = quotes.shape[1] // 2
    least, most = 0, 0
    for i in range(half_spread.size):
        quote_inventories(market, half_spread[i], slope[i], least, most, quotes)
        for p in range(profit.size):
            q = inventory[p]
            draw = draws[i, p]
            at = middle + q
            # No branches: which way a draw goes cannot be predicted, and a miss costs a step.
            bought = int(((draw >> 32) & BITS_31) * UNIT < quotes[BID_CHANCE, at])
            sold = int(((draw >> 1) & BITS_31) * UNIT < quotes[ASK_CHANCE, at])
            earned = bought * quotes[BID, at] + sold * quotes[ASK, at]
            q += bought - sold
            profit[p] += earned + q * (market.move if draw & 1 else -market.move)
            inventory[p] = q
            trades[p] += bought + sold
            least = min(least, q)
            most = max(most, q)
