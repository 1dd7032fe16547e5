"""Fills of own orders: by trades, by rows that cross them, and by taking displayed size.

Two rules of filling. ``partial`` (the default): a passive order takes at most what was traded
beyond the queue ahead of it, own orders of a set share one trade by price and time, and displayed
size is taken once until its level's next row. ``peer``: an order fills whole or not at all, as in
hftbacktest's NoPartialFill exchange, which lets one trade fill any number of own orders.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.book import (
    ASK,
    BID,
    clear_row,
    find_cell,
    lots_at,
    make_cell,
    next_ask,
    next_bid,
    note_trade,
    set_cell,
)
from mmquant.core.dtypes import (
    NEVER,
    NO_ASK,
    NO_BID,
    ORDER_EVENT,
    ORDER_TYPE,
    REASON,
    ROW_KIND,
    STATUS,
)
from mmquant.core.exchange import book_mid, respond, tick_price, units_of, unrest_order
from mmquant.core.jit import inner_apart_kernel, inner_formula, inner_kernel, rare_kernel
from mmquant.core.level_queue import (
    HIDDEN,
    NOTES,
    RESTING,
    TAKEN,
    add_line,
    add_node,
    free_notes,
    new_line,
    notes_of,
    split_line,
)
from mmquant.core.queue_position import front_after_depth, lots_reached

EXECUTION = ORDER_EVENT.EXECUTION
EXPIRE = ORDER_EVENT.EXPIRE
PEG_MID = ORDER_TYPE.PEG_MID
DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
CLEAR = ROW_KIND.CLEAR
SNAPSHOT = ROW_KIND.SNAPSHOT
STATUS_ROW = ROW_KIND.STATUS
NEAR_TICKS = 1024
"""Levels looked at one by one before own orders are searched instead."""
MAKER = 1
TAKER = -1


@inner_kernel
def execute(exchange, ts, n, lots, tick, liquidity):
    """Fill ``lots`` of an own order at a tick's price and report it."""
    node = exchange.node[n]
    inst = np.int64(node["inst"])
    slot = respond(
        exchange, ts, EXECUTION, node["order_id"], node["set"], inst, node["side"], tick, lots, 0
    )
    msg = exchange.response[slot]
    msg["price"] = tick_price(exchange, inst, tick)
    if node["order_type"] == PEG_MID and liquidity == MAKER and exchange.peg[n]["between"] != 0:
        better = tick_price(exchange, inst, tick + np.int64(node["side"]))
        msg["price"] = 0.5 * (msg["price"] + better)
    msg["mid"] = exchange.state[0]["mid"]
    msg["liquidity"] = liquidity
    node["leaves"] -= lots
    if node["leaves"] == 0 and node["state"] == RESTING:
        unrest_order(exchange, n)


@inner_kernel
def taken_note(exchange, cell, owner):
    """Node that notes what a set has taken of a level, or -1."""
    at = notes_of(exchange, cell)
    n = np.int64(exchange.line[at]["first"]) if at >= 0 else np.int64(-1)
    while n >= 0 and exchange.node[n]["set"] != owner:
        n = np.int64(exchange.node[n]["next"])
    return n


@inner_kernel
def new_note(exchange, cell, owner):
    """Node that notes from now on what a set takes of a level, or -1 if there is none left."""
    clock = exchange.state[0]
    n = clock["spare_note"]
    if n < 0:
        clock["status"] = STATUS.NODES_FULL
        return n
    node = exchange.node[n]
    clock["spare_note"] = node["next"]
    node["state"] = TAKEN
    node["set"] = owner
    node["leaves"] = 0
    at = notes_of(exchange, cell)
    if at < 0:
        at = new_line(exchange, NOTES, 0.0, 0.0)
        add_line(exchange, cell, at)
    add_node(exchange, at, n)
    return n


@inner_kernel
def take_level(exchange, owner, inst, k, tick, want):
    """Take up to ``want`` of what a level still shows to this set. Returns the lots taken."""
    cell = find_cell(exchange.book, inst, k, tick)
    if cell < 0:
        return 0
    note = taken_note(exchange, cell, owner)
    shown = np.int64(exchange.book.level[cell]["lots"])
    left = shown - (np.int64(exchange.node[note]["leaves"]) if note >= 0 else 0)
    lots = min(want, left)
    if lots <= 0:
        return 0
    if note < 0:
        note = new_note(exchange, cell, owner)
        if note < 0:
            return 0
    exchange.node[note]["leaves"] += lots
    return lots


@inner_kernel
def shown_within(exchange, owner, inst, side, limit):
    """Lots that a set's order of ``side`` could take at ``limit`` or better."""
    book = exchange.book
    total = 0
    tick = best_against(book, inst, side)
    while reaches(side, limit, tick):
        k = ASK if side > 0 else BID
        cell = find_cell(book, inst, k, tick)
        note = taken_note(exchange, cell, owner)
        total += lots_at(book, inst, k, tick)
        if note >= 0:
            total -= np.int64(exchange.node[note]["leaves"])
        tick = next_ask(book, inst, tick) if side > 0 else next_bid(book, inst, tick)
    return total


@inner_kernel
def best_against(book, inst, side):
    """Best tick of the side that an order of ``side`` takes from; NO_ASK or NO_BID if empty."""
    return book.side[inst]["best_ask"] if side > 0 else book.side[inst]["best_bid"]


@inner_kernel
def reaches(side, limit, tick):
    """Whether an order of ``side`` with a limit trades against displayed size at ``tick``."""
    if side > 0:
        return tick != NO_ASK and tick <= limit
    return tick != NO_BID and tick >= limit


@inner_kernel
def take(exchange, ts, n, limit, at_own_price):
    """Fill an order from displayed size up to a limit, best level first.

    A taker pays each level's price; a resting order that the book moves through gets its own.
    """
    node = exchange.node[n]
    inst = np.int64(node["inst"])
    side = np.int64(node["side"])
    owner = np.int64(node["set"])
    own = np.int64(node["tick"])
    book = exchange.book
    tick = best_against(book, inst, side)
    while reaches(side, limit, tick) and node["leaves"] > 0:
        k = ASK if side > 0 else BID
        lots = take_level(exchange, owner, inst, k, tick, np.int64(node["leaves"]))
        if lots > 0:
            if at_own_price:
                execute(exchange, ts, n, lots, own, MAKER)
            else:
                execute(exchange, ts, n, lots, tick, TAKER)
        tick = next_ask(book, inst, tick) if side > 0 else next_bid(book, inst, tick)


@inner_formula
def move_queues(exchange, inst, cell, head, before, after):
    """Move the queues of own orders at a level, and forget what was taken of it."""
    what = exchange.instrument[inst]
    param = exchange.state[0]
    shown_before = units_of(what, before)
    shown_after = units_of(what, after)
    at = head
    while at >= 0:
        line = exchange.line[at]
        following = np.int64(line["next"])
        if line["kind"] == NOTES:
            free_notes(exchange, cell, at)
        elif after > before and line["traded"] == 0.0:
            # What every model says of a level that grew, told from lots: quotients come too late.
            line["front"] = min(line["front"], shown_after)
        else:
            line["front"] = front_after_depth(
                param["queue_model"],
                param["queue_power"],
                line["front"],
                shown_before,
                shown_after,
                line["traded"],
            )
            line["traded"] = 0.0
        at = following


@inner_apart_kernel
def after_level_row(exchange, inst, cell, head, before, after):
    """As ``move_queues``, for rows that come one by one."""
    move_queues(exchange, inst, cell, head, before, after)


@inner_formula
def own_level_row(exchange, inst, cell, lots):
    """Apply a row that is plain but for own orders at its level."""
    level = exchange.book.level[cell]
    head, before = np.int64(level["head"]) - 1, np.int64(level["lots"])
    level["lots"] = lots
    move_queues(exchange, inst, cell, head, before, lots)


@inner_kernel
def cross_level(exchange, ts, inst, k, tick):
    """Fill own orders of side ``k`` at a tick that the other side's row has reached."""
    cell = find_cell(exchange.book, inst, k, tick)
    if cell < 0:
        return
    at = np.int64(exchange.book.level[cell]["head"]) - 1
    while at >= 0:
        later = np.int64(exchange.line[at]["next"])
        n = np.int64(exchange.line[at]["first"])
        while n >= 0:
            node = exchange.node[n]
            following = np.int64(node["next"])
            if node["state"] == RESTING:
                if exchange.state[0]["peer_fills"] != 0:
                    execute(exchange, ts, n, np.int64(node["leaves"]), tick, MAKER)
                else:
                    take(exchange, ts, n, tick, True)
            n = following
        at = later


@inner_kernel
def left_of_trade(exchange, owner, lots):
    """Lots of the trade in hand that a set was not filled yet."""
    clock = exchange.state[0]
    if clock["peer_fills"] != 0:
        return lots
    share = exchange.share[owner]
    if share["trade"] != clock["trades"]:
        share["trade"] = clock["trades"]
        share["lots"] = lots
    return share["lots"]


@inner_kernel
def fill_by_trade(exchange, ts, n, lots, tick):
    """Fill an own order by the trade in hand."""
    clock = exchange.state[0]
    exchange.share[exchange.node[n]["set"]]["lots"] -= lots
    clock["shared_out"] = clock["trades"]
    execute(exchange, ts, n, lots, tick, MAKER)


@inner_kernel
def trade_through(exchange, ts, at, tick, lots, hidden):
    """Let a trade beyond their price fill the orders of a line; with ``hidden``, those between."""
    peer = exchange.state[0]["peer_fills"] != 0
    n = np.int64(exchange.line[at]["first"])
    while n >= 0:
        node = exchange.node[n]
        following = np.int64(node["next"])
        if not hidden or exchange.peg[n]["between"] != 0:
            leaves = np.int64(node["leaves"])
            left = left_of_trade(exchange, np.int64(node["set"]), lots)
            fill = leaves if peer else min(leaves, left)
            if fill > 0:
                fill_by_trade(exchange, ts, n, fill, tick)
        n = following


@inner_kernel
def trade_line(exchange, ts, inst, cell, at, tick, lots):
    """Let a trade at their price reach the orders of a line.

    Where one of them is left less of the trade, as its set was filled before, it and all behind it
    get a line of their own, which is returned; else -1.
    """
    what = exchange.instrument[inst]
    clock = exchange.state[0]
    peer = clock["peer_fills"] != 0
    line = exchange.line[at]
    n = np.int64(line["first"])
    front, traded = line["front"], line["traded"]
    left = left_of_trade(exchange, np.int64(exchange.node[n]["set"]), lots)
    line["front"] -= units_of(what, left)
    line["traded"] += units_of(what, lots)
    reached = lots_reached(line["front"], what["lot_num"] / what["lot_den"])
    if reached > 0:
        line["front"] = 0.0
    elif peer or clock["shared_out"] != clock["trades"]:
        return np.int64(-1)
    while n >= 0:
        node = exchange.node[n]
        following = np.int64(node["next"])
        if left_of_trade(exchange, np.int64(node["set"]), lots) != left:
            return split_line(exchange, cell, at, n, front, traded)
        if reached > 0:
            leaves = np.int64(node["leaves"])
            fill = leaves if peer else min(leaves, min(reached, left))
            if fill > 0:
                fill_by_trade(exchange, ts, n, fill, tick)
        n = following
    return np.int64(-1)


@inner_kernel
def trade_level(exchange, ts, inst, k, tick, through, lots):
    """Let a trade of ``lots`` reach own orders of side ``k`` at a tick."""
    cell = find_cell(exchange.book, inst, k, tick)
    if cell < 0:
        return
    at = np.int64(exchange.book.level[cell]["head"]) - 1
    while at >= 0:
        line = exchange.line[at]
        later = np.int64(line["next"])
        kind = np.int64(line["kind"])
        if kind != NOTES:
            if through or kind == HIDDEN:
                trade_through(exchange, ts, at, tick, lots, not through)
            else:
                split = trade_line(exchange, ts, inst, cell, at, tick, lots)
                later = split if split >= 0 else later
        at = later


@inner_kernel
def has_resting(exchange, inst, k, tick):
    """Whether an own order rests at a level."""
    cell = find_cell(exchange.book, inst, k, tick)
    if cell < 0:
        return False
    at = np.int64(exchange.book.level[cell]["head"]) - 1
    while at >= 0:
        if exchange.line[at]["kind"] != NOTES:
            return True
        at = np.int64(exchange.line[at]["next"])
    return False


@rare_kernel
def search_own(exchange, inst, k, at, last):
    """As ``next_own``, by a look at all own orders."""
    step = 1 if k == ASK else -1
    found = last + step
    side = 1 if k == BID else -1
    orders = exchange.state[0]["orders"]
    for n in range(orders):
        node = exchange.node[n]
        if node["state"] == RESTING and node["inst"] == inst and node["side"] == side:
            tick = np.int64(node["tick"])
            if (tick - at) * step >= 0 and (found - tick) * step > 0:
                found = tick
    return found


@inner_kernel
def next_own(exchange, inst, k, at, last):
    """First tick from ``at`` to ``last``, away from the touch, where an own order rests.

    One tick past ``last`` if there is none.
    """
    step = 1 if k == ASK else -1
    for _ in range(NEAR_TICKS):
        if (last - at) * step < 0 or has_resting(exchange, inst, k, at):
            return at
        at += step
    return search_own(exchange, inst, k, at, last)


@inner_kernel
def own_bound(exchange, inst, k):
    """Best tick at which an own order of side ``k`` may rest."""
    state = exchange.book.side[inst]
    return state["own_ask_min"] if k == ASK else state["own_bid_max"]


@inner_kernel
def tighten_bound(exchange, inst, k, reach):
    """Move the bound on own orders past levels that hold none, up to ``reach``."""
    side = exchange.book.side[inst]
    if k == ASK:
        side["own_ask_min"] = next_own(exchange, inst, k, side["own_ask_min"], reach)
    else:
        side["own_bid_max"] = next_own(exchange, inst, k, side["own_bid_max"], reach)
    if exchange.state[0]["resting"] == 0:
        side["own_ask_min"] = NO_ASK
        side["own_bid_max"] = NO_BID


@inner_kernel
def depth_row(exchange, ts, inst, side, tick, lots):
    """Apply a depth row: level, queues at it, then own orders it crosses.

    False if the far map must grow first; nothing has changed then.
    """
    book = exchange.book
    k = BID if side > 0 else ASK
    cell = make_cell(book, inst, k, tick)
    if cell < 0:
        return False
    head = np.int64(book.level[cell]["head"]) - 1
    before = np.int64(book.level[cell]["lots"])
    against = ASK if k == BID else BID
    bound = own_bound(exchange, inst, against)
    crossing = lots > 0 and (bound <= tick if k == BID else bound >= tick)
    if crossing:
        exchange.state[0]["mid"] = book_mid(exchange, inst)
    set_cell(book, inst, k, tick, cell, lots)
    if head >= 0:
        # A new best price may have moved the window, and the level's cell with it.
        cell = find_cell(book, inst, k, tick)
        after_level_row(exchange, inst, cell, head, before, lots)
    if crossing:
        step = 1 if against == ASK else -1
        at = next_own(exchange, inst, against, bound, tick)
        while (tick - at) * step >= 0:
            cross_level(exchange, ts, inst, against, at)
            at = next_own(exchange, inst, against, at + step, tick)
        tighten_bound(exchange, inst, against, tick)
    return True


@inner_kernel
def trade_row(exchange, ts, inst, side, tick, subtick, lots):
    """Apply a trade: remember it, then let it reach own orders of the passive side."""
    note_trade(exchange.book, inst, ts, side, tick, subtick, lots)
    if side == 0:
        return
    k = ASK if side > 0 else BID
    last = tick + 1 if side < 0 and subtick > 0.0 else tick
    bound = own_bound(exchange, inst, k)
    if bound > last if k == ASK else bound < last:
        return
    step = 1 if k == ASK else -1
    clock = exchange.state[0]
    clock["trades"] += 1
    clock["mid"] = book_mid(exchange, inst)
    at = next_own(exchange, inst, k, bound, last)
    while (last - at) * step >= 0:
        trade_level(exchange, ts, inst, k, at, at != tick or subtick > 0.0, lots)
        at = next_own(exchange, inst, k, at + step, last)
    tighten_bound(exchange, inst, k, last)


@inner_kernel
def exchange_row(exchange, ts, inst, kind, side, tick, subtick, lots):
    """Apply one tape row to the exchange, which knows of no unsound ones. Returns a Status."""
    if kind == DEPTH or kind == SNAPSHOT:
        if not depth_row(exchange, ts, inst, side, tick, lots):
            return STATUS.BOOK_FULL
    elif kind == TRADE:
        trade_row(exchange, ts, inst, side, tick, subtick, lots)
    elif kind == CLEAR:
        clear_row(exchange.book, inst, side, tick, exchange.state[0]["peer_fills"] != 0)
    elif kind == STATUS_ROW:
        exchange.book.side[inst]["halted"] = lots
    elif kind >= 0:
        return STATUS.BAD_ROW
    return STATUS.OK


@inner_kernel
def terms_tick(exchange, n):
    """Tick that an order was sent with: its limit, or the cap of a peg."""
    node = exchange.node[n]
    if node["order_type"] >= ORDER_TYPE.PEG_PRIMARY:
        return np.int64(exchange.peg[n]["cap"])
    return np.int64(node["tick"])


@inner_kernel
def expiry_reason(exchange, expire_ts):
    """Why an order ends at its time."""
    if expire_ts == exchange.state[0]["day_end"]:
        return REASON.SESSION_END
    return REASON.LIFETIME


@rare_kernel
def expire_due(exchange, ts):
    """Expire all resting orders whose time has come."""
    clock = exchange.state[0]
    orders = exchange.state[0]["orders"]
    soonest = np.int64(NEVER)
    for n in range(orders):
        node = exchange.node[n]
        if node["state"] == RESTING:
            if node["expire_ts"] <= ts:
                reason = expiry_reason(exchange, node["expire_ts"])
                respond(
                    exchange,
                    node["expire_ts"],
                    EXPIRE,
                    node["order_id"],
                    node["set"],
                    node["inst"],
                    node["side"],
                    terms_tick(exchange, n),
                    node["leaves"],
                    reason,
                )
                unrest_order(exchange, n)
            else:
                soonest = min(soonest, node["expire_ts"])
    clock["next_expiry"] = soonest
