"""The simulated market against its own rates, a naive book and the published probabilities."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest

from mmquant.core import zero_intelligence as zi
from mmquant.core.dtypes import RowKind, Status
from mmquant.core.jit import DISABLED
from mmquant.data.market_model import DEMO, SKY_PERFECT, flow_of, open_market, uniforms

FOREVER = 2**62
P_UP = (
    (0.5000, 0.3352, 0.2590, 0.2158, 0.1878),
    (0.6648, 0.5000, 0.4069, 0.3479, 0.3072),
    (0.7410, 0.5931, 0.5000, 0.4366, 0.3906),
    (0.7842, 0.6521, 0.5634, 0.5000, 0.4523),
    (0.8122, 0.6928, 0.6094, 0.5477, 0.5000),
)
"""P(the mid price goes up first) with a spread of one tick, for 1 to 5 orders at the bid (rows) and
at the ask: Cont, Stoikov and Talreja (2010), table 3, with exact values for its Laplace inversion.
"""


def run(model, events, seed=1, *, end_ns=FOREVER, max_rows=None, market=None):
    market = market or open_market(model)
    draws = uniforms(np.random.PCG64(seed), events)
    rows = np.zeros(max_rows or 40 * events + zi.MAX_ROWS, dtype=zi.ROW)
    status, n, used = zi.simulate(flow_of(model), market, draws, end_ns, rows.size, rows)
    return status, rows[:n], used, market


def sides_of(market):
    """The book as two dicts, by a scan of all ticks."""
    bid, ask = market.state[zi.BEST], market.state[zi.BEST + 1]
    ticks = np.flatnonzero(market.lots)
    book = {int(tick): int(market.lots[tick]) for tick in ticks}
    bids = {tick: lots for tick, lots in book.items() if tick <= bid}
    asks = {tick: lots for tick, lots in book.items() if tick >= ask}
    assert len(bids) + len(asks) == len(book)
    return bids, asks


@pytest.mark.parametrize("u", [0.0, 2.0**-53, 1e-9, 0.1, 0.29, 0.3, 0.5, 0.75, 0.999, 1 - 2**-53])
def test_exponential_is_minus_log_of_what_is_left(u):
    assert zi.exponential(u) == pytest.approx(-math.log1p(-u), rel=1e-15, abs=2e-16)


def test_sizes_follow_their_odds():
    flow = flow_of(DEMO)
    draws = (np.arange(2_000) + 0.5) / 2_000
    drawn = np.array([zi.draw_lots(flow.limit_lots, u) for u in draws])
    for lots, weight in DEMO.limit_odds:
        assert np.mean(drawn == lots) == pytest.approx(weight / 100, abs=1e-3)
    assert zi.draw_lots(flow.limit_lots, 1 - 2.0**-53) == DEMO.limit_odds[-1][0]


def test_rates_past_the_tables():
    flow = flow_of(replace(SKY_PERFECT, levels=8))
    assert flow.limit[:5] * 60 == pytest.approx(SKY_PERFECT.limit)
    assert flow.limit[6] * 60 == pytest.approx(1.92 / 7**0.52, abs=1e-4)
    assert zi.cancel_rate(flow.cancel, 1, 3) * 60 == pytest.approx(3 * 0.71)
    assert zi.cancel_rate(flow.cancel, 40, 2) * 60 == pytest.approx(2 * 0.47)
    assert zi.limit_total(flow) == pytest.approx(flow.limit.sum())


def naive_rates(model, flow, market):
    """Rate of each kind of event by distance, [1/s]: {("limit" | "cancel" | "market", i): rate}."""
    bids, asks = sides_of(market)
    rates = {("market", 0): 2 * flow.market}
    for i in range(1, model.levels + 1):
        rates["limit", i] = 2 * flow.limit[i - 1]
    for levels, opposite in ((bids, min(asks)), (asks, max(bids))):
        for tick, lots in levels.items():
            i = min(abs(tick - opposite), len(model.cancel))
            rate = flow.cancel[i - 1] * lots
            rates["cancel", i] = rates.get(("cancel", i), 0.0) + rate
    return rates


def what_happened(model, rows, before):
    """Kind and distance of an event, from its rows and the book before it."""
    bids, asks = before
    if rows["kind"][0] == RowKind.TRADE:
        return "market", 0
    side, tick = int(rows["side"][0]), int(rows["tick"][0])
    levels, opposite = (bids, min(asks)) if side > 0 else (asks, max(bids))
    distance = abs(tick - opposite)
    if rows["size"][0] > levels.get(tick, 0):
        return "limit", distance
    return "cancel", min(distance, len(model.cancel))


@pytest.mark.parametrize("model", [SKY_PERFECT, DEMO], ids=["unit sizes", "drawn sizes"])
def test_events_come_at_the_rates_of_the_model(model):
    events = 800 if DISABLED else 20_000
    flow, market = flow_of(model), open_market(model, start_tick=1_000)
    draws = uniforms(np.random.PCG64(5), events)
    rows = np.zeros(zi.MAX_ROWS, dtype=zi.ROW)
    expected: dict = {}
    seen: dict = {}
    exposure, before = 0.0, sides_of(market)
    for e in range(events):
        rates, since = naive_rates(model, flow, market), market.state[zi.NOW]
        _, n, _ = zi.simulate(flow, market, draws[e : e + 1], FOREVER, rows.size, rows)
        wait = (market.state[zi.NOW] - since) / 1e9
        exposure += wait * sum(rates.values())
        for kind, rate in rates.items():
            expected[kind] = expected.get(kind, 0.0) + wait * rate
        kind = what_happened(model, rows[:n], before)
        seen[kind] = seen.get(kind, 0) + 1
        before = sides_of(market)
    assert abs(exposure - events) < 4 * math.sqrt(events)
    enough = {kind: count for kind, count in expected.items() if count > 20}
    z = {kind: (seen.get(kind, 0) - count) / math.sqrt(count) for kind, count in enough.items()}
    assert len(z) >= 8
    assert max(abs(value) for value in z.values()) < 4, z
    chi_square = sum(value**2 for value in z.values())
    assert chi_square < len(z) + 4 * math.sqrt(2 * len(z))


@pytest.mark.parametrize("model", [SKY_PERFECT, DEMO], ids=["unit sizes", "drawn sizes"])
def test_best_and_far_match_a_naive_scan_and_rows_match_the_book(model):
    events = 300 if DISABLED else 4_000
    flow, market = flow_of(model), open_market(model, start_tick=1_000)
    draws = uniforms(np.random.PCG64(9), events)
    rows = np.zeros(zi.MAX_ROWS, dtype=zi.ROW)
    last = 0
    for e in range(events):
        _, n, used = zi.simulate(flow, market, draws[e : e + 1], FOREVER, rows.size, rows)
        bids, asks = sides_of(market)
        assert used == 1
        assert n >= 1
        assert max(bids) < min(asks)
        best_and_far = [max(bids), min(asks), min(bids), max(asks)]
        assert market.state[zi.BEST : zi.FAR + 2].tolist() == best_and_far
        assert market.lots.min() >= 0
        final = {(row["side"], row["tick"]): row["size"] for row in rows[:n] if row["kind"] == 1}
        for (side, tick), size in final.items():
            assert (bids if side > 0 else asks).get(int(tick), 0) == size
        assert set(rows["exch_ts"][:n]) == {market.state[zi.EXCH]}
        assert market.state[zi.EXCH] > last
        last = market.state[zi.EXCH]


def test_a_sweep_takes_level_after_level_and_an_empty_side_is_refilled():
    model = replace(SKY_PERFECT, market_odds=((500, 1),), refill_lots=7)
    flow, market = flow_of(model), open_market(model, start_tick=1_000)
    rows = np.zeros(zi.MAX_ROWS, dtype=zi.ROW)
    n = zi.take_market(flow, market, rows, 0, 1, 0.0)
    assert n == 2 * model.levels + 1
    assert rows["kind"][:n].tolist() == [2, 1] * model.levels + [1]
    assert rows["side"][:n].tolist() == [1, -1] * model.levels + [-1]
    assert rows["size"][:n].tolist() == [7, 0] * model.levels + [7]
    assert (
        market.state[zi.BEST + 1]
        == market.state[zi.FAR + 1]
        == market.state[zi.BEST] + model.levels
    )
    assert market.state[zi.REFILLS] == 1


def test_a_sweep_stops_after_its_most_levels():
    model = replace(SKY_PERFECT, market_odds=((500, 1),), levels=20)
    flow, market = flow_of(model), open_market(model, start_tick=1_000)
    rows = np.zeros(zi.MAX_ROWS, dtype=zi.ROW)
    best = int(market.state[zi.BEST])
    assert zi.take_market(flow, market, rows, 0, 0, 0.0) == 2 * zi.MAX_SWEEP
    assert market.state[zi.BEST] == best - zi.MAX_SWEEP


def test_a_full_log_stops_between_events_and_the_run_goes_on_the_same():
    whole = run(DEMO, 200)[1]
    market = open_market(DEMO)
    draws = uniforms(np.random.PCG64(1), 200)
    parts = []
    while draws.shape[0]:
        rows = np.zeros(zi.MAX_ROWS + 8, dtype=zi.ROW)
        status, n, used = zi.simulate(flow_of(DEMO), market, draws, FOREVER, rows.size, rows)
        assert status == (Status.OK if used == draws.shape[0] else Status.LOG_FULL)
        parts.append(rows[:n])
        draws = draws[used:]
    assert len(parts) > 5
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_the_end_of_the_session_and_the_end_of_the_ticks_are_said():
    status, rows, used, _ = run(DEMO, 300, end_ns=2_000_000_000)
    assert status == Status.END
    assert 0 < used < 300
    assert rows["exch_ts"].max() < 2_000_000_000
    status, rows, _, market = run(DEMO, 50, market=open_market(DEMO, start_tick=15))
    assert (status, rows.size) == (Status.BOOK_FULL, 0)
    assert market.state[zi.NOW] == 0


def test_clocks_are_in_order_and_apart():
    _, rows, _, _ = run(DEMO, 400)
    delay = rows["local_ts"] - rows["exch_ts"]
    assert delay.min() >= DEMO.latency_ns
    assert np.unique(delay).size > 20
    assert (np.diff(rows["exch_ts"]) >= 0).all()
    assert (np.diff(rows["local_ts"]) >= 0).all()
    assert (rows["exch_ts"] % DEMO.clock_ns == 0).all()


def test_the_same_bytes_compiled_and_plain_and_on_every_machine():
    _, rows, _, _ = run(DEMO, 500, seed=3)
    text = "\n".join(str(row) for row in rows.tolist())
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "429e18f9d6448ef5"


@pytest.mark.parametrize(("b", "a"), [(1, 1), (2, 1), (1, 3), (4, 2), (5, 1), (3, 5)])
def test_the_mid_goes_up_as_often_as_published(b, a):
    paths = 150 if DISABLED else 6_000
    ups = sum(mid_goes_up(b, a, 1000 * b + 100 * a, path) for path in range(paths))
    p = P_UP[b - 1][a - 1]
    assert abs(ups / paths - p) < 4 * math.sqrt(p * (1 - p) / paths)


def mid_goes_up(b, a, seed, path):
    """Play the whole market from a spread of one tick until a best queue is empty."""
    flow, market = flow_of(SKY_PERFECT), open_market(SKY_PERFECT, start_tick=100)
    bid, ask = int(market.state[zi.BEST]), int(market.state[zi.BEST + 1])
    market.lots[bid], market.lots[ask] = b, a
    bits = np.random.PCG64([seed, path])
    rows = np.zeros(zi.MAX_ROWS + 48, dtype=zi.ROW)
    while True:
        _, n, _ = zi.simulate(flow, market, uniforms(bits, 16), FOREVER, rows.size, rows)
        gone = (rows["kind"][:n] == 1) & (rows["size"][:n] == 0)
        at_best = rows["tick"][:n][gone & ((rows["tick"][:n] == bid) | (rows["tick"][:n] == ask))]
        if at_best.size:
            return at_best[0] == ask
