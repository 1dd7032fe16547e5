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
from mmquant.core.guard import guard_decide, shape_quotes
from mmquant.core.hedging import hedge_and_flatten
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, rare_kernel
from mmquant.core.local import CANARY_ROWS, fail
from mmquant.core.option_side import drop_other_sides
from mmquant.core.order_actions import cancel_order, modify_order, place_order, pull_all
from mmquant.core.order_checks import NONE, order_reason, refuse_order
from mmquant.core.overdue import chase_overdue
from mmquant.core.quotas import quota_reason
from mmquant.core.risk import HOLD, instrument_reason, loss_reason, room_lots, room_reason
from mmquant.core.trouble import line_reason, link_reason
from mmquant.core.views import hand_view, own_view
from mmquant.core.wanted_quotes import (
    at_place,
    blank_quotes,
    canary_alive,
    drop_bad_quotes,
    is_immediate,
    right_size,
)

WORKING = ORDER_STATE.WORKING
NO_TARGET = -1


@inner_formula
def span_of(inst, side):
    """Row of ``local.span`` of a side of an instrument."""
    return 2 * np.int64(inst) + (1 if side > 0 else 0)


@inner_formula
def first_quote(local, inst, side):
    """First row that a wanted quote of a side can have."""
    return local.span[span_of(inst, side), 0] if local.span.shape[0] != 0 else 0


@inner_formula
def end_quote(local, inst, side, wanted):
    """Row after the last that a wanted quote of a side can have."""
    return local.span[span_of(inst, side), 1] if local.span.shape[0] != 0 else wanted


@inner_kernel
def note_spans(local, wanted):
    """Note for each side of each instrument the first of its wanted quotes and the row after the
    last, so that an order is held against its own side's only. Not done for one instrument."""
    span = local.span
    for i in range(span.shape[0]):
        span[i, 0] = wanted
        span[i, 1] = 0
    if span.shape[0] == 0:
        return
    for q in range(wanted):
        quote = local.quote[q]
        if quote["side"] != 0:
            at = span_of(quote["inst"], quote["side"])
            span[at, 0] = min(span[at, 0], q)
            span[at, 1] = q + 1


@inner_kernel
def is_under_way(order):
    """Whether an order cannot be changed now, and is not known to go: it keeps its place."""
    return order["state"] != WORKING and order["state"] != ORDER_STATE.CANCELLING


@inner_kernel
def keep_wanted(local, owner, wanted):
    """Mark the live orders that rest where a quote is wanted, and the quotes they serve.

    Orders that are no quotes stay. A quote counts whatever its state: one that is on its way, or
    being cancelled, keeps its place. One of a right size serves all quotes of its place, which
    count as one; so does one of any size whose last request is not answered. A second one that
    works at that place is not kept.
    """
    for q in range(wanted):
        local.quote[q]["served"] = 0
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        order["keep"] = 0
        if order["purpose"] != PURPOSE.QUOTE:
            order["keep"] = 0 if order["purpose"] == PURPOSE.UNWANTED else 1
            continue
        first = first_quote(local, order["inst"], order["side"])
        end = end_quote(local, order["inst"], order["side"], wanted)
        for q in range(first, end):
            quote = local.quote[q]
            if not at_place(order, quote):
                continue
            if is_under_way(order) or right_size(local, owner, order, quote):
                twin = quote["served"] != 0 and order["state"] == WORKING
                order["keep"] = 0 if twin else 1
                break
        if order["keep"] == 0:
            continue
        for q in range(first, end):
            if at_place(order, local.quote[q]):
                local.quote[q]["served"] = 1


@inner_kernel
def move_target(local, order, wanted):
    """First quote that nothing serves yet and an order can be moved to, or -1."""
    first = first_quote(local, order["inst"], order["side"])
    for q in range(first, end_quote(local, order["inst"], order["side"], wanted)):
        quote = local.quote[q]
        if (
            quote["served"] == 0
            and quote["inst"] == order["inst"]
            and quote["side"] == order["side"]
            and quote["order_type"] == order["order_type"]
            and quote["offset"] == order["offset"]
        ):
            return q
    return -1


@rare_kernel
def keep_near(local, owner, wanted):
    """Near a limit of a day, let a working order serve a quote that is not far from it."""
    most = local.set[owner]["slow_tolerance_ticks"]
    count = local.instrument.shape[0]
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        line = local.traffic[owner * count + np.int64(order["inst"])]
        if order["keep"] != 0 or order["purpose"] != PURPOSE.QUOTE or line["slow"] == 0:
            continue
        target = move_target(local, order, wanted)
        if target < 0:
            continue
        if abs(np.int64(local.quote[target]["tick"]) - np.int64(order["want_tick"])) <= most:
            order["keep"] = 1
            local.quote[target]["served"] = 1
            local.refusals[owner, REASON.QUOTA_SLOW] += 1


@inner_kernel
def why_unwanted(local, order, room):
    """Reason why a working order is cancelled."""
    if room < 0:
        return np.int64(REASON.PULL_LIMIT)
    view = local.views[order["inst"]]
    why = np.int64(view["why_no_bid"] if order["side"] > 0 else view["why_no_ask"])
    return why if why != 0 else np.int64(REASON.NOT_WANTED)


@inner_kernel
def move_order(local, owner, ts, slot, target, actions, n):
    """Move an order to a wanted quote; where that may not be for longer, cancel it."""
    param = local.set[owner]
    order = local.order[slot]
    quote = local.quote[target]
    room = room_lots(local, owner, np.int64(order["inst"]), np.int64(order["side"]))
    most = np.int64(order["lots"]) - np.int64(order["filled"]) + room
    leaves = min(np.int64(quote["lots"]), min(param["max_order_lots"], most))
    if param["checks"] != 0 or param["unknown"] != 0:
        why = order_reason(local, owner, ts, slot, quote, leaves)
        if why != 0:
            n = refuse_order(local, owner, ts, quote, why, actions, n)
            if why == REASON.TOO_SOON or order["state"] != WORKING:
                return n
            return cancel_order(local, owner, ts, slot, why, actions, n)
    return modify_order(local, owner, ts, slot, quote, leaves, actions, n)


@inner_kernel
def reduces(local, owner, inst, side):
    """Whether an order of a side makes the position smaller."""
    return local.position[owner * local.instrument.shape[0] + inst]["lots"] * side < 0


@inner_kernel
def await_answer(local, order, wanted):
    """Let a quote wait for an order whose answer is still to come, and which moves to it then.

    One change is under way at a time, and the latest wish wins.
    """
    rests = not is_immediate(order["order_type"], order["tif"])
    mine = order["purpose"] == PURPOSE.QUOTE
    if order["state"] <= ORDER_STATE.MODIFYING and rests and mine:
        target = move_target(local, order, wanted)
        if target >= 0:
            local.quote[target]["served"] = 1


@rare_kernel
def move_by_rank(local, owner, ts, actions, n):
    """Move the orders that have a target, those first that reduce the position."""
    for rank in range(2):
        for i in range(local.set[owner]["live"]):
            slot = local.live[owner, i]
            order = local.order[slot]
            planned = np.int64(order["target"])
            if planned == NO_TARGET or order["state"] != WORKING:
                continue
            inst, side = np.int64(order["inst"]), np.int64(order["side"])
            if reduces(local, owner, inst, side) == (rank == 0):
                n = move_order(local, owner, ts, slot, planned, actions, n)
    return n


@inner_kernel
def change_unwanted(local, owner, ts, wanted, actions, n):
    """Cancel, or move to a quote that nothing serves yet, each working order not wanted.

    Where messages are scarce, all cancels come first, then what reduces the position.
    """
    param = local.set[owner]
    ranks = param["ranks"] != 0
    for i in range(param["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        order["target"] = NO_TARGET
        room = room_lots(local, owner, np.int64(order["inst"]), np.int64(order["side"]))
        if order["keep"] != 0 and room >= 0:
            continue
        if order["state"] != WORKING:
            if param["requote"] == REQUOTE.MODIFY and room >= 0:
                await_answer(local, order, wanted)
            continue
        if order["purpose"] == PURPOSE.HEDGE or order["purpose"] == PURPOSE.FLATTEN:
            continue
        if local.views[order["inst"]]["blocked"] == HOLD:
            continue
        target = -1
        mine = order["purpose"] == PURPOSE.QUOTE
        if param["requote"] == REQUOTE.MODIFY and room >= 0 and mine:
            target = move_target(local, order, wanted)
        if target >= 0:
            local.quote[target]["served"] = 1
            order["target"] = target
            if not ranks:
                n = move_order(local, owner, ts, slot, target, actions, n)
        else:
            why = why_unwanted(local, order, room)
            n = cancel_order(local, owner, ts, slot, why, actions, n)
    return move_by_rank(local, owner, ts, actions, n) if ranks else n


@inner_formula
def place_quote(local, owner, ts, q, wanted, actions, n):
    """Place a quote that no order serves, as far as the limits allow."""
    param = local.set[owner]
    quote = local.quote[q]
    inst = np.int64(quote["inst"])
    room = room_lots(local, owner, inst, np.int64(quote["side"]))
    lots = min(np.int64(quote["lots"]), min(param["max_order_lots"], room))
    if rarely(lots <= 0 and param["guarded"] != 0):
        why = room_reason(local, owner, inst, np.int64(quote["side"]))
        return refuse_order(local, owner, ts, quote, why, actions, n)
    if lots <= 0:
        local.set[owner]["denied"] += 1
        return n
    why = np.int64(0)
    if rarely(param["checks"] != 0 or param["unknown"] != 0):
        why = np.int64(order_reason(local, owner, ts, NONE, quote, lots))
    if why != 0:
        n = refuse_order(local, owner, ts, quote, why, actions, n)
    else:
        n = place_order(local, owner, ts, quote, lots, actions, n)
    for other in range(q + 1, end_quote(local, inst, quote["side"], wanted)):
        twin = local.quote[other]
        if (
            twin["inst"] == quote["inst"]
            and twin["side"] == quote["side"]
            and twin["tick"] == quote["tick"]
        ):
            twin["served"] = 1
    return n


@rare_kernel
def place_by_rank(local, owner, ts, wanted, actions, n):
    """As ``place_missing``, but first what reduces the position."""
    for rank in range(2):
        for q in range(wanted):
            quote = local.quote[q]
            if local.quote[q]["served"] != 0:
                continue
            if reduces(local, owner, np.int64(quote["inst"]), np.int64(quote["side"])) == (
                rank == 0
            ):
                n = place_quote(local, owner, ts, q, wanted, actions, n)
                quote["served"] = 1
    return n


@inner_kernel
def place_missing(local, owner, ts, wanted, actions, n):
    """Place each wanted quote that no order serves.

    Where messages are scarce, what reduces the position comes first.
    """
    if local.set[owner]["ranks"] != 0:
        return place_by_rank(local, owner, ts, wanted, actions, n)
    for q in range(wanted):
        if local.quote[q]["served"] == 0:
            n = place_quote(local, owner, ts, q, wanted, actions, n)
    return n


@inner_kernel
def serves_whole(local, owner, order, wanted):
    """Whether an order is all that a wanted quote asks for, however much room there is."""
    sent = np.int64(order["want_lots"]) - np.int64(order["filled_before"])
    any_size = local.set[owner]["size_tolerance_lots"] < 0
    first = first_quote(local, order["inst"], order["side"])
    for q in range(first, end_quote(local, order["inst"], order["side"], wanted)):
        quote = local.quote[q]
        if (any_size or quote["lots"] == sent) and at_place(order, quote):
            return True
    return False


@inner_kernel
def stands(local, owner, ts, wanted):
    """Whether nothing is left to do for what is wanted, once the answers are those hoped for.

    There is one order for each quote, which works or was placed just now, and which no room that
    others leave would change; all others were asked to go.
    """
    serving = 0
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["purpose"] != PURPOSE.QUOTE:
            return False
        if order["state"] == ORDER_STATE.CANCELLING:
            continue
        fresh = order["state"] == ORDER_STATE.SENT and order["submit_ts"] == ts
        kept = order["state"] == WORKING and order["keep"] != 0
        if not (kept or fresh) or not serves_whole(local, owner, order, wanted):
            return False
        serving += 1
    for q in range(wanted):
        if local.quote[q]["side"] != 0:
            serving -= 1
            if serving < 0:
                return False
    return serving == 0


@inner_formula
def blocked_reason(local, owner, inst, ts):
    """Reason why nothing may be quoted in an instrument: of the market, the broker or the day."""
    reason = np.int64(instrument_reason(local, owner, inst, ts))
    state = local.set[owner]
    if rarely(state["troubled"] != 0) and reason <= 0:
        why = np.int64(line_reason(local, owner, inst))
        reason = why if why != 0 else reason
    if rarely(state["counts"] != 0) and reason <= 0:
        why = np.int64(quota_reason(local, owner, inst, ts))
        reason = why if why != 0 and why != REASON.QUOTA_SLOW else reason
    return reason


@rare_kernel
def may_close(local, owner, reason):
    """Whether positions are worked out of although a loss limit keeps all quotes back."""
    if local.set[owner]["guarded"] == 0 or local.guard.own[owner]["flattening"] == 0:
        return False
    return reason == REASON.PULL_LOSS or reason == REASON.PULL_NO_MARK


@rare_kernel
def lasting_loss(local, owner, ts, reason):
    """The reason to stop, or 0 as long as a loss has not lasted: one bad tick is none."""
    own = local.guard.own[owner]
    if reason == REASON.PULL_NO_MARK:
        return np.int64(reason)
    if reason != REASON.PULL_LOSS:
        own["loss_since"] = -1
        return np.int64(reason)
    if own["loss_since"] < 0:
        own["loss_since"] = ts
    lasted = ts - own["loss_since"] >= local.guard.param[0]["loss_confirm_ns"]
    return np.int64(reason if lasted else 0)


@rare_kernel
def block_open(local, reason):
    """Block all instruments that are not blocked yet."""
    for inst in range(local.instrument.shape[0]):
        if local.views[inst]["blocked"] <= 0:
            local.views[inst]["blocked"] = reason


@inner_kernel
def usable_instruments(local):
    """Number of instruments that may be quoted."""
    usable = 0
    for inst in range(local.instrument.shape[0]):
        usable += 1 if local.views[inst]["blocked"] == 0 else 0
    return usable


@inner_formula
def decide(local, owner, ts, quote, actions):
    """Take one decision for a set: fills ``actions`` and returns how many."""
    state = local.set[owner]
    state["decisions"] += 1
    state["stands"] = 0
    if state["blocked"] == 0:
        reason = np.int64(loss_reason(local, owner))
        if rarely(state["guarded"] != 0):
            reason = lasting_loss(local, owner, ts, reason)
        if reason == REASON.PULL_LOSS:
            state["blocked"] = reason
    else:
        reason = state["blocked"]
    if rarely(state["troubled"] != 0) and reason == 0:
        reason = link_reason(local, owner)
    n = 0
    if ts >= state["next_due"]:
        n = chase_overdue(local, owner, ts, actions, n)
    count = local.instrument.shape[0]
    hand_view(local, owner, ts)
    usable = 0
    for inst in range(count):
        local.views[inst]["blocked"] = blocked_reason(local, owner, inst, ts)
        if local.views[inst]["blocked"] == 0:
            usable += 1
    if rarely(reason != 0) and not may_close(local, owner, reason):
        return pull_all(local, owner, ts, -1, reason, actions, n)
    if rarely(state["guarded"] != 0):
        n = guard_decide(local, owner, ts, actions, n)
        if reason != 0:
            block_open(local, reason)
        usable = usable_instruments(local)
    for inst in range(count):
        if local.views[inst]["blocked"] > 0:
            n = pull_all(local, owner, ts, inst, np.int64(local.views[inst]["blocked"]), actions, n)
    if rarely(state["guarded"] != 0):
        n = hedge_and_flatten(local, owner, ts, actions, n)
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
    if rarely(state["guarded"] != 0):
        shape_quotes(local, owner, wanted)
    note_spans(local, wanted)
    if rarely(state["one_side"] != 0):
        drop_other_sides(local, owner, wanted)
    keep_wanted(local, owner, wanted)
    for q in range(wanted):
        if local.quote[q]["side"] == 0:
            local.quote[q]["served"] = 1
    if rarely(state["counts"] != 0):
        keep_near(local, owner, wanted)
    n = change_unwanted(local, owner, ts, wanted, actions, n)
    n = place_missing(local, owner, ts, wanted, actions, n)
    if state["steady"] != 0 and n > 0:
        state["stands"] = 1 if stands(local, owner, ts, wanted) else 0
    return n
