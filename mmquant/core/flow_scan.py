"""Replay one instrument's rows into its best prices by time, and its market orders.

Rows of one exchange time are one packet. The best prices of a packet hold from its end; a market
order, all trades of one aggressor side in a packet, meets those from before it.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.book import ASK, BID, clear_row, set_level
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import inner_kernel, kernel

DEPTH, TRADE, CLEAR = int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.CLEAR)
SNAPSHOT, STATUS = int(RowKind.SNAPSHOT), int(RowKind.STATUS)

TOP = np.dtype([("ts", np.int64), ("bid", np.int64), ("ask", np.int64)], align=True)
"""Best prices [ticks] from a time on; NO_BID and NO_ASK both where nothing can be traded."""

MARKET_ORDER = np.dtype(
    [
        ("ts", np.int64),
        ("side", np.int64),
        ("tick", np.int64),
        ("bid", np.int64),
        ("ask", np.int64),
    ],
    align=True,
)
"""A market order: aggressor side, the farthest tick that it reached, best prices before it."""

SCAN = np.dtype(
    [
        ("tops", np.int64),
        ("orders", np.int64),
        ("halted", np.int64),
        ("bid", np.int64),
        ("ask", np.int64),
        ("buys", np.int64),
        ("sells", np.int64),
        ("buy_tick", np.int64),
        ("sell_tick", np.int64),
    ],
    align=True,
)
"""Rows written, and the packet under way: best prices before it, trades by aggressor side."""


@inner_kernel
def note_order(scan, orders, ts, side, tick):
    """Write one market order."""
    order = orders[scan["orders"]]
    order["ts"] = ts
    order["side"] = side
    order["tick"] = tick
    order["bid"] = scan["bid"]
    order["ask"] = scan["ask"]
    scan["orders"] += 1


@inner_kernel
def end_packet(book, scan, ts, tops, orders):
    """Write the packet's market orders, then its best prices if they are new."""
    if scan["buys"] > 0:
        note_order(scan, orders, ts, 1, scan["buy_tick"])
    if scan["sells"] > 0:
        note_order(scan, orders, ts, -1, scan["sell_tick"])
    scan["buys"] = 0
    scan["sells"] = 0
    bid = book.side[0]["best_bid"]
    ask = book.side[0]["best_ask"]
    if bid == NO_BID or ask == NO_ASK or bid >= ask or scan["halted"] != 0:
        bid = np.int64(NO_BID)
        ask = np.int64(NO_ASK)
    if bid != scan["bid"] or ask != scan["ask"]:
        top = tops[scan["tops"]]
        top["ts"] = ts
        top["bid"] = bid
        top["ask"] = ask
        scan["tops"] += 1
        scan["bid"] = bid
        scan["ask"] = ask


@inner_kernel
def note_reach(scan, side, tick, off_grid):
    """Keep how far a trade of the packet went: a tick that a quote can stand at."""
    if side > 0:
        if scan["buys"] == 0 or tick > scan["buy_tick"]:
            scan["buy_tick"] = tick
        scan["buys"] += 1
    elif side < 0:
        low = tick + 1 if off_grid else tick
        if scan["sells"] == 0 or low < scan["sell_tick"]:
            scan["sell_tick"] = low
        scan["sells"] += 1


@kernel
def scan_flow(book, exch_ts, kind, side, tick, subtick, size, inst, wanted, scan, tops, orders):
    """Fill ``tops`` (TOP) and ``orders`` (MARKET_ORDER) from the rows of instrument ``wanted``.

    ``book`` has one instrument; ``scan`` is one SCAN record, bests NO_BID and NO_ASK at first.
    Room for a top a packet, and for an order a trade row, is enough. Returns the number of rows
    done: fewer than all where the far map of the book must grow first.
    """
    n = exch_ts.shape[0]
    last = -1
    for i in range(n):
        if inst[i] != wanted:
            continue
        if last >= 0 and exch_ts[i] != exch_ts[last]:
            end_packet(book, scan, exch_ts[last], tops, orders)
        last = i
        code = kind[i]
        if code == DEPTH or code == SNAPSHOT:
            k = BID if side[i] > 0 else ASK
            if not set_level(book, 0, k, np.int64(tick[i]), np.int64(size[i])):
                return i
        elif code == TRADE:
            note_reach(scan, np.int64(side[i]), np.int64(tick[i]), subtick[i] != 0.0)
        elif code == CLEAR:
            clear_row(book, 0, np.int64(side[i]), np.int64(tick[i]), False)
        elif code == STATUS:
            scan["halted"] = np.int64(size[i])
    if last >= 0:
        end_packet(book, scan, exch_ts[last], tops, orders)
    return n
