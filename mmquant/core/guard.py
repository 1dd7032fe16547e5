"""The risk guard of a set: limits of scopes are held at each decision, softly and hard.

Comparisons are written so that a number that is none fails: what cannot be known is not quoted.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.breakers import judge_market, note_prices
from mmquant.core.dtypes import REASON
from mmquant.core.exposure import limit_reason, measure
from mmquant.core.guard_state import LINEAR, MEASURES, POSITION, SHARES
from mmquant.core.hedging import judge_deltas
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.order_actions import tell
from mmquant.core.protection import judge_protection


@inner_kernel
def is_soft(scope, value, m, side):
    """Whether a linear measure is near the bound that a side (of the measure) leads to."""
    bound = scope["high"][m] if side > 0 else -scope["low"][m]
    return 0.0 < bound < math.inf and side * value >= scope["soft_fraction"] * bound


@inner_kernel
def soften(line, buy, sell):
    """Let the quotes of an instrument's sides be smaller and wider."""
    if buy:
        line["soft_buy"] = 1
    if sell:
        line["soft_sell"] = 1


@inner_kernel
def soft_sides(scope, state, line):
    """Find the sides of an instrument that lead further towards a limit that is near."""
    lots = line["seen_lots"]
    for m in range(MEASURES):
        if scope["used"][m] == 0:
            continue
        value = state["value"][m]
        if m >= LINEAR:
            if is_soft(scope, value, m, 1):
                soften(line, lots >= 0, lots <= 0)
            continue
        k = line["coef"][m]
        up, down = is_soft(scope, value, m, 1), is_soft(scope, value, m, -1)
        if m == POSITION or m == SHARES:
            up |= value > scope["target_high"]
            down |= value < scope["target_low"]
        soften(line, (up and k > 0.0) or (down and k < 0.0), (up and k < 0.0) or (down and k > 0.0))


@inner_kernel
def scope_equity(local, owner, s):
    """Realized and unrealized gain of a scope, held at the price that it could be closed at."""
    guard = local.guard
    count = local.instrument.shape[0]
    total = 0.0
    for inst in range(count):
        if guard.member[s, inst] == 0:
            continue
        position, line = local.position[owner * count + inst], guard.line[owner * count + inst]
        total += position["cash"] - position["fees"]
        if position["lots"] != 0:
            mark = line["bid"] if position["lots"] > 0 else line["ask"]
            total += position["units"] * local.instrument[inst]["multiplier"] * mark
    return total


@inner_kernel
def note_peak(state, ts, confirm_ns):
    """Raise the peak to what the equity has not fallen below for the confirmation time."""
    equity = state["equity"]
    if not state["peak"] >= equity:
        if state["above_since"] < 0 or not math.isfinite(state["peak"]):
            state["above_since"] = ts
            state["above_min"] = equity
        state["above_min"] = min(state["above_min"], equity)
        if ts - state["above_since"] >= confirm_ns or not math.isfinite(state["peak"]):
            state["peak"] = state["above_min"]
            state["above_since"] = -1
    else:
        state["above_since"] = -1


@inner_kernel
def money_reason(local, owner, s, ts):
    """Latch a loss or a fall from the peak that has lasted; returns a Reason or 0."""
    scope = local.guard.scope[s]
    state = local.guard.scope_state[owner * local.guard.scope.shape[0] + s]
    confirm = local.guard.param[0]["loss_confirm_ns"]
    state["equity"] = scope_equity(local, owner, s)
    if state["latched"] != 0:
        return np.int64(state["latched"])
    if not math.isfinite(state["equity"]):
        return np.int64(REASON.PULL_NO_MARK)
    note_peak(state, ts, confirm)
    if state["equity"] > -scope["max_loss"]:
        state["loss_since"] = -1
    elif state["loss_since"] < 0:
        state["loss_since"] = ts
    if state["peak"] - state["equity"] < scope["max_drawdown"]:
        state["fall_since"] = -1
    elif state["fall_since"] < 0:
        state["fall_since"] = ts
    if state["loss_since"] >= 0 and ts - state["loss_since"] >= confirm:
        state["latched"] = REASON.PULL_LOSS
    elif state["fall_since"] >= 0 and ts - state["fall_since"] >= confirm:
        state["latched"] = REASON.PULL_DRAWDOWN
    return np.int64(state["latched"])


@inner_kernel
def money_is_soft(scope, state):
    """Whether a loss or a fall from the peak is near its limit."""
    lost, fell = -state["equity"], state["peak"] - state["equity"]
    return (
        lost >= scope["soft_fraction"] * scope["max_loss"]
        or fell >= scope["soft_fraction"] * scope["max_drawdown"]
    )


@inner_kernel
def captures_too_little(local, owner, s, ts):
    """Whether the fills of the window earned less of the spread than they must."""
    guard = local.guard
    least = guard.scope[s]["min_capture"]
    if least == -math.inf:
        return False
    rows = guard.recent.shape[1]
    fills = guard.own[owner]["fills"]
    value, captured, found = 0.0, 0.0, 0
    for i in range(min(fills, rows)):
        row = guard.recent[owner, (fills - 1 - i) % rows]
        if row["ts"] <= ts - guard.param[0]["capture_window_ns"]:
            break
        if guard.member[s, row["inst"]] != 0:
            value += row["value"]
            captured += row["captured"]
            found += 1
    if found < guard.param[0]["capture_fills"]:
        return False
    return not captured >= least * value


@inner_kernel
def scope_reason(local, owner, s, ts):
    """Reason why nothing may be quoted in a scope; 0 if all its limits hold."""
    guard = local.guard
    scope, state = guard.scope[s], guard.scope_state[owner * guard.scope.shape[0] + s]
    if scope["money"] != 0:
        reason = money_reason(local, owner, s, ts)
        if reason != 0:
            return reason
    for m in range(MEASURES):
        if scope["used"][m] == 0:
            continue
        value = state["value"][m]
        if not (value >= scope["low"][m] and value <= scope["high"][m]):
            return np.int64(limit_reason(m))
    if captures_too_little(local, owner, s, ts):
        return np.int64(REASON.PULL_CAPTURE)
    return np.int64(0)


@inner_kernel
def knows_value(scope, state):
    """Whether all that a scope limits is known: what is not cannot be flattened by."""
    for m in range(MEASURES):
        if scope["used"][m] != 0 and not math.isfinite(state["value"][m]):
            return False
    return True


@inner_kernel
def judge_scope(local, owner, s, ts, actions, n):
    """Hold one scope's limits against its measures: block, flatten or soften its instruments."""
    guard = local.guard
    scope, state = guard.scope[s], guard.scope_state[owner * guard.scope.shape[0] + s]
    instruments = local.instrument.shape[0]
    reason = scope_reason(local, owner, s, ts)
    if reason != state["reason"]:
        told = reason if reason != 0 else np.int64(state["reason"])
        first = np.int64(scope["first"])
        n = tell(local, owner, ts, first, told, 1 if reason != 0 else 0, actions, n)
        state["reason"] = reason
    flatten = reason != 0 and scope["flattens"] != 0 and reason != REASON.PULL_NO_MARK
    flatten &= knows_value(scope, state)
    soft_money = scope["money"] != 0 and money_is_soft(scope, state)
    soft = soft_money
    for inst in range(instruments):
        if guard.member[s, inst] == 0:
            continue
        line = guard.line[owner * instruments + inst]
        if reason != 0 and local.views[inst]["blocked"] <= 0:
            local.views[inst]["blocked"] = reason
        if flatten:
            line["flatten"] = 1
            guard.own[owner]["flattening"] = 1
        buy, sell = line["soft_buy"], line["soft_sell"]
        line["soft_buy"] = 0
        line["soft_sell"] = 0
        soften(line, soft_money, soft_money)
        soft_sides(scope, state, line)
        soft |= line["soft_buy"] != 0 or line["soft_sell"] != 0
        soften(line, buy != 0, sell != 0)
    if soft != (state["soft"] != 0):
        state["soft"] = 1 if soft else 0
        first = np.int64(scope["first"])
        n = tell(local, owner, ts, first, REASON.SOFT_LIMIT, state["soft"], actions, n)
    return n


@rare_kernel
def shape_quotes(local, owner, wanted):
    """Shrink and widen the wanted quotes of sides that lead towards a limit that is near."""
    guard = local.guard
    param = guard.param[0]
    for q in range(wanted):
        quote = local.quote[q]
        if quote["side"] == 0:
            continue
        inst = np.int64(quote["inst"])
        line = guard.line[owner * local.instrument.shape[0] + inst]
        if (line["soft_buy"] if quote["side"] > 0 else line["soft_sell"]) == 0:
            continue
        quote["tick"] -= quote["side"] * param["soft_widen_ticks"]
        factor = param["soft_size_factor"]
        least = 1 if factor > 0.0 else 0
        quote["lots"] = max(np.int64(math.floor(quote["lots"] * factor)), least)
        if quote["lots"] > 0 and quote["tick"] >= local.instrument[inst]["min_tick"]:
            continue
        view = local.views[inst]
        if quote["side"] > 0:
            view["why_no_bid"] = REASON.SOFT_LIMIT
        else:
            view["why_no_ask"] = REASON.SOFT_LIMIT
        local.refusals[owner, REASON.SOFT_LIMIT] += 1
        quote["side"] = 0


@rare_kernel
def guard_decide(local, owner, ts, actions, n):
    """Find for each instrument whether the guard lets it be quoted: ``blocked`` of its view."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    for inst in range(instruments):
        line = guard.line[owner * instruments + inst]
        line["soft_buy"] = 0
        line["soft_sell"] = 0
        n = judge_market(local, owner, inst, ts, actions, n)
        note_prices(local, owner, inst)
    measure(local, owner, ts)
    for s in range(guard.scope.shape[0]):
        n = judge_scope(local, owner, s, ts, actions, n)
    n = judge_deltas(local, owner, ts, actions, n)
    n = judge_protection(local, owner, ts, actions, n)
    if guard.own[owner]["flattening"] != 0:
        for inst in range(instruments):
            if guard.line[owner * instruments + inst]["flatten"] != 0:
                local.views[inst]["blocked"] = REASON.PULL_FLATTEN
                stock = guard.inst[inst]["stock"]
                if stock >= 0:  # it hedges: a quote in it would be hedged away
                    local.views[stock]["blocked"] = REASON.PULL_FLATTEN
    for inst in range(instruments):
        blocked = local.views[inst]["blocked"]
        guard.line[owner * instruments + inst]["blocked"] = blocked if blocked > 0 else 0
    return n
