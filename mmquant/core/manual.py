"""Orders by hand: requests that pass the same checks and actions as the quotes of a strategy.

They are checked against the market as the last decision saw it, which is the same in a backtest
and live. What cannot be sent is answered by an ALERT that says why.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.decision import blocked_reason
from mmquant.core.dtypes import ACTION_KIND, NEVER, ORDER_STATE, PURPOSE, REASON, STATUS
from mmquant.core.exposure import note_all_open
from mmquant.core.jit import inner_kernel
from mmquant.core.order_actions import cancel_order, modify_order, notice, place_order
from mmquant.core.order_checks import NONE, order_reason
from mmquant.core.orders import is_live
from mmquant.core.risk import HOLD, room_lots, room_reason
from mmquant.core.trouble import link_reason
from mmquant.core.views import hand_view
from mmquant.core.wanted_quotes import blank_quotes, valid_quote


@inner_kernel
def deny(local, owner, msg, inst, reason, actions, n):
    """Answer a request by why it is not sent."""
    local.set[owner]["denied"] += 1
    local.refusals[owner, reason] += 1
    alert = ACTION_KIND.ALERT
    return notice(local, owner, msg["ts"], alert, inst, reason, actions, n)


@inner_kernel
def manual_quote(local, owner, msg, inst, side):
    """Write a request's terms as a wanted quote and return its row."""
    blank_quotes(local, owner, msg["ts"])
    quote = local.quote[0]
    quote["inst"] = inst
    quote["side"] = side
    quote["tick"] = msg["tick"]
    quote["lots"] = msg["lots"]
    quote["reason"] = REASON.MANUAL
    return quote


@inner_kernel
def barred(local, owner, msg, inst, slot, quote):
    """Reason why a quote may not be sent now, in place of the order in ``slot`` or as a new one
    (NONE); 0 if it may."""
    state = local.set[owner]
    if state["blocked"] != 0:
        return state["blocked"]
    if state["troubled"] != 0:
        reason = np.int64(link_reason(local, owner))
        if reason != 0:
            return reason
    hand_view(local, owner, msg["ts"])
    reason = np.int64(blocked_reason(local, owner, inst, msg["ts"]))
    if reason != 0:
        return np.int64(REASON.PULL_ONE_SIDED) if reason == HOLD else reason
    if state["guarded"] != 0:
        reason = np.int64(local.guard.line[owner * local.instrument.shape[0] + inst]["blocked"])
        if reason != 0:
            return reason
        note_all_open(local, owner)
    if not valid_quote(local, quote):
        return np.int64(REASON.BAD_QUOTE)
    if quote["lots"] > state["max_order_lots"]:
        return np.int64(REASON.TOO_LARGE)
    room = room_lots(local, owner, inst, np.int64(quote["side"]))
    if slot != NONE:
        order = local.order[slot]
        room += np.int64(order["lots"]) - np.int64(order["filled"])
    if quote["lots"] > room:
        if state["guarded"] != 0:
            return np.int64(room_reason(local, owner, inst, np.int64(quote["side"])))
        return np.int64(REASON.PULL_LIMIT)
    if state["checks"] != 0 or state["unknown"] != 0:
        return np.int64(order_reason(local, owner, msg["ts"], slot, quote, np.int64(quote["lots"])))
    return np.int64(REASON.NONE)


@inner_kernel
def place_manual(local, owner, msg, actions):
    """Place an order by hand."""
    inst = np.int64(msg["inst"])
    side = np.int64(msg["side"])
    quote = manual_quote(local, owner, msg, inst, side)
    quote["order_type"] = msg["liquidity"]
    quote["tif"] = msg["seq"]
    quote["expire_ts"] = np.int64(NEVER) if msg["exch_ts"] == 0 else msg["exch_ts"]
    reason = barred(local, owner, msg, inst, NONE, quote)
    if reason != 0:
        return deny(local, owner, msg, inst, reason, actions, 0)
    n = place_order(local, owner, msg["ts"], quote, np.int64(msg["lots"]), actions, 0)
    for i in range(n):
        if actions[i]["kind"] == ACTION_KIND.PLACE:
            slots = local.live.shape[1]
            slot = owner * slots + (actions[i]["order_id"] & (slots - 1))
            local.order[slot]["purpose"] = PURPOSE.MANUAL
            return n
    return deny(local, owner, msg, inst, local.set[owner]["deny_reason"], actions, n)


@inner_kernel
def modify_manual(local, owner, msg, slot, actions):
    """Move an order by hand, so that ``lots`` are left; it is no quote of the strategy any more."""
    order = local.order[slot]
    inst = np.int64(order["inst"])
    side = np.int64(order["side"])
    if order["state"] != ORDER_STATE.WORKING:
        return deny(local, owner, msg, inst, REASON.CHANGE_IN_FLIGHT, actions, 0)
    quote = manual_quote(local, owner, msg, inst, side)
    quote["order_type"] = order["order_type"]
    quote["tif"] = order["tif"]
    reason = barred(local, owner, msg, inst, slot, quote)
    if reason != 0:
        return deny(local, owner, msg, inst, reason, actions, 0)
    n = modify_order(local, owner, msg["ts"], slot, quote, np.int64(msg["lots"]), actions, 0)
    for i in range(n):
        if actions[i]["kind"] == ACTION_KIND.MODIFY:
            order["purpose"] = PURPOSE.MANUAL
            return n
    return deny(local, owner, msg, inst, local.set[owner]["deny_reason"], actions, n)


@inner_kernel
def cancel_manual(local, owner, msg, slot, actions):
    """Cancel an order by hand; one that the throttle holds back is asked for at decisions."""
    order = local.order[slot]
    inst = np.int64(order["inst"])
    if order["state"] < ORDER_STATE.SENT or order["state"] > ORDER_STATE.MODIFYING:
        return deny(local, owner, msg, inst, REASON.CHANGE_IN_FLIGHT, actions, 0)
    order["purpose"] = PURPOSE.UNWANTED
    reason = REASON.MANUAL if msg["seq"] == 0 else msg["seq"]
    n = cancel_order(local, owner, msg["ts"], slot, reason, actions, 0)
    for i in range(n):
        if actions[i]["kind"] == ACTION_KIND.CANCEL:
            return n
    return deny(local, owner, msg, inst, local.set[owner]["deny_reason"], actions, n)


@inner_kernel
def on_manual(local, owner, msg, actions):
    """Apply a request by hand. Returns the actions, or minus a Status where it makes no sense."""
    what = np.int64(msg["reason"])
    if what == ACTION_KIND.PLACE:
        if msg["inst"] < 0 or msg["inst"] >= local.instrument.shape[0]:
            return -STATUS.BAD_ROW
        return place_manual(local, owner, msg, actions)
    if what != ACTION_KIND.MODIFY and what != ACTION_KIND.CANCEL:
        return -STATUS.BAD_ROW
    slots = local.live.shape[1]
    slot = owner * slots + (msg["order_id"] & (slots - 1))
    order = local.order[slot]
    if order["order_id"] != msg["order_id"] or not is_live(order["state"]):
        return deny(local, owner, msg, 0, REASON.UNKNOWN_ORDER, actions, 0)
    if what == ACTION_KIND.MODIFY:
        return modify_manual(local, owner, msg, slot, actions)
    return cancel_manual(local, owner, msg, slot, actions)
