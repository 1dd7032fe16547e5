"""The two halves, stepped: ``local_step`` and ``exchange_step`` are all that any mode uses.

Ties in time are ordered: local data, local response, exchange data, exchange order, and the
decision last.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.bad_numbers import apply_order, row_is_sound, screen_outside
from mmquant.core.book import ASK, BID, clear_row, note_trade, set_level
from mmquant.core.decision import decide
from mmquant.core.dtypes import (
    CONTROL,
    HAND,
    LIMIT,
    MSG,
    MSG_KIND,
    NEVER,
    REASON,
    ROW_KIND,
    STATUS,
)
from mmquant.core.exchange import send_request, travels
from mmquant.core.exposure import set_greek
from mmquant.core.guard_control import guard_control
from mmquant.core.hints import rarely
from mmquant.core.jit import apart_kernel, inner_formula, inner_kernel, kernel, rare_kernel
from mmquant.core.local import logs_have_room, table_has_room
from mmquant.core.manual import on_manual
from mmquant.core.matching import exchange_row, expire_due
from mmquant.core.order_actions import pull_all
from mmquant.core.order_entry import exchange_request
from mmquant.core.own_orders import on_fee
from mmquant.core.pegging import move_pegs
from mmquant.core.plain_rows import plain_rows
from mmquant.core.protection import guard_fill
from mmquant.core.session import on_external, on_position, on_session
from mmquant.core.step_log import record_path
from mmquant.core.trouble import note_trouble
from mmquant.core.views import market_view, note_signals

DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
CLEAR = ROW_KIND.CLEAR
SNAPSHOT = ROW_KIND.SNAPSHOT
STATUS_ROW = ROW_KIND.STATUS

SETTLING = 8
"""Latencies after the last row within which what is under way may settle."""
ROOM_EACH = 8
"""Responses that one event may cause for each resting order."""
AT_TIME = 0
AT_ROW = -1
AT_RESPONSE = -2
AT_END = NEVER - (1 << 50)
"""Later than all that can happen, with room for latencies."""


class Tape(NamedTuple):
    """Columns of a tape; ``order`` is the order of local receipt, empty where it is row order.

    A row with numbers that are none has minus its kind: the exchange passes over it, the local half
    receives it as it is. There is then an ``order``, as the two books differ.
    """

    exch_ts: np.ndarray
    local_ts: np.ndarray
    kind: np.ndarray
    side: np.ndarray
    tick: np.ndarray
    subtick: np.ndarray
    size: np.ndarray
    inst: np.ndarray
    order: np.ndarray


@inner_kernel
def market_row(local, msg, as_peer):
    """Apply a market message to the local book. Returns a Status."""
    book = local.book
    inst = np.int64(msg["inst"])
    kind = np.int64(msg["kind"])
    lots = np.int64(msg["lots"])
    tick = np.int64(msg["tick"])
    if kind < DEPTH or inst < 0 or inst >= book.side.shape[0]:
        return STATUS.BAD_ROW
    side = np.int64(msg["side"])
    if not row_is_sound(local.instrument[inst], kind, side, tick, msg["subtick"], lots):
        book.side[inst]["bad"] = 1
        return STATUS.OK
    if kind == DEPTH or kind == SNAPSHOT:
        if not set_level(book, inst, BID if side > 0 else ASK, tick, lots):
            return STATUS.BOOK_FULL
    elif kind == TRADE:
        note_trade(book, inst, msg["exch_ts"], side, tick, msg["subtick"], lots)
    elif kind == CLEAR:
        clear_row(book, inst, side, tick, as_peer)
    elif kind == STATUS_ROW:
        book.side[inst]["halted"] = lots
    else:
        return STATUS.BAD_ROW
    if kind != TRADE and kind != STATUS_ROW:
        book.side[inst]["bad"] = 0
    book.side[inst]["ts"] = msg["ts"]
    book.side[inst]["exch_ts"] = msg["exch_ts"]
    return STATUS.OK


@inner_kernel
def apply_limit(local, owner, msg):
    """Apply a LIMITS message. Returns whether the limit is known."""
    param = local.set[owner]
    what = np.int64(msg["reason"])
    if what != LIMIT.MAX_LOSS and msg["lots"] <= 0:
        return False
    if what == LIMIT.MAX_POSITION_LOTS:
        param["max_position_lots"] = msg["lots"]
    elif what == LIMIT.MAX_ORDER_LOTS:
        param["max_order_lots"] = msg["lots"]
    elif what == LIMIT.MAX_OPEN_ORDERS:
        param["max_open_orders"] = msg["lots"]
    elif what == LIMIT.MAX_LOSS and msg["price"] > 0.0:
        param["max_loss"] = msg["price"]
    else:
        return False
    return True


@inner_kernel
def apply_hand(local, owner, msg):
    """Set a theo or an offset until its time is over. Returns whether the message is sound.

    A NaN takes a theo away; an offset is a number.
    """
    inst = np.int64(msg["inst"])
    if inst < 0 or inst >= local.instrument.shape[0]:
        return False
    local.set[owner]["steady"] = 0
    position = local.position[owner * local.instrument.shape[0] + inst]
    expire = np.int64(NEVER) if msg["exch_ts"] == 0 else msg["exch_ts"]
    if msg["reason"] == HAND.THEO:
        position["theo"] = msg["price"]
        position["theo_expire_ts"] = expire
    elif msg["reason"] == HAND.OFFSET:
        position["offset"] = msg["price"]
        position["offset_expire_ts"] = expire
    elif msg["reason"] >= HAND.DELTA and msg["reason"] <= HAND.VEGA:
        if local.set[owner]["guarded"] != 0:
            which = np.int64(msg["reason"]) - HAND.DELTA
            set_greek(local, owner, inst, which, msg["price"], expire)
    else:
        return False
    return True


@inner_kernel
def end_overfills(local, owner):
    """Quote again in instruments that were blocked by too many lots, or numbers that are none."""
    count = local.instrument.shape[0]
    for inst in range(count):
        local.traffic[owner * count + inst]["overfilled"] = 0
        local.traffic[owner * count + inst]["bad"] = 0
    if local.set[owner]["troubled"] != 0:
        note_trouble(local, owner)


@inner_kernel
def on_control(local, owner, msg, actions):
    """Halt, resume or kill a set; a resume also ends overfill blocks.

    A kill is never resumed: a person releases it between two runs.
    """
    state = local.set[owner]
    what = np.int64(msg["reason"])
    if what == CONTROL.KILL:
        state["blocked"] = REASON.PULL_KILLED
    elif what == CONTROL.HALT:
        if state["blocked"] == 0:
            state["blocked"] = REASON.PULL_HALTED
    elif what == CONTROL.RELEASE:
        if state["blocked"] == REASON.PULL_KILLED:
            state["blocked"] = 0
    elif what == CONTROL.UNHALT:
        if state["blocked"] == REASON.PULL_HALTED:
            state["blocked"] = 0
    elif what == CONTROL.RESUME:
        if state["blocked"] == REASON.PULL_HALTED or state["blocked"] == REASON.PULL_FLATTEN:
            state["blocked"] = 0
        end_overfills(local, owner)
    elif what == CONTROL.FLATTEN and state["guarded"] == 0 and state["blocked"] == 0:
        state["blocked"] = REASON.PULL_FLATTEN
    n = 0
    if state["guarded"] != 0:
        n = guard_control(local, owner, msg, actions, n)
    if state["blocked"] == 0:
        return n
    return pull_all(local, owner, msg["ts"], -1, state["blocked"], actions, n)


@inner_kernel
def on_outside(local, owner, msg, actions):
    """Apply what is neither market nor own order. Returns the actions, or minus a Status."""
    kind = np.int64(msg["kind"])
    local.wakes_at[owner] = 0
    if kind == MSG_KIND.CONTROL:
        return on_control(local, owner, msg, actions)
    if kind == MSG_KIND.MANUAL:
        return on_manual(local, owner, msg, actions)
    n = screen_outside(local, owner, msg, actions)
    if n >= 0:
        return n
    if kind == MSG_KIND.THEO and apply_hand(local, owner, msg):
        return 0
    if kind == MSG_KIND.LIMITS and apply_limit(local, owner, msg):
        return 0
    if kind == MSG_KIND.FEE and on_fee(local, owner, msg):
        return 0
    n = -1
    if kind == MSG_KIND.SESSION:
        n = on_session(local, owner, msg, actions)
    elif kind == MSG_KIND.POSITION:
        n = on_position(local, owner, msg, actions)
    elif kind == MSG_KIND.EXTERNAL:
        n = on_external(local, owner, msg)
    return n if n >= 0 else -STATUS.BAD_ROW


@rare_kernel
def apply_guarded(local, owner, msg, actions):
    """Apply an order message and let the guard look at what was booked."""
    count = local.instrument.shape[0]
    inst = np.int64(msg["inst"])
    at = owner * count + min(max(inst, 0), count - 1)
    slots = local.live.shape[1]
    order = local.order[owner * slots + (msg["order_id"] & (slots - 1))]
    lots, captured = local.position[at]["lots"], local.position[at]["spread_pnl"]
    size = np.int64(order["lots"]) if order["order_id"] == msg["order_id"] else np.int64(0)
    n = apply_order(local, owner, msg, actions)
    booked = local.position[at]["lots"] - lots
    captured = local.position[at]["spread_pnl"] - captured
    price = local.position[at]["mark"]
    ts = np.int64(msg["ts"])
    inst = at - owner * count
    return guard_fill(local, owner, ts, inst, booked, size, price, captured, actions, n)


@inner_formula
def on_own_message(local, owner, msg, actions):
    """Apply an order message and report what needs saying."""
    if rarely(local.set[owner]["guarded"] != 0):
        return apply_guarded(local, owner, msg, actions)
    return apply_order(local, owner, msg, actions)


@rare_kernel
def on_last_answer(local, owner, msg, actions):
    """Apply the message that ends the answer to a question after all orders."""
    return on_outside(local, owner, msg, actions)


@inner_formula
def decide_and_record(local, owner, ts, quote, actions):
    """Decide for a set on the views as they stand, and log the step."""
    state = local.set[owner]
    left_out = state["denied"] + state["bad_quotes"] + state["throttled"]
    n = decide(local, owner, ts, quote, actions)
    same = state["denied"] + state["bad_quotes"] + state["throttled"] == left_out
    settled = same and (n == 0 or state["stands"] != 0)
    local.wakes_at[owner] = state["next_due"] if settled and state["steady"] != 0 else 0
    record_path(local, owner, ts)
    return n


@kernel
def local_step(local, owner, quote, msg, actions):
    """Apply one message to the local half of a set.

    Fills ``actions`` and returns how many; a negative result is minus a Status, and the message
    has then changed nothing.
    """
    kind = np.int64(msg["kind"])
    if kind <= STATUS_ROW:
        return -market_row(local, msg, local.set[owner]["peer_arithmetic"] != 0)
    if not logs_have_room(local, actions.shape[0]):
        return -STATUS.LOG_FULL
    if not table_has_room(local):
        return -STATUS.EXECUTIONS_FULL
    if kind == MSG_KIND.ORDER:
        return on_own_message(local, owner, msg, actions)
    if kind == MSG_KIND.DECISION:
        for inst in range(local.instrument.shape[0]):
            market_view(local, local.book, inst, local.views[inst])
        note_signals(local, msg["ts"], msg["event"] == 0)
        return decide_and_record(local, owner, msg["ts"], quote, actions)
    return on_outside(local, owner, msg, actions)


@kernel
def first_after(times, start, t):
    """First index from ``start`` whose time is later than ``t``; times do not decrease."""
    n = times.shape[0]
    low = start
    step = 1
    while low < n and times[low] <= t:
        start = low + 1
        low += step
        step += step
    high = min(low, n)
    while start < high:
        middle = (start + high) >> 1
        if times[middle] <= t:
            start = middle + 1
        else:
            high = middle
    return start


@inner_kernel
def crowded(exchange):
    """Whether the next event could cause more responses than their ring has room for.

    One row may fill all resting orders, and each at some levels.
    """
    clock = exchange.state[0]
    under_way = clock["response_tail"] - clock["response_head"]
    return under_way + ROOM_EACH * (clock["resting"] + 8) > exchange.response.shape[0]


@inner_kernel
def replay_rows(exchange, tape, stop_row, stop_time, react):
    """Apply tape rows before ``stop_row`` and up to ``stop_time``.

    With ``react``, stop after a row that caused a response. Returns a Status.
    """
    clock = exchange.state[0]
    responses = clock["response_tail"]
    many = exchange.book.side.shape[0] > 1
    row = clock["row"]
    if rarely(clock["pegs_due"] != 0) and move_pegs(exchange, clock["pegs_due"] - 1) != 0:
        return STATUS.BOOK_FULL
    while True:
        if row >= stop_row or tape.exch_ts[row] > stop_time:
            return STATUS.OK
        row = plain_rows(exchange, tape, row, stop_row, stop_time)
        clock["row"] = row
        if row >= stop_row or tape.exch_ts[row] > stop_time:
            return STATUS.OK
        # Of one instrument the column is not read: it is in no cache.
        inst = np.int64(tape.inst[row]) if many else np.int64(0)
        exchange.book.side[inst]["row"] = row
        status = exchange_row(
            exchange,
            tape.exch_ts[row],
            inst,
            np.int64(tape.kind[row]),
            np.int64(tape.side[row]),
            np.int64(tape.tick[row]),
            np.float64(tape.subtick[row]),
            np.int64(tape.size[row]),
        )
        if status != 0:
            return status
        row += 1
        clock["row"] = row
        if rarely(clock["pegs"] != 0) and move_pegs(exchange, inst) != 0:
            return STATUS.BOOK_FULL
        if clock["response_tail"] != responses and (react or crowded(exchange)):
            return STATUS.OK


@inner_kernel
def take_requests(exchange, arrival):
    """Handle the request that arrives now, and those behind it as long as nothing comes between.

    Returns the last one's Status; after BOOK_FULL it waits to be handled again.
    """
    clock = exchange.state[0]
    requests = exchange.request
    while True:
        slot = clock["request_head"] & (requests.shape[0] - 1)
        status = exchange_request(exchange, arrival, requests[slot])
        if status == STATUS.BOOK_FULL:
            return status
        clock["request_head"] += 1
        if clock["request_tail"] == clock["request_head"] or clock["status"] != 0:
            return status
        slot = clock["request_head"] & (requests.shape[0] - 1)
        if requests[slot]["ts"] > arrival or clock["next_expiry"] <= arrival or crowded(exchange):
            return status


@apart_kernel
def exchange_step(exchange, tape, until, stop_row, react):
    """Let the exchange live until a time: rows, arriving requests and expiries, in order.

    Returns AT_TIME when all up to ``until`` is done, AT_ROW when the next row is ``stop_row``,
    AT_RESPONSE (with ``react``) when the first response due by ``until`` is due and all before it
    is done, or a positive Status.
    """
    clock = exchange.state[0]
    requests = exchange.request
    responses = exchange.response
    rows = tape.exch_ts.shape[0]
    while True:
        if clock["status"] != 0:
            return clock["status"]
        if crowded(exchange):
            return STATUS.RING_FULL
        limit = until
        if react and clock["response_tail"] != clock["response_head"]:
            head = clock["response_head"] & (responses.shape[0] - 1)
            limit = min(limit, responses[head]["ts"])
        arrival = np.int64(NEVER)
        if clock["request_tail"] != clock["request_head"]:
            arrival = requests[clock["request_head"] & (requests.shape[0] - 1)]["ts"]
        expiry = clock["next_expiry"]
        stop_time = min(limit, min(arrival, expiry - 1))
        if clock["row"] >= stop_row:
            return AT_ROW
        before = clock["response_tail"]
        status = replay_rows(exchange, tape, min(stop_row, rows), stop_time, react)
        if status != 0:
            return status
        if clock["response_tail"] != before or clock["status"] != 0:
            continue
        if clock["row"] >= stop_row:
            return AT_ROW
        if arrival <= stop_time:
            status = take_requests(exchange, arrival)
            if status == STATUS.BOOK_FULL:
                return status
        elif expiry <= limit:
            expire_due(exchange, expiry)
        else:
            if react and clock["response_tail"] != clock["response_head"]:
                head = clock["response_head"] & (responses.shape[0] - 1)
                if responses[head]["ts"] <= until:
                    return AT_RESPONSE
            return AT_TIME


@inner_formula
def send_actions(exchange, ts, actions, n):
    """Send what the local half asked for. False if too much is on its way."""
    for i in range(n):
        kind = np.int64(actions[i]["kind"])
        if travels(kind) and not send_request(exchange, actions[i], ts):
            return False
    return True


@inner_kernel
def row_kind(tape, row):
    """Kind of a tape row, whatever its numbers are."""
    return abs(np.int64(tape.kind[row]))


@kernel
def row_message(tape, row, msg):
    """Write a tape row as the message that the local half receives."""
    msg["ts"] = tape.local_ts[row]
    msg["exch_ts"] = tape.exch_ts[row]
    msg["seq"] = row
    msg["order_id"] = 0
    msg["price"] = np.nan
    msg["mid"] = np.nan
    msg["subtick"] = tape.subtick[row]
    msg["tick"] = tape.tick[row]
    msg["lots"] = tape.size[row]
    msg["set"] = 0
    msg["inst"] = tape.inst[row]
    msg["reason"] = 0
    msg["kind"] = row_kind(tape, row)
    msg["event"] = 0
    msg["side"] = tape.side[row]
    msg["liquidity"] = 0


@kernel
def more_to_come(exchange, last_local_ts, ts):
    """Whether anything is still to come after a time: a market row, a request or a response.

    A strategy that always has a request under way would go on for ever on the last book it saw:
    some latencies after the last row it is over.
    """
    state = exchange.state[0]
    if last_local_ts > ts:
        return True
    if state["request_tail"] == state["request_head"] and (
        state["response_tail"] == state["response_head"]
    ):
        return False
    return ts < last_local_ts + SETTLING * (state["entry_ns"] + state["response_ns"])


def empty_message() -> np.ndarray:
    """One MSG row to write into."""
    return np.zeros(1, MSG)
