"""SSVI and eSSVI: the conditions of the papers on random pairs, and fits that keep them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core import smile, ssvi, svi_check
from tests.core.plain import plain
from tests.core.test_svi_check import dense_g

GRID = np.r_[np.linspace(-3.0, 3.0, 4001), -np.geomspace(3, 1e5, 60), np.geomspace(3, 1e5, 60)]
NONE = np.zeros(3)


def variance(k: np.ndarray, theta: float, rho: float, psi: float) -> np.ndarray:
    phi = psi / theta
    return theta / 2 * (1 + rho * phi * k + np.sqrt((phi * k + rho) ** 2 + 1 - rho**2))


def random_slice(rng: np.random.Generator) -> tuple[float, float, float]:
    return 10.0 ** rng.uniform(-3, 0), rng.uniform(-0.95, 0.95), 10.0 ** rng.uniform(-2, 0.5)


def fit(k: np.ndarray, w: np.ndarray, near: np.ndarray = NONE) -> tuple[int, np.ndarray]:
    params = np.empty(3)
    return ssvi.fit_essvi(k, w, np.ones(k.size), near, params), params


def test_the_same_as_raw_svi() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        slice_ = random_slice(rng)
        raw = np.array(ssvi.essvi_raw(*slice_))
        out = np.empty((3, GRID.size))
        smile.svi_many(GRID, raw, out)
        assert np.allclose(out[0], variance(GRID, *slice_), rtol=1e-8, atol=1e-12)
        rows = np.array([ssvi.essvi_variance(k, *slice_) for k in GRID[:4001:100]]).T
        assert np.allclose(rows, out[:, :4001:100], rtol=1e-6, atol=1e-9)


def test_the_butterfly_condition_is_sufficient() -> None:
    rng = np.random.default_rng(2)
    free = 0
    for _ in range(3000):
        slice_ = random_slice(rng)
        if ssvi.essvi_butterfly_slack(*slice_) >= 0.0:
            assert dense_g(np.array(ssvi.essvi_raw(*slice_)), GRID).min() > -1e-9, slice_
            free += 1
    assert free > 1000


def test_the_calendar_conditions_are_sufficient() -> None:
    rng = np.random.default_rng(3)
    ordered = 0
    for _ in range(40_000):
        theta, rho, psi = random_slice(rng)
        later = (
            theta * rng.uniform(0.9, 2.0),
            np.clip(rho + rng.uniform(-0.2, 0.2), -0.99, 0.99),
            psi * rng.uniform(0.9, 1.6),
        )
        if ssvi.essvi_calendar_slack(theta, rho, psi, *later) >= 0.0:
            gap = variance(GRID, *later) - variance(GRID, theta, rho, psi)
            assert (gap >= -1e-9 * variance(GRID, *later)).all()
            ordered += 1
    assert ordered > 3000


@settings(deadline=None)
@given(st.floats(1e-4, 3.0), st.floats(0.1, 0.9), st.floats(-0.99, 0.99))
def test_the_power_law_is_free_of_butterfly_arbitrage(
    theta: float, gamma: float, rho: float
) -> None:
    """Remark 4.4: eta (1 + |rho|) <= 2; for gamma up to a half also for the smallest theta."""
    phi = ssvi.ssvi_phi(theta, 2.0 / (1.0 + abs(rho)), min(gamma, 0.5))
    assert ssvi.essvi_butterfly_slack(theta, rho, theta * phi) >= -1e-9


def test_exact_slices_come_back() -> None:
    rng = np.random.default_rng(4)
    k = np.linspace(-0.4, 0.3, 25)
    for _ in range(50):
        slice_ = (rng.uniform(0.01, 0.1), rng.uniform(-0.8, 0.4), rng.uniform(0.05, 0.2))
        assert ssvi.essvi_butterfly_slack(*slice_) > 0.0
        status, found = fit(k, variance(k, *slice_))
        assert status == smile.SMILE_OK
        assert found == pytest.approx(slice_, rel=1e-5)


def test_fits_are_free_of_arbitrage_whatever_the_quotes() -> None:
    rng = np.random.default_rng(5)
    bound = 0
    for _ in range(150):
        k = np.sort(rng.uniform(-0.6, 0.6, rng.integers(3, 30)))
        near, slack = NONE, 0.0
        for _ in range(3):
            w = rng.uniform(0.02, 0.06) * (1.0 + rng.uniform(-2, 3) * k**2) + rng.uniform(0, 0.02)
            w = np.maximum(w * (1.0 + 0.1 * rng.standard_normal(k.size)), 1e-4)
            status, found = fit(k, w, near)
            assert status == smile.SMILE_OK
            assert ssvi.essvi_butterfly_slack(*found) >= -1e-9
            slack = ssvi.essvi_calendar_slack(*near, *found) if near[0] > 0 else slack
            assert slack >= -1e-12
            bound += slack < 1e-12
            near = found
    assert bound > 20


def test_bad_inputs_give_a_code_and_no_numbers() -> None:
    k, w = np.linspace(-0.3, 0.3, 9), np.full(9, 0.04)
    for bad in ((math.nan, 0.0, 0.1), (0.04, 1.5, 0.1), (0.04, 0.0, -0.1), (0.01, 0.0, 3.0)):
        status, params = fit(k, w, np.array(bad))
        assert status == smile.SMILE_BAD_START and np.isnan(params).all()
    assert fit(k[:2], w[:2])[0] == smile.SMILE_FEW
    assert fit(k, -w)[0] == smile.SMILE_NAN
    status, flat = fit(k, w)
    assert status == smile.SMILE_OK
    assert variance(k, *flat) == pytest.approx(w, rel=1e-6)


def test_conditions_agree_with_raw_slices() -> None:
    near, far = (0.04, -0.5, 0.2), (0.05, -0.45, 0.22)
    assert ssvi.essvi_calendar_slack(*near, *far) >= 0.0
    raw = [np.array(ssvi.essvi_raw(*s)) for s in (near, far)]
    assert svi_check.svi_calendar_slack(*raw)[0] > 0.0


def test_plain_python_gives_the_same_bits() -> None:
    rng = np.random.default_rng(6)
    k = np.linspace(-0.4, 0.4, 21)
    w = variance(k, 0.04, -0.5, 0.2) * (1.0 + 0.01 * rng.standard_normal(21))
    _, compiled = fit(k, w, np.array([0.03, -0.4, 0.15]))
    slow = np.empty(3)
    plain(ssvi.fit_essvi)(k, w, np.ones(21), np.array([0.03, -0.4, 0.15]), slow)
    assert compiled.tobytes() == slow.tobytes()
