"""Best prices and market orders of rows, against a replay with plain dicts and lists."""

from __future__ import annotations

import numpy as np
import pytest

from mmquant.core.book import grow_book, make_book
from mmquant.core.dtypes import INSTRUMENT, RowKind
from mmquant.core.touch_scan import (
    AT_BEST,
    BEYOND,
    INSIDE,
    MARKET_ORDER,
    PACKET,
    TOUCH,
    make_scan,
    reach_of,
    scan_touch,
)
from tests.core.builders import examples
from tests.naive_touch import COLUMNS, naive, random_market

DEPTH, TRADE, STATUS = int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.STATUS)


def instruments(n: int) -> np.ndarray:
    """Ticks of 0.01; from tick 1010 on of 0.05."""
    out = np.zeros(n, INSTRUMENT)
    out["ladder_len"] = 2
    out["tick_from"][:, 1], out["price_num"][:, 1] = 1010, 1010
    out["step_num"][:, 0], out["step_num"][:, 1], out["den"] = 1, 5, 100
    return out


def scan(
    columns: dict[str, np.ndarray], n_inst: int = 1, *, window: int = 1 << 6, far: int = 1 << 13
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Touches, market orders, scan rows, and how often the far map had to grow."""
    n = len(columns["exch_ts"])
    arrays = [np.ascontiguousarray(columns[name], dtype) for name, dtype in COLUMNS.items()]
    touches, orders = np.zeros(n, TOUCH), np.zeros(n, MARKET_ORDER)
    state, packet, members = make_scan(n_inst), np.zeros(1, PACKET), np.zeros(n_inst, np.int64)
    book, at, grown = make_book(n_inst, window=window, far=far), 0, 0
    buffers = (state, packet, members, touches, orders)
    while (at := scan_touch(book, instruments(n_inst), *arrays, at, *buffers)) < n:
        book, grown = grow_book(book), grown + 1
    return touches[: packet[0]["touches"]], orders[: packet[0]["orders"]], state, grown


def assert_same(got: np.ndarray, wanted: list[tuple]) -> None:
    assert len(got) == len(wanted)
    for i, name in enumerate(got.dtype.names):
        np.testing.assert_array_equal(got[name], [row[i] for row in wanted], err_msg=name)


@pytest.mark.parametrize("seed", range(examples(12, 4)))
@pytest.mark.parametrize("n_inst", [1, 3])
def test_touches_and_market_orders_equal_the_naive_replay(seed: int, n_inst: int) -> None:
    columns = random_market(seed, 600, n_inst)
    touches, orders, state, _ = scan(columns, n_inst)
    want_touches, want_orders, unsided = naive(columns, n_inst)
    assert_same(touches, want_touches)
    assert_same(orders, want_orders)
    assert [[one["unsided"], one["unsided_lots"]] for one in state] == unsided


def test_the_random_markets_hold_all_that_is_rare() -> None:
    each = [scan(random_market(seed, 600, 1)) for seed in range(3)]
    orders, touches = (np.concatenate([one[k] for one in each]) for k in (1, 0))
    assert set(orders["reach"]) == {INSIDE, AT_BEST, BEYOND} and np.isnan(orders["bid"]).any()
    assert {0, 1, 2} <= set(touches["ticks"]) and set(touches["messages"]) == {1, 2}
    assert all(one[2]["unsided"].sum() > 0 for one in each)


def test_a_map_that_must_grow_changes_nothing() -> None:
    columns = random_market(5, 800, 2)
    rng = np.random.default_rng(5)
    far = (columns["kind"] == DEPTH) & (rng.random(800) < 0.3)
    columns["tick"][far] = 1000 - columns["side"][far] * rng.integers(300, 30_000, int(far.sum()))
    one = scan(columns, 2, far=1 << 4)
    other = scan(columns, 2)
    assert one[3] > 0 and other[3] == 0
    for k in range(3):
        assert_same(one[k], other[k].tolist())


def test_a_longer_tape_has_the_same_beginning() -> None:
    columns = random_market(3, 500, 1)
    touches, orders, _, _ = scan(columns)
    cut = int(np.flatnonzero(np.diff(columns["exch_ts"]))[60]) + 1
    early = scan({name: values[:cut] for name, values in columns.items()})
    assert_same(early[0], touches[: len(early[0])].tolist())
    assert_same(early[1], orders[: len(early[1])].tolist())


def test_one_packet_is_one_market_order_that_meets_what_stood_before() -> None:
    rows = [
        (1, DEPTH, 1, 990, 0.0, 5),
        (1, DEPTH, -1, 1000, 0.0, 4),
        (1, DEPTH, -1, 1001, 0.0, 3),
        (2, TRADE, 1, 1000, 0.0, 4),
        (2, DEPTH, -1, 1000, 0.0, 0),
        (2, TRADE, 1, 1001, 0.0, 2),
        (2, DEPTH, -1, 1001, 0.0, 1),
        (3, TRADE, -1, 995, 0.5, 1),
        (4, TRADE, -1, 990, 0.0, 5),
    ]
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(list(COLUMNS)[:6])}
    columns["inst"] = np.zeros(len(rows), np.int16)
    touches, orders, _, _ = scan(columns)
    assert orders[["ts", "side", "lots", "at_best", "shown", "reach"]].tolist() == [
        (2, 1, 6, 4, 4, BEYOND),
        (3, -1, 1, 0, 5, INSIDE),
        (4, -1, 5, 5, 5, AT_BEST),
    ]
    assert orders["bid"].tolist() == [9.9, 9.9, 9.9]
    assert orders["ask"].tolist() == [10.0, 10.01, 10.01]
    assert touches[["ts", "bid", "ask", "ticks", "messages"]].tolist() == [
        (1, 9.9, 10.0, 10, 2),
        (2, 9.9, 10.01, 11, 1),  # the ask was filled and moved: one message
        (4, 9.9, 10.01, 11, 1),  # the bid was filled and stays: it is placed anew
    ]


def test_a_halt_takes_the_best_prices_away() -> None:
    rows = [
        (1, DEPTH, 1, 990, 5),
        (1, DEPTH, -1, 991, 5),
        (2, STATUS, 0, 0, 1),
        (3, TRADE, 1, 991, 1),
        (4, STATUS, 0, 0, 0),
    ]
    names = ("exch_ts", "kind", "side", "tick", "size")
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
    columns |= {"subtick": np.zeros(5), "inst": np.zeros(5)}
    touches, orders, _, _ = scan(columns)
    assert touches["ticks"].tolist() == [1, 0, 1] and touches["messages"].tolist() == [2, 2, 2]
    assert np.isnan(touches["bid"][1]) and np.isnan(touches["ask"][1])
    assert np.isnan(orders["bid"][0]) and orders["reach"].tolist() == [INSIDE]


@pytest.mark.parametrize(
    ("side", "tick", "subtick", "reach"),
    [(1, 9, 0.5, INSIDE), (1, 10, 0.0, AT_BEST), (1, 10, 0.5, BEYOND), (1, 11, 0.0, BEYOND),
     (-1, 6, 0.0, INSIDE), (-1, 5, 0.5, INSIDE), (-1, 5, 0.0, AT_BEST), (-1, 4, 0.5, BEYOND)],
)  # fmt: skip
def test_how_far_a_trade_goes(side: int, tick: int, subtick: float, reach: int) -> None:
    assert reach_of(side, tick, subtick, 5, 10) == reach
