"""Hedges of an underlying's delta, and working out of a book that is to be closed.

All leave as limit orders with a collar, never as market orders, one at a time, and none is larger
than what it reduces: no position is flipped. Hard limits hold for them too, but that one closing
lot leaves where none fits and nothing else is under way. A flatten first cancels what is quoted,
the stock that hedges included, hedges the delta to nothing, and closes options; what is left of the
stock then is delta too.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import (
    ACTION_KIND,
    NEVER,
    ORDER_TYPE,
    PURPOSE,
    REASON,
    TIME_IN_FORCE,
)
from mmquant.core.exposure import ENOUGH, closing_lots
from mmquant.core.guard_state import DELTA
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.order_actions import place_order, refuse, tell
from mmquant.core.order_checks import NONE, order_reason, refuse_order
from mmquant.core.orders import is_live
from mmquant.core.risk import room_lots, room_reason


@inner_kernel
def find_order(local, owner, order_id):
    """Slot of an order that is still known, or -1."""
    slots = local.live.shape[1]
    slot = owner * slots + (order_id & (slots - 1))
    return slot if order_id != 0 and local.order[slot]["order_id"] == order_id else -1


@inner_kernel
def send_order(local, owner, ts, inst, side, tick, lots, life_ns, reason, purpose, actions, n):
    """Send an order of the guard: immediate or cancel, or with a life. Returns the actions.

    It passes the checks of all orders but the pause between quotes.
    """
    quote = local.guard.quote[0]
    quote["expire_ts"] = ts + life_ns if life_ns > 0 else np.int64(NEVER)
    quote["tick"] = tick
    quote["lots"] = lots
    quote["inst"] = inst
    quote["side"] = side
    quote["order_type"] = ORDER_TYPE.LIMIT
    quote["tif"] = TIME_IN_FORCE.GTD if life_ns > 0 else TIME_IN_FORCE.IOC
    quote["reason"] = reason
    why = np.int64(order_reason(local, owner, ts, NONE, quote, lots))
    if why != 0 and why != REASON.TOO_SOON:
        return refuse_order(local, owner, ts, quote, why, actions, n)
    before = n
    n = place_order(local, owner, ts, quote, lots, actions, n)
    if n > before and actions[n - 1]["kind"] == ACTION_KIND.PLACE:
        slot = find_order(local, owner, np.int64(actions[n - 1]["order_id"]))
        local.order[slot]["purpose"] = purpose
    return n


@inner_kernel
def delta_of(local, owner, g):
    """Delta of an underlying; NaN where one that is held is not known."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    total = 0.0
    for inst in range(instruments):
        lots = local.position[owner * instruments + inst]["lots"]
        if guard.inst[inst]["underlying"] != g or lots == 0:
            continue
        total += lots * guard.line[owner * instruments + inst]["coef"][DELTA]
    return total


@inner_kernel
def judge_deltas(local, owner, ts, actions, n):
    """Find the delta of each underlying; one that must be hedged and is not known is not quoted."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    for g in range(groups):
        group = guard.group[owner * groups + g]
        group["delta"] = delta_of(local, owner, g)
        blind = guard.param[0]["hedges"] != 0 and not math.isfinite(group["delta"])
        first = np.int64(-1)
        for inst in range(instruments):
            if guard.inst[inst]["underlying"] != g:
                continue
            first = np.int64(inst) if first < 0 else first
            if blind and local.views[inst]["blocked"] <= 0:
                local.views[inst]["blocked"] = REASON.PULL_GREEKS
        if blind != (group["blind"] != 0):
            group["blind"] = 1 if blind else 0
            n = tell(local, owner, ts, first, REASON.PULL_GREEKS, group["blind"], actions, n)
    return n


@inner_kernel
def stock_of(local, g):
    """The instrument that hedges an underlying, or -1."""
    guard = local.guard
    for inst in range(local.instrument.shape[0]):
        if guard.inst[inst]["underlying"] == g:
            return guard.inst[inst]["stock"]
    return np.int64(-1)


@inner_kernel
def excess_delta(param, delta, flatten):
    """Delta to be traded away: outside the band, to its edge or to the target; NaN if unknown."""
    if flatten:
        return delta
    if not math.isfinite(delta):
        return math.nan
    if delta >= param["hedge_low"] and delta <= param["hedge_high"]:
        return 0.0
    if param["hedge_to_target"] != 0:
        return delta - param["hedge_target"]
    return delta - min(max(delta, param["hedge_low"]), param["hedge_high"])


@inner_kernel
def hedge_lots(excess, each, delta, target):
    """Lots of the hedge that bring delta back: enough to be inside, never past the target."""
    size = abs(each)
    if not (size > 0.0 and math.isfinite(excess / size)) or abs(excess) / size >= ENOUGH:
        return np.int64(0)
    enough = np.int64(math.ceil(abs(excess) / size - 1e-9))
    most = np.int64(math.floor(abs(delta - target) / size + 1e-9))
    return min(enough, most)


@inner_kernel
def collared_tick(view, side, ticks):
    """Worst tick that a marketable order may trade at."""
    if side > 0:
        return np.int64(view["best_ask"]) + ticks
    return np.int64(view["best_bid"]) - ticks


@inner_kernel
def judge_hedge(local, owner, g, ts, actions, n):
    """See what became of the last hedge; too many that traded nothing stop the underlying."""
    guard = local.guard
    groups = guard.group.shape[0] // guard.own.shape[0]
    group = guard.group[owner * groups + g]
    slot = find_order(local, owner, np.int64(group["hedge_order"]))
    if slot >= 0 and is_live(local.order[slot]["state"]):
        return n
    filled = slot >= 0 and local.order[slot]["filled"] > 0
    group["hedge_order"] = 0
    group["hedge_fails"] = 0 if filled else group["hedge_fails"] + 1
    if group["hedge_fails"] >= guard.param[0]["hedge_tries"] and group["unhedged"] == 0:
        group["unhedged"] = REASON.HEDGE
        stock = max(np.int64(stock_of(local, g)), np.int64(0))
        n = tell(local, owner, ts, stock, REASON.HEDGE, 1, actions, n)
    return n


@inner_kernel
def hedge_group(local, owner, g, ts, actions, n):
    """Hedge one underlying, if its delta is outside the band and nothing stands against it."""
    guard = local.guard
    param = guard.param[0]
    instruments = local.instrument.shape[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    group = guard.group[owner * groups + g]
    flatten = group["flatten"] != 0
    group["residual"] = excess_delta(param, group["delta"], flatten)
    if group["hedge_order"] != 0:
        n = judge_hedge(local, owner, g, ts, actions, n)
    if group["hedge_order"] != 0 or group["unhedged"] != 0:
        return n
    if not abs(group["residual"]) > 0.0 or ts < group["hedge_ts"]:
        return n
    stock = np.int64(stock_of(local, g))
    if stock < 0 or guard.line[owner * instruments + stock]["market"] != 0:
        return n
    each = np.float64(guard.line[owner * instruments + stock]["coef"][DELTA])
    target = 0.0 if flatten else np.float64(param["hedge_target"])
    if not flatten and param["hedge_to_target"] == 0:
        target = min(max(target, param["hedge_low"]), param["hedge_high"])
    lots = hedge_lots(np.float64(group["residual"]), each, np.float64(group["delta"]), target)
    side = np.int64(-1) if group["residual"] * each > 0.0 else np.int64(1)
    if flatten:
        position = local.position[owner * instruments + stock]
        lots -= np.int64(position["open_buy"] if side > 0 else position["open_sell"])
    lots = min(lots, np.int64(local.set[owner]["max_order_lots"]))
    room = room_lots(local, owner, stock, side)
    if lots > 0 and room <= 0:
        why = room_reason(local, owner, stock, side)
        return refuse(local, owner, ts, stock, side, why, actions, n)
    lots = min(lots, room)
    if lots <= 0:
        return n
    slippage = param["flatten_slippage_ticks"] if flatten else param["hedge_slippage_ticks"]
    tick = collared_tick(local.views[stock], side, slippage)
    reason, before = REASON.HEDGE, n
    n = send_order(local, owner, ts, stock, side, tick, lots, 0, reason, PURPOSE.HEDGE, actions, n)
    if n > before and actions[n - 1]["kind"] == ACTION_KIND.PLACE:
        group["hedge_order"] = actions[n - 1]["order_id"]
        group["hedge_ts"] = ts + param["hedge_interval_ns"]
    return n


@inner_kernel
def patient_tick(view, side, ticks):
    """Price at the other side's best, but no further from the mid than the collar."""
    twice = np.int64(view["best_bid"]) + np.int64(view["best_ask"])
    if side > 0:
        return min(np.int64(view["best_ask"]), (twice >> 1) + ticks)
    return max(np.int64(view["best_bid"]), ((twice + 1) >> 1) - ticks)


@inner_kernel
def close_position(local, owner, inst, ts, actions, n):
    """Work out of one position by a collared limit order that never closes more than is held."""
    guard = local.guard
    param = guard.param[0]
    at = owner * local.instrument.shape[0] + inst
    line, position, view = guard.line[at], local.position[at], local.views[inst]
    held = np.int64(position["lots"])
    if held == 0 or line["market"] != 0:
        return n
    slot = find_order(local, owner, np.int64(line["work_order"]))
    if slot >= 0 and is_live(local.order[slot]["state"]):
        return n
    side = np.int64(-1) if held > 0 else np.int64(1)
    lots = abs(held) - np.int64(position["open_sell"] if held > 0 else position["open_buy"])
    lots = min(lots, np.int64(local.set[owner]["max_order_lots"]))
    if lots > 0:
        lots = closing_lots(local, owner, inst, side, lots)
    if lots <= 0:
        return n
    life, tick = np.int64(param["flatten_life_ns"]), np.int64(0)
    if guard.inst[inst]["option"] != 0:
        tick = patient_tick(view, side, param["flatten_slippage_ticks"])
    else:
        life = np.int64(0)
        tick = collared_tick(view, side, param["flatten_slippage_ticks"])
    reason, before = REASON.FLATTEN, n
    n = send_order(
        local, owner, ts, inst, side, tick, lots, life, reason, PURPOSE.FLATTEN, actions, n
    )
    if n > before and actions[n - 1]["kind"] == ACTION_KIND.PLACE:
        line["work_order"] = actions[n - 1]["order_id"]
        line["work_ts"] = ts
    return n


@inner_kernel
def note_flattening(local, owner, g):
    """Find whether an underlying is being flattened, and whether options of it are still held."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    group = guard.group[owner * groups + g]
    group["flatten"] = 0
    options = False
    for inst in range(instruments):
        at = owner * instruments + inst
        if guard.inst[inst]["underlying"] == g:
            if guard.line[at]["flatten"] != 0:
                group["flatten"] = 1
            options |= guard.inst[inst]["option"] != 0 and local.position[at]["lots"] != 0
    return options


@inner_kernel
def leaves_hedge(local, owner, g):
    """Whether an underlying is flattened but for its stock, so that nothing else closes a hedge."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    stock = np.int64(stock_of(local, g))
    if guard.group[owner * groups + g]["flatten"] == 0 or stock < 0:
        return False
    return guard.line[owner * instruments + stock]["flatten"] == 0


@rare_kernel
def hedge_and_flatten(local, owner, ts, actions, n):
    """Hedge each underlying, and work out of all that is to be flattened."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    flattening = guard.own[owner]["flattening"] != 0
    groups = guard.group.shape[0] // guard.own.shape[0]
    for g in range(groups):
        group = guard.group[owner * groups + g]
        options = note_flattening(local, owner, g) if flattening else False
        hedges = guard.param[0]["hedges"] != 0 and group["flatten"] == 0
        if hedges or options or leaves_hedge(local, owner, g):
            n = hedge_group(local, owner, g, ts, actions, n)
        if group["flatten"] == 0:
            continue
        for inst in range(instruments):
            if guard.inst[inst]["underlying"] != g:
                continue
            line = guard.line[owner * instruments + inst]
            stock = guard.inst[inst]["option"] == 0
            if line["flatten"] != 0 and (not stock or not options):
                n = close_position(local, owner, inst, ts, actions, n)
    return n
