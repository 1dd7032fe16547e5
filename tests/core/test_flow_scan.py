"""Best prices and market orders of a tape, against a book of plain dicts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.flow_scan import MARKET_ORDER, SCAN, TOP, scan_flow
from tests.core.builders import examples
from tests.naive_book import Book

DEPTH, TRADE, CLEAR, SNAPSHOT, STATUS = 1, 2, 3, 4, 5
NONE = (NO_BID, NO_ASK)
Row = tuple[int, int, int, int, float, int, int]
"""Packet, kind, side, tick, subtick, lots, instrument."""


def scan(rows: list[Row], *, wanted: int = 0, far: int = 1 << 10) -> tuple[int, list, list]:
    """Rows done, tops as (ts, bid, ask) and market orders as (ts, side, tick, bid, ask)."""
    data = np.array(rows, np.float64).reshape(-1, 7).T
    types = (np.int64, np.int8, np.int8, np.int32, np.float32, np.int32, np.int16)
    columns = [np.ascontiguousarray(x.astype(dtype)) for x, dtype in zip(data, types, strict=True)]
    state = np.zeros(1, SCAN)
    state["bid"], state["ask"] = NONE
    tops, orders = np.zeros(len(rows) + 1, TOP), np.zeros(len(rows) + 1, MARKET_ORDER)
    book = make_book(1, window=1 << 6, far=far)
    done = scan_flow(book, *columns, wanted, state[0], tops, orders)
    return (
        done,
        [tuple(top) for top in tops[: state["tops"][0]].tolist()],
        [tuple(order) for order in orders[: state["orders"][0]].tolist()],
    )


def naive(rows: list[Row], wanted: int) -> tuple[list, list]:
    """The same packet by packet."""
    book, last, halted = Book(), NONE, False
    tops, orders = [], []
    mine = [row for row in rows if row[6] == wanted]
    for ts in sorted({row[0] for row in mine}):
        reach: dict[int, list[int]] = {1: [], -1: []}
        for _, kind, side, tick, part, lots, _ in (row for row in mine if row[0] == ts):
            if kind in (DEPTH, SNAPSHOT):
                book.set(side, tick, lots)
            elif kind == CLEAR:
                book.clear(side, tick)
            elif kind == STATUS:
                halted = lots != 0
            elif side:
                reach[side].append(tick if side > 0 or part == 0 else tick + 1)
        if reach[1]:
            orders.append((ts, 1, max(reach[1]), *last))
        if reach[-1]:
            orders.append((ts, -1, min(reach[-1]), *last))
        bid, ask = book.best[1], book.best[-1]
        now = NONE if halted or bid is None or ask is None else (bid, ask)
        if now != last:
            tops.append((ts, *now))
            last = now
    return tops, orders


OPEN: list[Row] = [(1, DEPTH, 1, 10, 0, 5, 0), (1, DEPTH, -1, 13, 0, 5, 0)]


def test_a_sweep_is_one_order_that_meets_the_prices_from_before_it() -> None:
    sweep: list[Row] = [
        (2, TRADE, 1, 13, 0, 5, 0), (2, DEPTH, -1, 13, 0, 0, 0),
        (2, TRADE, 1, 15, 0, 2, 0), (2, DEPTH, -1, 15, 0, 1, 0),
        (3, TRADE, -1, 10, 0, 1, 0), (3, TRADE, 1, 15, 0, 1, 0),
    ]  # fmt: skip
    assert scan(OPEN + sweep) == (
        8,
        [(1, 10, 13), (2, 10, 15)],
        [(2, 1, 15, 10, 13), (3, 1, 15, 10, 15), (3, -1, 10, 10, 15)],
    )


def test_a_trade_between_ticks_reaches_the_tick_before_it() -> None:
    rows: list[Row] = [(2, TRADE, 1, 11, 0.5, 1, 0), (2, TRADE, -1, 11, 0.5, 1, 0)]
    assert scan(OPEN + rows)[2] == [(2, 1, 11, 10, 13), (2, -1, 12, 10, 13)]


def test_a_halted_and_a_one_sided_book_have_no_prices() -> None:
    rows: list[Row] = [
        (2, STATUS, 0, 0, 0, 1, 0), (3, TRADE, 1, 13, 0, 1, 0), (4, STATUS, 0, 0, 0, 0, 0),
        (5, DEPTH, 1, 10, 0, 0, 0), (6, DEPTH, 1, 9, 0, 1, 0), (7, CLEAR, 0, 0, 0, 0, 0),
    ]  # fmt: skip
    done, tops, orders = scan(OPEN + rows)
    assert done == 8
    assert tops == [(1, 10, 13), (2, *NONE), (4, 10, 13), (5, *NONE), (6, 9, 13), (7, *NONE)]
    assert orders == [(3, 1, 13, *NONE)]


def test_trades_of_unknown_side_are_no_orders() -> None:
    assert scan([*OPEN, (2, TRADE, 0, 11, 0, 1, 0)])[2] == []


def test_prices_inside_a_packet_are_not_seen() -> None:
    rows: list[Row] = [(2, DEPTH, 1, 12, 0, 1, 0), (2, DEPTH, 1, 12, 0, 0, 0)]
    assert scan(OPEN + rows)[1] == [(1, 10, 13)]


def test_a_far_map_that_is_full_is_said() -> None:
    rows: list[Row] = [(i, DEPTH, 1, 100 * i, 0, 1, 0) for i in range(60)]
    assert scan(rows, far=16)[0] < 60
    assert scan(rows)[0] == 60


def test_nothing_comes_of_nothing() -> None:
    assert scan([]) == (0, [], [])
    assert scan(OPEN, wanted=1) == (2, [], [])


books = st.tuples(
    st.sampled_from([DEPTH, DEPTH, SNAPSHOT]), st.sampled_from([1, -1]), st.integers(0, 12),
    st.just(0.0), st.integers(0, 2), st.integers(0, 1),
)  # fmt: skip
trades = st.tuples(
    st.just(TRADE), st.sampled_from([1, -1, 0]), st.integers(0, 12), st.sampled_from([0.0, 0.5]),
    st.just(1), st.integers(0, 1),
)  # fmt: skip
others = st.tuples(
    st.sampled_from([CLEAR, STATUS]), st.sampled_from([1, -1, 0]), st.integers(0, 12),
    st.just(0.0), st.integers(0, 1), st.integers(0, 1),
)  # fmt: skip


@settings(deadline=None, max_examples=examples(300, 60))
@given(
    st.lists(st.tuples(st.integers(0, 1), books | books | trades | others), max_size=40),
    st.integers(0, 1),
)
def test_random_rows_against_the_naive_scan(drawn: list, wanted: int) -> None:
    packet, rows = 1, []
    for step, rest in drawn:
        packet += step
        rows.append((packet, *rest))
    done, tops, orders = scan(rows, wanted=wanted)
    assert done == len(rows)
    assert (tops, orders) == naive(rows, wanted)
