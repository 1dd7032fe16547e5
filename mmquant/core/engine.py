"""The two halves, stepped, and the compiled loop that pairs them over a tape.

``local_step`` and ``exchange_step`` are all that any mode of the program uses; ``run`` is the
pairing for tapes. Ties in time are ordered: local data, local response, exchange data, exchange
order, and the decision last.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.book import ASK, BID, NOT_NEGATIVE, clear_row, note_trade, set_level
from mmquant.core.decision import decide, market_view, notice, pull_all, record_path
from mmquant.core.dtypes import (
    ACTION_KIND,
    CONTROL,
    HAND,
    LIMIT,
    MSG,
    MSG_KIND,
    NEVER,
    REASON,
    ROW_KIND,
    STATUS,
    TRIGGER,
    VIEW,
)
from mmquant.core.exchange import send_request
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.local import logs_have_room, on_order
from mmquant.core.matching import exchange_row, expire_due
from mmquant.core.order_entry import exchange_request

DEPTH = ROW_KIND.DEPTH
TRADE = ROW_KIND.TRADE
CLEAR = ROW_KIND.CLEAR
SNAPSHOT = ROW_KIND.SNAPSHOT
STATUS_ROW = ROW_KIND.STATUS

SETTLING = 8
"""Latencies after the last row within which what is under way may settle."""
AT_TIME = 0
AT_ROW = -1
AT_RESPONSE = -2
AT_END = NEVER - (1 << 50)
"""Later than all that can happen, with room for latencies."""

RUN_CLOCK = np.dtype(
    [
        ("next_timer", np.int64),
        ("interval", np.int64),
        ("next_snap", np.int64),
        ("snap_row", np.int64),
        ("snaps", np.int64),
        ("decisions", np.int64),
        ("local_row", np.int64),
        ("last_local_ts", np.int64),
        ("due", np.int64),
        ("own", np.int64),
        ("triggers", np.int64),
        ("two_books", np.int64),
        ("react", np.int64),
        ("owner", np.int64),
        ("deciding", np.int64),
    ],
    align=True,
)
"""Cursors of a run, which can resume in the middle of a decision.

``due`` is the time being prepared or decided (0: none), ``own`` whether an own message asked.
"""


class Tape(NamedTuple):
    """Columns of a tape; ``order`` is the order of local receipt, empty where it is row order."""

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
def market_row(book, msg, as_peer):
    """Apply a market message to the local book. Returns a Status."""
    inst = np.int64(msg["inst"])
    kind = np.int64(msg["kind"])
    lots = np.int64(msg["lots"])
    tick = np.int64(msg["tick"])
    if kind == DEPTH or kind == SNAPSHOT:
        if not set_level(book, inst, BID if msg["side"] > 0 else ASK, tick, lots):
            return STATUS.BOOK_FULL
    elif kind == TRADE:
        note_trade(book, inst, msg["exch_ts"], np.int64(msg["side"]), tick, msg["subtick"], lots)
    elif kind == CLEAR:
        clear_row(book, inst, np.int64(msg["side"]), tick, as_peer)
    elif kind == STATUS_ROW:
        book.side[inst]["halted"] = lots
    else:
        return STATUS.BAD_ROW
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
    position = local.position[owner * local.instrument.shape[0] + inst]
    expire = np.int64(NEVER) if msg["exch_ts"] == 0 else msg["exch_ts"]
    if msg["reason"] == HAND.THEO:
        position["theo"] = msg["price"]
        position["theo_expire_ts"] = expire
    elif msg["reason"] == HAND.OFFSET and math.isfinite(msg["price"]):
        position["offset"] = msg["price"]
        position["offset_expire_ts"] = expire
    else:
        return False
    return True


@inner_kernel
def on_control(local, owner, msg, actions):
    """Halt, resume or kill a set. A kill is never resumed."""
    state = local.set[owner]
    what = np.int64(msg["reason"])
    if what == CONTROL.KILL:
        state["blocked"] = REASON.PULL_KILLED
    elif what == CONTROL.HALT:
        if state["blocked"] == 0:
            state["blocked"] = REASON.PULL_HALTED
    elif what == CONTROL.RESUME and state["blocked"] == REASON.PULL_HALTED:
        state["blocked"] = 0
    if state["blocked"] == 0:
        return 0
    return pull_all(local, owner, msg["ts"], -1, state["blocked"], actions, 0)


@inner_kernel
def on_own_message(local, owner, msg, actions):
    """Apply an order message and report what needs saying."""
    reason = on_order(local, owner, msg)
    if reason == REASON.NONE:
        return 0
    alert = ACTION_KIND.ALERT
    return notice(local, owner, msg["ts"], alert, np.int64(msg["inst"]), reason, actions, 0)


@inner_kernel
def decide_and_record(local, owner, ts, quote, actions):
    """Decide for a set on the views as they stand, and log the step."""
    n = decide(local, owner, ts, quote, actions)
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
        return -market_row(local.book, msg, local.set[owner]["peer_arithmetic"] != 0)
    if not logs_have_room(local, actions.shape[0]):
        return -STATUS.LOG_FULL
    if kind == MSG_KIND.ORDER:
        return on_own_message(local, owner, msg, actions)
    if kind == MSG_KIND.DECISION:
        for inst in range(local.instrument.shape[0]):
            market_view(local, local.book, inst)
        return decide_and_record(local, owner, msg["ts"], quote, actions)
    if kind == MSG_KIND.CONTROL:
        return on_control(local, owner, msg, actions)
    if kind == MSG_KIND.THEO and apply_hand(local, owner, msg):
        return 0
    if kind == MSG_KIND.LIMITS and apply_limit(local, owner, msg):
        return 0
    return -STATUS.BAD_ROW


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
    """Whether the responses under way fill half of their ring: time to grow it, losing none."""
    clock = exchange.state[0]
    under_way = clock["response_tail"] - clock["response_head"]
    return 2 * under_way > exchange.response.shape[0]


@inner_kernel
def plain_rows(book, tape, row, stop_row, stop_time):
    """Apply rows as long as they touch no own order and no best price; returns the first that does.

    Most rows are plain, and are told by selects and sums instead of branches, which would be
    mispredicted: nothing foretells a row's side. A key is a tick that grows towards the other side
    on both sides; ``reach`` is the key of the best price, or of the last level short of own orders
    of the other side. The few plain rows that fail the test are done right by the slow way.
    """
    many = book.side.shape[0] > 1
    state = book.side[0]
    base, window = state["base"], state["window"]
    origin = state["start"] - base
    reach_bid = min(state["best_bid"], state["own_ask_min"] - 1)
    reach_ask = min(-state["best_ask"], -state["own_bid_max"] - 1)
    while row < stop_row:
        at = row & NOT_NEGATIVE
        if tape.exch_ts[at] > stop_time:
            break
        if many:
            state = book.side[np.int64(tape.inst[at]) & NOT_NEGATIVE]
            base, window = state["base"], state["window"]
            origin = state["start"] - base
            reach_bid = min(state["best_bid"], state["own_ask_min"] - 1)
            reach_ask = min(-state["best_ask"], -state["own_bid_max"] - 1)
        mask = np.int64(tape.side[at]) >> 7
        tick = np.int64(tape.tick[at])
        lots = tape.size[at]
        key = (tick ^ mask) - mask
        reach = reach_bid ^ ((reach_bid ^ reach_ask) & mask)
        inside = (tick >= base) & (tick - base < window)
        cell = origin + (tick if inside else base) + (window & mask)
        level = book.level[cell & NOT_NEGATIVE]
        behind = key < reach + (1 if lots != 0 else 0)
        if not (inside & behind & (level["head"] == 0) & (tape.kind[at] == DEPTH)):
            break
        level["lots"] = lots
        state["row"] = row
        row += 1
    return row


@inner_kernel
def replay_rows(exchange, tape, stop_row, stop_time, react):
    """Apply tape rows before ``stop_row`` and up to ``stop_time``.

    With ``react``, stop after a row that caused a response. Returns a Status.
    """
    clock = exchange.state[0]
    responses = clock["response_tail"]
    row = clock["row"]
    while True:
        row = plain_rows(exchange.book, tape, row, stop_row, stop_time)
        clock["row"] = row
        if row >= stop_row or tape.exch_ts[row & NOT_NEGATIVE] > stop_time:
            return STATUS.OK
        at = row & NOT_NEGATIVE
        inst = np.int64(tape.inst[at]) & NOT_NEGATIVE
        exchange.book.side[inst]["row"] = row
        status = exchange_row(
            exchange,
            tape.exch_ts[at],
            inst,
            np.int64(tape.kind[at]),
            np.int64(tape.side[at]),
            np.int64(tape.tick[at]),
            np.float64(tape.subtick[at]),
            np.int64(tape.size[at]),
        )
        if status != 0:
            return status
        row += 1
        clock["row"] = row
        if clock["response_tail"] != responses and (react or crowded(exchange)):
            return STATUS.OK


@kernel
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
            slot = clock["request_head"] & (requests.shape[0] - 1)
            status = exchange_request(exchange, arrival, requests[slot])
            if status == STATUS.BOOK_FULL:
                return status
            clock["request_head"] += 1
        elif expiry <= limit:
            expire_due(exchange, expiry)
        else:
            if react and clock["response_tail"] != clock["response_head"]:
                head = clock["response_head"] & (responses.shape[0] - 1)
                if responses[head]["ts"] <= until:
                    return AT_RESPONSE
            return AT_TIME


@inner_kernel
def send_actions(exchange, ts, actions, n):
    """Send what the local half asked for. False if too much is on its way."""
    for i in range(n):
        kind = np.int64(actions[i]["kind"])
        if kind <= ACTION_KIND.CANCEL and not send_request(exchange, actions[i], ts):
            return False
    return True


@inner_kernel
def drain_responses(local, exchange, until, actions):
    """Hand all responses due by a time to the local half, in order. Returns a Status."""
    clock = exchange.state[0]
    ring = exchange.response
    while clock["response_tail"] != clock["response_head"]:
        msg = ring[clock["response_head"] & (ring.shape[0] - 1)]
        if msg["ts"] > until:
            break
        if not logs_have_room(local, 2):
            return STATUS.LOG_FULL
        n = on_own_message(local, np.int64(msg["set"]), msg, actions)
        ts = msg["ts"]
        clock["response_head"] += 1
        if n > 0 and not send_actions(exchange, ts, actions, n):
            exchange.state[0]["status"] = STATUS.RING_FULL
            return STATUS.RING_FULL
    return STATUS.OK


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
    msg["kind"] = tape.kind[row]
    msg["event"] = 0
    msg["side"] = tape.side[row]
    msg["liquidity"] = 0


@inner_kernel
def local_row_index(tape, i):
    """Row that is the i-th to be received."""
    if tape.order.shape[0] == 0:
        return i
    return tape.order[i]


@inner_kernel
def receive_rows(local, tape, clock, until, msg):
    """Apply to the local book all rows received by a time. Returns a Status."""
    n = tape.local_ts.shape[0]
    while clock["local_row"] < n:
        row = local_row_index(tape, clock["local_row"])
        if tape.local_ts[row] > until:
            break
        row_message(tape, row, msg)
        status = market_row(local.book, msg, local.set[0]["peer_arithmetic"] != 0)
        if status != 0:
            return status
        clock["local_row"] += 1
    return STATUS.OK


@inner_kernel
def asks_decision(triggers, kind):
    """Whether a market row of this kind asks for a decision."""
    if kind == TRADE:
        return triggers & TRIGGER.TRADE != 0
    return triggers & TRIGGER.BOOK != 0


@inner_kernel
def next_decision(tape, clock):
    """Time of the next decision that the timer or a market row asks for; AT_END if none does."""
    due = np.int64(AT_END)
    if clock["triggers"] & TRIGGER.TIMER:
        due = clock["next_timer"]
    if clock["triggers"] & (TRIGGER.BOOK | TRIGGER.TRADE):
        for i in range(clock["local_row"], tape.local_ts.shape[0]):
            row = local_row_index(tape, i)
            if tape.local_ts[row] >= due:
                break
            if asks_decision(clock["triggers"], tape.kind[row]):
                return tape.local_ts[row]
    return due


@inner_kernel
def take_snapshot(local, exchange, tape, clock, ring):
    """Keep the market views that the next decision to come will have, while the book shows them."""
    count = local.instrument.shape[0]
    slot = clock["snaps"] % (ring.shape[0] // count)
    for inst in range(count):
        side = exchange.book.side[inst]
        if side["row"] >= 0:
            side["ts"] = tape.local_ts[side["row"]]
            side["exch_ts"] = tape.exch_ts[side["row"]]
        market_view(local, exchange.book, inst)
        ring[slot * count + inst] = local.views[inst]
    clock["snaps"] += 1
    clock["next_snap"] += clock["interval"]
    clock["snap_row"] = first_after(tape.local_ts, clock["snap_row"], clock["next_snap"])


@inner_kernel
def show_views(local, clock, ring):
    """Put the market views of the decision in hand where the strategy looks."""
    count = local.instrument.shape[0]
    if clock["two_books"] != 0:
        for inst in range(count):
            market_view(local, local.book, inst)
        return
    slot = clock["decisions"] % (ring.shape[0] // count)
    for inst in range(count):
        local.views[inst] = ring[slot * count + inst]


@inner_kernel
def bring_to(local, exchange, tape, clock, ring, until):
    """Bring the exchange to a time, keeping the views that later decisions will need.

    A strategy with a constant feed latency needs no book of its own: what it sees is the
    exchange's book before the first row that it has not yet received.
    """
    react = clock["react"] != 0
    rows = tape.exch_ts.shape[0]
    while True:
        stop_row = rows + 1
        if clock["two_books"] == 0:
            row = clock["snap_row"]
            if clock["next_snap"] <= until or (row < rows and tape.exch_ts[row] <= until):
                stop_row = row
        at = exchange_step(exchange, tape, until, stop_row, react)
        if at != AT_ROW:
            return at
        take_snapshot(local, exchange, tape, clock, ring)


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


@inner_kernel
def prepare_decision(local, exchange, tape, clock, ring, actions, msg):
    """Bring everything to the next decision. Returns OK, END or why the shell must step in."""
    if clock["due"] == 0:
        clock["due"] = next_decision(tape, clock)
        clock["own"] = 0
    at = bring_to(local, exchange, tape, clock, ring, clock["due"])
    if at > 0:
        return at
    if at == AT_RESPONSE:
        state = exchange.state[0]
        head = state["response_head"] & (exchange.response.shape[0] - 1)
        due = exchange.response[head]["ts"]
        if due < clock["due"]:
            clock["own"] = 1
        clock["due"] = due
    status = drain_responses(local, exchange, clock["due"], actions)
    if status != 0:
        return status
    if clock["two_books"] != 0:
        status = receive_rows(local, tape, clock, clock["due"], msg)
        if status != 0:
            return status
    if clock["due"] == AT_END or not more_to_come(exchange, clock["last_local_ts"], clock["due"]):
        return STATUS.END
    return STATUS.OK


@kernel
def run(local, exchange, tape, clocks, ring, quote, actions, message):
    """Pair the two halves over a tape until nothing is left to come.

    Returns END, or a Status that asks the shell to make room (LOG_FULL, BOOK_FULL) and call again:
    all state is in the arguments, so that the run goes on where it stopped.
    """
    clock = clocks[0]
    msg = message[0]
    sets = local.set.shape[0]
    room = actions.shape[0]
    while True:
        if clock["deciding"] == 0:
            status = prepare_decision(local, exchange, tape, clock, ring, actions, msg)
            if status != 0:
                return status
            clock["deciding"] = 1
            clock["owner"] = 0
        due = clock["due"]
        show_views(local, clock, ring)
        while clock["owner"] < sets:
            owner = clock["owner"]
            if clock["own"] == 0 or local.set[owner]["touched"] != 0:
                if not logs_have_room(local, room):
                    return STATUS.LOG_FULL
                n = decide_and_record(local, owner, due, quote, actions)
                local.set[owner]["touched"] = 0
                if not send_actions(exchange, due, actions, n):
                    exchange.state[0]["status"] = STATUS.RING_FULL
                    return STATUS.RING_FULL
            clock["owner"] += 1
        if clock["own"] == 0 and due == clock["next_timer"]:
            clock["next_timer"] += clock["interval"]
        clock["decisions"] += 1
        clock["deciding"] = 0
        clock["due"] = 0


def run_clock(
    tape: Tape, *, interval: int, triggers: int, two_books: bool, start: int | None = None
) -> np.ndarray:
    """Fresh cursors: the first timer decision is one interval after the first row."""
    clock = np.zeros(1, RUN_CLOCK)
    origin = int(tape.exch_ts[0]) if start is None else start
    clock["interval"] = interval
    clock["triggers"] = triggers
    clock["two_books"] = two_books
    clock["react"] = bool(triggers & TRIGGER.OWN)
    clock["next_timer"] = origin + interval if triggers & TRIGGER.TIMER else NEVER
    clock["next_snap"] = NEVER if two_books else origin + interval
    clock["last_local_ts"] = int(tape.local_ts.max())
    clock["snap_row"] = int(np.searchsorted(tape.local_ts, origin + interval, side="right"))
    if two_books:
        clock["snap_row"] = len(tape.exch_ts)
    return clock


def view_ring(tape: Tape, *, interval: int, instruments: int) -> np.ndarray:
    """Room for the views of all decisions that can be on their way at once."""
    latency = int((tape.local_ts - tape.exch_ts).max())
    return np.zeros((latency // interval + 3) * instruments, VIEW)


def empty_message() -> np.ndarray:
    """One MSG row to write into."""
    return np.zeros(1, MSG)
