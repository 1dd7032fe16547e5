"""Messages a day and for each executed order: from 80 % of a limit slow, at the limit none.

A day is one of UTC. Cancels always leave: what a limit holds back is new orders and prices.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import ACTION_KIND, REASON
from mmquant.core.jit import inner_kernel, rare_kernel

DAY_NS = 86_400_000_000_000
FREELY, SLOWLY, NOT_AT_ALL = 0, 1, 2


@inner_kernel
def start_day(local, owner, ts):
    """Count from zero on a new day."""
    state = local.set[owner]
    day = ts // DAY_NS
    if day == state["day"]:
        return
    state["day"] = day
    state["messages_day"] = 0
    state["option_orders_day"] = 0
    state["executed_day"] = 0
    count = local.instrument.shape[0]
    for inst in range(count):
        local.traffic[owner * count + inst]["messages_day"] = 0


@rare_kernel
def count_message(local, owner, action):
    """Count an order message, and each order or change of an option."""
    kind = np.int64(action["kind"])
    if kind > ACTION_KIND.CANCEL:
        return
    inst = np.int64(action["inst"])
    start_day(local, owner, np.int64(action["ts"]))
    local.set[owner]["messages_day"] += 1
    local.traffic[owner * local.instrument.shape[0] + inst]["messages_day"] += 1
    if kind != ACTION_KIND.CANCEL and local.instrument[inst]["option"] != 0:
        local.set[owner]["option_orders_day"] += 1


@inner_kernel
def step_of(used, most):
    """How near a limit is; 0 is none."""
    if most == 0:
        return FREELY
    if used >= most:
        return NOT_AT_ALL
    return SLOWLY if 5 * used >= 4 * most else FREELY


@inner_kernel
def ratio_step(state):
    """How near the limit of messages for each executed order is."""
    messages = np.int64(state["messages_day"])
    if state["max_order_ratio"] == 0.0 or messages < state["order_ratio_from"]:
        return FREELY
    ratio = messages / (np.int64(state["executed_day"]) + 1.0)
    if ratio >= state["max_order_ratio"]:
        return NOT_AT_ALL
    return SLOWLY if ratio >= 0.8 * state["max_order_ratio"] else FREELY


@rare_kernel
def quota_reason(local, owner, inst, ts):
    """Reason why an instrument has no messages left today, QUOTA_SLOW near a limit, else 0."""
    state = local.set[owner]
    start_day(local, owner, ts)
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    step = step_of(np.int64(state["messages_day"]), np.int64(state["max_messages_day"]))
    most = np.int64(state["max_instrument_messages_day"])
    step = max(step, step_of(np.int64(line["messages_day"]), most))
    if local.instrument[inst]["option"] != 0:
        most = np.int64(state["max_option_orders_day"])
        step = max(step, step_of(np.int64(state["option_orders_day"]), most))
    ratio = ratio_step(state)
    line["slow"] = 1 if max(step, ratio) == SLOWLY else 0
    if step == NOT_AT_ALL:
        return REASON.PULL_QUOTA
    if ratio == NOT_AT_ALL:
        return REASON.PULL_ORDER_RATIO
    return REASON.QUOTA_SLOW if line["slow"] != 0 else REASON.NONE
