"""Actions on own orders: place, modify, cancel and pull, each logged and throttled."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import (
    ACTION_KIND,
    ORDER_STATE,
    PURPOSE,
    REASON,
    SESSION,
    TIME_IN_FORCE,
)
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, rare_kernel
from mmquant.core.local import free_slot, log_order
from mmquant.core.own_orders import change_open, overdue_at, set_due, set_state
from mmquant.core.quotas import count_message
from mmquant.core.throttle import may_send, note_sent


@inner_kernel
def log_action(local, owner, action):
    """Log an action together with the inventory it was taken at."""
    local.set[owner]["actions"] += 1
    local.set[owner]["messages"] += 1 if action["kind"] <= ACTION_KIND.CANCEL else 0
    if rarely(local.set[owner]["counts"] != 0):
        count_message(local, owner, action)
    log = local.log[0]
    if log["keep_tables"] == 0:
        return
    row = local.instruction_log[log["instructions"]]
    row["timestamp"] = action["ts"]
    row["order_id"] = action["order_id"]
    inst = np.int64(action["inst"])
    row["position"] = local.position[owner * local.instrument.shape[0] + inst]["units"]
    row["tick"] = action["tick"]
    row["lots"] = action["lots"]
    row["set"] = owner
    row["inst"] = inst
    row["reason"] = action["reason"]
    row["action"] = action["kind"]
    row["side"] = action["side"]
    row["order_type"] = action["order_type"]
    row["tif"] = action["tif"]
    log["instructions"] += 1


@inner_formula
def order_action(local, owner, ts, slot, kind, reason, actions, n):
    """Write an action about an existing order."""
    order = local.order[slot]
    action = actions[n]
    action["ts"] = ts
    action["order_id"] = order["order_id"]
    action["expire_ts"] = order["expire_ts"]
    action["tick"] = order["want_tick"]
    action["lots"] = order["want_lots"]
    action["set"] = owner
    action["inst"] = order["inst"]
    action["reason"] = reason
    action["offset"] = order["offset"]
    action["kind"] = kind
    action["side"] = order["side"]
    action["order_type"] = order["order_type"]
    action["tif"] = order["tif"]
    log_action(local, owner, action)
    return n + 1


@inner_kernel
def notice(local, owner, ts, kind, inst, reason, actions, n):
    """Write an action that concerns no order: a pull or an alert."""
    action = actions[n]
    action["ts"] = ts
    action["order_id"] = 0
    action["expire_ts"] = 0
    action["tick"] = 0
    action["lots"] = 0
    action["set"] = owner
    action["inst"] = inst
    action["reason"] = reason
    action["offset"] = 0
    action["kind"] = kind
    action["side"] = 0
    action["order_type"] = 0
    action["tif"] = 0
    log_action(local, owner, action)
    return n + 1


@inner_kernel
def tell(local, owner, ts, inst, reason, on, actions, n):
    """Log that a state of the guard begins (1 lot) or ends (0 lots)."""
    n = notice(local, owner, ts, ACTION_KIND.ALERT, inst, reason, actions, n)
    actions[n - 1]["lots"] = on
    log = local.log[0]
    if log["keep_tables"] != 0:
        local.instruction_log[log["instructions"] - 1]["lots"] = on
    return n


@rare_kernel
def over_rate(local, owner, ts, reserve):
    """As ``throttled``, where there is a limit."""
    state = local.set[owner]
    limit = state["max_messages"] - reserve
    if not may_send(
        local.sent[owner], state["sent"], limit if limit > 0 else -1, state["message_window_ns"], ts
    ):
        state["throttled"] += 1
        state["deny_reason"] = REASON.THROTTLED
        return True
    state["sent"] = note_sent(local.sent[owner], state["sent"], ts)
    return False


@inner_kernel
def throttled(local, owner, ts, reserve):
    """Whether one more message would be too many; it is counted then, and noted as sent else."""
    state = local.set[owner]
    return rarely(state["max_messages"] != 0) and over_rate(local, owner, ts, reserve)


@inner_kernel
def in_flight(local, owner):
    """Orders whose last request was not answered."""
    count = 0
    for i in range(local.set[owner]["live"]):
        state = local.order[local.live[owner, i]]["state"]
        if state != ORDER_STATE.ACKED and state != ORDER_STATE.WORKING:
            count += 1
    return count


@rare_kernel
def over_limit(local, owner, ts):
    """As ``held_back``, where there is a limit."""
    state = local.set[owner]
    if state["max_in_flight"] != 0 and in_flight(local, owner) >= state["max_in_flight"]:
        state["throttled"] += 1
        state["deny_reason"] = REASON.THROTTLED
        return True
    return throttled(local, owner, ts, state["cancel_reserve"])


@inner_formula
def held_back(local, owner, ts):
    """Whether a new order or change must wait: too many are unanswered, or were sent."""
    state = local.set[owner]
    limited = state["max_in_flight"] != 0 or state["max_messages"] != 0
    return rarely(limited) and over_limit(local, owner, ts)


@inner_kernel
def note_sent_side(local, owner, inst, side, ts):
    """Note that a new order or price of a side leaves."""
    if rarely(local.set[owner]["checks"] != 0):
        line = local.traffic[owner * local.instrument.shape[0] + inst]
        if side > 0:
            line["sent_buy_ts"] = ts
            line["why_buy"] = 0
        else:
            line["sent_sell_ts"] = ts
            line["why_sell"] = 0


@inner_kernel
def is_routine(reason):
    """Whether keeping an order back for this reason is all in a day's work, and told but once."""
    return (
        reason == REASON.TOO_SOON
        or reason == REASON.DUPLICATE_INTENT
        or reason == REASON.PULL_OTHER_SIDE
    )


@inner_kernel
def refuse(local, owner, ts, inst, side, reason, actions, n):
    """Count an order that is kept back, and tell of it once as long as the reason is the same.

    Of a routine reason only the first in a run is told: it comes and goes with each re-quote.
    """
    local.set[owner]["denied"] += 1
    local.refusals[owner, reason] += 1
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    known = line["why_buy"] if side > 0 else line["why_sell"]
    if known == reason:
        return n
    if is_routine(reason):
        if local.refusals[owner, reason] > 1:
            return n
    elif side > 0:
        line["why_buy"] = reason
    else:
        line["why_sell"] = reason
    return notice(local, owner, ts, ACTION_KIND.ALERT, inst, reason, actions, n)


@inner_formula
def cancel_order(local, owner, ts, slot, reason, actions, n):
    """Ask to cancel an order; one that the throttle holds back is asked for again.

    An UNKNOWN order stays so: only the broker's answer ends it.
    """
    if throttled(local, owner, ts, 0):
        return n
    order = local.order[slot]
    order["ending"] = 1
    if order["state"] != ORDER_STATE.UNKNOWN:
        set_state(local, owner, order, np.int64(ORDER_STATE.CANCELLING), ts)
        set_due(
            local, owner, order, overdue_at(ts, np.int64(local.set[owner]["cancel_timeout_ns"]))
        )
    return order_action(local, owner, ts, slot, ACTION_KIND.CANCEL, reason, actions, n)


@inner_kernel
def modify_order(local, owner, ts, slot, quote, leaves, actions, n):
    """Ask to move a working order to a wanted quote, with so many lots left to fill."""
    if held_back(local, owner, ts):
        return n
    order = local.order[slot]
    lots = np.int64(order["filled"]) + leaves
    before = max(np.int64(order["lots"]), np.int64(order["want_lots"]))
    same = quote["tick"] == order["tick"]
    reason = REASON.RESIZE if same else REASON.REPRICE
    if not same or lots > before:
        note_sent_side(local, owner, np.int64(order["inst"]), np.int64(order["side"]), ts)
    order["want_tick"] = quote["tick"]
    order["want_lots"] = lots
    order["filled_before"] = order["filled"]
    after = max(np.int64(order["lots"]), lots)
    change_open(local, owner, np.int64(order["inst"]), order["side"], after - before)
    set_state(local, owner, order, np.int64(ORDER_STATE.MODIFYING), ts)
    set_due(local, owner, order, overdue_at(ts, np.int64(local.set[owner]["ack_timeout_ns"])))
    kind = ACTION_KIND.MODIFY
    return order_action(local, owner, ts, slot, kind, reason, actions, n)


@inner_formula
def place_order(local, owner, ts, quote, lots, actions, n):
    """Place a new order for a wanted quote, if an order slot is free.

    No quote outlives its day: one that is good till cancelled leaves as a DAY order.
    """
    state = local.set[owner]
    slot = free_slot(local, owner)
    if rarely(slot < 0 or state["live"] >= local.set[owner]["max_open_orders"]):
        state["denied"] += 1
        state["deny_reason"] = REASON.TOO_MANY_ORDERS
        return n
    if held_back(local, owner, ts):
        return n
    order = local.order[slot]
    if order["order_id"] != 0:
        log_order(local, slot)
    slots = local.live.shape[1]
    inst = np.int64(quote["inst"])
    order["order_id"] = state["next_number"] * slots + (slot & (slots - 1))
    state["next_number"] += 1
    order["submit_ts"] = ts
    order["ack_ts"] = 0
    order["end_ts"] = 0
    order["expire_ts"] = quote["expire_ts"]
    order["value"] = 0.0
    order["position"] = local.position[owner * local.instrument.shape[0] + inst]["units"]
    order["tick"] = quote["tick"]
    order["lots"] = lots
    order["filled"] = 0
    order["filled_before"] = 0
    order["want_tick"] = quote["tick"]
    order["want_lots"] = lots
    order["set"] = owner
    order["inst"] = inst
    order["reason"] = 0
    order["offset"] = quote["offset"]
    order["side"] = quote["side"]
    order["order_type"] = quote["order_type"]
    order["tif"] = max(np.int64(quote["tif"]), np.int64(TIME_IN_FORCE.DAY))
    order["purpose"] = PURPOSE.QUOTE
    order["state"] = ORDER_STATE.SENT
    order["queries"] = 0
    order["ending"] = 0
    set_due(local, owner, order, overdue_at(ts, np.int64(state["ack_timeout_ns"])))
    note_sent_side(local, owner, inst, np.int64(quote["side"]), ts)
    local.live[owner, state["live"]] = slot
    state["live"] += 1
    change_open(local, owner, inst, quote["side"], lots)
    reason = REASON.QUOTE if quote["reason"] == 0 else np.int64(quote["reason"])
    return order_action(local, owner, ts, slot, ACTION_KIND.PLACE, reason, actions, n)


@inner_kernel
def pull_all(local, owner, ts, inst, reason, actions, n):
    """Cancel all orders of an instrument (all instruments: -1), those on their way too.

    An UNKNOWN one is cancelled as well, once and while the link is up, unless it is only waited for
    answers of the broker. What is no quote but reduces a risk goes on, unless all
    instruments are meant.
    """
    unknown_too = local.set[owner]["link"] != SESSION.DOWN and reason != REASON.PULL_RECONCILING
    count = 0
    for i in range(local.set[owner]["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        can_cancel = order["state"] >= ORDER_STATE.SENT and order["state"] <= ORDER_STATE.MODIFYING
        can_cancel |= order["state"] == ORDER_STATE.UNKNOWN and order["ending"] == 0 and unknown_too
        stays = order["purpose"] == PURPOSE.HEDGE or order["purpose"] == PURPOSE.FLATTEN
        if can_cancel and (inst < 0 or (order["inst"] == inst and not stays)):
            before = n
            n = cancel_order(local, owner, ts, slot, reason, actions, n)
            count += n - before
    if count > 0:
        n = notice(local, owner, ts, ACTION_KIND.PULL, max(inst, 0), reason, actions, n)
    return n
