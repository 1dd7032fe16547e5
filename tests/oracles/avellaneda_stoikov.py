"""Moments of the simulation of Avellaneda and Stoikov (2008), without simulating.

A recursion over the inventory, with the moments of the wealth at each. Nothing of mmquant is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    spread: float
    profit: float
    profit_std: float
    inventory: float
    inventory_std: float
    trades: float


def exact_moments(
    gamma: float,
    strategy: str,
    *,
    sigma: float = 2.0,
    k: float = 1.5,
    A: float = 140.0,
    horizon: float = 1.0,
    steps: int = 200,
    bound: int = 120,
) -> Moments:
    """Fill first, then move; at most one fill a side in each step."""
    dt = horizon / steps
    q = np.arange(-bound, bound + 1)
    left = horizon - dt * np.arange(steps)
    spread = gamma * sigma**2 * left + 2.0 / gamma * np.log(1.0 + gamma / k)
    mass, first, second = np.zeros((3, q.size))
    mass[bound] = 1.0
    trades = 0.0
    for i in range(steps):
        centre, half = -q * gamma * sigma**2 * left[i], spread[i] / 2.0
        if strategy == "symmetric":
            centre, half = np.zeros(q.size), spread.mean() / 2.0
        ask, bid = half + centre, half - centre
        sold, bought = (np.exp(np.minimum(np.log(A * dt) - k * x, 0.0)) for x in (ask, bid))
        trades += (mass * (sold + bought)).sum()
        after = np.zeros((3, q.size))
        for s in (0, 1):
            for b in (0, 1):
                weight = (sold if s else 1.0 - sold) * (bought if b else 1.0 - bought)
                gain = s * ask + b * bid
                moved = np.array(
                    [mass, first + gain * mass, second + 2.0 * gain * first + gain**2 * mass]
                )
                after += np.roll(weight * moved, b - s, axis=1)
        mass, first, second = after
        second = second + q**2 * sigma**2 * dt * mass
    assert abs(mass.sum() - 1.0) < 1e-9 and mass[0] + mass[-1] < 1e-12
    mean, held = first.sum(), (mass * q).sum()
    return Moments(
        float(spread.mean()),
        float(mean),
        float(np.sqrt(second.sum() - mean**2)),
        float(held),
        float(np.sqrt((mass * q**2).sum() - held**2)),
        float(trades),
    )
