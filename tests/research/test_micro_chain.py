"""The chain of the micro-price against chains that are known, and least squares."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmquant.research.micro_chain import Steps, mirrored, solve_chain
from tests.research.quote_tapes import flip

LOW, HIGH = 0, 1
"""The two states of the smallest chain: more on the ask, more on the bid."""


def steps_of(counts: dict[tuple[int, int, int], int]) -> Steps:
    """Steps from (state, next state, half ticks): how often."""
    table = np.array([key for key, n in counts.items() for _ in range(n)])
    return Steps(*table.reshape(-1, 3).T)


def test_two_states_by_hand() -> None:
    """Of 10 steps from HIGH: 4 stay, 2 go to LOW, 3 move up half a tick into HIGH, 1 down to LOW.

    With LOW as its mirror image, G of HIGH is 0.3 / 2 - 0.1 / 2 + 0.7 G - 0.3 G, so G is 1/6.
    """
    counts = {(HIGH, HIGH, 0): 4, (HIGH, LOW, 0): 2, (HIGH, HIGH, 1): 3, (HIGH, LOW, -1): 1}
    found = solve_chain(steps_of(counts), buckets=2, states=2)
    assert found.Q.tolist() == [[0.4, 0.2], [0.2, 0.4]]
    assert found.R2.tolist() == [[0.3, 0.1], [0.1, 0.3]]
    assert found.jumps.tolist() == [-0.5, 0.5]
    assert found.R1.tolist() == [[0.3, 0.1], [0.1, 0.3]]
    # (I - Q)^-1 of the difference of the two states is 1 / (1 - 0.4 + 0.2).
    assert found.first == pytest.approx([-0.125, 0.125], rel=1e-14)
    landed = found.B
    assert landed == pytest.approx(np.array([[5, 3], [3, 5]]) / 8, rel=1e-14)
    assert found.adjustment == pytest.approx([-1 / 6, 1 / 6], rel=1e-12)
    assert found.terms > 10 and found.steps_left_out == 0
    # One equation, G = mean of (move + sign G): its error, 10 steps, times 1 / (1 - 0.4).
    errors = np.array([0.0] * 4 + [-1 / 3] * 2 + [0.5] * 3 + [-0.5 - 1 / 3])
    se = np.sqrt((errors**2).sum()) / 10 / 0.6
    assert found.adjustment_se == pytest.approx([se, se], rel=1e-12)


def random_steps(seed: int, buckets: int, spreads: int, count: int = 4_000) -> Steps:
    """Steps of a chain that likes to move up where the bucket is high."""
    rng = np.random.default_rng(seed)
    states = buckets * spreads
    state = rng.integers(0, states, count)
    lean = (state % buckets - (buckets - 1) / 2) / buckets
    move = np.round(rng.normal(lean, 1.0, count)).astype(np.int64) * rng.integers(0, 2, count)
    return Steps(state, rng.integers(0, states, count), move)


@pytest.mark.parametrize(("buckets", "spreads"), [(2, 1), (3, 2), (4, 3), (5, 1), (10, 4)])
def test_adjustments_solve_the_chain(buckets: int, spreads: int) -> None:
    """G = E[move] + P G and G(mirror) = -G, solved as least squares from counts in dicts."""
    steps = random_steps(buckets, buckets, spreads)
    states = buckets * spreads
    found = solve_chain(steps, buckets=buckets, states=states)
    assert found.states.tolist() == list(range(states))
    leave, go, moved = Counter(), Counter(), Counter()
    for x, y, by in zip(*(part.tolist() for part in steps), strict=True):
        for a, b, d in ((x, y, by), (flip(x, buckets), flip(y, buckets), -by)):
            leave[a] += 1
            go[a, b] += 1
            moved[a] += d
    left = np.zeros((2 * states, states))
    right = np.zeros(2 * states)
    for a in range(states):
        left[a, a] += 1.0
        for b in range(states):
            left[a, b] -= go[a, b] / leave[a]
        right[a] = 0.5 * moved[a] / leave[a]
        left[states + a, a] += 1.0
        left[states + a, flip(a, buckets)] += 1.0
    want = np.linalg.lstsq(left, right, rcond=None)[0]
    assert left @ want == pytest.approx(right, abs=1e-12)
    assert found.adjustment == pytest.approx(want, abs=1e-10)
    other = [flip(a, buckets) for a in range(states)]
    assert found.adjustment[other] == pytest.approx(-found.adjustment, abs=1e-12)
    assert found.first[other] == pytest.approx(-found.first, abs=1e-12)
    assert found.Q.sum(axis=1) + found.R2.sum(axis=1) == pytest.approx(np.ones(states))
    assert found.R1.sum(axis=1) == pytest.approx(found.R2.sum(axis=1))
    assert found.B.sum(axis=1) == pytest.approx(np.ones(states))


def test_mirrored_states() -> None:
    assert mirrored(np.arange(10), 5).tolist() == [flip(x, 5) for x in range(10)]


def test_standard_errors_are_those_of_repeated_markets() -> None:
    """Four states; 400 walks of 3,000 steps through a known chain."""
    rng = np.random.default_rng(11)
    stay = np.array([[5, 2, 1, 0], [1, 4, 2, 1], [1, 2, 4, 1], [0, 1, 2, 5]]) / 10.0
    up = np.array([0.04, 0.06, 0.14, 0.16])
    where = np.array([0.1, 0.2, 0.3, 0.4])
    law = np.concatenate([stay, up[:, None] * where, (0.2 - up)[:, None] * where[::-1]], axis=1)
    edges = np.cumsum(law, axis=1)
    found, errors, truth = [], [], None
    state = rng.integers(0, 4, 400)
    path = np.zeros((3_001, 400), np.int64)
    moves = np.zeros((3_000, 400), np.int64)
    path[0] = state
    for t in range(3_000):
        event = (rng.random(400)[:, None] > edges[state]).sum(axis=1).clip(max=11)
        state = event % 4
        moves[t] = np.array([0, 1, -1])[event // 4]
        path[t + 1] = state
    for j in range(400):
        chain = solve_chain(Steps(path[:-1, j], path[1:, j], moves[:, j]), buckets=4, states=4)
        found.append(chain.adjustment)
        errors.append(chain.adjustment_se)
    whole = Steps(path[:-1].ravel(), path[1:].ravel(), moves.ravel())
    truth = solve_chain(whole, buckets=4, states=4).adjustment
    spread = np.std(found, axis=0)
    # The standard deviation of 400 numbers is within 4 / sqrt(800) of the truth.
    assert np.mean(errors, axis=0) == pytest.approx(spread, rel=4 / np.sqrt(800))
    assert np.mean(found, axis=0) == pytest.approx(truth, abs=float(4 * spread.max() / 20))
    assert truth[3] > truth[2] > 0.0


def test_states_that_lead_nowhere_are_left_out() -> None:
    """State 4 and 5 were never left; 6 and 7 only lead to each other, without a move."""
    counts = {
        (HIGH, HIGH, 0): 4, (HIGH, LOW, 0): 2, (HIGH, HIGH, 1): 3, (HIGH, LOW, -1): 1,
        (HIGH, 5, 1): 7, (HIGH, 7, 0): 5, (7, 6, 0): 9, (6, 6, 0): 2,
    }  # fmt: skip
    found = solve_chain(steps_of(counts), buckets=2, states=8)
    assert found.states.tolist() == [0, 1]
    assert found.steps_left_out == 7 + 5 + 9 + 2
    assert found.adjustment == pytest.approx([-1 / 6, 1 / 6], rel=1e-12)
    assert found.visits.tolist() == [10, 10]


@pytest.mark.parametrize("after", [HIGH, LOW])
def test_a_series_without_a_limit_gives_no_number(after: int) -> None:
    """The mid goes up for ever; or up and down in turns."""
    found = solve_chain(steps_of({(HIGH, after, 2): 50}), buckets=2, states=2)
    assert found.terms == 0
    assert np.isnan(found.adjustment).all()


def test_no_steps_at_all() -> None:
    found = solve_chain(Steps(*np.zeros((3, 0), np.int64)), buckets=2, states=4)
    assert found.states.size == found.adjustment.size == 0
