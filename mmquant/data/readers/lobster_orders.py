# mypy: allow-untyped-defs
"""Kernel that turns LOBSTER messages alone into absolute sizes, through the orders they name.

Without a book file only orders that were added in the file are known. What happens to others is
counted and leaves the levels alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.jit import kernel
from mmquant.core.level_window import (
    ADD,
    DELETE,
    DEPTH,
    EXECUTE,
    SNAPSHOT,
    insert_level,
    level_at,
    put_event,
    put_level,
    remove_level,
)

FORGOTTEN, DISPROVED, UNKNOWN_ORDER, OFF_BEST, REPEATED = 0, 1, 2, 3, 4
STATS = (
    "levels_forgotten",
    "levels_disproved",
    "unknown_orders",
    "executions_off_best",
    "repeated_order_ids",
)
"""Names of the entries of the kernel's ``stats``."""


class Orders(NamedTuple):
    """Known orders by number: what is left [shares], their level's key and the message of birth."""

    left: np.ndarray
    key: np.ndarray
    born: np.ndarray


def make_orders(count: int) -> Orders:
    """No known orders."""
    return Orders(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64))


@kernel
def forget(window, rows, i, k, at):
    """Drop a level with all its orders, and write that it is gone."""
    put_level(rows, i, SNAPSHOT, k, window.key[k, at], 0)
    remove_level(window, k, at)


@kernel
def drop_gone(window, rows, stats, i, k, key):
    """Drop the levels at least as good as ``key``, if in doubt: message ``i`` disproves them."""
    while window.known[k] > 0 and window.key[k, 0] >= key and window.doubt[k, 0]:
        forget(window, rows, i, k, 0)
        stats[DISPROVED] += 1


@kernel
def doubt_worse(window, k, at):
    """Mark the levels that may leave the window because of a new level at ``at``.

    A level leaves unseen when a better one is added and there is room for a whole window of better
    ones before the other side.
    """
    levels = window.key.shape[1] - 1
    for j in range(at + 1, window.known[k]):
        if window.known[1 - k] == 0 or -window.key[1 - k, 0] - window.key[k, j] > levels:
            window.doubt[k, j] = True


@kernel
def doubt_all(window):
    """Mark all levels: a message that cannot be used may have removed any."""
    for k in range(2):
        for j in range(window.known[k]):
            window.doubt[k, j] = True


@kernel
def is_known(window, orders, order, k, at, key):
    """Whether an order rests at this place of the window, not forgotten since its birth."""
    if orders.left[order] == 0 or orders.key[order] != key:
        return False
    if at >= window.known[k] or window.key[k, at] != key:
        return False
    return orders.born[order] >= window.since[k, at]


@kernel
def add_order(window, orders, rows, stats, i, k, key, order, lots):
    """A new order; the worst level leaves a window that is full."""
    at = level_at(window, k, key)
    if is_known(window, orders, order, k, at, key):
        stats[REPEATED] += 1
    if at < window.known[k] and window.key[k, at] == key:
        window.size[k, at] += lots
    else:
        if at == window.key.shape[1] - 1:
            forget(window, rows, i, k, at - 1)
            stats[FORGOTTEN] += 1
            at -= 1
        insert_level(window, i, k, at, key, lots)
        doubt_worse(window, k, at)
    put_level(rows, i, DEPTH, k, key, window.size[k, at])
    orders.left[order] = lots
    orders.key[order] = key
    orders.born[order] = i
    if window.known[k] == window.key.shape[1]:
        forget(window, rows, i, k, window.known[k] - 1)
        stats[FORGOTTEN] += 1


@kernel
def reduce_order(window, orders, rows, stats, i, k, key, order, lots, event):
    """A known order loses ``lots``, or all that is left of it if it is deleted."""
    at = level_at(window, k, key)
    if not is_known(window, orders, order, k, at, key):
        stats[UNKNOWN_ORDER] += 1
        return
    if event == EXECUTE and at > 0:
        stats[OFF_BEST] += 1
    gone = orders.left[order] if event == DELETE else min(lots, orders.left[order])
    orders.left[order] -= gone
    window.size[k, at] -= gone
    put_level(rows, i, DEPTH, k, key, window.size[k, at])
    if window.size[k, at] == 0:
        remove_level(window, k, at)


@kernel
def follow_orders(kind, direction, tick, size, use, order, window, orders, rows, stats):
    """Messages alone to tape rows.

    Parameters
    ----------
    kind, direction, tick, size : columns of the message file (n,). [ticks, shares]
    use : messages to apply (n,). The others write nothing.
    order : number of each message's order (n,).
    window, orders, rows : state, from ``make_window``, ``make_orders`` and ``make_rows``.
    stats : counts, named STATS.
    """
    for i in range(kind.shape[0]):
        if use[i]:
            event = np.int64(kind[i])
            lots = np.int64(size[i])
            d = np.int64(direction[i])
            put_event(rows, i, event, d, tick[i], lots)
            k = 0 if d > 0 else 1
            key = d * np.int64(tick[i])
            if event == ADD:
                drop_gone(window, rows, stats, i, 1 - k, -key)
                add_order(window, orders, rows, stats, i, k, key, order[i], lots)
            elif event <= EXECUTE:
                if event == EXECUTE:
                    drop_gone(window, rows, stats, i, k, key + 1)
                reduce_order(window, orders, rows, stats, i, k, key, order[i], lots, event)
        else:
            doubt_all(window)
