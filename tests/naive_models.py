"""Distances of the quoting models from their published formulas, and matrix exponentials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmquant.config_quoting import QuotingConfig
from tests.oracles import optimal_quotes as oracle

INFINITE = math.inf


def model_distances(q: QuotingConfig, n: float, sigma: float, left: float) -> tuple[float, float]:
    """Distances of bid and ask with ``n`` order sizes held and some time left. [ticks]"""
    gamma, k, A = q.risk_aversion, q.intensity.decay_per_tick or 0.0, q.intensity.per_s or 0.0
    base = math.log(1 + gamma / k) / gamma if gamma else 1 / k
    if q.model == "avellaneda_stoikov":
        reservation = -n * gamma * sigma**2 * left
        half = (gamma * sigma**2 * left + 2 * base) / 2
        return half - reservation, half + reservation
    if q.model == "glft":
        power = (1 + gamma / k) ** (1 + k / gamma) if gamma else math.e
        root = math.sqrt(sigma**2 * gamma / (2 * k * A) * power)
        return base + (2 * n + 1) / 2 * root, base - (2 * n - 1) / 2 * root
    most = q.max_orders_held
    if q.model == "cartea_jaimungal":
        system = oracle.cartea_jaimungal(A, k, q.running_penalty, q.end_penalty, most)
    else:
        xi = gamma if q.model == "glft_exact" else 0.0
        system = oracle.gueant(A, k, gamma, sigma, most, xi)
    quotes = oracle.quotes(system, oracle.positive_solution(system, left))
    return interpolated(quotes.bid, n, most), interpolated(quotes.ask, n, most)


def interpolated(by_inventory: Sequence[float], n: float, most: int) -> float:
    """A distance between whole inventories; no quote counts as infinitely far."""
    at = min(max(n, -most), most) + most
    low = math.floor(at)
    here, after = (
        INFINITE if math.isnan(by_inventory[i]) else float(by_inventory[i])
        for i in (low, min(low + 1, 2 * most))
    )
    return here if at == low else here + (at - low) * (after - here) if here < INFINITE else here
