"""Blocks of rows that are applied whole leave what every row the slow way would leave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, OrderType, QueueModel, RowKind
from mmquant.core.exchange import LANES, WAITING
from mmquant.core.row_block import FEW
from tests.core.builders import BUY, POST_ONLY, SELL, Request, Row, clear, depth, examples, trade
from tests.core.fast_and_slow import Event, all_slow, as_the_engine_does, equal, long_history

POWER = QueueModel.POWER
START: list[Event] = [
    depth(0, side, 100 - side * t, 5) for t in range(1, 8) for side in (BUY, SELL)
]
"""A market of 99 to 101."""


def check(events: list[Event], *, peer: bool = False, stops: tuple[int, ...] = ()) -> None:
    equal(as_the_engine_does(events, peer, POWER, list(stops)), all_slow(events, peer, POWER))


def quiet(count: int, ts: int = 10) -> list[Event]:
    """Rows away from all that matters."""
    return [
        depth(ts, BUY if i % 2 else SELL, 90 if i % 2 else 110, 1 + i % 3) for i in range(count)
    ]


def order(ts: int, number: int, side: int, tick: int, lots: int = 9, owner: int = 0) -> Request:
    return Request(ts, ActionKind.PLACE, number, side, tick, lots, POST_ONLY, set=owner)


@pytest.mark.parametrize("seed", range(examples(150, 10)))
def test_long_histories(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def one_of(*chances: float) -> float:
        return float(rng.choice(chances))

    events = long_history(
        seed,
        examples(800, 300),
        instruments=1 if seed % 8 else 2,
        rare=one_of(0, 0.002, 0.02),
        own=one_of(0.005, 0.02, 0.1),
        far=one_of(0, 0.01, 0.1),
        crossing=one_of(0, 0.002, 0.05),
        ties=one_of(0, 0.5, 0.95),
        big=seed % 5 == 0,
    )
    last = max(event.ts for event in events)
    check(events, peer=seed % 2 == 0, stops=tuple(rng.integers(0, last + 1, 4).tolist()))


@pytest.mark.parametrize("middle", [2**30, -(2**30), 2**31 - 300, 300 - 2**31])
@pytest.mark.parametrize("by", [-100, -68, -32, 0])
def test_markets_at_the_ends_of_what_a_tick_holds(middle: int, by: int) -> None:
    for seed in range(examples(6, 1)):
        events = long_history(seed, 300, far=0.05, crossing=0.01)
        check([event._replace(tick=event.tick - 100 + middle + by) for event in events])


@pytest.mark.parametrize("seed", range(examples(40, 6)))
def test_pegs_follow_each_row(seed: int) -> None:
    """As they do where no row is plain: a SNAPSHOT row does what a DEPTH row does."""
    kinds = (OrderType.PEG_PRIMARY, OrderType.PEG_MID, OrderType.PEG_BEST, POST_ONLY)
    events: list[Event] = []
    slow: list[Event] = []
    for event in long_history(seed, examples(400, 150), own=0.02, crossing=0.005):
        if isinstance(event, Request) and event.kind == ActionKind.PLACE:
            kind = kinds[event.order_id % len(kinds)]
            event = event._replace(order_type=kind, tick=event.tick + 3 * event.side)
        events.append(event)
        snapshot = isinstance(event, Row) and event.kind == RowKind.DEPTH
        slow.append(event._replace(kind=RowKind.SNAPSHOT) if snapshot else event)
    equal(as_the_engine_does(events, False, POWER, []), as_the_engine_does(slow, False, POWER, []))


Odd = Callable[[int, int], list[Event]]
ODD: dict[str, Odd] = {
    "better": lambda side, ts: [depth(ts, side, 100, 2)],
    "best taken away": lambda side, ts: [depth(ts, side, 100 - side, 0)],
    "better and taken away": lambda side, ts: [depth(ts, side, 100, n) for n in (2, 0)],
    "best taken away and back": lambda side, ts: [depth(ts, side, 100 - side, n) for n in (0, 4)],
    "side taken away": lambda side, ts: [depth(ts, side, 100 - side * t, 0) for t in range(1, 8)],
    "locks": lambda side, ts: [depth(ts, side, 100 + side, 2)],
    "locks for a moment": lambda side, ts: [depth(ts, side, 100 + side, n) for n in (2, 0)],
    "room, then beyond": lambda side, ts: [
        depth(ts, -side, 100 + side, 0),
        depth(ts, side, 100 + side, 2),
    ],
    "both better": lambda side, ts: [depth(ts, side, 100, 2), depth(ts, -side, 100, 2)],
    "gone, then the other side there": lambda side, ts: [
        depth(ts, side, 100, 2),
        depth(ts, side, 100, 0),
        depth(ts, -side, 100, 2),
    ],
    "moves the window": lambda side, ts: [
        *(depth(ts, -side, 100 + side * t, 0) for t in range(1, 8)),
        depth(ts, side, 100 + side * 60, 2),
    ],
    "trade": lambda side, ts: [trade(ts, side, 100, 3, 0.5), trade(ts, 0, 100, 2)],
    "trade at own orders": lambda side, ts: [trade(ts, side, 100 + 2 * side, 8)],
    "trade just short of own orders": lambda side, ts: [trade(ts, -side, 100 - side, 8, 0.5)],
    "trade of no lots": lambda side, ts: [trade(ts, side, 100 + 2 * side, 0)],
    "large trades": lambda side, ts: [trade(ts, side, 100, n) for n in (FEW - 1, FEW, 2**31 - 1)],
    "own level": lambda side, ts: [depth(ts, side, 100 - 2 * side, n) for n in (3, 0, 6)],
    "own level better": lambda side, ts: [depth(ts, side, 100 - 2 * side, 1)],
    "reaches own orders": lambda side, ts: [
        depth(ts, -side, 100 - side, 0),
        depth(ts, -side, 100 - 2 * side, 4),
    ],
    "far, known": lambda side, ts: [depth(ts, side, 100 - side * 70, n) for n in (3, 0, 6)],
    "far, not known": lambda side, ts: [depth(ts, side, 100 - side * 75, n) for n in (0, 6)],
    "far, own": lambda side, ts: [
        depth(ts, side, 100 - side * 70, 2),
        depth(ts, side, 100 - side * 80, 2),
    ],
    "clear": lambda side, ts: [clear(ts, side, 100 - 2 * side), clear(ts, side, 100 - side)],
    "snapshot": lambda side, ts: [Row(ts, RowKind.SNAPSHOT, side, 100, 2)],
    "none": lambda side, ts: [Row(ts, -RowKind.DEPTH, side, 100, 2)],
}
"""Rows that are not like the others, where own orders of both sides rest two ticks from 100."""


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("name", ODD)
def test_odd_rows_at_each_place_of_a_block(name: str, side: int) -> None:
    """With rows behind them, and twice, so that the second meets bounds which are not settled."""
    start = [*START, *(depth(1, s, 100 - s * 70, 4) for s in (BUY, SELL))]
    start += [order(2, 1 + i, s, 100 - 2 * s, 9, i) for i, s in enumerate((BUY, SELL))]
    start += [order(2, 3, side, 100 - side * 80)]
    rows = ODD[name]
    for before in range(0, LANES + 3, examples(1, 5)):
        history = [*start, *quiet(before), *rows(side, 10), *quiet(4), *rows(side, 10)]
        check([*history, *rows(-side, 10), *quiet(2 * LANES)], peer=before % 2 == 0)


@pytest.mark.parametrize("first", ODD)
def test_odd_rows_after_others(first: str) -> None:
    for second in list(ODD)[:: examples(1, 6)]:
        for side in (BUY, SELL):
            rows = [*START, order(2, 1, BUY, 98), order(2, 2, SELL, 102), *quiet(LANES + 2)]
            rows += [*ODD[first](BUY, 10), *quiet(3), *ODD[second](side, 10), *quiet(LANES)]
            check(rows)


def test_more_blocks_with_rows_at_own_levels_than_may_wait() -> None:
    """The second of two orders joins a level whose rows have been waiting."""
    blocks = WAITING + 3
    rows: list[Event] = [*START, order(1, 1, BUY, 98), order(1, 2, SELL, 103)]
    for i in range(blocks):
        block = quiet(LANES, 2)
        block[i % LANES] = depth(2, BUY, 98, 1 + i * 7 % 5)
        block[(i + 5) % LANES] = depth(2, SELL, 103, i % 2)
        rows += block
    check([*rows, order(2, 3, BUY, 98, 4, 1), *quiet(LANES), depth(11, SELL, 98, 30)])
    for blocks in (WAITING - 1, WAITING, WAITING + 1):
        check(rows[: len(START) + 2 + blocks * LANES])


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("odd", ODD)
def test_a_best_price_that_waits_at_an_own_level_when_best_prices_are_asked_for(
    odd: str, side: int
) -> None:
    """An own order was alone at 100, until a row that still waits when the odd ones come."""
    for before in range(0, LANES, examples(3, 15)):
        rows = [*START, order(1, 1, side, 100), *quiet(before), depth(10, side, 100, 2)]
        check([*rows, *quiet(LANES - before - 1), *ODD[odd](side, 10), *quiet(LANES)])
        check([*rows, *quiet(LANES - before - 1), *ODD[odd](-side, 10), *quiet(LANES)])


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_was_taken_of_a_level_is_forgotten_at_its_next_row(side: int) -> None:
    """Its note is all that made the level an own one, for this block and others that wait."""
    taker = Request(1, ActionKind.PLACE, 1, side, 100 + side, 3)
    again = [Request(20, ActionKind.PLACE, 2 + i, side, 100 + side, 4, set=i) for i in range(2)]
    for between in (0, 5, LANES, 2 * LANES):
        rows = [depth(10, -side, 100 + side, 4), *quiet(between), depth(10, -side, 100 + side, 6)]
        check([*START, taker, *rows, *quiet(LANES), *again])


@pytest.mark.parametrize("rows", [*range(LANES - 1, 3 * LANES + 2, examples(1, 7))])
def test_stops_within_blocks_and_tapes_that_end_within_them(rows: int) -> None:
    """Rows at times of their own, of which each betters or takes away a price."""
    end: list[Event] = []
    for i in range(rows):
        side = BUY if i % 3 else SELL
        end.append(depth(10 + i, side, 100 if i % 4 == 1 and side > 0 else 100 - side, i % 2))
    history = [*START, order(1, 1, BUY, 99), order(1, 2, SELL, 101), *end]
    for stop in range(9, 11 + rows, examples(1, 9)):
        check(history, stops=(stop,))
        check([*history, order(stop, 3, SELL, 100), trade(10 + rows, BUY, 100, 8)], stops=(stop,))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_window_follows_best_prices_that_better_within_blocks(side: int) -> None:
    other = [depth(10, -side, 100 + side * t, 0) for t in range(1, 8)]
    better = [depth(11, side, 100 + side * t, 1) for t in range(60)]
    history = [*START, *other, depth(10, -side, 100 + side * 61, 1), *better, *quiet(LANES)]
    mine = as_the_engine_does(history, False, POWER, [])
    assert int(mine.book.side[0]["base"]) == int(
        all_slow(history, False, POWER).book.side[0]["base"]
    )
    assert abs(int(mine.book.side[0]["base"]) + 32 - 100) > 20


def test_the_last_trade_is_that_of_an_earlier_block() -> None:
    for after in (0, 1, LANES, 3 * LANES):
        rows = [*quiet(3), trade(10, SELL, 99, 4, 0.25), trade(10, BUY, 100, 7), *quiet(after)]
        check([*START, *rows, *quiet(LANES)])
