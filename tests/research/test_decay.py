"""The exponential fit against SciPy's optimizer, closed forms and what was simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from mmquant.research.calibration.decay import (
    MIN_DEEPER,
    MIN_ORDERS,
    Likelihood,
    Reach,
    chi_square,
    fit_decay,
    root,
)

EMPTY = np.zeros((0, 2))


def reach(
    distance: list[int] | np.ndarray,
    *,
    first: tuple[int, int] = (2, 1),
    time: tuple[float, float] = (0.0, 100.0),
    block_time: np.ndarray = EMPTY,
    block: np.ndarray | None = None,
) -> Reach:
    distance = np.asarray(distance, np.int64)
    if block is None:
        block = np.zeros(len(distance), np.int64)
    return Reach(np.array(first), np.array(time), distance, block_time, block)


def simulated(
    seed: int, *, A: float, k: float, first: tuple[int, int], time: tuple[float, float]
) -> np.ndarray:
    """Distances in half ticks of orders on both grids."""
    rng = np.random.default_rng(seed)
    found = []
    for d, seconds in zip(first, time, strict=True):
        n = rng.poisson(A * math.exp(-k * d / 2) * seconds)
        found.append(d + 2 * (rng.geometric(-math.expm1(-k), n) - 1))
    return np.concatenate(found)


def log_likelihood(data: Reach, a: float, k: float) -> float:
    """Order by order, from Poisson counts and geometric distances."""
    total = 0.0
    for grid, (first, time) in enumerate(zip(data.first, data.time, strict=True)):
        if time:
            steps = (data.distance[data.distance % 2 == grid] - first) // 2
            mean = math.exp(a - k * first / 2) * time
            total += stats.poisson.logpmf(len(steps), mean)
            total += stats.geom.logpmf(steps + 1, -math.expm1(-k)).sum()
    return total


def test_one_grid_has_a_closed_form() -> None:
    """A quote at 0.5, 1.5, ... ticks: k = log(1 + n / steps), A = rate exp(0.5 k)."""
    steps = np.repeat([0, 1, 2, 5], [60, 25, 10, 5])
    fit = fit_decay(reach(1 + 2 * steps))
    assert fit.k is not None and fit.A is not None
    k = math.log1p(len(steps) / steps.sum())
    assert fit.k.value == pytest.approx(k, rel=1e-12)
    assert fit.A.value == pytest.approx(len(steps) / 100.0 * math.exp(0.5 * k), rel=1e-12)
    assert (fit.orders, fit.deeper, fit.blocks, fit.dispersion) == (100, 40, 0, None)


@pytest.mark.parametrize("seed", range(4))
def test_two_grids_against_an_optimizer(seed: int) -> None:
    first, time = ((2, 1), (8, 9), (4, 3), (0, 1))[seed], (40.0 + seed, 300.0)
    data = reach(simulated(seed, A=3.0, k=0.4, first=first, time=time), first=first, time=time)
    best = optimize.minimize(
        lambda x: -log_likelihood(data, x[0], math.exp(x[1])),
        [0.0, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000},
    ).x
    fit = fit_decay(data)
    assert fit.k is not None and fit.A is not None
    assert fit.k.value == pytest.approx(math.exp(best[1]), rel=1e-6)
    assert fit.A.value == pytest.approx(math.exp(best[0]), rel=1e-6)


def test_intervals_end_where_the_profile_has_fallen_by_half_a_quantile() -> None:
    first, time = (6, 5), (200.0, 100.0)
    data = reach(simulated(5, A=3.0, k=0.4, first=first, time=time), first=first, time=time)
    fit = fit_decay(data)
    assert fit.k is not None and fit.A is not None
    top = log_likelihood(data, math.log(fit.A.value), fit.k.value)
    drop = stats.chi2.ppf(0.95, 1) / 2
    for k in (fit.k.low, fit.k.high):
        best = optimize.minimize_scalar(lambda a, k=k: -log_likelihood(data, a, k))
        assert top + best.fun == pytest.approx(drop, rel=1e-5)
    for A in (fit.A.low, fit.A.high):
        best = optimize.minimize_scalar(
            lambda k, A=A: -log_likelihood(data, math.log(A), k), bounds=(0.05, 2), method="bounded"
        )
        assert top + best.fun == pytest.approx(drop, rel=1e-5)


def test_information_is_the_curvature() -> None:
    first, time = (6, 5), (200.0, 100.0)
    data = reach(simulated(6, A=3.0, k=0.4, first=first, time=time), first=first, time=time)
    likelihood, at, h = Likelihood(data), np.array([1.0, 0.45]), 1e-4
    for i, j in ((0, 0), (0, 1), (1, 1)):
        u, v = np.eye(2)[i] * h, np.eye(2)[j] * h
        corners = [at + u + v, at - u - v, at + u - v, at - u + v]
        values = [log_likelihood(data, *corner) for corner in corners]
        curvature = (values[0] + values[1] - values[2] - values[3]) / (4 * h * h)
        assert likelihood.information(*at)[i, j] == pytest.approx(-curvature, rel=1e-4)


def test_blocks_scale_what_varies_more_than_chance_lets_it() -> None:
    """Counts of 0 and 20 in turn have a dispersion near 10, and the distances none."""
    blocks, rng = 40, np.random.default_rng(1)
    block = np.repeat(np.arange(0, blocks, 2), 20)
    distance = 1 + 2 * (rng.geometric(0.5, len(block)) - 1)
    block_time = np.stack([np.zeros(blocks), np.full(blocks, 2.5)], axis=1)
    fit = fit_decay(reach(distance, block_time=block_time, block=block))
    plain = fit_decay(reach(distance))
    assert fit.k is not None and fit.A is not None and plain.k is not None and plain.A is not None
    assert fit.blocks == blocks
    assert fit.dispersion == pytest.approx(10.0 * blocks / (blocks - 1))
    assert fit.k.variance_factor == 1.0 and fit.k == plain.k
    assert 2.0 < fit.A.variance_factor < 10.0
    assert fit.A.value == plain.A.value
    wider = math.log(fit.A.high / fit.A.low) / math.log(plain.A.high / plain.A.low)
    t = stats.t.ppf(0.975, blocks - 1) / stats.norm.ppf(0.975)
    assert wider == pytest.approx(t * math.sqrt(fit.A.variance_factor), rel=0.02)


def test_what_is_not_identified_is_none_with_the_reason() -> None:
    few = fit_decay(reach([1, 3] * (MIN_ORDERS // 2 - 1)))
    assert (few.A, few.k, few.fit_p) == (None, None, None) and "too few" in few.reason
    flat = fit_decay(reach([1] * 500 + [3] * (MIN_DEEPER - 1)))
    assert (flat.A, flat.k) == (None, None) and "go deeper" in flat.reason
    assert fit_decay(reach([1] * 500 + [3] * MIN_DEEPER)).reason == ""
    far = fit_decay(reach([4001] * 500 + [4003] * 9, first=(4000, 4001)))
    assert far.A is None and far.k is not None and "A is no number" in far.reason
    assert fit_decay(reach([])).orders == 0


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 200),
    st.lists(st.integers(0, 40), min_size=40, max_size=80),
    st.tuples(st.floats(0.0, 1e4), st.floats(0.1, 1e4)),
)
def test_intervals_hold_their_estimate(
    start: int, steps: list[int], time: tuple[float, float]
) -> None:
    first = (2 * (start // 2) + 2, 2 * (start // 2) + 1)
    distance = first[1] + 2 * np.array(steps)
    fit = fit_decay(reach(distance, first=first, time=time))
    for estimate in (fit.A, fit.k):
        if estimate is not None:
            assert 0.0 < estimate.low < estimate.value < estimate.high < math.inf
    assert (fit.k is None) == (sum(step > 0 for step in steps) < MIN_DEEPER)


def test_the_test_of_fit_against_scipy() -> None:
    found, expected = np.array([9.0, 8, 16, 4, 3]), np.array([10.0, 9, 12, 6, 3])
    bins, p = chi_square(found, expected)
    joined = np.array([9.0, 8, 16, 7]), np.array([10.0, 9, 12, 9])
    assert bins == 4
    assert p == pytest.approx(stats.chisquare(*joined, ddof=1).pvalue, rel=1e-9)
    assert chi_square(np.array([5.0, 5]), np.array([5.0, 5])) == (2, None)
    assert chi_square(np.zeros(0), np.zeros(0)) == (0, None)


def test_the_test_of_fit_sees_another_curve() -> None:
    """Distances spread evenly, or in two heaps, are not exponential."""
    rng = np.random.default_rng(3)
    even = fit_decay(reach(1 + 2 * rng.integers(0, 12, 400)))
    assert even.fit_p is not None and even.fit_p < 1e-6
    assert even.fit_gap is not None and even.fit_gap > 0.1
    true = fit_decay(reach(1 + 2 * (rng.geometric(0.3, 400) - 1)))
    assert true.fit_p is not None and true.fit_p > 0.01
    assert true.fit_gap is not None and true.fit_gap < 0.05


@settings(deadline=None, max_examples=100)
@given(st.floats(-50.0, 50.0), st.floats(0.001, 100.0), st.floats(0.1, 5.0))
def test_roots(middle: float, width: float, power: float) -> None:
    def falling(x: float) -> float:
        return math.copysign(abs(middle - x) ** power, middle - x)

    found = root(falling, middle - width, middle + 0.7 * width)
    assert found == pytest.approx(middle, abs=1e-6 * (1.0 + width))
    assert root(lambda x: -1.0 - x, 2.0, 3.0) == 2.0
    assert root(lambda x: 10.0 - x, 2.0, 3.0) == 3.0
