"""The least squares of a slice: its quotes, its knots, and smoothness."""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.slice_base import base_value, clear_system
from mmquant.core.slice_basis import (
    HEAD,
    T,
    add_square,
    dot,
    value_row,
)
from mmquant.core.slice_bounds import LEAST_HALF
from mmquant.core.slice_curve import knots_of
from mmquant.core.slice_rows import (
    HIGH,
    KNOT,
    LEVEL,
    LOW,
    MISS,
    MORE_KNOTS,
    OWN_KNOTS,
    SLICE_BAD_QUOTES,
    SLICE_FEW,
    SLICE_NAN,
    SLICE_OK,
    SLICE_UNSORTED,
)
from mmquant.core.slice_work import (
    BASE,
    FREE,
    MATRIX0,
    MOST_QUOTES,
    RIGHT0,
    ROOT,
    TARGET,
    WEIGHT,
    C,
    M,
)

WIDEST, LEAST_W, MOST_W = 100.0, 1e-14, 1e4
"""Log-moneyness and variances beyond which numbers are taken for mistakes."""
SMOOTH = 0.1
"""Cost of a departure's squared second derivative, as a share of SVI, by asinh of deviations."""
LEVELLED = 1.0
"""Cost of its squared first derivative."""
RIDGE = 1e-4
"""Cost of the departure itself."""
FAR = 0.5
"""How far the knots go beyond the quotes, in asinh of standard deviations."""
FAR_STEP = 0.4
"""How far apart knots beyond are, as long as there are enough of them."""
FEWEST_KNOTS = 8
INDIFFERENT, LEAST_PULL = 0.5, 0.1
"""Half spreads within which a quote adds little to the smooth curve, since its middle is not known
better, and the share of its weight that pulls nevertheless."""
SMOOTHEST, FREELY, FIRM = range(3)
"""Stages of the fit: all quotes pull little; those pull that the smooth curve misses; the same
pull at the fit found, with their whole weight against what moves it away."""
TOLERATED = 3.0
"""Half spreads beyond which a miss counts by its size, not its square."""


@inner_formula
def asinh(x):
    size = abs(x)
    value = log(size + math.sqrt(size * size + 1.0))
    return value if x > 0.0 else -value


@inner_formula
def sinh(x):
    return 0.5 * (exp(x) - exp(-x))


@inner_formula
def two_sided(bid, ask):
    return (bid > 0.0) & (ask < math.inf)


@inner_formula
def pull_of(far):
    """Share of its weight with which a quote pulls that the smooth curve misses by ``far``."""
    return max(1.0 - INDIFFERENT / far, LEAST_PULL) if far > INDIFFERENT else LEAST_PULL


@inner_kernel
def read_quotes(k, bid, w, ask, row, work):
    """Check the quotes; weights of the middles to WEIGHT, header of the ``row``. A status."""
    if k.size > MOST_QUOTES:
        return SLICE_BAD_QUOTES
    count, level, nearest, misses = 0, 0.0, math.inf, 0.0
    for i in range(k.size):
        if not abs(k[i]) < math.inf:
            return SLICE_NAN
        if i > 0 and not k[i] > k[i - 1]:
            return SLICE_UNSORTED
        if bid[i] < 0.0 or ask[i] <= 0.0 or bid[i] > ask[i] or abs(k[i]) > WIDEST:
            return SLICE_BAD_QUOTES
        work[WEIGHT + i], work[TARGET + i] = 0.0, 1.0
        if two_sided(bid[i], ask[i]):
            if not (bid[i] <= w[i] <= ask[i] and LEAST_W <= w[i] <= MOST_W):
                return SLICE_BAD_QUOTES
            half = max(0.5 * (ask[i] - bid[i]), LEAST_HALF * w[i])
            work[WEIGHT + i], work[TARGET + i] = 1.0 / (half * half), w[i]
            misses += half / w[i]
            row[LOW] = k[i] if count == 0 else row[LOW]
            row[HIGH] = k[i]
            count += 1
            if abs(k[i]) < nearest:
                nearest, level = abs(k[i]), w[i]
    if count == 0:
        return SLICE_FEW
    row[LEVEL], row[MISS] = level, misses / count
    return SLICE_OK


@inner_kernel
def spread_knots(start, end, first, count, work):
    """Place ``count`` knots from index ``first``, evenly in asinh after ``start`` up to ``end``."""
    for i in range(count):
        work[T + HEAD + first + i] = sinh(start + (end - start) * (i + 1) / count)


@inner_kernel
def reach(below, above, row, work):
    """How far other slices go: the knots of the one before and the quotes of later ones."""
    root = work[ROOT]
    low, high = row[LOW], row[HIGH]
    n = knots_of(below)
    if n > 0:
        low, high = below[KNOT], below[KNOT + n - 1]
    for i in range(above.shape[0]):
        low, high = min(low, above[i, LOW]), max(high, above[i, HIGH])
    return asinh(low / root), asinh(high / root)


@inner_kernel
def place_knots(count, below, above, row, work):
    """Knots evenly in asinh of standard deviations, in and around the quotes; fewer beyond.

    A wing may start only where the slice before has become a straight line, and where it can
    still give way to later ones.
    """
    root = work[ROOT]
    low = asinh(min(row[LOW] / root, 0.0)) - FAR
    high = asinh(max(row[HIGH] / root, 0.0)) + FAR
    lowest, highest = reach(below, above, row, work)
    left = int(min(max(math.ceil((low - lowest) / FAR_STEP), 0.0), float(MORE_KNOTS)))
    right = int(min(max(math.ceil((highest - high) / FAR_STEP), 0.0), float(MORE_KNOTS)))
    own = min(max(count + 3, FEWEST_KNOTS), OWN_KNOTS)
    work[M] = left + own + right
    work[T + HEAD] = sinh(min(low, lowest))
    spread_knots(min(low, lowest), low, 1, left, work)
    spread_knots(low, high, left + 1, own - 1, work)
    spread_knots(high, highest, left + own, right, work)


@inner_kernel
def borrow_knots(below, work):
    """The knots of the slice before."""
    m = knots_of(below)
    work[M] = m
    for j in range(m):
        work[T + HEAD + j] = below[KNOT + j] / work[ROOT]


@inner_kernel
def add_smoothness(below, row, work):
    """Costs of departing from the curve, and of doing so unevenly."""
    m = int(work[M])
    t = T + HEAD
    a, before = 0.0, 0.0
    x = asinh(work[t])
    b = 1.0 / base_value(work[t], below, row, work)
    for i in range(m - 1):
        # The coefficient after next to the knot i is that of knot i.
        c = 1.0 / base_value(work[t + i + 1], below, row, work)
        next_x = asinh(work[t + i + 1])
        step = next_x - x
        level, slope = (0.0, b, 0.0, 0.0), (0.0, -b, c, 0.0)
        target = dot(level, i, BASE, work)
        add_square(level, i, RIDGE * step, target, MATRIX0, RIGHT0, work)
        target = dot(slope, i, BASE, work)
        add_square(slope, i, LEVELLED / step, target, MATRIX0, RIGHT0, work)
        if i > 0:
            p, q = 1.0 / before, 1.0 / step
            bend = (p * a, -(p + q) * b, q * c, 0.0)
            target = dot(bend, i, BASE, work)
            weight = 2.0 * SMOOTH / (before + step)
            add_square(bend, i, weight, target, MATRIX0, RIGHT0, work)
        a, b, x, before = b, c, next_x, step


@inner_kernel
def least_squares(k, w, stage, below, row, work):
    """The quotes' system with smoothness, at the coefficients C, to MATRIX0 and RIGHT0.

    If FIRM, FREE solves it too, and bounds must move the quotes' whole weight.
    """
    m = int(work[M])
    t = T + HEAD
    clear_system(m + 2, MATRIX0, RIGHT0, work)
    add_smoothness(below, row, work)
    per = 1.0 / (work[ROOT] * work[ROOT])
    j = 0
    for i in range(k.size):
        z = k[i] / work[ROOT]
        while j < m - 2 and work[t + j + 1] <= z:
            j += 1
        if not (work[t] <= z <= work[t + m - 1]):
            continue
        part = value_row(z, j, work)
        weight = work[WEIGHT + i]
        if weight > 0.0:
            far = abs(dot(part, j, C, work) / per - w[i]) * math.sqrt(weight)
            weight = weight * (1.0 if far <= TOLERATED else TOLERATED / far) / (per * per)
            pull, target = LEAST_PULL if stage == SMOOTHEST else pull_of(far), w[i] * per
            if stage == FIRM:
                here = dot(part, j, FREE, work)
                target = here - pull * (here - target)
            else:
                weight = weight * pull
            add_square(part, j, weight, target, MATRIX0, RIGHT0, work)
