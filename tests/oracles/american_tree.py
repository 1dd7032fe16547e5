"""American options by a binomial tree in plain NumPy: slow, obvious, and independent."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr


def european(
    sign: float, spot: np.ndarray, strike: float, years: float, vol: float, rate: float, q: float
) -> np.ndarray:
    """Black, Scholes and Merton."""
    deviation = vol * math.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - q) * years) / deviation + 0.5 * deviation
    held = spot * math.exp(-q * years) * ndtr(sign * d1)
    value: np.ndarray = sign * (
        held - strike * math.exp(-rate * years) * ndtr(sign * (d1 - deviation))
    )
    return value


def tree(
    sign: float, spot: float, strike: float, years: float, vol: float, rate: float, q: float,
    steps: int,
) -> float:  # fmt: skip
    """Cox, Ross and Rubinstein's, with Black's formula for the last step (Broadie, Detemple)."""
    dt = years / steps
    up = math.exp(vol * math.sqrt(dt))
    p = (math.exp((rate - q) * dt) - 1.0 / up) / (up - 1.0 / up)
    discount = math.exp(-rate * dt)
    prices = spot * up ** np.arange(-(steps - 1), steps, 2.0)
    held = european(sign, prices, strike, dt, vol, rate, q)
    values = np.maximum(held, sign * (prices - strike))
    for n in range(steps - 2, -1, -1):
        prices = spot * up ** np.arange(-n, n + 1, 2.0)
        values = discount * (p * values[1:] + (1.0 - p) * values[:-1])
        values = np.maximum(values, sign * (prices - strike))
    return float(values[0])


def extrapolated(*option: float, steps: int = 2000) -> float:
    """Richardson's extrapolation of two trees: within about 2e-4 for prices near 100."""
    return 2.0 * tree(*option, steps=steps) - tree(*option, steps=steps // 2)
