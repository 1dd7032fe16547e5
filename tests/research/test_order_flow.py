"""Order flow by bars against sums one by one, lines that are known, and recorded days."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.errors import UsageError
from mmquant.research.order_flow import order_flow_bars, order_flow_study
from mmquant.research.quote_changes import quote_changes
from tests.oracles.signals import side_flow
from tests.research.quote_tapes import BASE, Quote, quotes_of, tape_of

S = 1_000_000_000


def plain_bars(quotes: list[Quote], bar_ns: int) -> list[tuple[float, float]]:
    """Flow and move of each whole bar, each quote change looked at by itself."""
    begin, out = quotes[0][0], []
    while begin + bar_ns <= quotes[-1][0]:
        end = begin + bar_ns
        flow = 0
        for a, b in pairwise(quotes):
            if begin <= b[0] < end:
                flow += side_flow(1, (a[1], a[3]), (b[1], b[3]))
                flow -= side_flow(-1, (a[2], a[4]), (b[2], b[4]))
        mids = [[0.5 * (q[1] + q[2]) for q in quotes if q[0] < t] for t in (begin, end)]
        first = mids[0][-1] if mids[0] else 0.5 * (quotes[0][1] + quotes[0][2])
        out.append((float(flow), mids[1][-1] - first))
        begin = end
    return out


@pytest.mark.parametrize("bar_ns", [S, 7 * S, 10 * S])
def test_bars_are_those_of_a_plain_sum(bar_ns: int) -> None:
    tape = mm.make_demo_tape(seed=4, minutes=1.5)
    flow, move = order_flow_bars(quote_changes(tape), bar_ns=bar_ns)
    want = plain_bars(quotes_of(tape), bar_ns)
    assert list(zip(flow.tolist(), move.tolist(), strict=True)) == want
    assert np.abs(flow).sum() > 0 and np.abs(move).sum() > 0


def test_what_happens_at_the_end_of_a_bar_is_in_the_next() -> None:
    quotes = line(100, 50)
    flow, move = order_flow_bars(quote_changes(tape_of(quotes)), bar_ns=10 * S)
    want = plain_bars(quotes_of(tape_of(quotes)), 10 * S)
    assert list(zip(flow.tolist(), move.tolist(), strict=True)) == want
    assert len(want) == 9


def line(count: int, lots_per_tick: int, seed: int = 1) -> list[Quote]:
    """A book as Cont and others draw it: the same size at all levels, gone level by level.

    Flow of ``2 lots_per_tick`` on net moves the mid by a tick.
    """
    rng = np.random.default_rng(seed)
    quotes, bid = [(BASE, 1_000, 1_001, lots_per_tick, lots_per_tick)], 1_000
    for i in range(1, count):
        bid += int(rng.integers(-2, 3))
        quotes.append((BASE + i * S, bid, bid + 1, lots_per_tick, lots_per_tick))
    return quotes


def test_a_market_that_follows_the_model_has_no_noise() -> None:
    """Moves of one level at a time: the slope is 1 / (2 D), and R² is 1."""
    quotes = line(3_000, 50)
    steps = [quotes[0]]
    for a, b in pairwise(quotes):
        for k in range(1, abs(b[1] - a[1]) + 1):
            bid = a[1] + (k if b[1] > a[1] else -k)
            steps.append((b[0] + k, bid, bid + 1, 50, 50))
    found = order_flow_study(tape_of(steps), bar_s=10.0, window_s=600.0)
    assert found["slope_mean"] == pytest.approx(1 / (2 * 50), rel=1e-9)
    assert found["r2_lowest"] == pytest.approx(1.0, rel=1e-9)
    assert found["windows"] == 5 and found["bars"] == 299
    assert (found["bars_left_out"], found["windows_left_out"]) == (0, 0)
    assert found["mean_best_lots"] == 50.0


def test_bars_beside_a_halt_are_left_out() -> None:
    quotes = line(900, 50)
    halts = [(BASE + 95 * S + 5, RowKind.STATUS, 1), (BASE + 125 * S + 5, RowKind.STATUS, 0)]
    whole = order_flow_study(tape_of(quotes), bar_s=10.0, window_s=300.0)
    halted = order_flow_study(tape_of(quotes, halts), bar_s=10.0, window_s=300.0)
    assert whole["bars"] == 89 and whole["bars_left_out"] == 0
    # From 90 s to 130 s: four bars.
    assert halted["bars"] == 85 and halted["bars_left_out"] == 4
    flow, move = order_flow_bars(quote_changes(tape_of(quotes, halts)), bar_ns=10 * S)
    assert np.flatnonzero(np.isnan(flow) | np.isnan(move)).tolist() == [9, 10, 11, 12]
    same, _ = order_flow_bars(quote_changes(tape_of(quotes)), bar_ns=10 * S)
    rest = np.isfinite(flow)
    assert np.array_equal(flow[rest], same[rest])


def test_nothing_to_fit_has_no_number_but_a_reason() -> None:
    quiet = [(BASE + i * S, 100, 101, 5 + i % 2, 5) for i in range(600)]
    for quotes in (quiet, quiet[:1], line(30, 5)):
        found = order_flow_study(tape_of(quotes))
        assert found["r2_mean"] is found["slope_mean"] is None
        assert found["windows"] == 0 and found["reason"]
    empty = order_flow_bars(quote_changes(tape_of(quiet))[:0], bar_ns=S)
    assert [part.size for part in empty] == [0, 0]


def test_wrong_lengths_are_refused() -> None:
    tape = tape_of(line(30, 5))
    for bar_s, window_s in ((0.0, 5.0), (10.0, 5.0), (math.nan, 5.0), (1.0, math.inf)):
        with pytest.raises(UsageError, match="bar"):
            order_flow_study(tape, bar_s=bar_s, window_s=window_s)


def test_amazon_is_like_the_papers_stocks(amazon) -> None:
    """Cont and others: 65 % on average over 50 stocks; AZO and CME, spread like this, 47 and 35."""
    found = order_flow_study(amazon)
    assert found["windows"] == 13 and found["bars"] == 2_339
    assert 0.4 < found["r2_mean"] < 0.75
    assert found["r2_lowest"] > 0.1
    # The slope is near 1 / (2 D), D the mean best size.
    assert 0.5 < found["slope_mean"] * 2 * found["mean_best_lots"] < 4.0


def test_other_days(apple, bitcoin) -> None:
    assert order_flow_study(apple)["r2_mean"] > 0.2
    assert order_flow_study(bitcoin)["r2_mean"] > 0.3
