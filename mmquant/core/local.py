"""State of the local half, its logs and its order slots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.book import Book
from mmquant.core.dtypes import (
    FILL,
    INSTRUCTION,
    NEVER,
    ORDER,
    ORDER_STATE,
    PATH,
    POSITION,
    QUOTE,
    REASON,
    STATUS,
    TRAFFIC,
    VIEW,
    Reason,
)
from mmquant.core.executions import FIRST_ROWS, executions_have_room, make_executions
from mmquant.core.guard_state import Guard, guard_notices, make_guard
from mmquant.core.jit import inner_kernel
from mmquant.core.orders import is_live
from mmquant.core.records import copy_record
from mmquant.core.signal_state import make_signal_state, signal_params

MEASURED = ("volatility", "imbalance", "order_flow", "trade_rate")
"""Fields of a view that stay NaN where they are not measured."""
CANARY_ROWS = 4
CANARY = -(2**30) - 7
CANARY_SIDE = 77
APART_ROWS = 1 << 16
"""Rows on both sides of the quotes that belong to nothing, so that a loop which writes far past its
rows is found out and not the end of the process. Untouched, they take no memory."""

LOG = np.dtype(
    [
        ("fills", np.int64),
        ("orders", np.int64),
        ("instructions", np.int64),
        ("path", np.int64),
        ("executions", np.int64),
        ("keep_tables", np.int64),
        ("keep_path", np.int64),
        ("keep_summary", np.int64),
    ],
    align=True,
)
"""Rows written to each log since it was last drained, and which are kept at all; ``executions``:
rows of the table of executions that are in use."""


class Local(NamedTuple):
    """State of the local half for all sets.

    ``wakes_at``: time from which a set is to be asked, 0 for at once; nothing comes of it before.
    """

    book: Book
    set: np.ndarray
    strategy_param: np.ndarray
    memory: np.ndarray
    order: np.ndarray
    live: np.ndarray
    sent: np.ndarray
    position: np.ndarray
    settled: np.ndarray
    executed: np.ndarray
    wakes_at: np.ndarray
    traffic: np.ndarray
    refusals: np.ndarray
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
    guard: Guard


def make_quotes(count: int) -> np.ndarray:
    """Rows for ``count`` wanted quotes, and those that tell whether a strategy wrote past them."""
    rows = np.zeros(2 * APART_ROWS + count + CANARY_ROWS, QUOTE)
    quotes = rows[APART_ROWS : APART_ROWS + count + CANARY_ROWS]
    quotes[["tick", "lots", "side"]][count:] = (CANARY, CANARY, CANARY_SIDE)
    return quotes


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
    guard: Guard | None = None,
) -> Local:
    """Fresh local half. ``sets`` are SET rows; parameters and memory have one row a set.

    Signals are measured if ``signal_param`` (one SIGNAL_PARAM) is given. Executions are told apart
    by their ids where tables are kept: in a sweep the simulated exchange never repeats one.
    """
    count, instruments = len(sets), len(instrument)
    position = np.zeros(count * instruments, POSITION)
    position["mark"] = np.nan
    position["theo"] = np.nan
    position["theo_expire_ts"] = position["offset_expire_ts"] = NEVER
    sets["next_number"] = 1
    sets["next_due"] = sets["resync_due"] = NEVER
    sets["day"] = -1
    traffic = np.zeros(count * instruments, TRAFFIC)
    for name in ("sent_buy_ts", "sent_sell_ts", "refused_buy_ts", "refused_sell_ts"):
        traffic[name] = -NEVER // 2
    for name in ("equity", "spread_pnl", "inventory_pnl", "fees"):
        sets[name] = np.nan
    order = np.zeros(count * slots, ORDER)
    order["state"] = ORDER_STATE.LOST
    log = np.zeros(1, LOG)
    log["keep_tables"], log["keep_path"] = keep_tables, keep_path
    log["keep_summary"] = keep_summary
    guard = make_guard() if guard is None else guard
    asked = 2 * (slots + max_quotes + instruments + 16) + guard_notices(guard, instruments)
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
        executed=make_executions(FIRST_ROWS if keep_tables else 0),
        wakes_at=np.zeros(count, np.int64),
        traffic=traffic,
        refusals=np.zeros((count, len(Reason)), np.int64),
        views=make_views(instruments),
        signal=make_signal_state(0 if signal_param is None else instruments),
        signal_param=signal_params() if signal_param is None else signal_param,
        quote=make_quotes(max_quotes),
        span=np.zeros((2 * instruments if instruments > 1 else 0, 2), np.int64),
        log=log,
        fill_log=np.zeros(rows if keep_tables else 1, FILL),
        order_log=np.zeros(rows if keep_tables else 1, ORDER),
        instruction_log=np.zeros(rows if keep_tables else 1, INSTRUCTION),
        path_log=np.zeros(rows * instruments if keep_path else 1, PATH),
        instrument=instrument,
        guard=guard,
    )


def make_views(rows: int) -> np.ndarray:
    """Blank views: no signal is known."""
    views = np.zeros(rows, VIEW)
    for name in MEASURED:
        views[name] = np.nan
    return views


@inner_kernel
def stir(local, owner):
    """Let a set be asked at the next decision: something may come of it."""
    local.set[owner]["touched"] = 1
    local.wakes_at[owner] = 0


@inner_kernel
def log_order(local, slot):
    """Log an order whose slot is about to be used again."""
    log = local.log[0]
    if log["keep_tables"] != 0:
        copy_record(local.order_log[log["orders"]], local.order[slot])
        log["orders"] += 1


@inner_kernel
def log_fill(local, owner, msg, side, price, lots, captured, fee, reason):
    """Log what was just booked; what is taken back has negative lots."""
    log = local.log[0]
    if log["keep_tables"] == 0:
        return
    inst = np.int64(msg["inst"])
    row = local.fill_log[log["fills"]]
    row["timestamp"] = msg["ts"]
    row["exch_ts"] = msg["exch_ts"]
    row["order_id"] = msg["order_id"]
    row["price"] = price
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
    row["side"] = side
    row["liquidity"] = msg["liquidity"]
    log["fills"] += 1


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
def table_has_room(local):
    """Whether one more execution can be told from all others; the shell doubles the table else."""
    return executions_have_room(local.executed, np.int64(local.log[0]["executions"]))


@inner_kernel
def fail(local, owner, status):
    """Latch an engine error of a set; its quotes are pulled from then on."""
    local.set[owner]["status"] = status
    local.set[owner]["blocked"] = REASON.BAD_QUOTE
    return STATUS.OK
