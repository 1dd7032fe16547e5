"""Rows that move no best price and fill no own order: most of a tape, and all its length costs.

A row is told plain by selects and sums instead of branches, which would be mispredicted: nothing
foretells a row's side. A key is a tick that grows towards the other side on both sides; ``reach``
is the key of the best price, or of the last level short of own orders of the other side. The few
plain rows that fail the test are done right by the slow way. A tape of one instrument is tested by
blocks of rows, in vectors.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.bits import trailing_zeros
from mmquant.core.book import (
    ASK,
    BID,
    far_key_of,
    far_slot,
    lots_at,
    make_far_cell,
    next_ask,
    next_bid,
    note_trade,
)
from mmquant.core.dtypes import NO_ASK, NO_BID, ROW_KIND
from mmquant.core.hints import needed_soon, rarely
from mmquant.core.jit import inner_apart_kernel, inner_kernel
from mmquant.core.exchange import WAITING
from mmquant.core.matching import after_level_row, move_queues
from mmquant.core.row_block import ALL, LANES, block_facts, block_heads, block_times, set_block

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
def own_level_row(exchange, inst, cell, lots):
    """Apply a row that is plain but for own orders at its level."""
    level = exchange.book.level[cell]
    head, before = np.int64(level["head"]) - 1, np.int64(level["lots"])
    level["lots"] = lots
    after_level_row(exchange, inst, cell, head, before, lots)


@inner_apart_kernel
def own_level_rows(exchange, tape, count):
    """Apply the rows at own levels of the last ``count`` blocks that had any, in their order."""
    state = exchange.book.side[0]
    origin, window = state["start"] - state["base"], state["window"]
    waiting = exchange.state[0]["waiting"]
    for i in range(count):
        row, bits = waiting[i] >> LANES, waiting[i] & ((1 << LANES) - 1)
        while bits != 0:
            at = row + trailing_zeros(bits)
            bits &= bits - 1
            cell = origin + np.int64(tape.tick[at]) + (window & (np.int64(tape.side[at]) >> 7))
            level = exchange.book.level[cell]
            head, before = np.int64(level["head"]) - 1, np.int64(level["lots"])
            level["lots"] = tape.size[at]
            move_queues(exchange, 0, cell, head, before, np.int64(tape.size[at]))


@inner_apart_kernel
def far_rows(exchange, tape, row, bits):
    """Apply rows of a block that are outside the window. Returns the bits of those left: the far
    map must grow first."""
    book = exchange.book
    while bits != 0:
        at = row + trailing_zeros(bits)
        k = BID if tape.side[at] >= 0 else ASK
        tick = np.int64(tape.tick[at])
        key = far_key_of(0, k, tick)
        slot = far_slot(book.far, key)
        cell = book.level.shape[0] - book.far.shape[0] + slot
        if rarely(book.far[slot]["key"] != key):
            cell = make_far_cell(book, 0, k, tick)
            if cell < 0:
                break
        if rarely(book.level[cell]["head"] != 0):
            own_level_row(exchange, 0, cell, np.int64(tape.size[at]))
        else:
            book.level[cell]["lots"] = tape.size[at]
        bits &= bits - 1
    return bits


@inner_apart_kernel
def note_trades(book, tape, last, bought, sold):
    """Remember trades, of which ``last`` is the last."""
    state = book.side[0]
    note_trade(
        book,
        0,
        tape.exch_ts[last],
        np.int64(tape.side[last]),
        np.int64(tape.tick[last]),
        np.float64(tape.subtick[last]),
        0,
    )
    state["buy_lots"] += bought
    state["sell_lots"] += sold


@inner_apart_kernel
def settle_best(book, k, bound):
    """Best price of a side no level of which is better than ``bound``."""
    if bound == NO_BID or bound == NO_ASK or lots_at(book, 0, k, bound) != 0:
        return bound
    return next_bid(book, 0, bound) if k == BID else next_ask(book, 0, bound)


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
        if not (inside & behind & (tape.kind[row] == DEPTH)):
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
        elif level["head"] != 0:
            if pegs:
                break
            own_level_row(exchange, inst, cell, np.int64(lots))
        else:
            level["lots"] = lots
        state["row"] = row
        row += 1
    return row


@inner_kernel
def rows_by_block(exchange, tape, row, stop_row, stop_time):
    """Apply whole blocks of rows of one instrument, as long as they fill no own order and cross no
    price. Returns the first row of the block that is another.

    Best prices are only bounds until they are settled: a row that takes one away costs nothing.
    """
    book = exchange.book
    state = book.side[0]
    base, window = state["base"], state["window"]
    origin = state["start"] - base
    bid, ask = state["best_bid"], state["best_ask"]
    own_bid, own_ask = state["own_bid_max"], state["own_ask_min"]
    low, high = base + (window >> 3), base + window - (window >> 3)
    first, end, settled, waiting = row, stop_row, True, 0
    last_block = tape.exch_ts.shape[0] - LANES
    last, bought, sold = np.int64(-1), np.int64(0), np.int64(0)
    while row < end and row <= last_block and tape.exch_ts[row] <= stop_time:
        lanes = np.int64(ALL)
        if rarely(row + LANES > end or tape.exch_ts[row + LANES - 1] > stop_time):
            lanes = block_times(tape.exch_ts, row, stop_time)
            lanes &= (1 << min(end - row, LANES)) - 1
        unfit, moves, near, far, trade, new_bid, new_ask, buys, sells = block_facts(
            tape.kind,
            tape.side,
            tape.tick,
            tape.size,
            row,
            lanes,
            base,
            window,
            bid,
            ask,
            own_bid,
            own_ask,
        )
        odd = new_bid >= new_ask
        odd |= (new_bid != bid) & ((new_bid < low) | (new_bid >= high))
        odd |= (new_ask != ask) & ((new_ask < low) | (new_ask >= high))
        if rarely((unfit != 0) | odd):
            if not settled:
                own_level_rows(exchange, tape, waiting)
                settled, waiting = True, 0
                new_bid, new_ask = settle_best(book, BID, bid), settle_best(book, ASK, ask)
                if new_bid != bid or new_ask != ask:
                    bid, ask = new_bid, new_ask
                    continue
            unfit |= moves if odd else 0
            if unfit & 1 or unfit == 0:
                break
            end = row + trailing_zeros(unfit)
            continue
        if rarely(far != 0) and far_rows(exchange, tape, row, far) != 0:
            break
        own = block_heads(book.level, tape.side, tape.tick, row, near, origin, window)
        rows = near & ~own
        set_block(book.level, tape.side, tape.tick, tape.size, row, rows, origin, window)
        exchange.state[0]["waiting"][waiting] = (row << LANES) | own
        waiting += own != 0
        if rarely(waiting == WAITING):
            own_level_rows(exchange, tape, waiting)
            waiting = 0
        bid, ask, settled = new_bid, new_ask, False
        needed_soon(tape.subtick, row + 160)
        last = row + trade if trade >= 0 else last
        bought += buys
        sold += sells
        if rarely(lanes != ALL):
            row += trailing_zeros(~lanes)
            break
        row += LANES
    if row == first:
        return row
    if last >= 0:
        note_trades(book, tape, last, bought, sold)
    if waiting:
        own_level_rows(exchange, tape, waiting)
    if not settled:
        bid, ask = settle_best(book, BID, bid), settle_best(book, ASK, ask)
    state["best_bid"], state["best_ask"] = bid, ask
    state["row"] = row - 1
    return row


@inner_apart_kernel
def plain_rows(exchange, tape, row, stop_row, stop_time):
    """Apply rows as long as none moves a best price or fills an own order; returns the first that
    may, or that is not told here."""
    book = exchange.book
    narrow = abs(book.side[0]["base"]) < NARROW
    if book.side.shape[0] == 1 and narrow and exchange.state[0]["pegs"] == 0:
        row = rows_by_block(exchange, tape, row, stop_row, stop_time)
        if row <= tape.exch_ts.shape[0] - LANES:
            return row
    return row_by_row(exchange, tape, row, stop_row, stop_time)
