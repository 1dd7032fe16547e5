"""Arbitrage of raw SVI slices: where it is, and where neighbours in time cross.

A slice is looked at on points that are even in asinh((k - m) / sigma), densely where it bends and
far out in the wings, then by golden section or bisection between them.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import INF, NAN, exp
from mmquant.core.smile import butterfly_g, svi_variance

POINTS = 400
REACH = 9.0
"""Farthest point, in asinh: 4,000 sigmas from m."""
REFINEMENTS = 50
GOLDEN = 0.6180339887498949


@inner_kernel
def place(i, m, sigma):
    x = REACH * (2.0 * i / POINTS - 1.0)
    return m + sigma * 0.5 * (exp(x) - exp(-x))


@kernel
def svi_g(k, a, b, rho, m, sigma):
    """g of raw SVI at ``k``; NaN without variance there."""
    w, slope, bend = svi_variance(k, a, b, rho, m, sigma)
    return butterfly_g(k, w, slope, bend)


@kernel
def svi_least_g(a, b, rho, m, sigma):
    """(g, k): the least g of raw SVI over the line, k infinite for its limit in a wing.

    -inf where variance is not positive, NaN for parameters that make no sense.
    """
    if not (abs(a) + abs(b) + abs(rho) + abs(m) < INF and 0.0 < sigma < INF):
        return NAN, NAN
    left, right = b * (1.0 - rho), b * (1.0 + rho)
    if min(left, right) < 0.0 or not a + sigma * math.sqrt(max(left * right, 0.0)) > 0.0:
        return -INF, m
    steep = max(left, right)
    least, where = 0.25 - 0.0625 * steep * steep, INF if right >= left else -INF
    best = -1
    for i in range(POINTS + 1):
        g = svi_g(place(i, m, sigma), a, b, rho, m, sigma)
        if g < least:
            least, best = g, i
    if best < 0:
        return least, where
    low, high = place(max(best - 1, 0), m, sigma), place(min(best + 1, POINTS), m, sigma)
    where = place(best, m, sigma)
    for _ in range(REFINEMENTS):
        at_left, at_right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        g_left, g_right = svi_g(at_left, a, b, rho, m, sigma), svi_g(at_right, a, b, rho, m, sigma)
        if min(g_left, g_right) < least:
            least, where = (g_left, at_left) if g_left < g_right else (g_right, at_right)
        if g_left < g_right:
            high = at_right
        else:
            low = at_left
    return least, where


@kernel
def svi_g_roots(a, b, rho, m, sigma, out):
    """Write where g of raw SVI changes its sign to ``out``, if there is room; their number."""
    count = 0
    k = place(0, m, sigma)
    g = svi_g(k, a, b, rho, m, sigma)
    for i in range(1, POINTS + 1):
        k_next = place(i, m, sigma)
        g_next = svi_g(k_next, a, b, rho, m, sigma)
        if (g < 0.0) != (g_next < 0.0) and count < out.size:
            low, high = k, k_next
            for _ in range(REFINEMENTS):
                middle = 0.5 * (low + high)
                if (svi_g(middle, a, b, rho, m, sigma) < 0.0) == (g < 0.0):
                    low = middle
                else:
                    high = middle
            out[count] = 0.5 * (low + high)
            count += 1
        k, g = k_next, g_next
    return count


@inner_kernel
def gap(k, near, far):
    w_near = svi_variance(k, near[0], near[1], near[2], near[3], near[4])[0]
    return svi_variance(k, far[0], far[1], far[2], far[3], far[4])[0] - w_near


@inner_kernel
def place_two(i, near, far):
    """Points around the minima of both slices."""
    middle = 0.5 * (near[3] + far[3])
    return place(i, middle, max(near[4], far[4], abs(near[3] - far[3])))


@kernel
def svi_crossings(near, far, out):
    """Where raw slices ``near`` and ``far`` (5,) cross, to ``out`` (4,), rising; their number.

    There are at most four, roots of a quartic; ones that touch may be missed.
    """
    count = 0
    k = place_two(0, near, far)
    value = gap(k, near, far)
    for i in range(1, POINTS + 1):
        k_next = place_two(i, near, far)
        value_next = gap(k_next, near, far)
        if (value < 0.0) != (value_next < 0.0) and count < out.size:
            low, high = k, k_next
            for _ in range(REFINEMENTS):
                half = 0.5 * (low + high)
                if (gap(half, near, far) < 0.0) == (value < 0.0):
                    low = half
                else:
                    high = half
            out[count] = 0.5 * (low + high)
            count += 1
        k, value = k_next, value_next
    return count


@kernel
def svi_calendar_slack(near, far):
    """(slack, k): the least of w_far - w_near of raw slices (5,); -inf where a wing is flatter."""
    if far[1] * (1.0 + far[2]) < near[1] * (1.0 + near[2]):
        return -INF, INF
    if far[1] * (1.0 - far[2]) < near[1] * (1.0 - near[2]):
        return -INF, -INF
    least, best = INF, 0
    for i in range(POINTS + 1):
        value = gap(place_two(i, near, far), near, far)
        if value < least:
            least, best = value, i
    where = place_two(best, near, far)
    low, high = place_two(max(best - 1, 0), near, far), place_two(min(best + 1, POINTS), near, far)
    for _ in range(REFINEMENTS):
        at_left, at_right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        left, right = gap(at_left, near, far), gap(at_right, near, far)
        if min(left, right) < least:
            least, where = (left, at_left) if left < right else (right, at_right)
        if left < right:
            high = at_right
        else:
            low = at_left
    return least, where
