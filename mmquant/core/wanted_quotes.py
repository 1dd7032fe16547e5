"""The rows that a strategy writes: blank before, checked after, and held against orders."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import (
    ACTION_KIND,
    NEVER,
    NO_ASK,
    NO_BID,
    ORDER_TYPE,
    REASON,
    TIME_IN_FORCE,
)
from mmquant.core.jit import inner_kernel
from mmquant.core.local import CANARY, CANARY_ROWS, CANARY_SIDE
from mmquant.core.order_actions import notice
from mmquant.core.risk import room_lots
from mmquant.core.ticks import price_of_tick

LAST_REASON = max(REASON)
FAR_TICKS = 10
FURTHEST_PEG = 2**15 - 1
PEG_PRIMARY = ORDER_TYPE.PEG_PRIMARY


@inner_kernel
def valid_quote(local, quote):
    """Whether a wanted quote can be sent at all."""
    if quote["side"] != 1 and quote["side"] != -1:
        return False
    if quote["inst"] < 0 or quote["inst"] >= local.instrument.shape[0]:
        return False
    if quote["lots"] <= 0 or quote["lots"] >= NO_ASK:
        return False
    if quote["order_type"] < 0 or quote["order_type"] > ORDER_TYPE.PEG_BEST:
        return False
    if quote["offset"] < -FURTHEST_PEG or quote["offset"] > FURTHEST_PEG:
        return False
    if quote["tif"] < 0 or quote["tif"] > TIME_IN_FORCE.FOK:
        return False
    if quote["reason"] < 0 or quote["reason"] > LAST_REASON:
        return False
    if quote["order_type"] != ORDER_TYPE.MARKET and (
        quote["tick"] < local.instrument[quote["inst"]]["min_tick"]
    ):
        return False
    return quote["tick"] > NO_BID and quote["tick"] < NO_ASK and not far_through(local, quote)


@inner_kernel
def far_through(local, quote):
    """Whether a limit order would pay more than twice the mid, or sell for less than half of it.

    No strategy means that; a number that was none before it became a tick does.
    """
    view = local.views[quote["inst"]]
    if quote["order_type"] == ORDER_TYPE.MARKET or not view["mid"] > 0.0:
        return False
    if quote["side"] > 0:
        far = quote["tick"] > view["best_ask"] + FAR_TICKS
    else:
        far = quote["tick"] < view["best_bid"] - FAR_TICKS
    if not far:
        return False
    price = price_of_tick(local.instrument[quote["inst"]], quote["tick"], 0.0)
    return price > 2.0 * view["mid"] if quote["side"] > 0 else price < 0.5 * view["mid"]


@inner_kernel
def blank_quotes(local, owner, ts):
    """Reset the quote rows to the configured order type and lifetime."""
    param = local.set[owner]
    lifetime = param["lifetime_ns"]
    expire = ts + lifetime if lifetime > 0 else np.int64(NEVER)
    rows = local.quote.shape[0] - CANARY_ROWS
    for i in range(rows):
        quote = local.quote[i]
        quote["expire_ts"] = expire
        quote["tick"] = NO_BID
        quote["lots"] = 0
        quote["inst"] = 0
        quote["side"] = 0
        quote["order_type"] = param["order_type"]
        quote["tif"] = param["tif"]
        quote["reason"] = 0
        quote["offset"] = 0
        quote["served"] = 0


@inner_kernel
def canary_alive(local):
    """Whether the strategy kept to the rows it was given."""
    rows = local.quote.shape[0] - CANARY_ROWS
    for i in range(rows, rows + CANARY_ROWS):
        if local.quote[i]["tick"] != CANARY:
            return False
    first = local.quote[rows]
    return first["lots"] == CANARY and first["side"] == CANARY_SIDE


@inner_kernel
def is_immediate(order_type, tif):
    """Whether an order trades on arrival or not at all."""
    return order_type == ORDER_TYPE.MARKET or tif == TIME_IN_FORCE.IOC or tif == TIME_IN_FORCE.FOK


@inner_kernel
def serves(order, quote):
    """Whether an order at the right place is what a quote asks for: one that takes is not one
    that rests, and a peg only itself."""
    if is_immediate(quote["order_type"], quote["tif"]):
        return order["order_type"] == quote["order_type"] and order["tif"] == quote["tif"]
    if quote["order_type"] >= PEG_PRIMARY or order["order_type"] >= PEG_PRIMARY:
        return order["order_type"] == quote["order_type"] and order["offset"] == quote["offset"]
    return not is_immediate(order["order_type"], order["tif"])


@inner_kernel
def right_size(local, owner, order, quote):
    """Whether an order's size is near enough to the wanted one, or to what the limits leave of it.

    That is its size as sent, or as left by fills: what it was filled since is no change of mind.
    """
    tolerance = local.set[owner]["size_tolerance_lots"]
    if tolerance < 0:
        return True
    sent = np.int64(order["want_lots"]) - np.int64(order["filled_before"])
    leaves = np.int64(order["want_lots"]) - np.int64(order["filled"])
    room = leaves + room_lots(local, owner, np.int64(order["inst"]), np.int64(order["side"]))
    wanted = min(np.int64(quote["lots"]), local.set[owner]["max_order_lots"])
    fits = min(wanted, room)
    off = min(abs(wanted - sent), min(abs(fits - sent), abs(fits - leaves)))
    return off <= tolerance


@inner_kernel
def at_place(order, quote):
    """Whether an order is where a quote is wanted, and does what the quote asks for."""
    return (
        quote["inst"] == order["inst"]
        and quote["side"] == order["side"]
        and quote["tick"] == order["want_tick"]
        and serves(order, quote)
    )


@inner_kernel
def says_why(local, quote):
    """Whether a row is no quote but the reason why none is wanted on its side."""
    if quote["lots"] != 0 or quote["reason"] <= 0 or quote["reason"] > LAST_REASON:
        return False
    if quote["side"] != 1 and quote["side"] != -1:
        return False
    return quote["inst"] >= 0 and quote["inst"] < local.instrument.shape[0]


@inner_kernel
def drop_bad_quotes(local, owner, ts, wanted, actions, n):
    """Neutralize quotes that cannot be sent, those in blocked instruments, and reasons for none."""
    no_post_only = local.set[owner]["no_post_only"] != 0
    for q in range(wanted):
        quote = local.quote[q]
        if says_why(local, quote):
            view = local.views[quote["inst"]]
            if quote["side"] > 0:
                view["why_no_bid"] = quote["reason"]
            else:
                view["why_no_ask"] = quote["reason"]
            quote["side"] = 0
            local.quote[q]["served"] = 1
        elif not valid_quote(local, quote):
            local.set[owner]["bad_quotes"] += 1
            if n < actions.shape[0] // 2:
                alert = ACTION_KIND.ALERT
                n = notice(local, owner, ts, alert, 0, REASON.BAD_QUOTE, actions, n)
            quote["side"] = 0
            local.quote[q]["served"] = 1
        elif local.views[quote["inst"]]["blocked"] != 0:
            quote["side"] = 0
            local.quote[q]["served"] = 1
        elif no_post_only and quote["order_type"] == ORDER_TYPE.POST_ONLY:
            quote["order_type"] = ORDER_TYPE.LIMIT
    return n
