"""American options in blocks of lanes: inputs checked, put into lanes as puts, results written."""

from __future__ import annotations

import math

from mmquant.core.american_boundary import LARGEST_MOVE
from mmquant.core.american_nodes import LANES
from mmquant.core.american_premium import (
    BY_RATE,
    BY_VOL,
    EUROPEAN,
    FIRST,
    INDEX,
    LANE_EDGE,
    RATIO,
    SECOND,
    SPOT,
    STRIKE,
    VALUE,
    VOL,
    VOL_INV,
    X,
    share_nodes,
    sum_block,
)
from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_BAD_INPUT,
    OPTION_NAN,
    OPTION_NOT_CONVERGED,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    RHO,
    THETA,
    VEGA,
)

NAN = math.nan
NOTHING = 1e-15
"""A rate that changes no price."""


@inner_formula
def input_status(sign, spot, strike, years, vol, rate, dividend_yield):
    """OPTION_NAN, OPTION_BAD_INPUT or OPTION_OK."""
    total = abs(spot) + abs(strike) + abs(years) + abs(vol) + abs(rate) + abs(dividend_yield)
    if not total < math.inf:
        return OPTION_NAN
    if not (abs(sign) == 1.0 and spot > 0.0 and strike > 0.0 and years >= 0.0 and vol >= 0.0):
        return OPTION_NAN if sign != sign else OPTION_BAD_INPUT
    return OPTION_OK


@inner_kernel
def clear(j, code, out, status):
    """A row without a result."""
    for row in range(out.shape[0]):
        out[row, j] = NAN
    status[j] = code


@inner_kernel
def certain_value(sign, spot, strike, years, rate, dividend_yield):
    """(value, exercised at once) where nothing is uncertain: the best time to exercise."""
    now = sign * (spot - strike)
    best = max(now, 0.0)
    times = (years, 0.0)
    growth = rate - dividend_yield
    if growth != 0.0 and rate * strike * dividend_yield > 0.0:
        turn = log(rate * strike / (dividend_yield * spot)) / growth
        times = (years, min(max(turn, 0.0), years))
    for t in times:
        paid = sign * (spot * exp(-dividend_yield * t) - strike * exp(-rate * t))
        best = max(best, paid)
    return best


@inner_kernel
def write_certain(j, sign, spot, strike, years, rate, dividend_yield, out, status):
    """An option that has expired, or without volatility: the value alone, and its delta."""
    clear(j, OPTION_OK, out, status)
    value = certain_value(sign, spot, strike, years, rate, dividend_yield)
    if not value < math.inf:
        status[j] = OPTION_REFUSED
        return
    out[PRICE, j] = value
    step = 1e-6 * spot
    up = certain_value(sign, spot + step, strike, years, rate, dividend_yield)
    down = certain_value(sign, spot - step, strike, years, rate, dividend_yield)
    out[DELTA, j] = (up - down) / (2.0 * step)
    out[GAMMA, j] = 0.0


@inner_formula
def put_rates(sign, rate, dividend_yield):
    """Rate and yield of the put that an option is; what is next to nothing is nothing."""
    r = rate if sign < 0.0 else dividend_yield
    q = dividend_yield if sign < 0.0 else rate
    return r if abs(r) > NOTHING else 0.0, q if abs(q) > NOTHING else 0.0


@inner_formula
def has_two_boundaries(rate, dividend_yield):
    """Whether a put is exercised early between two prices only: refused."""
    return dividend_yield < rate < 0.0


@inner_formula
def is_european(rate, dividend_yield):
    """Whether a put is never exercised early: no interest to gain."""
    return rate <= 0.0 and rate <= dividend_yield


@inner_formula
def fill_lane(i, j, sign, spot, strike, vol, work):
    """Option j as a put with strike 1."""
    ratio = spot / strike if sign < 0.0 else strike / spot
    work[INDEX + i] = j
    work[SPOT + i] = spot
    work[STRIKE + i] = strike
    work[RATIO + i] = ratio
    work[X + i] = log(ratio)
    work[VOL + i] = vol
    work[VOL_INV + i] = 1.0 / vol


@inner_formula
def fill_rest(count, work):
    """The first option in all lanes from ``count`` on."""
    for i in range(count, LANES):
        work[X + i], work[RATIO + i] = work[X], work[RATIO]
        work[VOL + i], work[VOL_INV + i] = work[VOL], work[VOL_INV]


@inner_formula
def write_lane(i, sign, rate, dividend_yield, work, out, status):
    """The results of a lane, put or call. ``rate`` and yield are those of the put."""
    u, u1, u2 = work[VALUE + i], work[FIRST + i], work[SECOND + i]
    by_vol, by_rate = work[BY_VOL + i], work[BY_RATE + i]
    vol, ratio = work[VOL + i], work[RATIO + i]
    spot, strike = work[SPOT + i], work[STRIKE + i]
    half = 0.5 * vol * vol
    theta = rate * u - half * u2 - (rate - dividend_yield - half) * u1
    unit = strike if sign < 0.0 else spot
    now = sign * (spot - strike)
    value = max(unit * max(u, work[EUROPEAN + i]), now)
    if work[X + i] <= work[LANE_EDGE + i]:
        value, u, u1, u2 = now, 1.0 - ratio, -ratio, -ratio
        by_vol = by_rate = theta = 0.0
    j = int(work[INDEX + i])
    out[PRICE, j] = value
    out[DELTA, j] = u1 / ratio if sign < 0.0 else u - u1
    out[GAMMA, j] = unit * (u2 - u1) / (spot * spot)
    if out.shape[0] > GAMMA + 1:
        for row in range(GAMMA + 1, out.shape[0]):
            out[row, j] = NAN
        out[VEGA, j] = unit * by_vol
        out[THETA, j] = unit * theta
        out[RHO, j] = unit * by_rate
    status[j] = OPTION_OK
    if not value < math.inf:
        clear(j, OPTION_REFUSED, out, status)


@inner_kernel
def price_block(count, nodes, moved, sign, rate, dividend_yield, tables, work, out, status):
    """Price the first ``count`` lanes, by as many boundaries as there are nodes."""
    if count == 0:
        return
    if not moved < LARGEST_MOVE:
        for i in range(count):
            clear(int(work[INDEX + i]), OPTION_NOT_CONVERGED, out, status)
        return
    fill_rest(count, work)
    if nodes > 1:
        share_nodes(nodes, work)
    sum_block(nodes, out.shape[0] > GAMMA + 1, tables, work)
    for i in range(count):
        write_lane(i, sign, rate, dividend_yield, work, out, status)


@inner_kernel
def settled(j, sign, spot, strike, years, vol, rate, dividend_yield, out, status):
    """Whether the option needs no boundary: bad input, refused, expired or without volatility."""
    code = input_status(sign, spot, strike, years, vol, rate, dividend_yield)
    r, q = put_rates(sign, rate, dividend_yield)
    if code == OPTION_OK and has_two_boundaries(r, q):
        code = OPTION_REFUSED
    if code != OPTION_OK:
        clear(j, code, out, status)
        return True
    if years == 0.0 or vol == 0.0:
        write_certain(j, sign, spot, strike, years, rate, dividend_yield, out, status)
        return True
    return False
