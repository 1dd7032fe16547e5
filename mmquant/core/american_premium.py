"""The value of American puts with strike 1: the European one and the integral of the premium.

The premium is what waiting costs below the boundary (Kim 1990): interest on the strike less the
yield of the asset. Derivatives are taken under the integral: by the logarithm of the spot, twice;
by the volatility and by a rate also through the boundary. What is shared by all options of an
expiry has one more point, for the European option. A block of ``LANES`` spots and volatilities is
worked on at once.
"""

from __future__ import annotations

import math

from mmquant.core.american_boundary import (
    LOG_B,
    WORK_SIZE,
    boundary_at_points,
    log_start,
    solve_boundary,
)
from mmquant.core.american_nodes import (
    COUNT_LANES,
    COUNT_POINTS,
    LANES,
    MAX_POINTS,
    POINT,
    POINT_WEIGHT,
    at,
)
from mmquant.core.black import sides
from mmquant.core.jit import inner_apart_kernel, inner_formula, inner_kernel
from mmquant.core.mathfn import exp, norm_cdf, norm_pdf

MAX_VOLS = 16
ROW = MAX_POINTS + LANES
BARRIER = WORK_SIZE
BARRIER_VOL = BARRIER + MAX_VOLS * ROW
BARRIER_RATE = BARRIER_VOL + MAX_VOLS * ROW
EDGE = BARRIER_RATE + MAX_VOLS * ROW
(
    WEIGHT_RATE, WEIGHT_YIELD, WEIGHT_RATE_SLOPE, WEIGHT_YIELD_SLOPE, ROOT_TIME, ROOT_TIME_INV,
    CARRY, CARRY_SLOPE, SPARE,
) = range(EDGE + MAX_VOLS, EDGE + MAX_VOLS + 9 * ROW, ROW)  # fmt: skip
"""Where parts of ``work`` are: logarithms of the barriers at the points for each volatility node,
their derivatives, the boundary today, and what all options of one expiry share at a point."""
NODE_ROOT = SPARE + ROW
NODE_VOL = NODE_ROOT + MAX_VOLS
NODE_FACTOR = NODE_VOL + MAX_VOLS
"""Volatility nodes, their roots, and the factors of their shares."""
(
    EXPIRY_RATE, EXPIRY_YIELD, EXPIRY_ROOT, EXPIRY_CARRY, EXPIRY_RATE_SLOPE, EXPIRY_YIELD_SLOPE,
) = range(NODE_FACTOR + MAX_VOLS, NODE_FACTOR + MAX_VOLS + 6)  # fmt: skip
"""The same as at a point, for the European option."""
LANE_ROWS = NODE_FACTOR + MAX_VOLS + LANES
(
    INDEX, SPOT, STRIKE, X, RATIO, VOL, VOL_INV, EUROPEAN, VALUE, FIRST, SECOND, BY_VOL, BY_RATE,
    AT, AT_VOL, AT_RATE, LANE_EDGE, SHARE,
) = range(LANE_ROWS, LANE_ROWS + 18 * LANES, LANES)  # fmt: skip
"""Rows of a block: where the option is from and its prices; logarithm of the moneyness, itself,
volatility; the European value; sums (value, derivatives); barriers of the point at hand; the
boundary today; shares of the volatility nodes."""
FULL_WORK_SIZE = SHARE + MAX_VOLS * LANES
BUMP = 1e-4
"""Relative change of a parameter for the derivative of the boundary."""


@inner_kernel
def prepare_points(years, rate, dividend_yield, by_yield, tables, work):
    """What all options of an expiry share. ``by_yield``: the rate of rho is the yield."""
    rate_part = 0.0 if by_yield else 1.0
    yield_part = 1.0 - rate_part
    points = at(int(tables[COUNT_POINTS]))
    longest = math.sqrt(years)
    for k in range(points):
        root = longest * tables[POINT + k]
        weight = years * tables[POINT_WEIGHT + k]
        t = root * root
        disc_rate = weight * exp(-rate * t)
        disc_yield = weight * exp(-dividend_yield * t)
        work[WEIGHT_RATE + k] = rate * disc_rate
        work[WEIGHT_YIELD + k] = dividend_yield * disc_yield
        work[WEIGHT_RATE_SLOPE + k] = (1.0 - rate * t) * rate_part * disc_rate
        work[WEIGHT_YIELD_SLOPE + k] = (1.0 - dividend_yield * t) * yield_part * disc_yield
        work[ROOT_TIME + k] = root
        work[ROOT_TIME_INV + k] = 1.0 / root
        work[CARRY + k] = (rate - dividend_yield) * t
        work[CARRY_SLOPE + k] = (rate_part - yield_part) * t
    work[EXPIRY_RATE] = exp(-rate * years)
    work[EXPIRY_YIELD] = exp(-dividend_yield * years)
    work[EXPIRY_ROOT] = longest
    work[EXPIRY_CARRY] = (rate - dividend_yield) * years
    work[EXPIRY_RATE_SLOPE] = -years * rate_part
    work[EXPIRY_YIELD_SLOPE] = -years * yield_part


@inner_kernel
def barriers(years, vol, rate, dividend_yield, start, tables, work):
    """Solve for the boundary and put it to ``start``, at the points. Returns the last move."""
    moved = solve_boundary(years, vol, rate, dividend_yield, tables, work)
    boundary_at_points(tables, work, log_start(rate, dividend_yield), start)
    return moved


@inner_kernel
def barrier_slope(years, vol, rate, dividend_yield, d_vol, d_rate, d_yield, start, tables, work):
    """Derivative of the barriers in the direction in which one of the three steps is not 0."""
    back = 0.0 if rate == 0.0 and d_rate > 0.0 else 1.0
    high = (vol + d_vol, rate + d_rate, dividend_yield + d_yield)
    low = (vol - d_vol, rate - back * d_rate, dividend_yield - d_yield)
    barriers(years, high[0], high[1], high[2], start, tables, work)
    barriers(years, low[0], low[1], low[2], SPARE, tables, work)
    width = (d_vol + d_rate + d_yield) * (1.0 + back)
    for k in range(int(tables[COUNT_POINTS])):
        work[start + k] = (work[start + k] - work[SPARE + k]) / width


@inner_kernel
def prepare_node(node, years, vol, rate, dividend_yield, by_yield, greeks, tables, work):
    """Boundary of one volatility, and with ``greeks`` its derivatives. Returns the last move."""
    start = at(node * ROW)
    if greeks:
        d_rate = BUMP * (rate if rate > 0.0 else 1.0)
        d_yield = BUMP * max(rate, abs(dividend_yield))
        args = (years, vol, rate, dividend_yield)
        barrier_slope(*args, BUMP * vol, 0.0, 0.0, BARRIER_VOL + start, tables, work)
        if by_yield:
            barrier_slope(*args, 0.0, 0.0, d_yield, BARRIER_RATE + start, tables, work)
        else:
            barrier_slope(*args, 0.0, d_rate, 0.0, BARRIER_RATE + start, tables, work)
    moved = barriers(years, vol, rate, dividend_yield, BARRIER + start, tables, work)
    work[EDGE + node] = work[LOG_B]
    return moved


@inner_formula
def mix(work, lanes, nodes, source, step, target):
    """A row of a block from a value at each volatility node."""
    first = work[source]
    if nodes == 1:
        for i in range(lanes):
            work[target + i] = first
        return
    for i in range(lanes):
        work[target + i] = first * work[SHARE + i]
    for m in range(1, nodes):
        value = work[source + m * step]
        share = at(SHARE + m * LANES)
        for i in range(lanes):
            work[target + i] += value * work[share + i]


@inner_formula
def add_point(work, lanes, k):
    """Add a point of the integral: value, and derivatives by the logarithm of the spot."""
    a, b = work[WEIGHT_RATE + k], work[WEIGHT_YIELD + k]
    root, root_inv, carry = work[ROOT_TIME + k], work[ROOT_TIME_INV + k], work[CARRY + k]
    for i in range(lanes):
        v, v_inv = work[VOL + i] * root, work[VOL_INV + i] * root_inv
        low = (work[X + i] - work[AT + i] + carry) * v_inv - 0.5 * v
        high = low + v
        asset = b * work[RATIO + i]
        below = asset * norm_cdf(-high)
        pull = asset * norm_pdf(high) * v_inv
        net = pull - a * norm_pdf(low) * v_inv
        work[VALUE + i] += a * norm_cdf(-low) - below
        work[FIRST + i] += net - below
        work[SECOND + i] += pull - low * v_inv * net - below


@inner_formula
def add_point_slopes(work, lanes, k):
    """Add a point's derivatives by the volatility and by a rate."""
    a, b = work[WEIGHT_RATE + k], work[WEIGHT_YIELD + k]
    a_slope, b_slope = work[WEIGHT_RATE_SLOPE + k], work[WEIGHT_YIELD_SLOPE + k]
    root, root_inv, carry = work[ROOT_TIME + k], work[ROOT_TIME_INV + k], work[CARRY + k]
    carry_slope = work[CARRY_SLOPE + k]
    for i in range(lanes):
        v, v_inv = work[VOL + i] * root, work[VOL_INV + i] * root_inv
        low = (work[X + i] - work[AT + i] + carry) * v_inv - 0.5 * v
        high = low + v
        ratio = work[RATIO + i]
        pull = b * ratio * norm_pdf(high)
        push = a * norm_pdf(low)
        moved = work[AT_VOL + i] * v_inv
        turned = (carry_slope - work[AT_RATE + i]) * v_inv
        vol_inv = work[VOL_INV + i]
        work[BY_VOL + i] += push * (high * vol_inv + moved) - pull * (low * vol_inv + moved)
        explicit = a_slope * norm_cdf(-low) - b_slope * ratio * norm_cdf(-high)
        work[BY_RATE + i] += explicit + (pull - push) * turned


@inner_kernel
def place_nodes(lowest, highest, nodes, work):
    """Chebyshev points of the root of volatility, and the factors of Lagrange's polynomials."""
    low, high = math.sqrt(lowest), math.sqrt(highest)
    for m in range(nodes):
        turn = math.cos(math.pi * m / max(nodes - 1.0, 1.0))
        root = 0.5 * (high + low) + 0.5 * (high - low) * turn
        work[NODE_ROOT + m] = root
        work[NODE_VOL + m] = root * root if nodes > 1 else highest
    for m in range(nodes):
        product = 1.0
        for other in range(nodes):
            if other != m:
                product *= work[NODE_ROOT + m] - work[NODE_ROOT + other]
        work[NODE_FACTOR + m] = 1.0 / product


@inner_formula
def share_nodes(nodes, work):
    """SHARE: what each node counts for the volatilities of a block."""
    for m in range(nodes):
        for i in range(LANES):
            root = math.sqrt(work[VOL + i])
            share = work[NODE_FACTOR + m]
            for other in range(nodes):
                share *= root - work[NODE_ROOT + other] if other != m else 1.0
            work[SHARE + m * LANES + i] = share


@inner_formula
def start_sums(work, lanes):
    """The European option: value, and derivatives by the logarithm of the spot."""
    a, b = work[EXPIRY_RATE], work[EXPIRY_YIELD]
    root, carry = work[EXPIRY_ROOT], work[EXPIRY_CARRY]
    a_slope, b_slope = a * work[EXPIRY_RATE_SLOPE], b * work[EXPIRY_YIELD_SLOPE]
    for i in range(lanes):
        v = work[VOL + i] * root
        asset = b * work[RATIO + i]
        x = work[X + i] + carry
        low = x / v - 0.5 * v
        pull = asset * norm_pdf(low + v)
        below = asset * norm_cdf(-low - v)
        out_of_money, _, _, _, _, _, _ = sides(x, v, asset, a)
        value = out_of_money if x > 0.0 else out_of_money + (a - asset)
        work[EUROPEAN + i] = work[VALUE + i] = value
        work[FIRST + i] = -below
        work[SECOND + i] = pull / v - below
        work[BY_VOL + i] = pull * root
        work[BY_RATE + i] = a_slope * norm_cdf(-low) - b_slope * work[RATIO + i] * norm_cdf(
            -low - v
        )


@inner_apart_kernel
def sum_block(nodes, greeks, tables, work):
    """Sums of a block whose X, RATIO, VOL, VOL_INV and SHARE are filled; European if no nodes."""
    lanes = at(int(tables[COUNT_LANES]))
    start_sums(work, lanes)
    if nodes == 0:
        for i in range(lanes):
            work[LANE_EDGE + i] = -math.inf
        return
    mix(work, lanes, nodes, EDGE, 1, LANE_EDGE)
    for j in range(int(tables[COUNT_POINTS])):
        k = at(j)
        mix(work, lanes, nodes, BARRIER + k, ROW, AT)
        add_point(work, lanes, k)
        if greeks:
            mix(work, lanes, nodes, BARRIER_VOL + k, ROW, AT_VOL)
            mix(work, lanes, nodes, BARRIER_RATE + k, ROW, AT_RATE)
            add_point_slopes(work, lanes, k)
