"""American calls in the escrowed dividend model, exercised just before an ex-date or never.

Without a yield and with a rate >= 0 no other time can be best. From the last ex-date to the first,
the premium over the European call is the discounted mean of the premium at the next ex-date: of
the gain of exercise above the price where that starts, and of the premium to come below. Both parts
are smooth, so Gauss-Legendre on each side of that price converges fast. Ex-dates whose dividends
are less than the interest on the strike until expiry are skipped (Merton 1973).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mmquant.core.black import spot_price
from mmquant.core.dividend_grid import cash_on, last_before, present_value
from mmquant.core.escrowed_put import SPAN_WORK_SIZE
from mmquant.core.jit import inner_kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.mathfn_tables import INV_SQRT_2PI

SIDE = 40
"""Points on each side of the price where exercise starts."""
WIDTH = 7.0
"""Standard deviations that points reach from the middle."""
COARSEST = 3.5
"""Most that the deviation up to an ex-date may be in deviations since the ex-date before."""
ASSET, GAIN, NEXT_ASSET, NEXT_GAIN, MASS = range(
    SPAN_WORK_SIZE, SPAN_WORK_SIZE + 10 * SIDE, 2 * SIDE
)
"""Rows of ``work``: logarithms of the asset and premium times weight, on two ex-dates."""
ESCROWED_WORK_SIZE = SPAN_WORK_SIZE + 10 * SIDE
HALVINGS = 24


@lru_cache
def side_tables() -> np.ndarray:
    """Gauss-Legendre points of (0, 1), then their weights."""
    x, w = np.polynomial.legendre.leggauss(SIDE)
    return np.concatenate([0.5 * (x + 1.0), 0.5 * w])


@inner_kernel
def next_premium(x, span, vol, rate, work):
    """(premium, its two derivatives by x) from the points of the ex-date ``span`` years later."""
    v = vol * math.sqrt(span)
    v_inv = 1.0 / v
    middle = x + (rate - 0.5 * vol * vol) * span
    for k in range(2 * SIDE):
        d = (work[NEXT_ASSET + k] - middle) * v_inv
        work[MASS + k] = work[NEXT_GAIN + k] * exp(-0.5 * d * d)
    value, first, second = 0.0, 0.0, 0.0
    for k in range(2 * SIDE):
        d = (work[NEXT_ASSET + k] - middle) * v_inv
        mass = work[MASS + k]
        value += mass
        first += mass * d
        second += mass * (d * d - 1.0)
    scale = exp(-rate * span) * INV_SQRT_2PI * v_inv
    return scale * value, scale * first * v_inv, scale * second * v_inv * v_inv


@inner_kernel
def gain_now(x, strike, left, paid, vol, rate):
    """What exercise pays above the European call, ``paid`` being the dividends that it takes in."""
    asset = exp(x)
    return asset + paid - strike - spot_price(1.0, asset, strike, left, vol, rate, 0.0)


@inner_kernel
def later_premium(x, span, vol, rate, work):
    """Premium after an ex-date for what comes on the next, ``span`` years later; 0 for none."""
    return next_premium(x, span, vol, rate, work)[0] if span > 0.0 else 0.0


@inner_kernel
def exercise_start(low, high, strike, left, paid, vol, rate, span, work):
    """Logarithm of the asset where exercise starts, by halving; ``high`` where it never does."""
    for _ in range(HALVINGS):
        x = 0.5 * (low + high)
        gain = gain_now(x, strike, left, paid, vol, rate)
        if gain > later_premium(x, span, vol, rate, work):
            high = x
        else:
            low = x
    return high


@inner_kernel
def fill_date(t, x, strike, left, paid, vol, rate, span, sides, work):
    """Premium at the points of an ex-date ``t`` years ahead, times their weights."""
    middle = x + (rate - 0.5 * vol * vol) * t
    reach = WIDTH * vol * math.sqrt(t)
    low, high = middle - reach, middle + reach
    start = exercise_start(low, high, strike, left, paid, vol, rate, span, work)
    for k in range(SIDE):
        y = low + (start - low) * sides[k]
        work[ASSET + k] = y
        waits = later_premium(y, span, vol, rate, work)
        work[GAIN + k] = (start - low) * sides[SIDE + k] * waits
        y = start + (high - start) * sides[k]
        work[ASSET + SIDE + k] = y
        gain = max(gain_now(y, strike, left, paid, vol, rate), 0.0)
        work[GAIN + SIDE + k] = (high - start) * sides[SIDE + k] * gain
    for k in range(2 * SIDE):
        work[NEXT_ASSET + k], work[NEXT_GAIN + k] = work[ASSET + k], work[GAIN + k]


@inner_kernel
def call_premium(asset, strike, years, vol, rate, dividends, sides, work):
    """(premium, its two derivatives by the asset, whether the points are dense enough)."""
    x, later = log(asset), 0.0
    t = last_before(math.inf, years, dividends[0])
    while t > 0.0:
        left = years - t
        paid = cash_on(t, *dividends) + present_value(t, years, rate, *dividends)
        if paid > strike * (1.0 - exp(-rate * left)):
            span = later - t if later > 0.0 else 0.0
            if later > span * COARSEST * COARSEST:
                return 0.0, 0.0, 0.0, False
            fill_date(t, x, strike, left, paid, vol, rate, span, sides, work)
            later = t
        t = last_before(t, years, dividends[0])
    if later == 0.0:
        return 0.0, 0.0, 0.0, True
    value, first, second = next_premium(x, later, vol, rate, work)
    return value, first / asset, (second - first) / (asset * asset), True
