"""SVI through quotes: exact slices come back, noisy ones as often as theory says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmquant.core import smile, svi_fit
from tests.core.plain import plain

WORK = svi_fit.make_svi_work()
TRUE = np.array([0.02, 0.15, -0.45, 0.02, 0.12])
K = np.linspace(-0.45, 0.35, 50)


def variance(k: np.ndarray, raw: np.ndarray) -> np.ndarray:
    a, b, rho, m, sigma = raw
    return a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + sigma**2))


def random_raw(rng: np.random.Generator) -> np.ndarray:
    low = (0.0, 0.02, -0.9, -0.1, 0.03)
    return rng.uniform(low, (0.04, 0.3, 0.5, 0.1, 0.3))


def fit(k: Any, w: Any, weight: Any = None) -> tuple[int, np.ndarray]:
    params = np.empty(5)
    weight = np.ones(len(k)) if weight is None else np.asarray(weight, float)
    status = svi_fit.fit_svi(np.asarray(k, float), np.asarray(w, float), weight, params, WORK)
    return status, params


def test_exact_slices_come_back() -> None:
    rng = np.random.default_rng(3)
    for _ in range(150):
        raw = random_raw(rng)
        status, found = fit(K, variance(K, raw))
        assert status == smile.SMILE_OK
        assert np.abs(found - raw).max() < 1e-8, raw


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        raw = random_raw(rng)
        w = variance(K, raw) * (1.0 + 0.002 * rng.standard_normal(K.size))
        params = raw * rng.uniform(0.97, 1.03, 5)
        weight = rng.uniform(0.5, 2.0, K.size)
        assert svi_fit.refit_svi(K, w, weight, params, WORK) == smile.SMILE_OK
        _, cold = fit(K, w, weight)
        costs = [np.sum(weight * (w - variance(K, p)) ** 2) for p in (params, cold)]
        assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def test_noise_moves_the_fit_as_fisher_information_says() -> None:
    """With independent normal noise of known size, w(k) of the fit has the covariance J I^-1 J',
    I = J' W J. 95 % of fits lie in their interval of 95 %, and so do the parameters."""
    rng = np.random.default_rng(5)
    deviation = 2e-4 * (1.0 + 5.0 * np.abs(K))
    steps = 1e-6 * np.eye(5)
    jacobian = np.stack(
        [(variance(K, TRUE + h) - variance(K, TRUE - h)) / 2e-6 for h in steps], axis=1
    )
    information = jacobian.T @ (jacobian / deviation[:, None] ** 2)
    covariance = np.linalg.inv(information)
    of_params = np.sqrt(np.diag(covariance))
    of_curve = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian))
    runs, inside, params_inside = 400, np.zeros(K.size), np.zeros(5)
    for _ in range(runs):
        w = variance(K, TRUE) + deviation * rng.standard_normal(K.size)
        status, found = fit(K, w, 1.0 / deviation**2)
        assert status == smile.SMILE_OK
        inside += np.abs(variance(K, found) - variance(K, TRUE)) < 1.96 * of_curve
        params_inside += np.abs(found - TRUE) < 1.96 * of_params
    # Four standard errors of a share of 95 % of 400.
    slack = 4.0 * math.sqrt(0.95 * 0.05 / runs)
    assert np.abs(inside / runs - 0.95).max() < slack
    assert np.abs(params_inside / runs - 0.95).max() < slack


def test_quotes_without_weight_do_not_count() -> None:
    w, weight = variance(K, TRUE), np.ones(K.size)
    w[::7], weight[::7] = math.nan, 0.0
    status, found = fit(K, w, weight)
    assert status == smile.SMILE_OK
    assert np.abs(found - TRUE).max() < 1e-8


@pytest.mark.parametrize(
    ("k", "w", "weight", "status"),
    [
        (K[:4], variance(K[:4], TRUE), None, smile.SMILE_FEW),
        (K, variance(K, TRUE), np.r_[np.ones(4), np.zeros(46)], smile.SMILE_FEW),
        (K, np.r_[math.nan, variance(K[1:], TRUE)], None, smile.SMILE_NAN),
        (K, -variance(K, TRUE), None, smile.SMILE_NAN),
        (np.r_[math.inf, K[1:]], variance(K, TRUE), None, smile.SMILE_NAN),
        (K, variance(K, TRUE), np.r_[-1.0, np.ones(49)], smile.SMILE_NAN),
        (K, variance(K, TRUE), np.r_[math.nan, np.ones(49)], smile.SMILE_NAN),
        (np.zeros(9), np.full(9, 0.04), None, smile.SMILE_NARROW),
        ([], [], None, smile.SMILE_FEW),
    ],
)
def test_bad_quotes_give_a_code_and_no_numbers(k: Any, w: Any, weight: Any, status: int) -> None:
    found, params = fit(k, w, weight)
    assert found == status
    assert np.isnan(params).all()
    params = TRUE.copy()
    weight = np.ones(len(k)) if weight is None else weight
    args = (np.asarray(k, float), np.asarray(w, float), weight, params, WORK)
    assert svi_fit.refit_svi(*args) == status
    assert np.isnan(params).all()


def test_a_start_that_is_no_slice_is_refused() -> None:
    for i, bad in ((0, math.nan), (1, -0.1), (2, 1.5), (3, math.inf), (4, 0.0)):
        params = TRUE.copy()
        params[i] = bad
        status = svi_fit.refit_svi(K, variance(K, TRUE), np.ones(50), params, WORK)
        assert status == smile.SMILE_BAD_START


@pytest.mark.parametrize(
    "w",
    [
        np.full(50, 0.04),
        0.04 - 0.05 * K,
        0.04 + 3.0 * np.abs(K),
        np.where(np.abs(K) < 0.1, 0.09, 0.04),
        np.linspace(1e-8, 1e-7, 50),
    ],
    ids=["flat", "line", "steeper than Lee allows", "bump", "tiny"],
)
def test_odd_smiles_give_slices_that_make_sense(w: np.ndarray) -> None:
    status, (a, b, rho, m, sigma) = fit(K, w)
    assert status == smile.SMILE_OK
    assert b >= 0.0 and abs(rho) <= 1.0 and sigma > 0.0 and math.isfinite(m)
    assert b * (1.0 + abs(rho)) <= 2.0 + 1e-12
    assert a + b * sigma * math.sqrt(1.0 - rho * rho) >= -1e-15


def test_strikes_on_one_side_are_enough() -> None:
    k = np.linspace(0.05, 0.4, 20)
    status, found = fit(k, variance(k, TRUE))
    assert status == smile.SMILE_OK
    assert np.abs(variance(k, found) - variance(k, TRUE)).max() < 1e-6


def test_plain_python_gives_the_same_bits() -> None:
    rng = np.random.default_rng(6)
    w = variance(K, TRUE) * (1.0 + 0.01 * rng.standard_normal(K.size))
    _, compiled = fit(K, w)
    slow = np.empty(5)
    plain(svi_fit.fit_svi)(K, w, np.ones(50), slow, WORK)
    assert compiled.tobytes() == slow.tobytes()
    warm, warm_slow = TRUE.copy(), TRUE.copy()
    svi_fit.refit_svi(K, w, np.ones(50), warm, WORK)
    plain(svi_fit.refit_svi)(K, w, np.ones(50), warm_slow, WORK)
    assert warm.tobytes() == warm_slow.tobytes()
