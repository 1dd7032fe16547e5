"""Pegged orders at the exchange: where they rest, and how they follow the book.

PEG_PRIMARY and PEG_BEST rest on the displayed book, ``offset`` ticks better than the best price of
their own side: the first no further than a tick short of the other side, the second no further
than the mid. PEG_MID rests hidden at the mid, ``offset`` ticks away from the other side. None goes
beyond its cap (the ``tick`` that it was sent with), and none ever takes.

Best prices are those of others: own orders are no part of the book. A change of best prices moves a
peg at once, and it then stands behind all that its new level displays; pegs that move together
line up in the order of their slots. While a best price is missing, a peg stays where it is.

How much other hidden size waits at the mid cannot be known, so all of it is taken to be ahead: a
mid peg is filled by a trade through its price, or by displayed size of the other side that comes to
it, never by a trade at its price. Where the mid falls between two ticks, so do its fills.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.book import ASK, BID, make_cell
from mmquant.core.dtypes import NEVER, NO_ASK, NO_BID, ORDER_TYPE, STATUS
from mmquant.core.exchange import join_queue, unrest_order
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.level_queue import RESTING

PEG_PRIMARY = ORDER_TYPE.PEG_PRIMARY
PEG_MID = ORDER_TYPE.PEG_MID
PEG_BEST = ORDER_TYPE.PEG_BEST
NO_PRICE = NEVER


@kernel
def is_peg(order_type):
    """Whether the exchange prices an order of this type by the book."""
    return order_type >= PEG_PRIMARY


@kernel
def peg_half_ticks(order_type, side, offset, cap, best_bid, best_ask):
    """Price of a peg in half ticks; both best prices must be there, the bid below the ask.

    Odd only for a mid that falls between two ticks.
    """
    own = best_bid if side > 0 else best_ask
    other = best_ask if side > 0 else best_bid
    passive = 2 * (other - side)
    if order_type == PEG_MID:
        price = best_bid + best_ask - side * 2 * offset
        passive = 2 * other - side
    else:
        price = 2 * (own + side * offset)
        if order_type == PEG_BEST:
            mid = best_bid + best_ask
            passive = mid - side * (mid & 1)
    if side > 0:
        return min(price, min(passive, 2 * cap))
    return max(price, max(passive, 2 * cap))


@inner_kernel
def peg_price(exchange, n):
    """Where a peg belongs now, in half ticks; NO_PRICE while a best price is missing."""
    node = exchange.node[n]
    peg = exchange.peg[n]
    book = exchange.book.side[np.int64(node["inst"])]
    if book["best_bid"] == NO_BID or book["best_ask"] == NO_ASK:
        return np.int64(NO_PRICE)
    return peg_half_ticks(
        np.int64(node["order_type"]),
        np.int64(node["side"]),
        np.int64(peg["offset"]),
        np.int64(peg["cap"]),
        book["best_bid"],
        book["best_ask"],
    )


@kernel
def peg_tick(side, price):
    """Tick of a price in half ticks, rounded to the passive side."""
    return (price - side * (price & 1)) >> 1


@inner_kernel
def move_peg(exchange, n):
    """Move a resting peg to where it belongs. False if the far map must grow first."""
    node = exchange.node[n]
    side = np.int64(node["side"])
    price = peg_price(exchange, n)
    if price == NO_PRICE:
        return True
    tick = peg_tick(side, price)
    if tick != node["tick"]:
        inst = np.int64(node["inst"])
        if make_cell(exchange.book, inst, BID if side > 0 else ASK, tick) < 0:
            return False
        unrest_order(exchange, n)
        node["tick"] = tick
        join_queue(exchange, n)
    exchange.peg[n]["between"] = price & 1
    return True


@inner_kernel
def move_pegs(exchange, inst):
    """Let all pegs of an instrument follow its book. Returns a Status; after BOOK_FULL, again."""
    clock = exchange.state[0]
    clock["pegs_due"] = inst + 1
    orders = exchange.state[0]["orders"]
    for n in range(orders):
        node = exchange.node[n]
        if (
            node["state"] == RESTING
            and node["inst"] == inst
            and is_peg(node["order_type"])
            and not move_peg(exchange, n)
        ):
            return STATUS.BOOK_FULL
    clock["pegs_due"] = 0
    return STATUS.OK
