"""With limits, throttles and checks all on, backtest, live loop and replayed journal agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmquant as mm
from mmquant.core.dtypes import MSG, OrderType, TimeInForce
from mmquant.live.journal_replay import replay_journal
from mmquant.strategies.demo import demo_tape
from mmquant.trading import messages
from mmquant.trading.hard_limits import unset_hard_limits

FILE = Path(mm.__file__).parent / "strategies" / "quoting" / "guarded.yaml"
AMZN = "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"
DEMO = ["quoting.order_lots=5", "quoting.half_spread_ticks=0.5", "quoting.skew.ticks=0.2",
        "quoting.price_tolerance_ticks=0", "limits.max_position_lots=25",
        "limits.max_order_lots=5", "orders.size_tolerance_lots=0",
        "risk.protection.max_lots=15", "risk.repeated.max_fills=200"]  # fmt: skip
BUSY = ["decision.on=[timer, trade, own]", "limits.max_messages=6", "limits.cancel_reserve=2",
        "orders.min_requote_interval_s=0.05", "limits.max_in_flight=3"]  # fmt: skip
FREE = ["limits.max_position_lots=200", "risk.protection.max_lots=1_000"]
SLOW = ["latency.entry_ns=300_000_000", "latency.response_ns=2_500_000_000"]
"""So slow that time-outs make orders UNKNOWN and queries are sent."""


def same_three_ways(folder: Path, tape: Any, *sets: str) -> mm.Run:
    """Backtest, live loop, journal: the same instructions, orders, fills, positions and cash."""
    config = mm.Config.load(FILE, env={}, sets=[*sets, "profile.beside=[]"])
    tested = mm.backtest(config, tape)
    live = mm.replay(config, tape, journal=folder / "run")
    again = replay_journal(folder / "run")
    for other in (live, again):
        for name in ("quotes", "orders", "fills"):
            pd.testing.assert_frame_equal(
                getattr(tested, name), getattr(other, name), check_exact=True, obj=name
            )
        for name in ("position", "cash", "fees", "equity"):
            assert tested.path[name].identical(other.path[name]), name
        assert tested.digest() == other.digest()
    tested.validate()
    return tested


def reasons(run: mm.Run) -> set[str]:
    return {mm.Reason(code).name for code in run.quotes["reason"].unique()}


def test_live_trading_could_start_with_it():
    assert unset_hard_limits(mm.Config.load(FILE, env={})) == []


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 20_000))


def test_the_demo_tape(tmp_path, tape):
    run = same_three_ways(tmp_path, tape, *DEMO)
    assert len(run.fills) > 10
    assert run.summary["max_abs_position"] <= 25


def test_few_messages_and_decisions_at_each_event(tmp_path, tape):
    run = same_three_ways(tmp_path, tape, *DEMO, *BUSY)
    assert len(run.fills) > 10
    assert run.summary["engine_throttled"] > 0
    kept_back = run.summary["engine_refused_too_soon"]
    assert kept_back > 1 and any(f"{kept_back:,} TOO_SOON" in x for x in run.manifest["notes"])
    told = run.quotes[run.quotes["reason"] == mm.Reason.TOO_SOON]
    assert told["action"].tolist() == [mm.ActionKind.ALERT], "the first, in the journal as well"


def test_answers_later_than_the_time_outs(tmp_path, tape):
    run = same_three_ways(tmp_path, tape, *DEMO, *SLOW)
    assert "ACK_TIMEOUT" in reasons(run)
    assert (run.quotes["action"] == mm.ActionKind.QUERY).any()


def test_protection_pulls_and_lets_go_again(tmp_path, tape):
    run = same_three_ways(tmp_path, tape, *DEMO)
    pulls = run.quotes[run.quotes["reason"] == mm.Reason.PULL_PROTECTION]
    assert len(pulls) > 0
    assert run.fills["timestamp"].iloc[-1] > pulls["timestamp"].iloc[0], "it trades again"


@pytest.fixture(scope="module")
def short(tape):
    return tape.isel(event=slice(0, 8_000))


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (["risk.limits=[{scope: instrument, max_position_units: 10}]"], "SOFT_LIMIT"),
        (["risk.repeated.max_fills=8"], "PULL_REPEATED"),
        (["risk.breakers.spread.max_ticks=1"], "PULL_SPREAD"),
        (["risk.breakers.jump.max_ticks=0.4"], "PULL_JUMP"),
        (["risk.breakers.volatility.max_surge=1.01"], "PULL_VOLATILITY"),
    ],
)
def test_breakers_that_trip(tmp_path, short, sets, reason):
    run = same_three_ways(tmp_path, short, *DEMO, *sets)
    assert reason in reasons(run)


@pytest.mark.parametrize("to", ["edge", "target"])
def test_hedges_of_the_delta(tmp_path, short, to):
    hedge = ["risk.hedge.max_delta=8", f"risk.hedge.to={to}", "risk.hedge.min_interval_s=0.5"]
    run = same_three_ways(tmp_path, short, *DEMO, *hedge)
    hedges = run.quotes[run.quotes["reason"] == mm.Reason.HEDGE]
    assert len(hedges) > 0 and (hedges["action"] == mm.ActionKind.PLACE).any()


def test_a_recorded_day(tmp_path, real_data):
    tape = mm.read_tape("lobster", real_data(AMZN))
    run = same_three_ways(tmp_path, tape, "decision.interval_ns=1_000_000_000")
    assert len(run.fills) > 50


def test_orders_by_hand_among_the_quotes(tmp_path, tape, monkeypatch):
    """Places, then changes and cancels of what came of them, at times that no decision has."""
    first = int(tape["exch_ts"][0])
    second = 1_000_000_000
    times = [first + i * 7 * second + 12_345 for i in range(1, 12)]
    run = mm.backtest(mm.Config.load(FILE, env={}, sets=[*DEMO, *FREE, "profile.beside=[]"]), tape)
    price = float(run.path["mid"].values[20, 0])
    best = round(price * 100)
    kinds = [(OrderType.LIMIT, TimeInForce.DAY), (OrderType.LIMIT, TimeInForce.IOC)]
    rows = []
    for i, ts in enumerate(times):
        side, away = (1, -3) if i % 2 else (-1, 3)
        rows.append(messages.place_request(ts, 0, side, best + away, 2, *kinds[i % 3 == 0]))

    def told(rows: list[np.ndarray]) -> None:
        found = np.concatenate(rows) if rows else np.zeros(0, MSG)
        found = found[np.argsort(found["ts"], kind="stable")]
        for module in ("mmquant.live.replay", "mmquant.trading.halves"):
            monkeypatch.setattr(f"{module}.read_inbox", lambda *_: found.copy())

    told(rows)
    run = same_three_ways(tmp_path / "first", tape, *DEMO, *FREE)
    mine = run.quotes[(run.quotes["reason"] == mm.Reason.MANUAL)]
    assert len(mine) > 3
    changes = []
    for i, (ts, order) in enumerate(zip(mine["timestamp"], mine["order_id"], strict=True)):
        side = int(mine["side"].iloc[i])
        changes.append(messages.modify_request(int(ts) + second, int(order), best - 4 * side, 1))
        changes.append(messages.cancel_request(int(ts) + 3 * second, int(order), mm.Reason.HEDGE))
    told([*rows, *changes])
    run = same_three_ways(tmp_path / "second", tape, *DEMO, *FREE)
    by_hand = run.quotes[run.quotes["order_id"].isin(mine["order_id"])]
    assert {mm.ActionKind.PLACE, mm.ActionKind.MODIFY, mm.ActionKind.CANCEL} <= set(
        by_hand["action"]
    )
    assert mm.Reason.HEDGE in set(by_hand["reason"])
