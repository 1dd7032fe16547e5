"""Nodes, weights and interpolation matrices of the American kernels, and where they are kept.

The boundary is known at Chebyshev points of the root of time, as the square of the logarithm of
its distance from where it starts (Andersen, Lake and Offengenden 2016, section 5). An integral over
the time to come is taken in the angle a, with t = tau sin(a)^2: the time left is tau cos(a)^2, so
both roots are smooth and Gauss-Legendre converges as fast as it can. The boundary is then asked
for at the same fractions of the root of time whatever the option, so that interpolation is one
product with a constant matrix.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mmquant.core.jit import inner_formula

FAST, ACCURATE, HIGH = 0, 1, 2
"""Settings. Root mean square errors for strikes near 100: 2e-5, 6e-7 and below 1e-8."""
SIZES = ((6, 4, 8, 24), (16, 8, 16, 32), (24, 24, 32, 64))
"""(steps of an integral, iterations, nodes of the boundary, steps of the premium) by setting."""
VOLS = ((3.0, 2.0), (5.0, 3.0), (8.0, 4.0))
"""Volatility nodes of a smile: (a, b) for a + b log(highest / lowest), by setting."""

LANES = 8
"""Doubles of a wide register: blocks of so many are worked on at once."""
MAX_STEPS, MAX_NODES, MAX_POINTS = 24, 32, 64

COUNT_STEPS, COUNT_ITERATIONS, COUNT_NODES, COUNT_POINTS, COUNT_LANES = range(5)
COUNT_VOLS, COUNT_VOLS_RANGE = 5, 6
NODE = 8
STEP = NODE + MAX_NODES
STEP_WEIGHT = STEP + MAX_STEPS
POINT = STEP_WEIGHT + MAX_STEPS
POINT_WEIGHT = POINT + MAX_POINTS
POINT_MATRIX = POINT_WEIGHT + MAX_POINTS
STEP_MATRIX = POINT_MATRIX + MAX_POINTS * MAX_NODES
TABLE_SIZE = STEP_MATRIX + MAX_STEPS * MAX_NODES * MAX_NODES
"""Where parts of a table start: roots of time as fractions of the largest, their weights, and the
matrices in blocks of (row, block of lanes, node, lane)."""


@inner_formula
def at(offset):
    """The same number; tells the compiler that it is small and not negative.

    An index that might be negative counts from the end of an array, and a loop with such a choice
    does not become vector code.
    """
    return offset & 0xFFFFFF


def angles(count: int, power: float) -> tuple[np.ndarray, np.ndarray]:
    """(sin a, weights) such that sum(w f(tau s^2)) tau = integral of f from 0 to tau.

    Gauss-Legendre in u with a = pi / 2 u^power. With a power of 2, steps are denser where time
    starts: derivatives next to the boundary need it.
    """
    x, w = np.polynomial.legendre.leggauss(count)
    u = 0.5 * (x + 1.0)
    a = 0.5 * math.pi * u**power
    return np.sin(a), 0.25 * math.pi * w * power * u ** (power - 1.0) * np.sin(2.0 * a)


def chebyshev(count: int) -> np.ndarray:
    """Chebyshev points from 1 down to, but without, 0."""
    return 0.5 * (1.0 + np.cos(np.pi * np.arange(count) / count))


def interpolation(count: int, at: np.ndarray) -> np.ndarray:
    """Matrix from values at ``chebyshev(count)``, and 0 at 0, to values at ``at``: barycentric."""
    nodes = np.append(chebyshev(count), 0.0)
    weights = (-1.0) ** np.arange(count + 1)
    weights[[0, -1]] *= 0.5
    away = at[..., None] - nodes
    exact = away == 0.0
    terms = weights / np.where(exact, 1.0, away)
    matrix = terms / terms.sum(axis=-1, keepdims=True)
    return np.where(exact.any(axis=-1, keepdims=True), exact, matrix)[..., :count]


@lru_cache
def tables(setting: int) -> np.ndarray:
    """All that depends on the setting alone, in one array of float64."""
    if setting not in (FAST, ACCURATE, HIGH):
        raise ValueError(f"setting {setting} of the American kernels: must be 0, 1 or 2")
    steps, _, nodes, points = SIZES[setting]
    table = np.zeros(TABLE_SIZE)
    table[:7] = *SIZES[setting], LANES, *VOLS[setting]
    table[NODE : NODE + nodes] = chebyshev(nodes)
    s, weights = angles(steps, 1.0)
    table[STEP : STEP + steps] = s
    table[STEP_WEIGHT : STEP_WEIGHT + steps] = weights
    left = np.sqrt(1.0 - s * s)
    _store(table, STEP_MATRIX, interpolation(nodes, left[:, None] * chebyshev(nodes)))
    s, weights = angles(points, 2.0)
    table[POINT : POINT + points] = s
    table[POINT_WEIGHT : POINT_WEIGHT + points] = weights
    _store(table, POINT_MATRIX, interpolation(nodes, np.sqrt(1.0 - s * s))[None])
    return table


def _store(table: np.ndarray, start: int, matrix: np.ndarray) -> None:
    """A matrix (row, lane, node) in blocks of (row, block of lanes, node, lane)."""
    rows, lanes, nodes = matrix.shape
    blocks = matrix.reshape(rows, lanes // LANES, LANES, nodes).swapaxes(2, 3)
    table[start : start + blocks.size] = blocks.ravel()
