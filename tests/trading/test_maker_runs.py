"""Settings of the built-in quoting as they show in the tables of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core.dtypes import ActionKind, OrderState, Reason
from mmquant.strategies.demo import demo_tape

PLACE, CANCEL = int(ActionKind.PLACE), int(ActionKind.CANCEL)
SECOND = 10**9


@pytest.fixture(scope="module")
def tape() -> xr.Dataset:
    return demo_tape().isel(event=slice(0, 12_000))


def run_of(tape: xr.Dataset, **quoting: Any) -> mm.Run:
    """A run that quotes five lots half a tick from the mid."""
    quoting = {"half_spread_ticks": 0.5, "order_lots": 5} | quoting
    run = mm.backtest(
        mm.Config.from_dict({"strategy": {"name": "maker"}, "quoting": quoting}), tape
    )
    assert len(run.fills) > 20
    return run


def asked(run: mm.Run, action: int, side: int) -> pd.DataFrame:
    return run.quotes[(run.quotes["action"] == action) & (run.quotes["side"] == side)]


@pytest.mark.parametrize(("side", "key"), [(1, "bid_delay_s"), (-1, "ask_delay_s")])
def test_a_side_waits_after_its_fills(side: int, key: str, tape: xr.Dataset) -> None:
    run = run_of(tape, **{key: 2})
    fills = run.fills.loc[run.fills["side"] == side, "timestamp"].to_numpy()
    for other, waits in ((side, True), (-side, False)):
        times = asked(run, PLACE, other)["timestamp"].to_numpy()
        before = np.searchsorted(fills, times, side="right") - 1
        since = (times - fills[before])[before >= 0]
        assert (since >= 2 * SECOND).all() == waits
    why = set(asked(run, CANCEL, side)["reason"])
    assert int(Reason.PULL_AFTER_FILL) in why


def test_quotes_stand_in_the_session_only(tape: xr.Dataset) -> None:
    run = run_of(tape, start_s=20, stop_s=100)
    start = int(tape["exch_ts"].values[0])
    placed = run.quotes.loc[run.quotes["action"] == PLACE, "timestamp"]
    assert placed.min() == start + 20 * SECOND and placed.max() < start + 100 * SECOND
    last = run.quotes[run.quotes["timestamp"] >= start + 100 * SECOND]
    assert set(last["reason"]) == {int(Reason.PULL_WINDOW)}
    assert set(last["timestamp"]) == {start + 100 * SECOND}


def test_quotes_end_after_their_life(tape: xr.Dataset) -> None:
    run = run_of(tape, lifetime_s=1.5)
    ended = run.orders[run.orders["status"] == OrderState.EXPIRED]
    assert len(ended) > 10
    # a millisecond back from the exchange
    life = ended["cancel_time"] - ended["submit_time"]
    assert set(life) == {1_500_000_000 + 1_000_000}
    others = run.orders[run.orders["status"] == OrderState.CANCELLED]
    assert (others["cancel_time"] - others["submit_time"]).max() < 1_504_000_000


def test_a_position_stays_within_its_limit(tape: xr.Dataset) -> None:
    run = run_of(tape, max_position_lots=12)
    assert run.fills["position"].abs().max() == 12
    assert set(run.orders["size"]) > {5.0, 2.0}
    assert (run_of(tape)).fills["position"].abs().max() > 12


def test_one_side_and_bounds(tape: xr.Dataset) -> None:
    assert set(run_of(tape, sides="ask").quotes["side"]) == {-1}
    free = run_of(tape)
    middle = float(free.fills["price"].median())
    run = run_of(tape, floor_ccy=middle, ceiling_ccy=middle)
    quotes = run.quotes[run.quotes["action"] == PLACE]
    assert quotes.loc[quotes["side"] == 1, "price"].max() == middle
    assert quotes.loc[quotes["side"] == -1, "price"].min() == middle
    assert set(asked(run, CANCEL, 1)["reason"]) >= {int(Reason.PULL_PRICE_BOUND)}


def test_quotes_move_less_often_where_they_may_stay(tape: xr.Dataset) -> None:
    moved = [
        len(run_of(tape, **keys).quotes)
        for keys in ({}, {"price_tolerance_ticks": 1}, {"price_tolerance_ticks": 2})
    ]
    assert moved[0] > 2 * moved[1] > 2 * moved[2]


def test_another_strategy_is_not_held_to_the_sizes_of_the_quoting() -> None:
    """The strategy that runs counts, not the name that the configuration has for one."""
    tape = demo_tape().isel(event=slice(0, 4_000))

    @mm.strategy
    def growing(view, params, memory, quotes):
        quotes[0]["side"] = 1
        quotes[0]["tick"] = view[0]["best_bid"] - 3
        quotes[0]["lots"] = 1 + int(view[0]["elapsed_s"]) % 5
        return 1

    def messages(name: str) -> int:
        data = {"strategy": {"name": name}, "profile": {"beside": []}}
        config = mm.Config.from_dict(data | {"quoting": {"half_spread_ticks": 1}})
        return mm.backtest(config, tape, strategy=growing).summary["messages"]

    assert messages("maker") == messages("skew") > 0
