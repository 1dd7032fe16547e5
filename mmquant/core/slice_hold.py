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
    bend_row,
    close_ends,
    dot,
    factor_band,
    slope_row,
    solve_factored,
    value_row,
)
from mmquant.core.slice_curve import knots_of, last_slope, piece, slice_variance
from mmquant.core.slice_rows import KNOT
from mmquant.core.slice_work import (
    AT,
    BASE,
    CURVE,
    DENSITY,
    DISTANCE,
    FLOOR,
    FORCE,
    FORCE_STEP,
    HELD,
    MARGIN,
    MATRIX,
    MATRIX0,
    MOST_POINTS,
    PER_PIECE,
    PIECE,
    PLACE,
    POINT,
    POINT_SIZE,
    POINTS,
    RIGHT,
    RIGHT0,
    ROOT,
    ROW,
    SCALE,
    SLACK,
    SLACK_STEP,
    SLOPE,
    TRIAL,
    C,
    M,
)

LEAST_BASE = 0.02
LEAST = 1e-3
"""Least variance, in that near the money."""
MARGIN_G = 2e-3
MARGIN_FLOOR = 2e-3
"""Margin of g, and of the distance to the slice before in hundredths of its variance."""
HUNDREDTHS = 100.0
ITERATIONS = 60
NEAR_EDGE = 0.99
"""Share of the way to where a slack or a multiplier is zero that a step goes."""
FIRST_SLACK, FIRST_GAP = 0.1, 1.0
"""Slack of what does not hold at first, and its product with the multiplier."""
NEAR_START = -0.5
"""Worst that may not hold where the steps start."""
LAST_GAP = 1e-3
"""Sum of slacks times multipliers, in squared half spreads, that is near enough to the best."""
LAST_MISS = 0.3
"""Share of the margin that may be missed."""
STEEPEST = 1.95
"""Steepest wing in w by k; Lee's bound is 2."""


@inner_formula
def load(place, work):
    return work[place], work[place + 1], work[place + 2], work[place + 3]


@inner_formula
def store(row, place, work):
    work[place], work[place + 1], work[place + 2], work[place + 3] = row


@inner_kernel
def new_point(z, j, floor, scale, work):
    """Room for another point; its rows are still to be written. Returns its place."""
    i = int(work[POINTS])
    place = POINT + POINT_SIZE * i
    work[POINTS] = i + 1
    work[place + PLACE], work[place + PIECE] = z, j
    work[place + FLOOR], work[place + SCALE] = floor, scale
    for p in range(4):
        work[place + AT + p], work[place + SLOPE + p], work[place + CURVE + p] = 0.0, 0.0, 0.0
    return place


@inner_kernel
def add_point(z, floored, below, work):
    """Hold g at ``z``, and if ``floored`` the distance to ``below``."""
    if int(work[POINTS]) >= MOST_POINTS:
        return
    m = int(work[M])
    t = T + HEAD
    root = work[ROOT]
    j = 0
    while j < m - 2 and work[t + j + 1] <= z:
        j += 1
    place = new_point(z, j, LEAST, 1.0, work)
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
    typical = max(dot(load(place + AT, work), j, BASE, work), LEAST_BASE)
    if knots_of(below) > 0:
        floor = slice_variance(root * z, below)[0] / (root * root)
        work[place + FLOOR] = floor
        typical = max(floor, typical) / HUNDREDTHS
    work[place + SCALE] = 1.0 / typical if floored else 0.0


@inner_kernel
def add_wing(side, below, work):
    """Bounds of the slope of a wing, ``side`` 1 right, -1 left, and where that before bends on it."""
    m = int(work[M])
    t = T + HEAD
    j = m - 2 if side > 0.0 else 0
    end = work[t + m - 1] if side > 0.0 else work[t]
    root = work[ROOT]
    least = 0.0
    n = knots_of(below)
    if n > 0:
        outward = last_slope(n, below) if side > 0.0 else -piece(0, below)[2]
        least = outward / root
        knot = (below[KNOT + n - 1] if side > 0.0 else below[KNOT]) / root
        if side * knot > side * end:
            add_point(knot, True, below, work)
    slope = slope_row(end, j, work)
    scale = max(abs(end), 1.0) / max(dot(value_row(end, j, work), j, BASE, work), LEAST_BASE)
    place = new_point(end, j, least, scale, work)
    low = new_point(end, j, -STEEPEST / root, scale, work)
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
            add_point(start + i * step, True, below, work)
    add_point(work[t + m - 1], True, below, work)
    add_wing(-1.0, below, work)
    add_wing(1.0, below, work)


@inner_kernel
def g_and_row(place, c, work):
    """(g, its row): g at a point, for coefficients ``c``, and its derivatives by four of them."""
    root, z = work[ROOT], work[place + PLACE]
    j = int(work[place + PIECE])
    at, by_slope = load(place + AT, work), load(place + SLOPE, work)
    curve = load(place + CURVE, work)
    v, slope, bend = dot(at, j, c, work), dot(by_slope, j, c, work), dot(curve, j, c, work)
    floored = v < LEAST
    v = LEAST if floored else v
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


@inner_formula
def first_part(place, work):
    """0 where there is a floor, 1 where g alone is held."""
    return 0 if work[place + SCALE] > 0.0 else 1


@inner_formula
def parts_of(place, work):
    """End of the range of what is held at a point: the bounds of slopes have no g."""
    return 2 if work[place + CURVE + 1] != 0.0 or work[place + SLOPE + 1] != 0.0 else 1


@inner_kernel
def measure(c, work):
    """Write by how much each thing is held at coefficients ``c``. Returns the worst."""
    margin = work[MARGIN]
    worst = math.inf
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        at, scale = load(place + AT, work), work[place + SCALE]
        value = dot(at, int(work[place + PIECE]), c, work)
        held = (value - work[place + FLOOR]) * scale - MARGIN_FLOOR * margin
        work[place + DISTANCE + HELD] = held
        worst = min(worst, held) if scale > 0.0 else worst
        if parts_of(place, work) > 1:
            g, row = g_and_row(place, c, work)
            store(row, place + DENSITY + ROW, work)
            work[place + DENSITY + HELD] = g - MARGIN_G * margin
            worst = min(worst, g - MARGIN_G * margin)
    return worst


@inner_kernel
def start_slacks(work):
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        scale = work[place + SCALE]
        for p in range(4):
            work[place + DISTANCE + ROW + p] = scale * work[place + AT + p]
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            work[own + SLACK] = max(work[own + HELD], FIRST_SLACK)
            work[own + FORCE] = FIRST_GAP / work[own + SLACK]


@inner_kernel
def fill_matrix(n, work):
    """The matrix of a step: least squares, and the pulls of what is held."""
    for i in range(n * BAND):
        work[MATRIX + i] = work[MATRIX0 + i]
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        j = int(work[place + PIECE])
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            weight = work[own + FORCE] / work[own + SLACK]
            for p in range(4):
                scaled = weight * work[own + ROW + p]
                row = MATRIX + BAND * (j + p)
                for q in range(p, 4):
                    work[row + q - p] += scaled * work[own + ROW + q]


@inner_kernel
def solve_step(n, gap, work):
    """Steps of coefficients (at RIGHT), slacks and multipliers towards products of ``gap``."""
    for i in range(n):
        total = work[RIGHT0 + i]
        row = MATRIX0 + BAND * i
        total -= work[row] * work[C + i]
        for p in range(1, min(BAND, n - i)):
            total -= work[row + p] * work[C + i + p]
        for p in range(1, min(BAND, i + 1)):
            total -= work[row - BAND * p + p] * work[C + i - p]
        work[RIGHT + i] = total
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        j = int(work[place + PIECE])
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            slack, force = work[own + SLACK], work[own + FORCE]
            pull = (gap - force * (work[own + HELD] - slack)) / slack
            for p in range(4):
                work[RIGHT + j + p] += pull * work[own + ROW + p]
    work[RIGHT], work[RIGHT + n - 1] = 0.0, 0.0
    solve_factored(n, MATRIX, RIGHT, work)
    if not math.isfinite(work[RIGHT + 1]):
        return False
    close_ends(n - 2, RIGHT, work)
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        j = int(work[place + PIECE])
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            slack, force = work[own + SLACK], work[own + FORCE]
            step = dot(load(own + ROW, work), j, RIGHT, work) + work[own + HELD] - slack
            work[own + SLACK_STEP] = step
            work[own + FORCE_STEP] = (gap - force * step) / slack - force
    return True


@inner_kernel
def longest_step(work):
    """(share of the steps of slacks, of multipliers, sum of products after these, count)."""
    by_slack, by_force, count = 1.0, 1.0, 0
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            slack, step = work[own + SLACK], work[own + SLACK_STEP]
            if step * by_slack < -slack:
                by_slack = -slack / step
            force, step = work[own + FORCE], work[own + FORCE_STEP]
            if step * by_force < -force:
                by_force = -force / step
            count += 1
    total = 0.0
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            total += (work[own + SLACK] + by_slack * work[own + SLACK_STEP]) * (
                work[own + FORCE] + by_force * work[own + FORCE_STEP]
            )
    return by_slack, by_force, total, count


@inner_kernel
def sum_products(work):
    total = 0.0
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            total += work[own + SLACK] * work[own + FORCE]
    return total


@inner_kernel
def move(n, by_slack, by_force, work):
    for i in range(n):
        work[C + i] += by_slack * work[RIGHT + i]
    for i in range(int(work[POINTS])):
        place = POINT + POINT_SIZE * i
        for part in range(first_part(place, work), parts_of(place, work)):
            own = place + (DENSITY if part > 0 else DISTANCE)
            work[own + SLACK] += by_slack * work[own + SLACK_STEP]
            work[own + FORCE] += by_force * work[own + FORCE_STEP]


@inner_kernel
def start_near(n, work):
    """Start from the free fit, as far as that goes from the SVI curve without breaking much."""
    for i in range(n):
        work[TRIAL + i] = work[C + i]
    best, share, chosen = -math.inf, 1.0, 0.0
    while share > -0.1:
        for i in range(n):
            work[C + i] = work[BASE + i] + share * (work[TRIAL + i] - work[BASE + i])
        worst = measure(C, work)
        if worst > best:
            best, chosen = worst, share
        if worst > NEAR_START:
            break
        share -= 0.25
    for i in range(n):
        work[C + i] = work[BASE + i] + chosen * (work[TRIAL + i] - work[BASE + i])
    measure(C, work)


@inner_kernel
def hold(work):
    """Move the coefficients C to the best that hold at all points. False where they do not.

    A primal-dual interior-point method with Mehrotra's choice of the gap.
    """
    n = int(work[M]) + 2
    if measure(C, work) >= 0.0:
        return True
    start_near(n, work)
    start_slacks(work)
    for _ in range(ITERATIONS):
        fill_matrix(n, work)
        if not factor_band(n, MATRIX, work) or not solve_step(n, 0.0, work):
            return False
        total = sum_products(work)
        _, _, after, count = longest_step(work)
        share = after / total
        gap = share * share * share * total / count
        if not solve_step(n, gap, work):
            return False
        by_slack, by_force, _, _ = longest_step(work)
        move(n, min(1.0, NEAR_EDGE * by_slack), min(1.0, NEAR_EDGE * by_force), work)
        worst = measure(C, work)
        if worst >= -LAST_MISS * MARGIN_G * work[MARGIN] and sum_products(work) <= LAST_GAP:
            return True
    return measure(C, work) >= -LAST_MISS * MARGIN_G * work[MARGIN]
