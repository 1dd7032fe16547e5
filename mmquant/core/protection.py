"""Market-maker protection: too many fills in a window pull a whole underlying, or latch one side.

It is looked at with each fill, and pulls at once.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NEVER, REASON
from mmquant.core.exposure import greek_of
from mmquant.core.jit import inner_kernel
from mmquant.core.order_actions import pull_all, tell


@inner_kernel
def note_fill(local, owner, ts, inst, lots, side, order_lots, price, captured):
    """Remember a fill, with the greeks that it brought."""
    guard = local.guard
    rows = guard.recent.shape[1]
    own = guard.own[owner]
    row = guard.recent[owner, own["fills"] % rows]
    own["fills"] += 1
    what = local.instrument[inst]
    line = guard.line[owner * local.instrument.shape[0] + inst]
    worth = lots * what["lot_num"] / what["lot_den"] * what["multiplier"]
    row["ts"] = ts
    row["inst"] = inst
    row["lots"] = lots
    row["side"] = side
    row["share"] = lots / order_lots if order_lots > 0 else 1.0
    row["value"] = abs(price) * worth
    row["captured"] = captured
    row["delta"] = side * worth * greek_of(guard, line, inst, 0, ts)
    row["vega"] = side * worth * greek_of(guard, line, inst, 2, ts)


@inner_kernel
def fills_too_much(local, owner, g, ts):
    """Whether the fills of an underlying in the window are more than one of the limits."""
    guard = local.guard
    param = guard.param[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    since = max(ts - param["protection_window_ns"], guard.group[owner * groups + g]["counted_from"])
    rows = guard.recent.shape[1]
    fills = np.int64(guard.own[owner]["fills"])
    count, lots, share, delta, vega = 0, 0, 0.0, 0.0, 0.0
    for i in range(min(fills, rows)):
        row = guard.recent[owner, (fills - 1 - i) % rows]
        if row["ts"] <= since:
            break
        if i == rows - 1:
            return True
        if guard.inst[row["inst"]]["underlying"] == g:
            count += 1
            lots += row["lots"]
            share += row["share"]
            delta += row["delta"]
            vega += row["vega"]
    fits = (
        (param["protection_fills"] == 0 or count < param["protection_fills"])
        and (param["protection_lots"] == 0 or lots < param["protection_lots"])
        and share < param["protection_share"]
        and (param["protection_delta"] == math.inf or abs(delta) < param["protection_delta"])
        and (param["protection_vega"] == math.inf or abs(vega) < param["protection_vega"])
    )
    return not fits


@inner_kernel
def repeats_fills(local, owner, inst, side, ts):
    """Whether one side of an instrument was filled so often that something must be wrong."""
    guard = local.guard
    param = guard.param[0]
    rows = guard.recent.shape[1]
    fills = np.int64(guard.own[owner]["fills"])
    counted_from = guard.line[owner * local.instrument.shape[0] + inst]["counted_from"]
    since = max(ts - param["repeated_window_ns"], counted_from)
    count = 0
    for i in range(min(fills, rows)):
        row = guard.recent[owner, (fills - 1 - i) % rows]
        if row["ts"] <= since:
            break
        if row["inst"] == inst and row["side"] == side:
            count += 1
        if count >= param["repeated_fills"] or i == rows - 1:
            return True
    return False


@inner_kernel
def first_of(local, g):
    """The first instrument of an underlying."""
    for inst in range(local.instrument.shape[0]):
        if local.guard.inst[inst]["underlying"] == g:
            return np.int64(inst)
    return np.int64(0)


@inner_kernel
def pull_group(local, owner, ts, g, reason, actions, n):
    """Pull all quotes of an underlying."""
    for inst in range(local.instrument.shape[0]):
        if local.guard.inst[inst]["underlying"] == g:
            n = pull_all(local, owner, ts, inst, reason, actions, n)
    return n


@inner_kernel
def guard_fill(local, owner, ts, inst, booked, order_lots, price, captured, actions, n):
    """Look at a fill that was just booked (signed lots), and pull where it is too much."""
    guard = local.guard
    if guard.recent.shape[1] == 0 or booked == 0:
        return n
    param = guard.param[0]
    line = guard.line[owner * local.instrument.shape[0] + inst]
    side = np.int64(1) if booked > 0 else np.int64(-1)
    note_fill(local, owner, ts, inst, abs(booked), side, order_lots, price, captured)
    if param["repeated_fills"] != 0 and line["repeated"] == 0:
        if repeats_fills(local, owner, inst, side, ts):
            line["repeated"] = REASON.PULL_REPEATED
            n = tell(local, owner, ts, inst, REASON.PULL_REPEATED, 1, actions, n)
            n = pull_all(local, owner, ts, inst, REASON.PULL_REPEATED, actions, n)
    if param["protects"] == 0:
        return n
    g = guard.inst[inst]["underlying"]
    groups = guard.group.shape[0] // guard.own.shape[0]
    group = guard.group[owner * groups + g]
    if group["protected"] == 0 and fills_too_much(local, owner, g, ts):
        group["protected"] = REASON.PULL_PROTECTION
        cooldown = np.int64(param["protection_cooldown_ns"])
        group["protected_until"] = ts + cooldown if cooldown > 0 else np.int64(NEVER)
        group["counted_from"] = ts
        n = tell(local, owner, ts, inst, REASON.PULL_PROTECTION, 1, actions, n)
        n = pull_group(local, owner, ts, g, REASON.PULL_PROTECTION, actions, n)
    return n


@inner_kernel
def judge_protection(local, owner, ts, actions, n):
    """Block the instruments of underlyings that are protected, or cannot be hedged."""
    guard = local.guard
    instruments = local.instrument.shape[0]
    groups = guard.group.shape[0] // guard.own.shape[0]
    for g in range(groups):
        group = guard.group[owner * groups + g]
        if group["protected"] != 0 and ts >= group["protected_until"]:
            group["protected"] = 0
            group["counted_from"] = ts
            n = tell(local, owner, ts, first_of(local, g), REASON.PULL_PROTECTION, 0, actions, n)
        reason = group["protected"] if group["protected"] != 0 else group["unhedged"]
        if reason == 0:
            continue
        for inst in range(instruments):
            if guard.inst[inst]["underlying"] == g and local.views[inst]["blocked"] <= 0:
                local.views[inst]["blocked"] = reason
    return n
