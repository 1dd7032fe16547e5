"""Quotes of the optimal market-making models, computed otherwise than mmquant does.

Matrix exponentials and eigenvectors of the whole matrix, and one way that adds up positive numbers
only and so keeps all digits everywhere. Nothing of mmquant is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import expm, sqrtm


class Quotes(NamedTuple):
    """By inventory from -Q to Q; NaN where there is no quote."""

    bid: np.ndarray
    ask: np.ndarray


class System(NamedTuple):
    """v' = -M v, v(0) = ``final``, and distances ``base`` + ln(v ratio) / k."""

    matrix: np.ndarray
    final: np.ndarray
    base: float
    k: float


def constants(A: float, k: float, xi: float, order_size: float) -> tuple[float, float]:
    """η and the base distance."""
    if xi == 0.0:
        return A * np.exp(-1.0), 1.0 / k
    x = xi * order_size
    return A * (1.0 + x / k) ** -(1.0 + k / x), np.log(1.0 + x / k) / x


def gueant(
    A: float, k: float, gamma: float, sigma: float, Q: int, xi: float, order_size: float = 1.0,
    drift: float = 0.0, impact: float = 0.0,
) -> System:  # fmt: skip
    """Guéant (2017); GLFT (2013) with xi = gamma and order size 1."""
    n = np.arange(-Q, Q + 1.0)
    eta, base = constants(A, k, xi, order_size)
    beside = eta * np.exp(-k / 2.0 * impact)
    own = 0.5 * k * gamma * sigma**2 * order_size * n**2 - k * drift * n
    matrix = np.diag(own) - beside * (np.eye(n.size, k=1) + np.eye(n.size, k=-1))
    return System(matrix, np.exp(-0.5 * k * impact * n**2), base + impact / 2.0, k)


def cartea_jaimungal(A: float, k: float, phi: float, alpha: float, Q: int) -> System:
    n = np.arange(-Q, Q + 1.0)
    beside = A * np.exp(-1.0)
    matrix = np.diag(phi * k * n**2) - beside * (np.eye(n.size, k=1) + np.eye(n.size, k=-1))
    return System(matrix, np.exp(-alpha * k * n**2), 1.0 / k, k)


def solution(system: System, time_left: float) -> np.ndarray:
    """v, by the exponential of the matrix."""
    return expm(-system.matrix * time_left) @ system.final


def ground_state(system: System) -> np.ndarray:
    """v after an infinite time, but for a factor."""
    return np.abs(np.linalg.eigh(system.matrix)[1][:, 0])


def positive_solution(system: System, time_left: float) -> np.ndarray:
    """v but for a factor, to full relative precision in every component.

    With s the largest diagonal entry, s - M has no negative entry, and so has no power of it. The
    series of its exponential is added up over pieces of time that are short enough.
    """
    own, beside = np.diag(system.matrix), -np.diag(system.matrix, 1)
    top = own.max()
    pieces = max(1, int(np.ceil((top - own.min() + 2.0 * beside.max()) * time_left / 200.0)))
    v = system.final / system.final.max()
    for _ in range(pieces):
        term, total, power = v, v, 0
        while power <= 10 or (term > 1e-18 * total).any():
            power += 1
            after = (top - own) * term
            after[1:] += beside * term[:-1]
            after[:-1] += beside * term[1:]
            term = after * (time_left / pieces / power)
            total = total + term
        v = total / total.max()
    return v


def quotes(system: System, v: np.ndarray) -> Quotes:
    """Distances from v."""
    steps = np.log(v[:-1] / v[1:]) / system.k
    return Quotes(np.append(system.base + steps, np.nan), np.append(np.nan, system.base - steps))


def closed_form(
    A: float, k: float, gamma: float, sigma: float, Q: int, xi: float, order_size: float = 1.0,
    drift: float = 0.0, impact: float = 0.0,
) -> Quotes:  # fmt: skip
    """The approximation far from the end."""
    n = np.arange(-Q, Q + 1.0)
    eta, base = constants(A, k, xi, order_size)
    slope = np.exp(k / 4.0 * impact) * np.sqrt(gamma * sigma**2 * order_size / (2.0 * k * eta))
    shift = drift / (gamma * sigma**2 * order_size) if drift else 0.0
    middle = base + impact / 2.0
    return Quotes(
        middle + ((2.0 * n + 1.0) / 2.0 - shift) * slope,
        middle - ((2.0 * n - 1.0) / 2.0 - shift) * slope,
    )


def several_assets(
    gamma: float, covariance: np.ndarray, A: np.ndarray, k: np.ndarray, order_size: np.ndarray,
    xi: float,
) -> np.ndarray:  # fmt: skip
    """Γ = D^-1/2 (D^1/2 Σ D^1/2)^1/2 D^-1/2."""
    eta = np.array(
        [constants(*one)[0] for one in zip(A, k, [xi] * len(A), order_size, strict=True)]
    )
    half = np.diag(np.sqrt(eta * k * order_size))
    inverse = np.linalg.inv(half)
    return inverse @ np.real(sqrtm(half @ covariance @ half)) @ inverse
