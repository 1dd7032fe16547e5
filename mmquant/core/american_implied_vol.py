"""Implied volatility of American options.

The European volatility of the price less the premium for early exercise, which changes little with
volatility, is close after one or two steps. From there the secant method on the logarithm of the
time value, kept in a bracket: every step that leaves it, and every third, halves it.
"""

from __future__ import annotations

import math

from mmquant.core.american import make_work, prepare_node
from mmquant.core.american_block import (
    certain_value,
    fill_lane,
    input_status,
    is_european,
    price_block,
)
from mmquant.core.american_nodes import tables
from mmquant.core.american_premium import EUROPEAN, VALUE, prepare_points, sum_block
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
CLOSE = 1e-11
"""Relative step of the volatility at which the search ends."""
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
    low, high = (dividend_yield, rate) if sign < 0.0 else (rate, dividend_yield)
    if low < high < 0.0:
        return OPTION_REFUSED
    lowest = certain_value(sign, spot, strike, years, rate, dividend_yield)
    if price <= lowest:
        return OPTION_BELOW if price < lowest else OPTION_AT_INTRINSIC
    if years == 0.0 or price >= (strike if sign < 0.0 else spot) * max(1.0, exp(-high * years)):
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
    for i in range(8):
        fill_lane(i, 0, sign, spot, strike, vol, work)
    sum_block(1, False, tables, work)
    if not moved < 1.0:
        return math.nan, math.nan
    return unit * max(work[VALUE], work[EUROPEAN]), unit * work[EUROPEAN]
