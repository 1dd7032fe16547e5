"""What the broker says beside order messages: the link, positions, others' orders."""

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
from mmquant.core.jit import inner_kernel
from mmquant.core.local import stir
from mmquant.core.order_actions import notice, pull_all
from mmquant.core.orders import next_state
from mmquant.core.overdue import ask_all
from mmquant.core.own_orders import change_open, set_state
from mmquant.core.trouble import note_trouble


@inner_kernel
def lose_link(local, owner, ts):
    """Nothing confirms any more what becomes of the live orders."""
    state = local.set[owner]
    state["link"] = SESSION.DOWN
    state["resync_due"] = NEVER
    for i in range(state["live"]):
        order = local.order[local.live[owner, i]]
        after = next_state(np.int64(order["state"]), ORDER_EVENT.DISCONNECT)
        set_state(local, owner, order, after, ts)
        order["due_ts"] = NEVER
    count = local.instrument.shape[0]
    for inst in range(count):
        local.traffic[owner * count + inst]["recovering"] = 1
    note_trouble(local, owner)


@inner_kernel
def all_answered(local, owner, ts):
    """The broker has said all: orders that are still UNKNOWN are asked after one by one."""
    state = local.set[owner]
    state["link"] = 0
    state["resync_due"] = NEVER
    for i in range(state["live"]):
        order = local.order[local.live[owner, i]]
        if order["state"] == ORDER_STATE.UNKNOWN:
            order["due_ts"] = ts
    state["next_due"] = ts
    note_trouble(local, owner)


@inner_kernel
def set_stale(local, owner, inst, stale):
    """Note whether the market data of an instrument (-1: of all) are stale."""
    count = local.instrument.shape[0]
    for i in range(count):
        if inst < 0 or i == inst:
            local.traffic[owner * count + i]["stale"] = stale
    note_trouble(local, owner)


@inner_kernel
def on_session(local, owner, msg, actions):
    """Apply a SESSION message. Returns the actions, or -1 if it cannot be.

    After a lost link nothing new leaves until RESYNCED, which counts only once the link is up.
    """
    state = local.set[owner]
    ts = np.int64(msg["ts"])
    what = np.int64(msg["reason"])
    inst = np.int64(msg["inst"])
    if what == SESSION.DOWN:
        lose_link(local, owner, ts)
        alert = ACTION_KIND.ALERT
        return notice(local, owner, ts, alert, 0, REASON.PULL_DISCONNECTED, actions, 0)
    if what == SESSION.UP:
        state["link"] = SESSION.UP
        state["resync_due"] = ts
        state["resync_tries"] = 0
        note_trouble(local, owner)
        return ask_all(local, owner, ts, actions, 0)
    if what == SESSION.RESYNCED:
        if state["link"] == SESSION.UP:
            all_answered(local, owner, ts)
        return 0
    if inst < -1 or inst >= local.instrument.shape[0]:
        return -1
    if what == SESSION.DATA_STALE:
        set_stale(local, owner, inst, 1)
        return pull_all(local, owner, ts, inst, REASON.PULL_STALE, actions, 0)
    if what == SESSION.DATA_FRESH:
        set_stale(local, owner, inst, 0)
        return 0
    return -1


@inner_kernel
def on_position(local, owner, msg, actions):
    """Compare the broker's position with ours; one that differs blocks its instrument.

    An execution may have been missed: the broker is asked for all once.
    """
    inst = np.int64(msg["inst"])
    count = local.instrument.shape[0]
    if inst < 0 or inst >= count:
        return -1
    line = local.traffic[owner * count + inst]
    known = line["differs"] != 0
    line["broker_lots"] = msg["lots"]
    differs = np.int64(msg["lots"]) != local.position[owner * count + inst]["lots"]
    line["differs"] = 1 if differs else 0
    if not differs and not known:
        return 0
    note_trouble(local, owner)
    if not differs:
        return 0
    ts, reason = np.int64(msg["ts"]), REASON.PULL_POSITION
    n = pull_all(local, owner, ts, inst, reason, actions, 0)
    if not known:
        n = notice(local, owner, ts, ACTION_KIND.ALERT, inst, reason, actions, n)
        n = notice(local, owner, ts, ACTION_KIND.QUERY, 0, reason, actions, n)
    return n


@inner_kernel
def on_external(local, owner, msg):
    """Count what others have working on a side as exposure. Returns 0, or -1 if it cannot be."""
    inst = np.int64(msg["inst"])
    count = local.instrument.shape[0]
    lots = np.int64(msg["lots"])
    if inst < 0 or inst >= count or lots < 0 or (msg["side"] != 1 and msg["side"] != -1):
        return -1
    line = local.traffic[owner * count + inst]
    if msg["side"] > 0:
        change_open(local, owner, inst, 1, lots - line["external_buy"])
        line["external_buy"] = lots
    else:
        change_open(local, owner, inst, -1, lots - line["external_sell"])
        line["external_sell"] = lots
    stir(local, owner)
    return 0
