"""American quotes as European ones: the premium for early exercise taken off, or put on.

The premium at the volatility of the European rest: that volatility is what a fixed point finds. It
is a few per cent of the price, so a step makes the error some tens of times smaller. All options of
an expiry share exercise boundaries, at the few volatilities that chain_rows() needs.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american import chain_rows, make_work
from mmquant.core.american_nodes import FAST, tables
from mmquant.core.black import black_price
from mmquant.core.implied_vol import implied_vol
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import exp
from mmquant.core.option_rows import OPTION_OK, PRICE

STEPS = 6
CLOSE = 1e-6
"""Relative step of a volatility at which it is found."""
NEAR = 1e-3
"""Relative step at the end above which there is none."""
START = 0.3
LOWEST, HIGHEST = 0.003, 8.0
"""Volatilities at which premiums are taken."""
AMERICAN, MOVE = range(2)


def make_exercise_work(options: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Memory of these kernels, one per thread: for as many options at once."""
    return (
        tables(FAST),
        make_work(),
        np.zeros((3, options)),
        np.zeros(options, np.int64),
    )


@inner_kernel
def premiums(sign, strike, spot, years, rate, dividend_yield, vol, premium, memory):
    """Premium of early exercise of each option at ``vol`` (n,), in place to ``premium``."""
    nodes, work, out, status = memory
    chain_rows(
        sign, spot, strike, years, vol, rate, dividend_yield, nodes, work, out, status[: sign.size]
    )
    forward = spot * exp((rate - dividend_yield) * years)
    for i in range(sign.size):
        european = black_price(sign[i], forward, strike[i], years, vol[i], rate)
        premium[i] = max(out[PRICE, i] - european, 0.0)
        if not out[PRICE, i] < math.inf:
            premium[i] = math.nan


@kernel
def european_values(
    sign, strike, price, spot, years, rate, dividend_yield, vol, value, premium, move, memory
):
    """European values [price, discounted] of American ``price`` at the same volatility.

    All options of an expiry and a moment; arrays (n,). ``vol``: where to start (0: nowhere), then
    the volatility of each. ``value`` is NaN, and so is ``vol``, where there is none: a price at
    its intrinsic value says nothing. ``premium`` and ``move`` (n,) are memory; ``memory``:
    make_exercise_work().
    """
    growth = exp(rate * years)
    forward = spot * exp((rate - dividend_yield) * years)
    for i in range(sign.size):
        if not 0.0 < vol[i] < math.inf:
            vol[i], code = implied_vol(sign[i], price[i] * growth, forward, strike[i], years)
            vol[i] = vol[i] if code == OPTION_OK else START
        vol[i] = min(max(vol[i], LOWEST), HIGHEST)
        move[i] = 0.0
    for step in range(STEPS):
        premiums(sign, strike, spot, years, rate, dividend_yield, vol, premium, memory)
        largest = 0.0
        for i in range(sign.size):
            value[i] = price[i] - premium[i]
            found, code = implied_vol(sign[i], value[i] * growth, forward, strike[i], years)
            moved = found - vol[i] if code == OPTION_OK else math.nan
            if abs(moved) > CLOSE * vol[i] and step < STEPS - 1:
                largest = 1.0
                shrink = moved / move[i] if step % 2 == 1 and move[i] != 0.0 else 0.0
                # Two steps of a shrinking series tell where it ends (Aitken).
                ahead = moved / (1.0 - shrink) if abs(shrink) < 0.8 else moved
                vol[i] = min(max(vol[i] + ahead, LOWEST), HIGHEST)
            move[i] = moved
        if largest == 0.0:
            break
    for i in range(sign.size):
        if not abs(move[i]) <= NEAR * vol[i]:
            value[i], vol[i] = math.nan, math.nan
