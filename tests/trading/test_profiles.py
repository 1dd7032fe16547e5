"""What a subscriber sees and may send: against slow obvious references."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.config import Config
from mmquant.core.dtypes import ActionKind, OrderType, RowKind
from mmquant.core.jit import kernel
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates
from mmquant.data.tape import contracts_of, make_tape
from mmquant.errors import ConfigError
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import make_halves
from mmquant.trading.profiles import conflation_ns, received, under_profile, views_beside
from mmquant.trading.strategy import Strategy
from tests.naive import SkewStrategy, naive_backtest
from tests.naive_book import Book
from tests.random_rows import random_rows

STOCK_NS, OPTION_NS, FEED_NS = 250_000_000, 100_000_000, 20_000_000
NO_BID, NO_ASK = -(2**31) + 1, 2**31 - 1
SEEN = 30
MESSAGES = (ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL)


def option_price(tick: int) -> float:
    """Price of a tick of an option in pennies below 3 dollars, and in steps of 5 cents above."""
    return tick / 100 if tick <= 300 else (300 + 5 * (tick - 300)) / 100


@kernel
def write_down(view, params, memory, quotes):
    """Want nothing, and remember all that is seen. Times as distances: a double holds no ns."""
    for i in range(view.shape[0]):
        one = view[i]
        at = 1 + (int(memory[0]) * view.shape[0] + i) * SEEN
        memory[at] = one["elapsed_s"]
        memory[at + 1] = one["now"] - one["ts"]
        memory[at + 2] = one["now"] - one["exch_ts"]
        memory[at + 3] = one["now"] - one["trade_ts"]
        memory[at + 4] = one["trade_side"]
        memory[at + 5] = one["trade_price"]
        memory[at + 6] = one["buy_volume"]
        memory[at + 7] = one["sell_volume"]
        memory[at + 8] = one["best_bid"]
        memory[at + 9] = one["best_ask"]
        for k in range(5):
            memory[at + 10 + k] = one["bid_tick"][k]
            memory[at + 15 + k] = one["bid_lots"][k]
            memory[at + 20 + k] = one["ask_tick"][k]
            memory[at + 25 + k] = one["ask_lots"][k]
    memory[0] += 1.0
    return 0


class Notebook(Strategy):
    """``write_down`` with room for what it remembers."""

    def memory_row(self, instruments: int = 1) -> np.ndarray:
        return np.zeros(200_000)

    def steady(self, params: np.ndarray) -> np.ndarray:
        return np.full(len(params), False)


NOTEBOOK = Notebook("notebook", write_down, {}, {}, raw=True)


@mm.strategy(params={"lots": 1.0}, quotes=2)
def best_prices(view, params, memory, quotes):
    """A quote at the best price of each side."""
    for n in range(2):
        quotes[n]["side"] = 1 - 2 * n
        quotes[n]["tick"] = view[0]["best_bid"] if n == 0 else view[0]["best_ask"]
        quotes[n]["lots"] = int(params["lots"])
    return 2


@mm.strategy(memory={"seen": 0.0}, quotes=16)
def restless(view, params, memory, quotes):
    """Eight quotes a side that move at each decision: many more messages than may be sent."""
    memory["seen"] += 1.0
    away = int(memory["seen"]) % 2
    for i in range(16):
        side = 1 if i % 2 == 0 else -1
        best = view[0]["best_bid"] if side > 0 else view[0]["best_ask"]
        quotes[i]["side"] = side
        quotes[i]["tick"] = best - side * (2 * (i // 2) + away)
        quotes[i]["lots"] = 1
    return 16


def three_contracts() -> list[Contract]:
    return [
        Contract.equity(0, "ABC", venue="XNAS"),
        Contract.option(
            1, "ABC", venue="CBOE", expiry="2024-06-21", strike=10, right="C", tick_class="penny"
        ),
        Contract.equity(2, "DEF", venue="XNAS"),
    ]


def slower(columns: dict[str, np.ndarray], times: int) -> dict[str, np.ndarray]:
    """The rows of a tape with more time between them."""
    start, delay = columns["exch_ts"][0], columns["local_ts"] - columns["exch_ts"]
    columns["exch_ts"] = start + (columns["exch_ts"] - start) * times
    return columns | {"local_ts": columns["exch_ts"] + delay}


def three_books(seed: int, *, jitter: bool, rows: int = 250) -> xr.Dataset:
    """A stock, an option and another stock on one tape; with ``jitter``, received out of order."""
    parts = [slower(random_rows(rows, 3 * seed + i), 15) for i in range(3)]
    shift = [int(part["exch_ts"][0]) - int(parts[0]["exch_ts"][0]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["exch_ts"] -= np.repeat(shift, rows)
    columns["inst"] = np.repeat(np.arange(3), rows)
    order = np.argsort(columns["exch_ts"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    rng = np.random.default_rng(seed)
    delay = rng.integers(0, 40_000_000, 3 * rows) if jitter else 500_000
    columns["local_ts"] = columns["exch_ts"] + delay
    return make_tape(columns, three_contracts(), source={}, date="2023-11-14")


def settings(**more: Any) -> Config:
    ibkr = {"depth_symbols": ["DEF"]} | more.pop("ibkr", {})
    profile = {"name": "ibkr", "beside": [], "ibkr": ibkr}
    return Config.from_dict({"profile": profile, "limits": {"one_sided": "hold"}} | more)


class Subscriber:
    """What the broker last sent of one contract, row by row through a book of dicts."""

    def __init__(self, tape: xr.Dataset, inst: int, every_ns: int, delay_ns: int) -> None:
        order = tape["local_order"].values if "local_order" in tape else np.arange(len(tape.event))
        order = order[tape["inst"].values[order] == inst]
        names = ("local_ts", "exch_ts", "kind", "side", "tick", "size")
        self.rows = list(zip(*(tape[n].values[order].tolist() for n in names), strict=True))
        self.every, self.delay = every_ns, delay_ns
        self.book, self.last, self.trade = Book(), (0, 0), (0, 0, 0)
        self.volume = {1: 0, -1: 0}

    def at(self, ts: int) -> None:
        """Bring it to a time here: the broker's last snapshot that has arrived, or each row."""
        there = ts - self.delay
        cut = there // self.every * self.every if self.every else there
        while self.rows and self.rows[0][0] <= cut:
            local_ts, exch_ts, kind, side, tick, lots = self.rows.pop(0)
            sent = -(-local_ts // self.every) * self.every if self.every else local_ts
            self.last = (sent + self.delay, exch_ts)
            if kind == RowKind.TRADE:
                self.trade = (exch_ts, side, tick)
                self.volume[side] += lots
            else:
                self.book.set(side, tick, lots)

    def levels(self, side: int, most: int) -> list[tuple[int, int]]:
        ticks = [tick for tick, _ in zip(self.book.from_best(side), range(most), strict=False)]
        shown = [(tick, self.book.lots(side, tick)) for tick in ticks]
        return shown + [(NO_BID if side > 0 else NO_ASK, 0)] * (5 - len(shown))


def seen(tape: xr.Dataset, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Times at which the strategy was asked (n,) [ns], and what it saw then (n, 3, SEEN)."""
    halves = make_halves(under_profile(config), tape, NOTEBOOK, rates=[FeeRates()] * 3)
    halves, _ = run_halves(halves)
    memory, count = halves.local.memory[0], int(halves.local.memory[0, 0])
    views = memory[1 : 1 + count * 3 * SEEN].reshape(count, 3, SEEN)
    elapsed_ns = np.rint(views[:, 0, 0] * 1e9).astype(np.int64)
    return int(tape["exch_ts"].values[0]) + elapsed_ns, views


@pytest.mark.parametrize("on", [["timer"], ["book"], ["trade", "timer"]])
@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(s, marks=pytest.mark.soak) for s in range(6, 300))]
)
def test_best_prices_and_the_last_trade_are_those_of_each_multiple(seed: int, on: list) -> None:
    tape = three_books(seed, jitter=seed % 2 == 1)
    config = settings(decision={"interval_ns": 33_333_333, "on": on}, latency={"feed_offset_ns": 7})
    times, views = seen(tape, config)
    assert len(times) > 50
    for inst, every, most in ((0, STOCK_NS, 1), (1, OPTION_NS, 1), (2, 0, 5)):
        broker = Subscriber(tape, inst, every, FEED_NS + 7)
        for ts, view in zip(times.tolist(), views[:, inst].tolist(), strict=True):
            broker.at(ts)
            for side, at in ((1, 0), (-1, 1)):
                levels = view[10 + 10 * at : 15 + 10 * at], view[15 + 10 * at : 20 + 10 * at]
                assert list(zip(*levels, strict=True)) == broker.levels(side, most)
                assert view[8 + at] == broker.levels(side, 1)[0][0]
            assert view[1:3] == [float(ts - at) for at in broker.last]
            exch_ts, side, tick = broker.trade
            assert view[3] == float(ts - exch_ts) and view[4] == side
            price = option_price(tick) if inst == 1 else tick / 100
            assert math.isnan(view[5]) if exch_ts == 0 else view[5] == price
            assert view[6:8] == [broker.volume[1], broker.volume[-1]]


def test_decisions_between_two_snapshots_see_the_same() -> None:
    tape = three_books(7, jitter=False)
    times, views = seen(tape, settings(decision={"interval_ns": 10_000_000}))
    changed = (np.diff(views[:, :, 6:], axis=0) != 0).any(axis=2)
    for inst, every, least in ((0, STOCK_NS, 10), (1, OPTION_NS, 15)):
        first = times[1:][changed[:, inst]]
        assert len(first) > least
        assert ((first - FEED_NS) % every < 10_000_000).all()
    first = times[1:][changed[:, 2]]
    assert ((first - FEED_NS) % OPTION_NS >= 10_000_000).any()


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(s, marks=pytest.mark.soak) for s in range(8, 400))]
)
@pytest.mark.parametrize("smart", [True, False])
def test_the_exchange_keeps_the_full_tape(seed: int, smart: bool) -> None:
    """The naive exchange has every row when it happens, the naive strategy only the snapshots."""
    rng = np.random.default_rng(seed)
    columns = random_rows(int(rng.integers(300, 1500)), seed, feed_latency_ns=500_000)
    columns = slower(columns, int(rng.choice([1, 8])))
    strategy = {
        "half_spread_ticks": float(rng.choice([-1, 0, 1.5])),
        "skew_ticks": 0.5,
        "order_lots": 3,
    }
    latency = {"entry": int(rng.integers(1, 60_000_000)), "response": int(rng.integers(1, 10**8))}
    config = settings(
        strategy={"params": strategy | {"max_position_lots": 12}},
        fill={"queue": "risk_averse"},
        decision={"interval_ns": 100_000_000},
        latency={"entry_ns": 1, "response_ns": 1},
        ibkr={
            "depth_symbols": [],
            "smart": smart,
            "cancel_reserve": 0,
            "entry_ns": latency["entry"],
            "response_ns": latency["response"],
        },
    )
    contract = Contract.equity(0, "ABC", venue="XNAS")
    tape = make_tape(columns, [contract], source={}, date="2023-11-14")
    run = mm.backtest(config, tape)
    sent = -(-columns["local_ts"] // STOCK_NS) * STOCK_NS
    skew = SkewStrategy(max_orders=4, lot=(1, 1), **strategy)

    def naive_skew(book, account):
        for action in skew(book, account):
            yield (*action[:4], "limit" if smart else "post") if action[0] == "new" else action

    expected = naive_backtest(
        columns | {"local_ts": sent + FEED_NS},
        tick=(1, 100),
        lot=(1, 1),
        strategy=naive_skew,
        params={
            "interval_ns": 100_000_000,
            "entry_latency_ns": latency["entry"],
            "response_latency_ns": latency["response"],
            "fill": "partial",
            "queue": ("risk", 0.0),
        },
    )
    assert run.summary["engine_throttled"] == 0
    fills = run.fills
    mine = [fills[n].tolist() for n in ("timestamp", "exch_ts", "side")]
    mine += [np.rint(fills["price"] * 100).astype(int).tolist(), fills["lots"].tolist()]
    mine.append((fills["liquidity"] > 0).tolist())
    assert list(zip(*mine, strict=True)) == expected["fills"]
    assert run.path["time"].values.tolist() == expected["path"]["timestamp"].tolist()
    mids = run.path["mid"].values[:, 0]
    np.testing.assert_allclose(mids, expected["path"]["price"], rtol=1e-12)


# --- what may be sent ---------------------------------------------------------


def most_in_a_second(times: np.ndarray) -> int:
    """Most messages in any second, ends left out."""
    return max(
        (int(np.count_nonzero((times >= t) & (times < t + 10**9))) for t in times), default=0
    )


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
