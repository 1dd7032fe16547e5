"""The curve that a slice departs from: SVI, or a plain one where there is none to be had."""

from __future__ import annotations

from mmquant.core.jit import inner_kernel
from mmquant.core.slice_basis import BAND, HEAD, VALUE, T, add_square, close_ends, solve_band
from mmquant.core.slice_curve import knots_of, slice_variance
from mmquant.core.slice_rows import LEVEL, SVI
from mmquant.core.slice_work import (
    BASE,
    MATRIX,
    PLAIN,
    RIGHT,
    ROOT,
    SVI_PART,
    TARGET,
    WEIGHT,
    M,
)
from mmquant.core.smile import SMILE_OK, svi_variance
from mmquant.core.svi_fit import FEWEST, SVI_WORK_SIZE, fit_svi, refit_svi

LEAST_BASE = 0.02
"""Least variance of the SVI curve, in that near the money, that departures are shares of."""
LIFT = 0.003
"""Share by which the curve is at least above the slice before."""


@inner_kernel
def plain_base(n, row, work):
    """Depart from a plain curve: the parameters of a flat one, unless there is a slice before."""
    total, level = 0.0, 0.0
    for i in range(n):
        weight = work[WEIGHT + i]
        total, level = total + weight, level + weight * work[TARGET + i]
    work[PLAIN] = 1.0
    row[SVI], row[SVI + 1], row[SVI + 2], row[SVI + 3] = level / total, 0.0, 0.0, 0.0
    row[SVI + 4] = 1.0


@inner_kernel
def fit_base(k, count, warm, row, work):
    """SVI parameters to the ``row``; a plain curve with too few quotes for them."""
    n = k.size
    weight, w = work[WEIGHT : WEIGHT + n], work[TARGET : TARGET + n]
    memo, params = work[SVI_PART : SVI_PART + SVI_WORK_SIZE], row[SVI : SVI + 5]
    work[PLAIN] = 0.0
    if count >= FEWEST:
        if warm and refit_svi(k, w, weight, params, memo) == SMILE_OK:
            return
        if fit_svi(k, w, weight, params, memo) == SMILE_OK:
            return
    plain_base(n, row, work)


@inner_kernel
def base_value(z, below, row, work):
    """The curve that the slice departs from, at ``z``, in the variance near the money."""
    root = work[ROOT]
    if work[PLAIN] > 0.0 and knots_of(below) > 0:
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
def write_base(below, row, work):
    """Coefficients of the spline through the curve at the knots, at BASE."""
    m = int(work[M])
    clear_system(m + 2, MATRIX, RIGHT, work)
    for j in range(m):
        z = work[T + HEAD + j]
        v = VALUE + 3 * j
        # Least squares with as many unknowns as knots: the weights keep shares alike.
        value = base_value(z, below, row, work)
        part = (work[v], work[v + 1], work[v + 2], 0.0)
        start = j if j < m - 1 else j - 1
        if j == m - 1:
            part = (0.0, work[v], work[v + 1], 0.0)
        add_square(part, start, 1.0 / (value * value), value, MATRIX, RIGHT, work)
    solve_band(m + 2, MATRIX, RIGHT, work)
    for i in range(m + 2):
        work[BASE + i] = work[RIGHT + i]
    close_ends(m, BASE, work)
