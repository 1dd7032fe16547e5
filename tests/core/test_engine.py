"""Whole runs: no look-ahead, nothing lost on the way, many sets and instruments as one."""

from __future__ import annotations

import numpy as np
import pytest

from mmquant.core.dtypes import OrderState, RowKind
from mmquant.trading.strategy import SKEW
from tests.core.engine_runs import LATENCY_NS, Columns, Result, head, run, same, tape_columns
from tests.naive import naive_backtest

TRIGGERS = [("timer",), ("timer", "own"), ("book",), ("trade", "own"), ("timer", "book", "own")]
WAYS = pytest.mark.parametrize("on", TRIGGERS, ids="+".join)


def equal(a: Result, b: Result) -> None:
    same(a.path, b.path)
    same(a.fills, b.fills)
    same(a.instructions, b.instructions)
    same(np.sort(a.orders, order="order_id"), np.sort(b.orders, order="order_id"))


@pytest.fixture(scope="module")
def columns() -> Columns:
    return tape_columns(1)


@pytest.mark.parametrize("fill", ["partial", "peer"])
@WAYS
def test_a_longer_tape_has_the_same_beginning(
    columns: Columns, on: tuple[str, ...], fill: str
) -> None:
    rows = len(columns["exch_ts"]) * 2 // 3
    whole, part = run(columns, on=on, fill=fill), run(head(columns, rows), on=on, fill=fill)
    until = columns["exch_ts"][rows - 1]
    for name, time in (("path", "time"), ("fills", "timestamp"), ("instructions", "timestamp")):
        mine, theirs = getattr(part, name), getattr(whole, name)
        begun = theirs[theirs[time] <= until]
        assert len(begun)
        same(mine[mine[time] <= until], begun)
    for orders in (part.orders, whole.orders):
        orders.sort(order="order_id")
    ended = whole.orders[(whole.orders["end_ts"] > 0) & (whole.orders["end_ts"] <= until)]
    assert len(ended)
    same(part.orders[np.isin(part.orders["order_id"], ended["order_id"])], ended)


@WAYS
def test_a_run_that_stops_for_room_goes_on_as_if_it_had_not(
    columns: Columns, on: tuple[str, ...]
) -> None:
    equal(run(columns, on=on, tiny_logs=True), run(columns, on=on))


@pytest.mark.parametrize("on", [("timer",), ("book", "own")], ids="+".join)
def test_a_book_that_must_grow_is_the_same_book(columns: Columns, on: tuple[str, ...]) -> None:
    equal(run(columns, on=on, window=64, far=16), run(columns, on=on, window=2048, far=1024))


def before_the_end(rows: np.ndarray, columns: Columns) -> np.ndarray:
    """Log rows of the time of the tape: after it a run lasts until nothing is left to come."""
    name = next(x for x in ("time", "timestamp", "end_ts") if x in (rows.dtype.names or ()))
    return rows[(rows[name] > 0) & (rows[name] <= columns["local_ts"][-1])]


@pytest.mark.parametrize("on", [("timer",), ("timer", "own")], ids="+".join)
def test_sets_in_one_run_are_single_runs(columns: Columns, on: tuple[str, ...]) -> None:
    phases = [{"phase": x} for x in (0.0, 1.0, 7.0)]
    together = run(columns, sets=phases, on=on)
    for owner, phase in enumerate(phases):
        alone = run(columns, sets=[phase], on=on)
        assert len(alone.fills)
        for name in ("path", "fills", "instructions", "orders"):
            rows = getattr(together, name)
            mine = rows[rows["set"] == owner]
            theirs = getattr(alone, name)
            if name == "orders":
                mine, theirs = (np.sort(x, order="order_id") for x in (mine, theirs))
            same(before_the_end(mine, columns), before_the_end(theirs, columns), "set")


def merged(tapes: list[Columns]) -> Columns:
    """Tapes of one instrument each as one tape; all start together."""
    start = tapes[0]["exch_ts"][0]
    parts = []
    for inst, tape in enumerate(tapes):
        shift = start - tape["exch_ts"][0]
        times = {name: tape[name] + shift for name in ("exch_ts", "local_ts")}
        parts.append(tape | times | {"inst": np.full(len(tape["exch_ts"]), inst, np.int16)})
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(whole["exch_ts"], kind="stable")
    return {name: column[order] for name, column in whole.items()}


def test_instruments_on_one_tape_are_tapes_of_their_own() -> None:
    tapes = [tape_columns(seed) for seed in (3, 4)]
    together = run(merged(tapes), instruments=2)
    until = min(tape["exch_ts"][-1] - tape["exch_ts"][0] for tape in tapes)
    until += tapes[0]["exch_ts"][0]
    for inst, tape in enumerate(tapes):
        shift = tapes[0]["exch_ts"][0] - tape["exch_ts"][0]
        tape = tape | {name: tape[name] + shift for name in ("exch_ts", "local_ts")}
        alone = run(tape)
        for name, time in (("path", "time"), ("fills", "timestamp"), ("instructions", "timestamp")):
            mine, theirs = getattr(together, name), getattr(alone, name)
            mine = mine[(mine["inst"] == inst) & (mine[time] < until)]
            theirs = theirs[theirs[time] < until]
            assert len(mine)
            same(mine, theirs, "inst", "order_id", "open_orders")


@pytest.mark.parametrize("fill", ["partial", "peer"])
def test_a_book_of_its_own_shows_the_local_half_the_same(columns: Columns, fill: str) -> None:
    """With a constant feed latency the exchange's book, seen late, is the local book."""
    order = np.arange(len(columns["exch_ts"]))
    equal(run(columns | {"local_order": order}, fill=fill), run(columns, fill=fill))


@pytest.mark.parametrize("seed", range(3))
def test_rows_may_be_received_in_another_order(seed: int) -> None:
    columns = tape_columns(seed)
    rng = np.random.default_rng(seed)
    late = rng.integers(1, 40_000_000, len(columns["exch_ts"]))
    columns["local_ts"] = columns["exch_ts"] + late
    columns["local_order"] = np.argsort(columns["local_ts"], kind="stable")
    settings = {"half_spread_ticks": 0.5, "skew_ticks": 0.1, "order_lots": 3}
    mine = run(
        columns, strategy=SKEW, sets=[settings | {"max_position_lots": 12}], requote="replace",
        order_type="post_only", limits={"one_sided": "hold", "max_position_lots": None},
    )  # fmt: skip
    times = {"interval_ns": 10_000_000, "entry_latency_ns": 3_000_000}
    times["response_latency_ns"] = 2_000_000
    more = {"max_orders": 4, "fill": "partial", "queue": ("power", 2.0)}
    theirs = naive_backtest(
        columns, tick=(1, 10), lot=(1, 1000), params={**settings, **times, **more}
    )
    assert len(mine.fills)
    assert mine.fills["timestamp"].tolist() == [fill[0] for fill in theirs["fills"]]
    assert mine.fills["lots"].tolist() == [fill[4] for fill in theirs["fills"]]
    for ours, name in (("time", "timestamp"), ("position", "position")):
        np.testing.assert_array_equal(mine.path[ours], theirs["path"][name])
    np.testing.assert_allclose(mine.path["mid"], theirs["path"]["price"], rtol=1e-12)


# --- what asks for a decision


def test_the_timer_asks_at_every_interval(columns: Columns) -> None:
    times = run(columns).path["time"]
    assert times[0] == columns["exch_ts"][0] + 10_000_000
    assert set(np.diff(times).tolist()) == {10_000_000}
    assert times[-1] >= columns["local_ts"][-1] - 10_000_000


@pytest.mark.parametrize(("on", "trades"), [("book", False), ("trade", True)])
def test_market_rows_ask_when_they_are_received(columns: Columns, on: str, trades: bool) -> None:
    times = run(columns, on=(on,)).path["time"]
    asking = columns["local_ts"][(columns["kind"] == RowKind.TRADE) == trades]
    assert times[:-1].tolist() == asking[: len(times) - 1].tolist()
    assert len(times) >= len(asking) - 1


def test_own_messages_ask_when_they_arrive(columns: Columns) -> None:
    result = run(columns, on=("timer", "own"))
    times = before_the_end(result.fills, columns)["timestamp"]
    assert len(times)
    assert set(times.tolist()) <= set(result.path["time"].tolist())
    assert len(result.path) > len(run(columns).path)


def test_latencies_are_kept(columns: Columns) -> None:
    result = run(columns)
    assert set((result.fills["timestamp"] - result.fills["exch_ts"]).tolist()) == {2_000_000}
    acked = result.orders[result.orders["ack_ts"] > 0]
    assert (acked["ack_ts"] - acked["submit_ts"]).min() == 5_000_000


# --- what holds in every run


@pytest.mark.parametrize("requote", ["modify", "replace"])
@pytest.mark.parametrize("order_type", ["limit", "post_only"])
@pytest.mark.parametrize("seed", range(3))
def test_lots_are_conserved(seed: int, order_type: str, requote: str) -> None:
    result = run(tape_columns(seed), requote=requote, order_type=order_type)
    fills, orders, halves = result.fills, result.orders, result.halves
    assert len(fills)
    filled = dict.fromkeys(orders["order_id"].tolist(), 0)
    for order_id, lots in zip(fills["order_id"].tolist(), fills["lots"].tolist(), strict=True):
        filled[order_id] += lots
    assert orders["filled"].tolist() == [filled[i] for i in orders["order_id"].tolist()]
    assert (orders["filled"] <= np.maximum(orders["lots"], orders["want_lots"])).all()
    assert halves.local.position[0]["lots"] == (fills["side"] * fills["lots"]).sum()
    assert halves.local.position[0]["volume"] == pytest.approx(fills["size"].sum())
    assert np.abs(np.cumsum(fills["side"] * fills["lots"])).max() <= 40


@pytest.mark.parametrize("requote", ["modify", "replace"])
@pytest.mark.parametrize("fill", ["partial", "peer"])
@pytest.mark.parametrize("seed", range(3))
def test_both_halves_agree_on_what_still_works_at_the_end(
    seed: int, fill: str, requote: str
) -> None:
    result = run(tape_columns(seed), requote=requote, fill=fill)
    orders = result.orders[result.orders["state"] < OrderState.FILLED]
    assert set(orders["state"].tolist()) <= {OrderState.WORKING}
    node = result.halves.exchange.node
    resting = node[(node["state"] == 1)]  # not free, and no note of what was taken
    for mine, theirs in (("order_id", "order_id"), ("tick", "tick"), ("lots", "lots")):
        assert sorted(orders[mine].tolist()) == sorted(resting[theirs].tolist())
    assert (orders["lots"] - orders["filled"]).sum() == resting["leaves"].sum()
    position = result.halves.local.position[0]
    assert position["open_buy"] + position["open_sell"] == resting["leaves"].sum()


@pytest.mark.parametrize("seed", range(5))
def test_passive_fills_never_exceed_what_was_traded_at_or_through_their_price(seed: int) -> None:
    columns = tape_columns(seed)
    fills = run(columns).fills
    fills = fills[fills["liquidity"] > 0]
    row_at = dict(zip(columns["exch_ts"].tolist(), range(len(columns["exch_ts"])), strict=True))
    by_trade = 0
    for ts in np.unique(fills["exch_ts"]).tolist():
        now, row = fills[fills["exch_ts"] == ts], row_at[ts]
        side, tick = int(columns["side"][row]), int(columns["tick"][row])
        ticks = np.rint(now["price"] * 10).astype(int)
        assert (now["side"] == -side).all()
        assert (side * (tick - ticks) >= 0).all()
        if columns["kind"][row] == RowKind.TRADE:
            by_trade += 1
            assert now["lots"].sum() <= columns["size"][row]
    assert by_trade > 0


@pytest.mark.parametrize("fill", ["partial", "peer"])
@pytest.mark.parametrize("seed", range(3))
def test_the_split_of_the_profit_adds_up_at_every_step(seed: int, fill: str) -> None:
    result = run(tape_columns(seed), fill=fill)
    path = result.path[np.isfinite(result.path["mid"])]
    split = path["spread_pnl"] + path["inventory_pnl"] - path["fees"]
    gross = np.abs(result.fills["price"] * result.fills["size"]).sum()
    assert np.abs(path["equity"] - split).max() <= 1e-9 * gross
    value = path["cash"] + path["position"] * path["mid"] - path["fees"]
    assert np.abs(path["equity"] - value).max() <= 1e-9 * gross


def test_a_run_is_the_same_every_time(columns: Columns) -> None:
    equal(run(columns), run(columns))


def test_the_tape_is_left_as_it_was(columns: Columns) -> None:
    before = {name: column.copy() for name, column in columns.items()}
    run(columns)
    assert all((before[name] == columns[name]).all() for name in columns)
    assert (columns["local_ts"] - columns["exch_ts"] == LATENCY_NS).all()
