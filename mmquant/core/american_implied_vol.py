"""Implied volatility of American options.

The European volatility of the price less the premium for early exercise, which changes little with
volatility, is close after one or two steps. From there the secant method on the logarithm of the
time value, kept in a bracket: a step that leaves it halves it instead.
"""

from __future__ import annotations

import math

from mmquant.core.american import make_work
from mmquant.core.american_block import (
    certain_value,
    fill_lane,
    fill_rest,
    has_two_boundaries,
    input_status,
    is_european,
    put_rates,
)
from mmquant.core.american_boundary import LARGEST_MOVE
from mmquant.core.american_nodes import tables
from mmquant.core.american_premium import (
    EUROPEAN,
    LANE_EDGE,
    VALUE,
    X,
    prepare_node,
    prepare_points,
    sum_block,
)
from mmquant.core.implied_vol import implied_vol
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.option_rows import (
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BELOW,
    OPTION_NAN,
    OPTION_NOT_CONVERGED,
    OPTION_OK,
    OPTION_REFUSED,
)

LOWEST_VOL, HIGHEST_VOL = 1e-4, 50.0
STEPS = 80
PATIENCE = 12
"""Steps after which every other one halves the bracket."""
CLOSE = 1e-11
"""Relative step of the volatility at which the search ends."""
ALMOST = 1e-6
"""Relative difference of the time value at the end; its square, of the price."""
ROUNDING = 1e-15
"""Relative difference of two prices that says nothing any more."""
NOTHING = -700.0
"""Logarithm of no time value at all."""


def american_implied_vol_many(
    sign, price, spot, strike, years, rate, dividend_yield, setting, out, status
) -> None:
    """Volatilities [per square root of a year] of American prices; arrays (n,) as american_many.

    ``status`` (n,) int64: OPTION_BELOW and OPTION_AT_INTRINSIC for a price that is not above the
    value without volatility (which is the intrinsic value where exercise is best at once),
    OPTION_ABOVE for one at or above the strike of a put or the spot of a call; ``out`` is NaN then.
    """
    work = make_work()
    american_implied_vol_rows(
        sign, price, spot, strike, years, rate, dividend_yield, tables(setting), work, out, status
    )


@kernel
def american_implied_vol_rows(
    sign, price, spot, strike, years, rate, dividend_yield, tables, work, out, status
):
    """american_implied_vol_many with tables(setting) and memory of make_work: for other kernels."""
    for j in range(sign.size):
        args = (sign[j], price[j], spot[j], strike[j], years[j], rate[j], dividend_yield[j])
        out[j], status[j] = american_implied_vol(*args, tables, work)


@inner_kernel
def why_none(sign, price, spot, strike, years, rate, dividend_yield):
    """Why no volatility gives the price, or OPTION_OK."""
    code = input_status(sign, spot, strike, years, 1.0, rate, dividend_yield)
    if code != OPTION_OK or not abs(price) < math.inf:
        return max(code, OPTION_NAN)
    r, q = put_rates(sign, rate, dividend_yield)
    if has_two_boundaries(r, q):
        return OPTION_REFUSED
    lowest = certain_value(sign, spot, strike, years, rate, dividend_yield)
    if price <= lowest:
        return OPTION_BELOW if price < lowest else OPTION_AT_INTRINSIC
    if years == 0.0 or price >= (strike if sign < 0.0 else spot) * max(1.0, exp(-r * years)):
        return OPTION_ABOVE
    return OPTION_OK


@inner_kernel
def european_vol(sign, price, spot, strike, years, rate, dividend_yield):
    """(vol, status) by the discounted price of a European option."""
    forward = spot * exp((rate - dividend_yield) * years)
    return implied_vol(sign, price * exp(rate * years), forward, strike, years)


@inner_kernel
def value_at(sign, spot, strike, years, vol, r, q, tables, work):
    """(American, European) value at a volatility; r and q are the rates of the put."""
    unit = strike if sign < 0.0 else spot
    moved = prepare_node(0, years, vol, r, q, sign > 0.0, False, tables, work)
    fill_lane(0, 0, sign, spot, strike, vol, work)
    fill_rest(1, work)
    sum_block(1, False, tables, work)
    european = unit * work[EUROPEAN]
    american = max(unit * work[VALUE], european, sign * (spot - strike))
    american = sign * (spot - strike) if work[X] <= work[LANE_EDGE] else american
    return american if moved < LARGEST_MOVE else math.nan, european


@inner_kernel
def next_guess(step, price, american, european, f, vol, f_old, vol_old, sign, *option):
    """The European volatility of the price less the premium; later the secant's zero."""
    if step < 2:
        guess, code = european_vol(sign, price - (american - european), *option)
        return guess if code == OPTION_OK else 0.0
    flat = f == f_old or min(f, f_old) < 0.5 * NOTHING
    halve = flat or (step > PATIENCE and step % 2 == 0)
    return 0.0 if halve else vol - f * (vol - vol_old) / (f - f_old)


@inner_kernel
def american_implied_vol(sign, price, spot, strike, years, rate, dividend_yield, tables, work):
    """(vol, status) of one option."""
    option = (spot, strike, years, rate, dividend_yield)
    code = why_none(sign, price, *option)
    if code != OPTION_OK:
        return math.nan, code
    r, q = put_rates(sign, rate, dividend_yield)
    vol, code = european_vol(sign, price, *option)
    if is_european(r, q) or code == OPTION_REFUSED:
        return vol, code
    vol = vol if code == OPTION_OK else 0.3
    prepare_points(years, r, q, sign > 0.0, tables, work)
    lowest = certain_value(sign, *option)
    target = log(price - lowest)
    low, high = LOWEST_VOL, HIGHEST_VOL
    f_old, vol_old = 0.0, 0.0
    for step in range(STEPS):
        american, european = value_at(sign, spot, strike, years, vol, r, q, tables, work)
        if american != american:
            break
        left = american - lowest
        f = (log(left) if left > 0.0 else NOTHING) - target
        low, high = (low, vol) if f > 0.0 else (vol, high)
        guess = next_guess(step, price, american, european, f, vol, f_old, vol_old, sign, *option)
        guess = guess if low <= guess <= high else math.sqrt(low * high)
        if abs(american - price) <= ROUNDING * price:
            return vol, OPTION_OK
        if abs(guess - vol) <= CLOSE * vol:
            met = abs(f) < ALMOST or abs(american - price) <= ALMOST * ALMOST * price
            return (guess, OPTION_OK) if met else (math.nan, OPTION_NOT_CONVERGED)
        f_old, vol_old, vol = f, vol, guess
    return math.nan, OPTION_NOT_CONVERGED
