"""Replay rows into a book as they stand and find those that leave it crossed.

Rows of one exchange time are one packet: inside it the book may cross, at its end it may not. A row
that a packet leaves crossed is taken back, so that later rows are judged against a sound book.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.book import ASK, BID, clear_row, lots_at, set_level
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import kernel

DEPTH, CLEAR, SNAPSHOT = int(RowKind.DEPTH), int(RowKind.CLEAR), int(RowKind.SNAPSHOT)

CROSSED, CROSSED_INSIDE, LOCKED = 0, 1, 2
SCAN_COUNTS = ("crossed_rows", "crossed_in_packet", "locked_rows")
"""Names of the counts: rows that leave the book crossed after their packet, rows after which it is
crossed inside a packet, and packets after which the best bid is the best ask."""


@kernel
def set_raw(book, inst, k, tick, lots):
    """Set a level and leave the other side's best as it is. False if the far map must grow."""
    state = book.side[inst]
    bid, ask = state["best_bid"], state["best_ask"]
    if not set_level(book, inst, k, tick, lots):
        return False
    if k == BID:
        state["best_ask"] = ask
    else:
        state["best_bid"] = bid
    return True


@kernel
def apply_rows(book, kind, side, tick, size, inst, start, stop):
    """Apply rows ``start`` to ``stop`` - 1 as the engine does; trades change nothing.

    Returns the row reached: less than ``stop`` where the far map of the book must grow first.
    """
    for i in range(start, stop):
        code = kind[i]
        if code == DEPTH or code == SNAPSHOT:
            k = BID if side[i] > 0 else ASK
            if not set_level(book, np.int64(inst[i]), k, np.int64(tick[i]), np.int64(size[i])):
                return i
        elif code == CLEAR:
            clear_row(book, np.int64(inst[i]), np.int64(side[i]), np.int64(tick[i]), False)
    return stop


@kernel
def take_back(book, inst, k, tick, lots, row, pending, bad):
    """Undo the pending crossing rows of every instrument that is crossed; count them."""
    count = 0
    for j in range(pending - 1, -1, -1):
        i = inst[j]
        state = book.side[i]
        if state["best_bid"] > state["best_ask"]:
            bad[row[j]] = True
            count += 1
            set_raw(book, i, k[j], tick[j], lots[j])
    return count


@kernel
def scan_rows(book, exch_ts, kind, side, tick, size, inst, undo, bad, counts):
    """Mark in ``bad`` the rows that leave the book crossed; fill ``counts`` (SCAN_COUNTS).

    ``undo`` is int64 (5, longest packet). Returns the number of rows done: fewer than all where
    the far map of the book must grow first.
    """
    n = exch_ts.shape[0]
    pending = 0
    for i in range(n):
        code = kind[i]
        m = np.int64(inst[i])
        state = book.side[m]
        if code == DEPTH or code == SNAPSHOT:
            k = BID if side[i] > 0 else ASK
            level, lots = np.int64(tick[i]), np.int64(size[i])
            if lots > 0 and (
                (k == BID and level >= state["best_ask"])
                or (k == ASK and level <= state["best_bid"])
            ):
                undo[0, pending] = m
                undo[1, pending] = k
                undo[2, pending] = level
                undo[3, pending] = lots_at(book, m, k, level)
                undo[4, pending] = i
                pending += 1
            if not set_raw(book, m, k, level, lots):
                return i
            if state["best_bid"] > state["best_ask"]:
                counts[CROSSED_INSIDE] += 1
        elif code == CLEAR:
            clear_row(book, m, np.int64(side[i]), np.int64(tick[i]), False)
        if i + 1 == n or exch_ts[i + 1] != exch_ts[i]:
            if pending > 0:
                counts[CROSSED] += take_back(
                    book, undo[0], undo[1], undo[2], undo[3], undo[4], pending, bad
                )
                pending = 0
            bid, ask = state["best_bid"], state["best_ask"]
            if bid == ask and bid != NO_BID and ask != NO_ASK:
                counts[LOCKED] += 1
    return n
