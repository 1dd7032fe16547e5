"""Replay rows into the best prices by time, and the market orders that met them.

Rows of one exchange time are one packet. A market order is all trades of one aggressor side of one
instrument in a packet, and it meets the best prices from before the packet; new best prices hold
from the packet's end. A halted instrument has no best prices.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.book import ASK, BID, clear_row, lots_at, set_level
from mmquant.core.dtypes import NO_ASK, NO_BID, ROW_KIND
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.ticks import price_of_tick

DEPTH, TRADE, CLEAR = ROW_KIND.DEPTH, ROW_KIND.TRADE, ROW_KIND.CLEAR
SNAPSHOT, STATUS = ROW_KIND.SNAPSHOT, ROW_KIND.STATUS

TOUCH = np.dtype(
    [
        ("ts", np.int64),
        ("inst", np.int64),
        ("bid", np.float64),
        ("ask", np.float64),
        ("ticks", np.int64),
        ("messages", np.int64),
    ],
    align=True,
)
"""Best prices from a time on (NaN: none) and the spread in ticks (0: not two-sided).

``messages`` is how many of two orders, one joining each best price, need a message then: those
whose price moved, appeared or went, or that were filled.
"""

MARKET_ORDER = np.dtype(
    [
        ("ts", np.int64),
        ("inst", np.int64),
        ("side", np.int64),
        ("bid", np.float64),
        ("ask", np.float64),
        ("lots", np.int64),
        ("at_best", np.int64),
        ("shown", np.int64),
        ("reach", np.int64),
    ],
    align=True,
)
"""A market order: aggressor side, the best prices before it (NaN: none), lots traded, those of them
at the best price, lots displayed there before, and how far it went (INSIDE, AT_BEST, BEYOND)."""

INSIDE, AT_BEST, BEYOND = 0, 1, 2

SCAN = np.dtype(
    [
        ("bid", np.int64),
        ("ask", np.int64),
        ("bid_lots", np.int64),
        ("ask_lots", np.int64),
        ("buy", np.int64),
        ("sell", np.int64),
        ("halted", np.int64),
        ("member", np.int64),
        ("unsided", np.int64),
        ("unsided_lots", np.int64),
    ],
    align=True,
)
"""One instrument: best ticks and their lots before the packet, 1 + the row of the market order of
each side in it (0: none), whether the packet has rows of it, and trades of unknown side so far."""

PACKET = np.dtype(
    [("ts", np.int64), ("members", np.int64), ("touches", np.int64), ("orders", np.int64)],
    align=True,
)
"""The packet under way: its time, how many instruments are in it; and rows written so far."""


def make_scan(instruments: int) -> np.ndarray:
    """SCAN rows of a market that shows nothing yet."""
    scan = np.zeros(instruments, SCAN)
    scan["bid"] = NO_BID
    scan["ask"] = NO_ASK
    return scan


@inner_kernel
def price_or_nan(instrument, tick, none):
    """Price of a tick, NaN for the tick that stands for none."""
    if tick == none:
        return math.nan
    return price_of_tick(instrument, tick, 0.0)


@kernel
def reach_of(side, tick, subtick, bid, ask):
    """How far a trade goes against the best price on the passive side."""
    if side > 0:
        if tick > ask or (tick == ask and subtick > 0.0):
            return BEYOND
        return AT_BEST if tick == ask else INSIDE
    if tick < bid:
        return BEYOND
    return AT_BEST if tick == bid and subtick == 0.0 else INSIDE


@inner_kernel
def open_order(state, instrument, ts, m, side, packet, orders):
    """Begin a market order; returns 1 + its row."""
    at = packet["orders"]
    order = orders[at]
    order["ts"] = ts
    order["inst"] = m
    order["side"] = side
    order["bid"] = price_or_nan(instrument, state["bid"], NO_BID)
    order["ask"] = price_or_nan(instrument, state["ask"], NO_ASK)
    order["lots"] = 0
    order["at_best"] = 0
    order["shown"] = state["ask_lots"] if side > 0 else state["bid_lots"]
    order["reach"] = INSIDE
    packet["orders"] = at + 1
    return at + 1


@inner_kernel
def note_trade_row(state, instrument, ts, m, side, tick, subtick, lots, packet, orders):
    """Add a trade to the packet's market order of its side."""
    if side == 0:
        state["unsided"] += 1
        state["unsided_lots"] += lots
        return
    place = state["buy"] if side > 0 else state["sell"]
    if place == 0:
        place = open_order(state, instrument, ts, m, side, packet, orders)
        if side > 0:
            state["buy"] = place
        else:
            state["sell"] = place
    order = orders[place - 1]
    reach = reach_of(side, tick, subtick, state["bid"], state["ask"])
    order["lots"] += lots
    if reach == AT_BEST:
        order["at_best"] += lots
    order["reach"] = max(order["reach"], reach)


@inner_kernel
def is_filled(orders, place):
    """Whether the market order at 1 + its row reached the best price."""
    return place > 0 and orders[place - 1]["reach"] != INSIDE


@inner_kernel
def end_member(book, state, instrument, ts, m, packet, touches, orders):
    """Write an instrument's best prices at the end of a packet, if there is something new."""
    bid = book.side[m]["best_bid"]
    ask = book.side[m]["best_ask"]
    if state["halted"] != 0:
        bid = np.int64(NO_BID)
        ask = np.int64(NO_ASK)
    messages = 0
    if bid != state["bid"] or is_filled(orders, state["sell"]):
        messages += 1
    if ask != state["ask"] or is_filled(orders, state["buy"]):
        messages += 1
    if messages > 0:
        row = touches[packet["touches"]]
        row["ts"] = ts
        row["inst"] = m
        row["bid"] = price_or_nan(instrument, bid, NO_BID)
        row["ask"] = price_or_nan(instrument, ask, NO_ASK)
        row["ticks"] = ask - bid if bid != NO_BID and ask != NO_ASK else 0
        row["messages"] = messages
        packet["touches"] += 1
    state["bid"] = bid
    state["ask"] = ask
    state["bid_lots"] = lots_at(book, m, BID, bid) if bid != NO_BID else 0
    state["ask_lots"] = lots_at(book, m, ASK, ask) if ask != NO_ASK else 0
    state["buy"] = 0
    state["sell"] = 0
    state["member"] = 0


@inner_kernel
def end_packet(book, instrument, scan, packet, members, touches, orders):
    """End the packet for all instruments in it."""
    for j in range(packet["members"]):
        m = members[j]
        end_member(book, scan[m], instrument[m], packet["ts"], m, packet, touches, orders)
    packet["members"] = 0


@kernel
def scan_touch(
    book, instrument, exch_ts, kind, side, tick, subtick, size, inst, start, scan, under_way,
    members, touches, orders,
):  # fmt: skip
    """Fill ``touches`` (TOUCH) and ``orders`` (MARKET_ORDER) from the rows from ``start`` on.

    ``scan`` is SCAN, one row an instrument (`make_scan`), ``under_way`` one row of PACKET with its
    counts of rows, ``members`` int64 (instruments,). Room for a row of each kind a tape row is
    enough. Returns the number of rows done: fewer than all where the far map of the book must grow
    first; the same call with that start goes on.
    """
    packet = under_way[0]
    n = exch_ts.shape[0]
    for i in range(start, n):
        ts = exch_ts[i]
        if ts != packet["ts"]:
            end_packet(book, instrument, scan, packet, members, touches, orders)
            packet["ts"] = ts
        m = np.int64(inst[i])
        state = scan[m]
        if state["member"] == 0:
            state["member"] = 1
            members[packet["members"]] = m
            packet["members"] += 1
        code = kind[i]
        at = np.int64(tick[i])
        way = np.int64(side[i])
        lots = np.int64(size[i])
        if code == DEPTH or code == SNAPSHOT:
            if not set_level(book, m, BID if way > 0 else ASK, at, lots):
                return i
        elif code == TRADE:
            part = np.float64(subtick[i])
            note_trade_row(state, instrument[m], ts, m, way, at, part, lots, packet, orders)
        elif code == CLEAR:
            clear_row(book, m, way, at, False)
        elif code == STATUS:
            state["halted"] = lots
    end_packet(book, instrument, scan, packet, members, touches, orders)
    return n
