"""Volatility under microstructure noise by pre-averaging.

Prices y_0..y_n are an efficient price plus noise. With windows of m prices, m even,

    ybar_i = (sum of y_{i+m/2}..y_{i+m-1} - sum of y_i..y_{i+m/2-1}) / m

are averaged returns in which the noise is small, and

    IV = n / (n - m + 2) / (psi2 m) * sum(ybar_i^2) - bias * RV,   RV = sum((y_i - y_{i-1})^2),

scaled by 1 / (1 - bias), estimates the integrated variance: Jacod, Li, Mykland, Podolskij and
Vetter (2009), "Microstructure noise in the continuous case: the pre-averaging approach", with the
corrections for small samples of Christensen, Kinnebrock and Podolskij (2010), for the weights
g(x) = min(x, 1 - x). Its variance is the feasible estimate of the former, which allows for a
volatility that changes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.research.calibration.statistics import t_quantile

THETA = 1.0
"""Prices in a window, over the root of the number of returns: wide, because the noise of a quoted
mid lasts for many changes."""
MIN_RETURNS = 200
"""From fewer returns the interval does not cover."""
PSI1, PSI2 = 1.0, 1.0 / 12.0
PHI11, PHI12, PHI22 = 1.0 / 6.0, 1.0 / 96.0, 151.0 / 80640.0
"""Constants of the weights g, of the paper."""


class Variation(NamedTuple):
    """Integrated variance with its 95 % interval, and the variance of the noise. [price^2]

    ``reason`` says why there is no estimate, and the numbers are NaN then.
    """

    value: float
    low: float
    high: float
    noise: float
    window: int
    reason: str


def integrated_variance(y: np.ndarray) -> Variation:
    """Pre-averaging estimate from prices in order of time, shape (n + 1,)."""
    n = len(y) - 1
    if n < MIN_RETURNS:
        return _unknown(f"{max(n, 0)} price changes are too few: {MIN_RETURNS} are needed")
    m = 2 * round(0.5 * THETA * math.sqrt(n))
    returns = np.diff(y)
    total = float((returns**2).sum())
    if total == 0.0:
        return _unknown("the price does not move")
    bars = _averaged(y, m)
    psi1, psi2 = 1.0, (m * m + 2.0) / (12.0 * m * m)
    theta = m / math.sqrt(n)
    bias = psi1 / (theta**2 * psi2) / (2.0 * n)
    rough = n / (n - m + 2.0) / (psi2 * m) * float((bars**2).sum())
    value = (rough - bias * total) / (1.0 - bias)
    variance = _variance(returns, bars, m, theta)
    if value <= 0.0 or variance <= 0.0:
        return _unknown("the noise hides the moves of the price")
    # A window and its neighbour tell one thing, so there are n / (2 m) independent ones.
    width = t_quantile(n / (2.0 * m)) * math.sqrt(variance) / value
    noise = max((total - value) / (2.0 * n), 0.0)
    return Variation(value, value * math.exp(-width), value * math.exp(width), noise, m, "")


def _unknown(reason: str) -> Variation:
    return Variation(math.nan, math.nan, math.nan, math.nan, 0, reason)


def _averaged(y: np.ndarray, m: int) -> np.ndarray:
    """ybar_i of each window of ``m`` prices, shape (n - m + 2,)."""
    upto = np.concatenate([[0.0], np.cumsum(y - y[0])])
    half = m // 2
    return (upto[m:] - 2.0 * upto[half:-half] + upto[:-m]) / m


def _variance(returns: np.ndarray, bars: np.ndarray, m: int, theta: float) -> float:
    """Variance of the integrated variance."""
    n = len(returns)
    squares = returns**2
    upto = np.concatenate([[0.0], np.cumsum(squares)])
    start = np.arange(n - 2 * m + 1)
    ahead = upto[start + 2 * m] - upto[start + m]
    signal = 4.0 * PHI22 / (3.0 * theta * PSI2**4) * float((bars**4).sum())
    mixed = PHI12 / PSI2**3 - PHI22 * PSI1 / PSI2**4
    mixed *= 4.0 / (n * theta**3) * float((bars[: len(start)] ** 2 * ahead).sum())
    noise = PHI11 / PSI2**2 - 2.0 * PHI12 * PSI1 / PSI2**3 + PHI22 * PSI1**2 / PSI2**4
    noise *= float((squares[:-2] * squares[2:]).sum()) / (n * theta**3)
    return (signal + mixed + noise) / math.sqrt(n)
