"""The book against a book of plain dicts, with windows so small that every level leaves them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.book import (
    ASK,
    BID,
    Book,
    clear_row,
    grow_book,
    lots_at,
    make_book,
    note_trade,
    set_level,
    top_levels,
)
from mmquant.core.dtypes import NO_ASK, NO_BID
from tests.core.builders import BUY, SELL, examples

DEPTH = 5
Levels = list[tuple[int, int]]


class Op(NamedTuple):
    """Set a level, or (lots None) clear a side up to a tick; side 0 clears both."""

    inst: int
    side: int
    tick: int
    lots: int | None = None


class PlainBook:
    """Levels by side and tick. A newer row that crosses pushes the other side's best behind it."""

    def __init__(self) -> None:
        self.level: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        self.best: dict[int, int | None] = {BUY: None, SELL: None}

    def behind(self, side: int, tick: int) -> int | None:
        worse = [t for t in self.level[side] if side * t < side * tick]
        return max(worse, key=lambda t: side * t, default=None)

    def apply(self, op: Op) -> None:
        if op.lots is not None:
            self.set(op.side, op.tick, op.lots)
            return
        for side in (BUY, SELL):
            if op.side == 0:
                self.level[side], self.best[side] = {}, None
            elif op.side == side:
                self.clear(side, op.tick)

    def set(self, side: int, tick: int, lots: int) -> None:
        best, other = self.best[side], self.best[-side]
        if lots == 0:
            self.level[side].pop(tick, None)
            if tick == best:
                self.best[side] = self.behind(side, tick)
            return
        self.level[side][tick] = lots
        if best is None or side * tick > side * best:
            self.best[side] = tick
            if other is not None and side * tick >= side * other:
                self.best[-side] = self.behind(-side, tick)

    def clear(self, side: int, tick: int) -> None:
        best = self.best[side]
        kept = {t: n for t, n in self.level[side].items() if side * t < side * tick}
        self.level[side] = kept
        if best is not None and side * best >= side * tick:
            self.best[side] = self.behind(side, tick)

    def top(self, side: int) -> Levels:
        out, tick = [], self.best[side]
        while tick is not None and len(out) < DEPTH:
            out.append((tick, self.level[side][tick]))
            tick = self.behind(side, tick)
        return out


def apply(book: Book, op: Op) -> Book:
    """Apply an operation, and grow the far map if that is asked for."""
    if op.lots is None:
        clear_row(book, op.inst, op.side, op.tick, False)
        return book
    while not set_level(book, op.inst, BID if op.side > 0 else ASK, op.tick, op.lots):
        book = grow_book(book)
    return book


def tops(book: Book, inst: int = 0) -> tuple[Levels, Levels]:
    """The best levels of both sides."""
    rows = np.full((4, DEPTH), 77, np.int32)
    top_levels(book, inst, DEPTH, *rows)
    bid, ask = (list(zip(*rows[i : i + 2].tolist(), strict=True)) for i in (0, 2))
    for side, absent in ((bid, NO_BID), (ask, NO_ASK)):
        known = [level for level in side if level[0] != absent]
        assert side == known + [(absent, 0)] * (DEPTH - len(known))
    return [x for x in bid if x[0] != NO_BID], [x for x in ask if x[0] != NO_ASK]


def fill(ops: list[Op], *, window: int = 64, far: int = 16, count: int = 1) -> Book:
    book = make_book(count, window=window, far=far)
    for op in ops:
        book = apply(book, op)
    return book


ticks = st.integers(-12, 12) | st.builds(
    lambda near, far: near + far,
    st.integers(-3, 3),
    st.sampled_from([-(2 * 10**9), -40_000, -200, -60, 60, 200, 40_000, 2 * 10**9]),
)
ops = st.builds(
    Op, st.integers(0, 1), st.sampled_from([BUY, SELL]), ticks, st.sampled_from([0, 0, 1, 2, 3])
) | st.builds(Op, st.integers(0, 1), st.sampled_from([BUY, SELL, BUY, SELL, 0]), ticks, st.none())


@settings(deadline=None, max_examples=examples(300, 60))
@given(st.sampled_from([8, 64]), st.lists(ops, max_size=60))
def test_the_book_is_the_plain_book(window: int, history: list[Op]) -> None:
    book, plain = make_book(2, window=window, far=16), [PlainBook(), PlainBook()]
    for op in history:
        book = apply(book, op)
        plain[op.inst].apply(op)
        for inst in (0, 1):
            assert tops(book, inst) == (plain[inst].top(BUY), plain[inst].top(SELL))
    for inst in (0, 1):
        for side, k in ((BUY, BID), (SELL, ASK)):
            level = plain[inst].level[side]
            for tick in {op.tick for op in history}:
                assert lots_at(book, inst, k, tick) == level.get(tick, 0)


@settings(deadline=None, max_examples=examples(60, 15))
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=60), st.sampled_from([8, 64]))
def test_the_window_follows_a_market_that_drifts(moves: list[int], window: int) -> None:
    book, plain, mid = make_book(1, window=window, far=16), PlainBook(), 0
    for move in moves:
        mid += move
        for side in (BUY, SELL):
            for away in (1, 2, 4):
                op = Op(0, side, mid - side * away, 1 + away)
                book = apply(book, op)
                plain.apply(op)
        assert tops(book) == (plain.top(BUY), plain.top(SELL))


def test_an_empty_book_has_no_levels() -> None:
    assert tops(make_book(1, window=64, far=16)) == ([], [])


def test_a_crossing_row_wins_and_the_crossed_levels_come_back_by_their_own_rows_only() -> None:
    start = [Op(0, BUY, 99, 5), Op(0, SELL, 101, 5), Op(0, SELL, 102, 6)]
    crossed = [*start, Op(0, BUY, 101, 2)]
    assert tops(fill(crossed)) == ([(101, 2), (99, 5)], [(102, 6)])
    back = [*crossed, Op(0, BUY, 101, 0)]
    assert tops(fill(back)) == ([(99, 5)], [(102, 6)])
    assert tops(fill([*back, Op(0, SELL, 101, 4)])) == ([(99, 5)], [(101, 4), (102, 6)])


def test_a_crossing_row_that_takes_the_whole_other_side_leaves_it_empty() -> None:
    book = fill([Op(0, SELL, 101, 5), Op(0, BUY, 103, 1)])
    assert tops(book) == ([(103, 1)], [])
    assert tops(apply(book, Op(0, SELL, 103, 9))) == ([], [(103, 9)])


@pytest.mark.parametrize(("tick", "left"), [(100, [(98, 1)]), (98, []), (105, [(100, 3), (98, 1)])])
def test_a_clear_takes_a_side_up_to_its_tick(tick: int, left: Levels) -> None:
    start = [Op(0, BUY, 98, 1), Op(0, BUY, 100, 3), Op(0, SELL, 110, 4)]
    assert tops(fill([*start, Op(0, BUY, tick)])) == (left, [(110, 4)])


def test_a_clear_reaches_levels_far_outside_the_window() -> None:
    far = 10**9
    start = [Op(0, BUY, 100, 3), Op(0, BUY, -far, 1), Op(0, SELL, 101, 4), Op(0, SELL, far, 2)]
    assert tops(fill([*start, Op(0, SELL, far)])) == ([(100, 3), (-far, 1)], [])
    assert tops(fill([*start, Op(0, 0, 0)])) == ([], [])


def test_the_far_map_says_when_it_is_full_and_loses_nothing_by_growing() -> None:
    book = fill([Op(0, BUY, 0, 1), Op(0, SELL, 1, 1)])
    done = 0
    while set_level(book, 0, BID, -(10**6) * (done + 1), done + 1):
        done += 1
    assert 4 <= done < 16
    assert lots_at(book, 0, BID, -(10**6) * (done + 1)) == 0
    book = grow_book(book)
    assert set_level(book, 0, BID, -(10**6) * (done + 1), done + 1)
    far = [lots_at(book, 0, BID, -(10**6) * (i + 1)) for i in range(done + 1)]
    assert far == list(range(1, done + 2))


def test_levels_that_were_emptied_make_room_for_others() -> None:
    book = fill([Op(0, BUY, 0, 1)])
    for i in range(1, 200):
        assert set_level(book, 0, BID, -1000 * i, 1)
        assert set_level(book, 0, BID, -1000 * i, 0)
    assert tops(book) == ([(0, 1)], [])


def test_instruments_do_not_mix() -> None:
    far = 10**6
    book = fill([Op(0, BUY, 10, 1), Op(1, BUY, 10, 2), Op(0, BUY, -far, 3), Op(1, BUY, -far, 4)],
                count=2)  # fmt: skip
    book = apply(book, Op(0, BUY, 10))
    assert (tops(book, 0), tops(book, 1)) == (([(-far, 3)], []), ([(10, 2), (-far, 4)], []))


def test_trades_are_remembered_and_change_no_level() -> None:
    book = fill([Op(0, BUY, 99, 5), Op(0, SELL, 101, 5)])
    for side, lots in ((BUY, 3), (SELL, 2), (BUY, 4), (0, 50)):
        note_trade(book, 0, 7, side, 100, 0.5, lots)
    assert tops(book) == ([(99, 5)], [(101, 5)])
    last = book.side[0]
    assert (last["trade_ts"], last["trade_tick"], last["trade_subtick"]) == (7, 100, 0.5)
    assert (last["buy_lots"], last["sell_lots"], last["trade_side"]) == (7, 2, 0)
