"""Circuit breakers of an instrument: its market, spread, jumps and volatility.

What trips one keeps the instrument unquoted until its rule is met: so many clean decisions in a
row and a time since the last bad one, or a human's RESUME. A price that trips one marks nothing.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID, REASON
from mmquant.core.guard_state import BREAKERS, JUMP, MARKET, SPREAD, VOLATILITY
from mmquant.core.jit import inner_kernel
from mmquant.core.order_actions import tell
from mmquant.core.signals import decay


@inner_kernel
def has_prices(view):
    """Whether a view shows a sound bid below a sound ask."""
    return (
        view["best_bid"] > NO_BID
        and view["best_ask"] < NO_ASK
        and view["best_bid"] < view["best_ask"]
        and math.isfinite(view["mid"])
    )


@inner_kernel
def spread_is_odd(param, view):
    """Whether the spread is wider than it may be."""
    ticks = np.float64(view["best_ask"]) - np.float64(view["best_bid"])
    width = view["ask_price"] - view["bid_price"]
    fits = ticks <= param["max_spread_ticks"] and (
        param["max_spread"] == math.inf or width <= param["max_spread"] * abs(view["mid"])
    )
    return not fits


@inner_kernel
def mid_ticks(view):
    """Middle of the best prices. [ticks]"""
    return 0.5 * (np.float64(view["best_bid"]) + np.float64(view["best_ask"]))


@inner_kernel
def jumped(param, view, line):
    """Whether the mid moved further since the last decision than it may."""
    last = line["last_mid"]
    if not math.isfinite(last):
        return False
    fits = abs(mid_ticks(view) - line["last_ticks"]) <= param["max_jump_ticks"] and (
        param["max_jump"] == math.inf or abs(view["mid"] - last) <= param["max_jump"] * abs(last)
    )
    return not fits


@inner_kernel
def is_volatile(param, line, volatility, ts):
    """Whether volatility is too high, by itself or against its slow average, or not known."""
    if not math.isfinite(volatility):
        return True
    slow = line["slow"]
    surges = math.isfinite(slow) and volatility > param["max_surge"] * slow
    line["slow"] = volatility
    if math.isfinite(slow):
        keep = decay((ts - line["slow_ts"]) / 1e9, param["slow_halflife_s"])
        line["slow"] = volatility + keep * (slow - volatility)
    line["slow_ts"] = ts
    return surges or not volatility <= param["max_volatility"]


@inner_kernel
def run_breaker(local, owner, inst, which, reason, ts, actions, n):
    """Trip a breaker for a reason, or count a clean decision (0) and let go by its rule."""
    param = local.guard.param[0]
    line = local.guard.line[owner * local.instrument.shape[0] + inst]
    before = np.int64(line["tripped"][which])
    after = before
    if reason != 0:
        after = np.int64(reason)
        line["clean"][which] = 0
        line["bad_ts"][which] = ts
    elif before != 0:
        line["clean"][which] += 1
        waited = ts - line["bad_ts"][which] >= param["cooldown_ns"][which]
        if param["human"][which] == 0 and waited and line["clean"][which] >= param["clean"][which]:
            after = np.int64(0)
    if after != before:
        line["tripped"][which] = after
        told = after if after != 0 else before
        n = tell(local, owner, ts, inst, told, 1 if after != 0 else 0, actions, n)
    return n


@inner_kernel
def judge_market(local, owner, inst, ts, actions, n):
    """Run the breakers of an instrument; the first that is tripped blocks it."""
    guard = local.guard
    param = guard.param[0]
    view = local.views[inst]
    line = guard.line[owner * local.instrument.shape[0] + inst]
    reason = np.int64(max(view["blocked"], 0))
    line["market"] = view["blocked"]
    sound = view["blocked"] == 0 and has_prices(view)
    if param["breaks"][MARKET] != 0:
        n = run_breaker(local, owner, inst, MARKET, reason, ts, actions, n)
    if sound and param["breaks"][SPREAD] != 0:
        bad = REASON.PULL_SPREAD if spread_is_odd(param, view) else REASON.NONE
        n = run_breaker(local, owner, inst, SPREAD, bad, ts, actions, n)
    if sound and param["breaks"][JUMP] != 0:
        bad = REASON.PULL_JUMP if jumped(param, view, line) else REASON.NONE
        n = run_breaker(local, owner, inst, JUMP, bad, ts, actions, n)
        line["last_mid"] = view["mid"]
        line["last_ticks"] = mid_ticks(view)
    if sound and param["breaks"][VOLATILITY] != 0:
        wild = is_volatile(param, line, np.float64(view["volatility"]), ts)
        bad = REASON.PULL_VOLATILITY if wild else REASON.NONE
        n = run_breaker(local, owner, inst, VOLATILITY, bad, ts, actions, n)
    for which in range(BREAKERS):
        if line["tripped"][which] != 0:
            if view["blocked"] <= 0:
                view["blocked"] = line["tripped"][which]
            if which != VOLATILITY:
                line["market"] = line["tripped"][which]
    if view["blocked"] <= 0 and line["repeated"] != 0:
        view["blocked"] = line["repeated"]
    return n


@inner_kernel
def note_prices(local, owner, inst):
    """Keep the prices that positions are marked at, unless a breaker distrusts them."""
    view = local.views[inst]
    line = local.guard.line[owner * local.instrument.shape[0] + inst]
    if line["market"] == 0 and has_prices(view):
        line["bid"] = view["bid_price"]
        line["ask"] = view["ask_price"]
        line["mid"] = view["mid"]
