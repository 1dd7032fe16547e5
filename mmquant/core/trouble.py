"""What keeps new orders of a set back: a lost link, stale data, a position that differs."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import ORDER_STATE, REASON, SESSION
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.local import stir


@rare_kernel
def note_trouble(local, owner):
    """Bring the one flag up to date that a decision tests."""
    state = local.set[owner]
    count = local.instrument.shape[0]
    found = state["link"] != 0
    for inst in range(count):
        line = local.traffic[owner * count + inst]
        found |= (line["differs"] != 0) | (line["overfilled"] != 0)
        found |= (line["stale"] != 0) | (line["recovering"] != 0) | (line["bad"] != 0)
    state["troubled"] = 1 if found else 0
    stir(local, owner)


@inner_kernel
def check_position(local, owner, inst):
    """End the block of an instrument whose position has come to agree with the broker's."""
    if local.set[owner]["troubled"] == 0:
        return
    at = owner * local.instrument.shape[0] + inst
    line = local.traffic[at]
    if line["differs"] != 0 and line["broker_lots"] == local.position[at]["lots"]:
        line["differs"] = 0
        note_trouble(local, owner)


@rare_kernel
def link_reason(local, owner):
    """Reason why nothing new may leave at all; 0 if the link is up and all was answered."""
    link = np.int64(local.set[owner]["link"])
    if link == 0:
        return REASON.NONE
    return REASON.PULL_DISCONNECTED if link == SESSION.DOWN else REASON.PULL_RECONCILING


@inner_kernel
def has_unknown(local, owner, inst, side):
    """Whether an order of an instrument and side (0: both) is UNKNOWN."""
    if local.set[owner]["unknown"] == 0:
        return False
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["state"] == ORDER_STATE.UNKNOWN and order["inst"] == inst:
            if side == 0 or order["side"] == side:
                return True
    return False


@rare_kernel
def line_reason(local, owner, inst):
    """Reason why nothing new may leave in one instrument; 0 if there is none."""
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    if line["recovering"] != 0:
        if has_unknown(local, owner, inst, 0):
            return REASON.PULL_RECONCILING
        line["recovering"] = 0
        note_trouble(local, owner)
    if line["overfilled"] != 0:
        return REASON.OVERFILL
    if line["differs"] != 0:
        return REASON.PULL_POSITION
    if line["bad"] != 0:
        return REASON.PULL_BAD_NUMBER
    if line["stale"] != 0:
        return REASON.PULL_STALE
    return REASON.NONE
