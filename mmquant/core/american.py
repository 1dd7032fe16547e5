"""American options without cash dividends: price and greeks, one by one or a chain at once.

Method: Andersen, Lake and Offengenden (2016), "High-performance American option pricing", by puts;
a call is a put with spot and strike, and rate and yield, exchanged (McDonald and Schroder 1998).
A put without interest to gain (rate <= 0 and rate <= yield) is European. With yield < rate < 0
there are two boundaries: refused.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american_block import fill_lane, is_european, price_block, put_rates, settled
from mmquant.core.american_nodes import (
    ACCURATE,
    COUNT_VOLS,
    COUNT_VOLS_RANGE,
    FAST,
    HIGH,
    LANES,
    tables,
)
from mmquant.core.american_premium import (
    FULL_WORK_SIZE,
    MAX_VOLS,
    NODE_VOL,
    place_nodes,
    prepare_node,
    prepare_points,
)
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.mathfn import log
from mmquant.core.option_rows import (
    GAMMA,
    OPTION_OK,
)

__all__ = ["ACCURATE", "FAST", "HIGH", "american_chain", "american_many", "make_work"]


def make_work() -> np.ndarray:
    """Memory of the kernels for one thread."""
    return np.zeros(FULL_WORK_SIZE)


def american_many(
    sign, spot, strike, years, vol, rate, dividend_yield, setting, out, status
) -> None:
    """Any American options; neighbours that differ in spot and strike alone share a boundary.

    Arguments up to ``dividend_yield`` are (n,) float64, per year; ``sign`` is 1 for calls, -1 for
    puts. ``setting``: 0 fast, 1 accurate, 2 high. ``out`` is (3, n) for price, delta and gamma,
    or (9, n) for the rows of option_rows, of which vanna, volga and charm stay NaN: vega per 1.00
    of volatility, theta per year, rho per 1.00 of rate. ``status`` (n,) int64 gets a code of
    option_rows; where it is not OPTION_OK, results are NaN.
    """
    work = make_work()
    american_rows(
        sign, spot, strike, years, vol, rate, dividend_yield, tables(setting), work, out, status
    )


def american_chain(
    sign, spot, strike, years, vol, rate, dividend_yield, setting, out, status
) -> None:
    """American options of one expiry, with boundaries shared by all strikes.

    ``spot``, ``years``, ``rate`` and ``dividend_yield`` are numbers; ``sign``, ``strike`` and
    ``vol`` are (n,) float64. One volatility needs one boundary a side. A smile needs boundaries
    at a few Chebyshev points of the root of volatility, and interpolates between them. The rest
    is as for american_many.
    """
    work = make_work()
    chain_rows(
        sign, float(spot), strike, float(years), vol, float(rate), float(dividend_yield),
        tables(setting), work, out, status,
    )  # fmt: skip


@inner_formula
def shares_boundary(i, j, sign, years, vol, rate, dividend_yield):
    """Whether options i and j have the same boundary."""
    return (
        sign[i] == sign[j]
        and years[i] == years[j]
        and vol[i] == vol[j]
        and rate[i] == rate[j]
        and dividend_yield[i] == dividend_yield[j]
    )


@kernel
def american_rows(sign, spot, strike, years, vol, rate, dividend_yield, tables, work, out, status):
    """american_many with ``tables(setting)`` and memory of make_work: for other kernels."""
    greeks = out.shape[0] > GAMMA + 1
    held, count, nodes, moved = -1, 0, 0, 0.0
    side, r, q = 0.0, 0.0, 0.0
    for j in range(sign.size):
        args = (sign[j], spot[j], strike[j], years[j], vol[j], rate[j], dividend_yield[j])
        if settled(j, *args, out, status):
            continue
        other = held < 0 or not shares_boundary(held, j, sign, years, vol, rate, dividend_yield)
        if other or count == LANES:
            price_block(count, nodes, moved, side, r, q, tables, work, out, status)
            count = 0
        if other:
            held, side = j, sign[j]
            call = side > 0.0
            r, q = put_rates(side, rate[j], dividend_yield[j])
            prepare_points(years[j], r, q, call, tables, work)
            nodes, moved = 0, 0.0
            if not is_european(r, q):
                nodes = 1
                moved = prepare_node(0, years[j], vol[j], r, q, call, greeks, tables, work)
        fill_lane(count, j, sign[j], spot[j], strike[j], vol[j], work)
        count += 1
    price_block(count, nodes, moved, side, r, q, tables, work, out, status)


@inner_kernel
def node_count(lowest, highest, options, tables):
    """How many volatility nodes a smile needs; 0 where a boundary for each option is better."""
    if lowest == highest:
        return 1
    nodes = tables[COUNT_VOLS] + tables[COUNT_VOLS_RANGE] * log(highest / lowest)
    return int(nodes) if nodes < min(options, MAX_VOLS + 1.0) else 0


@inner_kernel
def chain_side(
    side, shared, sign, spot, strike, years, vol, rate, dividend_yield, tables, work, out, status
):
    """All puts, or all calls, of a chain; ``shared`` 0: a boundary for each run of volatilities."""
    greeks = out.shape[0] > GAMMA + 1
    call = side > 0.0
    r, q = put_rates(side, rate, dividend_yield)
    prepare_points(years, r, q, call, tables, work)
    european = is_european(r, q)
    nodes = 0 if european else max(shared, 1)
    count, moved, held = 0, 0.0, -1.0
    for m in range(0 if european else shared):
        move = prepare_node(m, years, work[NODE_VOL + m], r, q, call, greeks, tables, work)
        moved = max(moved, move)
    for j in range(sign.size):
        if sign[j] != side or status[j] != OPTION_OK or vol[j] == 0.0:
            continue
        other = shared == 0 and not european and vol[j] != held
        if other or count == LANES:
            price_block(count, nodes, moved, side, r, q, tables, work, out, status)
            count = 0
        if other:
            held = vol[j]
            moved = prepare_node(0, years, held, r, q, call, greeks, tables, work)
        fill_lane(count, j, side, spot, strike[j], vol[j], work)
        count += 1
    price_block(count, nodes, moved, side, r, q, tables, work, out, status)


@kernel
def chain_rows(sign, spot, strike, years, vol, rate, dividend_yield, tables, work, out, status):
    """american_chain with ``tables(setting)`` and memory of make_work: for other kernels."""
    for call in range(2):
        lowest, highest, options = math.inf, 0.0, 0
        for j in range(sign.size):
            if (sign[j] == 1.0) != (call == 1):
                continue
            args = (sign[j], spot, strike[j], years, vol[j], rate, dividend_yield)
            if not settled(j, *args, out, status):
                status[j] = OPTION_OK
                lowest, highest = min(lowest, vol[j]), max(highest, vol[j])
                options += 1
        if options > 0:
            nodes = node_count(lowest, highest, options, tables)
            place_nodes(lowest, highest, nodes, work)
            side = 1.0 if call == 1 else -1.0
            rest = (vol, rate, dividend_yield, tables, work, out, status)
            chain_side(side, nodes, sign, spot, strike, years, *rest)
