"""Signals of one market, kept up to date from decision to decision.

Times are int64 ns; a difference becomes seconds as a float. Memory fades with the time that has
passed, so decisions may come at any distance. What cannot be used (a side is empty, the book is
crossed, a value is NaN) is skipped and counted, and the state stays; what was last seen longer ago
than ``stale_ns`` has no value. Sources: Cont, Kukanov and Stoikov (2014), "The price impact of
order book events"; Gould and Bonart (2016), "Queue imbalance as a one-tick-ahead price predictor".
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import exp

LN2 = math.log(2.0)
SMALL = 1e-5
"""Below, the mean of a decay is 1 less half of its exponent, to ten digits and more."""


@kernel
def seconds_between(then, now):
    """Time between two times in ns. [s]"""
    return (now - then) / 1e9


@kernel
def decay(seconds, halflife):
    """What is left of a memory after some time: 1 at once, 1/2 after a half-life."""
    return exp(-LN2 * seconds / halflife) if halflife > 0.0 else math.nan


@kernel
def mean_decay(seconds, halflife):
    """Mean of ``decay`` over the time passed: the weight now of what came evenly in it."""
    if not halflife > 0.0:
        return math.nan
    power = LN2 * seconds / halflife
    if power < SMALL:
        return 1.0 - 0.5 * power
    return (1.0 - exp(-power)) / power


@kernel
def ewma(mean, x, keep):
    """Exponentially weighted mean: ``keep`` of the old one, the rest of ``x``."""
    return keep * mean + (1.0 - keep) * x


@kernel
def balance(a, b):
    """(a - b) / (a + b): 1 where all is a, -1 where all is b, NaN where there is nothing."""
    total = a + b
    return (a - b) / total if total > 0.0 else math.nan


@kernel
def book_imbalance(bid_lots, ask_lots, weight):
    """Balance of displayed sizes, each level with its weight; levels beyond those count nothing.

    With one level of weight 1 it is the queue imbalance of Gould and Bonart.
    """
    bids, asks = 0.0, 0.0
    for i in range(min(weight.shape[0], bid_lots.shape[0])):
        bids += weight[i] * np.float64(bid_lots[i])
        asks += weight[i] * np.float64(ask_lots[i])
    return balance(bids, asks)


@kernel
def order_flow(bid0, bid_lots0, ask0, ask_lots0, bid, bid_lots, ask, ask_lots):
    """What changed the best prices and sizes, as net size on the bid: e_n of Cont and others.

    Sizes added at the bid and taken from the ask count as positive. A price that improves brings
    its whole size, one that retreats takes all of its old size away. [lots]
    """
    flow = 0.0
    if bid >= bid0:
        flow += bid_lots
    if bid <= bid0:
        flow -= bid_lots0
    if ask <= ask0:
        flow -= ask_lots
    if ask >= ask0:
        flow += ask_lots0
    return flow


@kernel
def root_rate(squares, seconds):
    """Volatility from squared changes and the time they took. [ticks / sqrt(s)]"""
    return math.sqrt(squares / seconds) if seconds > 0.0 else math.nan


@kernel
def rate(amount, seconds):
    """Amount per second; NaN before any time has passed."""
    return amount / seconds if seconds > 0.0 else math.nan


@kernel
def usable_book(bid, bid_lots, ask, ask_lots):
    """Whether a book has two sides that do not cross."""
    return bid > NO_BID and ask < NO_ASK and bid < ask and bid_lots > 0.0 and ask_lots > 0.0


@inner_kernel
def note_mid(state, param, ts, mid):
    """Take a mid into the volatility, if the last one taken is ``sample_s`` away.

    Across a gap longer than ``stale_ns`` nothing is taken, and nothing fades.
    """
    fresh = state["mids"] > 0 and ts - state["mid_ts"] <= param["stale_ns"]
    seconds = seconds_between(state["sample_ts"], ts)
    state["mid_ts"] = ts
    if fresh:
        if not (seconds >= param["sample_s"] and seconds > 0.0):
            return
        halflife = param["volatility_halflife_s"]
        keep, weight = decay(seconds, halflife), mean_decay(seconds, halflife)
        change = mid - state["sample"]
        state["squares"] = keep * state["squares"] + weight * change * change
        state["seconds"] = keep * state["seconds"] + weight * seconds
    if fresh or state["mids"] == 0:
        state["mids"] += 1
    state["sample_ts"] = ts
    state["sample"] = mid


@inner_kernel
def note_flow(state, param, ts, bid, bid_lots, ask, ask_lots):
    """Take what changed since the last usable book into the order flow.

    Across a gap longer than ``stale_ns`` nothing is taken; the memory fades all the same.
    """
    if state["books"] == 0:
        state["mean_lots"] = 0.5 * (bid_lots + ask_lots)
        return
    passed = seconds_between(state["book_ts"], ts)
    keep = decay(passed, param["order_flow_halflife_s"])
    state["flow"] *= keep
    if ts - state["book_ts"] > param["stale_ns"]:
        return
    held = 0.5 * (state["bid_lots"] + state["ask_lots"])
    state["mean_lots"] = ewma(state["mean_lots"], held, keep)
    state["flow"] += order_flow(
        state["bid"],
        state["bid_lots"],
        state["ask"],
        state["ask_lots"],
        bid,
        bid_lots,
        ask,
        ask_lots,
    )
    state["flows"] += 1


@inner_kernel
def note_trades(state, param, ts, buy_volume, sell_volume):
    """Take what was traded since the last time into the rates; a counter that falls starts anew."""
    seconds = seconds_between(state["trade_ts"], ts)
    if state["trades"] > 0 and not seconds > 0.0:
        return
    bought, sold = buy_volume - state["buy_volume"], sell_volume - state["sell_volume"]
    known = state["trades"] > 0 and bought >= 0.0 and sold >= 0.0
    if known:
        halflife = param["trade_halflife_s"]
        keep, weight = decay(seconds, halflife), mean_decay(seconds, halflife)
        state["bought"] = keep * state["bought"] + weight * bought
        state["sold"] = keep * state["sold"] + weight * sold
        state["trade_seconds"] = keep * state["trade_seconds"] + weight * seconds
    if known or state["trades"] == 0:
        state["trades"] += 1
    state["trade_ts"] = ts
    state["buy_volume"] = buy_volume
    state["sell_volume"] = sell_volume


@inner_kernel
def write_signals(state, param, ts):
    """Write the signals as they stand at a time."""
    nan = math.nan
    stale, warm = param["stale_ns"], param["warm"]
    seen = state["books"] > 0 and ts - state["book_ts"] <= stale
    state["imbalance"] = state["level_imbalance"] if seen else nan
    state["bid_depth"] = state["bid_lots"] if seen else nan
    state["ask_depth"] = state["ask_lots"] if seen else nan
    known = seen and state["flows"] > 0 and state["flows"] >= warm and state["mean_lots"] > 0.0
    state["order_flow"] = state["flow"] / (2.0 * state["mean_lots"]) if known else nan
    known = state["mids"] > warm and ts - state["mid_ts"] <= stale
    state["volatility"] = root_rate(state["squares"], state["seconds"]) if known else nan
    known = state["trades"] > warm and ts - state["trade_ts"] <= stale
    state["buy_rate"] = rate(state["bought"], state["trade_seconds"]) if known else nan
    state["sell_rate"] = rate(state["sold"], state["trade_seconds"]) if known else nan
    state["trade_rate"] = state["buy_rate"] + state["sell_rate"]
    state["trade_imbalance"] = balance(state["buy_rate"], state["sell_rate"])


@kernel
def update_signals(
    state,
    param,
    ts_ns,
    bid_tick,
    bid_lots,
    ask_tick,
    ask_lots,
    mid_ticks,
    buy_volume,
    sell_volume,
):
    """Bring one SIGNAL_STATE record up to a time, and write its signals.

    Levels come best first, as ``top_levels`` gives them; volumes are running totals. Returns
    whether all of it could be used: a book that cannot be, a NaN, or a time before the last one
    (which changes nothing else) is counted as skipped.
    """
    if state["updates"] > 0 and ts_ns < state["ts"]:
        state["skipped"] += 1
        return False
    state["updates"] += 1
    state["ts"] = ts_ns
    bid, ask = np.int64(bid_tick[0]), np.int64(ask_tick[0])
    best_bid_lots, best_ask_lots = np.float64(bid_lots[0]), np.float64(ask_lots[0])
    usable = usable_book(bid, best_bid_lots, ask, best_ask_lots)
    if usable:
        if param["order_flow_halflife_s"] > 0.0:
            note_flow(state, param, ts_ns, bid, best_bid_lots, ask, best_ask_lots)
        if param["volatility_halflife_s"] > 0.0 and math.isfinite(mid_ticks):
            note_mid(state, param, ts_ns, mid_ticks)
        state["level_imbalance"] = book_imbalance(bid_lots, ask_lots, param["level_weight"])
        state["bid"] = bid
        state["ask"] = ask
        state["bid_lots"] = best_bid_lots
        state["ask_lots"] = best_ask_lots
        state["book_ts"] = ts_ns
        state["books"] += 1
    traded = math.isfinite(buy_volume) and math.isfinite(sell_volume)
    if traded and param["trade_halflife_s"] > 0.0:
        note_trades(state, param, ts_ns, buy_volume, sell_volume)
    write_signals(state, param, ts_ns)
    used = usable and traded and math.isfinite(mid_ticks)
    if not used:
        state["skipped"] += 1
    return used
