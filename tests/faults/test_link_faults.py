"""Faults 1 to 6 and 20, 21: the link, lost messages, and asking what became of orders."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind, MsgKind, OrderEvent, OrderState, Reason
from tests.core.builders import BUY, SELL, Want
from tests.faults.given import MS, numbers, outage
from tests.faults.rig import CHANGES, Rig

BID, ASK = Want(BUY, 99, 2), Want(SELL, 101, 2)


@pytest.mark.parametrize("what", ["idle", "working", "unacknowledged"])
def test_fault_01_link_drop(what: str) -> None:
    begins = {"idle": 3.5, "working": 8, "unacknowledged": 4.05}[what]
    rig = Rig(outage(begins, 10))
    sent = rig.decide(BID, ASK) if what != "idle" else []
    rig.advance(8)
    assert all(rig.state(i) == OrderState.UNKNOWN for i in rig.placed(sent))
    assert Reason.PULL_DISCONNECTED in rig.alerts()
    down = rig.decide(Want(BUY, 98, 1))
    assert not any(a["kind"] in CHANGES for a in down)
    rig.assert_quoting(BID, ASK)
    assert rig.kinds(rig.said)[ActionKind.QUERY] >= 1
    assert not any(a["kind"][0] in CHANGES for a in rig.broker.sent_while_down)


def test_fault_02_data_lost_while_the_order_path_works() -> None:
    rig = Rig()
    rig.decide(BID, ASK)
    rig.advance(2)
    before = {i: rig.state(i) for i in rig.live()}
    rig.broker.add(numbers("stale_data", 1, for_ns=20 * MS), rig.now + 1)
    pulled = rig.advance(1)
    assert {Reason(int(a["reason"])) for a in pulled} == {Reason.PULL_STALE}
    assert OrderState.UNKNOWN not in {rig.state(i) for i in before}
    assert not any(a["kind"] in CHANGES for a in rig.decide_for(10, BID, ASK))
    assert rig.kinds(rig.said)[ActionKind.QUERY] == 0
    rig.advance(20)
    rig.assert_quoting(BID, ASK)


@pytest.mark.parametrize("held", ["hold", "drop", "late"])
def test_fault_03_messages_of_an_outage_are_applied(held: str) -> None:
    rig = Rig(outage(8, 10, held=held))
    rig.decide(BID, ASK)
    rig.advance(5)
    rig.trade(SELL, 98, 2)
    rig.advance(30)
    assert rig.broker.ledger.position(0) == rig.position() == 2
    rig.assert_quoting(BID, ASK)


def test_fault_04_lost_acknowledgement_of_a_live_order() -> None:
    rig = Rig(numbers("lose", 1, of="confirm"))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.advance(15)
    assert rig.state(order_id) == OrderState.SENT
    rig.decide_for(15, BID)
    assert rig.placed() == [order_id]
    rig.assert_quoting(BID)
    assert rig.placed() == [order_id]
    assert Reason.ACK_TIMEOUT in rig.alerts()


def test_fault_04_not_found_and_then_filled_after_all() -> None:
    rig = Rig(numbers("lose", 1, of="confirm"), numbers("query_fails", *range(1, 20)))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.decide_for(25, BID)
    for state in (OrderState.UNKNOWN, OrderState.LOST):
        assert (rig.state(order_id), rig.placed()) == (OrderState.UNKNOWN, [order_id])
        rig.tell(MsgKind.ORDER, event=OrderEvent.NOT_FOUND, order_id=order_id)
        assert rig.state(order_id) == state
        if state == OrderState.UNKNOWN:
            rig.decide_for(40, BID)
    rig.trade(SELL, 98, 2)
    assert rig.position() == rig.broker.ledger.position(0) == 2
    assert Reason.LATE_EXECUTION in rig.alerts()


def test_fault_05_lost_submit() -> None:
    rig = Rig(numbers("lose_request", 1, of="place"))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.decide_for(50, BID)
    assert rig.state(order_id) == OrderState.UNKNOWN, "it counts until it is not found again"
    assert int(rig.local.position[0]["open_buy"]) == BID.lots and rig.placed() == [order_id]
    rig.assert_quoting(BID)
    assert rig.state(order_id) == OrderState.LOST
    assert len(rig.placed()) == 2


def test_fault_06_lost_cancel_acknowledgement() -> None:
    rig = Rig(numbers("lose", 1, of="cancel_ack"))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.advance(2)
    rig.decide()
    rig.advance(10)
    assert rig.state(order_id) == OrderState.CANCELLING
    rig.decide_for(15)
    assert rig.kinds(rig.said)[ActionKind.QUERY] >= 1
    rig.decide_for(30)
    assert rig.state(order_id) == OrderState.CANCELLED
    rig.assert_quoting(BID)


def test_fault_06_lost_cancel_is_sent_again() -> None:
    rig = Rig(numbers("lose_request", 1, of="cancel"))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.advance(2)
    rig.decide()
    rig.advance(10)
    assert (rig.state(order_id), len(rig.broker.open)) == (OrderState.CANCELLING, 1)
    rig.decide_for(60)
    assert (rig.state(order_id), len(rig.broker.open)) == (OrderState.CANCELLED, 0)
    assert rig.kinds(rig.said)[ActionKind.CANCEL] >= 2


@pytest.mark.parametrize("kind", ["query_fails", "query_partial"])
def test_fault_20_failed_or_partial_query_is_unknown_never_flat(kind: str) -> None:
    rig = Rig(outage(8, 5), numbers(kind, 1, 2))
    (order_id,) = rig.placed(rig.decide(BID))
    rig.advance(15)
    assert not any(a["kind"] in CHANGES for a in rig.decide_for(10, BID, ASK))
    assert rig.state(order_id) in (OrderState.UNKNOWN, OrderState.CANCELLED)
    said = rig.decide_for(150, BID, ASK)
    assert rig.kinds(said)[ActionKind.QUERY] >= 1
    rig.assert_quoting(BID, ASK)


def test_fault_21_reconciling_twice_changes_nothing() -> None:
    rig = Rig()
    rig.decide(BID, ASK)
    rig.advance(2)
    rig.trade(SELL, 98, 1)
    rig.bounce()
    live, position = rig.live(), rig.local.position.copy()
    orders = len(rig.placed())
    for _ in range(3):
        rig.bounce()
        assert rig.live() == live
        assert rig.local.position.tobytes() == position.tobytes()
    assert len(rig.placed()) == orders
