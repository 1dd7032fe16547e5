"""A decision: what the strategy wants, what risk allows, and what must change to get there."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import (
    ORDER_STATE,
    PURPOSE,
    REASON,
    REQUOTE,
    STATUS,
)
from mmquant.core.jit import inner_kernel
from mmquant.core.local import CANARY_ROWS, fail
from mmquant.core.order_actions import cancel_order, modify_order, place_order, pull_all
from mmquant.core.risk import HOLD, instrument_reason, loss_reason, room_lots
from mmquant.core.views import hand_view, own_view
from mmquant.core.wanted_quotes import (
    at_place,
    blank_quotes,
    canary_alive,
    drop_bad_quotes,
    right_size,
)

WORKING = ORDER_STATE.WORKING


@inner_kernel
def keep_wanted(local, owner, wanted):
    """Mark the live orders that rest where a quote is wanted, and the quotes they serve.

    Orders that are no quotes stay. A quote counts whatever its state: one that is on its way, or
    being cancelled, keeps its place. One of a right size serves all quotes of its place, which
    count as one.
    """
    for q in range(wanted):
        local.quote[q]["served"] = 0
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        order["keep"] = 0
        if order["purpose"] != PURPOSE.QUOTE:
            order["keep"] = 0 if order["purpose"] == PURPOSE.UNWANTED else 1
            continue
        for q in range(wanted):
            quote = local.quote[q]
            if at_place(order, quote) and right_size(local, owner, order, quote):
                order["keep"] = 1
                break
        if order["keep"] == 0:
            continue
        for q in range(wanted):
            if at_place(order, local.quote[q]):
                local.quote[q]["served"] = 1


@inner_kernel
def move_target(local, order, wanted):
    """First quote that nothing serves yet and an order can be moved to, or -1."""
    for q in range(wanted):
        quote = local.quote[q]
        if (
            quote["served"] == 0
            and quote["inst"] == order["inst"]
            and quote["side"] == order["side"]
            and quote["order_type"] == order["order_type"]
        ):
            return q
    return -1


@inner_kernel
def change_unwanted(local, owner, ts, wanted, actions, n):
    """Cancel, or move to a quote that nothing serves yet, each working order not wanted."""
    param = local.set[owner]
    for i in range(param["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        room = room_lots(local, owner, np.int64(order["inst"]), np.int64(order["side"]))
        if (order["keep"] != 0 and room >= 0) or order["state"] != WORKING:
            continue
        if local.views[order["inst"]]["blocked"] == HOLD:
            continue
        target = -1
        mine = order["purpose"] == PURPOSE.QUOTE
        if param["requote"] == REQUOTE.MODIFY and room >= 0 and mine:
            target = move_target(local, order, wanted)
        if target >= 0:
            quote = local.quote[target]
            quote["served"] = 1
            most = np.int64(order["lots"]) - np.int64(order["filled"]) + room
            leaves = min(np.int64(quote["lots"]), min(param["max_order_lots"], most))
            n = modify_order(local, owner, ts, slot, quote, leaves, actions, n)
        else:
            view = local.views[order["inst"]]
            why = view["why_no_bid"] if order["side"] > 0 else view["why_no_ask"]
            reason = REASON.PULL_LIMIT if room < 0 else np.int64(why)
            if reason == 0:
                reason = REASON.NOT_WANTED
            n = cancel_order(local, owner, ts, slot, reason, actions, n)
    return n


@inner_kernel
def place_missing(local, owner, ts, wanted, actions, n):
    """Place each wanted quote that no order serves, as far as the limits allow."""
    param = local.set[owner]
    for q in range(wanted):
        quote = local.quote[q]
        if local.quote[q]["served"] != 0:
            continue
        inst = np.int64(quote["inst"])
        room = room_lots(local, owner, inst, np.int64(quote["side"]))
        lots = min(np.int64(quote["lots"]), min(param["max_order_lots"], room))
        if lots <= 0:
            local.set[owner]["denied"] += 1
            continue
        n = place_order(local, owner, ts, quote, lots, actions, n)
        for other in range(q + 1, wanted):
            twin = local.quote[other]
            if (
                twin["inst"] == quote["inst"]
                and twin["side"] == quote["side"]
                and twin["tick"] == quote["tick"]
            ):
                twin["served"] = 1
    return n


@inner_kernel
def decide(local, owner, ts, quote, actions):
    """Take one decision for a set: fills ``actions`` and returns how many."""
    state = local.set[owner]
    state["decisions"] += 1
    if state["blocked"] == 0:
        reason = loss_reason(local, owner)
        if reason == REASON.PULL_LOSS:
            state["blocked"] = reason
    else:
        reason = state["blocked"]
    count = local.instrument.shape[0]
    hand_view(local, owner, ts)
    usable = 0
    for inst in range(count):
        local.views[inst]["blocked"] = instrument_reason(local, owner, inst, ts)
        if local.views[inst]["blocked"] == 0:
            usable += 1
    if reason != 0:
        return pull_all(local, owner, ts, -1, reason, actions, 0)
    n = 0
    for inst in range(count):
        if local.views[inst]["blocked"] > 0:
            n = pull_all(local, owner, ts, inst, np.int64(local.views[inst]["blocked"]), actions, n)
    if usable == 0:
        return n
    own_view(local, owner, ts)
    blank_quotes(local, owner, ts)
    wanted = quote(local.views, local.strategy_param[owner], local.memory[owner], local.quote)
    if wanted > (local.quote.shape[0] - CANARY_ROWS) or not canary_alive(local):
        fail(local, owner, STATUS.QUOTES_OVERRUN)
        return pull_all(local, owner, ts, -1, REASON.BAD_QUOTE, actions, n)
    if wanted < 0:
        return pull_all(local, owner, ts, -1, REASON.PULL_STRATEGY, actions, n)
    n = drop_bad_quotes(local, owner, ts, wanted, actions, n)
    keep_wanted(local, owner, wanted)
    for q in range(wanted):
        if local.quote[q]["side"] == 0:
            local.quote[q]["served"] = 1
    n = change_unwanted(local, owner, ts, wanted, actions, n)
    return place_missing(local, owner, ts, wanted, actions, n)
