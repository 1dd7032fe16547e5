"""What bounds a slice while it is fitted: g, the slice before, later slices, quotes of one side.

Each bound is that a sum of four coefficients of the spline is above a number; g is made linear
from step to step. Bounds of arbitrage are hard. Later slices and quotes of one side are soft: a
miss costs its square in half spreads.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.slice_basis import HEAD, T, bend_row, dot, slope_row, value_row
from mmquant.core.slice_curve import knots_of, last_slope, piece, slice_variance
from mmquant.core.slice_rows import HIGH, KNOT, LOW, MISS
from mmquant.core.slice_work import (
    BASE,
    BEND_ROW,
    BOUND,
    BOUND_SIZE,
    BOUNDS,
    CEILINGS,
    HELD,
    LEAST,
    MARGIN,
    MOST_BOUNDS,
    PER_PIECE,
    PIECE,
    PLACE,
    ROOT,
    ROW,
    SLOPE_ROW,
    SOFT,
    VALUE_ROW,
    WEIGHT,
    WING_CEILINGS,
    M,
)

LEAST_HALF = 5e-4
"""Smallest half spread that counts, as a share of the variance."""
LEAST_V = 0.02
"""Least variance, in that near the money."""
MARGIN_G = 2e-3
MARGIN_FLOOR = 5e-5
"""Margins of g, and of the distance to the slice before as a share of its variance."""
YIELD = 1e-5
OVER_FLOOR = 0.003
PER_SHARE = 100.0
"""What a bound's share of the variance counts for, so that bounds and g are alike."""
STEEPEST = 1.95
"""Steepest wing in w by k; Lee's bound is 2."""


@inner_formula
def load(place, work):
    return work[place], work[place + 1], work[place + 2], work[place + 3]


@inner_formula
def store(row, place, work):
    work[place], work[place + 1], work[place + 2], work[place + 3] = row


@inner_kernel
def piece_under(z, work):
    """The piece of the spline under ``z``; the first or last beyond the knots."""
    m = int(work[M])
    low, high = 0, m - 1
    while high - low > 1:
        middle = (low + high) // 2
        if work[T + HEAD + middle] <= z:
            low = middle
        else:
            high = middle
    return low


@inner_kernel
def rows_at(z, j, work):
    """Weights of four coefficients in the value, slope and second derivative, wings included."""
    m = int(work[M])
    inside = min(max(z, work[T + HEAD]), work[T + HEAD + m - 1])
    value, slope = value_row(inside, j, work), slope_row(inside, j, work)
    if inside == z:
        return value, slope, bend_row(z, j, work)
    far = z - inside
    value = (
        value[0] + far * slope[0],
        value[1] + far * slope[1],
        value[2] + far * slope[2],
        value[3] + far * slope[3],
    )
    return value, slope, (0.0, 0.0, 0.0, 0.0)


@inner_kernel
def add_line(row, j, scale, least, soft, work):
    """Bound scale (row . c) from below by scale times ``least``."""
    i = int(work[BOUNDS])
    if i >= MOST_BOUNDS:
        return
    place = BOUND + BOUND_SIZE * i
    work[BOUNDS] = i + 1
    work[place + PLACE], work[place + PIECE] = math.nan, j
    work[place + LEAST], work[place + SOFT] = scale * least, soft
    store((scale * row[0], scale * row[1], scale * row[2], scale * row[3]), place + ROW, work)


@inner_kernel
def add_g(z, work):
    """Bound g at ``z``."""
    i = int(work[BOUNDS])
    if i >= MOST_BOUNDS:
        return
    place = BOUND + BOUND_SIZE * i
    work[BOUNDS] = i + 1
    j = piece_under(z, work)
    value, slope, bend = rows_at(z, j, work)
    work[place + PLACE], work[place + PIECE] = z, j
    work[place + LEAST], work[place + SOFT] = MARGIN_G * work[MARGIN], YIELD
    store(value, place + VALUE_ROW, work)
    store(slope, place + SLOPE_ROW, work)
    store(bend, place + BEND_ROW, work)


@inner_kernel
def add_floor(z, below, work):
    """Bound the slice by the one before at ``z``, or by next to nothing."""
    j = piece_under(z, work)
    value, _, _ = rows_at(z, j, work)
    typical = max(dot(value, j, BASE, work), LEAST_V)
    if knots_of(below) > 0:
        floor = slice_variance(work[ROOT] * z, below)[0] / (work[ROOT] * work[ROOT])
        least = floor * (1.0 + MARGIN_FLOOR * work[MARGIN])
        add_line(value, j, PER_SHARE / max(floor, LEAST_V), least, YIELD, work)
    else:
        add_line(value, j, 1.0 / typical, LEAST_V, YIELD, work)


@inner_kernel
def add_wing(side, below, work):
    """Bounds of a wing, ``side`` 1 right, -1 left: of its slope, and where that before bends."""
    m = int(work[M])
    j = m - 2 if side > 0.0 else 0
    end = work[T + HEAD + m - 1] if side > 0.0 else work[T + HEAD]
    root = work[ROOT]
    least, n = 0.0, knots_of(below)
    if n > 0:
        least = (last_slope(n, below) if side > 0.0 else -piece(0, below)[2]) / root
        knot = (below[KNOT + n - 1] if side > 0.0 else below[KNOT]) / root
        if side * knot > side * end:
            add_floor(knot, below, work)
    value, slope, _ = rows_at(end, j, work)
    scale = side * max(abs(end), 1.0) / max(dot(value, j, BASE, work), LEAST_V)
    least = side * least + MARGIN_G * work[MARGIN] / scale
    add_line(slope, j, scale, least, YIELD, work)
    add_line(slope, j, -scale, side * STEEPEST / root, YIELD, work)


@inner_kernel
def ceiling_at(k, above):
    """(limit, half spread) of the lowest of the later slices inside whose quotes ``k`` is."""
    limit, half = math.inf, 0.0
    for i in range(above.shape[0]):
        row = above[i]
        if row[LOW] <= k <= row[HIGH]:
            w = slice_variance(k, row)[0]
            if 0.0 < w < limit:
                limit, half = w, max(row[MISS], LEAST_HALF) * w
    return limit, half


@inner_kernel
def add_ceiling(z, below, above, work):
    """Let the slice give way at ``z`` to later expiries' own fits, inside their quotes.

    Not below the slice before, which holds anyway: a pull against it would bend the slice.
    """
    square = work[ROOT] * work[ROOT]
    limit, half = ceiling_at(work[ROOT] * z, above)
    if limit < math.inf:
        if knots_of(below) > 0:
            floor = slice_variance(work[ROOT] * z, below)[0]
            limit = max(limit, (1.0 + OVER_FLOOR) * floor)
        j = piece_under(z, work)
        value, _, _ = rows_at(z, j, work)
        # In half spreads.
        add_line(value, j, -square / half, limit / square, 1.0, work)


@inner_kernel
def add_ceilings(below, above, work):
    """Let the slice give way to later expiries, also on its wings as far as they have quotes."""
    if above.shape[0] == 0:
        return
    m = int(work[M])
    low, high = math.inf, -math.inf
    for i in range(above.shape[0]):
        low, high = min(low, above[i, LOW] / work[ROOT]), max(high, above[i, HIGH] / work[ROOT])
    for j in range(m - 1):
        start = work[T + HEAD + j]
        step = (work[T + HEAD + j + 1] - start) / CEILINGS
        for i in range(CEILINGS):
            add_ceiling(start + i * step, below, above, work)
    first, last = work[T + HEAD], work[T + HEAD + m - 1]
    for i in range(WING_CEILINGS):
        share = (i + 1.0) / WING_CEILINGS
        share = share * share
        if low < first:
            add_ceiling(first + share * (low - first), below, above, work)
        if high > last:
            add_ceiling(last + share * (high - last), below, above, work)


@inner_kernel
def add_one_sided(k, bid, ask, half, work):
    """Quotes of one side; ``half`` is a half spread as a share of the variance."""
    root = work[ROOT]
    for i in range(k.size):
        z = k[i] / root
        if work[WEIGHT + i] > 0.0 or not (work[T + HEAD] <= z <= work[T + HEAD + int(work[M]) - 1]):
            continue
        j = piece_under(z, work)
        if 0.0 < ask[i] < math.inf:
            limit = ask[i] / (root * root)
            add_line(value_row(z, j, work), j, -1.0 / (half * limit), limit, 1.0, work)
        elif bid[i] > 0.0:
            limit = bid[i] / (root * root)
            add_line(value_row(z, j, work), j, 1.0 / (half * limit), limit, 1.0, work)


@inner_kernel
def add_arbitrage(below, work):
    """The bounds that exclude arbitrage, on points."""
    m = int(work[M])
    for j in range(m - 1):
        start = work[T + HEAD + j]
        step = (work[T + HEAD + j + 1] - start) / PER_PIECE
        for i in range(PER_PIECE):
            add_g(start + i * step, work)
            add_floor(start + i * step, below, work)
    add_g(work[T + HEAD + m - 1], work)
    add_floor(work[T + HEAD + m - 1], below, work)
    for j in range(knots_of(below)):
        z = below[KNOT + j] / work[ROOT]
        if work[T + HEAD] < z < work[T + HEAD + m - 1]:
            add_floor(z, below, work)
    add_wing(-1.0, below, work)
    add_wing(1.0, below, work)


@inner_kernel
def g_and_row(place, c, work):
    """(g, its row): g at a bound's place, for coefficients ``c``, and its derivatives by four."""
    root, z = work[ROOT], work[place + PLACE]
    j = int(work[place + PIECE])
    at, by_slope = load(place + VALUE_ROW, work), load(place + SLOPE_ROW, work)
    curve = load(place + BEND_ROW, work)
    v, slope, bend = dot(at, j, c, work), dot(by_slope, j, c, work), dot(curve, j, c, work)
    floored = v < LEAST_V
    v = LEAST_V if floored else v
    per = 1.0 / v
    a = 1.0 - 0.5 * z * slope * per
    g = a * a - 0.25 * slope * slope * (per + 0.25 * root * root) + 0.5 * bend
    dv = 0.0 if floored else (a * z * slope + 0.25 * slope * slope) * per * per
    ds = -a * z * per - 0.5 * slope * (per + 0.25 * root * root)
    row = (
        dv * at[0] + ds * by_slope[0] + 0.5 * curve[0],
        dv * at[1] + ds * by_slope[1] + 0.5 * curve[1],
        dv * at[2] + ds * by_slope[2] + 0.5 * curve[2],
        dv * at[3] + ds * by_slope[3] + 0.5 * curve[3],
    )
    return g, row


@inner_kernel
def measure(c, work):
    """Write by how much each bound holds at coefficients ``c``.

    Returns (the worst of the hard ones, that of the soft ones).
    """
    hard, soft = math.inf, math.inf
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        if work[place + PLACE] == work[place + PLACE]:
            value, row = g_and_row(place, c, work)
            store(row, place + ROW, work)
        else:
            value = dot(load(place + ROW, work), int(work[place + PIECE]), c, work)
        held = value - work[place + LEAST]
        work[place + HELD] = held
        if work[place + SOFT] > YIELD:
            soft = min(soft, held)
        else:
            hard = min(hard, held)
    return hard, soft
