"""Implied volatility of European options, to the last digits that a price has.

The idea is Jaeckel's, "Let's be rational" (2013): a guess from the shape of the price, and two
steps of Householder's third-order method, each making four times as many digits. Here all options
take the same steps, so that a loop becomes vector code.

With x the logarithm of forward over strike and s the volatility to expiry, a = |x| / s, t = s / 2,
y1 = a - t and y2 = a + t, the price of the option out of the money over the smaller of forward
and strike is phi(y1) (M(y1) - M(y2)), M Mills' ratio, and what is missing to its bound, 1, is
phi(y1) (M(-y1) + M(y2)). The smaller of the two is the ``mass`` that is matched, in logarithms:
no digits are lost at either end. Elasticities by s are functions of a and t alone.

The guess. Small |x|: the volatility of a normal distribution by a rational function of the price
over the straddle, as in Choi, Kim and Kwak (2009), times 1 + t^2 / c(x). Large |x|, and prices in
the upper half: mass over 1 -+ M(y2) / M(y1) is a normal tail, and its point is y1. It is within
3 per cent for all prices from 1e-300 on. Coefficients: tests/core/make_implied_vol_tables.py.
"""

from __future__ import annotations

import math

from mmquant.core.implied_vol_tables import (
    ROUGH_LOG,
    STRADDLE_SHAPE,
    TAIL_POINT_ABOVE,
    TAIL_POINT_BELOW,
)
from mmquant.core.jit import formula, inner_formula, kernel
from mmquant.core.mathfn import INF, NAN, log, log1p, log_parts, poly5
from mmquant.core.mathfn_tables import INV_SQRT_2PI
from mmquant.core.mills import mills_pair
from mmquant.core.option_rows import (
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BAD_INPUT,
    OPTION_BELOW,
    OPTION_NAN,
    OPTION_OK,
    OPTION_REFUSED,
)

LN2 = 0.6931471805599453
ROOT_PI_8 = 0.6266570686577501
NEAR = 2.0
"""Largest |x| / 2 for the guess by the normal distribution."""
SMALL = 1e-300


@inner_formula
def rough_log(x):
    """Natural logarithm of a normal number, within a factor of 1 -+ 1e-4."""
    n, f = log_parts(x)
    return n * LN2 + f * poly5(ROUGH_LOG, f)


@inner_formula
def tail_point(minus_log):
    """y with upper tail exp(-minus_log), from -0.75 on, within 0.002."""
    r = math.sqrt(2.0 * minus_log)
    above, below = TAIL_POINT_ABOVE, TAIL_POINT_BELOW
    return r - (above[0] + r * (above[1] + r * above[2])) / (1.0 + r * (below[1] + r * below[2]))


@inner_formula
def near_guess(k, gap, mass):
    """t for a small k = |x| / 2; ``gap``: |forward - strike| over the smaller of them."""
    odds = gap / mass
    odds = odds if odds > 1e-8 else 1e-8
    odds = odds if odds < 1e300 else 1e300
    flat = 2.0 * odds / ((2.0 + odds) * rough_log(1.0 + odds))
    root = math.sqrt(flat)
    shape = root * poly5(STRADDLE_SHAPE, root)
    width = 2.0 * k / gap if gap > 0.0 else 1.0
    t = ROOT_PI_8 * (2.0 * mass + gap) * width * shape
    inside = 1.0 - 4.0 * t * t / (6.0 + 0.15 * k * k)
    return 2.0 * t / (1.0 + math.sqrt(inside if inside > 0.0 else 0.0))


@inner_formula
def tail_share(near, far):
    """M(far) / M(near), within some per cent."""
    return ((far + 1.8) * (1.44 + near * (1.8 + near))) / (
        (near + 1.8) * (1.44 + far * (1.8 + far))
    )


@inner_formula
def far_guess(k, mass, upper):
    """t for a large k, or for a mass that is missing to the bound."""
    minus_log = -rough_log(mass)
    y = tail_point(minus_log + LN2 if upper else minus_log)
    y = y if y > 0.0 else 0.0
    share = tail_share(y, math.sqrt(y * y + 4.0 * k))
    minus_log = minus_log + rough_log(1.0 + share if upper else 1.0 - share + SMALL)
    y = tail_point(minus_log if minus_log > 0.25 else 0.25)
    y = -y if upper else y
    side = abs(y) + math.sqrt(y * y + 4.0 * k) + SMALL
    return 2.0 * k / side if y > 0.0 else 0.5 * side


@inner_formula
def householder(t, k, scale, upper):
    """A better t: one step of third order on log(mass), in log(t); ``scale`` = phi(0) / mass."""
    below = 1.0 / t
    a = k * below
    y1 = t - a if upper else a - t
    m1, m2, slope = mills_pair(y1, a + t)
    half = 0.5 * (m1 + m2) if upper else t * slope
    miss = log(half * (2.0 * scale)) - 0.5 * (y1 * y1)
    first = -t / half if upper else t / half
    newton = half * below * (miss if upper else -miss)
    bend = (a - t) * (a + t)
    second = bend - first
    third = bend * bend - (3.0 * (a * a) + t * t) - first * (3.0 * bend - 2.0 * first)
    above = newton * (1.0 + 0.5 * newton * second)
    return t + t * (above / (1.0 + newton * (second + newton * third * (1.0 / 6.0))))


@inner_formula
def why_none(sign, price, forward, strike, years, intrinsic, bound):
    """Why no volatility gives the price, or OPTION_OK."""
    status = OPTION_ABOVE if price >= bound else OPTION_OK
    status = OPTION_AT_INTRINSIC if price == intrinsic else status
    status = OPTION_BELOW if price < intrinsic else status
    # & makes one mask of them; ``and`` makes a branch of each, and the loop slower.
    sense = ((sign == 1.0) | (sign == -1.0)) & (forward > 0.0) & (strike > 0.0) & (years > 0.0)
    status = status if sense else OPTION_BAD_INPUT
    finite = (abs(sign) < INF) & (abs(price) < INF) & (abs(forward) < INF) & (abs(strike) < INF)
    return status if finite & (abs(years) < INF) else OPTION_NAN


@formula
def implied_vol(sign, price, forward, strike, years):
    """(vol, status) of one option; see implied_vol_many."""
    difference = forward - strike
    bound = forward if sign > 0.0 else strike
    intrinsic = difference if sign > 0.0 else -difference
    intrinsic = intrinsic if intrinsic > 0.0 else 0.0
    status = why_none(sign, price, forward, strike, years, intrinsic, bound)
    good = status == OPTION_OK
    smaller = strike if difference > 0.0 else forward
    smaller = smaller if good else 1.0
    gap = abs(difference) / smaller if good else 0.0
    value = price - intrinsic
    missing = bound - price
    upper = missing < value
    mass = (missing if upper else value) / smaller
    held = (mass > SMALL) & (gap < INF)
    status = status if held | (status != OPTION_OK) else OPTION_REFUSED
    good = good & held
    mass = mass if good else 0.25
    gap = gap if good else 0.0
    k = 0.5 * log1p(gap)
    t = far_guess(k, mass, upper) if upper | (k > NEAR) else near_guess(k, gap, mass)
    scale = INV_SQRT_2PI / mass
    t = householder(t, k, scale, upper)
    t = householder(t, k, scale, upper)
    vol = 2.0 * t / math.sqrt(years if good else 1.0)
    return vol if good else NAN, status


@kernel
def implied_vol_many(sign, price, forward, strike, years, out, status):
    """Volatilities [per square root of a year] of undiscounted prices; all (n,), inputs float64.

    ``sign``: 1 call, -1 put. ``forward``, ``strike`` and ``price`` in one unit; ``years`` to
    expiry. ``status``: codes of option_rows.py; ``out`` is NaN where that is not OPTION_OK.
    OPTION_REFUSED: the price is below 1e-300 of the smaller of forward and strike.
    """
    for i in range(sign.size):
        out[i], status[i] = implied_vol(sign[i], price[i], forward[i], strike[i], years[i])
