"""Logistic regression on one variable, and the area under its ROC curve, with standard errors.

Observations of one day depend on each other, over long times too: what holds in the morning need
not hold at noon. Standard errors therefore come from how sums over 20 stretches of equal length
differ (batch means), and 95 % intervals from Student's t with 19 degrees of freedom. With
independent observations they agree with the usual ones, on average.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BATCHES = 20
"""Stretches of equal length whose sums are taken as independent."""
T95 = 2.093024054408263
"""Standard errors to each side of a 95 % interval: Student's t, 19 degrees of freedom."""
STEPS = 50
"""Most steps of Newton's method; ten are many."""
LEAST = 20
"""Observations of each outcome below which nothing is estimated."""


class Estimate(NamedTuple):
    """A number with its standard error."""

    value: float
    se: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - T95 * self.se

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + T95 * self.se


NOTHING = Estimate(math.nan, math.nan)


class Logistic(NamedTuple):
    """P(y = 1) = 1 / (1 + exp(-(intercept + slope x))); ``reason`` says why both are NaN."""

    intercept: Estimate
    slope: Estimate
    reason: str = ""

    def at(self, x: np.ndarray) -> np.ndarray:
        """The probability at each x."""
        return _probability(self.intercept.value + self.slope.value * x)


def covariance_of_sum(scores: np.ndarray) -> np.ndarray:
    """Covariance (k, k) of the sum of ``scores`` (n, k), in order of time, n at least 20."""
    edges = np.arange(BATCHES) * len(scores) // BATCHES
    sums = np.add.reduceat(scores, edges, axis=0)
    apart = sums - sums.mean(axis=0)
    covariance: np.ndarray = apart.T @ apart * (BATCHES / (BATCHES - 1.0))
    return covariance


def fit_logistic(x: np.ndarray, y: np.ndarray) -> Logistic:
    """Maximum likelihood by Newton's method.

    x and y, of shape (n,), in order of time; y is True or False. Too few of either outcome, an x
    that does not vary, and outcomes that x separates give NaN and a reason.
    """
    ones = int(np.count_nonzero(y))
    if min(ones, len(y) - ones) < LEAST:
        return Logistic(NOTHING, NOTHING, f"{ones} moves up of {len(y)}: too few of one kind")
    if not np.ptp(x) > 0.0:
        return Logistic(NOTHING, NOTHING, "the imbalance never changes")
    design = np.stack([np.ones(len(x)), x], axis=1)
    beta, step = np.zeros(2), np.full(2, np.inf)
    for _ in range(STEPS):
        p = _probability(design @ beta)
        curvature = (design * (p * (1.0 - p))[:, None]).T @ design
        if not np.linalg.cond(curvature) < 1e12:
            break
        step = np.linalg.solve(curvature, design.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() <= 1e-10 * (1.0 + np.abs(beta).max()):
            break
    if not np.abs(step).max() <= 1e-6:
        return Logistic(NOTHING, NOTHING, "no maximum: the imbalance tells every move")
    scores = design * (y - _probability(design @ beta))[:, None]
    bread = np.linalg.inv(curvature)
    se = np.sqrt(np.diag(bread @ covariance_of_sum(scores) @ bread))
    return Logistic(Estimate(float(beta[0]), float(se[0])), Estimate(float(beta[1]), float(se[1])))


def auc(score: np.ndarray, y: np.ndarray) -> Estimate:
    """Probability that a score with y = 1 is higher than one with y = 0, ties counting half.

    The standard error is DeLong's (1988), from stretches. NaN where either outcome is rare.
    """
    ones = int(np.count_nonzero(y))
    n = len(y)
    if min(ones, n - ones) < LEAST or not np.isfinite(score).all():
        return NOTHING
    up, down = np.sort(score[y]), np.sort(score[~y])
    # Share of the other outcome that each score is on the right side of.
    below = _midrank(down, score) / len(down)
    above = 1.0 - _midrank(up, score) / len(up)
    right = np.where(y, below, above)
    value = float(right[y].mean())
    influence = (right - value) * np.where(y, n / ones, n / (n - ones)) / n
    se = math.sqrt(float(covariance_of_sum(influence[:, None])[0, 0]))
    return Estimate(value, se)


def _midrank(ordered: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How many of ``ordered`` are below each x, equal ones counting half."""
    left = np.searchsorted(ordered, x, side="left")
    right = np.searchsorted(ordered, x, side="right")
    ranks: np.ndarray = 0.5 * (left + right)
    return ranks


def _probability(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)), without overflow."""
    small = np.exp(-np.abs(logit))
    p: np.ndarray = np.where(logit >= 0.0, 1.0, small) / (1.0 + small)
    return p
