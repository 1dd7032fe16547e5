"""Rows that are applied the fast way leave what every row the slow way would leave, bit for bit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, QueueModel, RowKind
from mmquant.core.exchange import LANES, begin_tape
from mmquant.core.level_queue import RESTING
from tests.core.builders import (
    BUY,
    LIMIT,
    POST_ONLY,
    SELL,
    SLOTS,
    Request,
    clear,
    depth,
    examples,
    status,
    tape_of,
    trade,
)
from tests.core.engine_runs import run, same, tape_columns
from tests.core.fast_and_slow import (
    SETS,
    Event,
    all_slow,
    as_the_engine_does,
    equal,
    levels,
    venue,
)

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
