"""Micro-price adjustments against chains that are known, plain counting, and recorded days."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core import theo
from mmquant.core.dtypes import RowKind
from mmquant.data.micro_price import micro_price_table
from mmquant.errors import UsageError
from mmquant.research.micro_chain import Steps, mirrored, solve_chain
from mmquant.research.micro_price import (
    LEAST_VISITS,
    buckets_of,
    fit_micro_price,
    micro_price_summary,
)
from mmquant.research.quote_changes import has_market, quote_changes
from tests.research.quote_tapes import BASE, quotes_of, tape_of

S = 1_000_000_000
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


def flip(state: int, buckets: int) -> int:
    spread, bucket = divmod(state, buckets)
    return spread * buckets + buckets - 1 - bucket


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


def test_buckets_of_arrays_are_those_of_the_kernel() -> None:
    rng = np.random.default_rng(0)
    bid, ask = rng.integers(1, 200, (2, 3_000))
    for buckets in (2, 5, 10):
        want = [theo.imbalance_bucket(float(b), float(a), float(buckets))
                for b, a in zip(bid.tolist(), ask.tolist(), strict=True)]  # fmt: skip
        assert buckets_of(bid, ask, buckets).tolist() == want


def plain_counts(tape: xr.Dataset, buckets: int, spreads: int) -> tuple[Counter, Counter]:
    """Steps without and with a move of the mid, mirrored, by a plain replay."""

    def state(quote: tuple[int, ...]) -> int:
        _, bid, ask, bid_lots, ask_lots = quote
        share = Fraction(min(bid_lots, ask_lots), bid_lots + ask_lots)
        bucket = int(share * buckets)
        if bid_lots > ask_lots:
            bucket = buckets - 1 - bucket
        return (min(ask - bid, spreads) - 1) * buckets + bucket

    stay, move = Counter(), Counter()
    for a, b in pairwise(quotes_of(tape)):
        d = b[1] + b[2] - a[1] - a[2]
        x, y = state(a), state(b)
        if d == 0:
            stay[x, y] += 1
            stay[flip(x, buckets), flip(y, buckets)] += 1
        else:
            move[x, d] += 1
            move[flip(x, buckets), -d] += 1
    return stay, move


@pytest.mark.parametrize(("buckets", "spreads"), [(4, 2), (5, 3)])
def test_a_fit_counts_what_a_plain_replay_shows(buckets: int, spreads: int) -> None:
    tape = mm.make_demo_tape(seed=3, minutes=5)
    fit = fit_micro_price(tape, imbalance_buckets=buckets, max_spread_ticks=spreads)
    stay, move = plain_counts(tape, buckets, spreads)
    visits = fit["visits"].values.ravel()
    assert visits.sum() == 2 * fit.attrs["steps"] == stay.total() + move.total()
    for x in fit["state"].values.tolist():
        for y in fit["next_state"].values.tolist():
            assert fit["Q"].sel(state=x, next_state=y) * visits[x] == pytest.approx(stay[x, y])
        for jump in fit["jump"].values.tolist():
            found = fit["R1"].sel(state=x, jump=jump) * visits[x]
            assert found == pytest.approx(move[x, round(2 * jump)])
    assert fit.attrs["steps_left_out"] == fit.attrs["breaks"] == 0


def test_rare_states_are_not_told() -> None:
    tape = mm.make_demo_tape(seed=3, minutes=5)
    fit = fit_micro_price(tape, imbalance_buckets=10, max_spread_ticks=4)
    rare = (fit["visits"] < LEAST_VISITS).values
    assert rare.any() and not rare.all()
    assert np.isnan(fit["adjustment"].values[rare]).all()
    assert np.isfinite(fit["adjustment"].values[~rare]).all()
    facts = micro_price_summary(fit)
    assert (facts["states"], facts["states_unknown"]) == (40, int(rare.sum()))
    assert facts["reason"] == ""


def test_steps_across_a_halt_are_not_counted() -> None:
    quotes = [(BASE + i * S, 100 + i % 2, 102 + i % 2, 5 + i % 3, 6) for i in range(100)]
    halts = [(BASE + 9 * S + 1, RowKind.STATUS, 1), (BASE + 19 * S, RowKind.STATUS, 0)]
    whole = fit_micro_price(tape_of(quotes), imbalance_buckets=2, max_spread_ticks=2)
    cut = fit_micro_price(tape_of(quotes, halts), imbalance_buckets=2, max_spread_ticks=2)
    assert (whole.attrs["steps"], whole.attrs["breaks"]) == (99, 0)
    assert (cut.attrs["steps"], cut.attrs["breaks"]) == (9 + 80, 1)


def test_the_default_spread_is_that_of_nearly_all_quotes() -> None:
    widths = [1] * 60 + [2] * 34 + [3] * 2 + [9] * 4
    quotes = [(BASE + i * S, 100, 100 + w, 5 + i % 3, 6) for i, w in enumerate(widths)]
    fit = fit_micro_price(tape_of(quotes), imbalance_buckets=2)
    assert fit["spread"].values.tolist() == [1, 2, 3]


def test_empty_tapes_and_wrong_questions() -> None:
    one = tape_of([(BASE, 100, 101, 5, 6)])
    fit = fit_micro_price(one)
    assert fit.attrs["steps"] == 0 and np.isnan(fit["adjustment"].values).all()
    assert micro_price_summary(fit)["largest_adjustment_ticks"] is None
    for bad in (
        {"imbalance_buckets": 1},
        {"max_spread_ticks": 0},
        {"max_spread_ticks": 10**6},
        {"inst": 3},
        {"start": 2.0, "end": 1.0},
    ):
        with pytest.raises(UsageError):
            fit_micro_price(one, **bad)


def check_fit(fit: xr.Dataset) -> None:
    """What must hold of any fit: mirror images, a fair game, and a series that ended."""
    G, se = fit["adjustment"].values, fit["adjustment_se"].values
    assert np.nanmax(np.abs(G + G[:, ::-1])) < 1e-9
    assert np.array_equal(np.isnan(G), np.isnan(se))
    assert 1 < fit.attrs["terms"] < 200
    whole = np.full(fit["visits"].size, np.nan)
    first = np.linalg.solve(np.eye(len(fit["state"])) - fit["Q"].values,
                            fit["R1"].values @ fit["jump"].values)  # fmt: skip
    P = fit["Q"].values + fit["R2"].values
    total, term = first.copy(), first
    for _ in range(500):
        term = fit["B"].values @ term
        total = total + term
    whole[fit["state"].values] = total
    known = np.isfinite(G.ravel())
    assert G.ravel()[known] == pytest.approx(whole[known], abs=1e-9)
    step = fit["R1"].values @ fit["jump"].values + P @ total
    assert step == pytest.approx(total, abs=1e-9)


def test_amazon(amazon) -> None:
    fit = fit_micro_price(amazon)
    check_fit(fit)
    facts = micro_price_summary(fit)
    assert facts["steps"] > 50_000 and facts["states_unknown"] == 0
    assert 20 <= facts["max_spread_ticks"] <= 25
    # Adjustments are of a tick, inside the spread where it is an ordinary one.
    assert facts["largest_adjustment_ticks"] < 4.0
    G = fit["adjustment"]
    assert (np.abs(G) < 0.5 * fit["spread"]).sel(spread=slice(5, None)).all()
    usual = G.sel(spread=slice(5, 20))
    assert (usual.isel(bucket=slice(6, None)) > 0).mean() > 0.95
    se = fit["adjustment_se"].sel(spread=slice(5, 20))
    assert (usual > 2 * se).isel(bucket=9).all()


def test_the_micro_price_forecasts_what_it_has_not_seen(amazon) -> None:
    """Fitted on the first half, over 10 s of the second: nearer than mid and weighted mid."""
    rows = quote_changes(amazon)
    middle = int((rows["ts"][0] + rows["ts"][-1]) // 2)
    table = micro_price_table(
        fit_micro_price(amazon, end=(middle - int(amazon["exch_ts"][0])) / 1e9)
    )
    later = rows[(rows["ts"] >= middle) & has_market(rows)]
    mid = 0.5 * (later["bid"] + later["ask"])
    columns = [later[name].astype(float).tolist() for name in later.dtype.names[1:]]
    micro = np.array([theo.micro_price(*x, table) for x in zip(*columns, strict=True)])
    weighted = np.array([theo.weighted_mid(*x) for x in zip(*columns, strict=True)])
    ahead = later["ts"] + 10 * S
    known = np.isfinite(micro) & (ahead < later["ts"][-1])
    assert known.mean() > 0.99
    target = mid[np.searchsorted(later["ts"], ahead, side="right") - 1]
    error = {
        name: float(np.mean((target - price)[known] ** 2))
        for name, price in (("mid", mid), ("micro", micro), ("weighted", weighted))
    }
    assert error["micro"] < error["mid"] < error["weighted"]


def test_other_days(apple, bitcoin) -> None:
    for tape in (apple, bitcoin):
        check_fit(fit_micro_price(tape))
    fit = fit_micro_price(bitcoin)
    assert fit["spread"].values.tolist() == [1]
    assert (np.diff(fit["adjustment"].values[0]) > -2.0).all()
