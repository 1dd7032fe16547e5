"""Optimal quotes with a finite horizon, exactly: Guéant-Lehalle-Fernandez-Tapia, Cartea-Jaimungal.

Each of these models is a linear system v' = -M v over the inventories n = -q_max ... q_max in order
sizes, with M symmetric and tridiagonal, and distances that are logarithms of ratios of v. A table
holds the eigenvalues of M and its eigenvectors times their coefficients, so that v at any time left
is a sum of exponentials; ``mmquant.trading.quote_tables`` makes it. Terms count from the smallest
eigenvalue, so nothing over- or underflows, and with an infinite time left one term remains.

A table is a row of float64, with m = 2 q_max + 1:

    0        q_max [order sizes]
    1        base distance, half of the impact included [price]
    2        k [1/price]
    3        impact [price]
    4        smallest eigenvalue [1/s]
    5        m eigenvalues less the smallest, rising [1/s]
    5 + m    m times left from which on v can be told from rounding [s], by inventory
    5 + 2 m  m rows of m weights: for each inventory, one for each eigenvalue
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import exp, log

Q_MAX, BASE, K, IMPACT, LOWEST, GAPS = 0, 1, 2, 3, 4, 5
"""Places in a table."""


def table_len(q_max: int) -> int:
    """Numbers in a table for inventories up to ``q_max`` order sizes."""
    m = 2 * q_max + 1
    return GAPS + 2 * m + m * m


@inner_kernel
def sums_around(table, time_left, n):
    """v of the inventories n - 1, n and n + 1, but for a common factor.

    0 beyond the bounds. NaN where it cannot be told from rounding.
    """
    m = 2 * int(table[Q_MAX]) + 1
    here = n + int(table[Q_MAX])
    low, high = max(here - 1, 0), min(here + 1, m - 1)
    weights = GAPS + 2 * m
    below, middle, above = 0.0, 0.0, 0.0
    for j in range(m):
        decay = exp(-table[GAPS + j] * time_left) if j > 0 else 1.0
        if decay == 0.0:
            break
        below += decay * table[weights + low * m + j]
        middle += decay * table[weights + here * m + j]
        above += decay * table[weights + high * m + j]
    clear = GAPS + m
    below = below if time_left >= table[clear + low] else math.nan
    middle = middle if time_left >= table[clear + here] else math.nan
    above = above if time_left >= table[clear + high] else math.nan
    return (below if here > 0 else 0.0), middle, (above if here < m - 1 else 0.0)


@inner_kernel
def whole_distances(table, time_left, n):
    """Distances of bid and ask with a whole number ``n`` of order sizes held. [price]"""
    below, middle, above = sums_around(table, time_left, n)
    bid, ask = math.inf, math.inf
    if above != 0.0:
        bid = table[BASE] + log(middle / above) / table[K]
    if below != 0.0:
        ask = table[BASE] + log(middle / below) / table[K]
    return bid, ask


@kernel
def exact_distances(table, time_left, inventory):
    """Distances of bid and ask from the mid. [price]

    Between whole order sizes they are interpolated. The side that would go beyond ``q_max`` is
    infinitely far: no quote. A larger inventory counts as ``q_max``. Both are NaN where an input
    is, after the end (``time_left`` below 0), and where the table cannot tell.
    """
    if not (abs(inventory) < math.inf and time_left >= 0.0):
        return math.nan, math.nan
    held = max(min(inventory, table[Q_MAX]), -table[Q_MAX])
    whole = math.floor(held)
    part = held - whole
    bid, ask = whole_distances(table, time_left, int(whole))
    if part == 0.0:
        return bid, ask
    next_bid, next_ask = whole_distances(table, time_left, int(whole) + 1)
    return (1.0 - part) * bid + part * next_bid, (1.0 - part) * ask + part * next_ask


@kernel
def exact_value(table, time_left, n):
    """What ``n`` order sizes and the quoting until the end are worth beyond cash and mid.

    A certainty equivalent per order size, ln(v) / k. [price] ``n`` is whole; NaN beyond the bounds.
    """
    if not (abs(n) <= table[Q_MAX] and time_left >= 0.0):
        return math.nan
    middle = sums_around(table, time_left, n)[1]
    impact = 0.5 * table[IMPACT] * n * n
    return (log(middle) - table[LOWEST] * time_left) / table[K] + impact
