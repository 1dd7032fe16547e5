"""Volatilities to expiry and prices of all contracts off the slices of their expiries."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american import FAST, chain_rows, make_work
from mmquant.core.american_nodes import tables
from mmquant.core.black import black_price, spot_rows
from mmquant.core.early_exercise import premiums
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import log
from mmquant.core.option_rows import DELTA, GAMMA, PRICE, ROWS, THETA, VEGA
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


@inner_kernel
def greeks_of_expiry(
    t, first, last, strike, call, put, american, spot, years, rate, forward, row, out, buffers,
    memory,
):  # fmt: skip
    """One expiry at one time; see surface_greeks."""
    n = 0
    root = math.sqrt(years)
    dividend_yield = rate - log(forward / spot) / years
    for i in range(first, last):
        vol = math.sqrt(slice_variance(log(strike[i] / forward), row)[0]) / root
        for right in range(2):
            at = int(call[i]) if right == 0 else int(put[i])
            if at < 0:
                continue
            sign = 1.0 if right == 0 else -1.0
            buffers[PLACES, n], buffers[SIGNS, n], buffers[STRIKES, n] = at, sign, strike[i]
            buffers[VOLS, n] = vol
            out[0, t, at] = vol
            if not american:
                price, delta, gamma, vega, theta, _, _, _, _ = spot_rows(
                    sign, spot, strike[i], years, vol, rate, dividend_yield
                )
                out[1, t, at], out[2, t, at], out[3, t, at] = price, delta, gamma
                out[4, t, at], out[5, t, at] = vega, theta
            n += 1
    if not american or n == 0:
        return
    nodes, work, rows, status = memory
    chain_rows(
        buffers[SIGNS, :n], spot, buffers[STRIKES, :n], years, buffers[VOLS, :n], rate,
        dividend_yield, nodes, work, rows, status[:n],
    )  # fmt: skip
    for j in range(n):
        at = int(buffers[PLACES, j])
        out[1, t, at], out[2, t, at] = rows[PRICE, j], rows[DELTA, j]
        out[3, t, at], out[4, t, at], out[5, t, at] = rows[GAMMA, j], rows[VEGA, j], rows[THETA, j]


@kernel
def surface_greeks(
    begin, end, start, strike, call, put, american, spot, years, rate, forward, rows, out, buffers,
    memory,
):  # fmt: skip
    """Volatility, price, delta, gamma, vega and theta: ``out`` (6, time, contract).

    As price_surface; ``memory``: make_greeks_work(). Greeks are by the spot, at a constant
    volatility. NaN where there is no slice.
    """
    for t in range(begin, end):
        for e in range(start.size - 1):
            if knots_of(rows[t, e]) == 0 or not (years[t, e] > 0.0 and spot[t] > 0.0):
                continue
            greeks_of_expiry(
                t, int(start[e]), int(start[e + 1]), strike, call, put, american[e], spot[t],
                years[t, e], rate[t, e], forward[t, e], rows[t, e], out, buffers, memory,
            )  # fmt: skip


def make_greeks_work(strikes):
    """Memory of surface_greeks for one thread: expiries of up to so many strikes."""
    room = 2 * max(strikes, 1)
    return tables(FAST), make_work(), np.zeros((ROWS, room)), np.zeros(room, np.int64)
