"""One working side of an option series: a broker rejects an order against the other one."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import REASON
from mmquant.core.jit import inner_kernel, rare_kernel
from mmquant.core.ticks import price_of_tick


@inner_kernel
def side_edge(local, inst, side, wanted):
    """Distance of the side's nearest quote from the theo, or else the mid; NaN without a quote."""
    view, what = local.views[inst], local.instrument[inst]
    fair = view["theo"] if math.isfinite(view["theo"]) else view["mid"]
    edge = math.nan
    for q in range(wanted):
        quote = local.quote[q]
        if quote["inst"] == inst and quote["side"] == side:
            away = abs(fair - price_of_tick(what, np.int64(quote["tick"]), 0.0))
            if not edge <= away:
                edge = away
    return edge


@inner_kernel
def working_side(local, owner, inst):
    """Side of the first live order of an instrument, 0 if there is none."""
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["inst"] == inst:
            return np.int64(order["side"])
    return np.int64(0)


@inner_kernel
def chosen_side(local, owner, inst, wanted):
    """The side that may work: against others' orders none, then what reduces, then more edge."""
    line = local.traffic[owner * local.instrument.shape[0] + inst]
    if line["external_buy"] > 0 or line["external_sell"] > 0:
        if line["external_sell"] == 0:
            return np.int64(1)
        return np.int64(-1) if line["external_buy"] == 0 else np.int64(0)
    buy = side_edge(local, inst, 1, wanted)
    sell = side_edge(local, inst, -1, wanted)
    if not math.isfinite(sell):
        return np.int64(1)
    if not math.isfinite(buy):
        return np.int64(-1)
    held = np.int64(local.position[owner * local.instrument.shape[0] + inst]["lots"])
    if held != 0:
        return np.int64(-1) if held > 0 else np.int64(1)
    if buy == sell:
        return np.int64(-1) if working_side(local, owner, inst) < 0 else np.int64(1)
    return np.int64(1) if buy > sell else np.int64(-1)


@rare_kernel
def drop_other_sides(local, owner, wanted):
    """Want nothing on the other side of each option; what works there is cancelled for it."""
    for inst in range(local.instrument.shape[0]):
        if local.instrument[inst]["option"] == 0 or local.views[inst]["blocked"] != 0:
            continue
        side = chosen_side(local, owner, inst, wanted)
        view = local.views[inst]
        for q in range(wanted):
            quote = local.quote[q]
            if quote["inst"] != inst or quote["side"] == 0 or quote["side"] == side:
                continue
            if quote["side"] > 0:
                view["why_no_bid"] = REASON.PULL_OTHER_SIDE
            else:
                view["why_no_ask"] = REASON.PULL_OTHER_SIDE
            local.refusals[owner, REASON.PULL_OTHER_SIDE] += 1
            quote["side"] = 0
            local.quote[q]["served"] = 1
