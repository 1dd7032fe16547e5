"""Blocks of rows that are applied whole leave what every row the slow way would leave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mmquant.core.dtypes import MSG, ActionKind, Control, MsgKind, QueueModel, RowKind
from mmquant.core.exchange import LANES, WAITING
from mmquant.core.latency import KNOT
from mmquant.core.row_block import FEW
from tests.core.builders import BUY, POST_ONLY, SELL, Request, Row, clear, depth, examples, trade
from tests.core.engine_runs import Result, run, same
from tests.core.fast_and_slow import Event, all_slow, as_the_engine_does, equal, long_history
from tests.random_rows import random_rows

POWER = QueueModel.POWER
START: list[Event] = [
    depth(0, side, 100 - side * t, 5) for t in range(1, 8) for side in (BUY, SELL)
]
"""A market of 99 to 101."""
LOGS = ("path", "fills", "orders", "instructions")


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


def lagging(columns: dict[str, np.ndarray], **settings: object) -> Result:
    """A run, which with measured latencies that never change is the same run.

    With those, the exchange never waits behind a decision.
    """
    entry, response = settings["latency"]  # type: ignore[misc]
    knots = np.array([(0, entry, response)], KNOT)
    lazy = run(columns, **settings)  # type: ignore[arg-type]
    prompt = run(columns, knots=knots, **settings)  # type: ignore[arg-type]
    for name in LOGS:
        same(getattr(lazy, name), getattr(prompt, name))
    assert lazy.halves.clock["inbox"] == prompt.halves.clock["inbox"]
    return lazy


@pytest.mark.parametrize("feed", [0, 1, 1_999_999, 2_000_000, 2_000_001, 9_000_000, 30_000_000])
@pytest.mark.parametrize("response", [1, 2_000_000, 9_000_000])
def test_an_exchange_that_waits_behind_a_decision_says_the_same(feed: int, response: int) -> None:
    """Feed latencies below, at and above those of answers; rows at all times, and at those of
    decisions and views."""
    for interval in (1_000_000, 10_000_000):
        for fine in (True, False):
            columns = random_rows(examples(600, 150), feed + response, feed_latency_ns=feed)
            if not fine:
                columns["exch_ts"] = columns["exch_ts"] // 1_000_000 * 1_000_000
                columns["local_ts"] = columns["exch_ts"] + feed
            latency = (1 if fine else 1_000_000, response)
            result = lagging(columns, latency=latency, interval_ns=interval)
            assert len(result.fills)


@pytest.mark.parametrize("feed", [1, 2_000_001, 9_999_999, 12_000_000])
def test_an_answer_that_comes_just_in_time_is_waited_for(feed: int) -> None:
    """Orders reach the exchange around the time of a decision's view, and answers to what happens
    then come around the time of the decision."""
    interval = 10_000_000
    behind = feed % interval
    columns = random_rows(examples(600, 150), feed, feed_latency_ns=feed)
    for response in {1, (behind + 1) // 2, *range(max(behind - 2, 1), behind + 2)}:
        for past in range(-1, 3):
            entry = max(interval - behind + past, 1)
            result = lagging(columns, latency=(entry, response), interval_ns=interval)
            assert len(result.fills)


def test_a_kill_at_the_time_of_the_last_row_comes_before_the_decision_after_it() -> None:
    """Orders placed at 60 ms end at 110 ms, of which is heard at 140 ms: when the last row is
    received, at 119 ms, there is more to come. All that is then decided, at 120 ms, is no quote."""
    ms = 1_000_000
    times = np.array([0, 0, 89 * ms])
    columns = {
        "exch_ts": times,
        "local_ts": times + 30 * ms,
        "kind": np.full(3, RowKind.DEPTH, np.int8),
        "side": np.array([BUY, SELL, SELL], np.int8),
        "tick": np.array([999, 1001, 1001], np.int32),
        "size": np.array([5, 1, 3], np.int32),
    }
    kill = np.zeros(1, MSG)
    kill["ts"], kill["kind"], kill["reason"] = 119 * ms, MsgKind.CONTROL, Control.KILL
    gtd = {"tif": "gtd", "lifetime_s": 0.05}
    settings = {"latency": (1, 30 * ms), "interval_ns": 60 * ms, "inbox": kill, "orders": gtd}
    result = lagging(columns, **settings)
    assert result.halves.clock["inbox"] == 1
    placed = result.instructions["action"] == ActionKind.PLACE
    assert set(result.instructions["timestamp"][placed]) == {60 * ms}
