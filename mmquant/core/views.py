"""What a strategy sees: the market as it was received, signals, messages, and its own state."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.book import top_levels
from mmquant.core.dtypes import (
    NO_ASK,
    NO_BID,
    VIEW_ORDERS,
)
from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.portfolio import equity_of
from mmquant.core.signals import update_signals
from mmquant.core.ticks import price_of_tick, step_at, ticks_of_price


@inner_kernel
def market_view(local, book, inst, view):
    """Fill the market's part of an instrument's view from a book."""
    side = book.side[inst]
    what = local.instrument[inst]
    view["ts"] = side["ts"]
    view["exch_ts"] = side["exch_ts"]
    view["best_bid"] = side["best_bid"]
    view["best_ask"] = side["best_ask"]
    top_levels(
        book,
        inst,
        what["view_levels"],
        view["bid_tick"],
        view["bid_lots"],
        view["ask_tick"],
        view["ask_lots"],
    )
    view["bid_price"] = math.nan
    view["ask_price"] = math.nan
    if side["best_bid"] != NO_BID:
        view["bid_price"] = price_of_tick(what, side["best_bid"], 0.0)
    if side["best_ask"] != NO_ASK:
        view["ask_price"] = price_of_tick(what, side["best_ask"], 0.0)
    view["mid"] = 0.5 * (view["bid_price"] + view["ask_price"])
    view["trade_ts"] = side["trade_ts"]
    view["trade_side"] = side["trade_side"]
    view["trade_price"] = math.nan
    if side["trade_ts"] != 0:
        view["trade_price"] = price_of_tick(what, side["trade_tick"], side["trade_subtick"])
    view["buy_volume"] = side["buy_lots"] * what["lot_num"] / what["lot_den"]
    view["sell_volume"] = side["sell_lots"] * what["lot_num"] / what["lot_den"]
    view["halted"] = 1 if side["halted"] != 0 else 2 * side["bad"]
    view["units_per_lot"] = what["lot_num"] / what["lot_den"]
    view["multiplier"] = what["multiplier"]
    view["tick_size"] = step_at(what, side["best_bid"]) if side["best_bid"] != NO_BID else math.nan


@inner_kernel
def note_signals(local, ts, update):
    """Bring the signals up to the decision, if ``update``, and show them. Once for all sets."""
    for inst in range(local.signal.shape[0]):
        view = local.views[inst]
        signal = local.signal[inst]
        if update:
            update_signals(
                signal,
                local.signal_param[0],
                ts,
                view["bid_tick"],
                view["bid_lots"],
                view["ask_tick"],
                view["ask_lots"],
                0.5 * (np.float64(view["best_bid"]) + np.float64(view["best_ask"])),
                view["buy_volume"],
                view["sell_volume"],
            )
        view["volatility"] = signal["volatility"]
        view["imbalance"] = signal["imbalance"]
        view["order_flow"] = signal["order_flow"]
        view["trade_rate"] = signal["trade_rate"]


@inner_formula
def hand_view(local, owner, ts):
    """Fill in the theo and the offset that someone set, as long as they hold."""
    count = local.instrument.shape[0]
    for inst in range(count):
        view = local.views[inst]
        position = local.position[owner * count + inst]
        view["theo"] = position["theo"] if ts < position["theo_expire_ts"] else math.nan
        view["theo_ticks"] = math.nan
        if math.isfinite(view["theo"]):
            view["theo_ticks"] = ticks_of_price(local.instrument[inst], view["theo"])
        view["offset"] = position["offset"] if ts < position["offset_expire_ts"] else 0.0


@inner_kernel
def own_view(local, owner, ts):
    """Fill the own part of all views: position, money and live orders of a set."""
    count = local.instrument.shape[0]
    for inst in range(count):
        view = local.views[inst]
        position = local.position[owner * count + inst]
        view["now"] = ts
        view["elapsed_s"] = (ts - local.set[owner]["start_ts"]) / 1e9
        view["why_no_bid"] = 0
        view["why_no_ask"] = 0
        view["buy_fill_ts"] = position["buy_fill_ts"]
        view["sell_fill_ts"] = position["sell_fill_ts"]
        view["position_lots"] = position["lots"]
        view["position"] = position["units"]
        view["cash"] = position["cash"]
        view["fees"] = position["fees"]
        view["equity"] = equity_of(position, local.instrument[inst], view["mid"])
        view["fills"] = position["fills"]
        view["n_orders"] = 0
    if local.set[owner]["shows_orders"] == 0:
        return
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        view = local.views[order["inst"]]
        at = np.int64(view["n_orders"])
        if at < VIEW_ORDERS:
            view["order_side"][at] = order["side"]
            view["order_state"][at] = order["state"]
            view["order_tick"][at] = order["tick"]
            view["order_leaves"][at] = order["lots"] - order["filled"]
        view["n_orders"] += 1
