"""Mills' ratio M(y) = (1 - Phi(y)) / phi(y) at two points, and the slope between them.

Option prices are differences of normal tails, and lose all their digits where the tails are
close. Here the difference is never taken: Horner's scheme at the first point leaves the polynomial
that is the divided difference, and that is evaluated at the second. M over its pole is a rising
function, so that no terms cancel, for any two points. Coefficients:
tests/core/make_mills_tables.py.
"""

from __future__ import annotations

from mmquant.core.jit import inner_formula
from mmquant.core.mills_tables import MILLS_EVEN, MILLS_ODD, MILLS_POLE, MILLS_SCALE


@inner_formula
def _down(c, x1, x2, value, slope):
    """Five more coefficients of Horner's scheme at x1, and of the divided difference at x2."""
    value = c[4] + x1 * value
    slope = value + x2 * slope
    value = c[3] + x1 * value
    slope = value + x2 * slope
    value = c[2] + x1 * value
    slope = value + x2 * slope
    value = c[1] + x1 * value
    slope = value + x2 * slope
    value = c[0] + x1 * value
    slope = value + x2 * slope
    return value, slope


@inner_formula
def _polynomial(c, x1, x2):
    """(p(x1), (p(x1) - p(x2)) / (x1 - x2)) for a polynomial of 15 coefficients."""
    top, low = c[2], c[0]
    value = top[3] + x1 * top[4]
    slope = value + x2 * top[4]
    value = top[2] + x1 * value
    slope = value + x2 * slope
    value = top[1] + x1 * value
    slope = value + x2 * slope
    value = top[0] + x1 * value
    slope = value + x2 * slope
    value, slope = _down(c[1], x1, x2, value, slope)
    value = low[4] + x1 * value
    slope = value + x2 * slope
    value = low[3] + x1 * value
    slope = value + x2 * slope
    value = low[2] + x1 * value
    slope = value + x2 * slope
    value = low[1] + x1 * value
    slope = value + x2 * slope
    return low[0] + x1 * value, slope


@inner_formula
def mills_pair(y1, y2):
    """(M(y1), M(y2), (M(y1) - M(y2)) / (y2 - y1)) for two points from MILLS_START on."""
    w1 = MILLS_POLE + y1
    w2 = MILLS_POLE + y2
    both = 1.0 / (w1 * w2)
    t1 = w2 * both
    t2 = w1 * both
    v1 = MILLS_SCALE * t1
    v2 = MILLS_SCALE * t2
    u1 = v1 - 1.0
    u2 = v2 - 1.0
    even, even_slope = _polynomial(MILLS_EVEN, u1 * u1, u2 * u2)
    odd, odd_slope = _polynomial(MILLS_ODD, u1 * u1, u2 * u2)
    h1 = even + u1 * odd
    h_slope = (u1 + u2) * (even_slope + u2 * odd_slope) + odd
    slope = h1 + v2 * h_slope
    flat1 = 1.0 + v1 * h1
    flat2 = flat1 - (v1 - v2) * slope
    return t1 * flat1, t2 * flat2, both * (flat1 + v2 * slope)
