"""What broker messages do to own orders: states, exposure, executions and their revisions.

Position comes from executions alone. Exposure is what live orders could still fill: the larger of
the confirmed and the wanted quantity while a change is under way.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import (
    NEVER,
    ORDER_EVENT,
    ORDER_STATE,
    REASON,
    TIME_IN_FORCE,
)
from mmquant.core.exchange import units_of
from mmquant.core.executions import (
    execution_fee,
    find_execution,
    patch_fee,
    replace_execution,
)
from mmquant.core.jit import inner_formula, inner_kernel, rare_kernel
from mmquant.core.local import log_fill, stir
from mmquant.core.orders import ILLEGAL, is_live, next_state
from mmquant.core.portfolio import book_execution
from mmquant.core.trouble import check_position, note_trouble

UNKNOWN = ORDER_STATE.UNKNOWN
QUESTIONS_UNTIL_LOST = 2
"""The second is asked two time-outs after the first."""


@inner_kernel
def change_open(local, owner, inst, side, lots):
    """Change the lots that live orders of a side could still fill."""
    position = local.position[owner * local.instrument.shape[0] + inst]
    if side > 0:
        position["open_buy"] += lots
    else:
        position["open_sell"] += lots


@inner_kernel
def open_lots(order):
    """Lots that an order could still fill, a change under way included."""
    return max(np.int64(order["lots"]), np.int64(order["want_lots"])) - np.int64(order["filled"])


@inner_kernel
def set_due(local, owner, order, due):
    """Set when an order's answer is overdue."""
    state = local.set[owner]
    order["due_ts"] = due
    state["next_due"] = min(np.int64(state["next_due"]), due)
    local.wakes_at[owner] = min(local.wakes_at[owner], due)


@inner_kernel
def overdue_at(ts, timeout):
    """Time at which an answer to what is sent now is overdue; never without a time-out."""
    return ts + timeout if timeout > 0 else np.int64(NEVER)


@inner_kernel
def set_state(local, owner, order, after, ts):
    """Change the state of an order, and with it when something is overdue."""
    state = local.set[owner]
    before = np.int64(order["state"])
    order["state"] = after
    if before == after:
        return
    if before == UNKNOWN:
        state["unknown"] -= 1
    if after == UNKNOWN:
        state["unknown"] += 1
        order["queries"] = 0
        set_due(local, owner, order, overdue_at(ts, np.int64(state["ack_timeout_ns"])))
        return
    if after == ORDER_STATE.MODIFYING or after == ORDER_STATE.CANCELLING:
        return
    order["due_ts"] = NEVER
    if after == ORDER_STATE.WORKING:
        order["ending"] = 0
        expires = order["tif"] == TIME_IN_FORCE.GTD and order["expire_ts"] < NEVER // 2
        if expires and state["ack_timeout_ns"] > 0:
            grace = np.int64(state["ack_timeout_ns"])
            set_due(local, owner, order, np.int64(order["expire_ts"]) + grace)


@inner_kernel
def end_order(local, owner, slot, ts, reason):
    """Take an ended order out of the live list and out of the exposure."""
    order = local.order[slot]
    state = local.set[owner]
    change_open(local, owner, np.int64(order["inst"]), order["side"], -open_lots(order))
    order["end_ts"] = ts
    order["reason"] = reason
    live = local.live[owner]
    last = state["live"] - 1
    for i in range(state["live"]):
        if live[i] == slot:
            for j in range(i, last):
                live[j] = live[j + 1]
            break
    state["live"] = last


@inner_kernel
def end_if_filled(local, owner, slot, ts):
    """End a live order that is filled whole, a change under way included."""
    order = local.order[slot]
    if order["filled"] >= order["lots"] and order["filled"] >= order["want_lots"]:
        set_state(local, owner, order, ORDER_STATE.FILLED, ts)
        end_order(local, owner, slot, ts, REASON.NONE)


@rare_kernel
def revive_order(local, owner, slot):
    """Put an order that was given up, and is found working, back among the live ones."""
    order = local.order[slot]
    state = local.set[owner]
    order["end_ts"] = 0
    order["reason"] = REASON.NONE
    local.live[owner, state["live"]] = slot
    state["live"] += 1
    change_open(local, owner, np.int64(order["inst"]), order["side"], open_lots(order))


@inner_kernel
def fill_order(local, owner, slot, ts, lots, value):
    """Add to what an order was filled, or take off. Returns a Reason where it needs saying."""
    order = local.order[slot]
    state = local.set[owner]
    if order["filled"] == 0 and lots > 0:
        state["executed_day"] += 1
    order["value"] += value
    reason = REASON.NONE
    if is_live(order["state"]):
        change_open(local, owner, np.int64(order["inst"]), order["side"], -lots)
        order["filled"] += lots
        after = next_state(order["state"], ORDER_EVENT.EXECUTION)
        set_state(local, owner, order, after, ts)
        end_if_filled(local, owner, slot, ts)
    else:
        order["filled"] += lots
        state["late"] += 1
        reason = REASON.LATE_EXECUTION
    if lots > 0 and order["filled"] > max(order["lots"], order["want_lots"]):
        state["overfills"] += 1
        at = owner * local.instrument.shape[0] + np.int64(order["inst"])
        local.traffic[at]["overfilled"] = 1
        note_trouble(local, owner)
        reason = REASON.OVERFILL
    return reason


@inner_kernel
def note_side_fill(position, side, ts):
    """Note when a side was last filled."""
    if side > 0:
        position["buy_fill_ts"] = ts
    else:
        position["sell_fill_ts"] = ts


@inner_formula
def book_new(local, owner, slot, known, msg, lots, at):
    """Book an execution that was not known, in row ``at`` of the table (-1: there is none)."""
    inst = np.int64(msg["inst"])
    state = local.set[owner]
    what = local.instrument[inst]
    position = local.position[owner * local.instrument.shape[0] + inst]
    side, price = np.int64(msg["side"]), np.float64(msg["price"])
    captured, fee = book_execution(
        position,
        what,
        side,
        lots,
        price,
        msg["mid"],
        msg["liquidity"] > 0,
        state["peer_arithmetic"] != 0,
    )
    if at >= 0:
        row = local.executed[at]
        row["order_id"] = msg["order_id"]
        row["price"] = price
        row["reference"] = position["mark"]
        row["fee"] = fee
        row["lots"] = lots
        row["set"] = owner
        row["inst"] = inst
        row["side"] = side
        row["liquidity"] = msg["liquidity"]
        if row["fee_revision"] >= 0:
            fee += patch_fee(position, row, execution_fee(row, what))
    note_side_fill(position, side, msg["ts"])
    reason = REASON.ORPHAN_EXECUTION
    if known:
        reason = fill_order(local, owner, slot, msg["ts"], lots, price * units_of(what, lots))
    else:
        state["orphans"] += 1
    log_fill(local, owner, msg, side, price, lots, captured, fee, reason)
    return reason


@rare_kernel
def revise(local, owner, slot, known, msg, lots, at):
    """Let a known execution be what its revision says, as if it always had been."""
    row = local.executed[at]
    inst = np.int64(row["inst"])
    what = local.instrument[inst]
    state = local.set[owner]
    position = local.position[owner * local.instrument.shape[0] + inst]
    old_lots, old_side = np.int64(row["lots"]), np.int64(row["side"])
    old_price, old_fee = np.float64(row["price"]), np.float64(row["fee"])
    side = np.int64(msg["side"]) if msg["side"] != 0 and lots > 0 else old_side
    price = np.float64(msg["price"]) if lots > 0 else old_price
    per_unit = np.float64(what["multiplier"])
    old_captured = old_side * (row["reference"] - old_price) * units_of(what, old_lots) * per_unit
    peer = state["peer_arithmetic"] != 0
    captured = replace_execution(position, what, row, side, lots, price, peer)
    row["price"] = price
    row["lots"] = lots
    row["side"] = side
    patch_fee(position, row, execution_fee(row, what))
    reason = REASON.NONE if known else REASON.ORPHAN_EXECUTION
    if known:
        value = price * units_of(what, lots) - old_price * units_of(what, old_lots)
        reason = fill_order(local, owner, slot, msg["ts"], lots - old_lots, value)
    else:
        state["orphans"] += 1
    if old_lots > 0:
        log_fill(local, owner, msg, old_side, old_price, -old_lots, -old_captured, -old_fee, reason)
    if lots > 0:
        total = captured + old_captured
        log_fill(local, owner, msg, side, price, lots, total, np.float64(row["fee"]), reason)
    return reason


@inner_kernel
def note_execution(local, at, number, revision):
    """Take a row of the table for an execution, or raise its revision."""
    row = local.executed[at]
    if row["used"] == 0:
        row["used"] = 1
        row["id"] = number
        row["fee_revision"] = -1
        local.log[0]["executions"] += 1
    row["revision"] = revision


@inner_kernel
def on_execution(local, owner, slot, known, msg):
    """Book an execution, its correction or its bust, whatever became of its order; once.

    The highest revision stands, in whatever order they come. Returns a Reason, or -1 where nothing
    is known that could be booked.
    """
    state = local.set[owner]
    event = np.int64(msg["event"])
    lots = np.int64(0) if event == ORDER_EVENT.BUST else np.int64(msg["lots"])
    sided = msg["side"] == 1 or msg["side"] == -1
    if lots < 0 or (lots > 0 and not sided):
        state["illegal"] += 1
        return REASON.ILLEGAL_EVENT
    if local.executed.shape[0] == 0:
        if event != ORDER_EVENT.EXECUTION:
            state["illegal"] += 1
            return REASON.ILLEGAL_EVENT
        return book_new(local, owner, slot, known, msg, lots, np.int64(-1))
    number, revision = np.int64(msg["seq"]), np.int64(msg["reason"])
    at = find_execution(local.executed, number)
    row = local.executed[at]
    fresh = row["used"] == 0 or row["revision"] < 0
    if not fresh and revision <= row["revision"]:
        state["duplicates"] += 1
        return REASON.NONE
    note_execution(local, at, number, revision)
    if not fresh:
        reason = revise(local, owner, slot, known, msg, lots, at)
    elif lots > 0:
        reason = book_new(local, owner, slot, known, msg, lots, at)
    else:
        row["order_id"] = msg["order_id"]
        row["set"] = owner
        row["inst"] = msg["inst"]
        row["side"] = msg["side"]
        row["price"] = msg["price"]
        position = local.position[owner * local.instrument.shape[0] + np.int64(msg["inst"])]
        row["reference"] = position["mark"] if np.isfinite(position["mark"]) else msg["price"]
        reason = REASON.NONE
    check_position(local, owner, np.int64(msg["inst"]))
    return reason


@inner_kernel
def on_fee(local, owner, msg):
    """Book the fee that the broker says of an execution, which may still be to come.

    It stands for all revisions of the execution until a fee with no lower ``reason`` comes.
    Returns whether it could be noted.
    """
    if local.executed.shape[0] == 0 or not np.isfinite(msg["price"]):
        return False
    number = np.int64(msg["seq"])
    at = find_execution(local.executed, number)
    row = local.executed[at]
    if row["used"] == 0:
        note_execution(local, at, number, np.int64(-1))
        row["inst"] = -1
    if msg["reason"] < row["fee_revision"]:
        local.set[owner]["duplicates"] += 1
        return True
    row["fee_revision"] = msg["reason"]
    row["given_fee"] = msg["price"]
    if row["revision"] >= 0:
        inst = np.int64(row["inst"])
        position = local.position[owner * local.instrument.shape[0] + inst]
        patch_fee(position, row, execution_fee(row, local.instrument[inst]))
    return True


@inner_kernel
def confirm_terms(local, owner, slot, msg, keep_wish):
    """Take over the price and quantity that the broker says are working.

    With ``keep_wish`` a change is still under way, and its price and quantity stay.
    """
    if msg["lots"] <= 0:
        return
    order = local.order[slot]
    same = msg["lots"] == order["lots"] and msg["lots"] == order["want_lots"]
    order["tick"] = msg["tick"]
    if not keep_wish:
        order["want_tick"] = msg["tick"]
    if not same:
        before = open_lots(order)
        order["lots"] = msg["lots"]
        if not keep_wish:
            order["want_lots"] = msg["lots"]
        change_open(local, owner, np.int64(order["inst"]), order["side"], open_lots(order) - before)
    end_if_filled(local, owner, slot, msg["ts"])


@inner_kernel
def says_old_terms(order, msg):
    """Whether the terms are those from before a change that is still under way."""
    if order["want_tick"] == order["tick"] and order["want_lots"] == order["lots"]:
        return False
    return msg["tick"] == order["tick"] and msg["lots"] == order["lots"]


@rare_kernel
def note_refusal(local, owner, order, ts):
    """Remember the price and size that were rejected."""
    line = local.traffic[owner * local.instrument.shape[0] + np.int64(order["inst"])]
    if order["side"] > 0:
        line["refused_buy_ts"] = ts
        line["refused_buy_tick"] = order["tick"]
        line["refused_buy_lots"] = order["lots"]
    else:
        line["refused_sell_ts"] = ts
        line["refused_sell_tick"] = order["tick"]
        line["refused_sell_lots"] = order["lots"]


@inner_kernel
def take_terms(local, owner, slot, msg, event, before):
    """What the answers of a live order say of its price and quantity."""
    order = local.order[slot]
    if event == ORDER_EVENT.CONFIRM or event == ORDER_EVENT.FOUND_OPEN:
        if order["ack_ts"] == 0:
            order["ack_ts"] = msg["ts"]
        ending = before == ORDER_STATE.CANCELLING
        moving = before == ORDER_STATE.MODIFYING and event == ORDER_EVENT.FOUND_OPEN
        old = says_old_terms(order, msg)
        confirm_terms(local, owner, slot, msg, (ending and old) or moving)
    elif event == ORDER_EVENT.MODIFY_REJECT:
        spare = open_lots(order)
        order["want_tick"] = order["tick"]
        order["want_lots"] = order["lots"]
        order["filled_before"] = 0
        change_open(local, owner, np.int64(order["inst"]), order["side"], open_lots(order) - spare)
        end_if_filled(local, owner, slot, msg["ts"])


@inner_kernel
def says_gone(event, msg):
    """Whether a change was refused because the broker knows no such order: its end was missed."""
    refused = event == ORDER_EVENT.CANCEL_REJECT or event == ORDER_EVENT.MODIFY_REJECT
    return refused and msg["reason"] == REASON.UNKNOWN_ORDER


@rare_kernel
def doubt(local, owner, order, ts):
    """Nothing sure is known of a live order any more: it is asked after at the next decision."""
    set_state(local, owner, order, UNKNOWN, ts)
    set_due(local, owner, order, ts)


@inner_kernel
def was_to_end(order):
    """Whether a live order was asked to end: by a cancel, by a change to what it has filled, or by
    a lifetime in which it never rests."""
    at_once = order["tif"] == TIME_IN_FORCE.IOC or order["tif"] == TIME_IN_FORCE.FOK
    return at_once or order["ending"] != 0 or order["want_lots"] <= order["filled"]


@rare_kernel
def may_still_come(local, owner, order):
    """Whether an order that the broker does not know may still be on its way to it.

    It counts as exposure until a question asked a while after the first finds nothing either.
    """
    asked_again = order["queries"] >= QUESTIONS_UNTIL_LOST
    return not asked_again and local.set[owner]["ack_timeout_ns"] > 0


@inner_kernel
def is_expected(order, msg, event):
    """Whether a message is the answer that a decision counted on: a new order works as it was sent,
    or one that was to go is gone."""
    if event == ORDER_EVENT.CONFIRM:
        as_sent = msg["tick"] == order["want_tick"] and msg["lots"] == order["want_lots"]
        return order["state"] == ORDER_STATE.SENT and as_sent
    return event == ORDER_EVENT.CANCEL_ACK and order["state"] == ORDER_STATE.CANCELLING


@inner_formula
def on_order(local, owner, msg):
    """Apply an order message. Returns a Reason where something needs saying, else 0.

    A confirmation that repeats the terms from before a change is no answer to the change. Brokers
    say of orders that go on working that they are cancelled: where nobody asked for it, the order
    is UNKNOWN, and asked after before another takes its place.
    """
    slots = local.live.shape[1]
    slot = owner * slots + (msg["order_id"] & (slots - 1))
    order = local.order[slot]
    state = local.set[owner]
    known = order["order_id"] == msg["order_id"] and msg["order_id"] != 0
    event = np.int64(msg["event"])
    if known and state["stands"] != 0 and is_expected(order, msg, event):
        state["touched"] = 1
    else:
        stir(local, owner)
    if event >= ORDER_EVENT.EXECUTION and event <= ORDER_EVENT.BUST:
        return on_execution(local, owner, slot, known, msg)
    if not known:
        state["illegal"] += 1
        return REASON.UNKNOWN_ORDER
    before = np.int64(order["state"])
    was_live = is_live(before)
    after = next_state(before, event)
    if after == ILLEGAL:
        state["illegal"] += 1
        return REASON.ILLEGAL_EVENT
    undecided = before == ORDER_STATE.MODIFYING or before == UNKNOWN
    if event == ORDER_EVENT.CONFIRM and undecided and says_old_terms(order, msg):
        return REASON.NONE
    if event == ORDER_EVENT.CANCEL_ACK and was_live and not was_to_end(order):
        doubt(local, owner, order, np.int64(msg["ts"]))
        return REASON.NONE
    if event == ORDER_EVENT.NOT_FOUND and was_live and may_still_come(local, owner, order):
        return REASON.NONE
    set_state(local, owner, order, after, msg["ts"])
    if was_live and not is_live(after):
        if event == ORDER_EVENT.REJECT:
            note_refusal(local, owner, order, msg["ts"])
        end_order(local, owner, slot, msg["ts"], msg["reason"])
        return REASON.NONE
    if is_live(after) and not was_live:
        revive_order(local, owner, slot)
    if is_live(after):
        take_terms(local, owner, slot, msg, event, before)
    if event == ORDER_EVENT.CANCEL_REJECT:
        order["ending"] = 0
    if is_live(order["state"]) and says_gone(event, msg) and state["ack_timeout_ns"] > 0:
        doubt(local, owner, order, np.int64(msg["ts"]))
    return REASON.NONE
