# mypy: allow-untyped-defs
"""Kernel that turns LOBSTER messages into absolute sizes of levels, with the book file at hand."""

from __future__ import annotations

import numpy as np

from mmquant.core.jit import kernel
from mmquant.core.level_window import (
    ABSENT,
    ADD,
    DEPTH,
    EXECUTE,
    SNAPSHOT,
    insert_level,
    level_at,
    put_event,
    put_level,
    remove_level,
)

INJECTED, FORGOTTEN, DISPROVED, UNKNOWN, BEYOND, SEEDED = 0, 1, 2, 3, 4, 5
STATS = (
    "levels_injected",
    "levels_forgotten",
    "levels_disproved",
    "unknown_levels",
    "beyond_window",
    "seeded",
)
"""Names of the entries of the kernel's ``stats``."""


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
    if at < window.known[k] and window.key[k, at] == key:
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
        if at == window.known[k]:
            disprove(window, rows, stats, i, k, key)
        insert_level(window, i, k, at, key, change)
        put_level(rows, i, DEPTH, k, key, change)
        if window.known[k] > levels:
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
    n = window.known[k]
    if n == window.key.shape[1] - 1 or key >= before:
        return
    if n > 0 and window.key[k, n - 1] <= key:
        return
    disprove(window, rows, stats, i, k, key)
    insert_level(window, i, k, n, key, size)
    put_level(rows, i, SNAPSHOT, k, key, size)
    stats[INJECTED] += 1


@kernel
def seed(window, rows, stats, i, book_key, book_size):
    """Make the window row ``i`` of the book file."""
    for k in range(2):
        for j in range(window.known[k]):
            put_level(rows, i, SNAPSHOT, k, window.key[k, j], 0)
            window.key[k, j] = ABSENT
            window.size[k, j] = 0
        window.known[k] = 0
        disprove(window, rows, stats, i, k, np.int64(ABSENT))
        for j in range(book_key.shape[2]):
            if book_key[i, k, j] != ABSENT:
                key, lots = np.int64(book_key[i, k, j]), np.int64(book_size[i, k, j])
                insert_level(window, i, k, j, key, lots)
                put_level(rows, i, SNAPSHOT, k, key, lots)
    stats[SEEDED] += 1


@kernel
def equals_file(window, i, book_key, book_size):
    """Whether the window is row ``i`` of the book file, on all levels of both sides."""
    for k in range(2):
        for j in range(book_key.shape[2]):
            if window.key[k, j] != book_key[i, k, j] or window.size[k, j] != book_size[i, k, j]:
                return False
    return True


@kernel
def follow_file(window, rows, stats, i, book_key, book_size):
    """Take from row ``i`` of the book file what the messages cannot tell: its far edges."""
    last = book_key.shape[2] - 1
    for k in range(2):
        key = np.int64(book_key[i, k, last])
        if key != ABSENT:
            lots = np.int64(book_size[i, k, last])
            enter_edge(window, rows, stats, i, k, key, lots, window.edge[k])
        else:
            disprove(window, rows, stats, i, k, key)


@kernel
def follow_book(
    kind, direction, tick, size, use, book_key, book_size, book_use, window, rows, equal, stats
):
    """Messages and book file to tape rows.

    The window is seeded from the first row of the book file, and again after a message that cannot
    be used.

    Parameters
    ----------
    kind, direction, tick, size : columns of the message file (n,). [ticks, shares]
    use : messages to apply (n,). The others write nothing.
    book_key, book_size : the book file (n, 2, levels), absent levels ABSENT and 0.
    book_use : rows of the book file that can be trusted (n,).
    window, rows : state, from ``make_window`` and ``make_rows``.
    equal : set where the window is the row of the book file (n,), and has not just been seeded
        again.
    stats : counts, named STATS.
    """
    lost = True
    for i in range(kind.shape[0]):
        if not use[i]:
            lost = True
            continue
        event = np.int64(kind[i])
        d = np.int64(direction[i])
        put_event(rows, i, event, d, tick[i], size[i])
        if not lost and event <= EXECUTE:
            lots = np.int64(size[i])
            change = lots if event == ADD else -lots
            change_level(window, rows, stats, i, 0 if d > 0 else 1, d * np.int64(tick[i]), change)
        if book_use[i]:
            if lost:
                seed(window, rows, stats, i, book_key, book_size)
            else:
                follow_file(window, rows, stats, i, book_key, book_size)
            again = lost and stats[SEEDED] > 1
            equal[i] = not again and equals_file(window, i, book_key, book_size)
            lost = False
        for k in range(2):
            last = np.int64(book_key[i, k, book_key.shape[2] - 1])
            window.edge[k] = last if book_use[i] else np.int64(-ABSENT)
