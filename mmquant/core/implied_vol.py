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
3 per cent for all prices from 1e-300 on. Coefficients: tests/core/make_implied_vol_guess.py.
"""

from __future__ import annotations

import math

from mmquant.core.jit import formula, inner_formula, kernel
from mmquant.core.mathfn import INF, NAN, log, log1p
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
def tail_point(minus_log):
    """y with upper tail exp(-minus_log), from -0.75 on, within 0.001."""
    r = math.sqrt(2.0 * minus_log)
    above = 2.6694 + r * (1.1253 + 0.00601 * r)
    return r - above / (1.0 + r * (1.7262 + 0.26389 * r))


@inner_formula
def near_guess(k, gap, mass):
    """t for a small k = |x| / 2; ``gap``: |forward - strike| over the smaller of them."""
    odds = gap / mass
    odds = odds if odds > 1e-8 else 1e-8
    odds = odds if odds < 1e300 else 1e300
    flat = 2.0 * (odds / (2.0 + odds)) / log(1.0 + odds)
    shape = 0.40057594 + flat * (
        0.83492379
        + flat * (-0.76483355 + flat * (1.69757345 + flat * (-1.95368903 + flat * 0.78562072)))
    )
    width = 2.0 * k / gap if gap > 0.0 else 1.0
    t = ROOT_PI_8 * (2.0 * mass + gap) * width * math.sqrt(flat) * shape
    inside = 1.0 - 4.0 * t * t / (6.0 + 0.15 * k * k)
    return 2.0 * t / (1.0 + math.sqrt(inside if inside > 0.0 else 0.0))


@inner_formula
def rough_mills(y):
    return (y + 1.8) / (1.44 + y * (1.8 + y))


@inner_formula
def far_guess(k, mass, upper):
    """t for a large k, or for a mass that is missing to the bound."""
    minus_log = -log(mass)
    y = tail_point(minus_log + LN2 if upper else minus_log)
    y = y if y > 0.0 else 0.0
    share = rough_mills(math.sqrt(y * y + 4.0 * k)) / rough_mills(y)
    minus_log = minus_log + log(1.0 + share if upper else 1.0 - share + SMALL)
    y = tail_point(minus_log if minus_log > 0.25 else 0.25)
    y = -y if upper else y
    side = abs(y) + math.sqrt(y * y + 4.0 * k) + SMALL
    return 2.0 * k / side if y > 0.0 else 0.5 * side


@inner_formula
def householder(t, k, mass, upper):
    """A better t: one step of third order on log(mass), in log(t)."""
    a = k / t
    y1 = t - a if upper else a - t
    m1, m2, slope = mills_pair(y1, a + t)
    ratio = m1 + m2 if upper else 2.0 * t * slope
    miss = log(ratio * (INV_SQRT_2PI / mass)) - 0.5 * (y1 * y1)
    first = -2.0 * t / ratio if upper else 1.0 / slope
    bend = (a - t) * (a + t)
    second = bend - first
    third = bend * bend - (3.0 * (a * a) + t * t) - first * (3.0 * bend - 2.0 * first)
    newton = -miss / first
    above = newton * (1.0 + 0.5 * newton * second)
    return t + t * (above / (1.0 + newton * (second + newton * third * (1.0 / 6.0))))


@inner_formula
def match(price, sign, forward, strike):
    """(mass, upper, k, gap) of usable prices."""
    difference = forward - strike
    smaller = strike if difference > 0.0 else forward
    gap = abs(difference) / smaller
    inside = sign * difference
    value = price - inside if inside > 0.0 else price
    missing = (forward if sign > 0.0 else strike) - price
    upper = missing < value
    return (missing if upper else value) / smaller, upper, 0.5 * log1p(gap), gap


@inner_formula
def no_vol(sign, price, forward, strike, years):
    """Why no volatility gives the price, or OPTION_OK."""
    finite = abs(price) < INF and abs(forward) < INF and abs(strike) < INF and abs(years) < INF
    if not (finite and abs(sign) < INF):
        return OPTION_NAN
    if not ((sign == 1.0 or sign == -1.0) and forward > 0.0 and strike > 0.0 and years > 0.0):
        return OPTION_BAD_INPUT
    intrinsic = sign * (forward - strike)
    intrinsic = intrinsic if intrinsic > 0.0 else 0.0
    if price < intrinsic:
        return OPTION_BELOW
    if price == intrinsic:
        return OPTION_AT_INTRINSIC
    return OPTION_ABOVE if price >= (forward if sign > 0.0 else strike) else OPTION_OK


@inner_formula
def vol_or_nan(sign, price, forward, strike, years):
    """The volatility; NaN where there is none, or where mass is below 1e-300."""
    good = (
        (sign == 1.0 or sign == -1.0)
        and (forward > 0.0 and forward < INF)
        and (strike > 0.0 and strike < INF)
        and (years > 0.0 and years < INF)
    )
    inside = sign * (forward - strike)
    good = good and price > (inside if inside > 0.0 else 0.0)
    good = good and price < (forward if sign > 0.0 else strike)
    sign = sign if good else 1.0
    price = price if good else 0.5
    forward = forward if good else 1.0
    strike = strike if good else 1.0
    mass, upper, k, gap = match(price, sign, forward, strike)
    good = good and mass > SMALL and gap < INF
    mass = mass if good else 0.5
    k = k if good else 0.0
    gap = gap if good else 0.0
    far = upper or k > NEAR
    t = far_guess(k, mass, upper) if far else near_guess(k, gap, mass)
    t = householder(t, k, mass, upper)
    t = householder(t, k, mass, upper)
    vol = 2.0 * t / math.sqrt(years if good else 1.0)
    return vol if good else NAN


@formula
def implied_vol(sign, price, forward, strike, years):
    """(vol, status) of one option; see implied_vol_many."""
    vol = vol_or_nan(sign, price, forward, strike, years)
    status = no_vol(sign, price, forward, strike, years)
    return vol, OPTION_REFUSED if status == OPTION_OK and vol != vol else status


@kernel
def implied_vol_many(sign, price, forward, strike, years, out, status):
    """Volatilities [per square root of a year] of undiscounted prices; all (n,), inputs float64.

    ``sign``: 1 call, -1 put. ``forward``, ``strike`` and ``price`` in one unit; ``years`` to
    expiry. ``status``: codes of option_rows.py; ``out`` is NaN where that is not OPTION_OK.
    OPTION_REFUSED: the price is below 1e-300 of the smaller of forward and strike.
    """
    for i in range(sign.size):
        out[i] = vol_or_nan(sign[i], price[i], forward[i], strike[i], years[i])
    for i in range(sign.size):
        status[i] = OPTION_OK
        if out[i] != out[i]:
            why = no_vol(sign[i], price[i], forward[i], strike[i], years[i])
            status[i] = OPTION_REFUSED if why == OPTION_OK else why
