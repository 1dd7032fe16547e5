"""Requests at the exchange: place, modify, cancel and query, with every order type and lifetime."""

from __future__ import annotations

import numpy as np

from mmquant.core.book import ASK, BID, make_cell
from mmquant.core.dtypes import (
    ACTION_KIND,
    MSG_KIND,
    NEVER,
    NO_ASK,
    NO_BID,
    ORDER_EVENT,
    ORDER_TYPE,
    REASON,
    SESSION,
    STATUS,
    TIME_IN_FORCE,
)
from mmquant.core.exchange import book_mid, join_queue, respond, rest_at, unrest_order
from mmquant.core.jit import inner_apart_kernel, inner_formula, inner_kernel, rare_kernel
from mmquant.core.level_queue import FREE, RESTING
from mmquant.core.matching import (
    TAKER,
    best_against,
    execute,
    expiry_reason,
    reaches,
    shown_within,
    take,
    terms_tick,
)
from mmquant.core.pegging import NO_PRICE, is_peg, move_peg, peg_price, peg_tick

PLACE = ACTION_KIND.PLACE
MODIFY = ACTION_KIND.MODIFY
CANCEL = ACTION_KIND.CANCEL
QUERY = ACTION_KIND.QUERY
MARKET = ORDER_TYPE.MARKET
POST_ONLY = ORDER_TYPE.POST_ONLY
DAY = TIME_IN_FORCE.DAY
GTD = TIME_IN_FORCE.GTD
IOC = TIME_IN_FORCE.IOC
FOK = TIME_IN_FORCE.FOK
CONFIRM = ORDER_EVENT.CONFIRM
REJECT = ORDER_EVENT.REJECT
EXPIRE = ORDER_EVENT.EXPIRE
CANCEL_ACK = ORDER_EVENT.CANCEL_ACK
CANCEL_REJECT = ORDER_EVENT.CANCEL_REJECT
MODIFY_REJECT = ORDER_EVENT.MODIFY_REJECT
FOUND_OPEN = ORDER_EVENT.FOUND_OPEN
FOUND_CLOSED = ORDER_EVENT.FOUND_CLOSED
NOT_FOUND = ORDER_EVENT.NOT_FOUND


@inner_kernel
def node_of(exchange, owner, order_id):
    """Node of a set's order: the order id carries its slot."""
    slots = exchange.state[0]["slots"]
    return owner * slots + (order_id & (slots - 1))


@inner_formula
def answer(exchange, ts, event, n, lots, reason):
    """Report on an own order."""
    node = exchange.node[n]
    respond(
        exchange,
        ts,
        event,
        node["order_id"],
        node["set"],
        node["inst"],
        node["side"],
        terms_tick(exchange, n),
        lots,
        reason,
    )


@inner_kernel
def expiry_of(exchange, tif, expire_ts):
    """Time at which an order of this lifetime ends by itself."""
    if tif == DAY:
        return exchange.state[0]["day_end"]
    if tif == GTD:
        return expire_ts
    return np.int64(NEVER)


@inner_kernel
def take_on_arrival(exchange, ts, n, limit, tif):
    """Fill what an arriving order can take. Returns a Reason if it may not trade at all."""
    node = exchange.node[n]
    inst = np.int64(node["inst"])
    side = np.int64(node["side"])
    owner = np.int64(node["set"])
    exchange.state[0]["mid"] = book_mid(exchange, inst)
    if exchange.state[0]["peer_fills"] != 0:
        best = best_against(exchange.book, inst, side)
        execute(exchange, ts, n, np.int64(node["leaves"]), best, TAKER)
        return REASON.NONE
    if tif == FOK and shown_within(exchange, owner, inst, side, limit) < node["leaves"]:
        return REASON.NOT_ALL_AVAILABLE
    take(exchange, ts, n, limit, False)
    return REASON.NONE


@rare_kernel
def end_new(exchange, ts, event, n, reason):
    """Answer a new order that does not rest, or no longer."""
    answer(exchange, ts, event, n, np.int64(exchange.node[n]["leaves"]), reason)


@inner_kernel
def place(exchange, ts, action):
    """A new order arrives. Returns a Status."""
    owner = np.int64(action["set"])
    inst = np.int64(action["inst"])
    side = np.int64(action["side"])
    n = node_of(exchange, owner, action["order_id"])
    node = exchange.node[n]
    if node["state"] == RESTING:
        refuse(exchange, ts, REJECT, action, REASON.DUPLICATE_ORDER)
        return STATUS.OK
    tif = np.int64(action["tif"])
    kind = np.int64(action["order_type"])
    k = BID if side > 0 else ASK
    cell = np.int64(0)
    if kind != MARKET and not is_peg(kind):
        cell = make_cell(exchange.book, inst, k, np.int64(action["tick"]))
    if cell < 0:
        return STATUS.BOOK_FULL
    node["order_id"] = action["order_id"]
    node["expire_ts"] = expiry_of(exchange, tif, action["expire_ts"])
    node["tick"] = action["tick"]
    node["lots"] = action["lots"]
    node["leaves"] = action["lots"]
    node["set"] = owner
    node["inst"] = inst
    node["side"] = side
    node["order_type"] = kind
    node["state"] = FREE
    if is_peg(kind):
        return place_peg(exchange, ts, action, n)
    limit = np.int64(action["tick"])
    if kind == MARKET:
        limit = np.int64(NO_ASK) - 1 if side > 0 else np.int64(NO_BID) + 1
    reason = REASON.NO_LIQUIDITY
    if node["expire_ts"] <= ts:
        end_new(exchange, ts, EXPIRE, n, expiry_reason(exchange, node["expire_ts"]))
        return STATUS.OK
    if reaches(side, limit, best_against(exchange.book, inst, side)):
        if exchange.book.side[inst]["halted"] != 0:
            end_new(exchange, ts, REJECT, n, REASON.EXCHANGE_HALTED)
            return STATUS.OK
        if kind == POST_ONLY:
            end_new(exchange, ts, REJECT, n, REASON.POST_ONLY_WOULD_TAKE)
            return STATUS.OK
        refused = take_on_arrival(exchange, ts, n, limit, tif)
        if refused != REASON.NONE:
            reason = refused
    elif tif == FOK:
        reason = REASON.NOT_ALL_AVAILABLE
    if node["leaves"] == 0:
        return STATUS.OK
    if kind == MARKET or tif == IOC or tif == FOK:
        end_new(exchange, ts, EXPIRE, n, reason)
        return STATUS.OK
    rest_at(exchange, n, cell)
    answer(exchange, ts, CONFIRM, n, np.int64(node["lots"]), REASON.NONE)
    return STATUS.OK


@rare_kernel
def place_peg(exchange, ts, action, n):
    """A new peg arrives: it rests where the book puts it, or is refused without a book."""
    node = exchange.node[n]
    peg = exchange.peg[n]
    peg["cap"] = action["tick"]
    peg["offset"] = action["offset"]
    leaves = np.int64(node["leaves"])
    if node["expire_ts"] <= ts:
        answer(exchange, ts, EXPIRE, n, leaves, expiry_reason(exchange, node["expire_ts"]))
        return STATUS.OK
    price = peg_price(exchange, n)
    if price == NO_PRICE:
        answer(exchange, ts, REJECT, n, leaves, REASON.NO_LIQUIDITY)
        return STATUS.OK
    if action["tif"] == IOC or action["tif"] == FOK:
        answer(exchange, ts, EXPIRE, n, leaves, REASON.NO_LIQUIDITY)
        return STATUS.OK
    side = np.int64(node["side"])
    tick = peg_tick(side, price)
    if make_cell(exchange.book, np.int64(node["inst"]), BID if side > 0 else ASK, tick) < 0:
        return STATUS.BOOK_FULL
    node["tick"] = tick
    peg["between"] = price & 1
    join_queue(exchange, n)
    answer(exchange, ts, CONFIRM, n, np.int64(node["lots"]), REASON.NONE)
    return STATUS.OK


@rare_kernel
def modify_peg(exchange, ts, action, n, leaves):
    """A resting peg gets a new cap and size. Less under the same cap keeps the queue."""
    node = exchange.node[n]
    peg = exchange.peg[n]
    old = np.int64(peg["cap"])
    peg["cap"] = action["tick"]
    if not move_peg(exchange, n):
        peg["cap"] = old
        return STATUS.BOOK_FULL
    more = leaves > node["leaves"]
    node["lots"] = action["lots"]
    node["leaves"] = leaves
    if more:
        unrest_order(exchange, n)
        join_queue(exchange, n)
    answer(exchange, ts, CONFIRM, n, np.int64(node["lots"]), REASON.NONE)
    return STATUS.OK


@inner_formula
def cancel(exchange, ts, action):
    """A cancel arrives. Returns a Status."""
    n = node_of(exchange, np.int64(action["set"]), action["order_id"])
    node = exchange.node[n]
    if node["state"] != RESTING or node["order_id"] != action["order_id"]:
        refuse(exchange, ts, CANCEL_REJECT, action, REASON.UNKNOWN_ORDER)
        return STATUS.OK
    leaves = np.int64(node["leaves"])
    unrest_order(exchange, n)
    answer(exchange, ts, CANCEL_ACK, n, leaves, REASON.NONE)
    return STATUS.OK


@rare_kernel
def refuse(exchange, ts, event, action, reason):
    """Refuse a request, in its own words."""
    respond(
        exchange,
        ts,
        event,
        action["order_id"],
        action["set"],
        action["inst"],
        action["side"],
        action["tick"],
        action["lots"],
        reason,
    )


@inner_apart_kernel
def modify(exchange, ts, action):
    """A modify arrives: new total quantity and price. Less at the same price keeps the queue."""
    n = node_of(exchange, np.int64(action["set"]), action["order_id"])
    node = exchange.node[n]
    if node["state"] != RESTING or node["order_id"] != action["order_id"]:
        refuse(exchange, ts, MODIFY_REJECT, action, REASON.UNKNOWN_ORDER)
        return STATUS.OK
    filled = np.int64(node["lots"]) - np.int64(node["leaves"])
    leaves = np.int64(action["lots"]) - filled
    if leaves <= 0:
        return cancel(exchange, ts, action)
    inst = np.int64(node["inst"])
    side = np.int64(node["side"])
    tick = np.int64(action["tick"])
    if is_peg(node["order_type"]):
        return modify_peg(exchange, ts, action, n, leaves)
    if tick == node["tick"] and leaves <= node["leaves"]:
        node["lots"] = action["lots"]
        node["leaves"] = leaves
        answer(exchange, ts, CONFIRM, n, np.int64(node["lots"]), REASON.NONE)
        return STATUS.OK
    if make_cell(exchange.book, inst, BID if side > 0 else ASK, tick) < 0:
        return STATUS.BOOK_FULL
    takes = reaches(side, tick, best_against(exchange.book, inst, side))
    halted = exchange.book.side[inst]["halted"] != 0
    if takes and (halted or node["order_type"] == POST_ONLY):
        why = REASON.EXCHANGE_HALTED if halted else REASON.POST_ONLY_WOULD_TAKE
        answer(exchange, ts, MODIFY_REJECT, n, np.int64(node["lots"]), why)
        return STATUS.OK
    unrest_order(exchange, n)
    node["tick"] = tick
    node["lots"] = action["lots"]
    node["leaves"] = leaves
    answer(exchange, ts, CONFIRM, n, np.int64(node["lots"]), REASON.NONE)
    if takes:
        take_on_arrival(exchange, ts, n, tick, np.int64(0))
    if node["leaves"] > 0:
        join_queue(exchange, n)
    return STATUS.OK


@rare_kernel
def query(exchange, ts, action):
    """A question arrives: after one order, or (id 0) after all of a set that rest.

    The answer to the latter ends with RESYNCED. Executions are not told again: an exchange without
    faults told them before.
    """
    owner = np.int64(action["set"])
    if action["order_id"] == 0:
        slots = exchange.state[0]["slots"]
        for n in range(owner * slots, (owner + 1) * slots):
            if exchange.node[n]["state"] == RESTING:
                answer(exchange, ts, FOUND_OPEN, n, np.int64(exchange.node[n]["lots"]), REASON.NONE)
        slot = respond(exchange, ts, 0, 0, owner, -1, 0, 0, 0, SESSION.RESYNCED)
        exchange.response[slot]["kind"] = MSG_KIND.SESSION
        return
    n = node_of(exchange, owner, action["order_id"])
    node = exchange.node[n]
    if node["order_id"] != action["order_id"]:
        refuse(exchange, ts, NOT_FOUND, action, REASON.UNKNOWN_ORDER)
        return
    event = FOUND_OPEN if node["state"] == RESTING else FOUND_CLOSED
    answer(exchange, ts, event, n, np.int64(node["lots"]), REASON.NONE)


@inner_kernel
def exchange_request(exchange, ts, action):
    """Handle one arriving request. Returns a Status."""
    kind = action["kind"]
    if kind == PLACE:
        return place(exchange, ts, action)
    if kind == MODIFY:
        return modify(exchange, ts, action)
    if kind == CANCEL:
        return cancel(exchange, ts, action)
    if kind == QUERY:
        query(exchange, ts, action)
    return STATUS.OK
