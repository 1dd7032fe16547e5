"""Advice on the eve of an ex-date: exercise, or hold the option through it."""

from __future__ import annotations

from mmquant.core.american_block import clear, input_status
from mmquant.core.american_dividends import dividends_status, make_grid_work
from mmquant.core.dividend_grid import SPOT, grid_value
from mmquant.core.jit import kernel
from mmquant.core.option_rows import OPTION_BAD_INPUT, OPTION_OK

EXERCISE, HOLD, GAIN = range(3)
"""Rows of the advice: what exercise pays now, what the option is worth after the stock has fallen,
and the first less the second; exercise where it is above 0."""


def dividend_advice_many(
    sign, spot, strike, years, vol, rate, dividend_yield, cash, dividend_years, dividend_cash,
    setting, out, status,
) -> None:  # fmt: skip
    """Whether to exercise before the stock goes ex ``cash``, the number due next, at once.

    Arguments up to ``dividend_yield`` (n,) as for american_many; ``dividend_years`` and
    ``dividend_cash`` (m,) are the dividends after it. Holding is valued in the spot model by
    finite differences. ``out`` (3, n): rows EXERCISE, HOLD and GAIN.
    """
    dividend_advice_rows(
        sign, spot, strike, years, vol, rate, dividend_yield, float(cash), dividend_years,
        dividend_cash, int(setting), make_grid_work(), out, status,
    )  # fmt: skip


@kernel
def dividend_advice_rows(
    sign, spot, strike, years, vol, rate, dividend_yield, cash, dividend_years, dividend_cash,
    setting, work, out, status,
):  # fmt: skip
    """dividend_advice_many with memory of make_grid_work: for other kernels."""
    dividends = (dividend_years, dividend_cash)
    for j in range(sign.size):
        after = spot[j] - cash
        rest = (strike[j], years[j], vol[j], rate[j], dividend_yield[j])
        code = input_status(sign[j], spot[j], *rest)
        if code == OPTION_OK and not (cash >= 0.0 and after > 0.0):
            code = OPTION_BAD_INPUT
        if code == OPTION_OK:
            code = dividends_status(after, years[j], rate[j], *dividends, SPOT)
        if code == OPTION_OK and (years[j] == 0.0 or vol[j] == 0.0):
            code = OPTION_BAD_INPUT
        if code != OPTION_OK:
            clear(j, code, out, status)
            continue
        pays = max(sign[j] * (spot[j] - strike[j]), 0.0)
        hold = grid_value(sign[j], after, *rest, *dividends, SPOT, True, setting, work)[0]
        hold = max(hold, sign[j] * (after - strike[j]), 0.0)
        out[EXERCISE, j] = pays
        out[HOLD, j] = hold
        out[GAIN, j] = pays - hold
        status[j] = OPTION_OK
