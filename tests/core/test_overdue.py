"""Answers that do not come, the link to the broker, and what else the broker says."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind, Control, MsgKind, OrderState, Reason, Requote, Session
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import BUY, GTD, SELL, Action, Desk, Want, instruments

S = OrderState
PLACE, MODIFY, CANCEL, PULL, ALERT, QUERY = ActionKind
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 4)
ACK, CANCEL_TIME = 10, 30


def waiting_desk(**limits: int) -> Desk:
    return Desk(**({"ack_timeout_ns": ACK, "cancel_timeout_ns": CANCEL_TIME} | limits))


def kinds(actions: list[Action]) -> list[tuple[ActionKind, Reason]]:
    return [(a.kind, a.reason) for a in actions]


def at(desk: Desk, ts: int, *wants: Want) -> list[Action]:
    desk.now = ts - 1
    return desk.decide(*wants)


def session(desk: Desk, what: Session, inst: int = 0) -> list[Action]:
    desk.now += 1
    return desk.tell(MsgKind.SESSION, reason=int(what), inst=inst)


# --- time-outs


def test_an_order_without_answer_is_unknown_and_asked_after_with_growing_pauses() -> None:
    desk = waiting_desk()
    (sent,) = desk.decide(BID)
    assert at(desk, ACK, BID) == []
    told = at(desk, ACK + 1, BID)
    assert kinds(told) == [(ALERT, Reason.ACK_TIMEOUT), (QUERY, Reason.ACK_TIMEOUT)]
    assert told[1].order_id == sent.order_id
    assert (desk.state(sent.order_id), desk.open_lots()) == (S.UNKNOWN, (5, 0))
    asked = [ts for ts in range(12, 200) if kinds(at(desk, ts, BID))]
    assert asked == [31, 71, 151]
    desk.on(E.FOUND_OPEN, sent.order_id, tick=99, lots=5)
    assert (desk.state(sent.order_id), desk.set["unknown"]) == (S.WORKING, 0)
    assert [ts for ts in range(210, 900) if at(desk, ts, BID)] == []


@pytest.mark.parametrize("ack", [ACK, 0])
def test_a_cancel_nobody_asked_for_is_asked_after(ack: int) -> None:
    desk = waiting_desk(ack_timeout_ns=ack, cancel_timeout_ns=0)
    (sent,) = desk.decide(BID)
    desk.on(E.CONFIRM, sent.order_id, tick=99, lots=5)
    desk.on(E.CANCEL_ACK, sent.order_id)
    assert (desk.state(sent.order_id), desk.open_lots()) == (S.UNKNOWN, (5, 0))
    now = desk.now
    asked = [a for ts in range(now + 1, now + 10) for a in at(desk, ts, BID)]
    assert [(a.kind, a.order_id) for a in asked] == [(QUERY, sent.order_id)]
    desk.on(E.FOUND_CLOSED, sent.order_id)
    assert desk.state(sent.order_id) == S.CANCELLED
    assert [a.kind for a in at(desk, desk.now + 2, BID)] == [PLACE]


@pytest.mark.parametrize("filled", [2, 3])
def test_a_change_to_what_is_filled_asks_for_the_end(filled: int) -> None:
    desk = waiting_desk(requote=int(Requote.MODIFY))
    order_id = desk.working(BID)
    (sent,) = desk.decide(Want(BUY, 98, 2))
    assert (sent.kind, sent.lots) == (MODIFY, 2)
    desk.fill(order_id, BUY, filled)
    desk.on(E.CANCEL_ACK, order_id)
    assert desk.state(order_id) == S.CANCELLED


@pytest.mark.parametrize("answer", [E.ACK, E.CONFIRM, E.REJECT, E.EXPIRE])
def test_an_answer_in_time_ends_the_wait(answer: E) -> None:
    desk = waiting_desk()
    (sent,) = desk.decide(BID)
    desk.on(answer, sent.order_id, tick=99, lots=5)
    told = [a for a in at(desk, 12, BID) if a.kind == QUERY]
    assert told == []
    assert desk.set["timeouts"] == 0


def test_a_cancel_without_answer_is_sent_again() -> None:
    desk = waiting_desk()
    order_id = desk.working(BID)
    assert [a.kind for a in at(desk, 10)] == [CANCEL]
    assert at(desk, 10 + CANCEL_TIME - 1) == []
    told = at(desk, 10 + CANCEL_TIME)
    assert kinds(told) == [
        (ALERT, Reason.CANCEL_TIMEOUT),
        (QUERY, Reason.CANCEL_TIMEOUT),
        (CANCEL, Reason.CANCEL_TIMEOUT),
    ]
    assert desk.state(order_id) == S.UNKNOWN
    desk.on(E.CANCEL_ACK, order_id)
    assert (desk.open_lots(), desk.set["unknown"]) == ((0, 0), 0)


def test_questions_leave_the_reserve_to_cancels() -> None:
    second = 10**9
    desk = waiting_desk(
        max_messages=12, cancel_reserve=4, message_window_ns=second, ack_timeout_ns=5 * second
    )
    asks = [Want(SELL, 101 + i, 1) for i in range(12)]
    assert len(at(desk, 12 * second, *asks[:8])) == 8
    assert len(at(desk, 13 * second, *asks)) == 4
    told = at(desk, 20 * second, *asks)
    assert [a.kind for a in told].count(QUERY) == 8
    assert desk.set["unknown"] == 12
    cancels = desk.tell(MsgKind.CONTROL, reason=int(Control.KILL))
    assert [a.kind for a in cancels].count(CANCEL) == 4
    again = at(desk, 21 * second, *asks)
    assert [a.kind for a in again if a.kind != PULL] == [QUERY] * 4 + [CANCEL] * 8


def test_an_unanswered_move_counts_the_larger_quantity_and_keeps_its_side_back() -> None:
    desk = waiting_desk(requote=int(Requote.MODIFY))
    order_id = desk.working(BID)
    desk.decide(Want(BUY, 98, 9))
    at(desk, 40, Want(BUY, 98, 9))
    assert (desk.state(order_id), desk.open_lots()) == (S.UNKNOWN, (9, 0))
    sent = at(desk, 41, Want(BUY, 97, 1), ASK)
    assert [(a.kind, a.side) for a in sent if a.kind == PLACE] == [(PLACE, SELL)]
    assert desk.local.refusals[0, Reason.PULL_RECONCILING] > 0
    desk.on(E.CONFIRM, order_id, tick=99, lots=5)
    assert desk.state(order_id) == S.UNKNOWN
    desk.on(E.CONFIRM, order_id, tick=98, lots=9)
    assert (desk.state(order_id), desk.open_lots()[0]) == (S.WORKING, 9)


def test_a_repeated_status_from_before_a_move_is_no_answer_to_it() -> None:
    desk = waiting_desk(requote=int(Requote.MODIFY))
    order_id = desk.working(BID)
    (asked,) = desk.decide(Want(BUY, 98, 9))
    desk.on(E.CONFIRM, order_id, tick=99, lots=5)
    assert (desk.state(order_id), desk.open_lots()) == (S.MODIFYING, (9, 0))
    assert desk.decide(Want(BUY, 97, 3)) == []
    desk.confirm(asked)
    (latest,) = desk.decide(Want(BUY, 97, 3))
    assert latest[:5] == (MODIFY, order_id, BUY, 97, 3)


def test_an_order_past_its_time_that_still_works_is_cancelled() -> None:
    desk = waiting_desk(tif=int(GTD), lifetime_ns=100)
    order_id = desk.working(BID)
    assert at(desk, 101 + ACK - 1, BID) == []
    assert kinds(at(desk, 101 + ACK, BID)) == [(CANCEL, Reason.LIFETIME)]
    assert desk.state(order_id) == S.CANCELLING


def test_a_quote_good_till_cancelled_leaves_as_one_of_the_day() -> None:
    desk = Desk(tif=0)
    desk.decide(BID)
    assert desk.actions[0]["tif"] == 1


def test_without_time_outs_nothing_is_ever_overdue() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    assert at(desk, 10**15, BID) == []
    assert desk.state(sent.order_id) == S.SENT


# --- the link


def test_nothing_new_leaves_between_a_lost_link_and_the_last_answer() -> None:
    desk = waiting_desk()
    order_id = desk.working(BID)
    assert kinds(session(desk, Session.DOWN)) == [(ALERT, Reason.PULL_DISCONNECTED)]
    assert (desk.state(order_id), desk.open_lots()) == (S.UNKNOWN, (5, 0))
    assert at(desk, 50, BID, ASK) == []
    assert session(desk, Session.RESYNCED) == []
    assert desk.set["link"] == Session.DOWN, "the end of an answer from before the link was lost"
    asked = session(desk, Session.UP)
    assert [(a.kind, a.order_id) for a in asked] == [(QUERY, 0)]
    assert at(desk, 55, ASK) == []
    assert [a.kind for a in at(desk, 80, ASK)] == [QUERY]
    desk.on(E.FOUND_OPEN, order_id, tick=99, lots=5)
    session(desk, Session.RESYNCED)
    assert [(a.kind, a.side) for a in at(desk, 85, BID, ASK)] == [(PLACE, SELL)]


def test_an_instrument_waits_until_none_of_its_orders_is_unknown() -> None:
    desk = Desk(what=instruments(2), ack_timeout_ns=ACK)
    order_id = desk.working(BID)
    session(desk, Session.DOWN)
    session(desk, Session.UP)
    session(desk, Session.RESYNCED)
    other = Want(SELL, 101, 4, 1)
    sent = at(desk, 20, ASK, other)
    assert [(a.kind, a.inst) for a in sent] == [(QUERY, 0), (PLACE, 1)]
    desk.confirm(sent[1])
    desk.on(E.NOT_FOUND, order_id)
    assert (desk.state(order_id), desk.open_lots()) == (S.UNKNOWN, (5, 0)), "it may still come"
    assert [(a.kind, a.order_id) for a in at(desk, 40, ASK, other)] == [(QUERY, order_id)]
    desk.on(E.NOT_FOUND, order_id)
    assert (desk.state(order_id), desk.open_lots()) == (S.LOST, (0, 0))
    assert [(a.kind, a.inst) for a in at(desk, 41, ASK, other)] == [(PLACE, 0)]


def test_a_kill_while_the_link_is_down_cancels_once_it_is_up() -> None:
    desk = waiting_desk()
    order_id = desk.working(BID)
    session(desk, Session.DOWN)
    assert desk.tell(MsgKind.CONTROL, reason=int(Control.KILL)) == []
    assert at(desk, 9) == []
    session(desk, Session.UP)
    assert (CANCEL, order_id) in [(a.kind, a.order_id) for a in at(desk, 12)]
    assert desk.state(order_id) == S.UNKNOWN


def test_stale_data_pull_their_instrument_and_leave_orders_known() -> None:
    desk = Desk(what=instruments(2))
    order_id = desk.working(BID)
    pulled = session(desk, Session.DATA_STALE)
    assert kinds(pulled) == [(CANCEL, Reason.PULL_STALE), (PULL, Reason.PULL_STALE)]
    assert desk.state(order_id) == S.CANCELLING
    assert [a.inst for a in desk.decide(ASK, Want(SELL, 101, 4, 1))] == [1]
    session(desk, Session.DATA_FRESH, -1)
    assert [a.inst for a in desk.decide(ASK, Want(SELL, 101, 4, 1))] == [0]


@pytest.mark.parametrize(("what", "inst"), [(Session.DATA_STALE, 7), (99, 0)])
def test_a_session_message_that_cannot_be_is_refused(what: int, inst: int) -> None:
    desk = Desk()
    desk.tell(MsgKind.SESSION, reason=int(what), inst=inst)
    assert desk.status < 0


# --- positions and others' orders


def test_a_position_that_differs_blocks_until_it_agrees() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    told = desk.tell(MsgKind.POSITION, lots=2)
    assert [a.kind for a in told] == [CANCEL, PULL, ALERT, QUERY]
    assert {a.reason for a in told} == {Reason.PULL_POSITION}
    assert desk.decide(ASK) == []
    desk.fill(order_id, BUY, 1)
    assert desk.decide(ASK) == []
    desk.fill(order_id, BUY, 1)
    assert [a.kind for a in desk.decide(ASK)] == [PLACE]


def test_a_position_that_agreed_says_nothing_of_later_fills() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    assert desk.tell(MsgKind.POSITION, lots=0) == []
    desk.fill(order_id, BUY, 1)
    assert [a.kind for a in desk.decide(BID, ASK)] == [PLACE]
    desk.tell(MsgKind.POSITION, lots=0)
    assert desk.decide(Want(SELL, 103, 1)) == []
    desk.tell(MsgKind.POSITION, lots=1)
    assert PLACE in [a.kind for a in desk.decide(Want(SELL, 103, 1))]


def test_orders_of_others_use_up_room_and_are_never_cancelled() -> None:
    desk = Desk(max_position_lots=8)
    desk.tell(MsgKind.EXTERNAL, side=BUY, lots=6)
    assert [(a.side, a.lots) for a in desk.decide(BID)] == [(BUY, 2)]
    desk.tell(MsgKind.EXTERNAL, side=BUY, lots=1)
    assert desk.open_lots() == (3, 0)
    assert CANCEL not in [a.kind for a in desk.tell(MsgKind.CONTROL, reason=9)]
    desk.tell(MsgKind.EXTERNAL, side=0, lots=1)
    assert desk.status < 0
