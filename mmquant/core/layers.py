"""From a center and a distance to the quotes of one side: layers, placement, tolerance, limits.

A remembered quote is three numbers: tick, lots (0: none), and when it was set [s since the start].
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NO_ASK, REASON, TIME_IN_FORCE
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.local import CANARY_ROWS
from mmquant.core.maker_params import LAYERS, PLACEMENT, REMEMBERED, SIDES

NEVER_FILLED = 0
NOISE = 1e-6
"""Part of a tick or of a lot that counts as nothing: decimals are not exact. [ticks, lots]"""
MOMENT = 1e-9
"""The same of a time. [s]"""
MOST = float(NO_ASK)
"""No tick is as far from 0, and no order as large. [ticks, lots]"""


@kernel
def on_grid(tick, increment, side):
    """Nearest multiple of an increment to the passive side: down for a bid, up for an ask.

    A tick that misses a multiple by no more than ``NOISE`` is that multiple. What is beyond all
    ticks is at their end.
    """
    tick = min(max(tick, -MOST), MOST)
    if side > 0:
        return math.floor((tick + NOISE) / increment) * increment
    return math.ceil((tick - NOISE) / increment) * increment


@kernel
def placed(tick, placement, increment, best_bid, best_ask, side):
    """A wanted tick, moved back as far as the placement asks, on the price grid. [ticks]"""
    if placement == PLACEMENT.FREE:
        return on_grid(tick, increment, side)
    limit = best_ask - 1.0 if side > 0 else best_bid + 1.0
    own = best_bid if side > 0 else best_ask
    if placement == PLACEMENT.JOIN:
        limit = own
    elif placement == PLACEMENT.IMPROVE:
        limit = min(own + 1.0, limit) if side > 0 else max(own - 1.0, limit)
    tick = min(tick, limit) if side > 0 else max(tick, limit)
    return on_grid(tick, increment, side)


@inner_kernel
def side_reason(param, view, side):
    """Why a side is not quoted now, whatever the price; 0 if it may be."""
    sides = param["sides"]
    position = np.float64(view["position_lots"])
    if view["elapsed_s"] < param["start_s"] or view["elapsed_s"] >= param["stop_s"]:
        return REASON.PULL_WINDOW
    if (sides == SIDES.BID and side < 0) or (sides == SIDES.ASK and side > 0):
        return REASON.PULL_SIDE
    if sides == SIDES.REDUCE and side * position >= 0.0:
        return REASON.PULL_SIDE
    if side * position >= param["max_position_lots"]:
        return REASON.PULL_LIMIT
    filled = view["buy_fill_ts"] if side > 0 else view["sell_fill_ts"]
    delay = param["bid_delay_s"] if side > 0 else param["ask_delay_s"]
    if filled != NEVER_FILLED and (view["now"] - filled) / 1e9 < delay:
        return REASON.PULL_AFTER_FILL
    return REASON.NONE


@inner_kernel
def say_why(quote, inst, side, reason):
    """Write why a side is not quoted."""
    quote["inst"] = inst
    quote["side"] = side
    quote["lots"] = 0
    quote["reason"] = reason


@inner_kernel
def forget(memory, at):
    """Forget all remembered quotes of a side."""
    for i in range(LAYERS):
        memory[at + i * REMEMBERED + 1] = 0.0


@inner_kernel
def stays(param, memory, at, tick, lots, elapsed_s):
    """Whether a remembered quote stays as it is."""
    if memory[at + 1] == 0.0:
        return False
    if elapsed_s - memory[at + 2] < param["refresh_s"] - MOMENT:
        return True
    return (
        abs(tick - memory[at]) <= param["price_tolerance_ticks"]
        and abs(lots - memory[at + 1]) <= param["size_tolerance_lots"]
    )


@inner_kernel
def write_quote(param, view, quote, inst, side, tick, lots):
    """Write one wanted quote."""
    quote["inst"] = inst
    quote["side"] = side
    quote["tick"] = int(tick)
    quote["lots"] = int(lots)
    if param["lifetime_s"] > 0.0:
        quote["tif"] = TIME_IN_FORCE.GTD
        quote["expire_ts"] = view["now"] + np.int64(param["lifetime_s"] * 1e9 + 0.5)


@inner_kernel
def room_of(param, view, side):
    """Lots that all quotes of a side may come to. Where only reducing is allowed, the position."""
    held = side * np.float64(view["position_lots"])
    room = param["max_position_lots"] - held
    return min(room, -held) if param["sides"] == SIDES.REDUCE else room


@kernel
def within(lots, room):
    """A size, or what there is room for. [lots]"""
    return float(math.floor(room)) if room < lots else lots


@inner_kernel
def layer_lots(param, i, factor):
    """Wanted size of a layer, rounded down to the size increment. [lots]"""
    step = max(param["size_increment_lots"], 1.0)
    base = param["layer_lots"][i]
    lots = min((base if base > 0.0 else param["order_lots"]) * factor, MOST - 1.0)
    return math.floor((lots + NOISE) / step) * step


@inner_kernel
def layer_tick(param, view, i, side, ideal, previous):
    """Tick of a layer whose ideal price is ``ideal``, behind the layer before it. [ticks]"""
    increment = max(param["price_increment_ticks"], 1.0)
    tick = placed(
        ideal - side * param["layer_offset_ticks"][i],
        param["placement"],
        increment,
        np.float64(view["best_bid"]),
        np.float64(view["best_ask"]),
        side,
    )
    behind = previous - side * increment
    if math.isfinite(previous) and side * tick > side * behind:
        return behind
    return tick


@inner_kernel
def may_stand(param, view, side, tick, previous, opposite):
    """Whether a remembered tick may stay: behind the layer before it, and crossing nothing.

    ``opposite`` is the price that the other side wants: no bid stays at or above the price of an
    ask, so that own quotes do not meet.
    """
    if math.isfinite(previous) and side * tick >= side * previous:
        return False
    if not side * (opposite - tick) > NOISE:
        return False
    if param["placement"] == PLACEMENT.FREE:
        return True
    return tick < view["best_ask"] if side > 0 else tick > view["best_bid"]


@inner_kernel
def beyond_bound(param, view, side, tick):
    """Whether a bid is above the ceiling, or an ask below the floor.

    Counted from the best price of the own side, in steps of the tick size at the best bid.
    """
    if side > 0:
        most = view["best_bid"] + (param["ceiling"] - view["bid_price"]) / view["tick_size"]
        return tick > most + NOISE
    least = view["best_ask"] + (param["floor"] - view["ask_price"]) / view["tick_size"]
    return tick < least - NOISE


@inner_kernel
def quote_layers(param, view, memory, at, inst, side, ideal, opposite, factor, quotes, n):
    """Write the layers of one side, best first, or why there are none; returns the rows written.

    ``ideal`` is the price before layers, placement and rounding, ``opposite`` that of the other
    side [ticks]. A remembered quote stays within the tolerance, but for one that would cross the
    market or own quotes, or break a limit.
    """
    room = room_of(param, view, side)
    rows = quotes.shape[0] - CANARY_ROWS
    previous = math.inf
    first = n
    reason = REASON.PULL_INVENTORY
    for i in range(min(int(param["layers"]), LAYERS)):
        here = at + i * REMEMBERED
        lots = within(layer_lots(param, i, factor), room)
        tick = layer_tick(param, view, i, side, ideal, previous)
        if stays(param, memory, here, tick, lots, view["elapsed_s"]):
            if may_stand(param, view, side, memory[here], previous, opposite):
                tick, lots = memory[here], within(memory[here + 1], room)
        outside = beyond_bound(param, view, side, tick)
        if outside or not lots >= 1.0 or not abs(tick) < MOST or n >= rows:
            memory[here + 1] = 0.0
            reason = REASON.PULL_PRICE_BOUND if outside else reason
            continue
        if memory[here] != tick or memory[here + 1] != lots:
            memory[here + 2] = view["elapsed_s"]
        memory[here] = tick
        memory[here + 1] = lots
        write_quote(param, view, quotes[n], inst, side, tick, lots)
        room -= lots
        previous = tick
        n += 1
    if n == first and n < rows:
        say_why(quotes[n], inst, side, reason)
        n += 1
    return n
