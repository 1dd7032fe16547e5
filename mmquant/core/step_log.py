"""What is kept of each decision: the path, or what a summary needs."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import ORDER_STATE
from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.portfolio import equity_of, inventory_at
from mmquant.core.records import copy_record
from mmquant.core.ticks import price_of_tick

WORKING = ORDER_STATE.WORKING


@inner_kernel
def own_prices(local, owner, first):
    """Fill own_bid and own_ask of a step's path rows, which start at ``first``.

    They are the prices of the set's own best working quotes, NaN where there is none; found in one
    pass over the live orders, as ticks, which a float64 holds exactly.
    """
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        if order["state"] < WORKING:
            continue
        row = local.path_log[first + np.int64(order["inst"])]
        tick = np.float64(order["tick"])
        if order["side"] > 0:
            if not row["own_bid"] >= tick:
                row["own_bid"] = tick
        elif not row["own_ask"] <= tick:
            row["own_ask"] = tick
    for inst in range(local.instrument.shape[0]):
        row = local.path_log[first + inst]
        what = local.instrument[inst]
        if math.isfinite(row["own_bid"]):
            row["own_bid"] = price_of_tick(what, np.int64(row["own_bid"]), 0.0)
        if math.isfinite(row["own_ask"]):
            row["own_ask"] = price_of_tick(what, np.int64(row["own_ask"]), 0.0)


@inner_formula
def note_step(local, owner):
    """Keep what a summary needs of a decision: the positions as they stood, the largest of them,
    and, if all have a mid, equity with its parts and its largest fall."""
    state = local.set[owner]
    count = local.instrument.shape[0]
    total, spread, inventory, fees = 0.0, 0.0, 0.0, 0.0
    for inst in range(count):
        at = owner * count + inst
        position, what = local.position[at], local.instrument[inst]
        mid = local.views[inst]["mid"]
        total += equity_of(position, what, mid)
        spread += position["spread_pnl"]
        inventory += inventory_at(position, what, mid)
        fees += position["fees"]
        if state["touched"] != 0:
            copy_record(local.settled[at], position)
            state["max_abs_lots"] = max(state["max_abs_lots"], abs(position["lots"]))
    if math.isfinite(total):
        state["equity"] = total
        state["spread_pnl"] = spread
        state["inventory_pnl"] = inventory
        state["fees"] = fees
        state["peak_equity"] = max(state["peak_equity"], total)
        state["max_drawdown"] = max(state["max_drawdown"], state["peak_equity"] - total)


@inner_formula
def record_path(local, owner, ts):
    """Log the state of a set after a decision, one row an instrument."""
    log = local.log[0]
    if log["keep_summary"] != 0:
        note_step(local, owner)
    if log["keep_path"] == 0:
        return
    count = local.instrument.shape[0]
    first = log["path"]
    for inst in range(count):
        row = local.path_log[first + inst]
        view = local.views[inst]
        position = local.position[owner * count + inst]
        what = local.instrument[inst]
        row["time"] = ts
        row["bid"] = view["bid_price"]
        row["ask"] = view["ask_price"]
        row["mid"] = view["mid"]
        row["position"] = position["units"]
        row["cash"] = position["cash"]
        row["fees"] = position["fees"]
        row["equity"] = equity_of(position, what, view["mid"])
        row["spread_pnl"] = position["spread_pnl"]
        row["inventory_pnl"] = inventory_at(position, what, view["mid"])
        row["own_bid"] = math.nan
        row["own_ask"] = math.nan
        row["volume"] = position["volume"]
        row["fills"] = position["fills"]
        row["open_orders"] = local.set[owner]["live"]
        row["set"] = owner
        row["inst"] = inst
    own_prices(local, owner, first)
    log["path"] = first + count
