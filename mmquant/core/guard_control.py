"""What people tell the risk guard: flatten, and resume."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import CONTROL, REASON
from mmquant.core.guard_state import BREAKERS
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.order_actions import pull_all, tell
from mmquant.core.protection import first_of


@inner_kernel
def begin_flatten(local, owner, ts, actions, n):
    """Cancel everything; from the next decision on, hedge and close what is held.

    That ends a halt, which would keep the closing orders back too.
    """
    if local.set[owner]["blocked"] == REASON.PULL_HALTED:
        local.set[owner]["blocked"] = 0
    instruments = local.instrument.shape[0]
    for inst in range(instruments):
        local.guard.line[owner * instruments + inst]["flatten"] = 1
    local.guard.own[owner]["flattening"] = 1
    n = tell(local, owner, ts, 0, REASON.PULL_FLATTEN, 1, actions, n)
    return pull_all(local, owner, ts, -1, REASON.PULL_FLATTEN, actions, n)


@inner_kernel
def resume_scopes(local, owner, ts, actions, n):
    """End what losses latched. A fall is measured from here on; a loss that stands stops again."""
    scopes = local.guard.scope.shape[0]
    for s in range(scopes):
        state = local.guard.scope_state[owner * scopes + s]
        if state["latched"] != 0:
            first, reason = np.int64(local.guard.scope[s]["first"]), np.int64(state["latched"])
            n = tell(local, owner, ts, first, reason, 0, actions, n)
            state["reason"] = 0
        state["latched"] = 0
        state["peak"] = state["equity"]
        state["above_since"] = -1
        state["loss_since"] = -1
        state["fall_since"] = -1
    return n


@inner_kernel
def resume_lines(local, owner, ts, actions, n):
    """End what latched instruments, and their flattening."""
    instruments = local.instrument.shape[0]
    for inst in range(instruments):
        line = local.guard.line[owner * instruments + inst]
        if line["repeated"] != 0:
            n = tell(local, owner, ts, inst, np.int64(line["repeated"]), 0, actions, n)
        line["repeated"] = 0
        line["counted_from"] = ts
        line["flatten"] = 0
        for which in range(BREAKERS):
            if line["tripped"][which] != 0:
                reason = np.int64(line["tripped"][which])
                n = tell(local, owner, ts, inst, reason, 0, actions, n)
            line["tripped"][which] = 0
    return n


@inner_kernel
def resume_groups(local, owner, ts, actions, n):
    """End the protection of underlyings, and let them be hedged again."""
    guard = local.guard
    groups = guard.group.shape[0] // guard.own.shape[0]
    for g in range(groups):
        group = guard.group[owner * groups + g]
        inst = first_of(local, g)
        if group["protected"] != 0:
            n = tell(local, owner, ts, inst, np.int64(group["protected"]), 0, actions, n)
        if group["unhedged"] != 0:
            n = tell(local, owner, ts, inst, np.int64(group["unhedged"]), 0, actions, n)
        group["protected"] = 0
        group["counted_from"] = ts
        group["unhedged"] = 0
        group["hedge_fails"] = 0
        group["flatten"] = 0
    return n


@inner_kernel
def resume_guard(local, owner, ts, actions, n):
    """A human lets quotes out again: end all that is latched, and say so."""
    n = resume_scopes(local, owner, ts, actions, n)
    n = resume_lines(local, owner, ts, actions, n)
    n = resume_groups(local, owner, ts, actions, n)
    if local.guard.own[owner]["flattening"] != 0:
        n = tell(local, owner, ts, 0, REASON.PULL_FLATTEN, 0, actions, n)
    local.guard.own[owner]["flattening"] = 0
    return n


@rare_kernel
def guard_control(local, owner, msg, actions, n):
    """What a CONTROL message does to the guard."""
    if msg["reason"] == CONTROL.RESUME:
        n = resume_guard(local, owner, np.int64(msg["ts"]), actions, n)
    elif msg["reason"] == CONTROL.FLATTEN:
        n = begin_flatten(local, owner, np.int64(msg["ts"]), actions, n)
    return n
