"""American and European options on a stock that pays cash dividends, by finite differences.

Two models. SPOT: the stock is lognormal between ex-dates, and falls by the dividend on each.
ESCROWED: the stock less the present value of the dividends up to expiry is lognormal. At the same
volatility they differ by much more than a tick.

Uniform grid in the logarithm, Crank-Nicolson with two damped steps after expiry and after each
ex-date (Rannacher 1984), and the exact solution of each step's inequalities (Brennan and Schwartz
1977): the grid runs away from where exercise is best, downwards for calls. Backwards from expiry
and from each ex-date steps grow, since the boundary moves with the root of the time to it: equal
ones would make the error fall with the step alone, not its square.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.mathfn import exp, log

SPOT, ESCROWED = 0, 1
NODES, STEPS = (301, 501, 1501), (40, 160, 500)
"""Grid by setting."""
DAMPED = 2
BLOCKS = 4
"""Parts of a span between ex-dates, as 1, 3, 5, 7 from its end, with the same number of steps."""
WIDTH = 5.5
"""Standard deviations on each side of the spot."""
CERTAIN = 2.0
"""Deviations that the drift may move the stock before the grid is made wider for it."""
MAX_GRID = 1504
VALUES, BEFORE, ASSETS, PIVOTS = range(0, 4 * MAX_GRID, MAX_GRID)
GRID_WORK_SIZE = 4 * MAX_GRID
"""Rows of ``work``: values, right sides, prices of the nodes, inverse pivots."""


@inner_formula
def is_ahead(t, now, years):
    """Whether an ex-date is after ``now``, and counts for an option that expires in ``years``."""
    return now < t <= years


@inner_kernel
def present_value(now, years, rate, dividend_years, dividend_cash):
    """Value at time ``now`` of the dividends after it, up to expiry."""
    total = 0.0
    for k in range(dividend_years.size):
        if is_ahead(dividend_years[k], now, years):
            total += dividend_cash[k] * exp(-rate * (dividend_years[k] - now))
    return total


@inner_kernel
def last_before(now, years, dividend_years):
    """The last ex-date after today and before ``now``, or 0."""
    last = 0.0
    for k in range(dividend_years.size):
        t = dividend_years[k]
        if is_ahead(t, 0.0, years) and t < now:
            last = max(last, t)
    return last


@inner_kernel
def cash_on(t, dividend_years, dividend_cash):
    """All dividends of one ex-date."""
    total = 0.0
    for k in range(dividend_years.size):
        total += dividend_cash[k] if dividend_years[k] == t else 0.0
    return total


@inner_kernel
def factor(nodes, weight, centre, down, up, edge, rate, work):
    """Inverse pivots of 1 - weight L, eliminated from the last node to the first."""
    last_diagonal = 1.0 + weight * (rate - edge)
    inverse = 1.0 / last_diagonal
    work[PIVOTS + nodes - 1] = inverse
    for i in range(nodes - 2, -1, -1):
        lower = -weight * (down if i + 1 < nodes - 1 else -edge)
        upper = -weight * (up if i > 0 else edge)
        diagonal = 1.0 - weight * centre if i > 0 else 1.0 + weight * (rate + edge)
        inverse = 1.0 / (diagonal - upper * lower * inverse)
        work[PIVOTS + i] = inverse


@inner_kernel
def advance(
    nodes, explicit, implicit, centre, down, up, edge, rate, floor, sign, shift, strike, work
):
    """One step back in time; ``floor`` 0 for European options."""
    last = nodes - 1
    for i in range(1, last):
        value = work[VALUES + i]
        change = down * work[VALUES + i - 1] + centre * value + up * work[VALUES + i + 1]
        work[BEFORE + i] = value + explicit * change
    first, final = work[VALUES], work[VALUES + last]
    slope = edge * (work[VALUES + 1] - first)
    work[BEFORE] = first + explicit * (slope - rate * first)
    slope = edge * (final - work[VALUES + last - 1])
    work[BEFORE + last] = final + explicit * (slope - rate * final)
    carried = work[BEFORE + last]
    for i in range(last - 1, -1, -1):
        upper = implicit * (up if i > 0 else edge)
        carried = work[BEFORE + i] + upper * work[PIVOTS + i + 1] * carried
        work[BEFORE + i] = carried
    value = 0.0
    for i in range(nodes):
        lower = implicit * (down if i < last else -edge)
        value = (work[BEFORE + i] + (lower * value if i > 0 else 0.0)) * work[PIVOTS + i]
        if floor:
            value = max(value, sign * (work[ASSETS + i] + shift - strike))
        work[VALUES + i] = value


@inner_kernel
def drop(nodes, cash, width, work):
    """Values just before an ex-date, when the stock is worth ``cash`` more: cubic interpolation."""
    for i in range(nodes):
        work[BEFORE + i] = work[VALUES + i]
    low, step = (0, 1) if work[ASSETS] < work[ASSETS + 1] else (nodes - 1, -1)
    lowest, second = work[ASSETS + low], work[ASSETS + low + step]
    start = log(lowest)
    slope = (work[BEFORE + low + step] - work[BEFORE + low]) / (second - lowest)
    for i in range(nodes):
        after = work[ASSETS + i] - cash
        if after <= lowest:
            work[VALUES + i] = work[BEFORE + low] + slope * (max(after, 0.0) - lowest)
            continue
        place = (log(after) - start) / width
        k = min(max(int(place) - 1, 0), nodes - 4)
        x = place - k
        at = low + step * k
        y0, y1 = work[BEFORE + at], work[BEFORE + at + step]
        y2, y3 = work[BEFORE + at + 2 * step], work[BEFORE + at + 3 * step]
        a, b, c, d = x, x - 1.0, x - 2.0, x - 3.0
        outer = y3 * a * b * c - y0 * b * c * d
        work[VALUES + i] = outer / 6.0 + 0.5 * (y1 * a * c * d - y2 * a * b * d)


@inner_formula
def smoothed_payoff(sign, price, strike, width):
    """Payoff averaged over the cell of a node, in the logarithm."""
    low, high = price * exp(-0.5 * width), price * exp(0.5 * width)
    if low < strike < high:
        if sign > 0.0:
            return (high - strike - strike * log(high / strike)) / width
        return (strike * log(strike / low) - (strike - low)) / width
    return max(sign * (price - strike), 0.0)


@inner_formula
def block_end(block):
    """Share of a span that the blocks before this one take, from its end."""
    return (block / BLOCKS) * (block / BLOCKS)


@inner_kernel
def grid_value(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, model,
    early, setting, work,
):  # fmt: skip
    """(value, first and second derivative by the spot) of one option.

    ``early``: American. ``work``: GRID_WORK_SIZE doubles.
    """
    nodes, all_steps = NODES[setting], STEPS[setting]
    escrowed = model == ESCROWED
    held = present_value(0.0, years, rate, dividend_years, dividend_cash)
    middle = spot - held if escrowed else spot
    half = (nodes - 1) // 2
    deviation = vol * math.sqrt(years)
    reach = WIDTH * deviation + abs(log(strike / middle))
    moved = abs(rate - dividend_yield) * years + held / spot
    width = (reach + max(moved - CERTAIN * deviation, 0.0)) / half
    way = -1.0 if sign > 0.0 else 1.0
    for i in range(nodes):
        price = middle * exp(way * width * (i - half))
        work[ASSETS + i] = price
        work[VALUES + i] = smoothed_payoff(sign, price, strike, width)
    spread = 0.5 * vol * vol / (width * width)
    growth = exp(width)  # exact for the stock itself: else wide grids lose it
    bend = (growth - 1.0) * (growth - 1.0) / growth
    tilt = way * (rate - dividend_yield - spread * bend) / (growth - 1.0 / growth)
    down, up, centre = spread - tilt, spread + tilt, -2.0 * spread - rate
    edge = way * (rate - dividend_yield) / width
    end = years
    while end > 0.0:
        cash = cash_on(end, dividend_years, dividend_cash)
        if cash > 0.0:
            if not escrowed:
                drop(nodes, cash, width, work)
            if early:
                shift = present_value(end, years, rate, dividend_years, dividend_cash) + cash
                shift = shift if escrowed else 0.0
                for i in range(nodes):
                    floor = sign * (work[ASSETS + i] + shift - strike)
                    work[VALUES + i] = max(work[VALUES + i], floor)
        start = last_before(end, years, dividend_years)
        steps = max(math.ceil(all_steps * (end - start) / (years * BLOCKS)), 2 * DAMPED)
        for block in range(BLOCKS):
            late = end - (end - start) * block_end(block)
            soon = end - (end - start) * block_end(block + 1) if block + 1 < BLOCKS else start
            dt = (late - soon) / steps
            factor(nodes, 0.5 * dt, centre, down, up, edge, rate, work)
            extra = DAMPED if block == 0 else 0
            for step in range(steps + extra):
                damped = step < 2 * extra
                passed = 0.5 * (step + 1.0) if damped else step + 1.0 - extra
                now = late - dt * passed if passed < steps else soon
                shift = 0.0
                if escrowed and early:
                    shift = present_value(now, years, rate, dividend_years, dividend_cash)
                explicit = 0.0 if damped else 0.5 * dt
                args = (centre, down, up, edge, rate, early, sign, shift, strike, work)
                advance(nodes, explicit, 0.5 * dt, *args)
        end = start
    value = work[VALUES + half]
    above, below = work[VALUES + half + 1], work[VALUES + half - 1]
    first = way * (above - below) / (2.0 * width)
    second = (above - 2.0 * value + below) / (width * width)
    return value, first / middle, (second - first) / (middle * middle)
