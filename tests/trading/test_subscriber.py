"""What a subscriber sees, and that the exchange keeps the full tape: against slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mmquant as mm
from mmquant.data.contracts import Contract
from mmquant.data.tape import make_tape
from tests.naive import SkewStrategy, naive_backtest
from tests.random_rows import random_rows
from tests.subscriber import (
    FEED_NS,
    OPTION_NS,
    STOCK_NS,
    Subscriber,
    option_price,
    seen,
    settings,
    slower,
    three_books,
)


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
