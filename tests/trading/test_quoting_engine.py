"""What would I quote: the same as a run does, and nothing where the market is none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import Reason
from mmquant.data.tape import contracts_of
from mmquant.data.views import book_levels
from mmquant.errors import UsageError
from mmquant.schema import validate
from mmquant.strategies.demo import demo_tape

TS = 1_717_400_000_000_000_000
MARKET = ([(100.0, 500), (99.99, 100)], [(100.02, 300)])
QUOTING = {
    "strategy": {"name": "maker"},
    "quoting": {"half_spread_ticks": 3, "skew": {"ticks": 1}, "order_lots": 5},
    "limits": {"max_position_lots": 12},
}
BAD = [math.nan, math.inf, -math.inf, 1.7976931348623157e308]


def engine(**more: dict) -> mm.QuotingEngine:
    config = mm.Config.from_dict(QUOTING | more)
    return mm.QuotingEngine(config, mm.Contract.equity(0, "ABC", venue="SMART"))


def rows(table) -> list[tuple]:
    validate(table, "instructions")
    return [
        (int(side), round(price, 9), size, Reason(reason).name)
        for side, price, size, reason in zip(
            table["side"], table["price"], table["size"], table["reason"], strict=True
        )
    ]


def test_quotes_stand_around_the_mid_and_lean_against_the_inventory():
    assert rows(engine().quote(*MARKET, ts=TS)) == [
        (1, 99.98, 5.0, "QUOTE"),
        (-1, 100.04, 5.0, "QUOTE"),
    ]
    assert rows(engine().quote(*MARKET, ts=TS, inventory=10)) == [
        (1, 99.96, 2.0, "QUOTE"),
        (-1, 100.02, 5.0, "QUOTE"),
    ]


@pytest.mark.parametrize("ts", [1.5e18, True, "2024-01-02"])
def test_a_time_that_is_no_integer_is_refused(ts):
    with pytest.raises(UsageError, match="nanoseconds"):
        engine().quote(*MARKET, ts=ts)


def test_a_side_that_is_not_quoted_says_why():
    (bid, ask) = rows(engine().quote(*MARKET, ts=TS, inventory=12))
    assert bid[2:] == (0.0, "PULL_LIMIT") and ask[3] == "QUOTE"
    own = engine(quoting=QUOTING["quoting"] | {"sides": "bid"})
    assert rows(own.quote(*MARKET, ts=TS))[1][2:] == (0.0, "PULL_SIDE")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["bid", "ask", "size", "inventory", "theo", "delta"])
def test_a_number_that_is_none_leaves_nothing_quoted(bad, where):
    bids, asks = [list(levels) for levels in MARKET]
    more: dict = {}
    if where == "bid":
        bids[0] = (bad, 500)
    elif where == "ask":
        asks[0] = (bad, 500)
    elif where == "size":
        bids[0] = (100.0, bad)
    elif where == "delta":
        more = {"greeks": {"delta": bad}}
    else:
        more = {where: bad}
    said = rows(engine().quote(bids, asks, ts=TS, **more))
    assert [row[2:] for row in said] == [(0.0, "PULL_BAD_NUMBER")] * 2


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([], MARKET[1], "PULL_ONE_SIDED"),
        (MARKET[0], [], "PULL_ONE_SIDED"),
        ([], [], "PULL_ONE_SIDED"),
        ([(100.02, 5)], [(100.02, 5)], "PULL_CROSSED"),
        ([(100.05, 5)], [(100.02, 5)], "PULL_CROSSED"),
        ([(100.005, 5)], MARKET[1], "PULL_BAD_NUMBER"),
        ([(100.0, 0)], MARKET[1], "PULL_BAD_NUMBER"),
        ([(100.0, -5)], MARKET[1], "PULL_BAD_NUMBER"),
        ([(100.0, 1.5)], MARKET[1], "PULL_BAD_NUMBER"),
    ],
)
def test_a_book_that_is_none_leaves_nothing_quoted(bids, asks, reason):
    assert [row[2:] for row in rows(engine().quote(bids, asks, ts=TS))] == [(0.0, reason)] * 2


def test_a_theo_far_from_the_market_is_not_believed():
    own = engine(quoting=QUOTING["quoting"] | {"theo": "external"})
    assert {row[3] for row in rows(own.quote(*MARKET, ts=TS))} == {"PULL_NO_THEO"}
    assert rows(own.quote(*MARKET, ts=TS, theo=100.05))[0][1] == 100.01, "a tick short of the ask"
    assert {row[3] for row in rows(own.quote(*MARKET, ts=TS, theo=150.0))} == {"PULL_COLLAR"}


def test_an_unknown_greek_is_refused():
    with pytest.raises(UsageError, match="rho"):
        engine().quote(*MARKET, ts=TS, greeks={"rho": 1.0})


def test_a_run_quotes_what_the_engine_says_it_would():
    """Where a run has no own orders, its next quotes are those of a fresh engine."""
    tape = demo_tape().isel(event=slice(0, 8_000))
    settings = {
        "decision": {"interval_ns": 1_000_000_000},
        "orders": {"tif": "gtd", "lifetime_s": 0.8},
        "quoting": {"half_spread_ticks": 1, "skew": {"ticks": 1}, "order_lots": 5},
        "profile": {"beside": []},
    }
    config = mm.Config.from_dict(QUOTING | settings)
    run = mm.backtest(config, tape)
    live = dict(
        zip(run.path["time"].values.astype(int), run.path["open_orders"].values[:, 0], strict=True)
    )
    asker = mm.QuotingEngine(config, contracts_of(tape)[0])
    placed = run.quotes[run.quotes["action"] == mm.ActionKind.PLACE]
    compared = set()
    for ts, now in placed.groupby("timestamp"):
        if live[ts] != len(now):
            continue
        book = book_levels(tape, [int(ts)], levels=5)
        sides = [book[(book["side"] == s) & (book["size"] > 0)] for s in (1, -1)]
        levels = [list(zip(one["price"], one["size"], strict=True)) for one in sides]
        held = float(now["position"].iloc[0])
        said = asker.quote(*levels, ts=int(ts), inventory=held)
        said, want = (x[x["size"] > 0].sort_values("side") for x in (said, now))
        assert np.array_equal(said["price"].values, want["price"].values)
        assert np.array_equal(said["size"].values, want["size"].values)
        compared.add(held)
    assert len(compared) > 3, "at several inventories"


def test_the_example_of_the_pages_is_quoted():
    """Its volatility breaker needs a history, which a single question has not."""
    config = mm.Config.load(Path(mm.__file__).parent / "strategies/quoting/guarded.yaml")
    engine = mm.QuotingEngine(config, mm.Contract.equity(0, "ABC", venue="SMART"))
    table = engine.quote([(100.00, 500)], [(100.02, 300)], ts=1_717_400_000_000_000_000)
    assert table["side"].tolist() == [1, -1] and (table["size"] > 0).all()
    assert set(table["reason"]) == {mm.Reason.QUOTE}
