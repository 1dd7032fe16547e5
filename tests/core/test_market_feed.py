"""What watchers are told, against a plain dictionary of levels, whatever the reading of a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_ASK, NO_BID, QueueModel
from mmquant.core.engine import AT_RESPONSE, AT_TIME
from mmquant.core.exchange import EXCHANGE_STATE, make_exchange
from mmquant.core.market_feed import (
    DEPTH_ROW,
    FEED,
    FEED_FULL,
    HALTED,
    ROOM,
    TOUCH,
    TRADE,
    available,
    feed_step,
    look,
    make_watch,
)
from tests.core.builders import BUY, SELL, SLOTS, examples, instruments
from tests.core.plain import plain
from tests.naive_book import Book

ROWS = 3
STEP = st.tuples(
    st.sampled_from([BUY, SELL]), st.integers(95, 105), st.integers(0, 4), st.booleans()
)


def rows_tape(rows):
    """A tape of (side, tick, lots, trade) rows, one a nanosecond from 1."""
    from mmquant.core.engine import Tape

    n = len(rows)
    ts = np.arange(1, n + 1, dtype=np.int64)
    kind = [2 if trade else 1 for *_, trade in rows]
    return Tape(
        ts, ts, np.array(kind, np.int8), np.array([r[0] for r in rows], np.int8),
        np.array([r[1] for r in rows], np.int32), np.zeros(n, np.float32),
        np.array([max(r[2], 1) if r[3] else r[2] for r in rows], np.int32), np.zeros(n, np.int16),
        np.zeros(0, np.int64),
    )  # fmt: skip


def exchange_of():
    state = np.zeros(1, EXCHANGE_STATE)
    state["entry_ns"] = state["response_ns"] = 1
    state["queue_model"], state["slots"] = int(QueueModel.RISK_AVERSE), SLOTS
    return make_exchange(
        book=make_book(1, window=64, far=64), instrument=instruments(), state=state, sets=1
    )


def told(step, rows, watch, room=4 * ROOM):
    """All that is told of some rows, however often the table is full."""
    exchange, tape, out = exchange_of(), rows_tape(rows), np.zeros(room, FEED)
    found = []
    while True:
        at, n = step(exchange, tape, len(rows) + 1, watch, out)
        found += out[:n].tolist()
        if at != FEED_FULL:
            assert at == AT_TIME
            return exchange, found


def naive_of(rows):
    """After each row: the first levels of both sides, and whether it was a trade."""
    book = Book()
    for side, tick, lots, trade in rows:
        if not trade:
            book.set(side, tick, lots)
        yield (
            {
                s: [
                    (t, book.lots(s, t))
                    for _, t in zip(range(ROWS), book.from_best(s), strict=False)
                ]
                for s in (BUY, SELL)
            },
            trade,
        )


@pytest.mark.parametrize("kernel", [feed_step, plain(feed_step)], ids=["kernel", "plain"])
@settings(max_examples=examples(60, 10), deadline=None)
@given(rows=st.lists(STEP, max_size=40))
def test_depth_rows_rebuild_the_book_under_both_readings(kernel, rows) -> None:
    watch = make_watch(1)
    watch["rows"], watch["touch"], watch["trades"] = ROWS, 1, 1
    _, found = told(kernel, rows, watch)
    shifted: dict = {BUY: [], SELL: []}
    best: dict = {BUY: None, SELL: None}
    at = 0
    for i, (levels, trade) in enumerate(naive_of(rows)):
        while at < len(found) and found[at][0] == i + 1:
            _, tick, lots, _, _, kind, side, place, operation = found[at]
            at += 1
            if kind == DEPTH_ROW:
                book = shifted[side]
                if operation == 0:
                    assert place == len(book)
                    book.append((tick, lots))
                elif operation == 1:
                    book[place] = (tick, lots)
                else:
                    assert place == len(book) - 1
                    book.pop()
            elif kind == TOUCH:
                best[side] = None if lots == 0 else (tick, lots)
            else:
                assert kind == TRADE
                assert trade
        assert shifted == levels
        assert best == {s: (side[0] if side else None) for s, side in levels.items()}
    assert at == len(found)
    assert sum(row[5] == TRADE for row in found) == sum(trade for *_, trade in rows)


def test_a_full_table_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (int(rng.choice([BUY, SELL])), int(rng.integers(95, 106)), int(rng.integers(0, 4)), False)
        for _ in range(200)
    ]
    tables = []
    for room in (ROOM, ROOM + 3, 10_000):
        watch = make_watch(1)
        watch["rows"], watch["touch"] = ROWS, 1
        tables.append(told(feed_step, rows, watch, room)[1])
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) > 100


def test_nothing_is_told_of_what_nobody_watches() -> None:
    assert told(feed_step, [(BUY, 99, 5, False), (SELL, 99, 2, True)], make_watch(1))[1] == []


def test_a_late_watcher_is_told_all_and_a_leaving_one_nothing() -> None:
    watch, out = make_watch(1), np.zeros(4 * ROOM, FEED)
    exchange, _ = told(feed_step, [(BUY, 99, 5, False), (SELL, 101, 7, False)], watch)
    assert look(exchange.book, watch, 0, 9, out) == 0
    watch["rows"], watch["touch"] = 2, 1
    n = look(exchange.book, watch, 0, 9, out)
    assert [(r[5], r[6], r[1], r[2]) for r in out[:n].tolist()] == [
        (TOUCH, BUY, 99, 5), (TOUCH, SELL, 101, 7), (DEPTH_ROW, BUY, 99, 5),
        (DEPTH_ROW, SELL, 101, 7),
    ]  # fmt: skip
    assert look(exchange.book, watch, 0, 9, out) == 0


def test_halts_and_answers_are_told_in_time() -> None:
    from mmquant.core.dtypes import ACTION, ActionKind
    from mmquant.core.exchange import send_request

    rows = rows_tape([(BUY, 99, 5, False), (SELL, 101, 7, False), (BUY, 98, 1, False)])
    rows.kind[2], rows.size[2] = 5, 1
    exchange, out, watch = exchange_of(), np.zeros(4 * ROOM, FEED), make_watch(1)
    order = np.zeros(1, ACTION)
    order["kind"], order["side"], order["tick"], order["lots"] = int(ActionKind.PLACE), 1, 99, 1
    assert send_request(exchange, order[0], 1)
    at, n = feed_step(exchange, rows, 10, watch, out)
    assert (at, n) == (AT_RESPONSE, 1)
    assert (out[0]["kind"], out[0]["lots"], out[0]["ts"]) == (HALTED, 1, 3)


def test_what_is_available_is_what_is_shown_less_what_was_taken() -> None:
    rows = [(SELL, 101, 7, False), (SELL, 102, 4, False), (BUY, 99, 5, False)]
    exchange, _ = told(feed_step, rows, make_watch(1))
    assert [available(exchange, 0, 0, BUY, tick) for tick in (100, 101, 102, 200)] == [0, 7, 11, 11]
    assert [available(exchange, 0, 0, SELL, tick) for tick in (100, 99, 50)] == [0, 5, 5]


def test_an_empty_book_has_no_best_price() -> None:
    watch = make_watch(3)
    assert watch["best"].tolist() == [[NO_BID, NO_ASK]] * 3
