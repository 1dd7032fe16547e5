"""State of the local half, and what order messages do to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.book import Book
from mmquant.core.dtypes import (
    FILL,
    INSTRUCTION,
    NEVER,
    ORDER,
    ORDER_EVENT,
    ORDER_STATE,
    PATH,
    POSITION,
    QUOTE,
    REASON,
    STATUS,
    VIEW,
)
from mmquant.core.jit import inner_formula, inner_kernel
from mmquant.core.orders import ILLEGAL, is_live, next_state
from mmquant.core.portfolio import book_execution
from mmquant.core.signal_state import make_signal_state, signal_params

MEASURED = ("volatility", "imbalance", "order_flow", "trade_rate")
"""Fields of a view that stay NaN where they are not measured."""
CANARY_ROWS = 4
CANARY = -(2**30) - 7

LOG = np.dtype(
    [
        ("fills", np.int64),
        ("orders", np.int64),
        ("instructions", np.int64),
        ("path", np.int64),
        ("keep_tables", np.int64),
        ("keep_path", np.int64),
        ("keep_summary", np.int64),
    ],
    align=True,
)
"""Rows written to each log since it was last drained, and which are kept at all."""


class Local(NamedTuple):
    """State of the local half for all sets."""

    book: Book
    set: np.ndarray
    strategy_param: np.ndarray
    memory: np.ndarray
    order: np.ndarray
    live: np.ndarray
    sent: np.ndarray
    position: np.ndarray
    settled: np.ndarray
    views: np.ndarray
    signal: np.ndarray
    signal_param: np.ndarray
    quote: np.ndarray
    span: np.ndarray
    log: np.ndarray
    fill_log: np.ndarray
    order_log: np.ndarray
    instruction_log: np.ndarray
    path_log: np.ndarray
    instrument: np.ndarray


def make_local(
    *,
    book: Book,
    instrument: np.ndarray,
    sets: np.ndarray,
    strategy_param: np.ndarray,
    memory: np.ndarray,
    slots: int,
    max_quotes: int,
    log_rows: int = 1 << 14,
    keep_tables: bool = True,
    keep_path: bool = True,
    keep_summary: bool = False,
    signal_param: np.ndarray | None = None,
) -> Local:
    """Fresh local half. ``sets`` are SET rows; parameters and memory have one row a set.

    Signals are measured if ``signal_param`` (one SIGNAL_PARAM) is given.
    """
    count, instruments = len(sets), len(instrument)
    position = np.zeros(count * instruments, POSITION)
    position["mark"] = np.nan
    position["theo"] = np.nan
    position["theo_expire_ts"] = position["offset_expire_ts"] = NEVER
    sets["next_number"] = 1
    for name in ("equity", "spread_pnl", "inventory_pnl", "fees"):
        sets[name] = np.nan
    order = np.zeros(count * slots, ORDER)
    order["state"] = ORDER_STATE.LOST
    log = np.zeros(1, LOG)
    log["keep_tables"], log["keep_path"] = keep_tables, keep_path
    log["keep_summary"] = keep_summary
    asked = 2 * (slots + max_quotes + instruments + 16)
    rows = max(log_rows, 8 * count * slots, count * asked)
    return Local(
        book=book,
        set=sets,
        strategy_param=np.ascontiguousarray(strategy_param, np.float64),
        memory=np.ascontiguousarray(memory, np.float64),
        order=order,
        live=np.zeros((count, slots), np.int32),
        sent=np.zeros((count, max(1, int(sets["max_messages"].max()))), np.int64),
        position=position,
        settled=position.copy(),
        views=make_views(instruments),
        signal=make_signal_state(0 if signal_param is None else instruments),
        signal_param=signal_params() if signal_param is None else signal_param,
        quote=np.zeros(max_quotes + CANARY_ROWS, QUOTE),
        span=np.zeros((2 * instruments if instruments > 1 else 0, 2), np.int64),
        log=log,
        fill_log=np.zeros(rows if keep_tables else 1, FILL),
        order_log=np.zeros(rows if keep_tables else 1, ORDER),
        instruction_log=np.zeros(rows if keep_tables else 1, INSTRUCTION),
        path_log=np.zeros(rows * instruments if keep_path else 1, PATH),
        instrument=instrument,
    )


def make_views(rows: int) -> np.ndarray:
    """Blank views: no signal is known."""
    views = np.zeros(rows, VIEW)
    for name in MEASURED:
        views[name] = np.nan
    return views


@inner_kernel
def log_order(local, slot):
    """Log an order whose slot is about to be used again."""
    log = local.log[0]
    if log["keep_tables"] != 0:
        local.order_log[log["orders"]] = local.order[slot]
        log["orders"] += 1


@inner_kernel
def log_fill(local, owner, msg, lots, captured, fee, reason):
    """Log an execution that was just booked; a bust has negative lots."""
    log = local.log[0]
    if log["keep_tables"] == 0:
        return
    inst = np.int64(msg["inst"])
    row = local.fill_log[log["fills"]]
    row["timestamp"] = msg["ts"]
    row["exch_ts"] = msg["exch_ts"]
    row["order_id"] = msg["order_id"]
    row["price"] = msg["price"]
    what = local.instrument[inst]
    row["size"] = lots * what["lot_num"] / what["lot_den"]
    row["fee"] = fee
    row["mid"] = msg["mid"]
    row["spread_capture"] = captured
    row["position"] = local.position[owner * local.instrument.shape[0] + inst]["units"]
    row["lots"] = lots
    row["set"] = owner
    row["inst"] = inst
    row["reason"] = reason
    row["side"] = msg["side"]
    row["liquidity"] = msg["liquidity"]
    log["fills"] += 1


@inner_kernel
def change_open(local, owner, inst, side, lots):
    """Change the lots that live orders of a side could still fill."""
    position = local.position[owner * local.instrument.shape[0] + inst]
    if side > 0:
        position["open_buy"] += lots
    else:
        position["open_sell"] += lots


@inner_kernel
def open_lots(order):
    """Lots that an order could still fill, a change under way included."""
    return max(np.int64(order["lots"]), np.int64(order["want_lots"])) - np.int64(order["filled"])


@inner_kernel
def end_order(local, owner, slot, ts, reason):
    """Take an ended order out of the live list and out of the exposure."""
    order = local.order[slot]
    state = local.set[owner]
    change_open(local, owner, np.int64(order["inst"]), order["side"], -open_lots(order))
    order["end_ts"] = ts
    order["reason"] = reason
    live = local.live[owner]
    last = state["live"] - 1
    for i in range(state["live"]):
        if live[i] == slot:
            for j in range(i, last):
                live[j] = live[j + 1]
            break
    state["live"] = last


@inner_kernel
def revive_order(local, owner, slot):
    """Put an order that was given up, and is found working, back among the live ones."""
    order = local.order[slot]
    state = local.set[owner]
    order["end_ts"] = 0
    order["reason"] = REASON.NONE
    local.live[owner, state["live"]] = slot
    state["live"] += 1
    change_open(local, owner, np.int64(order["inst"]), order["side"], open_lots(order))


@inner_formula
def on_execution(local, owner, slot, known, msg, lots):
    """Book an execution (or its bust, with negative lots), whatever became of its order.

    Position comes from executions alone.
    """
    inst = np.int64(msg["inst"])
    state = local.set[owner]
    captured, fee = book_execution(
        local.position[owner * local.instrument.shape[0] + inst],
        local.instrument[inst],
        np.int64(msg["side"]),
        lots,
        msg["price"],
        msg["mid"],
        msg["liquidity"] > 0,
        local.set[owner]["peer_arithmetic"] != 0,
    )
    position = local.position[owner * local.instrument.shape[0] + inst]
    if lots > 0:
        if msg["side"] > 0:
            position["buy_fill_ts"] = msg["ts"]
        else:
            position["sell_fill_ts"] = msg["ts"]
    reason = REASON.NONE
    if not known:
        state["orphans"] += 1
        reason = REASON.ORPHAN_EXECUTION
    else:
        order = local.order[slot]
        what = local.instrument[inst]
        order["value"] += msg["price"] * (lots * what["lot_num"] / what["lot_den"])
        if not is_live(order["state"]):
            order["filled"] += lots
            state["late"] += 1
            reason = REASON.LATE_EXECUTION
        else:
            change_open(local, owner, inst, msg["side"], -lots)
            order["filled"] += lots
            order["state"] = next_state(order["state"], ORDER_EVENT.EXECUTION)
            if order["filled"] >= order["lots"] and order["filled"] >= order["want_lots"]:
                order["state"] = ORDER_STATE.FILLED
                end_order(local, owner, slot, msg["ts"], REASON.NONE)
    log_fill(local, owner, msg, lots, captured, fee, reason)


@inner_kernel
def confirm_terms(local, owner, order, msg):
    """Take over the price and quantity that the broker says are working."""
    inst = np.int64(order["inst"])
    before = open_lots(order)
    order["tick"] = msg["tick"]
    order["lots"] = msg["lots"]
    order["want_tick"] = msg["tick"]
    order["want_lots"] = msg["lots"]
    change_open(local, owner, inst, order["side"], open_lots(order) - before)


@inner_kernel
def on_order(local, owner, msg):
    """Apply an order message. Returns a Reason where something needs saying, else 0.

    A correction arrives as the bust of the old execution and then the new one.
    """
    slots = local.live.shape[1]
    slot = owner * slots + (msg["order_id"] & (slots - 1))
    order = local.order[slot]
    local.set[owner]["touched"] = 1
    known = order["order_id"] == msg["order_id"] and msg["order_id"] != 0
    event = np.int64(msg["event"])
    if event == ORDER_EVENT.EXECUTION or event == ORDER_EVENT.BUST:
        late = known and not is_live(order["state"])
        lots = np.int64(msg["lots"])
        on_execution(
            local, owner, slot, known, msg, lots if event == ORDER_EVENT.EXECUTION else -lots
        )
        if not known:
            return REASON.ORPHAN_EXECUTION
        return REASON.LATE_EXECUTION if late else REASON.NONE
    state = local.set[owner]
    if not known or event == ORDER_EVENT.CORRECTION:
        state["illegal"] += 1
        return REASON.ILLEGAL_EVENT if known else REASON.UNKNOWN_ORDER
    was_live = is_live(order["state"])
    after = next_state(order["state"], event)
    if after == ILLEGAL:
        state["illegal"] += 1
        return REASON.ILLEGAL_EVENT
    order["state"] = after
    if was_live and not is_live(after):
        end_order(local, owner, slot, msg["ts"], msg["reason"])
        return REASON.NONE
    if is_live(after) and not was_live:
        revive_order(local, owner, slot)
    if event == ORDER_EVENT.CONFIRM and was_live:
        if order["ack_ts"] == 0:
            order["ack_ts"] = msg["ts"]
        confirm_terms(local, owner, order, msg)
    elif event == ORDER_EVENT.MODIFY_REJECT and was_live:
        before = open_lots(order)
        order["want_tick"] = order["tick"]
        order["want_lots"] = order["lots"]
        order["filled_before"] = 0
        change_open(local, owner, np.int64(order["inst"]), order["side"], open_lots(order) - before)
        if order["filled"] >= order["lots"]:
            order["state"] = ORDER_STATE.FILLED
            end_order(local, owner, slot, msg["ts"], REASON.NONE)
    return REASON.NONE


@inner_kernel
def free_slot(local, owner):
    """Slot for a new order: the one whose ended order is oldest, or -1 if all are live."""
    slots = local.live.shape[1]
    state = local.set[owner]
    for i in range(slots):
        at = (state["cursor"] + i) & (slots - 1)
        slot = owner * slots + at
        if not is_live(local.order[slot]["state"]):
            state["cursor"] = (at + 1) & (slots - 1)
            return slot
    return -1


@inner_kernel
def logs_have_room(local, rows):
    """Whether each log can take ``rows`` more; the shell drains them otherwise."""
    log = local.log[0]
    if log["keep_tables"] != 0 and (
        log["fills"] + rows > local.fill_log.shape[0]
        or log["orders"] + rows > local.order_log.shape[0]
        or log["instructions"] + rows > local.instruction_log.shape[0]
    ):
        return False
    if log["keep_path"] == 0:
        return True
    return log["path"] + rows * local.instrument.shape[0] <= local.path_log.shape[0]


@inner_kernel
def fail(local, owner, status):
    """Latch an engine error of a set; its quotes are pulled from then on."""
    local.set[owner]["status"] = status
    local.set[owner]["blocked"] = REASON.BAD_QUOTE
    return STATUS.OK
