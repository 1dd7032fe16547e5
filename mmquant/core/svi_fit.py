"""Raw SVI through quotes, by weighted least squares.

For given m and sigma, SVI is linear in a, p = b rho and q = b: the quasi-explicit method of De
Marco and Martini (2009). A cold start solves it on a grid of m and sigma, all guesses at once, and
goes on from the best by Levenberg and Marquardt's method in all five; a warm start does the latter
alone. Parameters are kept where SVI makes sense: |rho| <= 1, wings no steeper than 2, no variance
below zero.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.american_nodes import at
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.smile import SMILE_BAD_START, SMILE_FEW, SMILE_NAN, SMILE_NARROW, SMILE_OK
from mmquant.core.svi_normal import damped_step, normal_equations

FEWEST = 5
"""Quotes that five parameters need."""
SHIFTS = (-0.35, -0.15, -0.05, 0.0, 0.1, 0.3)
WIDTHS = (0.02, 0.08, 0.25, 0.8)
"""m and sigma of the guesses, in ranges of the quotes from the lowest of them."""
GUESSES = 24
M, SIGMA2, SUM_S, SUM_XS, SUM_SW = range(0, 5 * GUESSES, GUESSES)
SVI_WORK_SIZE = 5 * GUESSES
STEEPEST = 2.0
RHO_MOST = 0.9999
MOST_STEPS = 60
SMALL_GAIN = 1e-7
"""Share of the cost that a step must still gain for another to follow."""
NEARLY = 1e-20
EXACT = 1e-30
"""Cost against the sum of squares that is nothing but rounding."""


def make_svi_work() -> np.ndarray:
    """Memory of the fits for one thread."""
    return np.zeros(SVI_WORK_SIZE)


@inner_kernel
def quotes_status(k, w, weight, fewest):
    """(status, lowest k, highest k, k of the least w) of the quotes that have weight."""
    low, high, least, where, count = math.inf, -math.inf, math.inf, 0.0, 0
    for i in range(k.size):
        if not (0.0 <= weight[i] < math.inf):
            return SMILE_NAN, 0.0, 0.0, 0.0
        if weight[i] > 0.0:
            if not (abs(k[i]) < math.inf and 0.0 < w[i] < math.inf):
                return SMILE_NAN, 0.0, 0.0, 0.0
            low, high = min(low, k[i]), max(high, k[i])
            count += 1
            if w[i] < least:
                least, where = w[i], k[i]
    status = SMILE_OK if high > low else SMILE_NARROW
    return SMILE_FEW if count < fewest else status, low, high, where


@inner_kernel
def sum_guesses(k, w, weight, lanes, work):
    """Sums over the quotes that depend on the guess, for all guesses; others are returned."""
    for j in range(lanes):
        work[SUM_S + j], work[SUM_XS + j], work[SUM_SW + j] = 0.0, 0.0, 0.0
    s0, s1, s2, sw, s1w, sww = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(k.size):
        u, y, x = weight[i], w[i], k[i]
        if u > 0.0:
            ux, uy = u * x, u * y
            s0, s1, s2 = s0 + u, s1 + ux, s2 + ux * x
            sw, s1w, sww = sw + uy, s1w + ux * y, sww + uy * y
            for j in range(lanes):
                from_m = x - work[M + j]
                root = u * math.sqrt(from_m * from_m + work[SIGMA2 + j])
                work[SUM_S + j] += root
                work[SUM_XS + j] += root * from_m
                work[SUM_SW + j] += root * y
    return s0, s1, s2, sw, s1w, sww


@inner_formula
def two_least_squares(s0, sv, svv, sw, svw):
    """(level, slope, gain) of the straight line through w by one regressor v."""
    spread = svv * s0 - sv * sv
    flat = not (spread > 1e-14 * svv * s0)
    slope = 0.0 if flat else (svw * s0 - sv * sw) / spread
    level = (sw - slope * sv) / s0
    return level, slope, level * sw + slope * svw


@inner_kernel
def solve_guess(j, sums, work):
    """(gain, a, p, q) of the best SVI with m and sigma of guess ``j``; gain is what it explains."""
    s0, s1, s2, sw, s1w, _ = sums
    m, sigma2 = work[M + j], work[SIGMA2 + j]
    sx = s1 - m * s0
    sxx = s2 - 2.0 * m * s1 + m * m * s0
    sxw = s1w - m * sw
    ss, sxs, ssw = work[SUM_S + j], work[SUM_XS + j], work[SUM_SW + j]
    sss = sxx + sigma2 * s0
    # Centred, two by two.
    cxx, cxs, css = sxx - sx * sx / s0, sxs - sx * ss / s0, sss - ss * ss / s0
    cxw, csw = sxw - sx * sw / s0, ssw - ss * sw / s0
    det = cxx * css - cxs * cxs
    if det > 1e-12 * cxx * css:
        p, q = (cxw * css - csw * cxs) / det, (csw * cxx - cxw * cxs) / det
        if abs(p) <= q:
            level = (sw - p * sx - q * ss) / s0
            return level * sw + p * sxw + q * ssw, level, p, q
    best, a_best, p_best, q_best = sw * sw / s0, sw / s0, 0.0, 0.0
    for sign in (-1.0, 1.0):
        sv = ss + sign * sx
        svv = sss + 2.0 * sign * sxs + sxx
        level, q, gain = two_least_squares(s0, sv, svv, sw, ssw + sign * sxw)
        if q > 0.0 and gain > best:
            best, a_best, p_best, q_best = gain, level, sign * q, q
    return best, a_best, p_best, q_best


@inner_formula
def inside(a, p, q, sigma):
    """The parameters, moved to where SVI makes sense."""
    q = q if q > 0.0 else 0.0
    edge = RHO_MOST * q
    p = edge if p > edge else p
    p = -edge if p < -edge else p
    steep = q + abs(p)
    scale = STEEPEST / steep if steep > STEEPEST else 1.0
    p, q = p * scale, q * scale
    floor = -sigma * math.sqrt((q - p) * (q + p))
    return floor if a < floor else a, p, q


@inner_kernel
def project(k, w, weight, m, sigma, work):
    """The best (a, p, q) for given m and sigma, where SVI makes sense."""
    work[M], work[SIGMA2] = m, sigma * sigma
    sums = sum_guesses(k, w, weight, 1, work)
    _, a, p, q = solve_guess(0, sums, work)
    return inside(a, p, q, sigma)


@inner_kernel
def descend(k, w, weight, low, high, start, work):
    """Levenberg-Marquardt from (a, p, q, m, sigma). Returns them.

    Each step in m and sigma is followed by the best of the others: the valley is narrow and bent
    where sigma is as wide as the quotes. The last steps are in all five, which is more exact.
    """
    span = high - low
    a, p, q, m, sigma = start
    cost, n, r = normal_equations(k, w, weight, a, p, q, m, sigma)
    total = 0.0
    for i in range(k.size):
        if weight[i] > 0.0:
            total += weight[i] * w[i] * w[i]
    damping, jointly = 1e-4, False
    for _ in range(MOST_STEPS):
        if cost <= EXACT * total:
            break
        da, dp, dq, dm, ds = damped_step(n, r, damping)
        m_new = min(max(m + dm, low - span), high + span)
        sigma_new = min(max(sigma + ds, 0.2 * sigma, 1e-5 * span), 5.0 * sigma, 10.0 * span)
        if jointly:
            a_new, p_new, q_new = inside(a + da, p + dp, q + dq, sigma_new)
        else:
            a_new, p_new, q_new = project(k, w, weight, m_new, sigma_new, work)
        cost_new, n_new, r_new = normal_equations(
            k, w, weight, a_new, p_new, q_new, m_new, sigma_new
        )
        done = cost - cost_new <= SMALL_GAIN * cost
        if cost_new < cost:
            a, p, q, m, sigma, n, r = a_new, p_new, q_new, m_new, sigma_new, n_new, r_new
            cost = cost_new
            damping = max(damping * 0.05, 1e-14)
        elif damping < 1e3:
            damping, done = damping * 20.0, False
        if done and jointly:
            break
        if done or cost <= NEARLY * total:
            jointly = True
    return a, p, q, m, sigma


@inner_formula
def write_raw(a, p, q, m, sigma, params):
    params[0], params[1] = a, q
    params[2] = p / q if q > 0.0 else 0.0
    params[3], params[4] = m, sigma


@kernel
def fit_svi(k, w, weight, params, work):
    """Raw SVI through quotes, from nothing. Returns SMILE_OK or why there is none.

    ``k``, ``w`` and ``weight`` (n,): log-moneyness, total variance and what its squared miss costs;
    quotes of weight 0 do not count, others must be finite and have variance. ``params`` (5,) takes
    a, b, rho, m and sigma, NaN without a fit. ``work``: make_svi_work().
    """
    for i in range(5):
        params[i] = math.nan
    status, low, high, where = quotes_status(k, w, weight, FEWEST)
    if status != SMILE_OK:
        return status
    span = high - low
    for i in range(len(SHIFTS)):
        for j in range(len(WIDTHS)):
            width = WIDTHS[j] * span
            work[M + i * len(WIDTHS) + j] = where + SHIFTS[i] * span
            work[SIGMA2 + i * len(WIDTHS) + j] = width * width
    sums = sum_guesses(k, w, weight, at(GUESSES), work)
    best = -math.inf
    start = (0.0, 0.0, 0.0, 0.0, 1.0)
    for j in range(GUESSES):
        gain, a, p, q = solve_guess(j, sums, work)
        if gain > best:
            best = gain
            start = (a, p, q, work[M + j], math.sqrt(work[SIGMA2 + j]))
    a, p, q = inside(start[0], start[1], start[2], start[4])
    start = (a, p, q, start[3], start[4])
    a, p, q, m, sigma = descend(k, w, weight, low, high, start, work)
    write_raw(a, p, q, m, sigma, params)
    return SMILE_OK


@kernel
def refit_svi(k, w, weight, params, work):
    """As fit_svi, from the ``params`` of a slice that is about right, which it replaces.

    SMILE_BAD_START, with ``params`` as they were, where these are no slice.
    """
    status, low, high, _ = quotes_status(k, w, weight, FEWEST)
    if status != SMILE_OK:
        for i in range(5):
            params[i] = math.nan
        return status
    a, b, rho, m, sigma = params[0], params[1], params[2], params[3], params[4]
    if not (abs(a) < math.inf and 0.0 <= b <= STEEPEST and abs(rho) <= 1.0):
        return SMILE_BAD_START
    if not (abs(m) < math.inf and 0.0 < sigma < math.inf):
        return SMILE_BAD_START
    start = (a, b * rho, b, m, sigma)
    a, p, q, m, sigma = descend(k, w, weight, low, high, start, work)
    write_raw(a, p, q, m, sigma, params)
    return SMILE_OK
