"""The interior-point method that fits a slice inside its bounds.

Primal-dual with Mehrotra's choice of the gap. Each bound has four coefficients, so that the system
of a step is banded like that of the quotes, and a step costs little more than sums over the
bounds. A soft bound's multiplier is what it is missed by.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_kernel
from mmquant.core.slice_basis import BAND, close_ends, dot, factor_band, solve_factored
from mmquant.core.slice_bounds import MARGIN_G, YIELD, load, measure
from mmquant.core.slice_work import (
    BASE,
    BOUND,
    BOUND_SIZE,
    BOUNDS,
    FORCE,
    FORCE_STEP,
    FREE,
    HELD,
    MARGIN,
    MATRIX,
    MATRIX0,
    PIECE,
    RIGHT,
    RIGHT0,
    ROW,
    SLACK,
    SLACK_STEP,
    SOFT,
    C,
    M,
)

ITERATIONS = 60
NEAR_EDGE = 0.99
"""Share of the way to where a slack or a multiplier is zero that a step goes."""
FIRST_SLACK, FIRST_GAP = 0.5, 0.1
"""Slack of what does not hold at first, and its product with the multiplier."""
NEAR_START = -0.5
"""Worst that may not hold where the steps start."""
LAST_GAP = 1e-3
"""Sum of slacks times multipliers, in squared half spreads, that is near enough to the best."""
SHORT, CENTRED = 0.1, 0.8
STIFFEN_GAP = 1e-6
LAST_MISS = 0.3
"""Share of the margin that may be missed."""


@inner_kernel
def start_slacks(work):
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        work[place + SLACK] = max(work[place + HELD], FIRST_SLACK * work[MARGIN])
        work[place + FORCE] = FIRST_GAP / work[place + SLACK]


@inner_kernel
def fill_matrix(n, work):
    """The matrix of a step: least squares, and the pulls of the bounds."""
    for i in range(n * BAND):
        work[MATRIX + i] = work[MATRIX0 + i]
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        force = work[place + FORCE]
        weight = force / (work[place + SLACK] + force * work[place + SOFT])
        first = MATRIX + BAND * int(work[place + PIECE])
        for p in range(4):
            scaled = weight * work[place + ROW + p]
            for q in range(p, 4):
                work[first + BAND * p + q - p] += scaled * work[place + ROW + q]


@inner_kernel
def fill_right(n, gap, work):
    """What a step towards products of ``gap`` is to make up for."""
    for i in range(n):
        row = MATRIX0 + BAND * i
        total = work[RIGHT0 + i] - work[row] * work[C + i]
        for p in range(1, min(BAND, n - i)):
            total -= work[row + p] * work[C + i + p]
        for p in range(1, min(BAND, i + 1)):
            total -= work[row - BAND * p + p] * work[C + i - p]
        work[RIGHT + i] = total
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        slack, force, soft = work[place + SLACK], work[place + FORCE], work[place + SOFT]
        missed = work[place + HELD] + soft * force - slack
        pull = force + (gap - force * (slack + missed)) / (slack + force * soft)
        first = RIGHT + int(work[place + PIECE])
        for p in range(4):
            work[first + p] += pull * work[place + ROW + p]
    work[RIGHT], work[RIGHT + n - 1] = 0.0, 0.0


@inner_kernel
def solve_step(n, gap, work):
    """Steps of coefficients (at RIGHT), slacks and multipliers towards products of ``gap``."""
    fill_right(n, gap, work)
    solve_factored(n, MATRIX, RIGHT, work)
    if not math.isfinite(work[RIGHT + 1]):
        return False
    close_ends(n - 2, RIGHT, work)
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        slack, force, soft = work[place + SLACK], work[place + FORCE], work[place + SOFT]
        moved = dot(load(place + ROW, work), int(work[place + PIECE]), RIGHT, work)
        missed = moved + work[place + HELD] + soft * force - slack
        step = (gap - force * (slack + missed)) / (slack + force * soft)
        work[place + FORCE_STEP] = step
        work[place + SLACK_STEP] = missed + soft * step
    return True


@inner_kernel
def longest_step(work):
    """(share of the steps of slacks, of multipliers, sum of products after these)."""
    by_slack, by_force = 1.0, 1.0
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        slack, step = work[place + SLACK], work[place + SLACK_STEP]
        if step * by_slack < -slack:
            by_slack = -slack / step
        force, step = work[place + FORCE], work[place + FORCE_STEP]
        if step * by_force < -force:
            by_force = -force / step
    total = 0.0
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        total += (work[place + SLACK] + by_slack * work[place + SLACK_STEP]) * (
            work[place + FORCE] + by_force * work[place + FORCE_STEP]
        )
    return by_slack, by_force, total


@inner_kernel
def move(n, by_slack, by_force, work):
    """Take a step. Returns the sum of products after it."""
    for i in range(n):
        work[C + i] += by_slack * work[RIGHT + i]
    total = 0.0
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        work[place + SLACK] += by_slack * work[place + SLACK_STEP]
        work[place + FORCE] += by_force * work[place + FORCE_STEP]
        total += work[place + SLACK] * work[place + FORCE]
    return total


@inner_kernel
def stiffen(work):
    """Let hard bounds yield less: they are missed by what they yield to their multipliers."""
    for i in range(int(work[BOUNDS])):
        place = BOUND + BOUND_SIZE * i
        if work[place + SOFT] <= YIELD:
            work[place + SOFT] *= 0.1
            work[place + SLACK] = max(work[place + SLACK], STIFFEN_GAP)


@inner_kernel
def start_near(n, work):
    """Start from the free fit, as far as that goes from the curve without breaking much."""
    best, share, chosen = -math.inf, 1.0, 0.0
    while share > -0.1:
        for i in range(n):
            work[C + i] = work[BASE + i] + share * (work[FREE + i] - work[BASE + i])
        worst = measure(C, work)[0]
        if worst > best:
            best, chosen = worst, share
        if worst > NEAR_START:
            break
        share -= 0.25
    for i in range(n):
        work[C + i] = work[BASE + i] + chosen * (work[FREE + i] - work[BASE + i])
    measure(C, work)


@inner_kernel
def hold(work):
    """Leave at C the best coefficients inside all bounds. False where none were found."""
    n = int(work[M]) + 2
    for i in range(n):
        work[C + i] = work[FREE + i]
    hard, soft = measure(C, work)
    if hard >= 0.0 and soft >= 0.0:
        return True
    start_near(n, work)
    start_slacks(work)
    count = int(work[BOUNDS])
    enough = -LAST_MISS * MARGIN_G * work[MARGIN]
    total, taken = FIRST_GAP * count, 1.0
    for _ in range(ITERATIONS):
        fill_matrix(n, work)
        if not factor_band(n, MATRIX, work) or not solve_step(n, 0.0, work):
            return False
        share = longest_step(work)[2] / total
        share = max(share, CENTRED) if taken < SHORT else share
        if not solve_step(n, share * share * share * total / count, work):
            return False
        by_slack, by_force, _ = longest_step(work)
        taken = by_slack
        total = move(n, min(1.0, NEAR_EDGE * by_slack), min(1.0, NEAR_EDGE * by_force), work)
        held = measure(C, work)[0] >= enough
        if total <= LAST_GAP:
            if held:
                return True
            if total <= STIFFEN_GAP:
                stiffen(work)
    return measure(C, work)[0] >= enough
