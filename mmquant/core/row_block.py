"""What vectors tell of LANES rows of a tape of one instrument, and how they are set together.

A depth row is fit to be set together with its neighbours if it fills no own order and does not
cross the other side, whatever order they are taken in; a trade is if it reaches no own order.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmquant.core.dtypes import NO_ASK, NO_BID, ROW_KIND
from mmquant.core.exchange import LANES
from mmquant.core.jit import DISABLED

DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
FEW = 2**27
"""Lots of which LANES times as many fit in 32 bits."""
ALL = 2**LANES - 1
"""The bits of all of them."""
FACTS = 10
WORD, BYTE, LONG = ir.IntType(32), ir.IntType(8), ir.IntType(64)


def _plain_block_times(exch_ts, row, until):
    return sum(int(exch_ts[row + i] <= until) << i for i in range(LANES))


def _plain_block_facts(
    kind, side, tick, size, row, lanes, base, window, bid, ask, own_bid, own_ask
):
    rows = [i for i in range(LANES) if lanes >> i & 1]
    sized = [i for i in rows if kind[row + i] == DEPTH and size[row + i] != 0]
    best_bid = max([bid] + [int(tick[row + i]) for i in sized if side[row + i] >= 0])
    best_ask = min([ask] + [int(tick[row + i]) for i in sized if side[row + i] < 0])
    unfit = blurred = moves = near = far = buys = sells = 0
    last = -1
    for i in rows:
        at, bit = row + i, 1 << i
        what, lots, depth = int(tick[at]), int(size[at]), kind[at] == DEPTH
        buy = side[at] >= 0
        free = what < own_ask if buy else what > own_bid
        apart = what < ask if buy else what > bid
        inside = 0 <= what - base < window
        fit = depth and (lots == 0 or (free and apart))
        if kind[at] == TRADE:
            last, fit = i, free and 0 <= lots < FEW
            buys += lots if side[at] > 0 else 0
            sells += lots if side[at] < 0 else 0
        unfit |= 0 if fit else bit
        blurred |= bit if i in sized and free and not fit else 0
        moves |= bit if i in sized and (what > bid if buy else what < ask) else 0
        near |= bit if depth and inside else 0
        far |= bit if depth and not inside else 0
    return unfit, blurred, moves, near, far, last, best_bid, best_ask, buys, sells


def _plain_block_heads(level, side, tick, row, bits, origin, window):
    heads = 0
    for i in range(LANES):
        if bits >> i & 1:
            heads |= (level[_cell(side, tick, row + i, origin, window)]["head"] != 0) << i
    return heads


def _plain_set_block(level, side, tick, size, row, bits, origin, window):
    for i in range(LANES):
        if bits >> i & 1:
            level[_cell(side, tick, row + i, origin, window)]["lots"] = size[row + i]


def _cell(side, tick, at, origin, window):
    return origin + int(tick[at]) + (window if side[at] < 0 else 0)


class Block:
    """The vectors of a block of rows, as code is written for it."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context, self.builder, self.signature, self.args = context, builder, signature, args

    def column(self, i: int, element: Any, row: Any) -> Any:
        data = self.context.make_array(self.signature.args[i])(
            self.context, self.builder, self.args[i]
        ).data
        vector = ir.VectorType(element, LANES)
        start = self.builder.bitcast(self.builder.gep(data, [row]), vector.as_pointer())
        return self.builder.load(start, align=element.width // 8)

    def spread(self, value: Any, element: Any = WORD) -> Any:
        builder, lanes = self.builder, ir.VectorType(element, LANES)
        if value.type.width > element.width:
            value = builder.trunc(value, element)
        nothing = ir.Constant(lanes, ir.Undefined)
        one = builder.insert_element(nothing, value, ir.Constant(WORD, 0))
        first = ir.Constant(ir.VectorType(WORD, LANES), [0] * LANES)
        return builder.shuffle_vector(one, nothing, first)

    def each(self, value: int, element: Any = WORD) -> Any:
        return ir.Constant(ir.VectorType(element, LANES), [value] * LANES)

    def reduce(self, name: str, vector: Any) -> Any:
        element = vector.type.element
        called = f"llvm.vector.reduce.{name}.v{LANES}i{element.width}"
        module = self.builder.module
        function = module.globals.get(called)
        if function is None:
            function = ir.Function(module, ir.FunctionType(element, [vector.type]), called)
        return self.builder.call(function, [vector])

    def total(self, vector: Any) -> Any:
        return self.builder.zext(self.reduce("add", vector), LONG)

    def bits(self, lanes: Any) -> Any:
        return self.builder.zext(self.builder.bitcast(lanes, ir.IntType(LANES)), LONG)

    def lanes(self, bits: Any) -> Any:
        few = self.builder.trunc(bits, ir.IntType(LANES))
        return self.builder.bitcast(few, ir.VectorType(ir.IntType(1), LANES))

    def all(self, *conditions: Any) -> Any:
        out = conditions[0]
        for condition in conditions[1:]:
            out = self.builder.and_(out, condition)
        return out


@intrinsic
def _block_times(typingctx, exch_ts, row, until):
    def codegen(context, builder, signature, args):
        b = Block(context, builder, signature, args)
        times = b.column(0, LONG, args[1])
        return b.bits(builder.icmp_signed("<=", times, b.spread(args[2], LONG)))

    return types.int64(exch_ts, row, until), codegen


@intrinsic
def _block_facts(
    typingctx,
    kind,
    side,
    tick,
    size,
    row,
    lanes,
    base,
    window,
    bid,
    ask,
    own_bid,
    own_ask,
):
    def codegen(context, builder, signature, args):
        b = Block(context, builder, signature, args)
        row, lanes, base, window, bid, ask, own_bid, own_ask = args[4:]
        kinds, sides = b.column(0, BYTE, row), b.column(1, BYTE, row)
        ticks, sizes = b.column(2, WORD, row), b.column(3, WORD, row)
        asked = b.lanes(lanes)
        depth = b.all(asked, builder.icmp_signed("==", kinds, b.each(DEPTH, BYTE)))
        trade = b.all(asked, builder.icmp_signed("==", kinds, b.each(TRADE, BYTE)))
        sells = builder.icmp_signed("<", sides, b.each(0, BYTE))
        sized = b.all(depth, builder.icmp_signed("!=", sizes, b.each(0)))

        def minus(value):
            return builder.neg(value)

        def lower(x, y):
            return builder.select(builder.icmp_signed("<", x, y), x, y)

        def limit_of(selling, buying):
            return builder.select(sells, b.spread(selling), b.spread(buying))

        key = builder.select(sells, builder.sub(b.each(0), ticks), ticks)
        own = limit_of(minus(own_bid), own_ask)
        other = limit_of(lower(minus(own_bid), minus(bid)), lower(own_ask, ask))
        reach = limit_of(minus(ask), bid)
        moves = b.all(sized, builder.icmp_signed(">", key, reach))
        few = builder.icmp_unsigned("<", sizes, b.each(FEW))
        free = builder.icmp_signed("<", key, own)
        idle = b.all(trade, few, free)
        apart = b.all(sized, builder.icmp_signed("<", key, other))
        fit = builder.or_(builder.or_(idle, apart), b.all(depth, builder.not_(sized)))
        unfit = b.all(asked, builder.not_(fit))
        bids = builder.select(b.all(moves, builder.not_(sells)), ticks, b.each(NO_BID))
        asks = builder.select(b.all(moves, sells), ticks, b.each(NO_ASK))
        best_bid = builder.sext(b.reduce("smax", bids), LONG)
        best_ask = builder.sext(b.reduce("smin", asks), LONG)
        # Outside the vectors, so that a block need not wait for the one before it.
        best_bid = builder.select(builder.icmp_signed(">", best_bid, bid), best_bid, bid)
        best_ask = builder.select(builder.icmp_signed("<", best_ask, ask), best_ask, ask)
        offset = builder.sub(ticks, b.spread(base))
        inside = builder.icmp_unsigned("<", offset, b.spread(window))
        none = b.each(0)
        bought = builder.icmp_signed(">", sides, b.each(0, BYTE))
        values = [
            b.bits(unfit),
            b.bits(b.all(unfit, sized, free)),
            b.bits(moves),
            b.bits(b.all(depth, inside)),
            b.bits(b.all(depth, builder.not_(inside))),
            builder.sub(
                ir.Constant(LONG, 63),
                builder.ctlz(b.bits(trade), ir.Constant(ir.IntType(1), 0)),
            ),
            best_bid,
            best_ask,
            b.total(builder.select(b.all(trade, bought), sizes, none)),
            b.total(builder.select(b.all(trade, sells), sizes, none)),
        ]
        return context.make_tuple(builder, signature.return_type, values)

    given = (kind, side, tick, size, row, lanes, base, window, bid, ask, own_bid, own_ask)
    return types.UniTuple(types.int64, FACTS)(*given), codegen


def cells_of(b: Block, side: Any, tick: Any, bits: Any, origin: Any, window: Any) -> Any:
    """Cells of the lanes whose bits are set; the spare cell for the rest."""
    builder = b.builder
    sells = builder.icmp_signed("<", side, b.each(0, BYTE))
    across = builder.select(sells, b.spread(window), b.each(0))
    cells = builder.add(builder.add(tick, b.spread(origin)), across)
    return builder.select(b.lanes(bits), cells, b.each(0))


def part_of(b: Block, level: int, cell: Any, at: int) -> Any:
    """Pointer to a field of a level."""
    data = b.context.make_array(b.signature.args[level])(b.context, b.builder, b.args[level]).data
    words = b.builder.bitcast(data, WORD.as_pointer())
    place = b.builder.shl(b.builder.zext(cell, LONG), ir.Constant(LONG, 1))
    return b.builder.gep(words, [b.builder.add(place, ir.Constant(LONG, at))])


@intrinsic
def _block_heads(typingctx, level, side, tick, row, bits, origin, window):
    def codegen(context, builder, signature, args):
        b = Block(context, builder, signature, args)
        row, bits, origin, window = args[3:]
        cells = cells_of(b, b.column(1, BYTE, row), b.column(2, WORD, row), bits, origin, window)
        none = ir.Constant(LONG, 0)
        for i in reversed(range(LANES)):
            cell = builder.extract_element(cells, ir.Constant(WORD, i))
            empty = builder.icmp_unsigned(
                "<", builder.load(part_of(b, 0, cell, 1)), ir.Constant(WORD, 1)
            )
            none = builder.add(builder.add(none, none), builder.zext(empty, LONG))
        return builder.xor(none, ir.Constant(LONG, ALL))

    return types.int64(level, side, tick, row, bits, origin, window), codegen


@intrinsic
def _set_block(typingctx, level, side, tick, size, row, bits, origin, window):
    def codegen(context, builder, signature, args):
        b = Block(context, builder, signature, args)
        row, bits, origin, window = args[4:]
        cells = cells_of(b, b.column(1, BYTE, row), b.column(2, WORD, row), bits, origin, window)
        lots = builder.select(b.lanes(bits), b.column(3, WORD, row), b.each(0))
        for i in range(LANES):
            place = ir.Constant(WORD, i)
            cell = builder.extract_element(cells, place)
            builder.store(builder.extract_element(lots, place), part_of(b, 0, cell, 0))
        return context.get_dummy_value()

    return types.void(level, side, tick, size, row, bits, origin, window), codegen


block_times = _plain_block_times if DISABLED else _block_times
"""``block_times(exch_ts, row, until)``: a bit for each of the LANES rows from ``row``, whether its
time is not after ``until``."""
block_facts = _plain_block_facts if DISABLED else _block_facts
"""``block_facts(kind, side, tick, size, row, lanes, base, window, bid, ask, own_bid, own_ask)``:
what is to be known of the rows whose bits are set in ``lanes``, if ``bid`` and ``ask`` bound the
best prices before them, and ``own_bid`` and ``own_ask`` those of own orders.

Bits of rows that are not fit, of those of them that sharper bounds could make fit, of sized depth
rows beyond the best price, of depth rows within the window, of those outside it; the last trade's
lane (-1: none); bounds of the best prices after the rows; lots bought and sold by trades, if all
are fit. Rows do not cross each other if the bounds after them do not.
"""
block_heads = _plain_block_heads if DISABLED else _block_heads
"""``block_heads(level, side, tick, row, bits, origin, window)``: the bits of those rows at whose
levels own orders rest. ``origin`` is the cell of tick 0 of the bids, asks come ``window`` later."""
set_block = _plain_set_block if DISABLED else _set_block
"""``set_block(level, side, tick, size, row, bits, origin, window)``: set the levels of these rows,
in their order."""
