"""The message throttle: never more than the limit in any window, and cancels come first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import (
    ActionKind,
    Control,
    MsgKind,
    OrderEvent,
    OrderState,
    Reason,
    Requote,
)
from mmquant.core.throttle import may_send, note_sent
from tests.core.builders import BUY, SELL, SLOTS, Action, Desk, Want, examples, instruments, status

PLACE, MODIFY, CANCEL, PULL = (
    ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL, ActionKind.PULL,
)  # fmt: skip
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 5)
LOWER = Want(BUY, 98, 5)


# --- the window


def within(times: list[int], window: int, ts: int) -> int:
    """Messages that a window which ends at ``ts`` holds; one as old as the window is outside."""
    return sum(ts - window < t <= ts for t in times)


@settings(deadline=None, max_examples=examples(300, 100))
@given(
    gaps=st.lists(st.integers(0, 7), max_size=80),
    limit=st.integers(1, 6),
    spare=st.integers(0, 3),
    window=st.integers(1, 20),
)
def test_what_is_sent_is_what_counting_would_send(
    gaps: list[int], limit: int, spare: int, window: int
) -> None:
    sent, count, times = np.zeros(limit + spare, np.int64), 0, []
    for ts in np.cumsum(gaps).tolist():
        allowed = bool(may_send(sent, count, limit, window, ts))
        assert allowed == (within(times, window, ts) < limit)
        if allowed:
            count = note_sent(sent, count, ts)
            times.append(ts)
    assert count == len(times)
    assert all(within(times, window, ts) <= limit for ts in range(sum(gaps) + window + 1))


def test_no_limit_lets_all_pass_and_a_negative_one_nothing() -> None:
    sent, count = np.zeros(2, np.int64), 0
    for ts in range(10):
        assert may_send(sent, count, 0, 10**9, ts)
        assert not may_send(sent, count, -1, 0, ts)
        count = note_sent(sent, count, ts)
    assert not may_send(sent, 0, -1, 0, 10**9)


# --- the local half


def throttled(most: int, window: int, reserve: int = 0, **limits: int) -> Desk:
    return Desk(max_messages=most, message_window_ns=window, cancel_reserve=reserve, **limits)


def kinds(actions: list[Action]) -> list[ActionKind]:
    return [a.kind for a in actions]


def answer(desk: Desk, actions: list[Action]) -> None:
    """Have the exchange confirm what it was asked for."""
    now = desk.now
    for action in actions:
        if action.kind == CANCEL:
            desk.on(OrderEvent.CANCEL_ACK, action.order_id, inst=action.inst)
        elif action.kind in (PLACE, MODIFY):
            desk.on(
                OrderEvent.CONFIRM, action.order_id, side=action.side, tick=action.tick,
                lots=action.lots, inst=action.inst,
            )  # fmt: skip
    desk.now = now


wants = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(90, 98), st.integers(1, 3)).map(
        lambda want: Want(*want)
    ),
    max_size=4,
    unique_by=lambda want: want[:2],
)


@settings(deadline=None, max_examples=examples(150, 60))
@given(
    steps=st.lists(st.tuples(st.integers(0, 6), wants), min_size=1, max_size=25),
    most=st.integers(1, 6),
    reserve=st.integers(0, 7),
    window=st.integers(1, 15),
    requote=st.sampled_from(Requote),
)
def test_no_window_has_more_messages_than_the_limit_leaves(
    steps: list[tuple[int, list[Want]]], most: int, reserve: int, window: int, requote: Requote
) -> None:
    desk = throttled(most, window, reserve, requote=int(requote))
    times: list[int] = []
    for gap, wanted in steps:
        desk.now += gap
        before = int(desk.set["throttled"])
        actions = desk.decide(*wanted)
        for action in actions:
            room = most if action.kind == CANCEL else most - reserve
            assert within(times, window, desk.now) < room
            times.append(desk.now)
        held_back = int(desk.set["throttled"]) - before
        if held_back:
            assert within(times, window, desk.now) >= min(most, max(most - reserve, 0))
        else:
            live = [desk.order(i) for i in desk.live()]
            there = {(int(o["side"]), int(o["want_tick"])): int(o["state"]) for o in live}
            asked = {want[:2] for want in wanted}
            assert asked <= set(there)
            assert {there[at] for at in set(there) - asked} <= {OrderState.CANCELLING}
        answer(desk, actions)


def test_placements_beyond_the_limit_are_not_sent_and_counted() -> None:
    desk = throttled(3, 10)
    wanted = [Want(BUY, 99 - i, 1) for i in range(5)]
    sent = desk.decide(*wanted)
    assert kinds(sent) == [PLACE] * 3
    assert (desk.set["throttled"], desk.set["denied"], len(desk.live())) == (2, 0, 3)
    assert desk.open_lots() == (3, 0)
    desk.now += 8
    assert desk.decide(*wanted) == []
    assert desk.set["throttled"] == 4
    assert kinds(desk.decide(*wanted)) == [PLACE] * 2
    assert desk.set["throttled"] == 4


def test_the_reserve_is_for_cancels_alone() -> None:
    desk = throttled(4, 100, 2)
    sent = desk.decide(BID, ASK, LOWER)
    assert kinds(sent) == [PLACE, PLACE]
    answer(desk, sent)
    assert kinds(desk.decide(LOWER)) == [CANCEL, CANCEL]
    assert desk.decide(BID, LOWER) == []
    desk.now = 99
    assert desk.decide(LOWER) == []
    assert kinds(desk.decide(LOWER)) == []
    desk.now = 101
    assert kinds(desk.decide(LOWER)) == [PLACE]


@settings(deadline=None, max_examples=examples(150, 60))
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.integers(90, 99), st.integers(101, 110)),
        min_size=1,
        max_size=40,
    ),
    spare=st.integers(1, 4),
    window=st.integers(1, 40),
    requote=st.sampled_from(Requote),
)
def test_after_any_storm_of_requotes_a_halt_cancels_all_at_once(
    moves: list[tuple[int, int, int]], spare: int, window: int, requote: Requote
) -> None:
    """Where the reserve has room for all that can work: a re-quote's cancel takes from it, but
    then there is one order less, and no new one before the window has room again."""
    desk = throttled(spare + 2, window, 2, requote=int(requote), max_open_orders=2)
    for gap, bid, ask in moves:
        desk.now += gap
        answer(desk, desk.decide(Want(BUY, bid, 5), Want(SELL, ask, 5)))
    live = set(desk.live())
    actions = desk.tell(MsgKind.CONTROL, reason=int(Control.HALT))
    assert {a.order_id for a in actions if a.kind == CANCEL} == live


@pytest.mark.parametrize("reserve", [2, 3, 50])
def test_a_reserve_of_the_whole_limit_lets_only_cancels_pass(reserve: int) -> None:
    desk = Desk()
    answer(desk, desk.decide(BID, ASK))
    desk = throttled(2, 100, reserve)
    assert desk.decide(BID) == []
    assert (desk.set["throttled"], desk.live()) == (1, [])


def test_a_cancel_held_back_is_asked_for_again_and_the_order_works_on() -> None:
    desk = throttled(2, 10)
    sent = desk.decide(BID, ASK)
    answer(desk, sent)
    assert desk.decide() == []
    assert [desk.state(a.order_id) for a in sent] == [OrderState.WORKING] * 2
    assert (desk.open_lots(), desk.set["throttled"]) == ((5, 5), 2)
    desk.fill(sent[0].order_id, BUY, 5)
    desk.now = 10
    assert [(a.kind, a.order_id) for a in desk.decide()] == [(CANCEL, sent[1].order_id)]
    assert desk.state(sent[1].order_id) == OrderState.CANCELLING


def test_a_move_held_back_leaves_the_order_and_its_exposure_as_they_were() -> None:
    desk = throttled(1, 10, requote=int(Requote.MODIFY))
    (sent,) = desk.decide(BID)
    answer(desk, [sent])
    assert desk.decide(Want(BUY, 98, 8)) == []
    order = desk.order(sent.order_id)
    assert (order["state"], order["want_tick"], order["want_lots"]) == (OrderState.WORKING, 99, 5)
    assert (desk.open_lots(), desk.set["throttled"]) == ((5, 0), 1)
    desk.now = 10
    assert [(a.kind, a.tick, a.lots) for a in desk.decide(Want(BUY, 98, 8))] == [(MODIFY, 98, 8)]


def pulls_over_time(desk: Desk, until: int) -> list[tuple[int, ActionKind, Reason]]:
    """Time, kind and reason of all actions of the decisions to come."""
    out = []
    while desk.now < until:
        out += [(desk.now, a.kind, a.reason) for a in desk.decide(BID)]
    return out


def resting(desk: Desk, orders: int) -> Desk:
    """The desk with as many working orders, one a window."""
    wanted = [Want(BUY, 99 - i, 1) for i in range(orders)]
    for _ in range(100 * orders):
        answer(desk, desk.decide(*wanted))
    assert len(desk.live()) == orders
    desk.now += 100
    return desk


@pytest.mark.parametrize(
    ("code", "reason"),
    [(Control.HALT, Reason.PULL_HALTED), (Control.KILL, Reason.PULL_KILLED)],
)
def test_a_halt_and_a_kill_are_done_over_later_decisions(code: Control, reason: Reason) -> None:
    desk = resting(throttled(2, 10), 5)
    start, before = desk.now, desk.set["throttled"]
    actions = desk.tell(MsgKind.CONTROL, reason=int(code))
    assert kinds(actions) == [CANCEL, CANCEL, PULL]
    later = pulls_over_time(desk, start + 40)
    assert later == [
        (start + 10, CANCEL, reason),
        (start + 10, CANCEL, reason),
        (start + 10, PULL, reason),
        (start + 20, CANCEL, reason),
        (start + 20, PULL, reason),
    ]
    assert {desk.state(i) for i in desk.live()} == {OrderState.CANCELLING}
    # Two of five go at once and three wait; ten decisions later two go, and ten later the last.
    assert desk.set["throttled"] - before == 3 + 9 * 3 + 1 + 9 * 1


def test_a_market_that_cannot_be_quoted_is_pulled_over_later_decisions() -> None:
    desk = resting(throttled(2, 10), 3)
    start, asked = desk.now, desk.asked
    desk.row(status(start, 1))
    assert [(ts, kind) for ts, kind, _ in pulls_over_time(desk, start + 30)] == [
        (start + 1, CANCEL), (start + 1, CANCEL), (start + 1, PULL),
        (start + 11, CANCEL), (start + 11, PULL),
    ]  # fmt: skip
    assert desk.asked == asked


def test_nothing_is_told_of_a_pull_that_could_not_begin() -> None:
    desk = resting(throttled(1, 10), 1)
    desk.decide(Want(BUY, 99, 1), Want(BUY, 98, 1))
    assert desk.tell(MsgKind.CONTROL, reason=int(Control.KILL)) == []
    assert [desk.state(i) for i in desk.live()] == [OrderState.WORKING, OrderState.SENT]


def test_what_is_held_back_takes_no_order_number() -> None:
    desk = throttled(1, 10, max_open_orders=SLOTS)
    ids = []
    for _ in range(40):
        ids += [a.order_id for a in desk.decide(BID, ASK)]
    assert [i // SLOTS for i in ids] == [1, 2]


def test_instruments_share_the_limit_of_their_set() -> None:
    desk = Desk(what=instruments(2), max_messages=3, message_window_ns=10)
    sent = desk.decide(BID, ASK, BID._replace(inst=1), ASK._replace(inst=1))
    assert [(a.inst, a.side) for a in sent] == [(0, BUY), (0, SELL), (1, BUY)]
