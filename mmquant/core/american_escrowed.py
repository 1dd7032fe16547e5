"""American options on a stock with cash dividends in the escrowed model: the fast way.

The same values as american_dividends gives with model ESCROWED, in a tenth of the time or less:
puts by boundaries between the ex-dates, mostly within 1e-3 for a stock of 100, and 6e-3 at worst,
where dividends are tiny beside the interest; calls by integrals over the ex-dates, within 1e-3.
What is less exact is refused.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american_block import clear
from mmquant.core.american_dividends import BUMP, option_status
from mmquant.core.american_nodes import tables
from mmquant.core.black import spot_price
from mmquant.core.dividend_grid import ESCROWED, present_value
from mmquant.core.escrowed_call import ESCROWED_WORK_SIZE, call_premium, side_tables
from mmquant.core.escrowed_put import put_premium, solve_spans, span_tables
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.mathfn import log, norm_cdf, norm_pdf
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    RHO,
    THETA,
    VEGA,
)

LARGEST_DRIFT, WIDEST = 0.45, 1.2
"""For puts, the most that the rate moves the stock in deviations, and the largest deviation.

Beyond, the boundary's points between ex-dates are too few: 5e-3 and more is lost.
"""


def escrowed_many(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, setting,
    out, status,
) -> None:  # fmt: skip
    """American options in the escrowed model; arguments and results as for dividend_many.

    ``setting`` is that of the boundary after the last ex-date. OPTION_REFUSED: a yield beside the
    cash; puts with a rate of 0 or less, calls with a rate below 0; ex-dates so dense that the
    points of a call do not see each, or too many for a put; puts of a volatility that is small
    beside the rate, or large. Take dividend_many for those.
    """
    work = np.zeros(ESCROWED_WORK_SIZE)
    constants = (tables(setting), span_tables(), side_tables(), work)
    escrowed_rows(
        sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash,
        *constants, out, status,
    )  # fmt: skip


@inner_formula
def is_covered(sign, spot, strike, years, vol, rate, dividend_yield):
    """Whether the method holds for an option of positive volatility and time."""
    if dividend_yield != 0.0 or rate < 0.0:
        return False
    root = math.sqrt(years)
    return sign > 0.0 or (0.0 < rate * root <= LARGEST_DRIFT * vol and vol * root <= WIDEST)


@inner_kernel
def escrowed_value(option, dividends, tables, table, sides, work):
    """(value, delta, gamma, exercised, whether it can be had) of one option."""
    sign, spot, strike, years, vol, rate = option
    asset = spot - present_value(0.0, years, rate, *dividends)
    now = sign * (spot - strike)
    edge, fine = -math.inf, True
    if sign < 0.0:
        spans, edge = solve_spans(strike, years, vol, rate, dividends, tables, table, work)
        fine = spans >= 0
        premium, first, second = put_premium(asset, strike, vol, rate, spans, work)
    else:
        premium, first, second, fine = call_premium(
            asset, strike, years, vol, rate, dividends, sides, work
        )
    if log(asset) <= edge:
        return now, sign, 0.0, True, fine
    v = vol * math.sqrt(years)
    high = (log(asset / strike) + rate * years) / v + 0.5 * v
    value = spot_price(sign, asset, strike, years, vol, rate, 0.0) + max(premium, 0.0)
    delta = sign * norm_cdf(sign * high) + first
    gamma = norm_pdf(high) / (asset * v) + second
    return max(value, now), delta, gamma, False, fine


@inner_kernel
def write_escrowed(j, option, dividends, tables, table, sides, work, out, status):
    """All rows of one option."""
    sign, spot, strike, years, vol, rate = option
    rest = (dividends, tables, table, sides, work)
    value, delta, gamma, exercised, fine = escrowed_value(option, *rest)
    if not fine:
        clear(j, OPTION_REFUSED, out, status)
        return
    for row in range(out.shape[0]):
        out[row, j] = 0.0 if exercised and row <= RHO else math.nan
    out[PRICE, j], out[DELTA, j], out[GAMMA, j] = value, delta, gamma
    status[j] = OPTION_OK
    if out.shape[0] <= GAMMA + 1 or exercised:
        return
    asset = spot - present_value(0.0, years, rate, *dividends)
    out[THETA, j] = rate * value - 0.5 * vol * vol * asset * asset * gamma - rate * spot * delta
    step = BUMP * vol
    fixed = (sign, spot, strike, years)
    up = escrowed_value((*fixed, vol + step, rate), *rest)[0]
    down = escrowed_value((*fixed, vol - step, rate), *rest)[0]
    out[VEGA, j] = (up - down) / (2.0 * step)
    step = min(BUMP, 0.5 * rate) if rate > 0.0 else BUMP
    low = rate - step if rate > 0.0 else rate
    up = escrowed_value((*fixed, vol, rate + step), *rest)[0]
    down = escrowed_value((*fixed, vol, low), *rest)[0]
    out[RHO, j] = (up - down) / (rate + step - low)


@kernel
def escrowed_rows(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, tables,
    table, sides, work, out, status,
):  # fmt: skip
    """escrowed_many with tables and ESCROWED_WORK_SIZE doubles of memory: for other kernels."""
    dividends = (dividend_years, dividend_cash)
    for j in range(sign.size):
        option = (sign[j], spot[j], strike[j], years[j], vol[j], rate[j], dividend_yield[j])
        code = option_status(*option, *dividends, ESCROWED)
        if code == OPTION_OK and not is_covered(*option):
            code = OPTION_REFUSED
        if code != OPTION_OK:
            clear(j, code, out, status)
            continue
        write_escrowed(j, option[:-1], dividends, tables, table, sides, work, out, status)
