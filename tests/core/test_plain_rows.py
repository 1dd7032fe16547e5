"""Rows that are applied the fast way leave what every row the slow way would leave, bit for bit."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.book import Book, grow_book
from mmquant.core.dtypes import ActionKind, QueueModel, RowKind, Status
from mmquant.core.exchange import Exchange, begin_tape
from mmquant.core.jit import kernel
from mmquant.core.level_queue import RESTING
from mmquant.core.matching import exchange_row
from mmquant.core.order_entry import exchange_request
from mmquant.core.row_block import LANES
from tests.core.builders import (
    BUY,
    LIMIT,
    POST_ONLY,
    SELL,
    SLOTS,
    Request,
    Row,
    Venue,
    clear,
    depth,
    examples,
    instruments,
    status,
    tape_of,
    trade,
)
from tests.core.engine_runs import run, same, tape_columns

SETS = 2
HISTORY = ("response_tail", "resting", "trades", "next_expiry", "spare_note")
Event = Row | Request


@kernel
def slow_row(exchange, tape, row):
    """The way of a row that is not plain."""
    inst = np.int64(tape.inst[row])
    exchange.book.side[inst]["row"] = row
    return exchange_row(
        exchange,
        tape.exch_ts[row],
        inst,
        np.int64(tape.kind[row]),
        np.int64(tape.side[row]),
        np.int64(tape.tick[row]),
        np.float64(tape.subtick[row]),
        np.int64(tape.size[row]),
    )


@kernel
def slow_request(exchange, ts, action):
    return exchange_request(exchange, ts, action)


def venue(rows: list[Row], peer: bool, queue: int) -> Venue:
    """Each instrument in a window of 64 ticks, and a far map that soon must grow."""
    what = instruments(1 + max((row.inst for row in rows), default=0))
    return Venue(rows, peer=peer, queue=queue, power=2.0, sets=SETS, what=what)


def all_slow(events: list[Event], peer: bool, queue: int) -> Exchange:
    """The exchange after all events; what comes at one time is ordered: rows, then requests."""
    rows = [e for e in events if isinstance(e, Row)]
    waiting = [e for e in events if isinstance(e, Request)]
    exchange, tape = venue(rows, peer, queue).exchange, tape_of(rows)

    def done(step: Any, *arguments: Any) -> None:
        nonlocal exchange
        while step(exchange, *arguments) == Status.BOOK_FULL:
            exchange = exchange._replace(book=grow_book(exchange.book))

    for i, row in enumerate(rows):
        while waiting and waiting[0].ts < row.ts:
            done(slow_request, waiting[0].ts, waiting.pop(0).action()[0])
        done(slow_row, tape, i)
    for request in waiting:
        done(slow_request, request.ts, request.action()[0])
    return exchange


def as_the_engine_does(events: list[Event], peer: bool, queue: int, stops: list[int]) -> Exchange:
    """The exchange after all events, having stopped at some times between."""
    one = venue([e for e in events if isinstance(e, Row)], peer, queue)
    for e in events:
        if isinstance(e, Request):
            one.send(e)
    for until in [*sorted(stops), 10**6]:
        one.live_until(until)
    return one.exchange


def fronts(exchange: Exchange) -> dict[tuple[int, int], float]:
    """Units ahead of each own order that rests."""
    resting = exchange.node[exchange.node["state"] == RESTING]
    line = exchange.line
    return {(int(n["set"]), int(n["order_id"])): float(line[n["line"]]["front"]) for n in resting}


def levels(book: Book) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Lots and head of each level that has any, by instrument, side and tick."""
    out: dict[tuple[int, int, int], tuple[int, int]] = {}
    start = len(book.level) - len(book.far)
    for inst, side in enumerate(book.side):
        for k in (0, 1):
            first = int(side["start"] + k * side["window"])
            for i, level in enumerate(book.level[first : first + int(side["window"])]):
                if level["lots"] or level["head"]:
                    out[inst, k, int(side["base"]) + i] = int(level["lots"]), int(level["head"])
    for slot in np.flatnonzero(book.far["key"]):
        level, key = book.level[start + slot], int(book.far[slot]["key"])
        if level["lots"] or level["head"]:
            at = ((key >> 34) - 1) // 2, ((key >> 34) - 1) % 2, (key & (2**34 - 1)) - 2**32
            assert at not in out
            out[at] = int(level["lots"]), int(level["head"])
    return out


def equal(mine: Exchange, theirs: Exchange) -> None:
    """Every level, best price, bound, own order, answer and counter is the same.

    The window may have moved at another row: which levels are in the far map makes no difference.
    """
    assert levels(mine.book) == levels(theirs.book)
    assert not any(mine.book.level[0])
    same(mine.book.side, theirs.book.side, "base", "far_count")
    same(mine.node, theirs.node)
    assert fronts(mine) == fronts(theirs)
    same(mine.share, theirs.share, "last_request_ts")
    said = int(theirs.state[0]["response_tail"])
    same(mine.response[:said], theirs.response[:said])
    for name in HISTORY:
        assert mine.state[0][name] == theirs.state[0][name], name


sides = st.sampled_from([BUY, SELL])
near = st.integers(97, 103)
ticks = st.one_of(near, near, near, st.integers(90, 110), st.sampled_from([20, 140, 5000, -7]))


@st.composite
def histories(draw: st.DrawFn, instruments: int) -> list[Event]:
    """Mostly depth rows around a market of 99 to 101, with own orders between and beside them,
    larger than what is shown: much of them is left when the market has gone through."""
    out: list[Event] = []
    for inst in range(instruments):
        out += [depth(0, BUY, 99, 5, inst), depth(0, SELL, 101, 5, inst)]
    ts, placed = 0, 0
    kinds = ["depth"] * 14 + ["place"] * 4 + ["trade", "clear", "modify", "cancel", "status"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=20, max_size=90)):
        ts += draw(st.integers(0, 2))
        side, inst = draw(sides), draw(st.integers(0, instruments - 1))
        owner, number = draw(st.integers(0, SETS - 1)), draw(st.integers(1, max(placed, 1)))
        if kind == "depth":
            row = depth(ts, side, draw(ticks), draw(st.integers(0, 4)), inst)
            snapshot = draw(st.integers(0, 9)) == 0
            out.append(row._replace(kind=RowKind.SNAPSHOT) if snapshot else row)
        elif kind == "trade":
            part = draw(st.sampled_from([0.0, 0.0, 0.5]))
            out.append(trade(ts, side, draw(near), draw(st.integers(1, 6)), part, inst))
        elif kind == "clear":
            out.append(clear(ts, draw(st.sampled_from([BUY, SELL, 0])), draw(near), inst))
        elif kind == "status":
            out.append(status(ts, draw(st.integers(0, 1)), inst))
        elif kind == "place" and placed < SLOTS - 1:
            placed += 1
            style = draw(st.sampled_from([LIMIT, POST_ONLY]))
            out.append(
                Request(
                    ts, ActionKind.PLACE, placed, side, draw(ticks), draw(st.integers(1, 9)),
                    style, set=owner, inst=inst,
                )
            )  # fmt: skip
        elif kind in ("modify", "cancel"):
            what = ActionKind.MODIFY if kind == "modify" else ActionKind.CANCEL
            lots = draw(st.integers(1, 5))
            out.append(Request(ts, what, number, side, draw(near), lots, set=owner, inst=inst))
    return out


@settings(deadline=None, max_examples=examples(300, 60))
@given(
    events=st.integers(1, 2).flatmap(histories),
    peer=st.booleans(),
    queue=st.sampled_from([QueueModel.RISK_AVERSE, QueueModel.POWER]),
    stops=st.lists(st.integers(0, 90), max_size=4),
)
def test_the_fast_way_is_the_slow_way(
    events: list[Event], peer: bool, queue: int, stops: list[int]
) -> None:
    equal(as_the_engine_does(events, peer, queue, stops), all_slow(events, peer, queue))


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("lots", [0, 3])
@pytest.mark.parametrize("own", [None, -2, -1, 0, 1, 2])
def test_every_two_rows_around_the_touch(side: int, lots: int, own: int | None) -> None:
    """At each distance from the best price, with own orders of both sides at one distance."""
    touch, risk = (99 if side > 0 else 101), QueueModel.RISK_AVERSE
    events: list[Event] = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5)]
    events.append(depth(0, side, touch - side, 3))
    if own is not None:
        for number, who in ((1, -side), (2, side)):
            tick = touch + side * own
            events.append(Request(1, ActionKind.PLACE, number, who, tick, 9, POST_ONLY))
    for first in range(-2, 4):
        for second in range(-3, 4):
            rows = [depth(2, side, touch + side * first, 2)]
            rows.append(depth(3, side, touch + side * second, lots))
            all_events = events + rows
            equal(
                as_the_engine_does(all_events, False, risk, []), all_slow(all_events, False, risk)
            )


def padded(events: list[Event], side: int) -> list[Event]:
    """With a block of rows behind them, as rows at a tape's end are not told by blocks."""
    other = 101 if side > 0 else 99
    return events + [depth(9, -side, other, 4 + i % 2) for i in range(LANES + 2)]


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("near", [False, True])
def test_every_two_rows_outside_the_window(side: int, own: bool, near: bool) -> None:
    """Around a level far away, which may have an own order, or be the best that is left."""
    far = -7 if side > 0 else 5000
    events: list[Event] = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5), depth(1, side, far, 5)]
    if own:
        events.append(Request(2, ActionKind.PLACE, 1, side, far, 9, POST_ONLY))
        beside = 102 if side > 0 else 98
        events.append(Request(2, ActionKind.PLACE, 2, -side, beside, 9, POST_ONLY))
    if not near:
        events.append(depth(4, side, 99 if side > 0 else 101, 0))
    for first, second in product(product((-1, 0, 1), (0, 3)), repeat=2):
        rows = [depth(5 + i, side, far + at, n) for i, (at, n) in enumerate((first, second))]
        history = padded(events + rows, side)
        for queue in (QueueModel.RISK_AVERSE, QueueModel.POWER):
            equal(as_the_engine_does(history, False, queue, []), all_slow(history, False, queue))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_rows_outside_the_window_until_the_far_map_grows(side: int) -> None:
    far = -100 if side > 0 else 5000
    events: list[Event] = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5)]
    events += [depth(1 + i, side, far - side * i, 1 + i) for i in range(60)]
    history = padded(events, side)
    exchange = as_the_engine_does(history, False, QueueModel.POWER, [])
    equal(exchange, all_slow(history, False, QueueModel.POWER))
    assert len(exchange.book.far) > len(venue([], False, QueueModel.POWER).exchange.book.far)


@pytest.mark.parametrize("fill", ["partial", "peer"])
@pytest.mark.parametrize("on", [("timer",), ("book", "own")], ids="+".join)
def test_a_run_with_no_plain_row_is_the_same_run(on: tuple[str, ...], fill: str) -> None:
    """A SNAPSHOT row does what a DEPTH row does, and is never plain."""
    columns = tape_columns(7)
    kind = np.where(columns["kind"] == RowKind.DEPTH, RowKind.SNAPSHOT, columns["kind"])
    slow = run(columns | {"kind": kind.astype(np.int8)}, on=on, fill=fill)
    fast = run(columns, on=on, fill=fill)
    assert len(fast.fills)
    for name in ("path", "fills", "orders", "instructions"):
        same(getattr(fast, name), getattr(slow, name))


def test_a_row_that_moves_the_window_finds_the_queue_of_its_level() -> None:
    """Own orders and notes of what was taken at a level that comes back into the window."""
    place = ActionKind.PLACE
    events: list[Event] = [
        Request(1, place, 4, BUY, 99, 2, POST_ONLY),
        depth(2, SELL, 20, 4),
        Request(3, place, 7, SELL, 20, 6, POST_ONLY),
        depth(4, BUY, 97, 3),
        depth(5, SELL, 20, 1),
    ]
    exchange = as_the_engine_does(events, False, QueueModel.POWER, [])
    equal(exchange, all_slow(events, False, QueueModel.POWER))
    resting = exchange.node[exchange.node["state"] == RESTING]
    assert [(int(n["order_id"]), int(n["leaves"])) for n in resting] == [(7, 3)]


def test_what_is_known_of_one_tape_is_not_believed_of_another() -> None:
    """Both tapes begin at row 0, where the market stands as it did; the second moves its best."""
    start = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5)]
    quiet = [depth(1, BUY, 90, lots) for lots in range(20)]
    moving = [depth(2, BUY, 100, 1), *(depth(2, BUY, 90, lots) for lots in range(20))]
    one = venue(start, False, QueueModel.RISK_AVERSE)
    one.live_until(0)
    for rows in (quiet, moving):
        one.tape = tape_of(rows)
        begin_tape(one.exchange)
        one.live_until(2)
    slow = all_slow([*start, *quiet, *moving], False, QueueModel.RISK_AVERSE)
    assert levels(one.exchange.book) == levels(slow.book)
    same(one.exchange.book.side, slow.book.side, "row", "base", "far_count")
    assert one.exchange.book.side[0]["best_bid"] == 100
