"""Tables from which ``core.exact_quotes`` quotes: eigenvalues and eigenvectors of a model.

M has k φ Δ n² - k μ n on its diagonal and -η beside it, n being the inventory in order sizes; v at
the end is exp(-k (α Δ + impact / 2) n²). A risk aversion γ is a running penalty φ = γσ²/2.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.optimal_quotes import base_half_spread, glft_eta
from mmquant.errors import UsageError

CLEAR = 1e-8
"""v is told from rounding where it is this share of what its terms add up to without signs."""
FAR_APART = 1e100
"""Most that running costs may be against η; such a model would hold no inventory at all."""
SCAN = 256
"""Times left at which that is looked at."""


def gueant_table(
    *,
    gamma: float,
    sigma: float,
    A: float,
    k: float,
    q_max: int,
    xi: float,
    order_size: float = 1.0,
    drift: float = 0.0,
    impact: float = 0.0,
) -> np.ndarray:
    """Table of Guéant (2017), and of Guéant, Lehalle and Fernandez-Tapia (2013).

    Parameters
    ----------
    gamma : risk aversion. [1 / (price · unit)]
    sigma : volatility of the mid. [price / sqrt(s)]
    A : fills a second of a quote at the mid, each side. [1 / s]
    k : decay of the fill intensity. [1 / price]
    q_max : largest inventory, either way. [order sizes]
    xi : aversion to the risk of not being filled [1 / (price · unit)]: ``gamma`` for exponential
        utility (model A, and the model of 2013), 0 for a mean-variance aim (model B).
    order_size : size of each order. [units]
    drift : of the mid. [price / s]
    impact : what the mid moves against the market maker at each fill. [price]

    Returns
    -------
    (table_len(q_max),) float64
        for ``core.exact_quotes``, which documents its layout.

    Raises
    ------
    UsageError
        where an argument is out of range, or the table cannot be computed for such a ``q_max``.
    """
    _check(gamma=gamma, sigma=sigma)
    phi = 0.5 * gamma * sigma * sigma
    return _table(A, k, q_max, phi, xi, order_size, drift, impact, 0.0)


def cartea_jaimungal_table(
    *, phi: float, alpha: float, A: float, k: float, q_max: int
) -> np.ndarray:
    """Table of Cartea and Jaimungal: a running penalty φ q² and a cost α q² of what is left.

    Parameters
    ----------
    phi : running penalty. [price / (s · size)]
    alpha : penalty at the end. [price / size]
    A, k, q_max : as in ``gueant_table``; the book of 2015 writes λ and κ for ``A`` and ``k``.

    Returns and raises as ``gueant_table``. Orders are of size 1.
    """
    return _table(A, k, q_max, phi, 0.0, 1.0, 0.0, 0.0, alpha)


def _table(
    A: float, k: float, q_max: int, phi: float, xi: float,
    order_size: float, drift: float, impact: float, alpha: float,
) -> np.ndarray:  # fmt: skip
    _check(phi=phi, xi=xi, impact=impact, alpha=alpha)
    _check(above=True, A=A, k=k, order_size=order_size)
    if not math.isfinite(drift):
        raise UsageError(f"drift is {drift}", fix="give a finite number")
    if int(q_max) != q_max or q_max < 1:
        raise UsageError(f"q_max is {q_max}", fix="give a whole number of order sizes from 1")
    n = np.arange(-q_max, q_max + 1.0)
    eta = glft_eta(float(A), float(k), float(xi), float(order_size), float(impact))
    with np.errstate(over="ignore", invalid="ignore"):
        diagonal = k * phi * order_size * n * n - k * drift * n
        final = np.exp(-k * (alpha * order_size + 0.5 * impact) * n * n)
    if not eta > 0.0 or not np.abs(diagonal).max() < FAR_APART * eta:
        fix = "check the units of A, k and the volatility, drift and impact"
        raise UsageError("the parameters are too far apart for a table", fix=fix)
    values, vectors = _eigen(diagonal, eta)
    weights = vectors * (vectors.T @ final)
    if drift == 0.0:
        weights = 0.5 * (weights + weights[::-1])
    base = base_half_spread(float(k), float(xi), float(order_size)) + 0.5 * impact
    gaps = values - values[0]
    clear = _clear_from(gaps, weights, np.abs(vectors) * (1.0 + np.abs(vectors.T @ final)))
    if not np.isfinite(clear).all():
        fix = "give a smaller q_max, or check the units"
        raise UsageError(f"with q_max {q_max} the largest inventories are out of reach", fix=fix)
    head = np.array([q_max, base, k, impact, values[0]])
    return np.concatenate([head, gaps, clear, weights.ravel()])


def _eigen(diagonal: np.ndarray, eta: float) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, rising, and eigenvectors (inventory, eigenvalue), tails to full precision.

    LAPACK gives each component to 1e-16 of the largest one. Quotes are ratios of components, so the
    tails, where the vectors fall off, are computed anew from their three-term recurrence.
    """
    m = diagonal.size
    matrix = np.diag(diagonal) - eta * (np.eye(m, k=1) + np.eye(m, k=-1))
    values, vectors = np.linalg.eigh(matrix)
    for order in (slice(None), slice(None, None, -1)):
        _redo_tail(diagonal[order], eta, values, vectors[order])
    return values, vectors


def _redo_tail(diagonal: np.ndarray, eta: float, values: np.ndarray, vectors: np.ndarray) -> None:
    """Compute the tail at the end of each vector anew, in place."""
    m = diagonal.size
    ratios = np.zeros((m, m))
    falling = np.ones(m, bool)
    for i in range(m - 1, 0, -1):
        x = (diagonal[i] - values) / eta
        falling &= x > 2.0
        after = ratios[i + 1] if i < m - 1 else 0.0
        ratios[i] = np.where(falling, 1.0 / np.where(falling, x - after, 1.0), 0.0)
    for i in range(1, m):
        vectors[i] = np.where(ratios[i] > 0.0, vectors[i - 1] * ratios[i], vectors[i])


def _clear_from(gaps: np.ndarray, weights: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """From which time left on v can be told from rounding, by inventory; infinite where never. [s]

    Near the end, v of a large inventory under a large penalty is a small difference of large terms.
    """
    fastest, slowest = max(gaps[-1], 1e-300), max(gaps[1], 1e-300)
    times = np.geomspace(1e-6 / fastest, 1e3 / slowest, SCAN)
    times = np.concatenate([[0.0], times])
    decay = np.exp(-np.outer(times, gaps))
    unclear = ~(decay @ weights.T > CLEAR * (decay @ sizes.T))
    last = np.where(unclear.any(axis=0), times.size - unclear[::-1].argmax(axis=0), 0)
    return np.append(times, math.inf)[last]


def _check(above: bool = False, **numbers: float) -> None:
    for name, value in numbers.items():
        if not (0.0 < value < math.inf if above else 0.0 <= value < math.inf):
            fix = "give a number above 0" if above else "give a number from 0"
            raise UsageError(f"{name} is {value}", fix=fix)
