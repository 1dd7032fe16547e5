"""Kernels that turn LOBSTER messages into absolute sizes of price levels.

A side is 0 (bids) or 1 (asks). A level's key is its tick on the bid side and minus its tick on the
ask side, so that on both sides the best level has the largest key.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import RowKind
from mmquant.core.jit import kernel

ABSENT = -(2**62)
"""Key of a level that does not exist."""

ADD, REDUCE, DELETE, EXECUTE, HIDDEN, CROSS, HALT = 1, 2, 3, 4, 5, 6, 7
DEPTH, TRADE, SNAPSHOT, STATUS = (
    int(RowKind.DEPTH),
    int(RowKind.TRADE),
    int(RowKind.SNAPSHOT),
    int(RowKind.STATUS),
)

INJECTED, FORGOTTEN, DISPROVED, UNKNOWN, BEYOND = 0, 1, 2, 3, 4
STATS = (
    "levels_injected",
    "levels_forgotten",
    "levels_disproved",
    "unknown_level",
    "beyond_window",
)
"""Names of the entries of the kernels' ``stats``."""


class Rows(NamedTuple):
    """Tape rows as they are written; ``count`` has one element, the number of rows."""

    message: np.ndarray
    kind: np.ndarray
    side: np.ndarray
    tick: np.ndarray
    size: np.ndarray
    count: np.ndarray


def make_rows(capacity: int) -> Rows:
    """Empty rows."""
    return Rows(
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int32),
        np.empty(capacity, np.int32),
        np.zeros(1, np.int64),
    )


class Window(NamedTuple):
    """The known best levels of both sides, best first, and the levels that left the window.

    ``since`` is the message with which a level came, ``doubt`` says that it may have left unseen
    (used without a book file). ``left_key`` is a stack whose top is the best of those that left: a
    level leaves at the far edge, so it is better than all that left before.
    """

    key: np.ndarray
    size: np.ndarray
    since: np.ndarray
    doubt: np.ndarray
    count: np.ndarray
    left_key: np.ndarray
    left_count: np.ndarray


def make_window(levels: int, messages: int) -> Window:
    """Empty window of ``levels`` a side for a file of ``messages`` messages."""
    return Window(
        np.full((2, levels + 1), ABSENT, np.int64),
        np.zeros((2, levels + 1), np.int64),
        np.zeros((2, levels + 1), np.int64),
        np.zeros((2, levels + 1), np.bool_),
        np.zeros(2, np.int64),
        np.empty((2, 2 * messages + levels), np.int64),
        np.zeros(2, np.int64),
    )


@kernel
def put_row(rows, message, kind, side, tick, size):
    """Write one tape row."""
    at = rows.count[0]
    rows.message[at] = message
    rows.kind[at] = kind
    rows.side[at] = side
    rows.tick[at] = tick
    rows.size[at] = size
    rows.count[0] = at + 1


@kernel
def put_level(rows, message, kind, k, key, size):
    """Write the absolute size of one level."""
    if k == 0:
        put_row(rows, message, kind, 1, key, size)
    else:
        put_row(rows, message, kind, -1, -key, size)


@kernel
def put_event(rows, i, kind, direction, tick, size):
    """Write the trade or status row of message ``i``, if it has one."""
    if kind == EXECUTE or kind == HIDDEN:
        put_row(rows, i, TRADE, -direction, tick, size)
    elif kind == CROSS:
        if size > 0:
            put_row(rows, i, TRADE, 0, tick, size)
    elif kind == HALT:
        put_row(rows, i, STATUS, 0, 0, size)


@kernel
def is_crossed(window):
    """Whether the best bid is at or above the best ask."""
    if window.count[0] == 0 or window.count[1] == 0:
        return False
    return window.key[0, 0] >= -window.key[1, 0]


@kernel
def level_at(window, k, key):
    """Place of a level in the window, or of the first one that is worse."""
    at = 0
    while at < window.count[k] and window.key[k, at] > key:
        at += 1
    return at


@kernel
def insert_level(window, i, k, at, key, size):
    """Insert a level at a place with message ``i``; the worse ones move one place down."""
    for j in range(window.count[k], at, -1):
        move_level(window, k, j - 1, j)
    window.key[k, at] = key
    window.size[k, at] = size
    window.since[k, at] = i
    window.doubt[k, at] = False
    window.count[k] += 1


@kernel
def move_level(window, k, source, target):
    """Copy a level to another place."""
    window.key[k, target] = window.key[k, source]
    window.size[k, target] = window.size[k, source]
    window.since[k, target] = window.since[k, source]
    window.doubt[k, target] = window.doubt[k, source]


@kernel
def remove_level(window, k, at):
    """Remove the level at a place; the worse ones move one place up."""
    last = window.count[k] - 1
    for j in range(at, last):
        move_level(window, k, j + 1, j)
    window.key[k, last] = ABSENT
    window.size[k, last] = 0
    window.count[k] = last


@kernel
def disprove(window, rows, stats, i, k, key):
    """Drop the levels that left the window and would be as good as ``key`` if they still stood."""
    n = window.left_count[k]
    while n > 0 and window.left_key[k, n - 1] >= key:
        n -= 1
        if window.left_key[k, n] > key:
            put_level(rows, i, SNAPSHOT, k, window.left_key[k, n], 0)
            stats[DISPROVED] += 1
    window.left_count[k] = n


@kernel
def change_level(window, rows, stats, i, k, key, change):
    """Apply what message ``i`` does to a level of the window, and write the new size."""
    levels = window.key.shape[1] - 1
    at = level_at(window, k, key)
    if at < window.count[k] and window.key[k, at] == key:
        left = max(window.size[k, at] + change, 0)
        window.size[k, at] = left
        put_level(rows, i, DEPTH, k, key, left)
        if left == 0:
            remove_level(window, k, at)
    elif at == levels:
        stats[BEYOND] += 1
    elif change < 0:
        stats[UNKNOWN] += 1
    else:
        if at == window.count[k]:
            disprove(window, rows, stats, i, k, key)
        insert_level(window, i, k, at, key, change)
        put_level(rows, i, DEPTH, k, key, change)
        if window.count[k] > levels:
            window.left_key[k, window.left_count[k]] = window.key[k, levels]
            window.left_count[k] += 1
            stats[FORGOTTEN] += 1
            remove_level(window, k, levels)


@kernel
def enter_edge(window, rows, stats, i, k, key, size, before):
    """Take the level that entered at the far edge of the window from the file.

    ``key`` and ``size`` are the file's last level of the side, ``before`` its key one row earlier.
    It entered if the file's edge moved outwards, our window has room and all of ours are better.
    """
    n = window.count[k]
    if n == window.key.shape[1] - 1 or key >= before:
        return
    if n > 0 and window.key[k, n - 1] <= key:
        return
    disprove(window, rows, stats, i, k, key)
    insert_level(window, i, k, n, key, size)
    put_level(rows, i, SNAPSHOT, k, key, size)
    stats[INJECTED] += 1


@kernel
def seed(window, rows, i, book_key, book_size):
    """Fill the empty window from row ``i`` of the book file."""
    for k in range(2):
        for j in range(book_key.shape[2]):
            if book_key[i, k, j] != ABSENT:
                insert_level(window, i, k, j, book_key[i, k, j], book_size[i, k, j])
                put_level(rows, i, SNAPSHOT, k, book_key[i, k, j], book_size[i, k, j])


@kernel
def equals_file(window, i, book_key, book_size):
    """Whether the window is row ``i`` of the book file, on all levels of both sides."""
    for k in range(2):
        for j in range(book_key.shape[2]):
            if window.key[k, j] != book_key[i, k, j] or window.size[k, j] != book_size[i, k, j]:
                return False
    return True


@kernel
def follow_book(kind, direction, tick, size, use, book_key, book_size, book_use, window, rows, out):
    """Messages and book file to tape rows.

    Parameters
    ----------
    kind, direction, tick, size : columns of the message file (n,). [ticks, shares]
    use : messages to apply (n,). The others write nothing.
    book_key, book_size : the book file (n, 2, levels), absent levels ABSENT and 0.
    book_use : rows of the book file that can be trusted (n,).
    window, rows : state, from ``make_window`` and ``make_rows``.
    out : (equal (n,), crossed (n,), stats): rows equal to the file, rows with a crossed window.
    """
    equal, crossed, stats = out
    levels = book_key.shape[2]
    seeded = False
    edge = np.zeros(2, np.int64)
    for i in range(kind.shape[0]):
        known = use[i] and book_use[i]
        if use[i]:
            event = np.int64(kind[i])
            d = np.int64(direction[i])
            put_event(rows, i, event, d, tick[i], size[i])
            if seeded and event <= EXECUTE:
                k = 0 if d > 0 else 1
                change = size[i] if event == ADD else -size[i]
                change_level(window, rows, stats, i, k, d * tick[i], change)
        if known and not seeded:
            seed(window, rows, i, book_key, book_size)
            seeded = True
        elif known:
            for k in range(2):
                key = book_key[i, k, levels - 1]
                if key != ABSENT:
                    size_there = book_size[i, k, levels - 1]
                    enter_edge(window, rows, stats, i, k, key, size_there, edge[k])
                else:
                    disprove(window, rows, stats, i, k, ABSENT)
        for k in range(2):
            edge[k] = book_key[i, k, levels - 1] if known else np.int64(-ABSENT)
        equal[i] = known and equals_file(window, i, book_key, book_size)
        crossed[i] = is_crossed(window)
