"""American options on a stock with cash dividends: the reference, by finite differences."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american_block import clear, input_status
from mmquant.core.dividend_grid import (
    ESCROWED,
    GRID_WORK_SIZE,
    SPOT,
    grid_value,
    present_value,
)
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_BAD_INPUT,
    OPTION_OK,
    PRICE,
    RHO,
    THETA,
    VEGA,
)

__all__ = ["ESCROWED", "SPOT", "dividend_many", "dividend_rows", "make_grid_work"]

BUMP = 1e-3
"""Change of volatility and rate for their greeks."""


def make_grid_work() -> np.ndarray:
    """Memory of the kernel for one thread."""
    return np.zeros(GRID_WORK_SIZE)


def dividend_many(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, model,
    early, setting, out, status,
) -> None:  # fmt: skip
    """Options on stocks with the same cash dividends, by finite differences.

    Arguments up to ``dividend_yield``, ``out`` and ``status`` are as for american_many, theta is
    per year with the dividends coming nearer. ``dividend_years`` (m,): time to each ex-date;
    those that have passed or are after expiry do not count. ``dividend_cash`` (m,): what the stock
    falls by. ``model``: SPOT (0) or ESCROWED (1). ``early``: False for European options. Errors
    for a stock of 100, against a grid of 2,000 by 2,000 that is itself good to 3e-4: 1e-3, 3e-4 and
    3e-4 for ``setting`` 0, 1 and 2, in about 0.1, 0.4 and 3 ms an option. Against setting 2, over
    random schedules: 3.5e-3 and 1.2e-3.
    """
    work = make_grid_work()
    dividend_rows(
        sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash,
        int(model), bool(early), int(setting), work, out, status,
    )  # fmt: skip


@inner_kernel
def dividends_status(spot, years, rate, dividend_years, dividend_cash, model):
    """OPTION_BAD_INPUT where a dividend is not a number >= 0, or they are worth the stock."""
    for k in range(dividend_years.size):
        t, cash = dividend_years[k], dividend_cash[k]
        if not (abs(t) < math.inf and 0.0 <= cash < math.inf):
            return OPTION_BAD_INPUT
    if model == ESCROWED and not (
        present_value(0.0, years, rate, dividend_years, dividend_cash) < spot
    ):
        return OPTION_BAD_INPUT
    return OPTION_OK


@inner_kernel
def write_row(j, option, dividends, model, early, setting, work, out):
    """All that the grid gives of one option."""
    sign, spot, strike, years, vol, rate, dividend_yield = option
    value, delta, gamma = grid_value(*option, *dividends, model, early, setting, work)
    exercised = early and value <= sign * (spot - strike)
    for row in range(out.shape[0]):
        out[row, j] = 0.0 if exercised and row <= RHO else math.nan
    out[PRICE, j] = sign * (spot - strike) if exercised else value
    out[DELTA, j] = sign if exercised else delta
    out[GAMMA, j] = 0.0 if exercised else gamma
    if out.shape[0] <= GAMMA + 1 or exercised:
        return
    held = present_value(0.0, years, rate, *dividends) if model == ESCROWED else 0.0
    asset = spot - held
    drift = (rate - dividend_yield) * asset + rate * held
    out[THETA, j] = rate * value - 0.5 * vol * vol * asset * asset * gamma - drift * delta
    step = BUMP * vol
    up = grid_value(
        sign, spot, strike, years, vol + step, rate, dividend_yield, *dividends, model, early,
        setting, work,
    )[0]  # fmt: skip
    down = grid_value(
        sign, spot, strike, years, vol - step, rate, dividend_yield, *dividends, model, early,
        setting, work,
    )[0]  # fmt: skip
    out[VEGA, j] = (up - down) / (2.0 * step)
    up = grid_value(
        sign, spot, strike, years, vol, rate + BUMP, dividend_yield, *dividends, model, early,
        setting, work,
    )[0]  # fmt: skip
    down = grid_value(
        sign, spot, strike, years, vol, rate - BUMP, dividend_yield, *dividends, model, early,
        setting, work,
    )[0]  # fmt: skip
    out[RHO, j] = (up - down) / (2.0 * BUMP)


@inner_kernel
def option_status(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, model
):
    """Whether an option with cash dividends can be valued; one that has ended cannot."""
    code = input_status(sign, spot, strike, years, vol, rate, dividend_yield)
    if code == OPTION_OK:
        code = dividends_status(spot, years, rate, dividend_years, dividend_cash, model)
    if code == OPTION_OK and (years == 0.0 or vol == 0.0):
        code = OPTION_BAD_INPUT
    return code


@kernel
def dividend_rows(
    sign, spot, strike, years, vol, rate, dividend_yield, dividend_years, dividend_cash, model,
    early, setting, work, out, status,
):  # fmt: skip
    """dividend_many with memory of make_grid_work: for other kernels."""
    dividends = (dividend_years, dividend_cash)
    for j in range(sign.size):
        option = (sign[j], spot[j], strike[j], years[j], vol[j], rate[j], dividend_yield[j])
        code = option_status(*option, *dividends, model)
        if code != OPTION_OK:
            clear(j, code, out, status)
            continue
        write_row(j, option, dividends, model, early, setting, work, out)
        status[j] = OPTION_OK
