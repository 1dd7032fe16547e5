"""American puts in the escrowed dividend model, by boundaries between the ex-dates.

The stock less the present value of its dividends is lognormal; exercise pays the strike less both.
Early exercise earns the interest on the strike. Before an ex-date it would also
lose the dividend: in a window before each, waiting is better however low the stock, so there is no
boundary. After the last ex-date the boundary is the usual one of the strike. Before, value matching
in the form of Andersen, Lake and Offengenden's FP-B, with what is lost in the windows, is solved
from the last span between ex-dates to the first, at Chebyshev points of the root of the time to the
window.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mmquant.core.american_boundary import LARGEST_MOVE, boundary_at_points, solve_boundary
from mmquant.core.american_boundary import LOG_B as LOG_B_TODAY
from mmquant.core.american_nodes import COUNT_LANES, COUNT_POINTS, LANES, POINT, POINT_WEIGHT, at
from mmquant.core.american_nodes import angles as angle_steps
from mmquant.core.american_premium import FULL_WORK_SIZE
from mmquant.core.dividend_grid import last_before, present_value
from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.mathfn import exp, log, norm_cdf, norm_pdf

STEPS, POINTS, ITERATIONS, MAX_SPANS = 8, 24, 8, 40
Z = 0
STEP = Z + LANES
STEP_WEIGHT = STEP + STEPS
STEP_MATRIX = STEP_WEIGHT + STEPS
PLACE = STEP_MATRIX + STEPS * LANES * LANES
PLACE_WEIGHT = PLACE + POINTS + 1
PLACE_MATRIX = PLACE_WEIGHT + POINTS + 1
TABLE_SIZE = PLACE_MATRIX + (POINTS + 1) * LANES
"""Where parts of span_tables() start; the last place is the start of a span, without weight."""

SPAN_POINTS = 64
TIME, LOG_B, NUMER, NUMER_SLOPE, FIXED, OWN, SCRATCH = range(
    FULL_WORK_SIZE, FULL_WORK_SIZE + 7 * LANES, LANES
)
"""Rows over the nodes of a span: time, logarithm of the boundary, sums, what does not change."""
POINT_TIME = SCRATCH + 2 * SPAN_POINTS
POINT_SHARE = POINT_TIME + MAX_SPANS * SPAN_POINTS
POINT_B = POINT_SHARE + MAX_SPANS * SPAN_POINTS
SPAN_START = POINT_B + MAX_SPANS * SPAN_POINTS
SPAN_END = SPAN_START + MAX_SPANS
SPAN_COUNT = SPAN_END + MAX_SPANS
SPAN_WORK_SIZE = SPAN_COUNT + MAX_SPANS
"""Points of the premium by span: time, weight, logarithm of the boundary."""


def _open_interpolation(places: np.ndarray) -> np.ndarray:
    """Matrix from values at open Chebyshev points of (0, 1) to values at ``places``."""
    z = 0.5 * (1.0 + np.cos(np.pi * (np.arange(LANES) + 0.5) / LANES))
    others = [np.delete(z, i) for i in range(LANES)]
    return np.stack(
        [np.prod((places[..., None] - o) / (z[i] - o), axis=-1) for i, o in enumerate(others)], -1
    )


@lru_cache
def span_tables() -> np.ndarray:
    """Nodes, weights and interpolation matrices of a span, as fractions of its length."""
    table = np.zeros(TABLE_SIZE)
    z = 0.5 * (1.0 + np.cos(np.pi * (np.arange(LANES) + 0.5) / LANES))
    s, weights = angle_steps(STEPS, 1.0)
    table[Z : Z + LANES] = z
    table[STEP : STEP + STEPS] = s * s
    table[STEP_WEIGHT : STEP_WEIGHT + STEPS] = weights
    own = _open_interpolation(np.sqrt(1.0 - s * s)[:, None] * z)
    table[STEP_MATRIX:PLACE] = own.swapaxes(1, 2).ravel()
    s, weights = angle_steps(POINTS, 2.0)
    s = np.append(s, 0.0)
    table[PLACE : PLACE + POINTS + 1] = s * s
    table[PLACE_WEIGHT : PLACE_WEIGHT + POINTS] = weights
    table[PLACE_MATRIX:] = _open_interpolation(np.sqrt(1.0 - s * s)).ravel()
    return table


@inner_kernel
def window_start(now, years, strike, rate, dividend_years, dividend_cash):
    """When, after ``now``, the loss of a dividend to come first outweighs the interest earned."""
    start = years
    for k in range(dividend_years.size):
        ex = dividend_years[k]
        if not now < ex <= years:
            continue
        owed = exp(-rate * ex)
        for j in range(dividend_years.size):
            t = dividend_years[j]
            if now < t <= ex:
                owed += dividend_cash[j] / strike * exp(-rate * t)
        start = min(start, -log(owed) / rate)
    return start


@inner_kernel
def add_last_span(start, years, vol, rate, strike, tables, work):
    """The span after the last ex-date. Returns the last move of its boundary."""
    moved = solve_boundary(years - start, vol, rate, 0.0, tables, work)
    boundary_at_points(tables, work, 0.0, SCRATCH)
    points = int(tables[COUNT_POINTS])
    for k in range(points):
        s = tables[POINT + k]
        work[POINT_TIME + k] = start + (years - start) * s * s
        work[POINT_SHARE + k] = (years - start) * tables[POINT_WEIGHT + k]
        work[POINT_B + k] = work[SCRATCH + k] + log(strike)
    work[SPAN_START], work[SPAN_END], work[SPAN_COUNT] = start, years, points
    return moved


@inner_kernel
def prepare_span(spans, start, end, years, vol, rate, strike, dividends, table, work):
    """Times of the nodes, a first boundary, and the terms that do not depend on it."""
    for i in range(LANES):
        t = end - (end - start) * table[Z + i] * table[Z + i]
        waited = exp(-rate * (end - t)) - exp(-rate * (years - t))
        for span in range(spans):
            low, high = work[SPAN_START + span] - t, work[SPAN_END + span] - t
            waited -= exp(-rate * low) - exp(-rate * high)
        work[TIME + i] = t
        work[FIXED + i] = strike * waited - present_value(t, years, rate, *dividends)
        work[LOG_B + i] = log(strike) - vol * table[Z + i] * math.sqrt(end - start) - 0.1


@inner_formula
def add_later(t_point, share, barrier, lanes, vol, rate, work):
    """Add a point of a later span to the sums of all nodes."""
    drift = rate - 0.5 * vol * vol
    for i in range(lanes):
        u = t_point - work[TIME + i]
        v = vol * math.sqrt(u)
        low = (work[LOG_B + i] - barrier + drift * u) / v
        a = share * exp(-rate * u)
        work[NUMER + i] += a * norm_cdf(low)
        work[NUMER_SLOPE + i] += a * norm_pdf(low) / v


@inner_formula
def add_own(k, end, lanes, vol, rate, table, work):
    """Add a step of the span's own integral to the sums of all nodes."""
    drift = rate - 0.5 * vol * vol
    fraction, weight = table[STEP + k], table[STEP_WEIGHT + k]
    for i in range(lanes):
        work[OWN + i] = 0.0
    for j in range(LANES):
        row = at(STEP_MATRIX + (k * LANES + j) * LANES)
        value = work[LOG_B + j]
        for i in range(lanes):
            work[OWN + i] += table[row + i] * value
    for i in range(lanes):
        left = end - work[TIME + i]
        u = left * fraction
        low = (work[LOG_B + i] - work[OWN + i] + drift * u) / (vol * math.sqrt(u))
        work[NUMER + i] += rate * weight * left * exp(-rate * u) * norm_cdf(low)


@inner_kernel
def move_span(spans, end, years, vol, rate, strike, table, lanes, work):
    """One Jacobi-Newton step of the nodes of a span; later spans enter the derivative."""
    top = log(strike)
    for i in range(lanes):
        work[NUMER + i] = work[NUMER_SLOPE + i] = 0.0
    for span in range(spans):
        for k in range(int(work[SPAN_COUNT + span])):
            place = span * SPAN_POINTS + k
            t, barrier = work[POINT_TIME + place], work[POINT_B + place]
            add_later(t, rate * work[POINT_SHARE + place], barrier, lanes, vol, rate, work)
    add_later(years, 1.0, top, lanes, vol, rate, work)
    for k in range(STEPS):
        add_own(k, end, lanes, vol, rate, table, work)
    drift = rate + 0.5 * vol * vol
    for i in range(lanes):
        y, tau = work[LOG_B + i], years - work[TIME + i]
        v = vol * math.sqrt(tau)
        high = (y - top + drift * tau) / v
        numer = max(strike * work[NUMER + i] + work[FIXED + i], 1e-300)
        denom = max(norm_cdf(high), 1e-300)
        slope = strike * work[NUMER_SLOPE + i] / numer - norm_pdf(high) / (v * denom)
        step = (log(numer / denom) - y) / max(1.0 - slope, 0.3)
        work[LOG_B + i] = min(y + min(max(step, -0.5), 0.5), top)


@inner_kernel
def finish_span(spans, start, end, table, work):
    """Points of a span for the integrals of earlier ones; returns its boundary at the start."""
    for k in range(POINTS + 1):
        value = 0.0
        for i in range(LANES):
            value += table[PLACE_MATRIX + k * LANES + i] * work[LOG_B + i]
        if k == POINTS:
            break
        place = spans * SPAN_POINTS + k
        work[POINT_TIME + place] = start + (end - start) * table[PLACE + k]
        work[POINT_SHARE + place] = (end - start) * table[PLACE_WEIGHT + k]
        work[POINT_B + place] = value
    work[SPAN_START + spans], work[SPAN_END + spans] = start, end
    work[SPAN_COUNT + spans] = POINTS
    return value


@inner_kernel
def solve_spans(strike, years, vol, rate, dividends, tables, table, work):
    """(spans, logarithm of the boundary today, -inf in a window); no spans, -1, where it fails."""
    lanes = at(int(tables[COUNT_LANES]))
    last = last_before(math.inf, years, dividends[0])
    spans, edge = 0, -math.inf
    if last < years:
        if not add_last_span(last, years, vol, rate, strike, tables, work) < LARGEST_MOVE:
            return -1, edge
        spans = 1
        edge = log(strike) + work[LOG_B_TODAY] if last == 0.0 else edge
    while last > 0.0:
        start = last_before(last, years, dividends[0])
        end = min(window_start(start, years, strike, rate, *dividends), last)
        if end > start:
            if spans == MAX_SPANS:
                return -1, edge
            args = (years, vol, rate, strike)
            prepare_span(spans, start, end, *args, dividends, table, work)
            for _ in range(ITERATIONS):
                move_span(spans, end, *args, table, lanes, work)
            value = finish_span(spans, start, end, table, work)
            edge = value if start == 0.0 else edge
            spans += 1
        last = start
    return spans, edge


@inner_kernel
def put_premium(asset, strike, vol, rate, spans, work):
    """Premium for early exercise of a put, and its two derivatives by the asset."""
    value, first, second = 0.0, 0.0, 0.0
    drift = rate - 0.5 * vol * vol
    x = log(asset)
    for span in range(spans):
        for k in range(int(work[SPAN_COUNT + span])):
            place = span * SPAN_POINTS + k
            t = work[POINT_TIME + place]
            v = vol * math.sqrt(t)
            low = (x - work[POINT_B + place] + drift * t) / v
            a = work[POINT_SHARE + place] * rate * strike * exp(-rate * t)
            pull = a * norm_pdf(low) / v
            value += a * norm_cdf(-low)
            first -= pull
            second += low / v * pull
    return value, first / asset, (second - first) / (asset * asset)
