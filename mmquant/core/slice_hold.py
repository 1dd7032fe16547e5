"""What holds a slice free of arbitrage while it is fitted: an augmented Lagrangian on points.

At each point g and the distance to the slice before are kept above a margin. Linear in the
spline's coefficients is the latter, and g is made so from step to step (Gauss-Newton). All rows
have four entries, so a step costs as much as a few sums.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.slice_basis import (
    BAND,
    HEAD,
    T,
    add_square,
    bend_row,
    close_ends,
    dot,
    slope_row,
    solve_band,
    value_row,
)
from mmquant.core.slice_curve import knots_of, last_slope, piece, slice_variance
from mmquant.core.slice_rows import KNOT
from mmquant.core.slice_work import (
    AT,
    BUTTERFLY,
    CURVE,
    FLOOR,
    FORCE,
    FORCE_G,
    FREE_COST,
    MARGIN,
    MATRIX,
    MATRIX0,
    MISS,
    MISS_G,
    MOST_POINTS,
    MU,
    PER_PIECE,
    PIECE,
    PLACE,
    POINT,
    POINT_SIZE,
    POINTS,
    RIGHT,
    RIGHT0,
    ROOT,
    SCALE,
    SLOPE,
    TRIAL,
    WING_POINTS,
    C,
    M,
)
from mmquant.core.smile import butterfly_g

LEAST = 1e-4
"""Least variance, in that near the money."""
MARGIN_G = 2e-3
MARGIN_FLOOR = 2e-3
"""Margin of g, and of the distance to the slice before in hundredths of its variance."""
HUNDREDTHS = 100.0
FIRST_MU, MU_GROWTH, LAST_MU = 1e2, 5.0, 1e7
ROUNDS, STEPS = 20, 8
WASTE = 0.02
"""Share of that cost that a fit may be from the best."""
ENOUGH = 1e-5
"""Share of what the cost is above that of the unheld fit that a step must still gain."""
STEEPEST = 1.95
"""Steepest wing in w by k; Lee's bound is 2."""


@inner_formula
def load(place, work):
    return work[place], work[place + 1], work[place + 2], work[place + 3]


@inner_formula
def store(row, place, work):
    work[place], work[place + 1], work[place + 2], work[place + 3] = row


@inner_kernel
def new_point(z, j, butterfly, floor, scale, work):
    """Room for another point; its rows are still to be written. Returns its place."""
    i = int(work[POINTS])
    place = POINT + POINT_SIZE * i
    work[POINTS] = i + 1
    work[place + PLACE], work[place + PIECE], work[place + BUTTERFLY] = z, j, butterfly
    work[place + FLOOR], work[place + SCALE] = floor, scale
    work[place + FORCE_G], work[place + FORCE] = 0.0, 0.0
    return place


@inner_kernel
def add_point(z, below, work):
    """Hold g and the distance to ``below`` at ``z``."""
    if int(work[POINTS]) >= MOST_POINTS:
        return
    m = int(work[M])
    t = T + HEAD
    root = work[ROOT]
    floor = LEAST
    if knots_of(below) > 0:
        floor = slice_variance(root * z, below)[0] / (root * root)
    j = 0
    while j < m - 2 and work[t + j + 1] <= z:
        j += 1
    place = new_point(z, j, 1.0, floor, HUNDREDTHS / max(floor, LEAST), work)
    inside = min(max(z, work[t]), work[t + m - 1])
    slope, value = slope_row(inside, j, work), value_row(inside, j, work)
    store(slope, place + SLOPE, work)
    if inside == z:
        store(value, place + AT, work)
        store(bend_row(z, j, work), place + CURVE, work)
    else:
        far = z - inside
        for p in range(4):
            work[place + AT + p] = value[p] + far * slope[p]
            work[place + CURVE + p] = 0.0


@inner_kernel
def add_wing(side, below, work):
    """Points on the wing, and bounds of its slope. ``side``: 1 right, -1 left."""
    m = int(work[M])
    t = T + HEAD
    j = m - 2 if side > 0.0 else 0
    end = work[t + m - 1] if side > 0.0 else work[t]
    span = work[t + m - 1] - work[t]
    away = 0.1 * span
    for _ in range(WING_POINTS):
        add_point(end + side * away, below, work)
        away *= 3.0
    root = work[ROOT]
    least = 0.0
    n = knots_of(below)
    if n > 0:
        outward = last_slope(n, below) if side > 0.0 else -piece(0, below)[2]
        least = outward / root
        knot = (below[KNOT + n - 1] if side > 0.0 else below[KNOT]) / root
        if side * knot > side * end:
            add_point(knot, below, work)
    slope = slope_row(end, j, work)
    place = new_point(end, j, 0.0, least, span, work)
    low = new_point(end, j, 0.0, -STEEPEST / root, span, work)
    for p in range(4):
        work[place + AT + p], work[low + AT + p] = side * slope[p], -side * slope[p]


@inner_kernel
def add_points(below, work):
    """All points at which the slice is held."""
    m = int(work[M])
    t = T + HEAD
    work[POINTS] = 0.0
    for j in range(m - 1):
        start, step = work[t + j], (work[t + j + 1] - work[t + j]) / PER_PIECE
        for i in range(PER_PIECE):
            add_point(start + i * step, below, work)
    add_point(work[t + m - 1], below, work)
    add_wing(-1.0, below, work)
    add_wing(1.0, below, work)


@inner_formula
def g_of(z, v, slope, bend, root):
    """g in units of the variance near the money, root^2."""
    return butterfly_g(root * z, root * root * v, root * slope, bend)


@inner_kernel
def miss_of(c, work):
    """Write how far each point is from holding (its margin less what there is), at coefficients
    ``c``. Returns the cost of what does not hold and the worst, as shares of the margins."""
    mu, margin, root = work[MU], work[MARGIN], work[ROOT]
    cost, worst = 0.0, -math.inf
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        j = int(work[place + PIECE])
        v = dot(load(place + AT, work), j, c, work)
        less = MARGIN_FLOOR * margin - (v - work[place + FLOOR]) * work[place + SCALE]
        work[place + MISS] = less
        worst = max(worst, less / (MARGIN_FLOOR * margin))
        push = work[place + FORCE] / mu + less
        cost += 0.5 * mu * push * push if push > 0.0 else 0.0
        if work[place + BUTTERFLY] > 0.0:
            slope = dot(load(place + SLOPE, work), j, c, work)
            bend = dot(load(place + CURVE, work), j, c, work)
            v = v if v > LEAST else LEAST
            less = MARGIN_G * margin - g_of(work[place + PLACE], v, slope, bend, root)
            work[place + MISS_G] = less
            worst = max(worst, less / (MARGIN_G * margin))
            push = work[place + FORCE_G] / mu + less
            cost += 0.5 * mu * push * push if push > 0.0 else 0.0
    return cost, worst


@inner_kernel
def fit_cost(c, n, work):
    """Least-squares cost of coefficients, up to a constant."""
    total = 0.0
    for i in range(n):
        row = MATRIX0 + BAND * i
        part = 0.5 * work[row] * work[c + i] - work[RIGHT0 + i]
        for p in range(1, min(BAND, n - i)):
            part += work[row + p] * work[c + i + p]
        total += part * work[c + i]
    return total


@inner_kernel
def push_g(place, work):
    """Add the pull on g at a point, made linear, to the system."""
    mu, root, z = work[MU], work[ROOT], work[place + PLACE]
    j = int(work[place + PIECE])
    at, by_slope = load(place + AT, work), load(place + SLOPE, work)
    curve = load(place + CURVE, work)
    v, slope = dot(at, j, C, work), dot(by_slope, j, C, work)
    floored = v < LEAST
    v = LEAST if floored else v
    per = 1.0 / v
    a = 1.0 - 0.5 * z * slope * per
    dv = a * z * slope * per * per + 0.25 * slope * slope * per * per
    dv = 0.0 if floored else dv
    ds = -a * z * per - 0.5 * slope * (per + 0.25 * root * root)
    row = (
        dv * at[0] + ds * by_slope[0] + 0.5 * curve[0],
        dv * at[1] + ds * by_slope[1] + 0.5 * curve[1],
        dv * at[2] + ds * by_slope[2] + 0.5 * curve[2],
        dv * at[3] + ds * by_slope[3] + 0.5 * curve[3],
    )
    push = work[place + FORCE_G] / mu + work[place + MISS_G]
    add_square(row, j, mu, dot(row, j, C, work) + push, MATRIX, RIGHT, work)


@inner_kernel
def step_system(n, work):
    """The system whose solution is the next step, at the coefficients C."""
    for i in range(n):
        work[RIGHT + i] = work[RIGHT0 + i]
        for p in range(BAND):
            work[MATRIX + BAND * i + p] = work[MATRIX0 + BAND * i + p]
    mu = work[MU]
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        push = work[place + FORCE] / mu + work[place + MISS]
        if push > 0.0:
            j, scale = int(work[place + PIECE]), work[place + SCALE]
            row = load(place + AT, work)
            target = dot(row, j, C, work) + push / scale
            add_square(row, j, mu * scale * scale, target, MATRIX, RIGHT, work)
        if work[place + BUTTERFLY] > 0.0:
            if work[place + FORCE_G] / mu + work[place + MISS_G] > 0.0:
                push_g(place, work)


@inner_kernel
def take_step(n, work):
    """One Gauss-Newton step of the coefficients C, shortened until it helps. False if none does."""
    m = int(work[M])
    before = miss_of(C, work)[0] + fit_cost(C, n, work)
    step_system(n, work)
    if not solve_band(n, MATRIX, RIGHT, work):
        return False
    close_ends(m, RIGHT, work)
    share = 1.0
    for _ in range(8):
        for i in range(n):
            work[TRIAL + i] = work[C + i] + share * (work[RIGHT + i] - work[C + i])
        after = miss_of(TRIAL, work)[0] + fit_cost(TRIAL, n, work)
        if after < before:
            for i in range(n):
                work[C + i] = work[TRIAL + i]
            return before - after > ENOUGH * (1.0 + before - work[FREE_COST])
        share *= 0.4
    return False


@inner_kernel
def push_harder(work):
    """Move the multipliers. Returns what the pulls still cost where they have more than they need."""
    waste = 0.0
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        waste -= work[place + FORCE] * min(work[place + MISS], 0.0)
        work[place + FORCE] = max(work[place + FORCE] + work[MU] * work[place + MISS], 0.0)
        if work[place + BUTTERFLY] > 0.0:
            waste -= work[place + FORCE_G] * min(work[place + MISS_G], 0.0)
            work[place + FORCE_G] = max(work[place + FORCE_G] + work[MU] * work[place + MISS_G], 0.0)
    return waste


@inner_kernel
def hold(work):
    """Move the coefficients C to the best that hold at all points. False where they do not."""
    n = int(work[M]) + 2
    free = fit_cost(C, n, work)
    work[FREE_COST] = min(work[FREE_COST], free)
    before = math.inf
    for i in range(ROUNDS):
        for _ in range(STEPS):
            if not take_step(n, work):
                break
        _, worst = miss_of(C, work)
        waste = push_harder(work)
        if worst <= 0.5 and waste <= WASTE * (1.0 + fit_cost(C, n, work) - work[FREE_COST]):
            return True
        if worst > 0.3 * before:
            work[MU] = min(work[MU] * MU_GROWTH, LAST_MU)
        before = worst
    return miss_of(C, work)[1] <= 0.9
