"""Rows that leave a book crossed, against a book of plain dicts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.book import make_book
from mmquant.core.book_scan import CROSSED, CROSSED_INSIDE, LOCKED, SCAN_COUNTS, scan_rows
from mmquant.core.dtypes import RowKind

DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
Row = tuple[int, int, int, int, int, int]


def scan(rows: list[Row], far: int = 1 << 13, window: int = 1 << 6) -> tuple[list[int], list[int]]:
    """Numbers of the bad rows, and the counts. A row: packet, inst, kind, side, tick, lots."""
    n = len(rows)
    data = np.array(rows, np.int64).reshape(n, 6)
    bad, counts = np.zeros(n, np.bool_), np.zeros(len(SCAN_COUNTS), np.int64)
    undo = np.zeros((5, max(n, 1)), np.int64)
    done = scan_rows(
        make_book(2, window=window, far=far),
        data[:, 0].copy(),
        data[:, 2].astype(np.int8),
        data[:, 3].astype(np.int8),
        data[:, 4].astype(np.int32),
        data[:, 5].astype(np.int32),
        data[:, 1].astype(np.int16),
        undo,
        bad,
        counts,
    )
    assert done == n
    return np.flatnonzero(bad).tolist(), counts.tolist()


def naive(rows: list[Row]) -> tuple[list[int], list[int]]:
    """The same with dicts of levels."""
    books: list[dict[int, dict[int, int]]] = [{1: {}, -1: {}} for _ in range(2)]
    bad, inside, locked, pending = [], 0, 0, []
    for i, (packet, inst, kind, side, tick, lots) in enumerate(rows):
        book = books[inst]
        if kind in (DEPTH, SNAPSHOT):
            before = book[side].get(tick, 0)
            put(book[side], tick, lots)
            other = best(book, -side)
            if lots and other is not None and side * (tick - other) >= 0:
                pending.append((inst, side, tick, before, i))
            inside += crossed(book)
        elif kind == CLEAR:
            for s in (1, -1):
                if side in (0, s):
                    gone = [t for t in book[s] if side == 0 or s * (t - tick) >= 0]
                    for t in gone:
                        del book[s][t]
        if i + 1 == len(rows) or rows[i + 1][0] != packet:
            for at, s, t, lots_before, j in reversed(pending):
                if crossed(books[at]):
                    bad.append(j)
                    put(books[at][s], t, lots_before)
            pending = []
            bid, ask = best(book, 1), best(book, -1)
            locked += bid is not None and bid == ask
    return sorted(bad), [len(bad), inside, locked]


def put(side: dict[int, int], tick: int, lots: int) -> None:
    if lots:
        side[tick] = lots
    else:
        side.pop(tick, None)


def best(book: dict[int, dict[int, int]], side: int) -> int | None:
    return (max if side > 0 else min)(book[side], default=None)


def crossed(book: dict[int, dict[int, int]]) -> bool:
    bid, ask = best(book, 1), best(book, -1)
    return bid is not None and ask is not None and bid > ask


@st.composite
def random_rows(draw: st.DrawFn) -> list[Row]:
    out, packet = [], 0
    for _ in range(draw(st.integers(0, 40))):
        packet += draw(st.sampled_from([0, 0, 1]))
        kind = draw(st.sampled_from([DEPTH, DEPTH, DEPTH, SNAPSHOT, TRADE, CLEAR]))
        side = draw(st.sampled_from([-1, 1] if kind != CLEAR else [-1, 0, 1]))
        tick = draw(st.integers(-6, 6)) * draw(st.sampled_from([1, 1, 1000]))
        out.append((packet, draw(st.integers(0, 1)), kind, side, tick, draw(st.integers(0, 2))))
    return out


@settings(deadline=None)
@given(random_rows())
def test_scan_equals_the_plain_book(rows: list[Row]) -> None:
    assert scan(rows) == naive(rows)


def test_a_cross_inside_a_packet_is_legal_and_a_lasting_one_is_not() -> None:
    book = [(0, 0, DEPTH, 1, 10, 5), (0, 0, DEPTH, -1, 11, 5)]
    cross, heal = (1, 0, DEPTH, 1, 12, 5), (1, 0, DEPTH, -1, 11, 0)
    assert scan([*book, cross, heal]) == ([], [0, 1, 0])
    assert scan([*book, cross, (2, *heal[1:])]) == ([2], [1, 1, 0])
    assert scan([*book, (1, 0, DEPTH, 1, 11, 5)]) == ([], [0, 0, 1])
    assert (CROSSED, CROSSED_INSIDE, LOCKED) == (0, 1, 2)
    assert {DEPTH, TRADE, CLEAR, SNAPSHOT} <= {int(kind) for kind in RowKind}


def test_a_full_far_map_is_told() -> None:
    rows = [(i, 0, DEPTH, 1, -(10**6) * (i + 1), 1) for i in range(40)]
    data = np.array(rows, np.int64)
    columns = [
        data[:, 0].copy(), data[:, 2].astype(np.int8), data[:, 3].astype(np.int8),
        data[:, 4].astype(np.int32), data[:, 5].astype(np.int32), data[:, 1].astype(np.int16),
    ]  # fmt: skip
    undo, bad, counts = np.zeros((5, 1), np.int64), np.zeros(40, np.bool_), np.zeros(3, np.int64)
    done = scan_rows(make_book(1, window=64, far=16), *columns, undo, bad, counts)
    assert done < 40
