"""A window of the best levels, by position, and the tape rows that follow from its changes.

It rebuilds absolute sizes from order messages in the codes of LOBSTER (and of ITCH behind it).
A side is 0 (bids) or 1 (asks). A level's key is its tick on the bid side and minus its tick on the
ask side, so that on both sides the best level has the largest key.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import NO_BID, RowKind
from mmquant.core.jit import kernel

ABSENT = NO_BID
"""Key of a level that does not exist."""

ADD, REDUCE, DELETE, EXECUTE, HIDDEN, CROSS, HALT = 1, 2, 3, 4, 5, 6, 7
"""Events of a message: order added, reduced, deleted, executed; hidden execution; cross; halt."""
DEPTH, TRADE, SNAPSHOT, STATUS = (
    int(RowKind.DEPTH),
    int(RowKind.TRADE),
    int(RowKind.SNAPSHOT),
    int(RowKind.STATUS),
)


class Rows(NamedTuple):
    """Tape rows as they are written; ``written`` has one element, the number of rows."""

    message: np.ndarray
    kind: np.ndarray
    side: np.ndarray
    tick: np.ndarray
    size: np.ndarray
    written: np.ndarray


def make_rows(capacity: int) -> Rows:
    """Empty rows."""
    return Rows(
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int8),
        np.empty(capacity, np.int32),
        np.empty(capacity, np.int64),
        np.zeros(1, np.int64),
    )


def take_rows(rows: Rows, which: slice | np.ndarray) -> Rows:
    """Some of the rows."""
    return Rows(
        rows.message[which],
        rows.kind[which],
        rows.side[which],
        rows.tick[which],
        rows.size[which],
        rows.written,
    )


class Window(NamedTuple):
    """The known best levels of both sides, best first, and the levels that left the window.

    ``known`` (2,) is the number of levels, ``edge`` (2,) the key of the file's last level one row
    earlier, ``since`` the message with which a level came; ``doubt`` says that it may have left
    unseen (used without a book file). ``left_key`` is a stack whose top is the best of those that
    left: a level leaves at the far edge, so it is better than all that left before.
    """

    key: np.ndarray
    size: np.ndarray
    since: np.ndarray
    doubt: np.ndarray
    known: np.ndarray
    edge: np.ndarray
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
        np.zeros(2, np.int64),
        np.empty((2, 2 * messages + levels), np.int64),
        np.zeros(2, np.int64),
    )


@kernel
def put_row(rows, message, kind, side, tick, size):
    """Write one tape row."""
    at = rows.written[0]
    rows.message[at] = message
    rows.kind[at] = kind
    rows.side[at] = side
    rows.tick[at] = tick
    rows.size[at] = size
    rows.written[0] = at + 1


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
def level_at(window, k, key):
    """Place of a level in the window, or of the first one that is worse."""
    at = 0
    while at < window.known[k] and window.key[k, at] > key:
        at += 1
    return at


@kernel
def insert_level(window, i, k, at, key, size):
    """Insert a level at a place with message ``i``; the worse ones move one place down."""
    for j in range(window.known[k], at, -1):
        move_level(window, k, j - 1, j)
    window.key[k, at] = key
    window.size[k, at] = size
    window.since[k, at] = i
    window.doubt[k, at] = False
    window.known[k] += 1


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
    last = window.known[k] - 1
    for j in range(at, last):
        move_level(window, k, j + 1, j)
    window.key[k, last] = ABSENT
    window.size[k, last] = 0
    window.known[k] = last
