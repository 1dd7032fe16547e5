"""Slices of all expiries at one time: each alone, then from short to long, free of arbitrage."""

from __future__ import annotations

import math

from mmquant.core.implied_vol import implied_vol
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.mathfn import log
from mmquant.core.option_rows import OPTION_OK
from mmquant.core.slice_curve import calendar_slack, knots_of, least_g, slice_variance
from mmquant.core.slice_fit import fit_slice
from mmquant.core.slice_rows import SLICE_FEW, SLICE_OK, SLICE_SIZE

K, BID, MIDDLE, ASK = range(4)
"""Rows of an expiry's points: log-moneyness, and total variances of bid, middle and ask."""
STATUS, TWO_SIDED, ONE_SIDED, LEAST_G, SLACK = range(5)
FIT_ROWS = 5
"""What is said of a slice: status, quotes used with both sides and with one, least g, least
distance from the slice before."""
TOLERATED = 1.0
"""Mean miss of a slice, in half widths of its quotes, above which another way is tried."""
FAR = 1e6
WARM, FREE, COLD = range(3)
"""Ways to fit a slice between its neighbours: from its own, giving way to later ones; from its own,
not giving way; from nothing, not giving way."""


@inner_formula
def variance_of(sign, price, forward, strike, growth):
    """Total variance of a discounted European price; NaN where there is none."""
    deviation, code = implied_vol(sign, price * growth, forward, strike, 1.0)
    return deviation * deviation if code == OPTION_OK else math.nan


@inner_kernel
def better_side(t, c, p, out_call, bid, ask):
    """Contract that speaks for a strike: the one out of the money, else the other, else -1."""
    one, other = (c, p) if out_call else (p, c)
    if one >= 0 and bid[t, one] > 0.0 and ask[t, one] > bid[t, one]:
        return one
    if other >= 0 and bid[t, other] > 0.0 and ask[t, other] > bid[t, other]:
        return other
    if one >= 0 and (bid[t, one] > 0.0) != (ask[t, one] > 0.0):
        return one
    return -1


@inner_kernel
def expiry_points(t, first, last, bid, ask, strike, call, put, forward, discount, points):
    """(points, two-sided ones) of one expiry at time ``t``, to ``points`` (4, most).

    ``bid``, ``ask`` (time, contract): European values, NaN for what is not to be used. At each
    strike the option out of the money speaks, or the other where it has no quote. A side that
    gives no variance is NaN.
    """
    n, two = 0, 0
    growth = 1.0 / discount
    for i in range(first, last):
        out_call = strike[i] >= forward
        at = better_side(t, int(call[i]), int(put[i]), out_call, bid, ask)
        if at < 0:
            continue
        sign = 1.0 if at == int(call[i]) else -1.0
        low = variance_of(sign, bid[t, at], forward, strike[i], growth)
        high = variance_of(sign, ask[t, at], forward, strike[i], growth)
        middle = variance_of(sign, 0.5 * (bid[t, at] + ask[t, at]), forward, strike[i], growth)
        both = low > 0.0 and high > low
        if not (both or low > 0.0 or high > 0.0):
            continue
        points[K, n], points[BID, n], points[ASK, n] = log(strike[i] / forward), low, high
        points[MIDDLE, n] = middle if both else math.nan
        n += 1
        two += 1 if both else 0
    return n, two


@inner_kernel
def clear_slice(row):
    for i in range(row.size):
        row[i] = 0.0


@inner_kernel
def copy_slice(source, row):
    for i in range(SLICE_SIZE):
        row[i] = source[i]


@inner_kernel
def misfit(count, points, row):
    """Mean distance of a slice from the middles, in half widths; inf without one."""
    total, n = 0.0, 0
    for i in range(count):
        if points[MIDDLE, i] > 0.0:
            half = 0.5 * (points[ASK, i] - points[BID, i])
            w = slice_variance(points[K, i], row)[0]
            total += min(abs(w - points[MIDDLE, i]) / half, FAR)
            n += 1
    return total / n if n > 0 and knots_of(row) > 0 else math.inf


@inner_kernel
def fit_points(count, points, below, above, row, work):
    """(status, misfit) of the slice fitted to points, which ``row`` holds then."""
    status = fit_slice(
        points[K, :count], points[BID, :count], points[MIDDLE, :count], points[ASK, :count],
        below, above, row, work,
    )  # fmt: skip
    return status, misfit(count, points, row)


@inner_kernel
def fit_alone(count, two, fewest, points, none, nones, row, said, work):
    """The slice of one expiry by itself to ``row``, which warms the start if it holds one."""
    said[TWO_SIDED], said[ONE_SIDED] = two, count - two
    said[STATUS], said[LEAST_G], said[SLACK] = SLICE_FEW, math.nan, math.nan
    if two < fewest:
        clear_slice(row)
        return
    warm = knots_of(row) > 0
    status, miss = fit_points(count, points, none, nones, row, work)
    if warm and not (status == SLICE_OK and miss < TOLERATED):
        # Where a warm start leads nowhere, a cold one may.
        clear_slice(row)
        status, miss = fit_points(count, points, none, nones, row, work)
    said[STATUS] = status


@inner_kernel
def fit_way(way, count, points, below, own, row, work):
    """(status, misfit) of one way to fit a slice between its neighbours."""
    copy_slice(own[0], row)
    if way == COLD:
        clear_slice(row)
    return fit_points(count, points, below, own[1:] if way == WARM else own[:0], row, work)


@inner_kernel
def fit_between(count, points, below, own, row, said, work):
    """The slice of one expiry, above the one before and giving way to later ones' own.

    ``own`` (expiries from this one on, SLICE_SIZE): slices fitted alone; the first is the start.
    """
    if knots_of(own[0]) == 0:
        clear_slice(row)
        return
    best, least = WARM, math.inf
    for way in range(COLD + 1):
        status, miss = fit_way(way, count, points, below, own, row, work)
        if miss < least:
            best, least = way, miss
        if (status == SLICE_OK and miss < TOLERATED) or (way == COLD and best == COLD):
            said[STATUS] = status
            break
        if way == COLD:
            said[STATUS], _ = fit_way(best, count, points, below, own, row, work)
    said[LEAST_G] = least_g(row)[0]
    said[SLACK] = calendar_slack(below, row)[0]


@kernel
def fit_moment(
    t, bid, ask, start, strike, call, put, forward, discount, fewest, own, points, counts, rows,
    said, none, work,
):  # fmt: skip
    """All slices of time ``t``.

    ``bid``, ``ask`` (time, contract): European values to use, NaN for the rest. ``start`` to
    ``put`` as fit_forwards. ``forward``, ``discount`` (expiry,), in the order of time. ``own``
    (expiries, SLICE_SIZE): slices fitted alone, here those of the time before as a warm start.
    ``points`` (expiries, 4, strikes) and ``counts`` (expiries,) are memory; ``rows`` (expiries,
    SLICE_SIZE) and ``said`` (expiries, FIT_ROWS) are the results; ``none``: make_slice().
    """
    expiries = start.size - 1
    for e in range(expiries):
        counts[e] = 0
        two = 0
        if forward[e] > 0.0:
            counts[e], two = expiry_points(
                t, int(start[e]), int(start[e + 1]), bid, ask, strike, call, put, forward[e],
                discount[e], points[e],
            )  # fmt: skip
        fit_alone(int(counts[e]), two, fewest, points[e], none, own[:0], own[e], said[e], work)
    before = -1
    for e in range(expiries):
        below = none if before < 0 else rows[before]
        fit_between(int(counts[e]), points[e], below, own[e:], rows[e], said[e], work)
        before = e if knots_of(rows[e]) > 0 else before


@kernel
def fit_moments(
    begin, end, bid, ask, start, strike, call, put, forward, discount, fewest, own, points, counts,
    rows, said, none, work,
):  # fmt: skip
    """fit_moment at times ``begin`` to ``end``; those from ``forward`` on have a dim of time."""
    for t in range(begin, end):
        fit_moment(
            t, bid, ask, start, strike, call, put, forward[t], discount[t], fewest, own, points,
            counts, rows[t], said[t], none, work,
        )  # fmt: skip
