"""A slice at any strike, and its least g and distance from another slice over the whole line."""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.mathfn import INF, NAN
from mmquant.core.slice_rows import BEND, COUNT, KNOT, W
from mmquant.core.smile import butterfly_g

POINTS = 16
"""Points of an interval between knots where g is looked at first."""
REFINEMENTS = 30
CLOSE = 1e-3
"""How far above the least a low point may be and still be looked at more closely."""
GOLDEN = 0.6180339887498949


@inner_formula
def piece(j, row):
    """(start, w, w', w'', w''') of the piece that starts at knot ``j``."""
    start = row[KNOT + j]
    h = row[KNOT + j + 1] - start
    bend, last = row[BEND + j], row[BEND + j + 1]
    slope = (row[W + j + 1] - row[W + j]) / h - h * (2.0 * bend + last) * (1.0 / 6.0)
    return start, row[W + j], slope, bend, (last - bend) / h


@inner_formula
def on_piece(t, w, slope, bend, twist):
    """(w, w', w'') at ``t`` from the start of a piece."""
    return (
        w + t * (slope + t * (0.5 * bend + t * twist * (1.0 / 6.0))),
        slope + t * (bend + 0.5 * t * twist),
        bend + t * twist,
    )


@inner_kernel
def knots_of(row):
    """Number of knots, 0 unless it is one that a slice may have."""
    return int(row[COUNT]) if 2.0 <= row[COUNT] <= W - KNOT else 0


@inner_kernel
def last_slope(n, row):
    """Slope of the right wing."""
    h = row[KNOT + n - 1] - row[KNOT + n - 2]
    _, w, slope, bend, twist = piece(n - 2, row)
    return on_piece(h, w, slope, bend, twist)[1]


@inner_kernel
def piece_at(k, n, row):
    """The knot at which the piece under ``k`` starts."""
    low, high = 0, n - 1
    while high - low > 1:
        middle = (low + high) // 2
        if row[KNOT + middle] <= k:
            low = middle
        else:
            high = middle
    return low


@kernel
def slice_variance(k, row):
    """(w, dw/dk, d2w/dk2) of a slice ``row`` (SLICE_SIZE,) at log-moneyness ``k``; NaN if none."""
    n = knots_of(row)
    if n == 0 or not abs(k) < INF:
        return NAN, NAN, NAN
    if k >= row[KNOT + n - 1]:
        slope = last_slope(n, row)
        return row[W + n - 1] + slope * (k - row[KNOT + n - 1]), slope, 0.0
    start, w, slope, bend, twist = piece(piece_at(k, n, row), row)
    if k < start:
        return w + slope * (k - start), slope, 0.0
    return on_piece(k - start, w, slope, bend, twist)


@kernel
def slice_variance_many(k, row, out):
    """Rows w, w' and w'' of ``out`` (3, n) at ``k`` (n,)."""
    for i in range(k.size):
        w, slope, bend = slice_variance(k[i], row)
        out[0, i], out[1, i], out[2, i] = w, slope, bend


@inner_kernel
def wing_least_g(k, w, slope):
    """(g, k) where g is least on a straight wing that starts at ``k`` and rises outwards.

    With w = alpha + beta k, 4 g = (1 + alpha / w)^2 - beta^2 (1 / w + 1 / 4): a parabola in 1 / w.
    """
    alpha, steep = w - slope * k, slope * slope
    start = 1.0 / w
    p = 0.0
    if alpha != 0.0:
        p = (0.5 * steep / alpha - 1.0) / alpha
        p = min(max(p, 0.0), start)
    level = 1.0 + alpha * p
    g = 0.25 * (level * level - steep * (p + 0.25))
    level = 1.0 + alpha * start
    g_start = 0.25 * (level * level - steep * (start + 0.25))
    if slope == 0.0 or g_start <= g:
        return g_start, k
    return g, (1.0 / p - alpha) / slope if p > 0.0 else math.copysign(INF, slope)


@inner_kernel
def piece_g(start, t, w, slope, bend, twist):
    w, slope, bend = on_piece(t, w, slope, bend, twist)
    return butterfly_g(start + t, w, slope, bend) if w > 0.0 else -INF


@inner_kernel
def refined_g(start, low, high, cubic):
    """(g, t) at the least between ``low`` and ``high`` from the start of a piece."""
    w, slope, bend, twist = cubic
    least, where = INF, low
    for _ in range(REFINEMENTS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        g_left = piece_g(start, left, w, slope, bend, twist)
        g_right = piece_g(start, right, w, slope, bend, twist)
        if g_left < least:
            least, where = g_left, left
        if g_right < least:
            least, where = g_right, right
        if g_left < g_right:
            high = right
        else:
            low = left
    return least, where


@inner_kernel
def piece_least_g(j, row):
    """(g, k) where g is least between knot ``j`` and the next.

    Around each point that is lower than its neighbours it is looked for more closely, unless a
    parabola through the three says that there is eight times more room than needed.
    """
    start, w, slope, bend, twist = piece(j, row)
    step = (row[KNOT + j + 1] - start) / POINTS
    before, here = INF, piece_g(start, 0.0, w, slope, bend, twist)
    least, where = here, 0.0
    for i in range(POINTS + 1):
        after = piece_g(start, (i + 1) * step, w, slope, bend, twist) if i < POINTS else INF
        if here < least:
            least, where = here, i * step
        if here <= before and here <= after:
            inner = 0 < i < POINTS
            bow = (before - here) + (after - here) if inner else INF
            if not here - bow > least + CLOSE:
                low, high = max(i - 1, 0) * step, min(i + 1, POINTS) * step
                g, t = refined_g(start, low, high, (w, slope, bend, twist))
                if g < least:
                    least, where = g, t
        if i < POINTS and min(here, after) < CLOSE:
            # Where g is next to nothing it may dip below zero between two points.
            g, t = refined_g(start, i * step, (i + 1) * step, (w, slope, bend, twist))
            if g < least:
                least, where = g, t
        before, here = here, after
    return least, start + where


@kernel
def least_g(row):
    """(g, k): the least g of a slice over the whole line, and where.

    -inf where variance is not positive or a wing falls outwards, NaN without a slice. At most 2
    for the slopes of the wings (Lee 2004) is part of g >= 0.
    """
    n = knots_of(row)
    if n == 0:
        return NAN, NAN
    first, last = row[KNOT], row[KNOT + n - 1]
    left, right = piece(0, row)[2], last_slope(n, row)
    if left > 0.0 or not row[W] > 0.0:
        return -INF, first
    if right < 0.0 or not row[W + n - 1] > 0.0:
        return -INF, last
    least, where = wing_least_g(first, row[W], left)
    g, k = wing_least_g(last, row[W + n - 1], right)
    if g < least:
        least, where = g, k
    for j in range(n - 1):
        g, k = piece_least_g(j, row)
        if not g >= least:
            least, where = g, k
    return least, where


@inner_kernel
def least_cubic(h, d, d1, d2, d3):
    """(least, t) of d + d1 t + d2 t^2 / 2 + d3 t^3 / 6 for t in [0, h]."""
    least, where = d, 0.0
    end = d + h * (d1 + h * (0.5 * d2 + h * d3 * (1.0 / 6.0)))
    if end < least:
        least, where = end, h
    # Where d1 + d2 t + d3 t^2 / 2 is zero and rises.
    root = d2 * d2 - 2.0 * d3 * d1
    if root > 0.0:
        root = math.sqrt(root)
        below = d2 + root
        t = -2.0 * d1 / below if below > 0.0 else ((root - d2) / d3 if d3 != 0.0 else 0.0)
        if 0.0 < t < h:
            inner = d + t * (d1 + t * (0.5 * d2 + t * d3 * (1.0 / 6.0)))
            if inner < least:
                least, where = inner, t
    return least, where


@inner_kernel
def next_knot(k, n, row):
    """The first knot above ``k``, inf where there is none."""
    if k < row[KNOT]:
        return row[KNOT]
    if k >= row[KNOT + n - 1]:
        return INF
    return row[KNOT + piece_at(k, n, row) + 1]


@kernel
def calendar_slack(near, far):
    """(slack, k): the least of w_far - w_near over the whole line, and where; rows of two slices.

    Below zero: calendar arbitrage. -inf where a wing of the far one is flatter, NaN without one of
    the slices.
    """
    n, f = knots_of(near), knots_of(far)
    if n == 0 or f == 0:
        return NAN, NAN
    k = min(near[KNOT], far[KNOT])
    end = max(near[KNOT + n - 1], far[KNOT + f - 1])
    if piece(0, far)[2] > piece(0, near)[2]:
        return -INF, -INF
    if last_slope(f, far) < last_slope(n, near):
        return -INF, INF
    least, where = INF, k
    while k < end:
        stop = min(next_knot(k, n, near), next_knot(k, f, far))
        w_near, slope_near, bend_near = slice_variance(k, near)
        w_far, slope_far, bend_far = slice_variance(k, far)
        _, _, last_near = slice_variance(stop, near)
        _, _, last_far = slice_variance(stop, far)
        h = stop - k
        bend = bend_far - bend_near
        twist = ((last_far - last_near) - bend) / h
        slack, t = least_cubic(h, w_far - w_near, slope_far - slope_near, bend, twist)
        if not slack >= least:
            least, where = slack, k + t
        k = stop
    return least, where
