"""Rows that fill no own order: most of a tape, and all its length costs.

A row is told plain by selects and sums instead of branches, which would be mispredicted: nothing
foretells a row's side. A key is a tick that grows towards the other side on both sides; ``reach``
is the key of the best price, or of the last level short of own orders of the other side. The few
plain rows that fail the test are done right by the slow way. A tape of one instrument is applied by
blocks of rows (``block_rows``).
"""

from __future__ import annotations

import numpy as np

from mmquant.core.block_rows import SOON, fetch_rows, rows_by_block
from mmquant.core.book import ASK, BID, note_trade, set_cell
from mmquant.core.dtypes import ROW_KIND
from mmquant.core.exchange import LANES
from mmquant.core.jit import inner_apart_kernel, inner_kernel
from mmquant.core.matching import own_level_row

DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
NARROW = 2**30
"""Ticks of a window that starts below it do not wrap in 32 bits."""


@inner_kernel
def reach_of_bids(state):
    """Key that bids may have at most without touching a best price or own asks."""
    return min(state["best_bid"], state["own_ask_min"] - 1)


@inner_kernel
def reach_of_asks(state):
    """Key that asks may have at most without touching a best price or own bids."""
    return min(-state["best_ask"], -state["own_bid_max"] - 1)


@inner_kernel
def reaches_own(state, mask, tick, lots):
    """Whether a depth row may fill own orders of the other side; ``mask`` is -1 for asks."""
    if lots == 0:
        return False
    return state["own_bid_max"] >= tick if mask else state["own_ask_min"] <= tick


@inner_kernel
def is_idle_trade(state, tape, at):
    """Whether a row is a trade that reaches no own order."""
    if tape.kind[at] != TRADE:
        return False
    side, tick = np.int64(tape.side[at]), np.int64(tape.tick[at])
    if side > 0:
        return state["own_ask_min"] > tick
    last = tick + 1 if tape.subtick[at] > 0.0 else tick
    return side == 0 or state["own_bid_max"] < last


@inner_apart_kernel
def row_by_row(exchange, tape, row, stop_row, stop_time):
    """Apply plain rows and idle trades of any instrument; returns the first that is another, or
    the stop."""
    book = exchange.book
    many = book.side.shape[0] > 1
    pegs = exchange.state[0]["pegs"] != 0
    inst = np.int64(0)
    state = book.side[0]
    base, window = state["base"], state["window"]
    origin = state["start"] - base
    reach_bid, reach_ask = reach_of_bids(state), reach_of_asks(state)
    while row < stop_row:
        if tape.exch_ts[row] > stop_time:
            break
        if many:
            inst = np.int64(tape.inst[row])
            state = book.side[inst]
            base, window = state["base"], state["window"]
            origin = state["start"] - base
            reach_bid, reach_ask = reach_of_bids(state), reach_of_asks(state)
        mask = np.int64(tape.side[row]) >> 7
        tick = np.int64(tape.tick[row])
        lots = tape.size[row]
        key = (tick ^ mask) - mask
        reach = reach_bid ^ ((reach_bid ^ reach_ask) & mask)
        inside = (tick >= base) & (tick - base < window)
        cell = origin + (tick if inside else base) + (window & mask)
        level = book.level[cell]
        behind = key < reach + (1 if lots != 0 else 0)
        if row % LANES == 0:
            fetch_rows(tape, row + SOON)
        if tape.kind[row] != DEPTH:
            if not is_idle_trade(state, tape, row):
                break
            note_trade(
                book,
                inst,
                tape.exch_ts[row],
                np.int64(tape.side[row]),
                tick,
                np.float64(tape.subtick[row]),
                np.int64(lots),
            )
        elif inside & behind & (level["head"] == 0):
            level["lots"] = lots
        elif inside & behind & (not pegs):
            own_level_row(exchange, inst, cell, np.int64(lots))
        elif inside & (not pegs) & (level["head"] == 0) and not reaches_own(
            state, mask, tick, lots
        ):
            set_cell(book, inst, ASK if mask else BID, tick, cell, np.int64(lots))
            base = state["base"]
            origin = state["start"] - base
            reach_bid, reach_ask = reach_of_bids(state), reach_of_asks(state)
        else:
            break
        state["row"] = row
        row += 1
    return row


@inner_apart_kernel
def plain_rows(exchange, tape, row, stop_row, stop_time):
    """Apply rows as long as none fills an own order; returns the first that may, or that is not
    told here."""
    book = exchange.book
    narrow = abs(book.side[0]["base"]) < NARROW
    if book.side.shape[0] == 1 and narrow and exchange.state[0]["pegs"] == 0:
        row = rows_by_block(exchange, tape, row, stop_row, stop_time)
        if row <= tape.exch_ts.shape[0] - LANES:
            return row
    return row_by_row(exchange, tape, row, stop_row, stop_time)
