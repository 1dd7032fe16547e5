"""Raw SVI slices made free of butterfly arbitrage, after Gatheral and Jacquier (2014), section 5.1.

Both repairs keep the variance and skew at the money and the left wing. One has a closed form; the
other is as near to the first slice as the right wing and the least variance can make it, by the
squared differences of prices of out-of-the-money options.
"""

from __future__ import annotations

import math

from mmquant.core.black import black_price
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import INF, exp
from mmquant.core.smile import (
    SMILE_NO_REPAIR,
    SMILE_OK,
    jump_wings,
    raw_of_jump_wings,
    svi_variance,
)
from mmquant.core.svi_check import GOLDEN, svi_least_g

STRIKES = 60
WIDEST = 5.0
"""Strikes whose prices count, evenly in k within so many standard deviations."""
SEARCHES = 32


@inner_kernel
def plain_wings(params, years):
    """(v, psi, p, c, v_min, c', v_min'): Jump-Wings of a slice, and of its closed-form repair."""
    v, psi, p, c, least = jump_wings(years, params[0], params[1], params[2], params[3], params[4])
    plain = p + 2.0 * psi
    below = p + plain
    plain_least = 4.0 * v * p * plain / (below * below if below != 0.0 else 1.0)
    return v, psi, p, c, least, plain, plain_least


@inner_kernel
def usable(v, p, plain):
    return 0.0 < v < INF and p >= 0.0 and 0.0 <= plain < INF and p + plain > 0.0


@inner_kernel
def write_raw(years, v, psi, p, c, least, out):
    """Raw parameters to ``out``. Returns their least g, -inf where there are none."""
    a, b, rho, m, sigma = raw_of_jump_wings(years, v, psi, p, c, least)
    out[0], out[1], out[2], out[3], out[4] = a, b, rho, m, sigma
    if not abs(a) + abs(m) + sigma < INF:
        return -INF
    return svi_least_g(a, b, rho, m, sigma)[0]


@kernel
def repair_jump_wings(years, params, out):
    """The slice with c' = p + 2 psi and v_min' = 4 v p c' / (p + c')^2, to ``out`` (5,).

    ``params`` (5,): raw SVI of a slice that is ``years`` long. SMILE_NO_REPAIR, and NaN in
    ``out``, where c' is negative or the slice has no variance at the money.
    """
    v, psi, p, _, _, plain, plain_least = plain_wings(params, years)
    if usable(v, p, plain) and write_raw(years, v, psi, p, plain, plain_least, out) >= 0.0:
        return SMILE_OK
    for i in range(5):
        out[i] = math.nan
    return SMILE_NO_REPAIR


@inner_kernel
def price_at(k, params):
    """Undiscounted price of the out-of-the-money option, by the forward; 0 without variance."""
    w = svi_variance(k, params[0], params[1], params[2], params[3], params[4])[0]
    root = math.sqrt(w) if w > 0.0 else 0.0
    return black_price(1.0 if k > 0.0 else -1.0, 1.0, exp(k), 1.0, root, 0.0)


@inner_kernel
def distance(v, years, first, other):
    """Sum of squared differences of prices of two slices."""
    total, reach = 0.0, WIDEST * math.sqrt(v * years)
    for i in range(STRIKES + 1):
        k = reach * (2.0 * i / STRIKES - 1.0)
        miss = price_at(k, first) - price_at(k, other)
        total += miss * miss
    return total


@inner_kernel
def best_wing(years, wings, least, params, out):
    """(distance, c) of the nearest right wing for a least variance; inf where none is free."""
    v, psi, p, c, _, plain, _ = wings
    if not write_raw(years, v, psi, p, plain, least, out) >= 0.0:
        return INF, plain
    low, high = plain, c
    if not write_raw(years, v, psi, p, c, least, out) >= 0.0:
        for _ in range(SEARCHES):
            middle = 0.5 * (low + high)
            if write_raw(years, v, psi, p, middle, least, out) >= 0.0:
                low = middle
            else:
                high = middle
        high = low
    low, top = plain, high
    for _ in range(SEARCHES):
        left, right = top - GOLDEN * (top - low), low + GOLDEN * (top - low)
        write_raw(years, v, psi, p, left, least, out)
        at_left = distance(v, years, params, out)
        write_raw(years, v, psi, p, right, least, out)
        if at_left < distance(v, years, params, out):
            top = right
        else:
            low = left
    # The end of a search is inside: the edge itself may be the best.
    write_raw(years, v, psi, p, high, least, out)
    at_edge = distance(v, years, params, out)
    write_raw(years, v, psi, p, low, least, out)
    inner = distance(v, years, params, out)
    return (at_edge, high) if at_edge <= inner else (inner, low)


@kernel
def repair_nearest(years, params, out):
    """As repair_jump_wings, with the c and v_min that change prices least, to ``out`` (5,).

    Both are sought between those of the slice and of its closed-form repair. A slice that is free
    of butterfly arbitrage comes back as it is.
    """
    for i in range(5):
        out[i] = params[i]
    if svi_least_g(params[0], params[1], params[2], params[3], params[4])[0] >= 0.0:
        return SMILE_OK
    wings = plain_wings(params, years)
    v, psi, p, _, least, plain, plain_least = wings
    if not usable(v, p, plain):
        for i in range(5):
            out[i] = math.nan
        return SMILE_NO_REPAIR
    best, c = best_wing(years, wings, plain_least, params, out)
    chosen = plain_least
    first, wing = best_wing(years, wings, least, params, out)
    if first <= best:
        best, c, chosen = first, wing, least
    low, high = min(least, plain_least), max(least, plain_least)
    for _ in range(SEARCHES):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_left, wing_left = best_wing(years, wings, left, params, out)
        at_right, wing_right = best_wing(years, wings, right, params, out)
        if at_left < best:
            best, c, chosen = at_left, wing_left, left
        if at_right < best:
            best, c, chosen = at_right, wing_right, right
        if at_left < at_right:
            high = right
        else:
            low = left
    if best < INF and write_raw(years, v, psi, p, c, chosen, out) >= 0.0:
        return SMILE_OK
    return repair_jump_wings(years, params, out)
