"""The imbalance study against a market whose law is known, a plain replay, and recorded days."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.errors import UsageError
from mmquant.research.imbalance import imbalance_samples, imbalance_study, study_of
from mmquant.research.quote_changes import quote_changes
from tests.research.quote_tapes import (
    BASE,
    logit_quotes,
    logit_tape,
    quotes_of,
    tape_of,
    true_auc,
)

S = 1_000_000_000


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """200 markets of 1,200 moves each, in which the law is known."""
    intercept, slope = 0.05, 0.7
    truth = {"intercept": intercept, "slope": slope, "auc": true_auc(intercept, slope)}
    hits = dict.fromkeys(truth, 0)
    for seed in range(200):
        rows = logit_quotes(seed, intercept=intercept, slope=slope, moves=1_200)
        found = study_of(rows, seed=seed, train=0.5)
        assert (found["intervals"], found["left_out"], found["reason"]) == (1_198, 2, "")
        for name, value in truth.items():
            hits[name] += found[f"{name}_low"] <= value <= found[f"{name}_high"]
    assert all(182 <= count <= 198 for count in hits.values()), hits


def test_a_tape_gives_the_study_of_its_quotes() -> None:
    rows = logit_quotes(7, intercept=0.05, slope=0.7, moves=300)
    tape = tape_of(rows.tolist())
    assert quote_changes(tape).tolist() == rows.tolist()
    study = study_of(rows, seed=2, train=0.4)
    assert imbalance_study(tape, seed=2, train=0.4) == {"symbol": "ABC", **study}


def plain_intervals(tape: xr.Dataset) -> list[tuple[int, int, bool]]:
    """Begin, end and direction of what lies between two moves of the mid."""
    moves: list[tuple[int, int]] = []
    last = None
    for ts, bid, ask, _, _ in quotes_of(tape):
        if last is not None and bid + ask != last:
            moves.append((ts, bid + ask - last))
        last = bid + ask
    return [(a[0], b[0], b[1] > 0) for a, b in itertools.pairwise(moves)]


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_are_what_a_plain_replay_shows(seed: int) -> None:
    tape = mm.make_demo_tape(seed=seed + 1, minutes=4)
    found = imbalance_samples(quote_changes(tape), seed=seed)
    intervals, quotes = plain_intervals(tape), quotes_of(tape)
    assert len(found.ts) == len(intervals) > 200
    at = 0
    for i, (begin, end, up) in enumerate(intervals):
        assert begin <= found.ts[i] < end
        while at + 1 < len(quotes) and quotes[at + 1][0] <= found.ts[i]:
            at += 1
        _, bid, ask, bid_lots, ask_lots = quotes[at]
        assert found.imbalance[i] == float(Fraction(bid_lots - ask_lots, bid_lots + ask_lots))
        assert (found.up[i], found.spread_ticks[i]) == (up, ask - bid)


def test_moments_are_uniform_in_time() -> None:
    """In the first quarter of each interval only the bid is large."""
    quotes = []
    for i in range(4_000):
        bid = 100 + i % 2
        quotes += [(BASE + 4 * i * S, bid, bid + 1, 30, 10)]
        quotes += [(BASE + (4 * i + 1) * S, bid, bid + 1, 10, 30)]
    found = imbalance_samples(quote_changes(tape_of(quotes)), seed=5)
    assert set(found.imbalance.tolist()) == {0.5, -0.5}
    share = float(np.mean(found.imbalance > 0))
    assert share == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 4_000) ** 0.5)
    part = (found.ts - BASE) % (4 * S) / (4 * S)
    edges = np.histogram(part, bins=10, range=(0.0, 1.0))[0]
    assert ((edges - 399.8) ** 2 / 399.8).sum() < 27.9  # chi-square, 9 degrees, 0.1 %


def test_the_first_moment_of_an_interval_shows_its_first_quote() -> None:
    """Intervals of 1 ns have no other moment."""
    quotes = [(BASE + i, 100 + i, 102 + i, 1 + i, 50) for i in range(30)]
    found = imbalance_samples(quote_changes(tape_of(quotes)))
    assert (found.ts - BASE).tolist() == list(range(1, 29))
    assert found.imbalance.tolist() == [(i - 49) / (i + 51) for i in range(1, 29)]


def test_intervals_beside_a_halt_or_an_empty_side_are_left_out() -> None:
    quotes = [(BASE + i * S, 100 + i % 2, 102 + i % 2, 5, 5) for i in range(12)]
    whole = imbalance_samples(quote_changes(tape_of(quotes)))
    assert (len(whole.ts), whole.left_out) == (10, 2)
    # A halt in the interval that begins at 4 s cuts it in two, neither of them whole.
    halts = [(BASE + 4 * S + 100, RowKind.STATUS, 1), (BASE + 4 * S + 500, RowKind.STATUS, 0)]
    halted = imbalance_samples(quote_changes(tape_of(quotes, halts)))
    assert (len(halted.ts), halted.left_out) == (9, 4)
    empty = [*quotes[:6], (BASE + 5 * S + 7, 0, 103, 0, 5), *quotes[6:]]
    one_sided = imbalance_samples(quote_changes(tape_of(empty)))
    assert (len(one_sided.ts), one_sided.left_out) == (8, 4)


def test_same_seed_same_result() -> None:
    tape = logit_tape(1, intercept=0.0, slope=2.0, moves=400)
    assert imbalance_study(tape, seed=3) == imbalance_study(tape, seed=3)
    one, other = (imbalance_samples(quote_changes(tape), seed=s).ts for s in (3, 4))
    assert not np.array_equal(one, other)


def test_the_fit_does_not_see_what_comes_after() -> None:
    """Another second half changes nothing of the fit on the first."""
    tape = logit_tape(1, intercept=0.0, slope=2.0, moves=1_001)
    middle = (int(quote_changes(tape)["ts"][1_000]) - BASE - 2) / 1e9
    first = imbalance_study(tape, train=0.5)
    early = imbalance_study(tape, train=0.999, end=middle)
    assert first["slope"] == pytest.approx(early["slope"], abs=0.05)
    assert first["fitted"] == 499


def test_times_bound_the_study() -> None:
    tape = logit_tape(2, intercept=0.0, slope=1.0, moves=600)
    everything = quote_changes(tape)
    start, end = 100.5, 400.25
    first, last = everything["ts"][0] + round(start * S), everything["ts"][0] + round(end * S)
    found = imbalance_study(tape, start=start, end=end)
    assert first <= found["first_ts"] < found["last_ts"] < last
    rows = quote_changes(tape, start=start, end=end)
    at = np.searchsorted(everything["ts"], first)
    assert rows["ts"][0] == first < everything["ts"][at]
    assert rows[0].tolist()[1:] == everything[at - 1].tolist()[1:]
    assert rows[1:].tolist() == everything[at:][: len(rows) - 1].tolist()
    assert rows["ts"][-1] < last <= everything["ts"][at + len(rows) - 1]


def test_too_little_data_has_no_number_but_a_reason() -> None:
    few = imbalance_study(logit_tape(1, intercept=0.0, slope=1.0, moves=20))
    assert few["slope"] is few["auc"] is few["brier"] is None
    assert "too few" in few["reason"]
    none = imbalance_study(tape_of([(BASE, 100, 101, 5, 5)]))
    assert none["intervals"] == 0 and none["first_ts"] is None and none["up_share"] is None
    late = imbalance_study(logit_tape(1, intercept=0.0, slope=1.0, moves=200), train=0.9)
    assert late["slope"] is not None and late["auc"] is None
    assert "after the fit" in late["reason"]


def test_wrong_questions_are_refused() -> None:
    tape = logit_tape(1, intercept=0.0, slope=1.0, moves=50)
    for bad in (
        {"train": 0.0},
        {"train": 1.0},
        {"seed": -1},
        {"inst": 1},
        {"start": 5.0, "end": 5.0},
    ):
        with pytest.raises(UsageError):
            imbalance_study(tape, **bad)
    with pytest.raises(UsageError, match="L3"):
        imbalance_study(tape.assign_attrs(level="L3"))


def test_amazon_is_like_other_stocks_with_large_spreads(amazon) -> None:
    """Gould and Bonart: slopes of 0.50 to 0.85, AUC of 0.581 to 0.642 where spreads are large."""
    found = imbalance_study(amazon)
    assert found["slope"] == pytest.approx(0.67, abs=0.05)
    assert found["auc"] == pytest.approx(0.617, abs=0.01)
    assert found["slope_low"] < 0.67 < found["slope_high"]
    assert found["auc_low"] < 0.617 < found["auc_high"]
    assert found["auc_low"] > 0.581 and found["auc_high"] < 0.642
    assert found["brier"] < found["brier_null"] - 0.005
    assert found["intervals"] > 20_000


def test_a_perpetual_with_a_spread_of_one_tick(bitcoin) -> None:
    """Where the spread is one tick, the imbalance says far more."""
    found = imbalance_study(bitcoin)
    assert found["slope_low"] > 1.0
    assert found["auc_low"] > 0.7


def test_an_hour_of_apple(apple) -> None:
    found = imbalance_study(apple)
    assert 0.5 < found["auc_low"] < found["auc_high"] < 0.642
    assert found["slope_low"] < 0.5
