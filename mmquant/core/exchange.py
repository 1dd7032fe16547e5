"""State of the exchange half: book, own resting orders, and the messages on their way.

Own orders hang on the levels they rest at, in order of time: see ``level_queue``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.book import ASK, BID, Book, find_cell
from mmquant.core.dtypes import (
    ACTION,
    ACTION_KIND,
    MSG,
    MSG_KIND,
    NEVER,
    NO_ASK,
    NO_BID,
    ORDER_TYPE,
    STATUS,
)
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.latency import KNOT, entry_latency, response_latency
from mmquant.core.level_queue import (
    FREE,
    HIDDEN,
    NODE,
    QUEUED,
    RESTING,
    append_node,
    make_lines,
    remove_node,
)
from mmquant.core.records import copy_record
from mmquant.core.ticks import price_of_tick

FIRST_RING = 1024
"""Messages under way that there is room for at first: a ring that is walked through stays warm in
the cache only if it is short."""

LANES = 16
"""Rows of a tape that are applied together: a block."""
WAITING = 64
"""Blocks of rows of which some wait to be applied to own levels."""

EXCHANGE_STATE = np.dtype(
    [
        ("entry_ns", np.int64),
        ("response_ns", np.int64),
        ("day_end", np.int64),
        ("queue_power", np.float64),
        ("queue_model", np.int64),
        ("peer_fills", np.int64),
        ("slots", np.int64),
        ("orders", np.int64),
        ("row", np.int64),
        ("request_head", np.int64),
        ("request_tail", np.int64),
        ("response_head", np.int64),
        ("response_tail", np.int64),
        ("next_expiry", np.int64),
        ("spare_note", np.int64),
        ("spare_line", np.int64),
        ("shared_out", np.int64),
        ("resting", np.int64),
        ("pegs", np.int64),
        ("pegs_due", np.int64),
        ("trades", np.int64),
        ("status", np.int64),
        ("mid", np.float64),
        ("waiting", np.int64, (WAITING,)),
        ("cells", np.int64, (LANES,)),
    ],
    align=True,
)
"""Settings and cursors. ``orders`` nodes are orders, the rest notes, the free ones chained from
``spare_note``, free lines from ``spare_line``; ``shared_out`` is the last of the ``trades`` that
filled an own order; ``pegs`` of the ``resting`` orders are pegs, those of instrument ``pegs_due`` -
1 (0: none) have still to follow its book; ``mid`` is the mid just before the event in hand."""

PEG = np.dtype(
    [("cap", np.int32), ("offset", np.int16), ("between", np.int16)],
    align=True,
)
"""What a node has more if it is a peg; ``between``: its price is half a tick better than its tick.
"""

SHARE = np.dtype(
    [
        ("trade", np.int64),
        ("lots", np.int64),
        ("last_request_ts", np.int64),
        ("last_response_ts", np.int64),
    ],
    align=True,
)
"""What one set has left of the trade in hand, and when its last messages arrive."""


class Exchange(NamedTuple):
    """State of the exchange half."""

    book: Book
    node: np.ndarray
    line: np.ndarray
    peg: np.ndarray
    share: np.ndarray
    request: np.ndarray
    response: np.ndarray
    state: np.ndarray
    knots: np.ndarray
    instrument: np.ndarray


def make_exchange(
    *,
    book: Book,
    instrument: np.ndarray,
    state: np.ndarray,
    sets: int,
    knots: np.ndarray | None = None,
) -> Exchange:
    """Empty exchange for ``sets`` strategy sets, with the settings in ``state``.

    ``knots`` (KNOT rows) are measured latencies, in place of the constant ones in ``state``, which
    are then set to the longest.
    """
    if knots is not None and len(knots):
        state["entry_ns"] = knots["entry_ns"].max()
        state["response_ns"] = knots["response_ns"].max()
    orders = sets * int(state[0]["slots"])
    notes = max(4 * orders, 8192)
    node = np.zeros(orders + notes, NODE)
    node["next"][orders:-1] = np.arange(orders + 1, orders + notes)
    node["next"][-1] = -1
    state["orders"] = orders
    state["next_expiry"] = NEVER
    state["spare_note"] = orders
    state["mid"] = np.nan
    return Exchange(
        book=book,
        node=node,
        line=make_lines(len(node)),
        peg=np.zeros(orders, PEG),
        share=np.full(sets, -1, SHARE),
        request=np.zeros(FIRST_RING, ACTION),
        response=np.zeros(FIRST_RING, MSG),
        state=state,
        knots=np.zeros(0, KNOT) if knots is None else knots,
        instrument=instrument,
    )


def begin_tape(exchange: Exchange) -> None:
    """Let the exchange replay another tape from its first row on."""
    exchange.state[0]["row"] = 0


def grow_rings(exchange: Exchange) -> Exchange:
    """The same exchange with room for twice as many messages under way, either way."""
    state = exchange.state[0]
    head, tail = int(state["request_head"]), int(state["request_tail"])
    request = _twice(exchange.request, head, tail)
    head, tail = int(state["response_head"]), int(state["response_tail"])
    return exchange._replace(request=request, response=_twice(exchange.response, head, tail))


def _twice(ring: np.ndarray, head: int, tail: int) -> np.ndarray:
    new = np.zeros(2 * len(ring), ring.dtype)
    for i in range(head, tail):
        new[i & (len(new) - 1)] = ring[i & (len(ring) - 1)]
    return new


@inner_kernel
def requests_have_room(exchange, rows):
    """Whether ``rows`` more actions can be put on their way."""
    clock = exchange.state[0]
    return clock["request_tail"] - clock["request_head"] + rows <= exchange.request.shape[0]


@kernel
def units_of(instrument, lots):
    """Units of a number of lots, by one division: the double nearest to the decimal."""
    units = lots * instrument["lot_num"]
    den = instrument["lot_den"]
    return np.float64(units) if den == 1 else units / den


@inner_kernel
def tick_price(exchange, inst, tick):
    """Price of a tick of an instrument. [currency]"""
    return price_of_tick(exchange.instrument[inst], tick, 0.0)


@inner_kernel
def book_mid(exchange, inst):
    """Mid of a two-sided book, NaN otherwise. [currency]"""
    side = exchange.book.side[inst]
    if side["best_bid"] == NO_BID or side["best_ask"] == NO_ASK:
        return math.nan
    return 0.5 * (
        tick_price(exchange, inst, side["best_bid"]) + tick_price(exchange, inst, side["best_ask"])
    )


@inner_formula
def join_queue(exchange, n):
    """Rest an order behind all that its level displays. The level's cell must exist."""
    node = exchange.node[n]
    k = BID if node["side"] > 0 else ASK
    rest_at(
        exchange, n, find_cell(exchange.book, np.int64(node["inst"]), k, np.int64(node["tick"]))
    )


@inner_formula
def rest_at(exchange, n, cell):
    """As ``join_queue``, where the level's cell is known."""
    node = exchange.node[n]
    inst = np.int64(node["inst"])
    tick = np.int64(node["tick"])
    node["state"] = RESTING
    kind = HIDDEN if node["order_type"] == ORDER_TYPE.PEG_MID else QUEUED
    shown = np.int64(exchange.book.level[cell]["lots"])
    append_node(exchange, cell, n, kind, units_of(exchange.instrument[inst], shown))
    side = exchange.book.side[inst]
    if node["side"] > 0:
        side["own_bid_max"] = max(side["own_bid_max"], tick)
    else:
        side["own_ask_min"] = min(side["own_ask_min"], tick)
    clock = exchange.state[0]
    clock["resting"] += 1
    if node["order_type"] >= ORDER_TYPE.PEG_PRIMARY:
        clock["pegs"] += 1
    clock["next_expiry"] = min(clock["next_expiry"], node["expire_ts"])


@inner_kernel
def unrest_order(exchange, n):
    """Take an own order off its level and free its node."""
    node = exchange.node[n]
    k = BID if node["side"] > 0 else ASK
    cell = find_cell(exchange.book, np.int64(node["inst"]), k, np.int64(node["tick"]))
    remove_node(exchange, cell, n)
    node["state"] = FREE
    clock = exchange.state[0]
    clock["resting"] -= 1
    if node["order_type"] >= ORDER_TYPE.PEG_PRIMARY:
        clock["pegs"] -= 1
    if clock["resting"] == 0:
        clock["next_expiry"] = NEVER


@inner_kernel
def due_after(ts, latency, last):
    """When a message sent at ``ts`` arrives: no sooner than its set's last one."""
    return max(ts + latency, last)


@inner_kernel
def slot_for(ring, head, tail, due):
    """Slot of a message in a ring in order of arrival: behind all that arrive by then.

    Later ones of other sets move up, which happens only where a latency falls fast.
    """
    mask = ring.shape[0] - 1
    at = tail
    while at > head and ring[(at - 1) & mask]["ts"] > due:
        copy_record(ring[at & mask], ring[(at - 1) & mask])
        at -= 1
    return at & mask


@inner_formula
def respond(exchange, ts, event, order_id, owner, inst, side, tick, lots, reason):
    """Queue an order message to the local half; returns its slot in the ring."""
    clock = exchange.state[0]
    ring = exchange.response
    if rarely(clock["response_tail"] - clock["response_head"] >= ring.shape[0]):
        clock["status"] = STATUS.RING_FULL
        clock["response_head"] += 1
    latency = clock["response_ns"]
    if rarely(exchange.knots.shape[0] != 0):
        latency = response_latency(exchange.knots, ts)
    line = exchange.share[owner]
    line["last_response_ts"] = due_after(ts, latency, line["last_response_ts"])
    slot = slot_for(ring, clock["response_head"], clock["response_tail"], line["last_response_ts"])
    msg = ring[slot]
    msg["ts"] = line["last_response_ts"]
    msg["exch_ts"] = ts
    msg["seq"] = clock["response_tail"]
    msg["order_id"] = order_id
    msg["price"] = math.nan
    msg["mid"] = math.nan
    msg["subtick"] = 0.0
    msg["tick"] = tick
    msg["lots"] = lots
    msg["set"] = owner
    msg["inst"] = inst
    msg["reason"] = reason
    msg["kind"] = MSG_KIND.ORDER
    msg["event"] = event
    msg["side"] = side
    msg["liquidity"] = 0
    clock["response_tail"] += 1
    return slot


@inner_formula
def travels(kind):
    """Whether an action of this kind goes to the exchange."""
    return kind <= ACTION_KIND.CANCEL or kind == ACTION_KIND.QUERY


@kernel
def send_request(exchange, action, ts):
    """Put an action on its way to the exchange. False if too many are on their way."""
    clock = exchange.state[0]
    ring = exchange.request
    if clock["request_tail"] - clock["request_head"] >= ring.shape[0]:
        return False
    latency = clock["entry_ns"]
    if rarely(exchange.knots.shape[0] != 0):
        latency = entry_latency(exchange.knots, ts)
    line = exchange.share[action["set"]]
    line["last_request_ts"] = due_after(ts, latency, line["last_request_ts"])
    slot = slot_for(ring, clock["request_head"], clock["request_tail"], line["last_request_ts"])
    copy_record(ring[slot], action)
    ring[slot]["ts"] = line["last_request_ts"]
    clock["request_tail"] += 1
    return True
