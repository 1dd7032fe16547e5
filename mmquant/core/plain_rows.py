"""Rows that move no best price and fill no own order: most of a tape, and all its length costs.

A row is told plain by selects and sums instead of branches, which would be mispredicted: nothing
foretells a row's side. A key is a tick that grows towards the other side on both sides; ``reach``
is the key of the best price, or of the last level short of own orders of the other side. The few
plain rows that fail the test are done right by the slow way. A tape of one instrument is tested by
blocks of rows, in vectors.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmquant.core.bits import trailing_zeros
from mmquant.core.book import ASK, BID, far_cell, note_trade
from mmquant.core.dtypes import ROW_KIND
from mmquant.core.hints import rarely
from mmquant.core.jit import DISABLED, inner_apart_kernel, inner_kernel
from mmquant.core.matching import after_level_row

DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
LANES = 16
"""Rows of a block."""
NARROW = 2**30
"""Ticks of a window that starts below it do not wrap in 32 bits."""


def _plain_block_bits(tick, side, size, kind, row, base, window, reach_bid, reach_ask):
    bits = 0
    for i in range(LANES):
        at = row + i
        key, reach = (tick[at], reach_bid) if side[at] >= 0 else (-tick[at], reach_ask)
        inside = base <= tick[at] < base + window
        behind = key < reach + (1 if size[at] != 0 else 0)
        bits |= int(inside and behind and kind[at] == DEPTH) << i
    return bits


@intrinsic
def _block_bits(typingctx, tick, side, size, kind, row, base, window, reach_bid, reach_ask):
    word, byte = ir.IntType(32), ir.IntType(8)

    def codegen(context, builder, signature, args):
        row = args[4]

        def column(i, element):
            data = context.make_array(signature.args[i])(context, builder, args[i]).data
            vector = ir.VectorType(element, LANES)
            start = builder.bitcast(builder.gep(data, [row]), vector.as_pointer())
            return builder.load(start, align=element.width // 8)

        def spread(value):
            lanes = ir.VectorType(word, LANES)
            one = builder.insert_element(
                ir.Constant(lanes, ir.Undefined), builder.trunc(value, word), ir.Constant(word, 0)
            )
            return builder.shuffle_vector(
                one, ir.Constant(lanes, ir.Undefined), ir.Constant(lanes, [0] * LANES)
            )

        def each(element, value):
            return ir.Constant(ir.VectorType(element, LANES), [value] * LANES)

        ticks, sizes = column(0, word), column(2, word)
        base, window, reach_bid, reach_ask = (spread(value) for value in args[5:])
        sells = builder.icmp_signed("<", column(1, byte), each(byte, 0))
        key = builder.select(sells, builder.sub(each(word, 0), ticks), ticks)
        reach = builder.select(sells, reach_ask, reach_bid)
        at_best = builder.and_(
            builder.icmp_signed("==", key, reach), builder.icmp_signed("!=", sizes, each(word, 0))
        )
        behind = builder.or_(builder.icmp_signed("<", key, reach), at_best)
        inside = builder.icmp_unsigned("<", builder.sub(ticks, base), window)
        depth = builder.icmp_signed("==", column(3, byte), each(byte, DEPTH))
        plain = builder.and_(builder.and_(behind, inside), depth)
        return builder.zext(builder.bitcast(plain, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(tick, side, size, kind, row, base, window, reach_bid, reach_ask), codegen


block_bits = _plain_block_bits if DISABLED else _block_bits
"""``block_bits(tick, side, size, kind, row, base, window, reach_bid, reach_ask)``: one bit for each
of the LANES rows from ``row``, whether it is a depth row within the window and behind its reach."""


@inner_kernel
def reach_of_bids(state):
    """Key that bids may have at most without touching a best price or own asks."""
    return min(state["best_bid"], state["own_ask_min"] - 1)


@inner_kernel
def reach_of_asks(state):
    """Key that asks may have at most without touching a best price or own bids."""
    return min(-state["best_ask"], -state["own_bid_max"] - 1)


@inner_kernel
def row_by_row(book, tape, row, stop_row, stop_time):
    """Apply plain rows of any instrument; returns the first that is not, or the stop."""
    many = book.side.shape[0] > 1
    state = book.side[0]
    base, window = state["base"], state["window"]
    origin = state["start"] - base
    reach_bid, reach_ask = reach_of_bids(state), reach_of_asks(state)
    while row < stop_row:
        if tape.exch_ts[row] > stop_time:
            break
        if many:
            state = book.side[np.int64(tape.inst[row])]
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
        if not (inside & behind & (level["head"] == 0) & (tape.kind[row] == DEPTH)):
            break
        level["lots"] = lots
        state["row"] = row
        row += 1
    return row


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
def far_row(exchange, tape, at, reach_bid, reach_ask):
    """Apply a row outside the window that is plain but for that. False if it is not, or if the far
    map does not have its level yet."""
    book = exchange.book
    tick, lots = np.int64(tape.tick[at]), np.int64(tape.size[at])
    if tape.kind[at] != DEPTH:
        return False
    bids = tape.side[at] >= 0
    key, reach = (tick, reach_bid) if bids else (-tick, reach_ask)
    if key >= reach + (1 if lots != 0 else 0):
        return False
    cell = far_cell(book, 0, BID if bids else ASK, tick)
    if cell < 0:
        return False
    if book.level[cell]["head"] != 0:
        own_level_row(exchange, cell, lots)
    else:
        book.level[cell]["lots"] = lots
    return True


@inner_apart_kernel
def own_level_row(exchange, cell, lots):
    """Apply a row that is plain but for own orders at its level."""
    level = exchange.book.level[cell]
    head, before = np.int64(level["head"]) - 1, np.int64(level["lots"])
    level["lots"] = lots
    after_level_row(exchange, 0, cell, head, before, lots)


@inner_kernel
def rows_by_block(exchange, tape, row, stop_row, stop_time):
    """Apply plain rows, idle trades, rows far away, and what changes the queue at an own level, of
    one instrument.

    What was found of a block holds as long as neither reach nor window move, nor the tape changes
    (``begin_tape``).
    """
    book = exchange.book
    state = book.side[0]
    base, window = state["base"], state["window"]
    origin = state["start"] - base
    reach_bid, reach_ask = reach_of_bids(state), reach_of_asks(state)
    first, last_block = row, tape.exch_ts.shape[0] - LANES
    block, bits = state["block_row"], state["block_bits"]
    known = (block <= row) & (state["block_base"] == base)
    known &= (state["block_bid"] == reach_bid) & (state["block_ask"] == reach_ask)
    block = block if known else -LANES
    state["block_base"] = base
    state["block_bid"] = reach_bid
    state["block_ask"] = reach_ask
    while row < stop_row and tape.exch_ts[row] <= stop_time:
        if row >= block + LANES:
            if row > last_block:
                break
            block = row
            bits = block_bits(
                tape.tick,
                tape.side,
                tape.size,
                tape.kind,
                row,
                base,
                window,
                reach_bid,
                reach_ask,
            )
        count = trailing_zeros(~(bits >> (row - block)))
        if count == 0:
            if is_idle_trade(state, tape, row):
                note_trade(
                    book,
                    0,
                    tape.exch_ts[row],
                    np.int64(tape.side[row]),
                    np.int64(tape.tick[row]),
                    np.float64(tape.subtick[row]),
                    np.int64(tape.size[row]),
                )
            else:
                place = np.int64(tape.tick[row]) - base
                far = rarely(place < 0 or place >= window)
                if not (far and far_row(exchange, tape, row, reach_bid, reach_ask)):
                    break
            row += 1
            continue
        end = min(row + count, stop_row)
        while tape.exch_ts[end - 1] > stop_time:
            end -= 1
        while row < end:
            cell = origin + np.int64(tape.tick[row]) + (window & (np.int64(tape.side[row]) >> 7))
            level = book.level[cell]
            if level["head"] != 0:
                own_level_row(exchange, cell, np.int64(tape.size[row]))
            else:
                level["lots"] = tape.size[row]
            row += 1
    state["block_row"] = block
    state["block_bits"] = bits
    if row > first:
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
    return row_by_row(book, tape, row, stop_row, stop_time)
