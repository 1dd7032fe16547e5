"""Replay one instrument's rows into its best prices and sizes, each time that they change.

Rows of one exchange time are one packet; what its rows leave holds from its time on.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.book import ASK, BID, clear_row, lots_at, set_level
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.signals import order_flow

DEPTH, CLEAR = int(RowKind.DEPTH), int(RowKind.CLEAR)
SNAPSHOT, STATUS = int(RowKind.SNAPSHOT), int(RowKind.STATUS)

QUOTED = np.dtype(
    [
        ("ts", np.int64),
        ("bid", np.int64),
        ("ask", np.int64),
        ("bid_lots", np.int64),
        ("ask_lots", np.int64),
    ],
    align=True,
)
"""Best prices [ticks] and sizes [lots] from a time on; NO_BID, NO_ASK and 0 where there is no
market: a side is empty, the book is locked or crossed, or trading is halted."""


@inner_kernel
def end_packet(book, halted, ts, rows, n):
    """Append the best prices and sizes if they changed; returns the count of rows."""
    bid = np.int64(book.side[0]["best_bid"])
    ask = np.int64(book.side[0]["best_ask"])
    bid_lots, ask_lots = np.int64(0), np.int64(0)
    if bid == NO_BID or ask == NO_ASK or bid >= ask or halted:
        bid = np.int64(NO_BID)
        ask = np.int64(NO_ASK)
    else:
        bid_lots = np.int64(lots_at(book, np.int64(0), np.int64(BID), bid))
        ask_lots = np.int64(lots_at(book, np.int64(0), np.int64(ASK), ask))
    if n > 0:
        last = rows[n - 1]
        if (
            last["bid"] == bid
            and last["ask"] == ask
            and last["bid_lots"] == bid_lots
            and last["ask_lots"] == ask_lots
        ):
            return n
    row = rows[n]
    row["ts"] = ts
    row["bid"] = bid
    row["ask"] = ask
    row["bid_lots"] = bid_lots
    row["ask_lots"] = ask_lots
    return n + 1


@kernel
def scan_quotes(book, exch_ts, kind, side, tick, size, inst, wanted, rows):
    """Fill ``rows`` (QUOTED) from the tape rows of instrument ``wanted``; returns how many.

    ``book`` is empty, for one instrument. Room for a row a packet is enough. -1 where the far map
    of the book is too small.
    """
    n, last, halted = 0, -1, False
    for i in range(exch_ts.shape[0]):
        if inst[i] != wanted:
            continue
        if last >= 0 and exch_ts[i] != exch_ts[last]:
            n = end_packet(book, halted, exch_ts[last], rows, n)
        last = i
        code = kind[i]
        if code == DEPTH or code == SNAPSHOT:
            k = np.int64(BID) if side[i] > 0 else np.int64(ASK)
            if not set_level(book, np.int64(0), k, np.int64(tick[i]), np.int64(size[i])):
                return -1
        elif code == CLEAR:
            clear_row(book, np.int64(0), np.int64(side[i]), np.int64(tick[i]), False)
        elif code == STATUS:
            halted = size[i] != 0
    if last >= 0:
        n = end_packet(book, halted, exch_ts[last], rows, n)
    return n


@kernel
def scan_flow(bid, ask, bid_lots, ask_lots, flow):
    """Order flow (``signals.order_flow``) that each row brought; NaN beside rows without a market.

    All of shape (n,); the first entry is NaN.
    """
    for i in range(bid.shape[0]):
        flow[i] = math.nan
        if i > 0 and bid_lots[i] > 0 and bid_lots[i - 1] > 0:
            flow[i] = order_flow(
                bid[i - 1],
                np.float64(bid_lots[i - 1]),
                ask[i - 1],
                np.float64(ask_lots[i - 1]),
                bid[i],
                np.float64(bid_lots[i]),
                ask[i],
                np.float64(ask_lots[i]),
            )
