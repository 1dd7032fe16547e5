"""Optimal quotes in closed form: Avellaneda-Stoikov (2008), and Guéant-Lehalle-Fernandez-Tapia.

Both models give a half spread and a slope: quotes stand ``half_spread`` away from a centre that
moves against the inventory by ``slope`` for each order size held. Fills at distance d from the mid
come with intensity A exp(-k d). Units: prices in one unit, time in seconds, ``inventory`` in order
sizes, ``gamma`` and ``xi`` [1 / (price · unit)], ``sigma`` [price / sqrt(s)], ``A`` [1 / s],
``k`` [1 / price], ``order_size`` [units]. A distance may be negative: a quote beyond the mid.
"""

from __future__ import annotations

import math

from mmquant.core.jit import kernel
from mmquant.core.mathfn import exp, log1p

MOST_POWER = 700.0
"""Beyond, an intensity counts as infinite: e to this power is close to the largest double."""


@kernel
def log1p_over(x):
    """ln(1 + x) / x, and its limit 1 at x = 0. NaN from -1 down."""
    if x == 0.0:
        return 1.0
    return log1p(x) / x if x > -1.0 else math.nan


@kernel
def fill_intensity(A, k, distance):
    """Fills a second of a quote at this distance from the mid: A exp(-k distance). [1/s]"""
    power = -k * distance
    return math.inf if power > MOST_POWER else A * exp(power)


@kernel
def base_half_spread(k, xi, order_size):
    """Distance that earns most where inventory costs nothing, ln(1 + xi Δ / k) / (xi Δ). [price]

    ``xi`` = ``gamma`` for exponential utility, 0 for a mean-variance aim: 1 / k. Guéant (2017).
    """
    return log1p_over(xi * order_size / k) / k if k > 0.0 else math.nan


@kernel
def distances(half_spread, slope, inventory):
    """Distances of bid and ask from the mid. [price]"""
    lean = slope * inventory
    return half_spread + lean, half_spread - lean


@kernel
def as_slope(gamma, sigma, time_left):
    """Shift of the reservation price for each order size held, γσ²(T - t). [price]

    Avellaneda and Stoikov (2008), their order size being 1. NaN after the end.
    """
    return gamma * sigma * sigma * time_left if time_left >= 0.0 else math.nan


@kernel
def as_half_spread(gamma, sigma, k, time_left):
    """Half of γσ²(T - t) + (2/γ) ln(1 + γ/k). [price] Avellaneda and Stoikov (2008)."""
    return 0.5 * as_slope(gamma, sigma, time_left) + base_half_spread(k, gamma, 1.0)


@kernel
def as_omega(gamma, sigma, q_max):
    """Discount rate with which the infinite horizon never holds more than ``q_max``. [1/s]"""
    bound = q_max + 1.0
    return 0.5 * gamma * gamma * sigma * sigma * bound * bound


@kernel
def as_stationary_offset(gamma, sigma, omega, inventory, side):
    """Reservation price less the mid, infinite horizon, to buy (``side`` +1) or sell (-1). [price]

    The price at which one order more leaves the expected utility as it is:
    (side/γ) ln(1 - (1 + 2 side q) γ²σ² / (2ω - γ²σ²q²)). Infinite where one order more would leave
    the utility without bound, NaN where it has none already. Avellaneda and Stoikov (2008) print
    the selling price as (1/γ) ln(1 + (1 - 2q) ...), which agrees to first order only.
    """
    risk = gamma * gamma * sigma * sigma
    room = 2.0 * omega - risk * inventory * inventory
    if not (room > 0.0 and gamma > 0.0):
        return math.nan
    after = inventory + side
    if not 2.0 * omega - risk * after * after > 0.0:
        return -side * math.inf
    return side * log1p(-(1.0 + 2.0 * side * inventory) * risk / room) / gamma


@kernel
def glft_eta(A, k, xi, order_size, impact):
    """Weight of a trade in the equations: A (1 + xi Δ/k)^-(1 + k/(xi Δ)) e^(-k impact/2). [1/s]

    ``impact``: what the mid moves against us at each fill [price].
    """
    if not k > 0.0:
        return math.nan
    x = xi * order_size / k
    return A * exp(-(1.0 + x) * log1p_over(x) - 0.5 * k * impact)


@kernel
def glft_slope(gamma, sigma, eta, k, order_size):
    """Shift of the centre for each order size held, sqrt(γσ²Δ / (2 k η)). [price]"""
    cost = 0.5 * gamma * sigma * sigma * order_size
    return math.sqrt(cost / (k * eta)) if cost >= 0.0 and k * eta > 0.0 else math.nan


@kernel
def glft_half_spread(base, impact, slope):
    """Half spread far from the end: base + impact / 2 + slope / 2. [price]"""
    return base + 0.5 * impact + 0.5 * slope


@kernel
def drift_inventory(drift, gamma, sigma, order_size):
    """Inventory around which to quote under a drift [price/s], μ / (γσ²Δ). [order sizes]

    Put the inventory less this into ``distances``. NaN where a drift meets no risk aversion: then
    no inventory is best.
    """
    if drift == 0.0:
        return 0.0
    risk = gamma * sigma * sigma * order_size
    return drift / risk if risk > 0.0 else math.nan
