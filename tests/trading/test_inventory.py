"""Moments of the inventory, and its half-life."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.trading.inventory import (
    LEAST_PAIRS,
    half_life,
    inventory_half_life,
    position_moments,
)
from tests.fake_run import START, make_path

S = 1_000_000_000


def reverting(rng: np.random.Generator, n: int, phi: float, mean: float = 0.0) -> np.ndarray:
    out = np.empty(n)
    out[0] = rng.normal() / math.sqrt(1 - phi * phi)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + rng.normal()
    return mean + out


# --- half-life ----------------------------------------------------------------


@pytest.mark.parametrize("true", [20.0, 60.0, 120.0])
def test_the_half_life_of_a_simulated_inventory_is_recovered(true: float) -> None:
    """40 days of 6.5 h, looked at each 10 s, with a mean that is not 0."""
    phi = 0.5 ** (10.0 / true)
    rng = np.random.default_rng(int(true))
    found = [
        half_life(position=reverting(rng, 2_340, phi, mean=50.0), step_s=10.0) for _ in range(40)
    ]
    seconds = np.array([one.seconds for one in found], float)
    error = seconds.std(ddof=1) / math.sqrt(40)
    assert abs(seconds.mean() - true) < 3.0 * error + 0.01 * true and error < 0.05 * true
    fits = [one.phi for one in found]
    assert np.mean(fits) == pytest.approx(phi, abs=3.0 * np.std(fits) / math.sqrt(40))


def test_kendalls_correction_takes_the_bias_of_a_short_day_away() -> None:
    rng = np.random.default_rng(4)
    phi = [half_life(position=reverting(rng, 100, 0.8), step_s=10.0).phi for _ in range(600)]
    assert np.mean(phi) == pytest.approx(0.8, abs=3 * np.std(phi) / math.sqrt(600) + 0.003)
    raw = [p - (1 + 3 * p) / 99 / (1 + 3 / 99) for p in phi]
    assert np.mean(raw) < 0.78


def test_the_fit_is_least_squares_with_a_constant() -> None:
    q = reverting(np.random.default_rng(5), 500, 0.9, mean=-3.0)
    fitted = np.linalg.lstsq(np.stack([np.ones(499), q[:-1]], axis=1), q[1:], rcond=None)[0][1]
    found = half_life(position=q, step_s=2.0)
    assert found.phi == pytest.approx(fitted + (1 + 3 * fitted) / 499, abs=1e-12)
    assert found.seconds == pytest.approx(-2.0 * math.log(2) / math.log(found.phi))
    assert (found.pairs, found.step_s, found.why) == (499, 2.0, "")


def test_a_random_walk_has_none_but_for_one_in_twenty() -> None:
    rng = np.random.default_rng(6)
    found = [half_life(position=rng.normal(size=400).cumsum(), step_s=10.0) for _ in range(400)]
    told = np.mean([one.seconds is not None for one in found])
    assert 0.02 < told < 0.08
    assert {one.why for one in found if one.seconds is None} == {
        "a random walk would look the same"
    }


def test_noise_has_none() -> None:
    rng = np.random.default_rng(7)
    found = [half_life(position=rng.normal(size=400), step_s=10.0) for _ in range(200)]
    told = [one.seconds for one in found if one.seconds is not None]
    assert len(told) < 0.06 * 200 and all(seconds < 5.0 for seconds in told)
    assert all("nothing in common" in one.why for one in found if one.seconds is None)
    alternating = half_life(position=np.tile([1.0, -1.0], 100), step_s=10.0)
    assert alternating.seconds is None and alternating.phi < 0


@pytest.mark.parametrize(
    ("position", "why"),
    [(np.zeros(LEAST_PAIRS), "30 pairs of looks 10 s apart are needed, there are 29"),
     (np.full(100, 3.0), "the position does not change")],
)  # fmt: skip
def test_too_little_to_tell(position: np.ndarray, why: str) -> None:
    found = half_life(position=position, step_s=10.0)
    assert (found.seconds, found.phi, found.why) == (None, None, why)


def test_the_path_is_looked_at_each_step() -> None:
    """Steps a second apart: looks are the last step at or before each 10 s."""
    q = reverting(np.random.default_rng(8), 5_000, 0.95)
    path = make_path(START + np.arange(5_000) * S, position=q)
    assert inventory_half_life(path=path) == half_life(position=q[::10], step_s=10.0)
    assert inventory_half_life(path=path, step_s=3.0) == half_life(position=q[::3], step_s=3.0)
    sparse = path.isel(time=slice(None, None, 20))
    assert inventory_half_life(path=sparse).step_s == 20.0
    late = path.isel(time=np.flatnonzero(np.arange(5_000) % 10 != 5))
    assert inventory_half_life(path=late) == half_life(position=q[::10], step_s=10.0)


def test_paths_without_one_inventory() -> None:
    two = make_path(START + np.arange(9) * S, symbols=("A", "B"))
    assert "several instruments" in inventory_half_life(path=two).why
    assert position_moments(path=two) == {"mean": None, "sd": None, "skew": None}
    short = make_path(START + np.arange(1) * S)
    assert inventory_half_life(path=short).why == "the path is too short"
    assert position_moments(path=short)["mean"] is None


# --- moments ------------------------------------------------------------------


def test_moments_are_weighted_by_time() -> None:
    """Long 3 for 2 s, short 1 for 6 s; what is held at the last step has no time."""
    path = make_path(START + np.array([0, 2, 8]) * S, position=[3.0, -1.0, 99.0])
    found = position_moments(path=path)
    assert found["mean"] == pytest.approx(0.0) and found["sd"] == pytest.approx(math.sqrt(3.0))
    assert found["skew"] == pytest.approx((27 * 2 - 6) / 8 / 3.0**1.5)


def test_moments_equal_those_of_a_position_sampled_each_second() -> None:
    rng = np.random.default_rng(9)
    gaps = rng.integers(1, 20, 200)
    q = rng.integers(-9, 10, 200).astype(float)
    path = make_path(START + np.concatenate([[0], np.cumsum(gaps)]) * S, position=[*q, 0.0])
    dense = np.repeat(q, gaps)
    found = position_moments(path=path)
    third = ((dense - dense.mean()) ** 3).mean() / dense.std() ** 3
    wanted = {"mean": dense.mean(), "sd": dense.std(), "skew": third}
    assert found == pytest.approx(wanted, rel=1e-9)


def test_a_constant_position_has_no_skew() -> None:
    found = position_moments(path=make_path(START + np.arange(5) * S, position=np.full(5, 0.1)))
    assert found["sd"] == pytest.approx(0.0, abs=1e-15) and found["skew"] is None
