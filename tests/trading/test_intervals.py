"""Block-bootstrap intervals: coverage, a slow reference, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.trading.intervals import (
    BLOCKS,
    DRAWS,
    LEAST_BLOCKS,
    block_ns,
    draws,
    mean_interval,
)

S = 1_000_000_000
HOUR = 3600 * S


def events(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.sort(rng.integers(0, HOUR, n))


def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bursts of fills that share most of their fate; the mean is 0."""
    centres = events(rng, 60)
    size = 1 + rng.negative_binomial(1, 0.2, 60)
    times = np.repeat(centres, size) + rng.integers(0, S, int(size.sum()))
    values = np.repeat(rng.normal(size=60), size) + 0.3 * rng.normal(size=len(times))
    return times, values, np.ones(len(times))


def independent(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times = events(rng, 400)
    return times, rng.exponential(1.0, 400) - 1.0, rng.integers(1, 5, 400).astype(float)


def overlapping(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moves of a random walk over the 30 s after each of 2,000 events."""
    times = events(rng, 2_000)
    walk = np.cumsum(rng.normal(size=3_700))
    second = times // S
    return times, walk[second + 30] - walk[second], np.ones(2_000)


@pytest.mark.parametrize(
    ("market", "horizon_s", "naive_most"),
    [(independent, 1.0, 0.99), (clustered, 1.0, 0.75), (overlapping, 30.0, 0.45)],
)
def test_the_interval_covers_the_mean_and_a_naive_one_does_not(
    market, horizon_s: float, naive_most: float
) -> None:
    """In 300 samples: 95 % give or take three binomial standard deviations; with independent fills
    taken for granted it would be ``naive_most`` at most."""
    hits = naive = 0
    for seed in range(300):
        times, values, weights = market(np.random.default_rng(seed))
        found = mean_interval(
            times=times, values=values, weights=weights, start=0, end=HOUR, horizon_s=horizon_s
        )
        hits += found.low <= 0.0 <= found.high
        mean = np.average(values, weights=weights)
        naive += abs(mean) < 1.96 * values.std() / np.sqrt(len(values))
    assert 0.912 < hits / 300 < 0.988
    assert naive / 300 < naive_most


def test_the_interval_equals_a_slow_bootstrap() -> None:
    """The same draws, one after the other: a ratio of sums and its error from the drawn blocks."""
    rng = np.random.default_rng(7)
    times, values, weights = independent(rng)
    found = mean_interval(times=times, values=values, weights=weights, start=0, end=HOUR)
    block = times // block_ns(span_ns=HOUR, horizon_s=0.0)
    pairs = [
        ((weights * values)[block == b].sum(), weights[block == b].sum()) for b in np.unique(block)
    ]
    n = len(pairs)

    def studied(chosen: list[tuple[float, float]]) -> tuple[float, float]:
        mean = sum(s for s, _ in chosen) / sum(w for _, w in chosen)
        square = sum((s - mean * w) ** 2 for s, w in chosen) * n / (n - 1)
        return mean, square**0.5 / sum(w for _, w in chosen)

    mean, error = studied(pairs)
    ratios = []
    for row in draws(n):
        chosen = [pair for pair, times_ in zip(pairs, row, strict=True) for _ in range(int(times_))]
        assert len(chosen) == n
        drawn, spread = studied(chosen)
        ratios.append((drawn - mean) / spread)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert found[:2] == pytest.approx((mean - high * error, mean - low * error), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100.0), st.floats(-50.0, 50.0), st.integers(0, HOUR))
def test_scale_shift_and_order_carry_over(seed: int, scale: float, shift: float, by: int) -> None:
    rng = np.random.default_rng(seed)
    times, values, weights = clustered(rng)
    span = {"start": 0, "end": HOUR, "horizon_s": 1.0}
    one = mean_interval(times=times, values=values, weights=weights, **span)
    order = rng.permutation(len(times))
    moved = mean_interval(
        times=times[order] + by,
        values=scale * values[order] + shift,
        weights=3.0 * weights[order],
        start=by,
        end=HOUR + by,
        horizon_s=1.0,
    )
    wanted = (scale * one.low + shift, scale * one.high + shift)
    assert moved[:2] == pytest.approx(wanted, rel=1e-6, abs=1e-6 * (1 + abs(shift)))
    assert one.low < np.average(values, weights=weights) < one.high
    assert one == mean_interval(times=times, values=values, weights=weights, **span)


def test_no_weights_are_equal_weights() -> None:
    times, values, _ = independent(np.random.default_rng(1))
    equal = mean_interval(times=times, values=values, start=0, end=HOUR)
    assert equal == mean_interval(
        times=times, values=values, weights=np.ones(400), start=0, end=HOUR
    )


def test_blocks_are_a_fortieth_of_the_time_or_three_horizons() -> None:
    assert block_ns(span_ns=HOUR, horizon_s=1.0) == HOUR // BLOCKS + 1
    assert block_ns(span_ns=HOUR, horizon_s=300.0) == 900 * S
    assert draws(20).shape == (DRAWS, 20) and (draws(20).sum(axis=1) == 20).all()


def test_too_few_blocks_give_no_interval_and_say_so() -> None:
    times, values, _ = independent(np.random.default_rng(2))
    found = mean_interval(times=times, values=values, start=0, end=HOUR, horizon_s=300.0)
    assert np.isnan(found.low) and np.isnan(found.high)
    assert found.why == f"{LEAST_BLOCKS} blocks of 900 s with fills are needed, there are 4"
    none = mean_interval(times=times[:0], values=values[:0], start=0, end=HOUR)
    assert np.isnan(none.low) and none.why.endswith("there are 0")


def test_values_that_are_all_the_same_have_an_interval_of_no_width() -> None:
    times = events(np.random.default_rng(3), 200)
    found = mean_interval(times=times, values=np.full(200, 0.1), start=0, end=HOUR)
    assert found.low == found.high == pytest.approx(0.1)


def test_one_block_that_differs_from_all_others_gives_no_interval() -> None:
    """A third of the draws leave it out, and then have no error to speak of."""
    times = np.arange(40) * 90 * S
    values = np.zeros(40)
    values[7] = 1.0
    found = mean_interval(times=times, values=values, start=0, end=HOUR)
    assert np.isnan(found.low) and found.why == "too few of the blocks differ from each other"
