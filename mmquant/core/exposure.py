"""Measures of the guard's scopes, how far fills could take them, and the room that limits leave.

Worst case of a measure: of all orders that are open, in flight, UNKNOWN or of others, those fill
that push it up (or down), and no other. Whatever is sent keeps to the limits in that case, so no
order of fills can breach them. Comparisons are written so that a number that is none fails.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NEVER, REASON
from mmquant.core.guard_state import (
    DELTA,
    GAMMA,
    GROSS,
    LINEAR,
    MEASURES,
    NET,
    NET_DELTA,
    POSITION,
    SHARES,
    VEGA,
)
from mmquant.core.jit import inner_kernel, rare_kernel

ENOUGH = 2**60
"""Room where no limit binds. [lots]"""
ROUNDING = 1e-9
"""Part of a lot that rounding may have taken."""


@inner_kernel
def greek_of(guard, line, inst, which, ts):
    """Delta, gamma or vega of one unit (0, 1, 2); NaN where it is not known or its time is over.

    What is no option has a delta of 1, and no gamma or vega, where nobody says otherwise.
    """
    if ts < line["greek_until"][which]:
        return line["greek"][which]
    if guard.inst[inst]["option"] != 0 or line["greek_until"][which] != 0:
        return math.nan
    return 1.0 if which == 0 else 0.0


@inner_kernel
def note_coefficients(local, owner, inst, ts):
    """Find what one lot of an instrument adds to each measure."""
    guard = local.guard
    what = local.instrument[inst]
    at = owner * local.instrument.shape[0]
    line = guard.line[at + inst]
    unit = what["lot_num"] / what["lot_den"]
    worth = unit * what["multiplier"]
    delta = greek_of(guard, line, inst, 0, ts)
    stock = guard.inst[inst]["stock"]
    spot = guard.line[at + stock]["mid"] if stock >= 0 else math.nan
    if guard.inst[inst]["option"] == 0:
        spot = line["mid"]
    coef = line["coef"]
    coef[POSITION] = unit
    coef[SHARES] = worth
    coef[NET] = worth * line["mid"]
    coef[NET_DELTA] = worth * delta * spot
    coef[DELTA] = worth * delta
    coef[GAMMA] = worth * greek_of(guard, line, inst, 1, ts)
    coef[VEGA] = worth * greek_of(guard, line, inst, 2, ts)


@inner_kernel
def gross_of(measure):
    """The measure whose sizes a gross one adds up."""
    return NET if measure == GROSS else NET_DELTA


@inner_kernel
def add_measures(scope, state, coef, lots, buy, sell, sign):
    """Add (or with ``sign`` -1 take off) an instrument's part of a scope's measures."""
    if lots == 0 and buy == 0 and sell == 0:
        return
    for m in range(MEASURES):
        if scope["used"][m] == 0:
            continue
        if m < LINEAR:
            k = coef[m]
            up, down = (buy, sell) if k > 0.0 else (-sell, -buy)
            state["up"][m] += sign * k * (lots + up)
            state["down"][m] += sign * k * (lots - down)
            state["value"][m] += sign * k * lots
        else:
            k = abs(coef[gross_of(m)])
            state["up"][m] += sign * k * max(abs(lots + buy), abs(lots - sell))
            state["value"][m] += sign * k * abs(lots)


@inner_kernel
def note_open(local, owner, inst):
    """Bring the measures up to date with what is open in an instrument now."""
    guard = local.guard
    at = owner * local.instrument.shape[0] + inst
    line, position = guard.line[at], local.position[at]
    lots, buy, sell = position["lots"], position["open_buy"], position["open_sell"]
    if lots == line["seen_lots"] and buy == line["seen_buy"] and sell == line["seen_sell"]:
        return
    count = guard.scope.shape[0]
    for s in range(count):
        if guard.member[s, inst] == 0:
            continue
        scope, state = guard.scope[s], guard.scope_state[owner * count + s]
        seen = (line["seen_lots"], line["seen_buy"], line["seen_sell"])
        add_measures(scope, state, line["coef"], seen[0], seen[1], seen[2], -1.0)
        add_measures(scope, state, line["coef"], lots, buy, sell, 1.0)
    line["seen_lots"] = lots
    line["seen_buy"] = buy
    line["seen_sell"] = sell


@inner_kernel
def note_all_open(local, owner):
    """Bring the measures up to date outside a decision, when fills may have come anywhere."""
    for inst in range(local.instrument.shape[0]):
        note_open(local, owner, inst)


@inner_kernel
def measure(local, owner, ts):
    """Add up all measures of all scopes anew."""
    guard = local.guard
    instruments, count = local.instrument.shape[0], guard.scope.shape[0]
    for s in range(count):
        state = guard.scope_state[owner * count + s]
        for m in range(MEASURES):
            state["up"][m] = 0.0
            state["down"][m] = 0.0
            state["value"][m] = 0.0
    for inst in range(instruments):
        line = guard.line[owner * instruments + inst]
        note_coefficients(local, owner, inst, ts)
        line["seen_lots"] = 0
        line["seen_buy"] = 0
        line["seen_sell"] = 0
        note_open(local, owner, inst)
    guard.own[owner]["last"] = 0


@inner_kernel
def whole_lots(space, size):
    """Lots of a size that fit into a space, less than 0 where it is overdrawn."""
    lots = space / size if size > 0.0 else math.nan
    if not math.isfinite(lots):
        return np.int64(ENOUGH) if space == math.inf else np.int64(0)
    if abs(lots) >= ENOUGH:
        return np.int64(ENOUGH) if lots > 0.0 else -np.int64(ENOUGH)
    return np.int64(math.floor(lots + ROUNDING))


@inner_kernel
def linear_room(scope, state, m, k, side):
    """Lots of a side that keep a linear measure within its bounds; beyond them, only back."""
    if not math.isfinite(k):
        return np.int64(0)
    if k == 0.0:
        return np.int64(ENOUGH)
    low, high, value = scope["low"][m], scope["high"][m], state["value"][m]
    middle = min(max(0.0, low), high)
    if side * k > 0.0:
        space = high - state["up"][m]
        if not value >= low:
            space = middle - state["up"][m]
    else:
        space = state["down"][m] - low
        if not value <= high:
            space = state["down"][m] - middle
    return whole_lots(space, abs(k))


@inner_kernel
def gross_room(scope, state, m, k, side, line):
    """Lots of a side that keep a gross measure within its bound; beyond it, only closing ones."""
    if not math.isfinite(k):
        return np.int64(0)
    if k == 0.0:
        return np.int64(ENOUGH)
    lots = line["seen_lots"] * side
    reach = lots + (line["seen_buy"] if side > 0 else line["seen_sell"])
    if not state["value"][m] <= scope["high"][m]:
        return max(-reach, np.int64(0)) if lots < 0 else np.int64(0)
    widest = max(
        abs(line["seen_lots"] + line["seen_buy"]), abs(line["seen_lots"] - line["seen_sell"])
    )
    spare = whole_lots(scope["high"][m] - state["up"][m], abs(k))
    return spare + widest - reach


@inner_kernel
def limit_reason(m):
    """Reason to name where a measure is beyond its limit."""
    if m == POSITION or m == SHARES:
        return REASON.PULL_LIMIT
    if m == DELTA or m == GAMMA or m == VEGA:
        return REASON.PULL_GREEKS
    return REASON.PULL_EXPOSURE


@rare_kernel
def guard_room(local, owner, inst, side):
    """Lots that may still be sent on a side, in the worst case of each hard limit.

    Whatever is sent was asked for here just before, so that apart from the instrument asked for
    last nothing has changed since the measures were added up. ``why`` names the limit that binds.
    """
    guard = local.guard
    own = guard.own[owner]
    line = guard.line[owner * local.instrument.shape[0] + inst]
    note_open(local, owner, np.int64(own["last"]))
    note_open(local, owner, inst)
    own["last"] = inst
    room = np.int64(ENOUGH)
    count = guard.scope.shape[0]
    for s in range(count):
        if guard.member[s, inst] == 0:
            continue
        scope, state = guard.scope[s], guard.scope_state[owner * count + s]
        for m in range(MEASURES):
            if scope["used"][m] == 0:
                continue
            if m < LINEAR:
                fits = linear_room(scope, state, m, line["coef"][m], side)
            else:
                fits = gross_room(scope, state, m, line["coef"][gross_of(m)], side, line)
            if fits < room:
                room = fits
                own["why"] = limit_reason(m)
    return room


@inner_kernel
def is_measured(local, owner, inst):
    """Whether all that is limited can be told of an instrument."""
    guard = local.guard
    coef = guard.line[owner * local.instrument.shape[0] + inst]["coef"]
    for s in range(guard.scope.shape[0]):
        if guard.member[s, inst] == 0:
            continue
        for m in range(MEASURES):
            k = coef[m] if m < LINEAR else coef[gross_of(m)]
            if guard.scope[s]["used"][m] != 0 and not math.isfinite(k):
                return False
    return True


@inner_kernel
def closing_lots(local, owner, inst, side, lots):
    """How many of ``lots`` that close a position may leave at once.

    As many as keep to the hard limits in the worst case, so that a hedge takes turns with what it
    hedges. Where not one does, no order is live that could make room and hedging goes on, one
    leaves all the same: a book that must be closed is. Where a limited greek is not known, nothing
    can be held to its limit, and all leave.
    """
    if not is_measured(local, owner, inst):
        return lots
    fits = guard_room(local, owner, inst, side)
    if fits < 1 and local.set[owner]["live"] == 0:
        guard = local.guard
        groups = guard.group.shape[0] // guard.own.shape[0]
        group = guard.group[owner * groups + guard.inst[inst]["underlying"]]
        fits = np.int64(1 if group["unhedged"] == 0 else 0)
    return min(lots, fits)


@inner_kernel
def set_greek(local, owner, inst, which, value, until):
    """Take over a greek of an instrument; NaN takes it away."""
    line = local.guard.line[owner * local.instrument.shape[0] + inst]
    line["greek"][which] = value
    line["greek_until"][which] = until if until != 0 else np.int64(NEVER)
