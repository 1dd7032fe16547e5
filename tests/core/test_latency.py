"""Latencies between measurements, and messages that never overtake each other."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import NEVER
from mmquant.core.engine import exchange_step
from mmquant.core.exchange import EXCHANGE_STATE, make_exchange, send_request
from mmquant.core.latency import KNOT, between, entry_latency, last_knot, response_latency
from tests.core.builders import (
    BUY,
    SELL,
    SLOTS,
    Venue,
    cancel,
    depth,
    examples,
    instruments,
    place,
    trade,
)
from tests.core.engine_runs import RESTLESS, run, same, tape_columns

HOUR = 3_600_000_000_000
START = 1_700_000_000_000_000_000
Knots = list[tuple[int, int, int]]


def knots_of(rows: Knots) -> np.ndarray:
    return np.array(rows, KNOT)


@st.composite
def measured(draw: st.DrawFn, gap: int = HOUR, latency: int = HOUR, start: int = START) -> Knots:
    """Times that rise, with latencies of at least 1 ns."""
    ns = st.integers(1, latency)
    ts, out = start, []
    for step in draw(st.lists(st.integers(1, gap), min_size=1, max_size=8)):
        ts += step
        out.append((ts, draw(ns), draw(ns)))
    return out


def exact(rows: Knots, which: int, ts: int) -> Fraction:
    """The value at a time, by looking at every pair of neighbours."""
    if ts <= rows[0][0]:
        return Fraction(rows[0][which])
    for a, b in pairwise(rows):
        if a[0] <= ts <= b[0]:
            return a[which] + Fraction(b[which] - a[which]) * Fraction(ts - a[0], b[0] - a[0])
    return Fraction(rows[-1][which])


@settings(deadline=None, max_examples=examples(300, 100))
@given(rows=measured(), data=st.data())
def test_latencies_are_straight_between_measurements(rows: Knots, data: st.DataObject) -> None:
    first, last = rows[0][0], rows[-1][0]
    inside = st.integers(first - HOUR, last + HOUR)
    ts = data.draw(st.one_of(inside, st.sampled_from([row[0] for row in rows])))
    knots = knots_of(rows)
    for which, latency in ((1, entry_latency), (2, response_latency)):
        found, value = int(latency(knots, ts)), exact(rows, which, ts)
        # A nanosecond is cut off, and an hour in float64 is exact to less than a thousandth.
        assert abs(found - value) < 1 + Fraction(1, 100)
        assert min(row[which] for row in rows) <= found <= max(row[which] for row in rows)
        if ts <= first or ts >= last or ts in [row[0] for row in rows]:
            assert found == value


@settings(deadline=None, max_examples=examples(200, 100))
@given(rows=measured(gap=5), ts=st.integers(START - 3, START + 50))
def test_the_last_measurement_is_the_one_that_counting_finds(rows: Knots, ts: int) -> None:
    before = sum(row[0] <= ts for row in rows)
    assert last_knot(knots_of(rows), ts) == max(before - 1, 0)


@pytest.mark.parametrize(
    ("ts", "latency"),
    [(99, 10), (100, 10), (101, 19), (109, 91), (110, 100), (111, 97), (120, 70), (121, 70)],
)
def test_a_worked_example(ts: int, latency: int) -> None:
    knots = knots_of([(100, 10, 1), (110, 100, 1), (120, 70, 1)])
    assert entry_latency(knots, ts) == latency
    assert response_latency(knots, ts) == 1


def test_between_measurements_of_one_time_the_first_holds() -> None:
    assert between(5, 10, 5, 90, 5) == 10


# --- first in, first out


@settings(deadline=None, max_examples=examples(200, 60))
@given(rows=measured(gap=40, latency=90), gaps=st.lists(st.integers(0, 25), max_size=40))
def test_no_request_overtakes_an_earlier_one(rows: Knots, gaps: list[int]) -> None:
    knots = knots_of(rows)
    state = np.zeros(1, EXCHANGE_STATE)
    state["slots"] = SLOTS
    book = Venue([]).exchange.book
    what = instruments()
    exchange = make_exchange(book=book, instrument=what, state=state, sets=1, knots=knots)
    due, expected = START, []
    for i, ts in enumerate((START + np.cumsum(gaps)).tolist()):
        assert send_request(exchange, place(0, i + 1, BUY, 99, 1).action()[0], ts)
        due = max(due, ts + int(entry_latency(knots, ts)))
        expected.append((due, i + 1))
    sent = exchange.request[: len(gaps)]
    assert list(zip(sent["ts"].tolist(), sent["order_id"].tolist(), strict=True)) == expected
    assert int(exchange.state[0]["entry_ns"]) == max(row[1] for row in rows)
    assert int(exchange.state[0]["response_ns"]) == max(row[2] for row in rows)


@settings(deadline=None, max_examples=examples(150, 40))
@given(
    rows=measured(gap=40, latency=90, start=0),
    events=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 5)), max_size=40),
)
def test_no_answer_overtakes_an_earlier_one(
    rows: Knots, events: list[tuple[int, bool, int]]
) -> None:
    """Orders are placed and traded with; answers come in the order in which they were given."""
    knots, ts = knots_of(rows), 1
    tape, requests = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5)], []
    for gap, traded, lots in events:
        ts += gap
        if traded:
            tape.append(trade(ts, SELL, 99, lots))
        else:
            number = len(requests) + 1
            requests.append(place(ts, number, BUY, 100, lots) if number < SLOTS else cancel(ts, 1))
    venue = Venue(tape, knots=knots)
    for request in requests:
        venue.send(request)
    assert exchange_step(venue.exchange, venue.tape, NEVER - 1, len(tape) + 1, False) == 0
    said = venue.exchange.response[: int(venue.exchange.state[0]["response_tail"])]
    due, expected = 0, []
    for given_at in said["exch_ts"].tolist():
        due = max(due, given_at + int(response_latency(knots, given_at)))
        expected.append(due)
    assert said["ts"].tolist() == expected
    assert (np.diff(said["exch_ts"]) >= 0).all()
    assert len(said) >= len(requests)


# --- whole runs


@pytest.mark.parametrize("on", [("timer",), ("timer", "own")], ids="+".join)
def test_equal_measurements_are_a_constant_latency_bit_for_bit(on: tuple[str, ...]) -> None:
    columns = tape_columns(2)
    start, end = int(columns["exch_ts"][0]), int(columns["exch_ts"][-1])
    times = np.linspace(start - 10**9, end - 10**9, 50).astype(np.int64)
    knots = knots_of([(ts, 3_000_000, 2_000_000) for ts in times.tolist()])
    constant, measured_ones = run(columns, on=on), run(columns, on=on, knots=knots)
    assert len(constant.fills)
    for name in ("path", "fills", "orders", "instructions"):
        same(getattr(constant, name), getattr(measured_ones, name))


def test_answers_and_requests_of_a_run_take_the_measured_time() -> None:
    columns = tape_columns(3)
    rng = np.random.default_rng(5)
    start, end = int(columns["exch_ts"][0]), int(columns["exch_ts"][-1])
    times = np.unique(rng.integers(start, end, 20))
    # So slow a change that nothing is ever held up by the message before it.
    entry = 3_000_000 + np.cumsum(rng.integers(0, 2000, len(times)))
    answer = 2_000_000 + np.cumsum(rng.integers(0, 2000, len(times)))
    knots = np.zeros(len(times), KNOT)
    knots["ts"], knots["entry_ns"], knots["response_ns"] = times, entry, answer
    result = run(columns, knots=knots, strategy=RESTLESS)
    took = result.fills["timestamp"] - result.fills["exch_ts"]
    assert took.tolist() == [int(response_latency(knots, ts)) for ts in result.fills["exch_ts"]]
    assert len(set(took.tolist())) > 5
    acked = result.orders[result.orders["ack_ts"] > 0]
    there = [int(ts) + int(entry_latency(knots, ts)) for ts in acked["submit_ts"]]
    back = [ts + int(response_latency(knots, ts)) for ts in there]
    assert acked["ack_ts"].tolist() == back


@pytest.mark.parametrize("on", [("timer",), ("timer", "own")], ids="+".join)
def test_sets_in_one_run_do_not_hold_up_each_others_messages(on: tuple[str, ...]) -> None:
    """A message waits for its own set's earlier ones only, where the latency falls fast."""
    columns = tape_columns(4)
    rng = np.random.default_rng(9)
    start, end = int(columns["exch_ts"][0]), int(columns["exch_ts"][-1])
    knots = np.zeros(60, KNOT)
    knots["ts"] = np.sort(rng.choice(np.arange(start, end, 1_000_000), 60, replace=False))
    for name in ("entry_ns", "response_ns"):
        knots[name] = rng.choice([1, 2_000_000, 90_000_000], 60)
    phases = [{"phase": x} for x in (0.0, 1.0, 7.0)]
    together = run(columns, sets=phases, on=on, knots=knots)
    for owner, phase in enumerate(phases):
        alone = run(columns, sets=[phase], on=on, knots=knots)
        assert len(alone.fills)
        for name, time in (("path", "time"), ("fills", "timestamp"), ("instructions", "timestamp")):
            rows, theirs = getattr(together, name), getattr(alone, name)
            mine = rows[rows["set"] == owner]
            until = columns["local_ts"][-1]
            same(mine[mine[time] <= until], theirs[theirs[time] <= until], "set")
