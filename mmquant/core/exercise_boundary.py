"""Where an American option without cash dividends is exercised at once."""

from __future__ import annotations

import math

from mmquant.core.american import make_work
from mmquant.core.american_block import has_two_boundaries, input_status, is_european, put_rates
from mmquant.core.american_boundary import LARGEST_MOVE, LOG_B, solve_boundary
from mmquant.core.american_nodes import tables
from mmquant.core.jit import kernel
from mmquant.core.mathfn import exp
from mmquant.core.option_rows import (
    OPTION_BAD_INPUT,
    OPTION_NOT_CONVERGED,
    OPTION_OK,
    OPTION_REFUSED,
)


def exercise_boundary_many(
    sign, strike, years, vol, rate, dividend_yield, setting, out, status
) -> None:
    """Spot at or below which a put, at or above which a call is exercised now: ``out`` (n,).

    Arguments as for american_many. A put that is never exercised early has 0, a call infinity.
    """
    work = make_work()
    exercise_boundary_rows(
        sign, strike, years, vol, rate, dividend_yield, tables(setting), work, out, status
    )


@kernel
def exercise_boundary_rows(
    sign, strike, years, vol, rate, dividend_yield, tables, work, out, status
):
    """exercise_boundary_many with tables(setting) and memory of make_work: for other kernels."""
    for j in range(sign.size):
        put = sign[j] < 0.0
        r, q = put_rates(sign[j], rate[j], dividend_yield[j])
        code = input_status(
            sign[j], strike[j], strike[j], years[j], vol[j], rate[j], dividend_yield[j]
        )
        if code == OPTION_OK and vol[j] == 0.0:
            code = OPTION_BAD_INPUT
        if code == OPTION_OK and has_two_boundaries(r, q):
            code = OPTION_REFUSED
        out[j] = math.nan
        status[j] = code
        if code != OPTION_OK:
            continue
        if is_european(r, q) and years[j] > 0.0:
            out[j] = 0.0 if put else math.inf
            continue
        ratio = 1.0
        if years[j] > 0.0:
            moved = solve_boundary(years[j], vol[j], r, q, tables, work)
            ratio = exp(work[LOG_B])
            if not moved < LARGEST_MOVE:
                status[j] = OPTION_NOT_CONVERGED
                continue
        out[j] = strike[j] * ratio if put else strike[j] / ratio
