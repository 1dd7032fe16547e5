"""Queue models against published one-step values, and what holds for all of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import QueueModel
from mmquant.core.queue_position import front_after_depth, lots_reached, share_behind
from tests.core.builders import examples

RISK, POWER, POWER2, POWER3, LOG, LOG2 = (int(model) for model in QueueModel)

ONE_STEP = [  # model, exponent, front 30 of a level 100 -> 90, front 80 of a level 100 -> 60
    (RISK, 0.0, 30.0, 60.0),
    (POWER, 1.0, 27.0, 48.0),
    (POWER, 2.0, 28.448276, 42.352941),
    (POWER, 3.0, 29.270270, 40.615385),
    (POWER2, 2.0, 24.9, 41.6),
    (POWER3, 2.0, 29.1, 54.4),
    (POWER3, 3.0, 29.73, 59.52),
    (LOG, 0.0, 25.538345, 56.370663),
    (LOG2, 0.0, 29.236335, 60.0),
]

models = st.sampled_from([(RISK, 0.0), (LOG, 0.0), (LOG2, 0.0)]) | st.tuples(
    st.sampled_from([POWER, POWER2, POWER3]), st.sampled_from([0.5, 1.0, 1.7, 2.0, 3.0])
)
units = st.floats(0.0, 1e4)


@pytest.mark.parametrize(("model", "n", "near", "far"), ONE_STEP)
def test_one_step_values(model: int, n: float, near: float, far: float) -> None:
    assert front_after_depth(model, n, 30.0, 100.0, 90.0, 0.0) == pytest.approx(near, abs=1e-6)
    assert front_after_depth(model, n, 80.0, 100.0, 60.0, 0.0) == pytest.approx(far, abs=1e-6)


@pytest.mark.parametrize(
    ("model", "n", "share"),
    [(POWER, 1.0, 0.7), (POWER2, 2.0, 0.49), (POWER3, 3.0, 0.973), (LOG, 0.0, 0.5538345)],
)
def test_share_of_a_decrease_that_happened_behind(model: int, n: float, share: float) -> None:
    assert share_behind(model, n, 30.0, 70.0) == pytest.approx(share, abs=1e-6)


@settings(deadline=None, max_examples=examples(300, 100))
@given(models, units, units)
def test_a_share_is_a_probability(model: tuple[int, float], front: float, back: float) -> None:
    if model[0] != RISK:
        assert 0.0 <= share_behind(*model, front, back) <= 1.0


@settings(deadline=None, max_examples=examples(300, 100))
@given(models, units, units, units, units)
def test_the_queue_ahead_is_never_more_than_the_level(
    model: tuple[int, float], front: float, behind: float, after: float, traded: float
) -> None:
    ahead = front_after_depth(*model, front, front + behind, after, traded)
    assert ahead <= after
    assert ahead <= front + 1e-9 * (1.0 + front + behind)


@settings(deadline=None, max_examples=examples(200, 100))
@given(models, units, units, units)
def test_a_level_that_grows_leaves_the_queue_ahead_as_it_is(
    model: tuple[int, float], front: float, behind: float, more: float
) -> None:
    before = front + behind
    ahead = front_after_depth(*model, front, before, before + more, 0.0)
    assert ahead == pytest.approx(front, rel=1e-12, abs=1e-9)


@settings(deadline=None, max_examples=examples(200, 100))
@given(models, units, units, st.floats(0.0, 1.0))
def test_trades_are_taken_out_of_a_decrease(
    model: tuple[int, float], front: float, behind: float, part: float
) -> None:
    """A decrease that trades explain whole moves the queue no further."""
    before = front + behind
    traded = part * front
    ahead = front_after_depth(*model, front - traded, before, before - traded, traded)
    assert ahead == pytest.approx(front - traded, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("model", [RISK, POWER, POWER2, POWER3, LOG, LOG2])
@pytest.mark.parametrize("n", [0.5, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("front", [-1e-17, -1e-9, 0.0])
def test_a_front_just_below_zero_stays_a_number(model: int, n: float, front: float) -> None:
    """Decimal lots leave a residue: 0.3 - 0.1 - 0.2 is not 0."""
    ahead = front_after_depth(model, n, front, 1.0, 0.5, 0.0)
    assert math.isfinite(ahead)
    assert ahead <= 1e-8


@pytest.mark.parametrize("model", [RISK, POWER, POWER2, POWER3, LOG, LOG2])
@pytest.mark.parametrize("n", [1.5, 2.0, 3.0])
def test_a_front_behind_an_emptied_level_stays_a_number(model: int, n: float) -> None:
    """A level that was cleared may be said to be empty once more: more ahead than it showed."""
    assert front_after_depth(model, n, 5.0, 0.0, 0.0, 0.0) <= 0.0
    assert 0.0 <= front_after_depth(model, n, 5.0, 0.0, 3.0, 0.0) <= 3.0


@pytest.mark.parametrize(
    ("front", "lot", "lots"),
    [(1.0, 1.0, 0), (0.0, 1.0, 0), (-0.4, 1.0, 0), (-0.5, 1.0, 1), (-1.0, 1.0, 1), (-1.5, 1.0, 2),
     (-2.4, 1.0, 2), (-0.001, 0.001, 1), (-0.0005, 0.001, 1), (-0.0004, 0.001, 0),
     (-300.0, 100.0, 3)],
)  # fmt: skip
def test_lots_reached_are_rounded_half_away_from_zero(front: float, lot: float, lots: int) -> None:
    assert lots_reached(front, lot) == lots


def test_nan_stays_nan() -> None:
    for model, n in ((POWER, 2.0), (POWER2, 2.0), (POWER3, 2.0), (LOG, 0.0), (LOG2, 0.0)):
        assert math.isnan(share_behind(model, n, math.nan, 1.0))
        assert math.isnan(share_behind(model, n, 1.0, math.nan))
        assert math.isnan(front_after_depth(model, n, math.nan, 10.0, 5.0, 0.0))
