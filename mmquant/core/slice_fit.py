"""The quoted slice of an expiry: SVI, and a smooth departure from it, free of arbitrage.

Index smiles and those of the last days are not SVI. The slice is a spline whose coefficients
depart from those of the SVI curve smoothly, by shares of it, in asinh of standard deviations from
the money. It goes through the middle of bid and ask by least squares in half spreads, where misses
beyond some of them count by their size only, and a quote whose middle a smooth curve nearly meets
adds little to it.
Butterfly arbitrage is excluded, and calendar arbitrage against the slice of the expiry before: on
points while fitting, then on the whole line.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.slice_base import fit_base, plain_base, write_base
from mmquant.core.slice_basis import (
    BAND,
    HEAD,
    SECOND,
    VALUE,
    T,
    close_ends,
    make_basis,
    solve_band,
)
from mmquant.core.slice_bounds import (
    add_arbitrage,
    add_ceilings,
    add_floor,
    add_g,
    add_one_sided,
)
from mmquant.core.slice_curve import calendar_slack, knots_of, least_g
from mmquant.core.slice_hold import hold
from mmquant.core.slice_quotes import (
    FIRM,
    FREELY,
    SMOOTHEST,
    borrow_knots,
    least_squares,
    place_knots,
    read_quotes,
)
from mmquant.core.slice_rows import (
    BEND,
    COUNT,
    KNOT,
    LEVEL,
    MISS,
    SLICE_FALLBACK,
    SLICE_NAN,
    SLICE_OK,
    SLICE_SIZE,
    W,
)
from mmquant.core.slice_work import (
    BASE,
    BOUNDS,
    FREE,
    MARGIN,
    MATRIX,
    MATRIX0,
    OTHER_ROW,
    RIGHT,
    RIGHT0,
    ROOT,
    WEIGHT,
    C,
    M,
    make_fit_work,
)

__all__ = ["fit_slice", "make_fit_work"]

CUTS = 3
HALVINGS = 12
LEAST_G = 1e-6
"""Least g of a slice that is taken, so that rounding leaves it above 0."""


@inner_kernel
def write_flat(row, work):
    """A flat slice on the knots of ``work``, which stays if there is no fit on them."""
    row[COUNT] = work[M]
    for j in range(int(work[M])):
        row[KNOT + j] = work[ROOT] * work[T + HEAD + j]
        row[W + j], row[BEND + j] = row[LEVEL], 0.0


@inner_kernel
def write_slice(row, work):
    """The spline of the coefficients C as a slice."""
    m = int(work[M])
    level = work[ROOT] * work[ROOT]
    row[COUNT] = m
    for j in range(m):
        v, s = VALUE + 3 * j, SECOND + 3 * j
        c0, c1, c2 = work[C + j], work[C + j + 1], work[C + j + 2]
        row[KNOT + j] = work[ROOT] * work[T + HEAD + j]
        row[W + j] = level * (work[v] * c0 + work[v + 1] * c1 + work[v + 2] * c2)
        row[BEND + j] = work[s] * c0 + work[s + 1] * c1 + work[s + 2] * c2


@inner_kernel
def free_of_arbitrage(below, row):
    """(whether it is, where g is least, where the slice before is nearest)."""
    g, k = least_g(row)
    slack, nearest = 0.0, math.nan
    if knots_of(below) > 0:
        slack, nearest = calendar_slack(below, row)
    return g >= LEAST_G and slack >= 0.0, k, nearest


@inner_kernel
def solve_free(k, w, below, row, work):
    """Coefficients FREE of the best slice, arbitrage or not. False if there are none."""
    n = int(work[M]) + 2
    for i in range(n):
        work[C + i] = work[BASE + i]
    for stage in (SMOOTHEST, SMOOTHEST, FREELY):
        least_squares(k, w, stage, below, row, work)
        for i in range(n):
            work[RIGHT + i] = work[RIGHT0 + i]
            for p in range(BAND):
                work[MATRIX + BAND * i + p] = work[MATRIX0 + BAND * i + p]
        if not solve_band(n, MATRIX, RIGHT, work):
            return False
        close_ends(n - 2, RIGHT, work)
        for i in range(n):
            if stage == SMOOTHEST:
                work[C + i] = work[RIGHT + i]
            work[FREE + i] = work[RIGHT + i]
    least_squares(k, w, FIRM, below, row, work)
    return True


@inner_kernel
def cut(z, work):
    """Bound g where it was found below zero; on a wing around there, as it moves with the slope."""
    add_g(z, work)
    if z <= work[T + HEAD] or z >= work[T + HEAD + int(work[M]) - 1]:
        add_g(0.8 * z, work)
        add_g(1.3 * z, work)
        add_g(2.0 * z, work)


@inner_kernel
def fit_on_knots(k, bid, w, ask, below, above, row, work):
    """The best slice on the knots of ``work`` to the ``row``. True if it is free of arbitrage."""
    write_flat(row, work)
    make_basis(int(work[M]), work)
    write_base(below, row, work)
    if not solve_free(k, w, below, row, work):
        return False
    work[BOUNDS], work[MARGIN] = 0.0, 1.0
    add_ceilings(below, above, work)
    add_one_sided(k, bid, ask, row[MISS], work)
    add_arbitrage(below, work)
    for _ in range(CUTS):
        hold(work)
        write_slice(row, work)
        good, worst, nearest = free_of_arbitrage(below, row)
        if good:
            return True
        work[MARGIN] *= 2.5
        if abs(worst) < math.inf:
            cut(worst / work[ROOT], work)
        if abs(nearest) < math.inf:
            add_floor(nearest / work[ROOT], below, work)
    return False


@inner_kernel
def blend(below, share, fitted, row):
    """The fitted slice, moved by a share to a flat one, or to the slice before on its knots."""
    n = int(row[COUNT])
    for i in range(n):
        plain, bend = row[LEVEL], 0.0
        if knots_of(below) > 0:
            plain, bend = below[W + i], below[BEND + i]
        # Written so that a whole share gives the plain slice to the bit.
        row[W + i] = plain + (1.0 - share) * (fitted[W + i] - plain)
        row[BEND + i] = bend + (1.0 - share) * (fitted[BEND + i] - bend)


@inner_kernel
def fall_back(below, row, work):
    """Blend the slice with a plain one, as little as frees it of arbitrage."""
    fitted = work[OTHER_ROW : OTHER_ROW + SLICE_SIZE]
    n = knots_of(below)
    for i in range(SLICE_SIZE):
        fitted[i] = row[i]
    for i in range(int(row[COUNT])):
        if not (abs(fitted[W + i]) < math.inf and abs(fitted[BEND + i]) < math.inf):
            fitted[W + i] = below[W + i] if n > 0 else row[LEVEL]
            fitted[BEND + i] = below[BEND + i] if n > 0 else 0.0
        if n > 0:
            row[KNOT + i], fitted[KNOT + i] = below[KNOT + i], below[KNOT + i]
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        share = 0.5 * (low + high)
        blend(below, share, fitted, row)
        if free_of_arbitrage(below, row)[0]:
            high = share
        else:
            low = share
    blend(below, high, fitted, row)


@kernel
def fit_slice(k, bid, w, ask, below, above, row, work):
    """Fit the slice of one expiry. Returns SLICE_OK, or another code of slice_rows.py.

    ``k`` (n,): log-moneyness, rising, at most MOST_QUOTES (2,048). ``bid``, ``w``, ``ask`` (n,):
    total variances of bid, middle and ask; a ``bid`` of NaN or 0, or an ``ask`` of NaN or inf, is
    a side without a quote, and then ``w`` is not read. ``below``: row of the slice of the expiry
    before, which this one is nowhere below; make_slice() for none. ``above`` (later, SLICE_SIZE):
    rows of later expiries' own fits, to which this one gives way inside their quotes where they
    cross; none is fine. ``row`` (SLICE_SIZE,) takes the slice, and warms the start if it holds
    one. ``work``: make_fit_work().

    SLICE_OK and SLICE_FALLBACK: g >= 0 on the whole line and no calendar arbitrage against
    ``below``. Any other: no slice in ``row``.
    """
    warm = knots_of(row) > 0
    row[COUNT] = 0.0
    status = read_quotes(k, bid, w, ask, row, work)
    if status != SLICE_OK:
        return status
    later = knots_of(below) > 0
    if below[COUNT] != 0.0 and not (later and least_g(below)[0] >= 0.0):
        return SLICE_NAN
    count = 0
    for i in range(k.size):
        count += 1 if work[WEIGHT + i] > 0.0 else 0
    work[ROOT] = math.sqrt(row[LEVEL])
    fit_base(k, count, warm, row, work)
    for _ in range(2):
        place_knots(count, below, above, row, work)
        if fit_on_knots(k, bid, w, ask, below, above, row, work):
            return SLICE_OK
        if later:
            borrow_knots(below, work)
            if fit_on_knots(k, bid, w, ask, below, above, row, work):
                return SLICE_OK
        # SVI may be far from anything free of arbitrage; a plain curve is not.
        plain_base(k.size, row, work)
    fall_back(below, row, work)
    return SLICE_FALLBACK
