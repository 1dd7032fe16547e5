"""What a subscriber may send and pays, and what a profile makes of a configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mmquant as mm
from mmquant.config import Config
from mmquant.core.dtypes import ActionKind, OrderType
from mmquant.data.contracts import Contract
from mmquant.data.tape import contracts_of, make_tape
from mmquant.errors import ConfigError
from mmquant.trading.profiles import conflation_ns, received, under_profile, views_beside
from tests.subscriber import (
    OPTION_NS,
    STOCK_NS,
    best_prices,
    most_in_a_second,
    restless,
    settings,
    three_books,
    three_contracts,
)

MESSAGES = (ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL)


@pytest.mark.parametrize("requote", ["replace", "modify"])
@pytest.mark.parametrize(("most", "reserve"), [(40, 10), (50, 0), (12, 4)])
def test_no_second_has_more_messages_than_the_broker_takes(most, reserve, requote) -> None:
    tape = mm.make_demo_tape(seed=5, minutes=0.4)
    config = settings(
        decision={"interval_ns": 20_000_000},
        orders={"requote": requote},
        ibkr={"depth_symbols": ["DEMO"], "max_messages_per_s": most, "cancel_reserve": reserve},
    )
    run = mm.backtest(config, tape, strategy=restless)
    sent = run.quotes[np.isin(run.quotes["action"], [int(kind) for kind in MESSAGES])]
    times = sent["timestamp"].to_numpy()
    others = times[sent["action"].to_numpy() != int(ActionKind.CANCEL)]
    busiest = most_in_a_second(times), most_in_a_second(others)
    assert busiest[0] <= most and busiest[1] <= most - reserve
    assert busiest[0] == most or busiest[1] == most - reserve
    assert run.summary["engine_throttled"] > 0
    assert run.summary["messages"] == len(sent)


def test_a_post_only_quote_that_crosses_takes_and_pays() -> None:
    """The market moves while an order is on its way: the same order is refused elsewhere."""
    tape = mm.make_demo_tape(seed=11, minutes=4)
    fees = {"schedule": "us_equity_maker_taker"}
    orders = {"order_type": "post_only"}
    runs = {
        smart: mm.backtest(
            settings(ibkr={"depth_symbols": [], "smart": smart}, fees=fees, orders=orders),
            tape,
            strategy=best_prices,
        )
        for smart in (True, False)
    }
    smart, direct = runs[True], runs[False]
    assert set(smart.orders["order_type"]) == {int(OrderType.LIMIT)}
    assert set(direct.orders["order_type"]) == {int(OrderType.POST_ONLY)}
    assert direct.summary["rejected_orders"] > 0 == smart.summary["rejected_orders"]
    assert smart.summary["taker_fills"] > 0 == direct.summary["taker_fills"]
    took = smart.fills["liquidity"] < 0
    np.testing.assert_allclose(smart.fills["fee"][took], 0.0030 * smart.fills["size"][took])
    np.testing.assert_allclose(smart.fills["fee"][~took], -0.0020 * smart.fills["size"][~took])
    assert (smart.fills["spread_capture"][took] < 0).all()


# --- the configuration --------------------------------------------------------


def test_the_ideal_profile_changes_nothing() -> None:
    config = Config.from_dict({"latency": {"entry_ns": 5}, "limits": {"max_messages": 7}})
    assert under_profile(config) is config
    tape = three_books(1, jitter=True, rows=60)
    local, order = tape["local_ts"].values, tape["local_order"].values
    times, new = received(config, contracts_of(tape), local, tape["inst"].values, order)
    assert times is local and new is order


@pytest.mark.parametrize(
    ("limits", "most", "window", "reserve"),
    [
        ({}, 40, 1.0, 10),
        ({"message_window_s": 10}, 40, 1.0, 10),
        ({"max_messages": 100}, 40, 1.0, 10),
        ({"max_messages": 12}, 12, 1.0, 3),
        ({"max_messages": 1}, 1, 1.0, 0),
        ({"max_messages": 12, "cancel_reserve": 6}, 12, 1.0, 6),
        ({"max_messages": 60, "cancel_reserve": 50}, 40, 1.0, 39),
        ({"max_messages": 5, "message_window_s": 0.1}, 5, 1.0, 1),
        ({"max_messages": 100, "message_window_s": 10}, 40, 10.0, 10),
    ],
)
def test_both_message_limits_hold(limits, most, window, reserve) -> None:
    config = under_profile(settings(limits=limits))
    got = config.limits
    assert (got.max_messages, got.message_window_s, got.cancel_reserve) == (most, window, reserve)
    assert under_profile(config).limits == got


def test_latencies_are_the_profiles() -> None:
    config = settings(latency={"entry_ns": 5, "response_ns": 6, "feed_offset_ns": 7})
    latency = under_profile(config).latency
    assert (latency.entry_ns, latency.response_ns, latency.feed_offset_ns) == (
        30_000_000, 30_000_000, 7,
    )  # fmt: skip


def test_measured_latencies_win(tmp_path: Path) -> None:
    """Answers come when the file says, in both pairings and under either profile."""
    tape = mm.make_demo_tape(seed=6, minutes=0.2)
    file = tmp_path / "latency.csv"
    start, end = (int(tape["exch_ts"].values[i]) for i in (0, -1))
    file.write_text(f"ts,entry_ns,response_ns\n{start},3000000,4000000\n{end},3000000,4000000\n")
    latency = {"entry_ns": 5, "response_ns": 6, "file": str(file)}
    for name in ("ibkr", "ideal"):
        config = Config.from_dict({"profile": {"name": name, "beside": []}, "latency": latency})
        orders = mm.backtest(config, tape, strategy=best_prices).orders
        confirmed = orders[(orders["ack_time"] > 0) & (orders["filled_qty"] == 0)]
        assert len(confirmed) > 10
        assert set(confirmed["ack_time"] - confirmed["submit_time"]) == {7_000_000}
        assert mm.replay(config, tape, strategy=best_prices).orders.equals(orders)


def test_options_come_oftener_and_three_books_whole() -> None:
    stock, option, other = three_contracts()
    future = Contract.simple(3, "ES", tick="0.25", lot="1", kind="future", venue="CME")
    config = settings(ibkr={"depth_symbols": ["DEF", "3"]})
    intervals = [conflation_ns(config, c) for c in (stock, option, other, future)]
    assert intervals == [STOCK_NS, OPTION_NS, 0, 0]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["XYZ"], "'XYZ' is not on the tape"),
        (["DEF", "7"], "'7' is not on the tape"),
        (["ABC", "DEF"], "4 contracts are named, a subscriber has 3 books at a time"),
    ],
)
def test_a_depth_subscription_fits_the_tape(names, said) -> None:
    tape = three_books(1, jitter=False, rows=60)
    more = Contract.option(3, "ABC", venue="CBOE", expiry="2024-06-21", strike=11, right="C")
    columns = {n: tape[n].values for n in ("exch_ts", "kind", "side", "tick", "size", "inst")}
    tape = make_tape(columns, [*three_contracts(), more], source={}, date="2023-11-14")
    profile = {"ibkr": {"depth_symbols": names}}
    for run in (mm.backtest, mm.replay):
        with pytest.raises(ConfigError, match=f"{said} — profile.ibkr.depth_symbols — give"):
            run(settings(ibkr=profile["ibkr"]), tape)
    with pytest.raises(ConfigError, match=said):
        mm.backtest(Config.from_dict({"profile": profile}), tape)
    ideal = Config.from_dict({"profile": profile | {"beside": []}})
    assert mm.backtest(ideal, tape).views == {}


@pytest.mark.parametrize(
    "bad",
    [
        {"profile": {"ibkr": {"depth_symbols": ["A", "B", "C", "D"]}}},
        {"profile": {"ibkr": {"max_messages_per_s": 51}}},
        {"profile": {"ibkr": {"max_messages_per_s": 5}}},
        {"profile": {"name": "retail"}},
        {"limits": {"max_messages": 5, "cancel_reserve": 5}},
    ],
)
def test_what_no_broker_would_take_is_refused(bad) -> None:
    with pytest.raises(ConfigError):
        Config.from_dict(bad)


def test_which_views_stand_beside() -> None:
    stock = [three_contracts()[0]]
    crypto = [Contract.simple(0, "BTC", tick="0.1", lot="1", kind="crypto_perp", venue="X")]

    def beside(contracts, **profile) -> tuple[str, ...]:
        return views_beside(Config.from_dict({"profile": profile}), contracts)

    assert beside(stock) == ("ibkr",) and beside(stock, name="ibkr") == ("ideal",)
    assert beside(crypto) == () and beside(crypto, beside=["ibkr"]) == ("ibkr",)
    assert beside(stock, beside=[]) == () and beside(stock, beside=["ideal", "ibkr"]) == ("ibkr",)


def test_views_are_runs_of_their_own_and_the_manifest_repeats_them(tmp_path) -> None:
    """Also with a relative path in a file, and with numbers that only one of the views has."""
    tape = mm.make_demo_tape(seed=2, minutes=1)
    mm.write_tape(tape, tmp_path / "tape.parquet")
    (tmp_path / "run.yaml").write_text(
        "tape: {path: tape.parquet}\nlatency: {entry_ns: 5}\nprofile: {name: ibkr}\n"
        "limits: {max_messages: 12}\n"
    )
    run = mm.backtest(Config.load(tmp_path / "run.yaml", env={}))
    ideal = run.views["ideal"]
    assert run.manifest["profile"] == "ibkr" and ideal.manifest["profile"] == "ideal"
    assert run.manifest["latency"]["entry_ns"] == 30_000_000
    assert ideal.manifest["latency"]["entry_ns"] == 5
    assert run.manifest["config"]["latency"]["entry_ns"] == 5
    again = mm.backtest(Config.from_dict(run.manifest["config"]), tape)
    assert again.digest() == run.digest() and again.views["ideal"].digest() == ideal.digest()
    alone = mm.backtest(Config.from_dict(ideal.manifest["config"]), tape)
    assert alone.digest() == ideal.digest() != run.digest() and alone.views == {}


def test_progress_goes_on_through_the_views() -> None:
    tape = mm.make_demo_tape(seed=5, minutes=5)
    config = Config.from_dict({"decision": {"interval_ns": 10_000_000}})
    told: list[tuple[int, int]] = []
    mm.backtest(config, tape, strategy=best_prices, progress=lambda *at: told.append(at))
    done, rows = [at[0] for at in told], tape.sizes["event"]
    assert {total for _, total in told} == {2 * rows}
    assert done == sorted(done) and done[0] < rows < done[-1] <= 2 * rows
