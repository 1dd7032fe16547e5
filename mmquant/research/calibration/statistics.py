"""Distributions that intervals and tests of fit need: gamma, chi-square, Poisson, Student's t."""

from __future__ import annotations

import math
from functools import lru_cache

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
TAIL = 0.025
"""Probability left out on each side of a 95 % interval."""
_TINY = 1e-300


def gamma_p(a: float, x: float) -> float:
    """Regularized lower incomplete gamma function P(a, x), for a > 0 and x >= 0.

    Series below x = a + 1, and Lentz's continued fraction of Q = 1 - P above (Abramowitz and
    Stegun 6.5.29 and 6.5.31).
    """
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    return _series(a, x, front) if x < a + 1.0 else 1.0 - _fraction(a, x, front)


def gamma_q(a: float, x: float) -> float:
    """Regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x), small ones exactly."""
    if x <= 0.0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - _series(a, x, front) if x < a + 1.0 else _fraction(a, x, front)


def _series(a: float, x: float, front: float) -> float:
    term = total = 1.0 / a
    n = a
    while term > total * 1e-16:
        n += 1.0
        term *= x / n
        total += term
    return total * front


def _fraction(a: float, x: float, front: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    h, i, step = d, 0, 0.0
    while abs(step - 1.0) > 4e-16 and i < 100_000:
        i += 1
        an = -i * (i - a)
        b += 2.0
        d = an * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + an / c
        c = c if abs(c) > _TINY else _TINY
        step = d * c
        h *= step
    return h * front


def chi2_tail(x: float, df: float) -> float:
    """Probability that a chi-square with ``df`` degrees of freedom is at least ``x``."""
    return gamma_q(df / 2.0, x / 2.0)


def gamma_quantile(a: float, p: float) -> float:
    """The x with P(a, x) = p, for a >= 1: by halving around Wilson and Hilferty's approximation."""
    z = _normal_quantile(p)
    start = a * max(1.0 - 1.0 / (9.0 * a) + z / (3.0 * math.sqrt(a)), 1e-3) ** 3
    low, high = start / 2.0, start * 2.0
    while gamma_p(a, low) > p:
        low /= 2.0
    while gamma_p(a, high) < p:
        high *= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if gamma_p(a, middle) < p:
            low = middle
        else:
            high = middle
        if high - low < 1e-12 * high:
            break
    return 0.5 * (low + high)


def _normal_quantile(p: float) -> float:
    """A start for a search: Abramowitz and Stegun 26.2.23, within 4.5e-4."""
    t = math.sqrt(-2.0 * math.log(min(p, 1.0 - p)))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    )
    return -z if p < 0.5 else z


@lru_cache(maxsize=1 << 14)
def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of a Poisson mean from one count (Garwood 1936)."""
    low = gamma_quantile(count, TAIL) if count > 0 else 0.0
    return low, gamma_quantile(count + 1.0, 1.0 - TAIL)


def t_quantile(df: float) -> float:
    """Two-sided 95 % quantile of Student's t, within 0.2 % from df = 5 on (A&S 26.7.5)."""
    z = Z
    return (
        z
        + (z**3 + z) / (4.0 * df)
        + (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * df**2)
        + (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / (384.0 * df**3)
    )
