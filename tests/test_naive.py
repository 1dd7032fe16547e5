"""The naive backtest itself: cases small enough to check by hand, and paths of the peer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.naive import naive_backtest
from tests.naive_book import PEER_QUEUES, after_depth
from tests.peer_runs import PeerRun, peer_runs

BID, ASK = +1, -1
DEPTH, TRADE = 1, 2
BOOK = [(0, DEPTH, BID, 100, 10), (0, DEPTH, ASK, 102, 10)]


def columns(rows: list[tuple[int, int, int, int, int]]) -> dict[str, np.ndarray]:
    table = np.array([*rows, (400, DEPTH, BID, 50, 1)], np.int64)
    names = ("exch_ts", "kind", "side", "tick", "size")
    cols = {name: table[:, i] for i, name in enumerate(names)}
    return {**cols, "local_ts": cols["exch_ts"] + 1}


def play(
    rows: list[tuple[int, int, int, int, int]],
    script: dict[int, list[tuple[Any, ...]]],
    fill: str = "partial",
) -> list[tuple[int, int, int, int, bool]]:
    """Fills (exch_ts, side, tick, lots, maker) of actions scripted by step; a step is 10 ns."""
    steps = iter(range(10**6))

    def strategy(book: Any, account: Any) -> Iterator[tuple[Any, ...]]:
        yield from script.get(next(steps), [])

    result = naive_backtest(
        columns(BOOK + rows),
        tick=(1, 1),
        lot=(1, 1),
        params={
            "interval_ns": 10,
            "entry_latency_ns": 1,
            "response_latency_ns": 1,
            "fill": fill,
            "queue": ("risk", 0.0),
        },
        strategy=strategy,
    )
    return [fill[1:] for fill in result["fills"]]


def test_three_one_lot_trades_fill_three_lots() -> None:
    trades = [(t, TRADE, ASK, 101, 1) for t in (50, 51, 52)]
    fills = play(trades, {0: [("new", BID, 101, 3, "post")]})
    assert fills == [(t, BID, 101, 1, True) for t in (50, 51, 52)]


def test_a_trade_fills_only_what_is_beyond_the_queue_ahead() -> None:
    post = {0: [("new", BID, 100, 5, "post")]}
    assert play([(50, TRADE, ASK, 100, 10)], post) == []
    assert play([(50, TRADE, ASK, 100, 12)], post) == [(50, BID, 100, 2, True)]
    assert play([(50, TRADE, ASK, 100, 12)], post, "peer") == [(50, BID, 100, 5, True)]


def test_own_orders_share_one_trade_by_price_then_time() -> None:
    orders = [("new", BID, 100, 4, "post"), ("new", BID, 101, 2, "post")]
    fills = play([(50, TRADE, ASK, 100, 14)], {0: [*orders, ("new", BID, 100, 4, "post")]})
    # 2 of 14 at 101, 10 to those ahead at 100, 2 to the first own order there
    assert fills == [(50, BID, 101, 2, True), (50, BID, 100, 2, True)]


def test_the_peer_fills_any_number_of_orders_from_one_trade() -> None:
    orders = [("new", BID, 101, 4, "post"), ("new", BID, 101, 2, "post")]
    fills = play([(50, TRADE, ASK, 101, 1)], {0: orders}, "peer")
    assert fills == [(50, BID, 101, 4, True), (50, BID, 101, 2, True)]


def test_a_print_through_the_own_price_fills_at_the_own_price() -> None:
    fills = play([(50, TRADE, ASK, 99, 3)], {0: [("new", BID, 100, 5, "post")]})
    assert fills == [(50, BID, 100, 3, True)]


def test_displayed_size_is_taken_once_until_the_levels_next_row() -> None:
    take = [("new", BID, 102, 6, "ioc")]
    fills = play([(35, DEPTH, ASK, 102, 5)], {0: take, 1: take, 2: take, 4: take})
    assert [f[3] for f in fills] == [6, 4, 5]
    assert not any(f[4] for f in fills)


def test_ioc_takes_what_there_is_and_fok_all_or_nothing() -> None:
    rows = [(5, DEPTH, ASK, 102, 3), (5, DEPTH, ASK, 103, 4)]
    assert play(rows, {1: [("new", BID, 102, 5, "ioc")]}) == [(21, BID, 102, 3, False)]
    assert play(rows, {1: [("new", BID, 103, 8, "fok")]}) == []
    swept = [(21, BID, 102, 3, False), (21, BID, 103, 2, False)]
    assert play(rows, {1: [("new", BID, 103, 5, "fok")]}) == swept
    assert play(rows, {1: [("new", BID, None, 5, "market")]}) == swept


def test_a_book_that_moves_through_an_order_fills_it_up_to_the_size_shown() -> None:
    rows = [(50, DEPTH, ASK, 100, 3), (60, DEPTH, ASK, 100, 1), (70, DEPTH, ASK, 99, 9)]
    fills = play(rows, {0: [("new", BID, 100, 5, "post")]})
    assert fills == [(t, BID, 100, n, True) for t, n in ((50, 3), (60, 1), (70, 1))]


def test_a_post_only_order_that_would_take_is_not_placed() -> None:
    fills = play([(50, TRADE, ASK, 90, 50)], {0: [("new", BID, 102, 5, "post")]})
    assert fills == []


def test_a_trade_at_the_nanosecond_of_arrival_comes_first() -> None:
    rows = [(11, TRADE, ASK, 101, 9), (21, TRADE, ASK, 101, 1)]
    cancel = {0: [("new", BID, 101, 5, "post")], 1: [("cancel", 1)]}
    assert play(rows, cancel) == [(21, BID, 101, 1, True)]


@pytest.mark.parametrize(
    ("model", "share"),
    [
        (("power", 2.0), 70**2 / (70**2 + 30**2)),
        (("power2", 2.0), 70**2 / 100**2),
        (("power3", 3.0), 1 - 0.3**3),
        (("log", 0.0), np.log(71) / (np.log(71) + np.log(31))),
        (("log2", 0.0), np.log(71) / np.log(101)),
    ],
)
def test_ten_fewer_of_a_hundred(model: tuple[str, float], share: float) -> None:
    assert after_depth(*model, 30.0, 100.0, 90.0, 0.0) == pytest.approx(30 - (1 - share) * 10)


@pytest.mark.parametrize("run", peer_runs(), ids=lambda run: run.name)
def test_the_path_is_the_peers(run: PeerRun) -> None:
    path = naive_backtest(
        {name: values.astype(np.int64) for name, values in run.columns.items()},
        tick=(1, 10),
        lot=(1, 1000),
        params={
            **run.settings,
            "fill": "peer",
            "queue": PEER_QUEUES[run.queue],
            "peer_clear": True,
        },
    )["path"]
    for exact in ("timestamp", "num_trades", "position"):
        assert path[exact].tolist() == run.path[exact].tolist()
    for close in ("price", "balance", "fee"):
        np.testing.assert_allclose(path[close], run.path[close], rtol=1e-12, atol=1e-9)
