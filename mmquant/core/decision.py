"""A decision: what the strategy wants, what risk allows, and what must change to get there."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.book import top_levels
from mmquant.core.dtypes import (
    ACTION_KIND,
    NEVER,
    NO_ASK,
    NO_BID,
    ORDER_STATE,
    ORDER_TYPE,
    REASON,
    REQUOTE,
    STATUS,
    TIME_IN_FORCE,
    VIEW_ORDERS,
)
from mmquant.core.jit import inner_kernel
from mmquant.core.local import CANARY, CANARY_ROWS, change_open, fail, free_slot, log_order
from mmquant.core.portfolio import equity_of, inventory_at
from mmquant.core.signals import update_signals
from mmquant.core.throttle import may_send, note_sent
from mmquant.core.ticks import price_of_tick, step_at, ticks_of_price

HOLD = -1
LAST_REASON = max(REASON)
FAR_TICKS = 10
WORKING = ORDER_STATE.WORKING


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
    view["halted"] = 1 if side["halted"] != 0 else 0
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


@inner_kernel
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


@inner_kernel
def instrument_reason(local, owner, inst, ts):
    """Reason why nothing may be quoted in an instrument now; 0 if all is well, or HOLD."""
    view = local.views[inst]
    param = local.set[owner]
    if view["halted"] != 0:
        return REASON.PULL_HALTED
    if ts - view["ts"] > param["max_book_age_ns"]:
        return REASON.PULL_STALE
    if view["best_bid"] == NO_BID or view["best_ask"] == NO_ASK:
        return HOLD if param["hold_one_sided"] != 0 else REASON.PULL_ONE_SIDED
    if view["best_bid"] >= view["best_ask"] or not math.isfinite(view["mid"]):
        return REASON.PULL_CROSSED
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


@inner_kernel
def room_lots(local, owner, inst, side):
    """Lots that may still be sent on a side if everything open there were to fill."""
    position = local.position[owner * local.instrument.shape[0] + inst]
    limit = local.set[owner]["max_position_lots"]
    if side > 0:
        return limit - position["lots"] - position["open_buy"]
    return limit + position["lots"] - position["open_sell"]


@inner_kernel
def log_action(local, owner, action):
    """Log an action together with the inventory it was taken at."""
    local.set[owner]["actions"] += 1
    local.set[owner]["messages"] += 1 if action["kind"] <= ACTION_KIND.CANCEL else 0
    log = local.log[0]
    if log["keep_tables"] == 0:
        return
    row = local.instruction_log[log["instructions"]]
    row["timestamp"] = action["ts"]
    row["order_id"] = action["order_id"]
    inst = np.int64(action["inst"])
    row["position"] = local.position[owner * local.instrument.shape[0] + inst]["units"]
    row["tick"] = action["tick"]
    row["lots"] = action["lots"]
    row["set"] = owner
    row["inst"] = inst
    row["reason"] = action["reason"]
    row["action"] = action["kind"]
    row["side"] = action["side"]
    row["order_type"] = action["order_type"]
    row["tif"] = action["tif"]
    log["instructions"] += 1


@inner_kernel
def order_action(local, owner, ts, slot, kind, reason, actions, n):
    """Write an action about an existing order."""
    order = local.order[slot]
    action = actions[n]
    action["ts"] = ts
    action["order_id"] = order["order_id"]
    action["expire_ts"] = order["expire_ts"]
    action["tick"] = order["want_tick"]
    action["lots"] = order["want_lots"]
    action["set"] = owner
    action["inst"] = order["inst"]
    action["reason"] = reason
    action["kind"] = kind
    action["side"] = order["side"]
    action["order_type"] = order["order_type"]
    action["tif"] = order["tif"]
    log_action(local, owner, action)
    return n + 1


@inner_kernel
def notice(local, owner, ts, kind, inst, reason, actions, n):
    """Write an action that concerns no order: a pull or an alert."""
    action = actions[n]
    action["ts"] = ts
    action["order_id"] = 0
    action["expire_ts"] = 0
    action["tick"] = 0
    action["lots"] = 0
    action["set"] = owner
    action["inst"] = inst
    action["reason"] = reason
    action["kind"] = kind
    action["side"] = 0
    action["order_type"] = 0
    action["tif"] = 0
    log_action(local, owner, action)
    return n + 1


@inner_kernel
def throttled(local, owner, ts, reserve):
    """Whether one more message would be too many; it is counted then, and noted as sent else."""
    state = local.set[owner]
    if state["max_messages"] == 0:
        return False
    limit = state["max_messages"] - reserve
    if not may_send(
        local.sent[owner], state["sent"], limit if limit > 0 else -1, state["message_window_ns"], ts
    ):
        state["throttled"] += 1
        return True
    state["sent"] = note_sent(local.sent[owner], state["sent"], ts)
    return False


@inner_kernel
def cancel_order(local, owner, ts, slot, reason, actions, n):
    """Ask to cancel a working order; one that the throttle holds back is asked for again."""
    if throttled(local, owner, ts, 0):
        return n
    local.order[slot]["state"] = ORDER_STATE.CANCELLING
    return order_action(local, owner, ts, slot, ACTION_KIND.CANCEL, reason, actions, n)


@inner_kernel
def modify_order(local, owner, ts, slot, quote, leaves, actions, n):
    """Ask to move a working order to a wanted quote, with so many lots left to fill."""
    if throttled(local, owner, ts, local.set[owner]["cancel_reserve"]):
        return n
    order = local.order[slot]
    lots = np.int64(order["filled"]) + leaves
    before = max(np.int64(order["lots"]), np.int64(order["want_lots"]))
    reason = REASON.RESIZE if quote["tick"] == order["tick"] else REASON.REPRICE
    order["want_tick"] = quote["tick"]
    order["want_lots"] = lots
    order["filled_before"] = order["filled"]
    after = max(np.int64(order["lots"]), lots)
    change_open(local, owner, np.int64(order["inst"]), order["side"], after - before)
    order["state"] = ORDER_STATE.MODIFYING
    kind = ACTION_KIND.MODIFY
    return order_action(local, owner, ts, slot, kind, reason, actions, n)


@inner_kernel
def place_order(local, owner, ts, quote, lots, actions, n):
    """Place a new order for a wanted quote, if an order slot is free."""
    state = local.set[owner]
    slot = free_slot(local, owner)
    if slot < 0 or state["live"] >= local.set[owner]["max_open_orders"]:
        state["denied"] += 1
        return n
    if throttled(local, owner, ts, state["cancel_reserve"]):
        return n
    order = local.order[slot]
    if order["order_id"] != 0:
        log_order(local, slot)
    slots = local.live.shape[1]
    inst = np.int64(quote["inst"])
    order["order_id"] = state["next_number"] * slots + (slot & (slots - 1))
    state["next_number"] += 1
    order["submit_ts"] = ts
    order["ack_ts"] = 0
    order["end_ts"] = 0
    order["expire_ts"] = quote["expire_ts"]
    order["value"] = 0.0
    order["position"] = local.position[owner * local.instrument.shape[0] + inst]["units"]
    order["tick"] = quote["tick"]
    order["lots"] = lots
    order["filled"] = 0
    order["filled_before"] = 0
    order["want_tick"] = quote["tick"]
    order["want_lots"] = lots
    order["set"] = owner
    order["inst"] = inst
    order["reason"] = 0
    order["side"] = quote["side"]
    order["order_type"] = quote["order_type"]
    order["tif"] = quote["tif"]
    order["state"] = ORDER_STATE.SENT
    local.live[owner, state["live"]] = slot
    state["live"] += 1
    change_open(local, owner, inst, quote["side"], lots)
    reason = REASON.QUOTE if quote["reason"] == 0 else np.int64(quote["reason"])
    return order_action(local, owner, ts, slot, ACTION_KIND.PLACE, reason, actions, n)


@inner_kernel
def pull_all(local, owner, ts, inst, reason, actions, n):
    """Cancel all orders of an instrument (all instruments: -1), those on their way too."""
    count = 0
    for i in range(local.set[owner]["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        can_cancel = order["state"] >= ORDER_STATE.SENT and order["state"] <= ORDER_STATE.MODIFYING
        if can_cancel and (inst < 0 or order["inst"] == inst):
            before = n
            n = cancel_order(local, owner, ts, slot, reason, actions, n)
            count += n - before
    if count > 0:
        n = notice(local, owner, ts, ACTION_KIND.PULL, max(inst, 0), reason, actions, n)
    return n


@inner_kernel
def valid_quote(local, quote):
    """Whether a wanted quote can be sent at all."""
    if quote["side"] != 1 and quote["side"] != -1:
        return False
    if quote["inst"] < 0 or quote["inst"] >= local.instrument.shape[0]:
        return False
    if quote["lots"] <= 0 or quote["lots"] >= NO_ASK:
        return False
    if quote["order_type"] < 0 or quote["order_type"] > ORDER_TYPE.POST_ONLY:
        return False
    if quote["tif"] < 0 or quote["tif"] > TIME_IN_FORCE.FOK:
        return False
    if quote["reason"] < 0 or quote["reason"] > LAST_REASON:
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
    price = price_of_tick(local.instrument[quote["inst"]], quote["tick"], 0.0)
    if quote["side"] > 0:
        return quote["tick"] > view["best_ask"] + FAR_TICKS and price > 2.0 * view["mid"]
    return quote["tick"] < view["best_bid"] - FAR_TICKS and price < 0.5 * view["mid"]


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
        quote["served"] = 0
    for i in range(rows, rows + CANARY_ROWS):
        local.quote[i]["tick"] = CANARY


@inner_kernel
def canary_alive(local):
    """Whether the strategy kept to the rows it was given."""
    rows = local.quote.shape[0] - CANARY_ROWS
    for i in range(rows, rows + CANARY_ROWS):
        if local.quote[i]["tick"] != CANARY:
            return False
    return True


@inner_kernel
def is_immediate(order_type, tif):
    """Whether an order trades on arrival or not at all."""
    return order_type == ORDER_TYPE.MARKET or tif == TIME_IN_FORCE.IOC or tif == TIME_IN_FORCE.FOK


@inner_kernel
def serves(order, quote):
    """Whether an order at the right place is what a quote asks for: one that takes is not one
    that rests."""
    if is_immediate(quote["order_type"], quote["tif"]):
        return order["order_type"] == quote["order_type"] and order["tif"] == quote["tif"]
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
def keep_wanted(local, owner, wanted):
    """Mark the live orders that rest where a quote is wanted, and the quotes they serve.

    An order counts whatever its state: one that is on its way, or being cancelled, keeps its place.
    One of a right size serves all quotes of its place, which count as one.
    """
    for q in range(wanted):
        local.quote[q]["served"] = 0
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        order["keep"] = 0
        for q in range(wanted):
            quote = local.quote[q]
            if at_place(order, quote) and right_size(local, owner, order, quote):
                order["keep"] = 1
                break
        if order["keep"] == 0:
            continue
        for q in range(wanted):
            if at_place(order, local.quote[q]):
                local.quote[q]["served"] = 1


@inner_kernel
def move_target(local, order, wanted):
    """First quote that nothing serves yet and an order can be moved to, or -1."""
    for q in range(wanted):
        quote = local.quote[q]
        if (
            quote["served"] == 0
            and quote["inst"] == order["inst"]
            and quote["side"] == order["side"]
            and quote["order_type"] == order["order_type"]
        ):
            return q
    return -1


@inner_kernel
def change_unwanted(local, owner, ts, wanted, actions, n):
    """Cancel, or move to a quote that nothing serves yet, each working order not wanted."""
    param = local.set[owner]
    for i in range(param["live"]):
        slot = local.live[owner, i]
        order = local.order[slot]
        room = room_lots(local, owner, np.int64(order["inst"]), np.int64(order["side"]))
        if (order["keep"] != 0 and room >= 0) or order["state"] != WORKING:
            continue
        if local.views[order["inst"]]["blocked"] == HOLD:
            continue
        target = -1
        if param["requote"] == REQUOTE.MODIFY and room >= 0:
            target = move_target(local, order, wanted)
        if target >= 0:
            quote = local.quote[target]
            quote["served"] = 1
            most = np.int64(order["lots"]) - np.int64(order["filled"]) + room
            leaves = min(np.int64(quote["lots"]), min(param["max_order_lots"], most))
            n = modify_order(local, owner, ts, slot, quote, leaves, actions, n)
        else:
            view = local.views[order["inst"]]
            why = view["why_no_bid"] if order["side"] > 0 else view["why_no_ask"]
            reason = REASON.PULL_LIMIT if room < 0 else np.int64(why)
            if reason == 0:
                reason = REASON.NOT_WANTED
            n = cancel_order(local, owner, ts, slot, reason, actions, n)
    return n


@inner_kernel
def place_missing(local, owner, ts, wanted, actions, n):
    """Place each wanted quote that no order serves, as far as the limits allow."""
    param = local.set[owner]
    for q in range(wanted):
        quote = local.quote[q]
        if local.quote[q]["served"] != 0:
            continue
        inst = np.int64(quote["inst"])
        room = room_lots(local, owner, inst, np.int64(quote["side"]))
        lots = min(np.int64(quote["lots"]), min(param["max_order_lots"], room))
        if lots <= 0:
            local.set[owner]["denied"] += 1
            continue
        n = place_order(local, owner, ts, quote, lots, actions, n)
        for other in range(q + 1, wanted):
            twin = local.quote[other]
            if (
                twin["inst"] == quote["inst"]
                and twin["side"] == quote["side"]
                and twin["tick"] == quote["tick"]
            ):
                twin["served"] = 1
    return n


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


@inner_kernel
def decide(local, owner, ts, quote, actions):
    """Take one decision for a set: fills ``actions`` and returns how many."""
    state = local.set[owner]
    state["decisions"] += 1
    if state["blocked"] == 0:
        reason = loss_reason(local, owner)
        if reason == REASON.PULL_LOSS:
            state["blocked"] = reason
    else:
        reason = state["blocked"]
    count = local.instrument.shape[0]
    hand_view(local, owner, ts)
    usable = 0
    for inst in range(count):
        local.views[inst]["blocked"] = instrument_reason(local, owner, inst, ts)
        if local.views[inst]["blocked"] == 0:
            usable += 1
    if reason != 0:
        return pull_all(local, owner, ts, -1, reason, actions, 0)
    n = 0
    for inst in range(count):
        if local.views[inst]["blocked"] > 0:
            n = pull_all(local, owner, ts, inst, np.int64(local.views[inst]["blocked"]), actions, n)
    if usable == 0:
        return n
    own_view(local, owner, ts)
    blank_quotes(local, owner, ts)
    wanted = quote(local.views, local.strategy_param[owner], local.memory[owner], local.quote)
    if wanted > (local.quote.shape[0] - CANARY_ROWS) or not canary_alive(local):
        fail(local, owner, STATUS.QUOTES_OVERRUN)
        return pull_all(local, owner, ts, -1, REASON.BAD_QUOTE, actions, n)
    if wanted < 0:
        return pull_all(local, owner, ts, -1, REASON.PULL_STRATEGY, actions, n)
    n = drop_bad_quotes(local, owner, ts, wanted, actions, n)
    keep_wanted(local, owner, wanted)
    for q in range(wanted):
        if local.quote[q]["side"] == 0:
            local.quote[q]["served"] = 1
    n = change_unwanted(local, owner, ts, wanted, actions, n)
    return place_missing(local, owner, ts, wanted, actions, n)


@inner_kernel
def own_price(local, owner, inst, side):
    """Price of the set's own best working quote of a side, NaN if there is none."""
    none = np.int64(NO_BID) if side > 0 else np.int64(NO_ASK)
    best = none
    for i in range(local.set[owner]["live"]):
        order = local.order[local.live[owner, i]]
        tick = np.int64(order["tick"])
        if order["inst"] == inst and order["side"] == side and order["state"] >= WORKING:
            if (tick - best) * side > 0:
                best = tick
    if best == none:
        return math.nan
    return price_of_tick(local.instrument[inst], best, 0.0)


@inner_kernel
def note_step(local, owner):
    """Keep what a summary needs of a decision: the positions as they stood, equity, its largest
    fall, and the largest position."""
    state = local.set[owner]
    count = local.instrument.shape[0]
    total = 0.0
    for inst in range(count):
        at = owner * count + inst
        position = local.position[at]
        total += equity_of(position, local.instrument[inst], local.views[inst]["mid"])
        if state["touched"] != 0:
            local.settled[at] = position
            state["max_abs_lots"] = max(state["max_abs_lots"], abs(position["lots"]))
    if math.isfinite(total):
        state["equity"] = total
        state["peak_equity"] = max(state["peak_equity"], total)
        state["max_drawdown"] = max(state["max_drawdown"], state["peak_equity"] - total)


@inner_kernel
def record_path(local, owner, ts):
    """Log the state of a set after a decision, one row an instrument."""
    log = local.log[0]
    if log["keep_summary"] != 0:
        note_step(local, owner)
    if log["keep_path"] == 0:
        return
    count = local.instrument.shape[0]
    for inst in range(count):
        row = local.path_log[log["path"]]
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
        row["own_bid"] = own_price(local, owner, inst, 1)
        row["own_ask"] = own_price(local, owner, inst, -1)
        row["volume"] = position["volume"]
        row["fills"] = position["fills"]
        row["open_orders"] = local.set[owner]["live"]
        row["set"] = owner
        row["inst"] = inst
        log["path"] += 1
