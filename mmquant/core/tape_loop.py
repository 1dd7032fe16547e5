"""The compiled loop that pairs the two halves over a tape.

Ties in time are ordered: messages from outside, local data, local response, exchange data, exchange
order, and the decision last.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import MSG_KIND, NEVER, STATUS, TRIGGER
from mmquant.core.engine import (
    AT_END,
    AT_RESPONSE,
    AT_ROW,
    AT_TIME,
    TRADE,
    Tape,
    decide_and_record,
    exchange_step,
    first_after,
    market_row,
    more_to_come,
    on_last_answer,
    on_outside,
    on_own_message,
    row_kind,
    row_message,
    send_actions,
)
from mmquant.core.exchange import requests_have_room
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, kernel, rare_kernel
from mmquant.core.local import logs_have_room, make_views, table_has_room
from mmquant.core.records import copy_record
from mmquant.core.step_log import record_path
from mmquant.core.views import market_view, note_signals

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
        ("inbox", np.int64),
        ("timed", np.int64),
        ("pause_row", np.int64),
        ("latency", np.int64),
    ],
    align=True,
)
"""Cursors of a run, which can resume in the middle of a decision.

``due`` is the time being prepared or decided (0: none), ``own`` whether an own message asked,
``timed`` how many decisions were made that all sets take part in.
Before the exchange takes ``pause_row``, the shell is told. ``latency`` is that of all rows, where
they have the same and one book serves, VARIES else.
"""
VARIES = -1


@inner_kernel
def drain_responses(local, exchange, until, actions):
    """Hand all responses due by a time to the local half, in order. Returns a Status."""
    clock = exchange.state[0]
    ring = exchange.response
    while clock["response_tail"] != clock["response_head"]:
        msg = ring[clock["response_head"] & (ring.shape[0] - 1)]
        if msg["ts"] > until:
            break
        rows = actions.shape[0]
        if not logs_have_room(local, rows):
            return STATUS.LOG_FULL
        if not requests_have_room(exchange, rows):
            return STATUS.RING_FULL
        if not table_has_room(local):
            return STATUS.EXECUTIONS_FULL
        owner = np.int64(msg["set"])
        if rarely(msg["kind"] != MSG_KIND.ORDER):
            n = on_last_answer(local, owner, msg, actions)
        else:
            n = on_own_message(local, owner, msg, actions)
        ts = msg["ts"]
        clock["response_head"] += 1
        if rarely(n > 0) and not send_actions(exchange, ts, actions, n):
            exchange.state[0]["status"] = STATUS.RING_FULL
            return STATUS.RING_FULL
    return STATUS.OK


@inner_kernel
def local_row_index(tape, i):
    """Row that is the i-th to be received."""
    if tape.order.shape[0] == 0:
        return i
    return tape.order[i]


@rare_kernel
def receive_rows(local, tape, clock, until, msg):
    """Apply to the local book all rows received by a time. Returns a Status."""
    n = tape.local_ts.shape[0]
    while clock["local_row"] < n:
        row = local_row_index(tape, clock["local_row"])
        if tape.local_ts[row] > until:
            break
        row_message(tape, row, msg)
        status = market_row(local, msg, local.set[0]["peer_arithmetic"] != 0)
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
            if asks_decision(clock["triggers"], row_kind(tape, row)):
                return tape.local_ts[row]
    return due


@inner_kernel
def received(tape, clock, row):
    """When a row was received."""
    if clock["latency"] == VARIES:
        return tape.local_ts[row]
    return tape.exch_ts[row] + clock["latency"]


@inner_kernel
def ring_slot(ring, count, number):
    """Place in the ring of a decision's views; there are a power of two."""
    slots = ring.shape[0] if count == 1 else ring.shape[0] // count
    return number & (slots - 1)


@inner_kernel
def take_snapshot(local, exchange, tape, clock, ring):
    """Keep the market views that the next decision to come will have, while the book shows them."""
    count = local.instrument.shape[0]
    slot = ring_slot(ring, count, clock["snaps"])
    for inst in range(count):
        side = exchange.book.side[inst]
        if side["row"] >= 0:
            side["exch_ts"] = tape.exch_ts[side["row"]]
            side["ts"] = received(tape, clock, side["row"])
        market_view(local, exchange.book, inst, ring[slot * count + inst])
    clock["snaps"] += 1
    clock["next_snap"] += clock["interval"]
    if clock["latency"] == VARIES:
        clock["snap_row"] = first_after(tape.local_ts, clock["snap_row"], clock["next_snap"])


@inner_kernel
def show_views(local, clock, ring):
    """Put the market views of the decision in hand where the strategy looks.

    Returns whether a best price, its size or the market's status changed since the last decision.
    """
    count = local.instrument.shape[0]
    slot = ring_slot(ring, count, clock["decisions"])
    changed = False
    for inst in range(count):
        view = local.views[inst]
        bid, ask = view["best_bid"], view["best_ask"]
        bid_lots, ask_lots, halted = view["bid_lots"][0], view["ask_lots"][0], view["halted"]
        if rarely(clock["two_books"] != 0):
            market_view(local, local.book, inst, view)
        else:
            copy_record(view, ring[slot * count + inst])
        changed |= (view["best_bid"] != bid) | (view["best_ask"] != ask)
        changed |= (view["bid_lots"][0] != bid_lots) | (view["ask_lots"][0] != ask_lots)
        changed |= view["halted"] != halted
    return changed


@inner_kernel
def may_lag(exchange, clock, done, until):
    """Whether the exchange, which has done all up to a time, may wait there until another: no view
    is due between, and no answer to what happens there. Not at the tape's end, where it must be
    known if anything is still to come; a message from outside looks one nanosecond later."""
    if clock["react"] != 0 or exchange.knots.shape[0] != 0:
        return False
    if until > done + exchange.state[0]["response_ns"] or until + 1 >= clock["last_local_ts"]:
        return False
    return clock["next_snap"] - clock["latency"] > until


@inner_formula
def bring_to(local, exchange, tape, clock, ring, until):
    """Bring the exchange to a time, keeping the views that later decisions will need.

    A strategy with a constant feed latency needs no book of its own: what it sees is the
    exchange's book before the first row that it has not yet received. Where nothing that happens
    after that can be answered in time, the exchange stays behind: it then takes those rows together
    with the next. Returns as ``exchange_step`` does, or PAUSED.
    """
    react = clock["react"] != 0
    rows = tape.exch_ts.shape[0]
    while True:
        stop_row, stop = rows + 1, until
        at_time = False
        if clock["latency"] != VARIES:
            seen = clock["next_snap"] - clock["latency"]
            at_time = seen <= until
            stop = min(until, seen)
        elif clock["two_books"] == 0:
            row = clock["snap_row"]
            if clock["next_snap"] <= until or (row < rows and tape.exch_ts[row] <= until):
                stop_row = row
        at = exchange_step(exchange, tape, stop, min(stop_row, clock["pause_row"]), react)
        if at == AT_ROW and exchange.state[0]["row"] >= clock["pause_row"]:
            return STATUS.PAUSED
        if at != AT_ROW and not (at == AT_TIME and at_time):
            return at
        take_snapshot(local, exchange, tape, clock, ring)
        if at_time and may_lag(exchange, clock, stop, until):
            return AT_TIME


@inner_formula
def bring_answered(local, exchange, tape, clock, ring, until, actions):
    """Bring the exchange to a time, each answer applied when it comes if none asks to decide.

    The guard may pull quotes at an answer, which then are cancelled while the exchange goes on.
    """
    while True:
        at = bring_to(local, exchange, tape, clock, ring, until)
        if at != AT_RESPONSE or clock["triggers"] & TRIGGER.OWN:
            return at
        head = exchange.state[0]["response_head"] & (exchange.response.shape[0] - 1)
        status = drain_responses(local, exchange, exchange.response[head]["ts"], actions)
        if status != 0:
            return status


@rare_kernel
def take_inbox(local, exchange, tape, clock, ring, inbox, actions, msg):
    """Apply the messages from outside that come up to the decision in hand, each at its time.

    Returns a Status, or AT_RESPONSE if an answer asks for a decision before the next of them.
    ``event`` of a message tells whether it was refused. What comes when all is over is left.
    """
    while clock["inbox"] < inbox.shape[0] and inbox[clock["inbox"]]["ts"] <= clock["due"]:
        given = inbox[clock["inbox"]]
        at = bring_answered(local, exchange, tape, clock, ring, given["ts"] - 1, actions)
        if at > 0 or at == AT_RESPONSE:
            return at
        status = drain_responses(local, exchange, given["ts"] - 1, actions)
        if status == 0 and clock["two_books"] != 0:
            status = receive_rows(local, tape, clock, given["ts"] - 1, msg)
        if status != 0:
            return status
        if not more_to_come(exchange, clock["last_local_ts"], given["ts"]):
            return STATUS.OK
        rows = local.set.shape[0] * actions.shape[0]
        if not logs_have_room(local, rows):
            return STATUS.LOG_FULL
        if not table_has_room(local):
            return STATUS.EXECUTIONS_FULL
        if not requests_have_room(exchange, rows):
            return STATUS.RING_FULL
        for owner in range(local.set.shape[0]):
            n = on_outside(local, owner, given, actions)
            given["event"] = 1 if n < 0 else 0
            if n > 0 and not send_actions(exchange, given["ts"], actions, n):
                exchange.state[0]["status"] = STATUS.RING_FULL
                return STATUS.RING_FULL
        clock["inbox"] += 1
    return STATUS.OK


@inner_kernel
def prepare_decision(local, exchange, tape, clock, ring, inbox, actions, msg):
    """Bring everything to the next decision. Returns OK, END or why the shell must step in."""
    if clock["due"] == 0:
        clock["due"] = next_decision(tape, clock)
        clock["own"] = 0
    if clock["inbox"] < inbox.shape[0]:
        status = take_inbox(local, exchange, tape, clock, ring, inbox, actions, msg)
        if status > 0:
            return status
    at = bring_answered(local, exchange, tape, clock, ring, clock["due"], actions)
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


@inner_kernel
def count_decisions(local, owner, made):
    """Bring a set's decisions up to those of the run, of which it slept through some."""
    state = local.set[owner]
    state["decisions"] += made - state["counted"]
    state["counted"] = made


@inner_kernel
def wake_all(local):
    """Let all sets be asked at the decision in hand."""
    for owner in range(local.set.shape[0]):
        local.wakes_at[owner] = 0


@inner_kernel
def next_awake(local, owner, due):
    """The first set from ``owner`` of whose decision something may come."""
    sets = local.set.shape[0]
    while owner < sets and due < local.wakes_at[owner]:
        owner += 1
    return owner


@inner_kernel
def begin_decision(local, clock, ring):
    """Show the views of the decision in hand, and wake the sets if they changed."""
    clock["deciding"] = 1
    clock["owner"] = 0
    if show_views(local, clock, ring):
        wake_all(local)
    note_signals(local, clock["due"], clock["own"] == 0)


@inner_kernel
def end_decision(clock):
    """Move the cursors past the decision in hand."""
    if clock["own"] == 0:
        clock["timed"] += 1
        if clock["due"] == clock["next_timer"]:
            clock["next_timer"] += clock["interval"]
    clock["decisions"] += 1
    clock["deciding"] = 0
    clock["due"] = 0


@inner_formula
def decide_set(local, exchange, clock, owner, quote, actions):
    """Let a set take the decision in hand, as far as it concerns it. Returns a Status."""
    state = local.set[owner]
    due, timed = clock["due"], clock["own"] == 0
    touched = state["touched"] != 0
    if not timed and not touched:
        return STATUS.OK
    room = actions.shape[0]
    if not logs_have_room(local, room):
        return STATUS.LOG_FULL
    if not requests_have_room(exchange, room):
        return STATUS.RING_FULL
    n = 0
    if timed:
        count_decisions(local, owner, clock["timed"])
        state["counted"] += 1
    if timed and due < local.wakes_at[owner]:
        state["decisions"] += 1
        record_path(local, owner, due)
    else:
        n = decide_and_record(local, owner, due, quote, actions)
    state["touched"] = 0
    if n > 0 and not send_actions(exchange, due, actions, n):
        exchange.state[0]["status"] = STATUS.RING_FULL
        return STATUS.RING_FULL
    return STATUS.OK


@kernel
def run(local, exchange, tape, clocks, ring, inbox, quote, actions, message):
    """Pair the two halves over a tape until nothing is left to come.

    Returns END, or a Status that asks the shell to make room (LOG_FULL, BOOK_FULL) or to move the
    pause on (PAUSED) and call again: all state is in the arguments, so that the run goes on where
    it stopped.
    """
    clock = clocks[0]
    msg = message[0]
    sets = local.set.shape[0]
    may_sleep = local.log[0]["keep_path"] == 0
    if clock["deciding"] != 0:
        show_views(local, clock, ring)
        note_signals(local, clock["due"], False)
    while True:
        if clock["deciding"] == 0:
            status = prepare_decision(local, exchange, tape, clock, ring, inbox, actions, msg)
            if status != 0:
                for owner in range(sets):
                    count_decisions(local, owner, clock["timed"])
                return status
            begin_decision(local, clock, ring)
        while clock["owner"] < sets:
            owner = clock["owner"]
            if may_sleep and clock["own"] == 0:
                owner = next_awake(local, owner, clock["due"])
                clock["owner"] = owner
                if owner == sets:
                    break
            status = decide_set(local, exchange, clock, owner, quote, actions)
            if status != 0:
                return status
            clock["owner"] += 1
        end_decision(clock)


def run_clock(
    tape: Tape,
    *,
    interval: int,
    triggers: int,
    two_books: bool,
    last_local_ts: int,
    latency_ns: int | None,
    guarded: bool = False,
) -> np.ndarray:
    """Fresh cursors: the first timer decision is one interval after the first row.

    ``last_local_ts`` is the largest local time of the tape [ns], ``latency_ns`` the latency of its
    rows, if it is the same for all; ``guarded``: own messages can
    cause actions, so that each is applied at its time.
    """
    clock = np.zeros(1, RUN_CLOCK)
    origin = int(tape.exch_ts[0])
    clock["interval"] = interval
    clock["triggers"] = triggers
    clock["two_books"] = two_books
    clock["react"] = guarded or bool(triggers & TRIGGER.OWN)
    clock["next_timer"] = origin + interval if triggers & TRIGGER.TIMER else NEVER
    clock["next_snap"] = NEVER if two_books else origin + interval
    clock["last_local_ts"] = last_local_ts
    clock["pause_row"] = NEVER
    same = latency_ns is not None and latency_ns >= 0 and not two_books
    clock["latency"] = latency_ns if same else VARIES
    clock["snap_row"] = int(np.searchsorted(tape.local_ts, origin + interval, side="right"))
    if two_books:
        clock["snap_row"] = len(tape.exch_ts)
    return clock


def view_ring(*, longest_ns: int, interval: int, instruments: int) -> np.ndarray:
    """Room for the views of all decisions that can be on their way at once, a power of two.

    ``longest_ns`` is the longest latency of a row of the tape.
    """
    slots = 1 << int(longest_ns // interval + 2).bit_length()
    return make_views(slots * instruments)
