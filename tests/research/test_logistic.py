"""Logistic regression and AUC against scipy, against pairs counted one by one, and by coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mmquant.research.logistic import (
    BATCHES,
    LEAST,
    T95,
    Estimate,
    auc,
    covariance_of_sum,
    fit_logistic,
)
from tests.research.quote_tapes import true_auc


def draw(
    seed: int, n: int, intercept: float = 0.1, slope: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return x, rng.random(n) < 1 / (1 + np.exp(-intercept - slope * x))


def test_the_interval_is_students() -> None:
    from scipy.stats import t

    assert t.ppf(0.975, BATCHES - 1) == pytest.approx(T95, rel=1e-12)
    one = Estimate(1.0, 0.5)
    assert (one.low, one.high) == (1.0 - 0.5 * T95, 1.0 + 0.5 * T95)


@pytest.mark.parametrize(("seed", "slope"), [(0, 0.7), (1, -3.0), (2, 12.0), (3, 0.0)])
def test_the_fit_is_the_maximum_that_scipy_finds(seed: int, slope: float) -> None:
    x, y = draw(seed, 800, 0.3, slope)

    def loss(beta: np.ndarray) -> float:
        z = beta[0] + beta[1] * x
        return float(np.logaddexp(0.0, np.where(y, -z, z)).sum())

    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8}).x
    fit = fit_logistic(x, y)
    assert fit.reason == ""
    assert [fit.intercept.value, fit.slope.value] == pytest.approx(best, abs=2e-5)
    assert fit.at(x).sum() == pytest.approx(y.sum(), rel=1e-9)


def test_what_is_not_identified_is_not_estimated() -> None:
    x, y = draw(1, 500)
    few = np.zeros(500, np.bool_)
    few[: LEAST - 1] = True
    for bad_x, bad_y, why in (
        (x, few, "too few"),
        (x, ~few, "too few"),
        (x[:0], y[:0], "too few"),
        (np.ones(500), y, "never changes"),
        (x, x > 0.2, "no maximum"),
        (x, x < -0.1, "no maximum"),
    ):
        fit = fit_logistic(bad_x, bad_y)
        assert why in fit.reason
        assert all(math.isnan(z) for z in (*fit.slope, *fit.intercept))
    assert all(math.isnan(z) for z in (*auc(x, few), *auc(np.full(500, np.nan), y)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(2 * LEAST, 120))
def test_auc_counts_pairs(seed: int, values: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.zeros(n, np.bool_)
    y[rng.choice(n, int(rng.integers(LEAST, n - LEAST + 1)), replace=False)] = True
    score = rng.integers(0, values, n).astype(np.float64)
    up, down = score[y], score[~y]
    won = (up[:, None] > down).sum() + 0.5 * (up[:, None] == down).sum()
    found = auc(score, y)
    assert found.value == pytest.approx(won / (len(up) * len(down)), rel=1e-12)
    assert auc(-score, y).value == pytest.approx(1.0 - found.value, abs=1e-12)
    assert auc(-score, y).se == pytest.approx(found.se, rel=1e-9, abs=1e-12)


def test_covariance_of_independent_scores_is_their_sum_of_squares() -> None:
    rng = np.random.default_rng(3)
    count, n = 5_000, 100
    scores = rng.normal(size=(count, n, 2)) @ np.array([[1.0, 0.5], [0.0, 2.0]])
    mean = np.mean([covariance_of_sum(x) for x in scores], axis=0)
    want = np.array([[1.0, 0.5], [0.5, 4.25]])
    # Four standard errors of a mean of Wishart matrices.
    variance = (np.outer(np.diag(want), np.diag(want)) + want**2) / (BATCHES - 1)
    assert (np.abs(mean / n - want) < 4 * np.sqrt(variance / count)).all()


def test_dependent_scores_have_a_larger_covariance() -> None:
    """Each score stays for 10 observations: the sum varies ten times as much."""
    rng = np.random.default_rng(4)
    scores = np.repeat(rng.normal(size=(400, 200, 1)), 10, axis=1)
    mean = np.mean([covariance_of_sum(x)[0, 0] for x in scores])
    assert mean == pytest.approx(10 * 2_000, rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    area = true_auc(0.1, 0.7)
    hits = np.zeros(3, np.int64)
    for seed in range(200):
        x, y = draw(seed, 1_000)
        fit, found = fit_logistic(x, y), auc(x, y)
        for i, (one, truth) in enumerate(((fit.intercept, 0.1), (fit.slope, 0.7), (found, area))):
            hits[i] += one.low <= truth <= one.high
    assert (hits >= 182).all() and (hits <= 198).all(), hits
