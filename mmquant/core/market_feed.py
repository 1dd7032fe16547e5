"""What the watchers of a book are told, row by row: changed depth rows, best prices and trades.

Depth is positional. Only operations are written that mean the same whether an insert shifts the
rows behind it or overwrites: insert behind the last row, change inside, delete of the last row.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.book import ASK, BID, lots_at, next_ask, next_bid
from mmquant.core.dtypes import NO_ASK, NO_BID, ROW_KIND
from mmquant.core.engine import AT_ROW, exchange_step
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.matching import shown_within

WATCH_ROWS = 20
"""Most rows a side that can be watched."""
ROOM = 4 * WATCH_ROWS + 8
"""Most that one row of a tape can cause."""
FEED_FULL = -3
"""What ``feed_step`` returns when its table has no room left, beside the codes of the engine."""
INSERT, UPDATE, DELETE = 0, 1, 2
DEPTH_ROW, TOUCH, TRADE, HALTED = 1, 2, 3, 4

WATCH = np.dtype(
    [
        ("rows", np.int64),
        ("touch", np.int64),
        ("trades", np.int64),
        ("count", np.int64, (2,)),
        ("tick", np.int64, (2, WATCH_ROWS)),
        ("lots", np.int64, (2, WATCH_ROWS)),
        ("best", np.int64, (2,)),
        ("best_lots", np.int64, (2,)),
    ],
    align=True,
)
"""What is watched of one instrument (``rows`` a side, and whether best prices and trades), and
what was last told; sides as in the book."""

FEED = np.dtype(
    [
        ("ts", np.int64),
        ("tick", np.int32),
        ("lots", np.int32),
        ("subtick", np.float32),
        ("inst", np.int16),
        ("kind", np.int8),
        ("side", np.int8),
        ("place", np.int8),
        ("operation", np.int8),
    ],
    align=True,
)
"""One thing to tell: a depth row, a best price (no lots: there is none), a trade or a halt (in
``lots``). ``side`` is +1 for bids and for a buyer who took."""


def make_watch(instruments: int) -> np.ndarray:
    """Nothing watched, nothing told yet."""
    watch = np.zeros(instruments, WATCH)
    watch["best"][:, BID] = NO_BID
    watch["best"][:, ASK] = NO_ASK
    return watch


@inner_kernel
def tell(out, n, ts, inst, kind, side, tick, lots):
    """Write one FEED row; returns the next place."""
    row = out[n]
    row["ts"] = ts
    row["tick"] = tick
    row["lots"] = lots
    row["subtick"] = 0.0
    row["inst"] = inst
    row["kind"] = kind
    row["side"] = side
    row["place"] = 0
    row["operation"] = 0
    return n + 1


@inner_kernel
def tell_depth(book, watch, inst, k, ts, out, n):
    """Tell what changed in the first rows of one side."""
    told = watch[inst]
    rows = told["rows"]
    tick = book.side[inst]["best_bid"] if k == BID else book.side[inst]["best_ask"]
    end = np.int64(NO_BID) if k == BID else np.int64(NO_ASK)
    side = 1 if k == BID else -1
    count = told["count"][k]
    at = 0
    while at < rows and tick != end:
        lots = lots_at(book, inst, k, tick)
        if at >= count or told["tick"][k][at] != tick or told["lots"][k][at] != lots:
            n = tell(out, n, ts, inst, DEPTH_ROW, side, tick, lots)
            out[n - 1]["place"] = at
            out[n - 1]["operation"] = UPDATE if at < count else INSERT
            told["tick"][k][at] = tick
            told["lots"][k][at] = lots
        at += 1
        tick = next_bid(book, inst, tick) if k == BID else next_ask(book, inst, tick)
    for gone in range(count - 1, at - 1, -1):
        n = tell(out, n, ts, inst, DEPTH_ROW, side, told["tick"][k][gone], 0)
        out[n - 1]["place"] = gone
        out[n - 1]["operation"] = DELETE
    told["count"][k] = at
    return n


@inner_kernel
def tell_touch(book, watch, inst, k, ts, out, n):
    """Tell a best price if it or its size changed."""
    told = watch[inst]
    tick = book.side[inst]["best_bid"] if k == BID else book.side[inst]["best_ask"]
    end = np.int64(NO_BID) if k == BID else np.int64(NO_ASK)
    lots = np.int64(0)
    if tick != end:
        lots = np.int64(lots_at(book, inst, k, tick))
    if told["best"][k] == tick and told["best_lots"][k] == lots:
        return n
    told["best"][k] = tick
    told["best_lots"][k] = lots
    return tell(out, n, ts, inst, TOUCH, 1 if k == BID else -1, tick, lots)


@inner_kernel
def tell_book(book, watch, inst, ts, out, n):
    """Tell all that changed in a book that is watched."""
    if watch[inst]["touch"] != 0:
        n = tell_touch(book, watch, inst, BID, ts, out, n)
        n = tell_touch(book, watch, inst, ASK, ts, out, n)
    if watch[inst]["rows"] != 0 or watch[inst]["count"][BID] + watch[inst]["count"][ASK] != 0:
        n = tell_depth(book, watch, inst, BID, ts, out, n)
        n = tell_depth(book, watch, inst, ASK, ts, out, n)
    return n


@inner_kernel
def tell_row(exchange, tape, row, watch, out, n):
    """Tell what a tape row that was just applied has changed."""
    inst = np.int64(tape.inst[row])
    kind = np.int64(tape.kind[row])
    ts = tape.exch_ts[row]
    if kind == ROW_KIND.TRADE:
        if watch[inst]["trades"] != 0:
            lots = np.int64(tape.size[row])
            side = np.int64(tape.side[row])
            n = tell(out, n, ts, inst, TRADE, side, np.int64(tape.tick[row]), lots)
            out[n - 1]["subtick"] = tape.subtick[row]
        return n
    if kind == ROW_KIND.STATUS:
        return tell(out, n, ts, inst, HALTED, 0, 0, np.int64(tape.size[row]))
    return tell_book(exchange.book, watch, inst, ts, out, n)


@kernel
def look(book, watch, inst, ts, out):
    """Tell what a watcher does not know yet of a book as it stands; returns how many rows."""
    return tell_book(book, watch, inst, ts, out, 0)


@kernel
def available(exchange, owner, inst, side, limit):
    """Lots that an order of ``side`` of a set could take now at a tick or better."""
    return shown_within(exchange, owner, inst, side, limit)


@kernel
def feed_step(exchange, tape, until, watch, out):
    """Let the exchange live until a time, or its first answer, and tell what the market did.

    Returns what ``exchange_step`` does, or FEED_FULL, and the number of FEED rows.
    """
    clock = exchange.state[0]
    n = 0
    while n + ROOM <= out.shape[0]:
        row = clock["row"]
        at = exchange_step(exchange, tape, until, row + 1, True)
        if clock["row"] > row:
            n = tell_row(exchange, tape, row, watch, out, n)
        if at != AT_ROW:
            return at, n
    return np.int64(FEED_FULL), n
