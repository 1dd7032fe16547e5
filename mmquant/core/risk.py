"""What may be quoted at all: reasons to pull, and the room that limits leave."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import (
    NO_ASK,
    NO_BID,
    REASON,
)
from mmquant.core.exposure import guard_room
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, rare_kernel
from mmquant.core.portfolio import equity_of

HOLD = -1


@inner_kernel
def instrument_reason(local, owner, inst, ts):
    """Reason why nothing may be quoted in an instrument now; 0 if all is well, or HOLD."""
    view = local.views[inst]
    param = local.set[owner]
    if view["halted"] != 0:
        return REASON.PULL_HALTED if view["halted"] == 1 else REASON.PULL_BAD_NUMBER
    if ts - view["ts"] > param["max_book_age_ns"]:
        return REASON.PULL_STALE
    if view["best_bid"] == NO_BID or view["best_ask"] == NO_ASK:
        return HOLD if param["hold_one_sided"] != 0 else REASON.PULL_ONE_SIDED
    if view["best_bid"] >= view["best_ask"] or not math.isfinite(view["mid"]):
        return REASON.PULL_CROSSED
    if view["best_bid"] < local.instrument[inst]["min_tick"]:
        return REASON.PULL_BAD_NUMBER
    if outside_collar(view, param["theo_collar"]):
        return REASON.PULL_COLLAR
    return REASON.NONE


@inner_kernel
def outside_collar(view, collar):
    """Whether a theo or an offset is further from the mid than anyone can have meant."""
    if collar == math.inf:
        return False
    most = collar * abs(view["mid"])
    return abs(view["theo"] - view["mid"]) > most or not abs(view["offset"]) <= most


@inner_kernel
def loss_reason(local, owner):
    """Reason to stop for good: the loss limit is reached, or cannot be checked."""
    limit = local.set[owner]["max_loss"]
    if limit == math.inf:
        return REASON.NONE
    count = local.instrument.shape[0]
    total = 0.0
    for inst in range(count):
        position = local.position[owner * count + inst]
        mid = local.views[inst]["mid"]
        if not math.isfinite(mid):
            mid = position["mark"]
        total += equity_of(position, local.instrument[inst], mid)
    if not math.isfinite(total):
        return REASON.PULL_NO_MARK
    if total <= -limit:
        return REASON.PULL_LOSS
    return REASON.NONE


@inner_formula
def room_lots(local, owner, inst, side):
    """Lots that may still be sent on a side if everything open there were to fill."""
    position = local.position[owner * local.instrument.shape[0] + inst]
    limit = local.set[owner]["max_position_lots"]
    if side > 0:
        room = limit - position["lots"] - position["open_buy"]
    else:
        room = limit + position["lots"] - position["open_sell"]
    if rarely(local.set[owner]["guarded"] != 0):
        room = min(room, guard_room(local, owner, inst, side))
    return room


@rare_kernel
def room_reason(local, owner, inst, side):
    """Reason to name where a guarded side has no room: the position limit, or the guard's."""
    if room_lots(local, owner, inst, side) < guard_room(local, owner, inst, side):
        return np.int64(REASON.PULL_LIMIT)
    return np.int64(local.guard.own[owner]["why"])
