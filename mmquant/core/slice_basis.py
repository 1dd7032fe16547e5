"""Natural cubic splines with local coefficients, and the banded systems that these lead to.

A spline with knots t is a sum of cubic B-splines: three are not zero at a knot, four between two.
The first and the last coefficient follow from the second derivative being zero at both ends.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.slice_rows import KNOTS

SIZE = KNOTS + 2
"""Coefficients, with the two that are not free."""
BAND = 4
"""Entries of a row of a symmetric banded matrix: the diagonal and three to its right."""
T, VALUE, SECOND = 0, KNOTS + 4, KNOTS + 4 + 3 * KNOTS
END = SECOND + 3 * KNOTS
"""Knots with two more at each end; values and second derivatives of three B-splines at a knot."""
HEAD = 2
BASIS_SIZE = END + 4


@inner_kernel
def make_basis(m, work):
    """Tables of the B-splines whose ``m`` knots are at T + HEAD of ``work``."""
    t = T + HEAD
    first, last = work[t + 1] - work[t], work[t + m - 1] - work[t + m - 2]
    work[t - 1], work[t - 2] = work[t] - first, work[t] - 2.0 * first
    work[t + m], work[t + m + 1] = work[t + m - 1] + last, work[t + m - 1] + 2.0 * last
    for j in range(m):
        before2, before, here = work[t + j - 2], work[t + j - 1], work[t + j]
        after, after2 = work[t + j + 1], work[t + j + 2]
        left = 1.0 / ((after - before) * (after - before2))
        right = 1.0 / ((after - before) * (after2 - before))
        v0 = (after - here) * (after - here) * left
        v2 = (here - before) * (here - before) * right
        work[VALUE + 3 * j], work[VALUE + 3 * j + 2] = v0, v2
        work[VALUE + 3 * j + 1] = 1.0 - v0 - v2
        work[SECOND + 3 * j], work[SECOND + 3 * j + 2] = 6.0 * left, 6.0 * right
        work[SECOND + 3 * j + 1] = -6.0 * (left + right)
    fold(m, work)


@inner_kernel
def fold(m, work):
    """Write the ends' coefficients, by which the ends do not bend, into the tables."""
    per = -1.0 / work[SECOND]
    work[END], work[END + 1] = per * work[SECOND + 1], per * work[SECOND + 2]
    work[VALUE + 1] += work[VALUE] * work[END]
    work[VALUE + 2] += work[VALUE] * work[END + 1]
    last, bend = VALUE + 3 * (m - 1), SECOND + 3 * (m - 1)
    per = -1.0 / work[bend + 2]
    work[END + 2], work[END + 3] = per * work[bend], per * work[bend + 1]
    work[last] += work[last + 2] * work[END + 2]
    work[last + 1] += work[last + 2] * work[END + 3]
    work[VALUE], work[last + 2] = 0.0, 0.0
    for i in range(3):
        work[SECOND + i], work[bend + i] = 0.0, 0.0


@inner_formula
def four(j, a, b, c, d, work):
    """Weights of the four coefficients from ``j`` on, for those of the values and bends there."""
    v, s = VALUE + 3 * j, SECOND + 3 * j
    return (
        a * work[v] + c * work[s],
        a * work[v + 1] + b * work[v + 3] + c * work[s + 1] + d * work[s + 3],
        a * work[v + 2] + b * work[v + 4] + c * work[s + 2] + d * work[s + 4],
        b * work[v + 5] + d * work[s + 5],
    )


@inner_kernel
def value_row(z, j, work):
    """Weights of the coefficients from ``j`` on in the value at ``z``, after knot ``j``."""
    start = work[T + HEAD + j]
    h = work[T + HEAD + j + 1] - start
    b = (z - start) / h
    a = 1.0 - b
    sixth = h * h * (1.0 / 6.0)
    return four(j, a, b, (a * a - 1.0) * a * sixth, (b * b - 1.0) * b * sixth, work)


@inner_kernel
def slope_row(z, j, work):
    """As value_row, of the first derivative."""
    start = work[T + HEAD + j]
    h = work[T + HEAD + j + 1] - start
    b = (z - start) / h
    a = 1.0 - b
    sixth = h * (1.0 / 6.0)
    per = 1.0 / h
    return four(j, -per, per, (1.0 - 3.0 * a * a) * sixth, (3.0 * b * b - 1.0) * sixth, work)


@inner_kernel
def bend_row(z, j, work):
    """As value_row, of the second derivative."""
    start = work[T + HEAD + j]
    b = (z - start) / (work[T + HEAD + j + 1] - start)
    return four(j, 0.0, 0.0, 1.0 - b, b, work)


@inner_formula
def dot(row, j, c, work):
    """A row of weights times the coefficients at ``c`` of ``work``, from ``j`` on."""
    return (row[0] * work[c + j] + row[1] * work[c + j + 1]) + (
        row[2] * work[c + j + 2] + row[3] * work[c + j + 3]
    )


@inner_kernel
def add_square(row, j, weight, target, matrix, right, work):
    """Add weight (row . c - target)^2 / 2 to a banded system."""
    for p in range(4):
        scaled = weight * row[p]
        place = matrix + BAND * (j + p)
        work[right + j + p] += scaled * target
        for q in range(p, 4):
            work[place + q - p] += scaled * row[q]


@inner_kernel
def factor_band(n, matrix, work):
    """Turn a positive definite banded matrix into its factors (L D L'). False if it is not."""
    for i in range(n):
        row = matrix + BAND * i
        if not (0.0 < work[row] < math.inf):
            return False
        per = 1.0 / work[row]
        for p in range(1, min(BAND, n - i)):
            share = work[row + p] * per
            below = matrix + BAND * (i + p)
            for q in range(p, min(BAND, n - i)):
                work[below + q - p] -= share * work[row + q]
        for p in range(1, min(BAND, n - i)):
            work[row + p] *= per
    return True


@inner_kernel
def solve_factored(n, matrix, right, work):
    """Solve a system of which factor_band() has the factors, in place at ``right``."""
    for i in range(n):
        row = matrix + BAND * i
        value = work[right + i]
        for p in range(1, min(BAND, n - i)):
            work[right + i + p] -= work[row + p] * value
        work[right + i] = value / work[row]
    for i in range(n - 1, -1, -1):
        row = matrix + BAND * i
        total = work[right + i]
        for p in range(1, min(BAND, n - i)):
            total -= work[row + p] * work[right + i + p]
        work[right + i] = total


@inner_kernel
def solve_band(n, matrix, right, work):
    """Solve a positive definite banded system in place, the solution at ``right``. False if not."""
    if not factor_band(n, matrix, work):
        return False
    solve_factored(n, matrix, right, work)
    return math.isfinite(work[right])


@inner_kernel
def close_ends(m, c, work):
    """The two coefficients that follow from the others."""
    work[c] = work[END] * work[c + 1] + work[END + 1] * work[c + 2]
    work[c + m + 1] = work[END + 2] * work[c + m - 1] + work[END + 3] * work[c + m]
