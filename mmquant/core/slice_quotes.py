"""The least squares of a slice: quotes, the SVI curve that it departs from, and smoothness."""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.slice_basis import (
    BAND,
    HEAD,
    VALUE,
    T,
    add_square,
    close_ends,
    dot,
    solve_band,
    value_row,
)
from mmquant.core.slice_bounds import LEAST_HALF
from mmquant.core.slice_curve import knots_of, slice_variance
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
    SVI,
)
from mmquant.core.slice_work import (
    BASE,
    MATRIX,
    MATRIX0,
    MOST_QUOTES,
    RIGHT,
    RIGHT0,
    ROOT,
    SVI_PART,
    TARGET,
    WEIGHT,
    C,
    M,
)
from mmquant.core.smile import SMILE_OK, svi_variance
from mmquant.core.svi_fit import FEWEST, SVI_WORK_SIZE, fit_svi, refit_svi

WIDEST, LEAST_W, MOST_W = 100.0, 1e-14, 1e4
"""Log-moneyness and variances beyond which numbers are taken for mistakes."""
SMOOTH = 0.1
"""Cost of a departure's squared second derivative, as a share of SVI, by asinh of deviations."""
LEVELLED = 1.0
"""Cost of its squared first derivative."""
RIDGE = 1e-4
"""Cost of the departure itself."""
LEAST_BASE = 0.02
"""Least variance of the SVI curve, in that near the money, that departures are shares of."""
FAR = 0.5
"""How far the knots go beyond the quotes, in asinh of standard deviations."""
LIFT = 0.003
"""Share by which the curve is at least above the slice before."""
FAR_STEP = 0.4
"""How far apart knots beyond are, as long as there are enough of them."""
FEWEST_KNOTS = 8
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
def fit_base(k, count, warm, row, work):
    """SVI parameters to the ``row``; those of a flat curve with too few quotes."""
    n = k.size
    weight, w = work[WEIGHT : WEIGHT + n], work[TARGET : TARGET + n]
    memo, params = work[SVI_PART : SVI_PART + SVI_WORK_SIZE], row[SVI : SVI + 5]
    if warm and count >= FEWEST:
        if refit_svi(k, w, weight, params, memo) == SMILE_OK:
            return
    if count >= FEWEST and fit_svi(k, w, weight, params, memo) == SMILE_OK:
        return
    total, level = 0.0, 0.0
    for i in range(n):
        total, level = total + weight[i], level + weight[i] * w[i]
    params[0], params[1], params[2], params[3] = level / total, 0.0, 0.0, 0.0
    params[4] = 1.0


@inner_kernel
def base_value(z, count, below, row, work):
    """The curve that the slice departs from, at ``z``, in the variance near the money."""
    root = work[ROOT]
    if count < FEWEST and knots_of(below) > 0:
        v = slice_variance(root * z, below)[0] * row[LEVEL] / slice_variance(0.0, below)[0]
    else:
        v = svi_variance(
            root * z, row[SVI], row[SVI + 1], row[SVI + 2], row[SVI + 3], row[SVI + 4]
        )[0]
    v = max(v / (root * root), LEAST_BASE)
    if knots_of(below) > 0:
        v = max(v, (1.0 + LIFT) * slice_variance(root * z, below)[0] / (root * root))
    return v


@inner_kernel
def clear_system(n, matrix, right, work):
    for i in range(n):
        work[right + i] = 0.0
        for p in range(BAND):
            work[matrix + BAND * i + p] = 0.0
    # The ends' coefficients follow from the others.
    work[matrix], work[matrix + BAND * (n - 1)] = 1.0, 1.0


@inner_kernel
def write_base(count, below, row, work):
    """Coefficients of the spline through the curve at the knots, at BASE."""
    m = int(work[M])
    clear_system(m + 2, MATRIX, RIGHT, work)
    for j in range(m):
        z = work[T + HEAD + j]
        v = VALUE + 3 * j
        # Least squares with as many unknowns as knots: the weights keep shares alike.
        value = base_value(z, count, below, row, work)
        part = (work[v], work[v + 1], work[v + 2], 0.0)
        start = j if j < m - 1 else j - 1
        if j == m - 1:
            part = (0.0, work[v], work[v + 1], 0.0)
        add_square(part, start, 1.0 / (value * value), value, MATRIX, RIGHT, work)
    solve_band(m + 2, MATRIX, RIGHT, work)
    for i in range(m + 2):
        work[BASE + i] = work[RIGHT + i]
    close_ends(m, BASE, work)


@inner_kernel
def add_smoothness(count, below, row, work):
    """Costs of departing from the curve, and of doing so unevenly."""
    m = int(work[M])
    t = T + HEAD
    a, before = 0.0, 0.0
    x = asinh(work[t])
    b = 1.0 / base_value(work[t], count, below, row, work)
    for i in range(m - 1):
        # The coefficient after next to the knot i is that of knot i.
        c = 1.0 / base_value(work[t + i + 1], count, below, row, work)
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
def least_squares(k, w, count, below, row, work):
    """The quotes' system with smoothness, at the coefficients C, to MATRIX0 and RIGHT0."""
    m = int(work[M])
    t = T + HEAD
    clear_system(m + 2, MATRIX0, RIGHT0, work)
    add_smoothness(count, below, row, work)
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
            weight = weight * (1.0 if far <= TOLERATED else TOLERATED / far)
            add_square(part, j, weight / (per * per), w[i] * per, MATRIX0, RIGHT0, work)
