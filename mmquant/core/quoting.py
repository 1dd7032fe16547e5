"""The built-in quoting: theoretical mid, distances, skew and sizes; one place for all styles.

All prices are in ticks and all inventories in order sizes. A side that is not quoted says why.
Sources of the models: ``core.optimal_quotes`` and ``core.exact_quotes``.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import REASON
from mmquant.core.exact_quotes import exact_distances
from mmquant.core.jit import inner_kernel, kernel, record_of
from mmquant.core.layers import forget, quote_layers, say_why, side_reason
from mmquant.core.local import CANARY_ROWS
from mmquant.core.maker_params import LAYERS, MODEL, PARAMS, REMEMBERED, SKEW, TABLE_START
from mmquant.core.optimal_quotes import (
    as_half_spread,
    as_slope,
    base_half_spread,
    distances,
    glft_eta,
    glft_half_spread,
    glft_slope,
)
from mmquant.core.theo import fair_value


@kernel
def curve_at(x, count, xs, ys):
    """Value of a curve through knots, straight between them and flat beyond the ends.

    NaN where there are no knots.
    """
    if not count > 0 or math.isnan(x):
        return math.nan
    last = int(count) - 1
    if x <= xs[0]:
        return ys[0]
    for i in range(last):
        if x < xs[i + 1]:
            share = (x - xs[i]) / (xs[i + 1] - xs[i])
            return ys[i] + share * (ys[i + 1] - ys[i])
    return ys[last]


@kernel
def price_skew(param, position_lots, inventory):
    """How far both quotes are shifted against the inventory. [ticks] Positive: downwards."""
    if param["skew_kind"] == SKEW.KNOTS:
        return curve_at(
            position_lots, param["skew_knots"], param["skew_knot_lots"], param["skew_knot_ticks"]
        )
    shift = param["skew_ticks"] * inventory
    if param["skew_kind"] == SKEW.BOUNDED:
        most = param["skew_max_ticks"]
        return min(max(shift, -most), most)
    return shift


@kernel
def size_factor(param, position_lots, inventory, side):
    """Part of its size that a side quotes at an inventory.

    Without knots, the side that reduces the inventory quotes all of it.
    """
    held = side * inventory
    if param["size_skew_kind"] == SKEW.KNOTS:
        return curve_at(
            side * position_lots,
            param["size_knots"],
            param["size_knot_lots"],
            param["size_knot_factor"],
        )
    if held <= 0.0:
        return 1.0
    least = param["size_skew_min"] if param["size_skew_kind"] == SKEW.BOUNDED else 0.0
    return max(1.0 - param["size_skew"] * held, least)


@kernel
def time_left(param, elapsed_s):
    """Time to the end of the horizon, 0 after it; or the horizon that moves along. [s]"""
    end = param["end_s"]
    return param["horizon_s"] if math.isnan(end) else max(end - elapsed_s, 0.0)


@inner_kernel
def model_distances(param, table, inventory, left_s, volatility):
    """Distances of bid and ask from the theoretical mid that the model gives. [ticks]"""
    model = param["model"]
    gamma, k = param["risk_aversion"], param["decay_per_tick"]
    if model == MODEL.AVELLANEDA_STOIKOV:
        half = as_half_spread(gamma, volatility, k, left_s)
        return distances(half, as_slope(gamma, volatility, left_s), inventory)
    if model == MODEL.GLFT:
        eta = glft_eta(param["intensity_per_s"], k, gamma, 1.0, 0.0)
        slope = glft_slope(gamma, volatility, eta, k, 1.0)
        half = glft_half_spread(base_half_spread(k, gamma, 1.0), 0.0, slope)
        return distances(half, slope, inventory)
    if model == MODEL.TABLE:
        return exact_distances(table, left_s, inventory)
    return 0.0, 0.0


@kernel
def thinness(lots, reference_lots):
    """How thin a level is: 0 from the reference size on, 1 where nothing is shown."""
    if not reference_lots > 0.0:
        return math.nan
    return max(1.0 - lots / reference_lots, 0.0)


@kernel
def soft_state(param, position_lots, equity, side):
    """Whether a soft limit is reached for a side."""
    if equity <= -param["soft_loss"]:
        return True
    return side * position_lots >= param["soft_position_lots"]


@inner_kernel
def micro_price_at(param, params):
    """Where in a parameter row the micro-price table starts; its end where there is none."""
    at = int(param["micro_price_at"])
    return at if at > 0 else params.shape[0]


@inner_kernel
def theo_of(param, params, view):
    """Theoretical mid with the offset that someone set. [ticks] NaN where it is not known."""
    theo = fair_value(
        np.int64(param["theo"]),
        np.float64(view["best_bid"]),
        np.float64(view["best_ask"]),
        np.float64(view["bid_lots"][0]),
        np.float64(view["ask_lots"][0]),
        view["theo_ticks"],
        view["best_bid"] + (param["manual_theo"] - view["bid_price"]) / view["tick_size"],
        params[micro_price_at(param, params) :],
    )
    return theo + view["offset"] / view["tick_size"]


@inner_kernel
def shift_of(param, view):
    """Shift of both quotes by what is measured. [ticks] NaN where that is not known."""
    shift = 0.0
    if param["imbalance_ticks"] != 0.0:
        shift += param["imbalance_ticks"] * view["imbalance"]
    if param["order_flow_ticks"] != 0.0:
        shift += param["order_flow_ticks"] * view["order_flow"]
    return shift


@inner_kernel
def both_distances(param, table, view):
    """Distances of bid and ask from their center, skew and widening included. [ticks]"""
    inventory = view["position_lots"] / param["order_lots"]
    volatility = param["volatility_ticks"]
    if math.isnan(volatility):
        volatility = view["volatility"]
    left_s = time_left(param, view["elapsed_s"])
    bid, ask = model_distances(param, table, inventory, left_s, volatility)
    wide = param["half_spread_ticks"]
    wide += param["half_spread_bps"] * 1e-4 * abs(view["mid"]) / view["tick_size"]
    if param["volatility_factor"] != 0.0:
        wide += param["volatility_factor"] * view["volatility"]
    skew = price_skew(param, np.float64(view["position_lots"]), inventory)
    bid += wide + skew
    ask += wide - skew
    if param["depth_ticks"] != 0.0:
        reference = param["depth_reference_lots"]
        bid += param["depth_ticks"] * thinness(np.float64(view["bid_lots"][0]), reference)
        ask += param["depth_ticks"] * thinness(np.float64(view["ask_lots"][0]), reference)
    short = 2.0 * param["min_half_spread_ticks"] - (bid + ask)
    if short > 0.0:
        bid += 0.5 * short
        ask += 0.5 * short
    return bid, ask


@inner_kernel
def wanted(param, view, side, theo, center, distance):
    """What a side wants: why nothing, its price before layers and rounding [ticks], part of size.

    The price of nothing is infinitely far from the other side.
    """
    position = np.float64(view["position_lots"])
    factor = size_factor(param, position, position / param["order_lots"], side)
    if soft_state(param, position, view["equity"], side):
        distance += param["soft_ticks"]
        factor *= param["soft_factor"]
    reason = side_reason(param, view, side)
    if reason == REASON.NONE:
        if not math.isfinite(theo):
            reason = REASON.PULL_NO_THEO
        elif distance == math.inf:
            reason = REASON.PULL_INVENTORY
        elif not math.isfinite(center + distance + factor):
            reason = REASON.PULL_NO_SIGNAL
    price = center - side * distance if reason == REASON.NONE else -side * math.inf
    return reason, price, factor


@inner_kernel
def quote_side(param, view, memory, inst, side, why, price, opposite, factor, quotes, n):
    """Write the quotes of a side, or why there are none; returns the rows written."""
    at = (inst * 2 + (1 - side) // 2) * LAYERS * REMEMBERED
    if why == REASON.NONE:
        return quote_layers(param, view, memory, at, inst, side, price, opposite, factor, quotes, n)
    forget(memory, at)
    if n >= quotes.shape[0] - CANARY_ROWS:
        return n
    say_why(quotes[n], inst, side, why)
    return n + 1


@inner_kernel
def quote_instrument(param, params, view, memory, inst, quotes, n):
    """Write the quotes of one instrument, or why there are none; returns the rows written."""
    theo = theo_of(param, params, view)
    center = theo + shift_of(param, view)
    below, above = both_distances(param, params[TABLE_START:], view)
    no_bid, bid, bid_size = wanted(param, view, 1, theo, center, below)
    no_ask, ask, ask_size = wanted(param, view, -1, theo, center, above)
    n = quote_side(param, view, memory, inst, 1, no_bid, bid, ask, bid_size, quotes, n)
    return quote_side(param, view, memory, inst, -1, no_ask, ask, bid, ask_size, quotes, n)


@kernel
def maker_quote(view, params, memory, quotes):
    """Quote every instrument that can be quoted. Parameters: ``core.maker_params``."""
    param = record_of(params, PARAMS)
    n = 0
    for inst in range(view.shape[0]):
        if view[inst]["blocked"] == 0:
            n = quote_instrument(param, params, view[inst], memory, inst, quotes, n)
    return n
