"""The market of Avellaneda and Stoikov (2008), path by path.

In each step of ``dt`` seconds the bid is filled with probability A exp(-k d) dt and so is the ask,
d being the distance from the mid; then the mid moves up or down by sigma sqrt(dt), both as likely.
Quotes are a half spread and a slope for each step, as in ``optimal_quotes``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.jit import kernel
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
    """(4, 2 steps + 1) float64, scratch: distances and chances of a step, by inventory."""


@kernel
def fill_chance(market, distance):
    """Probability that a quote at this distance is filled in one step."""
    return min(fill_intensity(market.A, market.k, distance) * market.dt, 1.0)


@kernel
def quote_inventories(market, half_spread, slope, least, most, quotes):
    """Distances and chances of the inventories from ``least`` to ``most``, 0 in the middle."""
    middle = quotes.shape[1] // 2
    for q in range(least, most + 1):
        bid, ask = distances(half_spread, slope, float(q))
        quotes[BID, middle + q] = bid
        quotes[ASK, middle + q] = ask
        quotes[BID_CHANCE, middle + q] = fill_chance(market, bid)
        quotes[ASK_CHANCE, middle + q] = fill_chance(market, ask)


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
            bought = ((draw >> 32) & BITS_31) * UNIT < quotes[BID_CHANCE, at]
            sold = ((draw >> 1) & BITS_31) * UNIT < quotes[ASK_CHANCE, at]
            earned = quotes[BID, at] if bought else 0.0
            earned += quotes[ASK, at] if sold else 0.0
            q += int(bought) - int(sold)
            profit[p] += earned + q * (market.move if draw & 1 else -market.move)
            inventory[p] = q
            trades[p] += int(bought) + int(sold)
            least = min(least, q)
            most = max(most, q)
