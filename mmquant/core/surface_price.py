"""Volatilities to expiry and prices of all contracts off the slices of their expiries."""

from __future__ import annotations

import math

from mmquant.core.black import black_price
from mmquant.core.early_exercise import premiums
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import log
from mmquant.core.slice_curve import knots_of, slice_variance
from mmquant.core.surface_rows import PLACES, PREMIUMS, SIGNS, STRIKES, VOLS


@inner_kernel
def price_expiry(
    t, first, last, strike, call, put, american, spot, years, rate, forward, row, deviation, price,
    buffers, memory,
):  # fmt: skip
    """One expiry at one time; see price_surface."""
    n = 0
    root = math.sqrt(years)
    for i in range(first, last):
        w = slice_variance(log(strike[i] / forward), row)[0]
        for right in range(2):
            at = int(call[i]) if right == 0 else int(put[i])
            if at < 0:
                continue
            sign = 1.0 if right == 0 else -1.0
            vol = math.sqrt(w) / root
            deviation[t, at] = math.sqrt(w)
            price[t, at] = black_price(sign, forward, strike[i], years, vol, rate)
            buffers[PLACES, n], buffers[SIGNS, n], buffers[STRIKES, n] = at, sign, strike[i]
            buffers[VOLS, n] = vol
            n += 1
    if not american or n == 0:
        return
    dividend_yield = rate - log(forward / spot) / years
    premiums(
        buffers[SIGNS, :n], buffers[STRIKES, :n], spot, years, rate, dividend_yield,
        buffers[VOLS, :n], buffers[PREMIUMS, :n], memory,
    )  # fmt: skip
    for j in range(n):
        at = int(buffers[PLACES, j])
        price[t, at] += buffers[PREMIUMS, j]


@kernel
def price_surface(
    begin, end, start, strike, call, put, american, spot, years, rate, forward, rows, deviation,
    price, buffers, memory,
):  # fmt: skip
    """Volatility to expiry and price [discounted] of every contract, to (time, contract) arrays.

    As fit_forwards. ``rows`` (time, expiry, SLICE_SIZE). NaN where there is no slice.
    """
    for t in range(begin, end):
        for e in range(start.size - 1):
            if knots_of(rows[t, e]) == 0 or not years[t, e] > 0.0:
                continue
            price_expiry(
                t, int(start[e]), int(start[e + 1]), strike, call, put, american[e], spot[t],
                years[t, e], rate[t, e], forward[t, e], rows[t, e], deviation, price, buffers,
                memory,
            )  # fmt: skip
