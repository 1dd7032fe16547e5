"""What order messages do to the local half: states, exposure, position."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind, Control, MsgKind, OrderState, Reason, Requote
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import (
    BUY,
    DAY,
    LIMIT,
    POST_ONLY,
    SELL,
    SLOTS,
    Desk,
    Venue,
    Want,
    depth,
    instruments,
    modify,
    place,
)

S = OrderState
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 4)
PLACE, MODIFY, CANCEL, ALERT = (
    ActionKind.PLACE,
    ActionKind.MODIFY,
    ActionKind.CANCEL,
    ActionKind.ALERT,
)


def moving_desk(**limits: int) -> Desk:
    """A desk that moves its orders by modifying them."""
    return Desk(requote=int(Requote.MODIFY), **limits)


# --- the life of an order


def test_an_order_is_sent_confirmed_and_filled() -> None:
    desk = Desk()
    sent = desk.decide(BID)
    assert [a[:1] + a[2:6] for a in sent] == [(PLACE, BUY, 99, 5, Reason.QUOTE)]
    order_id = sent[0].order_id
    assert (desk.state(order_id), desk.open_lots(), desk.live()) == (S.SENT, (5, 0), [order_id])
    desk.confirm(sent[0])
    assert desk.state(order_id) == S.WORKING
    assert desk.order(order_id)["ack_ts"] == desk.now
    desk.fill(order_id, BUY, 2)
    assert (desk.state(order_id), desk.open_lots()) == (S.WORKING, (3, 0))
    assert desk.position()["lots"] == 2
    desk.fill(order_id, BUY, 3)
    assert (desk.state(order_id), desk.open_lots(), desk.live()) == (S.FILLED, (0, 0), [])
    assert desk.position()["lots"] == 5
    assert desk.order(order_id)["end_ts"] == desk.now


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (E.CANCEL_ACK, S.CANCELLED),
        (E.REJECT, S.REJECTED),
        (E.EXPIRE, S.EXPIRED),
        (E.FOUND_CLOSED, S.CANCELLED),
    ],
)
def test_an_order_that_ends_frees_its_exposure(event: E, state: S) -> None:
    desk = Desk()
    order_id = desk.working(ASK)
    desk.fill(order_id, SELL, 1)
    desk.decide()
    assert desk.on(event, order_id, reason=int(Reason.LIFETIME)) == []
    assert (desk.state(order_id), desk.open_lots(), desk.live()) == (state, (0, 0), [])
    order = desk.order(order_id)
    assert (order["end_ts"], order["reason"]) == (desk.now, Reason.LIFETIME)
    assert desk.position()["lots"] == -1


def test_an_execution_may_come_before_the_acknowledgement() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    desk.fill(sent.order_id, BUY, 2)
    assert (desk.state(sent.order_id), desk.open_lots()) == (S.ACKED, (3, 0))
    desk.confirm(sent)
    assert (desk.state(sent.order_id), desk.open_lots()) == (S.WORKING, (3, 0))


def test_an_order_that_is_not_wanted_is_cancelled_once_and_kept_as_exposure() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    assert [(a.kind, a.order_id, a.reason) for a in desk.decide()] == [
        (CANCEL, order_id, Reason.NOT_WANTED)
    ]
    assert desk.decide() == []
    assert (desk.state(order_id), desk.open_lots()) == (S.CANCELLING, (5, 0))


def test_an_order_that_is_not_acknowledged_is_cancelled_only_then() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    assert desk.decide() == []
    desk.confirm(sent)
    assert [a.kind for a in desk.decide()] == [CANCEL]


@pytest.mark.parametrize("how", ["sent", "working", "cancelling"])
def test_a_level_never_gets_a_second_order_while_one_is_there(how: str) -> None:
    desk = Desk()
    if how == "sent":
        desk.decide(BID)
    else:
        desk.working(BID)
    if how == "cancelling":
        desk.decide()
    assert desk.decide(BID) == []


def test_quotes_at_one_level_become_one_order() -> None:
    assert len(Desk().decide(BID, BID, ASK)) == 2


def test_a_cancel_that_is_rejected_leaves_the_order_working() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.decide()
    desk.on(E.CANCEL_REJECT, order_id)
    assert (desk.state(order_id), desk.open_lots()) == (S.WORKING, (5, 0))


def test_unknown_orders_count_whole_until_the_broker_speaks() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.on(E.DISCONNECT, order_id)
    assert (desk.state(order_id), desk.open_lots()) == (S.UNKNOWN, (5, 0))
    desk.fill(order_id, BUY, 1)
    assert (desk.state(order_id), desk.open_lots()) == (S.UNKNOWN, (4, 0))
    desk.on(E.NOT_FOUND, order_id)
    assert (desk.state(order_id), desk.open_lots(), desk.live()) == (S.LOST, (0, 0), [])


def test_a_lost_order_that_is_found_lives_and_counts_again() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.on(E.DISCONNECT, order_id)
    desk.on(E.NOT_FOUND, order_id)
    desk.on(E.FOUND_OPEN, order_id)
    assert desk.state(order_id) == S.WORKING
    assert (desk.open_lots(), desk.live()) == ((5, 0), [order_id])
    desk.on(E.EXPIRE, order_id)
    assert (desk.open_lots(), desk.live()) == ((0, 0), [])


# --- executions that nobody expects


@pytest.mark.parametrize("event", [E.CANCEL_ACK, E.REJECT, E.EXPIRE])
def test_a_late_execution_counts_and_is_told(event: E) -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.decide()
    desk.on(event, order_id)
    state = desk.state(order_id)
    told = desk.fill(order_id, BUY, 2)
    assert [(a.kind, a.reason) for a in told] == [(ALERT, Reason.LATE_EXECUTION)]
    assert (desk.state(order_id), desk.position()["lots"], desk.open_lots()) == (state, 2, (0, 0))
    assert desk.order(order_id)["filled"] == 2
    assert desk.set["late"] == 1


@pytest.mark.parametrize("order_id", [12345, 0, -3], ids=["unknown", "zero", "negative"])
def test_an_orphan_execution_counts_and_is_told(order_id: int) -> None:
    """Brokers report trades made by hand with an order id of 0, or a negative one."""
    desk = Desk()
    told = desk.fill(order_id, SELL, 2)
    assert [(a.kind, a.reason) for a in told] == [(ALERT, Reason.ORPHAN_EXECUTION)]
    assert (desk.position()["lots"], desk.open_lots(), desk.set["orphans"]) == (-2, (0, 0), 1)


def test_messages_about_order_zero_make_no_order() -> None:
    desk = Desk()
    desk.on(E.FOUND_OPEN, 0, side=BUY, lots=1, tick=99)
    assert desk.live() == []
    assert len({desk.working(Want(BUY, 90 - i, 1)) for i in range(SLOTS)}) == SLOTS


def test_a_bust_takes_an_execution_back() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    before = {name: float(desk.position()[name]) for name in ("cash", "fees", "volume")}
    desk.fill(order_id, BUY, 2, price=0.98, seq=77)
    desk.on(E.BUST, order_id, side=BUY, seq=77, reason=1)
    assert (desk.position()["lots"], desk.open_lots()) == (0, (5, 0))
    assert {name: float(desk.position()[name]) for name in before} == before
    assert desk.logged_fills()["lots"].tolist() == [2, -2]


def test_more_lots_than_ordered_are_booked() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    told = desk.fill(order_id, BUY, 7)
    assert [(a.kind, a.reason) for a in told] == [(ALERT, Reason.OVERFILL)]
    assert (desk.position()["lots"], desk.open_lots(), desk.state(order_id)) == (
        7,
        (0, 0),
        S.FILLED,
    )
    assert desk.decide(BID) == []
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert [a.kind for a in desk.decide(BID)] == [PLACE]


@pytest.mark.parametrize("event", [E.SEND, E.NOT_FOUND])
def test_an_event_that_cannot_be_is_told_and_changes_nothing(event: E) -> None:
    desk = Desk()
    order_id = desk.working(BID)
    told = desk.on(event, order_id)
    assert [(a.kind, a.reason) for a in told] == [(ALERT, Reason.ILLEGAL_EVENT)]
    assert (desk.state(order_id), desk.open_lots(), desk.set["illegal"]) == (S.WORKING, (5, 0), 1)


def test_a_message_about_an_unknown_order_is_told() -> None:
    told = Desk().on(E.CONFIRM, 777, lots=3, side=BUY, tick=99)
    assert [(a.kind, a.reason) for a in told] == [(ALERT, Reason.UNKNOWN_ORDER)]


def test_repeated_messages_change_nothing() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    for _ in range(3):
        desk.confirm(sent)
    assert (desk.state(sent.order_id), desk.open_lots()) == (S.WORKING, (5, 0))
    assert desk.order(sent.order_id)["ack_ts"] == 2
    desk.decide()
    for _ in range(2):
        desk.on(E.CANCEL_ACK, sent.order_id)
    assert (desk.open_lots(), desk.live()) == ((0, 0), [])


# --- moving orders


def test_a_move_counts_the_larger_quantity_until_it_is_answered() -> None:
    desk = moving_desk()
    order_id = desk.working(BID)
    (asked,) = desk.decide(Want(BUY, 98, 7))
    assert asked[:6] == (MODIFY, order_id, BUY, 98, 7, Reason.REPRICE)
    assert (desk.state(order_id), desk.open_lots()) == (S.MODIFYING, (7, 0))
    desk.confirm(asked)
    assert (desk.state(order_id), desk.open_lots()) == (S.WORKING, (7, 0))
    assert desk.order(order_id)["tick"] == 98


def test_a_move_to_less_counts_the_old_quantity_until_it_is_answered() -> None:
    desk = moving_desk()
    order_id = desk.working(BID)
    (asked,) = desk.decide(Want(BUY, 98, 2))
    assert desk.open_lots() == (5, 0)
    desk.confirm(asked)
    assert (desk.state(order_id), desk.open_lots()) == (S.WORKING, (2, 0))


def test_a_move_adds_what_is_filled_to_what_is_wanted() -> None:
    desk = moving_desk()
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 2)
    (asked,) = desk.decide(Want(BUY, 98, 4))
    assert (asked.lots, desk.open_lots()) == (6, (4, 0))


def test_a_move_that_is_rejected_leaves_the_order_as_it_was() -> None:
    desk = moving_desk()
    order_id = desk.working(BID)
    desk.decide(Want(BUY, 98, 7))
    desk.on(E.MODIFY_REJECT, order_id)
    assert (desk.state(order_id), desk.open_lots()) == (S.WORKING, (5, 0))
    assert desk.order(order_id)["tick"] == 99
    assert desk.decide(BID) == []


def test_an_order_filled_while_a_move_was_on_its_way_ends() -> None:
    desk = moving_desk()
    order_id = desk.working(BID)
    desk.decide(Want(BUY, 98, 7))
    desk.fill(order_id, BUY, 5)
    assert (desk.state(order_id), desk.open_lots()) == (S.MODIFYING, (2, 0))
    desk.on(E.MODIFY_REJECT, order_id)
    assert (desk.state(order_id), desk.open_lots(), desk.live()) == (S.FILLED, (0, 0), [])


@pytest.mark.parametrize("lots", [2, 3, 5, 8])
def test_a_move_that_takes_all_of_its_quantity_ends_the_order(lots: int) -> None:
    desk = moving_desk(order_type=int(LIMIT))
    venue = Venue([depth(0, BUY, 97, 10), depth(0, SELL, 101, 10)])
    order_id = desk.working(BID)
    venue.send(place(1, order_id, BUY, 99, 5))
    (asked,) = desk.decide(Want(BUY, 101, lots))
    venue.send(modify(2, order_id, asked.tick, asked.lots))
    for said in venue.live_until(10)[1:]:
        desk.on(
            said.event, said.order_id, side=BUY, tick=said.tick, lots=said.lots,
            price=said.price, mid=said.mid, liquidity=-1,
        )  # fmt: skip
    assert desk.position()["lots"] == lots
    assert (desk.open_lots(), desk.live()) == ((0, 0), [])


def test_a_quote_of_another_type_is_a_new_order() -> None:
    desk = moving_desk(order_type=int(LIMIT))
    desk.working(BID)
    asked = desk.decide(Want(BUY, 98, 5, 0, POST_ONLY))
    assert [a.kind for a in asked] == [CANCEL, PLACE]


# --- slots and defaults


def test_all_slots_can_live_and_the_next_order_is_denied() -> None:
    desk = Desk()
    wants = [Want(BUY, 90 - i, 1) for i in range(SLOTS)]
    assert len(desk.decide(*wants)) == SLOTS
    assert desk.decide(*wants[1:], Want(BUY, 50, 1)) == []
    assert desk.set["denied"] == 1


def test_a_slot_is_used_again_and_its_order_is_logged() -> None:
    desk = Desk()
    ids = []
    for i in range(3 * SLOTS):
        (sent,) = desk.decide(Want(BUY, 90 - i, 1))
        ids.append(sent.order_id)
        desk.on(E.REJECT, sent.order_id)
    assert len(set(ids)) == len(ids)
    logged = desk.local.order_log[: desk.local.log[0]["orders"]]
    assert logged["order_id"].tolist() == ids[: 2 * SLOTS]
    assert set(logged["state"].tolist()) == {S.REJECTED}


def test_an_execution_of_an_order_whose_slot_was_used_again_is_an_orphan() -> None:
    desk = Desk()
    (first,) = desk.decide(BID)
    desk.on(E.REJECT, first.order_id)
    for i in range(SLOTS):
        (sent,) = desk.decide(Want(BUY, 90 - i, 1))
        desk.on(E.REJECT, sent.order_id)
    told = desk.fill(first.order_id, BUY, 1)
    assert [a.reason for a in told] == [Reason.ORPHAN_EXECUTION]
    assert desk.position()["lots"] == 1


def test_quotes_take_the_configured_type_and_lifetime_unless_they_say_otherwise() -> None:
    desk = Desk(order_type=int(POST_ONLY), tif=2, lifetime_ns=50)
    desk.decide(BID, Want(SELL, 101, 4, 0, LIMIT, DAY))
    bid, ask = (desk.order(order_id) for order_id in desk.live())
    assert (bid["order_type"], bid["tif"], bid["expire_ts"]) == (POST_ONLY, 2, desk.now + 50)
    assert (ask["order_type"], ask["tif"]) == (LIMIT, DAY)


def test_instruments_have_positions_of_their_own() -> None:
    desk = Desk(what=instruments(2))
    bid, ask = desk.decide(BID, Want(SELL, 101, 4, 1))
    assert (desk.open_lots(0), desk.open_lots(1)) == ((5, 0), (0, 4))
    desk.fill(bid.order_id, BUY, 2)
    desk.on(E.EXECUTION, ask.order_id, side=SELL, lots=1, inst=1, price=1.0, mid=1.0)
    assert (desk.position(0)["lots"], desk.position(1)["lots"]) == (2, -1)
    assert (desk.open_lots(0), desk.open_lots(1)) == ((3, 0), (0, 3))
