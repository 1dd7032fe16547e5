"""Blocks of rows of one instrument, applied whole.

Best prices are bounds only until someone looks: a row that takes a best price away, or betters it,
is then as cheap as any. The bound is settled by a search from there for a level with lots.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.bits import trailing_zeros
from mmquant.core.book import (
    ASK,
    BID,
    EDGE,
    far_key_of,
    far_slot,
    lots_at,
    next_ask,
    next_bid,
    note_trade,
)
from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.exchange import LANES, WAITING
from mmquant.core.hints import needed_soon, rarely
from mmquant.core.jit import inner_apart_kernel, inner_kernel
from mmquant.core.matching import own_level_row
from mmquant.core.row_block import ALL, block_facts, block_heads, block_times, set_block

SOON = 160
"""Rows ahead of those in hand that are fetched: decisions come between, and the parts of ticks are
read at some trades only, too seldom for the machine to foresee it."""


@inner_apart_kernel
def own_level_rows(exchange, tape, count):
    """Apply the rows at own levels of the last ``count`` blocks that had any, in their order."""
    state = exchange.book.side[0]
    origin, window = state["start"] - state["base"], state["window"]
    waiting = exchange.state[0]["waiting"]
    for i in range(count):
        row, bits = waiting[i] >> LANES, waiting[i] & ALL
        while bits != 0:
            at = row + trailing_zeros(bits)
            bits &= bits - 1
            cell = origin + np.int64(tape.tick[at]) + (window & (np.int64(tape.side[at]) >> 7))
            own_level_row(exchange, 0, cell, np.int64(tape.size[at]))


@inner_apart_kernel
def far_rows(exchange, tape, row, bits):
    """Apply rows of a block that are outside the window, if the far map has all their levels and no
    own order rests there. Else nothing is done, and the bits are returned from the first that is
    not so."""
    book = exchange.book
    cells = exchange.state[0]["cells"]
    left, count = bits, 0
    while left != 0:
        at = row + trailing_zeros(left)
        key = far_key_of(0, BID if tape.side[at] >= 0 else ASK, np.int64(tape.tick[at]))
        slot = far_slot(book.far, key)
        cell = book.level.shape[0] - book.far.shape[0] + slot
        if rarely(book.far[slot]["key"] != key or book.level[cell]["head"] != 0):
            return left
        cells[count] = cell
        count += 1
        left &= left - 1
    for i in range(count):
        book.level[cells[i]]["lots"] = tape.size[row + trailing_zeros(bits)]
        bits &= bits - 1
    return left


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
def fetch_rows(tape, row):
    """Have a block of rows brought to the cache."""
    needed_soon(tape.exch_ts, row)
    needed_soon(tape.exch_ts, row + LANES // 2)
    needed_soon(tape.tick, row)
    needed_soon(tape.size, row)
    needed_soon(tape.kind, row)
    needed_soon(tape.side, row)
    needed_soon(tape.subtick, row)


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
    margin = window >> EDGE
    low, high = base + margin, base + window - margin
    first, end, settled, waiting = row, stop_row, True, 0
    last_block = tape.exch_ts.shape[0] - LANES
    last, bought, sold = np.int64(-1), np.int64(0), np.int64(0)
    while row < end and row <= last_block and tape.exch_ts[row] <= stop_time:
        lanes = np.int64(ALL)
        if rarely(row + LANES > end or tape.exch_ts[row + LANES - 1] > stop_time):
            lanes = block_times(tape.exch_ts, row, stop_time)
            lanes &= (1 << min(end - row, LANES)) - 1
        unfit, blurred, moves, near, far, trade, new_bid, new_ask, buys, sells = block_facts(
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
            unfit |= moves if odd else 0
            blurred |= moves if odd else 0
            # A row that reaches own orders does so whatever the best prices are.
            if not settled and blurred & unfit & -unfit:
                own_level_rows(exchange, tape, waiting)
                settled, waiting = True, 0
                new_bid, new_ask = settle_best(book, BID, bid), settle_best(book, ASK, ask)
                if new_bid != bid or new_ask != ask:
                    bid, ask = new_bid, new_ask
                    continue
            if unfit & 1 or unfit == 0:
                break
            end = row + trailing_zeros(unfit)
            continue
        if rarely(far != 0):
            left = far_rows(exchange, tape, row, far)
            if left & 1:
                break
            if left != 0:
                end = row + trailing_zeros(left)
                continue
        own = block_heads(book.level, tape.side, tape.tick, row, near, origin, window)
        rows = near & ~own
        set_block(book.level, tape.side, tape.tick, tape.size, row, rows, origin, window)
        exchange.state[0]["waiting"][waiting] = (row << LANES) | own
        waiting += own != 0
        if rarely(waiting == WAITING):
            own_level_rows(exchange, tape, waiting)
            waiting = 0
        bid, ask, settled = new_bid, new_ask, False
        fetch_rows(tape, row + SOON)
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
