"""Normal equations of raw SVI in a, p = b rho, q = b, m and sigma, and their damped solution."""

from __future__ import annotations

import math

from mmquant.core.jit import inner_formula, inner_kernel


@inner_kernel
def normal_equations(k, w, weight, a, p, q, m, sigma):
    """(cost, upper half of J'J by rows, J'r) of the parameters (a, p, q, m, sigma)."""
    n00, n01, n02, n03, n04 = 0.0, 0.0, 0.0, 0.0, 0.0
    n11, n12, n13, n14 = 0.0, 0.0, 0.0, 0.0
    n22, n23, n24, n33, n34, n44 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    r0, r1, r2, r3, r4, cost = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    sigma2, qsigma = sigma * sigma, q * sigma
    for i in range(k.size):
        u = weight[i]
        if u > 0.0:
            x = k[i] - m
            s = math.sqrt(x * x + sigma2)
            per = 1.0 / s
            by_m = -p - q * x * per
            by_sigma = qsigma * per
            miss = w[i] - (a + p * x + q * s)
            ux, us, um, uv, ur = u * x, u * s, u * by_m, u * by_sigma, u * miss
            n00, n01, n02, n03, n04 = n00 + u, n01 + ux, n02 + us, n03 + um, n04 + uv
            n11, n12, n13, n14 = n11 + ux * x, n12 + ux * s, n13 + ux * by_m, n14 + ux * by_sigma
            n22, n23, n24 = n22 + us * s, n23 + us * by_m, n24 + us * by_sigma
            n33, n34, n44 = n33 + um * by_m, n34 + um * by_sigma, n44 + uv * by_sigma
            r0, r1, r2 = r0 + ur, r1 + ur * x, r2 + ur * s
            r3, r4, cost = r3 + ur * by_m, r4 + ur * by_sigma, cost + ur * miss
    n = (n00, n01, n02, n03, n04, n11, n12, n13, n14, n22, n23, n24, n33, n34, n44)
    return cost, n, (r0, r1, r2, r3, r4)


@inner_formula
def pivot(diagonal, rest):
    """Inverse square root of what is left of a diagonal, 0 where that is rounding."""
    good = rest > 1e-14 * diagonal
    return 1.0 / math.sqrt(rest) if good else 0.0


@inner_formula
def damped_step(n, r, damping):
    """Solution of (N + damping diag N) step = r, by Cholesky; n is the upper half by rows."""
    n00, n01, n02, n03, n04, n11, n12, n13, n14, n22, n23, n24, n33, n34, n44 = n
    r0, r1, r2, r3, r4 = r
    d = 1.0 + damping
    i0 = pivot(n00 * d, n00 * d)
    l10, l20, l30, l40 = n01 * i0, n02 * i0, n03 * i0, n04 * i0
    i1 = pivot(n11 * d, n11 * d - l10 * l10)
    l21, l31, l41 = (n12 - l20 * l10) * i1, (n13 - l30 * l10) * i1, (n14 - l40 * l10) * i1
    i2 = pivot(n22 * d, n22 * d - l20 * l20 - l21 * l21)
    l32 = (n23 - l30 * l20 - l31 * l21) * i2
    l42 = (n24 - l40 * l20 - l41 * l21) * i2
    i3 = pivot(n33 * d, n33 * d - l30 * l30 - l31 * l31 - l32 * l32)
    l43 = (n34 - l40 * l30 - l41 * l31 - l42 * l32) * i3
    i4 = pivot(n44 * d, n44 * d - l40 * l40 - l41 * l41 - l42 * l42 - l43 * l43)
    y0 = r0 * i0
    y1 = (r1 - l10 * y0) * i1
    y2 = (r2 - l20 * y0 - l21 * y1) * i2
    y3 = (r3 - l30 * y0 - l31 * y1 - l32 * y2) * i3
    x4 = (r4 - l40 * y0 - l41 * y1 - l42 * y2 - l43 * y3) * i4 * i4
    x3 = (y3 - l43 * x4) * i3
    x2 = (y2 - l32 * x3 - l42 * x4) * i2
    x1 = (y1 - l21 * x2 - l31 * x3 - l41 * x4) * i1
    x0 = (y0 - l10 * x1 - l20 * x2 - l30 * x3 - l40 * x4) * i0
    return x0, x1, x2, x3, x4
