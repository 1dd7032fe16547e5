"""The exchange after a history, its rows applied as the engine does and one by one the slow way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmquant.core.book import Book, grow_book
from mmquant.core.dtypes import ActionKind, RowKind, Status
from mmquant.core.exchange import Exchange
from mmquant.core.jit import kernel
from mmquant.core.level_queue import RESTING
from mmquant.core.matching import exchange_row
from mmquant.core.order_entry import exchange_request
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
    instruments,
    status,
    tape_of,
    trade,
)
from tests.core.engine_runs import same

SETS = 2
HISTORY = ("response_tail", "resting", "trades", "next_expiry", "spare_note")
Event = Row | Request


@kernel
def slow_rows(exchange, tape, row, until):
    """The way of rows that are not plain, up to a time. Returns a Status and the next row."""
    while row < tape.exch_ts.shape[0] and tape.exch_ts[row] <= until:
        inst = np.int64(tape.inst[row])
        exchange.book.side[inst]["row"] = row
        status = exchange_row(
            exchange,
            tape.exch_ts[row],
            inst,
            np.int64(tape.kind[row]),
            np.int64(tape.side[row]),
            np.int64(tape.tick[row]),
            np.float64(tape.subtick[row]),
            np.int64(tape.size[row]),
        )
        if status != 0:
            return status, row
        row += 1
    return np.int64(0), row


@kernel
def slow_request(exchange, ts, action):
    return exchange_request(exchange, ts, action)


def venue(rows: Sequence[Row], peer: bool, queue: int) -> Venue:
    """Each instrument in a window of 64 ticks, and a far map that soon must grow."""
    what = instruments(1 + max((row.inst for row in rows), default=0))
    return Venue(rows, peer=peer, queue=queue, power=2.0, sets=SETS, what=what)


def all_slow(events: Sequence[Event], peer: bool, queue: int) -> Exchange:
    """The exchange after all events; what comes at one time is ordered: rows, then requests."""
    rows = [e for e in events if isinstance(e, Row)]
    exchange, tape = venue(rows, peer, queue).exchange, tape_of(rows)
    row = 0

    def rows_until(ts: int) -> None:
        nonlocal exchange, row
        status, row = slow_rows(exchange, tape, row, ts)
        while status != Status.OK:
            assert status == Status.BOOK_FULL
            exchange = exchange._replace(book=grow_book(exchange.book))
            status, row = slow_rows(exchange, tape, row, ts)

    for request in (e for e in events if isinstance(e, Request)):
        rows_until(request.ts)
        while slow_request(exchange, request.ts, request.action()[0]) == Status.BOOK_FULL:
            exchange = exchange._replace(book=grow_book(exchange.book))
    rows_until(10**6)
    return exchange


def as_the_engine_does(
    events: Sequence[Event], peer: bool, queue: int, stops: Sequence[int]
) -> Exchange:
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
            near = book.level[first : first + int(side["window"])]
            for i in np.flatnonzero((near["lots"] != 0) | (near["head"] != 0)):
                tick = int(side["base"]) + int(i)
                out[inst, k, tick] = int(near[i]["lots"]), int(near[i]["head"])
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


def long_history(
    seed: int,
    rows: int,
    *,
    instruments: int = 1,
    rare: float = 0.01,
    own: float = 0.02,
    far: float = 0.03,
    crossing: float = 0.01,
    ties: float = 0.5,
    big: bool = False,
) -> list[Event]:
    """Mostly depth rows around a drifting market, most of which are fit to be applied by blocks.

    The rest are drawn with the probabilities given: ``rare`` is clears, snapshots, halts and rows
    that are none; ``own`` requests of two sets, at levels where rows come often. With ``big``, some
    sizes are as large as a row can hold.
    """
    rng = np.random.default_rng(seed)
    out: list[Event] = []
    for inst in range(instruments):
        for t in range(1, 9):
            out += [depth(0, BUY, 100 - t, 5, inst), depth(0, SELL, 100 + t, 5, inst)]
    ts, placed, count = 0, 0, len(out)
    mid = [100] * instruments
    beyond = rng.integers(40, 90, 6)
    while count < rows:
        ts += int(rng.random() > ties)
        inst = int(rng.integers(instruments))
        side = BUY if rng.random() < 0.5 else SELL
        owner, number = int(rng.integers(SETS)), int(rng.integers(max(placed, 1))) + 1
        if rng.random() < 0.01:
            mid[inst] += int(rng.integers(-2, 3)) * (10 if rng.random() < 0.05 else 1)
        middle = mid[inst]
        if rng.random() < own:
            away = int(rng.integers(-1, 9)) if rng.random() < 0.9 else int(rng.choice(beyond))
            tick, lots = middle - side * away, int(rng.integers(1, 10))
            kind = rng.choice([ActionKind.PLACE] * 3 + [ActionKind.MODIFY, ActionKind.CANCEL])
            if kind == ActionKind.PLACE:
                if placed == SLOTS - 1:
                    continue
                placed, number = placed + 1, placed + 1
            style = LIMIT if rng.random() < 0.2 else POST_ONLY
            out.append(
                Request(ts, int(kind), number, side, tick, lots, style, set=owner, inst=inst)
            )
            continue
        count += 1
        draw = rng.random()
        if draw < rare:
            edge = middle - side * int(rng.integers(0, 6))
            code = int(rng.integers(0, 2))
            out.append(
                [
                    clear(ts, side if rng.random() < 0.9 else 0, edge, inst),
                    depth(ts, side, edge, 3, inst)._replace(kind=RowKind.SNAPSHOT),
                    status(ts, code, inst),
                    depth(ts, side, edge, 3, inst)._replace(kind=-RowKind.DEPTH),
                ][int(rng.integers(4))]
            )
        elif draw < rare + 0.1:
            part = 0.5 if rng.random() < 0.3 else 0.0
            of = 0 if rng.random() < 0.1 else side
            tick = middle + side * int(rng.integers(-1, 4 if rng.random() < 0.2 else 1))
            lots = int(rng.choice([0, 1, 3, 8]))
            if big and rng.random() < 0.3:
                lots = int(rng.choice([2**27 - 1, 2**27, 2**31 - 1]))
            out.append(trade(ts, of, tick, lots, part, inst))
        else:
            away = int(rng.geometric(0.3)) if rng.random() < 0.7 else int(rng.integers(1, 12))
            if rng.random() < crossing:
                away = -int(rng.integers(0, 4))
            if rng.random() < far:
                away = int(rng.choice(beyond))
            lots = 0 if rng.random() < 0.35 else int(rng.integers(1, 6))
            if big and lots and rng.random() < 0.05:
                lots = 2**31 - 1
            out.append(depth(ts, side, middle - side * away, lots, inst))
    return out
