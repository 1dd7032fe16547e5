"""What an order must pass before it leaves: price, value, own orders of the other side, pace.

Each comparison is written so that a number that is none fails.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import ORDER_STATE, ORDER_TYPE, REASON
from mmquant.core.jit import inner_kernel
from mmquant.core.order_actions import cancel_order, refuse
from mmquant.core.own_orders import open_lots
from mmquant.core.ticks import price_of_tick
from mmquant.core.trouble import has_unknown

NONE = -1


@inner_kernel
def within_collar(local, owner, inst, tick, order_type):
    """Whether a price is near enough to the mid, and to the theo where one is given."""
    state = local.set[owner]
    if state["collar"] == math.inf:
        return True
    view, what = local.views[inst], local.instrument[inst]
    if order_type == ORDER_TYPE.MARKET:
        return math.isfinite(view["mid"])
    price = price_of_tick(what, tick, 0.0)
    mid = np.float64(view["mid"])
    most = max(state["collar"] * abs(mid), state["collar_ticks"] * view["tick_size"])
    if not abs(price - mid) <= most:
        return False
    return math.isnan(view["theo"]) or abs(price - view["theo"]) <= most


@inner_kernel
def within_value(local, owner, inst, tick, lots, order_type):
    """Whether an order's value, multiplier included, keeps to the limit."""
    most = np.float64(local.set[owner]["max_order_value"])
    if most == math.inf:
        return True
    what = local.instrument[inst]
    price = np.float64(local.views[inst]["mid"])
    if order_type != ORDER_TYPE.MARKET:
        price = price_of_tick(what, tick, 0.0)
    units = lots * what["lot_num"] / what["lot_den"]
    return abs(price) * units * what["multiplier"] <= most


@inner_kernel
def crosses(order, side, tick, order_type):
    """Whether an order at a price would meet an own one of the other side, wherever that is now."""
    if order["side"] == side:
        return False
    if order_type != ORDER_TYPE.LIMIT and order_type != ORDER_TYPE.POST_ONLY:
        return True
    if order["order_type"] != ORDER_TYPE.LIMIT and order["order_type"] != ORDER_TYPE.POST_ONLY:
        return True
    if side > 0:
        return min(np.int64(order["tick"]), np.int64(order["want_tick"])) <= tick
    return max(np.int64(order["tick"]), np.int64(order["want_tick"])) >= tick


@inner_kernel
def is_same(local, a, b):
    """Whether two instruments are one, or one stock or option series at two venues."""
    series = local.instrument[a]["series"]
    return a == b or (series != 0 and series == local.instrument[b]["series"])


@inner_kernel
def meets_own(local, owner, inst, side, tick, order_type):
    """Whether any own live order of the other side could be met."""
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if is_same(local, order["inst"], inst) and crosses(order, side, tick, order_type):
            return True
    return False


@inner_kernel
def clear_way(local, owner, ts, inst, side, tick, order_type, actions, n):
    """Cancel working orders that a wanted one would meet, unless they are wanted themselves."""
    for i in range(local.set[owner]["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        if not is_same(local, order["inst"], inst) or order["state"] != ORDER_STATE.WORKING:
            continue
        if order["keep"] == 0 and crosses(order, side, tick, order_type):
            n = cancel_order(local, owner, ts, slot, REASON.OWN_CROSS, actions, n)
    return n


@inner_kernel
def other_side_works(local, owner, inst, side):
    """Whether an order of the other side, own or not, may be working, at any venue of a series."""
    count = local.instrument.shape[0]
    for at in range(count):
        line = local.traffic[owner * count + at]
        others = line["external_sell"] if side > 0 else line["external_buy"]
        if others > 0 and is_same(local, at, inst):
            return True
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["side"] != side and is_same(local, order["inst"], inst):
            return True
    return False


@inner_kernel
def too_soon(local, owner, ts, inst, side):
    """Whether the side's last new order or price left less than the shortest interval ago.

    What leaves at the same time, the layers of one decision, counts as one.
    """
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    last = line["sent_buy_ts"] if side > 0 else line["sent_sell_ts"]
    return last != ts and ts - last < local.set[owner]["min_requote_ns"]


@inner_kernel
def repeats(local, owner, ts, inst, side, tick, lots):
    """Whether the same order was refused, or was sent and not answered, a short time ago."""
    window = np.int64(local.set[owner]["duplicate_window_ns"])
    if window == 0:
        return False
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    if side > 0:
        same = line["refused_buy_tick"] == tick and line["refused_buy_lots"] == lots
        when = line["refused_buy_ts"]
    else:
        same = line["refused_sell_tick"] == tick and line["refused_sell_lots"] == lots
        when = line["refused_sell_ts"]
    if same and ts - when < window:
        return True
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["inst"] != inst or order["side"] != side or order["ack_ts"] != 0:
            continue
        if order["tick"] == tick and order["lots"] == lots and ts - order["submit_ts"] < window:
            return True
    return False


@inner_kernel
def order_reason(local, owner, ts, slot, quote, lots):
    """Reason why an order may not leave now; 0 if it may.

    ``lots`` are those left to fill, ``slot`` the order that is moved, NONE for a new one. Less at
    the same price need not wait.
    """
    state = local.set[owner]
    inst, side = np.int64(quote["inst"]), np.int64(quote["side"])
    tick, order_type = np.int64(quote["tick"]), np.int64(quote["order_type"])
    if has_unknown(local, owner, inst, side):
        return REASON.PULL_RECONCILING
    if state["checks"] == 0:
        return REASON.NONE
    if not within_collar(local, owner, inst, tick, order_type):
        return REASON.COLLAR
    if not within_value(local, owner, inst, tick, lots, order_type):
        return REASON.TOO_LARGE
    if state["own_cross"] != 0 and meets_own(local, owner, inst, side, tick, order_type):
        return REASON.OWN_CROSS
    if state["one_side"] != 0 and local.instrument[inst]["option"] != 0:
        if other_side_works(local, owner, inst, side):
            return REASON.PULL_OTHER_SIDE
    if slot == NONE:
        if repeats(local, owner, ts, inst, side, tick, lots):
            return REASON.DUPLICATE_INTENT
    else:
        order = local.order[slot]
        if order["tick"] == tick and lots <= open_lots(order):
            return REASON.NONE
    if too_soon(local, owner, ts, inst, side):
        return REASON.TOO_SOON
    return REASON.NONE


@inner_kernel
def refuse_order(local, owner, ts, quote, reason, actions, n):
    """Keep an order back, count why, and clear its way of own orders."""
    inst, side = np.int64(quote["inst"]), np.int64(quote["side"])
    if reason == REASON.OWN_CROSS:
        tick, order_type = np.int64(quote["tick"]), np.int64(quote["order_type"])
        n = clear_way(local, owner, ts, inst, side, tick, order_type, actions, n)
    return refuse(local, owner, ts, inst, side, reason, actions, n)
