"""Closed-form quotes against published numbers, exact arithmetic and utilities integrated anew."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mmquant.core.optimal_quotes import (
    as_half_spread,
    as_omega,
    as_slope,
    as_stationary_offset,
    base_half_spread,
    distances,
    drift_inventory,
    fill_intensity,
    glft_eta,
    glft_half_spread,
    glft_slope,
    log1p_over,
)
from tests.core.builders import examples
from tests.oracles import optimal_quotes as oracle
from tests.oracles.published_quotes import BONDS, FIGURES

positive = st.floats(1e-6, 1e6)


def closed_form(gamma, sigma, A, k, xi, size, drift, impact, inventory) -> tuple[float, float]:
    """Bid and ask distance, put together as a strategy does."""
    eta = glft_eta(A, k, xi, size, impact)
    slope = glft_slope(gamma, sigma, eta, k, size)
    half = glft_half_spread(base_half_spread(k, xi, size), impact, slope)
    return distances(half, slope, inventory - drift_inventory(drift, gamma, sigma, size))


@pytest.mark.parametrize(
    ("gamma", "average"), [(0.1, 1.4918), (0.01, 1.3490), (1.0, 3.0317), (0.5, 2.1557)]
)
def test_average_spreads_of_avellaneda_and_stoikov(gamma: float, average: float) -> None:
    left = 1.0 - 0.005 * np.arange(200)
    spreads = [2.0 * as_half_spread(gamma, 2.0, 1.5, float(t)) for t in left]
    assert np.mean(spreads) == pytest.approx(average, abs=5e-5)


def test_quotes_of_avellaneda_and_stoikov() -> None:
    half, slope = as_half_spread(0.1, 2.0, 1.5, 1.0), as_slope(0.1, 2.0, 1.0)
    assert distances(half, slope, 0.0) == pytest.approx((0.845385, 0.845385), abs=1e-6)
    assert distances(half, slope, 1.0) == pytest.approx((1.245385, 0.445385), abs=1e-6)


@settings(deadline=None, max_examples=examples(200, 100))
@given(positive, st.floats(1e-6, 100.0), st.floats(1e-6, 1e4), st.floats(-50.0, 50.0))
def test_the_two_reservation_prices_are_around_the_one(
    gamma: float, sigma: float, left: float, q: float
) -> None:
    """Equations 6 to 8 of the paper: r is in the middle of r_a and r_b, γσ²(T - t) apart."""
    risk = gamma * sigma**2 * left
    r_ask, r_bid = (1.0 - 2.0 * q) * risk / 2.0, (-1.0 - 2.0 * q) * risk / 2.0
    slope = as_slope(gamma, sigma, left)
    assert -q * slope == pytest.approx((r_ask + r_bid) / 2.0, rel=1e-9, abs=1e-9 * risk)
    assert slope == pytest.approx(r_ask - r_bid, rel=1e-9, abs=1e-9 * risk)


@pytest.mark.parametrize("q", range(-3, 4))
@pytest.mark.parametrize("gamma", [0.05, 0.5, 2.0])
def test_infinite_horizon_leaves_the_expected_utility_as_it_is(gamma: float, q: int) -> None:
    """Utility ∫ -exp(-ω t - γ (x + q S_t)) dt, integrated numerically with one order more."""
    sigma = 0.7
    omega = as_omega(gamma, sigma, 5.0)

    def utility(cash: float, held: int) -> float:
        growth = -omega + 0.5 * (gamma * held * sigma) ** 2
        scale = -1.0 / growth
        area = quad(lambda u: math.exp(growth * scale * u), 0.0, 60.0, epsabs=0.0, epsrel=1e-12)[0]
        return -math.exp(-gamma * cash) * area * scale

    buy = as_stationary_offset(gamma, sigma, omega, float(q), 1.0)
    sell = as_stationary_offset(gamma, sigma, omega, float(q), -1.0)
    assert utility(-buy, q + 1) == pytest.approx(utility(0.0, q), rel=1e-9)
    assert utility(sell, q - 1) == pytest.approx(utility(0.0, q), rel=1e-9)
    room = 2.0 * omega - (gamma * q * sigma) ** 2
    printed = math.log(1.0 + (-1 - 2 * q) * (gamma * sigma) ** 2 / room) / gamma
    assert buy == pytest.approx(printed, rel=1e-9)


@settings(deadline=None, max_examples=examples(200, 100))
@given(st.floats(1e-3, 10.0), st.floats(1e-3, 10.0), st.integers(1, 30), st.data())
def test_infinite_horizon_is_symmetric_and_bounded(
    gamma: float, sigma: float, q_max: int, data: st.DataObject
) -> None:
    q = data.draw(st.integers(-q_max, q_max))
    omega = as_omega(gamma, sigma, float(q_max))
    buy = as_stationary_offset(gamma, sigma, omega, float(q), 1.0)
    assert buy == -as_stationary_offset(gamma, sigma, omega, float(-q), -1.0)
    assert (buy == -math.inf) == (q == q_max)
    assert buy < as_stationary_offset(gamma, sigma, omega, float(q), -1.0)
    if q > -q_max:
        assert buy < as_stationary_offset(gamma, sigma, omega, float(q - 1), 1.0)


def test_infinite_horizon_has_no_utility_beyond_its_bound() -> None:
    omega = as_omega(0.1, 2.0, 5.0)
    for q, side in ((6.0, 1.0), (7.0, -1.0), (-6.0, 1.0), (math.nan, 1.0)):
        assert math.isnan(as_stationary_offset(0.1, 2.0, omega, q, side))
    assert math.isnan(as_stationary_offset(0.0, 2.0, 0.0, 0.0, 1.0))
    assert math.isnan(as_stationary_offset(0.1, 2.0, math.nan, 0.0, 1.0))


@settings(deadline=None, max_examples=examples(300, 100))
@given(st.floats(-0.999, 1e12) | st.floats(-1e-300, 1e-300))
def test_log1p_over_against_exact_arithmetic(x: float) -> None:
    with mpmath.workdps(400):
        exact = mpmath.log1p(x) / x if x else 1
    assert log1p_over(x) == pytest.approx(float(exact), rel=1e-15 * 4)


@settings(deadline=None, max_examples=examples(200, 100))
@given(positive, positive, st.just(0.0) | st.floats(1e-20, 1e3), positive, st.floats(0.0, 1.0))
def test_base_and_eta_against_exact_arithmetic(
    A: float, k: float, xi: float, size: float, impact: float
) -> None:
    with mpmath.workdps(60):
        x = mpmath.mpf(xi) * size / k
        base = mpmath.log1p(x) / (x * k) if x else 1 / mpmath.mpf(k)
        eta = A * ((1 + x) ** -(1 + 1 / x) if x else mpmath.exp(-1))
        eta *= mpmath.exp(-mpmath.mpf(k) * impact / 2)
    assert base_half_spread(k, xi, size) == pytest.approx(float(base), rel=1e-13)
    assert glft_eta(A, k, xi, size, impact) == pytest.approx(float(eta), rel=1e-11 * (1.0 + k))


def test_without_risk_aversion_quotes_stand_one_over_k_away() -> None:
    for gamma in (1e-3, 1e-6, 1e-9, 1e-300, 0.0):
        assert as_half_spread(gamma, 2.0, 1.5, 1.0) == pytest.approx(1 / 1.5, abs=3.0 * gamma)
        found = closed_form(gamma, 0.3, 0.9, 0.3, gamma, 1.0, 0.0, 0.0, 3.0)
        assert found == pytest.approx((1 / 0.3, 1 / 0.3), abs=1e-14 + 9.0 * gamma**0.5)
    assert closed_form(0.0, 0.3, 0.9, 0.3, 0.0, 1.0, 0.0, 0.0, 3.0) == (1.0 / 0.3, 1.0 / 0.3)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1, 1.0])
def test_at_the_end_only_the_base_is_left(gamma: float) -> None:
    assert as_slope(gamma, 2.0, 0.0) == 0.0
    assert as_half_spread(gamma, 2.0, 1.5, 0.0) == base_half_spread(1.5, gamma, 1.0)


@pytest.mark.parametrize("name", FIGURES)
def test_closed_form_of_2013(name: str) -> None:
    sigma, A, eta, slope, bids = FIGURES[name][:5]
    assert base_half_spread(0.3, 0.01, 1.0) == pytest.approx(3.27898228, abs=5e-9)
    assert glft_eta(A, 0.3, 0.01, 1.0, 0.0) == pytest.approx(eta, abs=5e-9)
    assert glft_slope(0.01, sigma, eta, 0.3, 1.0) == pytest.approx(slope, abs=1e-8)
    for q, bid in bids.items():
        found = closed_form(0.01, sigma, A, 0.3, 0.01, 1.0, 0.0, 0.0, float(q))
        mirrored = closed_form(0.01, sigma, A, 0.3, 0.01, 1.0, 0.0, 0.0, float(-q))
        assert found[0] == pytest.approx(bid, abs=1e-6)
        assert found == mirrored[::-1]


def test_spread_drift_and_impact_of_2013() -> None:
    bid, ask = closed_form(0.01, 0.3, 0.9, 0.3, 0.01, 1.0, 0.0, 0.0, 0.0)
    assert bid + ask == pytest.approx(6.625830, abs=1e-6)
    drift = closed_form(0.01, 0.3, 0.9, 0.3, 0.01, 1.0, 0.01, 0.0, 0.0)
    assert drift == pytest.approx((2.558850, 4.066980), abs=1e-6)
    impact = closed_form(0.01, 0.3, 0.9, 0.3, 0.01, 1.0, 0.0, 0.5, 0.0)
    assert impact == pytest.approx((3.564212, 3.564212), abs=1e-6)
    against = closed_form(0.1, 2.0, 140.0, 1.5, 0.1, 1.0, 0.0, 0.0, 0.0)
    assert against == pytest.approx((0.671244, 0.671244), abs=1e-6)


@pytest.mark.parametrize("name", BONDS)
def test_closed_form_of_2017(name: str) -> None:
    sigma, A, k, size, xi, base, slope = BONDS[name][:7]
    assert base_half_spread(k, xi, size) == pytest.approx(base, rel=1e-6)
    eta = glft_eta(A, k, xi, size, 0.0)
    assert glft_slope(6e-5, sigma, eta, k, size) == pytest.approx(slope, rel=1e-6)


def test_closed_form_of_2017_prints_these_quotes() -> None:
    sigma, A, k, size, xi = BONDS["IG A"][:5]
    found = [closed_form(6e-5, sigma, A, k, xi, size, 0.0, 0.0, n)[0] for n in np.arange(-4.0, 4.0)]
    printed = [-2.8427e-4, -1.8830e-4, -9.2318e-5, 3.6605e-6, 9.9638e-5, 1.9562e-4, 2.9159e-4,
               3.8757e-4]  # fmt: skip
    assert found == pytest.approx(printed, rel=5e-5)


@settings(deadline=None, max_examples=examples(100, 50))
@given(
    st.floats(1e-4, 1.0), st.floats(0.01, 2.0), st.floats(0.1, 100.0), st.floats(0.1, 5.0),
    st.sampled_from([0.0, 1.0]), st.floats(0.1, 10.0), st.floats(-0.1, 0.1), st.floats(0.0, 1.0),
)  # fmt: skip
def test_closed_form_against_the_oracle(
    gamma: float, sigma: float, A: float, k: float, model: float, size: float, drift: float,
    impact: float,
) -> None:  # fmt: skip
    xi = gamma * model
    want = oracle.closed_form(A, k, gamma, sigma, 3, xi, size, drift, impact)
    for i, q in enumerate(np.arange(-3.0, 4.0)):
        found = closed_form(gamma, sigma, A, k, xi, size, drift, impact, q)
        scale = abs(want.bid[i]) + abs(want.ask[i])
        assert found == pytest.approx((want.bid[i], want.ask[i]), abs=1e-9 * scale)


def test_a_drift_without_risk_aversion_has_no_best_inventory() -> None:
    assert drift_inventory(0.0, 0.0, 2.0, 1.0) == 0.0
    assert math.isnan(drift_inventory(0.1, 0.0, 2.0, 1.0))
    assert drift_inventory(0.01, 0.01, 0.3, 1.0) == pytest.approx(0.01 / (0.01 * 0.09))


def test_intensity_falls_with_the_distance() -> None:
    assert fill_intensity(140.0, 1.5, 0.0) == 140.0
    assert fill_intensity(140.0, 1.5, math.inf) == 0.0
    assert fill_intensity(140.0, 1.5, 1.0) == pytest.approx(140.0 * math.exp(-1.5))
    assert fill_intensity(140.0, 1.5, -1e9) == math.inf


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (fill_intensity, (140.0, 1.5, 1.0)),
        (base_half_spread, (1.5, 0.1, 1.0)),
        (as_slope, (0.1, 2.0, 1.0)),
        (as_half_spread, (0.1, 2.0, 1.5, 1.0)),
        (as_omega, (0.1, 2.0, 5.0)),
        (glft_eta, (0.9, 0.3, 0.01, 1.0, 0.0)),
        (glft_slope, (0.01, 0.3, 0.3, 0.3, 1.0)),
        (glft_half_spread, (3.0, 0.0, 0.1)),
        (drift_inventory, (0.01, 0.01, 0.3, 1.0)),
    ],
)
def test_nan_stays_nan(kernel, arguments: tuple[float, ...]) -> None:
    assert math.isfinite(kernel(*arguments))
    for i in range(len(arguments)):
        spoilt = list(arguments)
        spoilt[i] = math.nan
        assert math.isnan(kernel(*spoilt))


def test_what_has_no_answer_is_nan() -> None:
    assert math.isnan(as_slope(0.1, 2.0, -1e-9))
    assert math.isnan(as_half_spread(0.1, 2.0, 1.5, -1.0))
    assert math.isnan(log1p_over(-1.0))
    assert math.isnan(log1p_over(-2.0))
    for k in (0.0, -1.0):
        assert math.isnan(base_half_spread(k, 0.1, 1.0))
        assert math.isnan(glft_eta(0.9, k, 0.1, 1.0, 0.0))
        assert math.isnan(glft_slope(0.1, 1.0, 0.3, k, 1.0))
    assert math.isnan(glft_slope(-0.1, 1.0, 0.3, 0.3, 1.0))
