"""The early-exercise boundary of an American put with strike 1, at Chebyshev points of time.

Start: QD+ of Li (2010), by Newton's method in the logarithm. Then the fixed-point system FP-B of
Andersen, Lake and Offengenden (2016), whose steps are of the partial Jacobi-Newton kind. All nodes
move at once, ``LANES`` in a wide register.
"""

from __future__ import annotations

import math

from mmquant.core.american_nodes import (
    COUNT_ITERATIONS,
    COUNT_LANES,
    COUNT_NODES,
    COUNT_POINTS,
    COUNT_STEPS,
    LANES,
    MAX_NODES,
    MAX_STEPS,
    NODE,
    POINT_MATRIX,
    STEP,
    STEP_MATRIX,
    STEP_WEIGHT,
    at,
)
from mmquant.core.jit import inner_apart_kernel, inner_formula
from mmquant.core.mathfn import exp, expm1, log, norm_cdf, norm_pdf

ROOT, ROOT_INV, DISC_RATE, DISC_YIELD, LOG_B, SQUARE, NUMER, DENOM, POWER, SCALE = range(
    0, 10 * MAX_NODES, MAX_NODES
)
"""Rows of ``work`` over the nodes: sqrt(tau), 1 / (vol sqrt(tau)), discount factors, logarithm of
the boundary, its squared distance, sums, and two constants of QD+."""
GAP = 10 * MAX_NODES
GRID = GAP + LANES
WORK_SIZE = GRID + 2 * MAX_STEPS * MAX_NODES
QD_STEPS = 3
LARGEST_MOVE = 0.02
"""A boundary whose logarithm still moves by more has not converged."""
PATIENCE = 5
"""How many times the usual iterations are done at most, for volatilities above 2 or so."""
LOWEST = -600.0
"""The smallest logarithm of a boundary."""


@inner_formula
def log_start(rate, dividend_yield):
    """Logarithm of the boundary just before expiry: min(1, rate / yield)."""
    return log(rate / dividend_yield) if dividend_yield > rate else 0.0


@inner_formula
def log_perpetual(vol, rate, dividend_yield):
    """Logarithm of the boundary of an option without expiry, the lowest of all."""
    variance = vol * vol
    half = 0.5 - (rate - dividend_yield) / variance
    above = abs(half) + math.sqrt(half * half + 2.0 * rate / variance)
    power = -above if half < 0.0 else -2.0 * rate / (variance * above)
    return max(log(power / (power - 1.0)), LOWEST) if power < 0.0 else LOWEST


@inner_formula
def qd_equation(y, root, root_inv, disc_rate, disc_yield, power, scale, vol, rate, dividend_yield):
    """(f, f', f'') by y of Li's equation for the logarithm y of the boundary."""
    s = exp(y)
    v = vol * root
    low = (y + (rate - dividend_yield - 0.5 * vol * vol) * root * root) * root_inv
    high = low + v
    asset = s * disc_yield * norm_cdf(-high)
    put = disc_rate * norm_cdf(-low) - asset
    density = disc_rate * norm_pdf(low) * root_inv
    slope = -high * root_inv
    density1 = density * (1.0 + slope)
    density2 = density1 * (1.0 + slope) - density * root_inv * root_inv
    asset1, asset2 = asset - density, asset - density - density1
    half = 0.5 * vol * vol
    drift = rate - dividend_yield
    f = power * (1.0 - s - put) + s - asset - scale * (drift * asset + rate * put - half * density)
    theta1 = drift * asset1 - rate * asset - half * density1
    f1 = power * (asset - s) + s - asset1 - scale * theta1
    theta2 = drift * asset2 - rate * asset1 - half * density2
    f2 = power * (asset1 - s) + s - asset2 - scale * theta2
    return f, f1, f2


@inner_formula
def prepare_nodes(tables, work, block, lanes, years, vol, rate, dividend_yield):
    """Fill the constant rows of a block of nodes, and a first boundary."""
    longest = math.sqrt(years)
    top = log_start(rate, dividend_yield)
    variance = vol * vol
    beta1 = 2.0 * (rate - dividend_yield) / variance - 1.0
    for i in range(lanes):
        root = tables[NODE + block + i] * longest
        root = root if root > 0.0 else longest
        tau = root * root
        disc_rate = exp(-rate * tau)
        lost = -expm1(-rate * tau)
        a = 2.0 * rate / (variance * lost) if lost != 0.0 else 2.0 / (variance * tau)
        width2 = beta1 * beta1 + 4.0 * a
        width = math.sqrt(width2)
        work[ROOT + block + i] = root
        work[ROOT_INV + block + i] = 1.0 / (vol * root)
        work[DISC_RATE + block + i] = disc_rate
        work[DISC_YIELD + block + i] = exp(-dividend_yield * tau)
        work[POWER + block + i] = -0.5 * (beta1 + width) + disc_rate * (a - a * a / width2) / width
        work[SCALE + block + i] = 2.0 / (variance * width)
        work[LOG_B + block + i] = top - 0.3 * vol * root


@inner_formula
def start_boundary(work, block, lanes, vol, rate, dividend_yield):
    """QD+ for a block of nodes."""
    top = log_start(rate, dividend_yield)
    bottom = log_perpetual(vol, rate, dividend_yield)
    for _ in range(QD_STEPS):
        for i in range(lanes):
            y = work[LOG_B + block + i]
            f, f1, f2 = qd_equation(
                y,
                work[ROOT + block + i],
                work[ROOT_INV + block + i],
                work[DISC_RATE + block + i],
                work[DISC_YIELD + block + i],
                work[POWER + block + i],
                work[SCALE + block + i],
                vol,
                rate,
                dividend_yield,
            )
            below = f1 * f1 - 0.5 * f * f2
            step = f * f1 / below if below > 0.0 else 0.0
            step = -1.0 if step < -1.0 else step
            step = 1.0 if step > 1.0 else step
            y = y - step
            y = top if y > top else y
            work[LOG_B + block + i] = bottom if y < bottom else y


@inner_formula
def prepare_steps(tables, work, block, lanes, steps, rate, dividend_yield):
    """Discounted weights of the integrals of a block of nodes."""
    for k in range(steps):
        s = tables[STEP + k]
        weight = tables[STEP_WEIGHT + k]
        row = at((k * MAX_NODES + block) * 2)
        for i in range(lanes):
            tau = work[ROOT + block + i] * work[ROOT + block + i]
            t = tau * (s * s)
            work[GRID + row + i] = rate * weight * tau * exp(-rate * t)
            work[GRID + row + LANES + i] = dividend_yield * weight * tau * exp(-dividend_yield * t)


@inner_formula
def interpolate(tables, work, lanes, start, nodes):
    """GAP: the boundary's squared distance where a block of a matrix asks for it."""
    for j in range(0, nodes, LANES):
        row = at(start + j * LANES)
        first = at(j)
        h0, h1 = work[SQUARE + first], work[SQUARE + first + 1]
        h2, h3 = work[SQUARE + first + 2], work[SQUARE + first + 3]
        h4, h5 = work[SQUARE + first + 4], work[SQUARE + first + 5]
        h6, h7 = work[SQUARE + first + 6], work[SQUARE + first + 7]
        for i in range(lanes):
            low = (tables[row + i] * h0 + tables[row + 8 + i] * h1) + (
                tables[row + 16 + i] * h2 + tables[row + 24 + i] * h3
            )
            high = (tables[row + 32 + i] * h4 + tables[row + 40 + i] * h5) + (
                tables[row + 48 + i] * h6 + tables[row + 56 + i] * h7
            )
            before = work[GAP + i] if j > 0 else 0.0
            work[GAP + i] = before + (low + high)


@inner_formula
def add_european(work, block, lanes, drift, vol):
    """Start the sums of a block with the terms of the European option."""
    for i in range(lanes):
        root = work[ROOT + block + i]
        low = (work[LOG_B + block + i] + drift * root * root) * work[ROOT_INV + block + i]
        work[NUMER + block + i] = work[DISC_RATE + block + i] * norm_cdf(low)
        work[DENOM + block + i] = work[DISC_YIELD + block + i] * norm_cdf(low + vol * root)


@inner_formula
def add_step(tables, work, block, lanes, k, top, drift, vol):
    """Add one step of the integrals to the sums of a block."""
    s = tables[STEP + k]
    s_inv = 1.0 / s
    row = at((k * MAX_NODES + block) * 2)
    for i in range(lanes):
        square = work[GAP + i]
        distance = math.sqrt(square if square > 0.0 else 0.0)
        ratio = distance - (top - work[LOG_B + block + i])
        root = work[ROOT + block + i] * s
        low = ratio * (work[ROOT_INV + block + i] * s_inv) + drift * root / vol
        work[NUMER + block + i] += work[GRID + row + i] * norm_cdf(low)
        work[DENOM + block + i] += work[GRID + row + LANES + i] * norm_cdf(low + vol * root)


@inner_formula
def move_nodes(work, block, lanes, top, bottom, drift, vol):
    """One Jacobi-Newton step of a block. Returns the largest move."""
    for i in range(lanes):
        y = work[LOG_B + block + i]
        root, root_inv = work[ROOT + block + i], work[ROOT_INV + block + i]
        numer, denom = work[NUMER + block + i], work[DENOM + block + i]
        usable = (numer > 1e-300) & (denom > 1e-300)
        numer = numer if usable else 1.0
        denom = denom if usable else 1.0
        low = (y + drift * root * root) * root_inv
        density = work[DISC_RATE + block + i] * norm_pdf(low) * root_inv
        rest = 1.0 - density / numer + density * exp(-y) / denom
        rest = rest if rest > 0.5 else 0.5
        step = (log(numer / denom) - y) / rest
        step = step if usable else 0.0
        y_new = y + step
        y_new = top if y_new > top else y_new
        work[LOG_B + block + i] = bottom if y_new < bottom else y_new
        work[GAP + i] = abs(work[LOG_B + block + i] - y)
    largest = 0.0
    for i in range(lanes):
        largest = max(largest, work[GAP + i])
    return largest


@inner_formula
def iterate(tables, work, lanes, steps, nodes, top, bottom, drift, vol):
    """Move all nodes once. Returns the largest move."""
    moved = 0.0
    for j in range(nodes):
        distance = top - work[LOG_B + j]
        work[SQUARE + j] = distance * distance
    for j in range(0, nodes, LANES):
        block = at(j)
        add_european(work, block, lanes, drift, vol)
        for k in range(steps):
            interpolate(tables, work, lanes, STEP_MATRIX + (k * nodes + j) * nodes, nodes)
            add_step(tables, work, block, lanes, k, top, drift, vol)
        moved = max(moved, move_nodes(work, block, lanes, top, bottom, drift, vol))
    return moved


@inner_apart_kernel
def solve_boundary(years, vol, rate, dividend_yield, tables, work):
    """Leave the logarithm of the boundary in LOG_B of ``work``. Returns the last move.

    For a put with strike 1, rate >= 0, and a yield below zero where the rate is zero.
    """
    lanes = at(int(tables[COUNT_LANES]))
    steps, nodes = int(tables[COUNT_STEPS]), int(tables[COUNT_NODES])
    top = log_start(rate, dividend_yield)
    bottom = log_perpetual(vol, rate, dividend_yield)
    drift = rate - dividend_yield - 0.5 * vol * vol
    for j in range(0, nodes, LANES):
        block = at(j)
        prepare_nodes(tables, work, block, lanes, years, vol, rate, dividend_yield)
        start_boundary(work, block, lanes, vol, rate, dividend_yield)
        prepare_steps(tables, work, block, lanes, steps, rate, dividend_yield)
    usual = int(tables[COUNT_ITERATIONS])
    moved = math.inf
    for iteration in range(PATIENCE * usual):
        if iteration >= usual and moved < LARGEST_MOVE:
            break
        moved = iterate(tables, work, lanes, steps, nodes, top, bottom, drift, vol)
    return moved


@inner_formula
def boundary_at_points(tables, work, top, start):
    """Logarithms of the boundary at the points of the premium, to ``work[start:]``."""
    lanes = at(int(tables[COUNT_LANES]))
    nodes = int(tables[COUNT_NODES])
    for j in range(nodes):
        distance = top - work[LOG_B + j]
        work[SQUARE + j] = distance * distance
    for k in range(0, int(tables[COUNT_POINTS]), LANES):
        interpolate(tables, work, lanes, POINT_MATRIX + k * nodes, nodes)
        row = at(start + k)
        for i in range(lanes):
            square = work[GAP + i]
            work[row + i] = top - math.sqrt(square if square > 0.0 else 0.0)
