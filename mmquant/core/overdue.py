"""Answers that do not come: the order is UNKNOWN, and is asked after with growing pauses."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import (
    ACTION_KIND,
    NEVER,
    ORDER_EVENT,
    ORDER_STATE,
    REASON,
    SESSION,
)
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.order_actions import cancel_order, notice, order_action, throttled
from mmquant.core.orders import next_state
from mmquant.core.own_orders import overdue_at, set_state

MOST_DOUBLINGS = 6


@inner_kernel
def pause(timeout, tries):
    """Time until the next question: twice the last one, up to 64 times the time-out."""
    return timeout << min(tries, np.int64(MOST_DOUBLINGS))


@inner_kernel
def ask_after(local, owner, ts, slot, reason, actions, n):
    """Ask the broker what became of an order, and send its cancel again if one was sent.

    The question leaves the reserve to cancels, and does not keep the cancel back. Without a
    time-out it is asked once.
    """
    order = local.order[slot]
    state = local.set[owner]
    before = n
    if not throttled(local, owner, ts, np.int64(state["cancel_reserve"])):
        n = order_action(local, owner, ts, slot, ACTION_KIND.QUERY, reason, actions, n)
    if order["ending"] != 0 and not throttled(local, owner, ts, 0):
        n = order_action(
            local, owner, ts, slot, ACTION_KIND.CANCEL, REASON.CANCEL_TIMEOUT, actions, n
        )
    if n == before:
        return n
    order["queries"] += 1
    timeout = np.int64(state["ack_timeout_ns"])
    if timeout == 0:
        timeout = np.int64(state["cancel_timeout_ns"])
    order["due_ts"] = overdue_at(ts, pause(timeout, np.int64(order["queries"])))
    return n


@inner_kernel
def ask_all(local, owner, ts, actions, n):
    """Ask the broker for everything, again and again until all answers have come."""
    state = local.set[owner]
    if state["link"] == SESSION.UP and ts >= state["resync_due"]:
        n = notice(local, owner, ts, ACTION_KIND.QUERY, 0, REASON.PULL_RECONCILING, actions, n)
        state["resync_tries"] += 1
        timeout = np.int64(state["ack_timeout_ns"])
        state["resync_due"] = np.int64(NEVER)
        if timeout > 0:
            state["resync_due"] = ts + pause(timeout, np.int64(state["resync_tries"]))
    state["next_due"] = state["resync_due"]
    return n


@rare_kernel
def chase_overdue(local, owner, ts, actions, n):
    """Give up waiting for what is overdue, ask after it, and note when to look again."""
    state = local.set[owner]
    if state["link"] != 0:
        return ask_all(local, owner, ts, actions, n)
    soonest = np.int64(NEVER)
    told = False
    for i in range(state["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        before = np.int64(order["state"])
        if order["due_ts"] <= ts and before == ORDER_STATE.WORKING:
            n = cancel_order(local, owner, ts, slot, REASON.LIFETIME, actions, n)
        elif order["due_ts"] <= ts:
            late_cancel = before == ORDER_STATE.CANCELLING or order["ending"] != 0
            why = REASON.CANCEL_TIMEOUT if late_cancel else REASON.ACK_TIMEOUT
            if before != ORDER_STATE.UNKNOWN:
                set_state(local, owner, order, next_state(before, ORDER_EVENT.TIMEOUT), ts)
                order["due_ts"] = ts
                state["timeouts"] += 1
                if not told:
                    inst = np.int64(order["inst"])
                    n = notice(local, owner, ts, ACTION_KIND.ALERT, inst, why, actions, n)
                    told = True
            n = ask_after(local, owner, ts, slot, why, actions, n)
        soonest = min(soonest, np.int64(order["due_ts"]))
    state["next_due"] = soonest
    return n
