"""Faults 7 to 19: races, repeated, revised and early executions, modifies, ids, restarts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmquant.brokers.faults import Fault
from mmquant.brokers.truth import Ledger
from mmquant.core.dtypes import MSG, ActionKind, MsgKind, OrderEvent, OrderState, Reason
from tests.core.builders import BUY, SELL, Want
from tests.faults.given import MS, contracts, numbers, outage
from tests.faults.rig import CHANGES, Rig

BID, ASK = Want(BUY, 99, 2), Want(SELL, 101, 2)
MODIFY = {"requote": "modify"}


def working(rig: Rig, *wants: Want) -> list[int]:
    """Place orders and have them confirmed."""
    ids = rig.placed(rig.decide(*wants))
    rig.advance(2)
    return ids


def test_fault_07_cancel_fill_race() -> None:
    """A fill told after the cancel's acknowledgement counts, and the next order is smaller."""
    rig = Rig(numbers("delay", 1, of="execution", for_ns=5 * MS), limits={"max_position_lots": 3})
    (order_id,) = working(rig, BID)
    rig.row(2, SELL, 98, 2)
    rig.advance(1.2)
    rig.decide()
    rig.advance(3)
    assert (rig.state(order_id), rig.position()) == (OrderState.CANCELLED, 0) or rig.position() == 0
    rig.decide_for(10)
    assert rig.position() == 2
    (again,) = rig.placed(rig.decide(BID))
    assert rig.order(again)["lots"] == 1


def test_fault_07_fill_while_cancelling() -> None:
    rig = Rig()
    (order_id,) = working(rig, BID)
    rig.row(2, SELL, 98, 2)
    rig.advance(0.95)
    rig.tell(MsgKind.DECISION)
    rig.now += 1
    rig.decide(after_ms=0)
    rig.advance(3)
    assert (rig.state(order_id), rig.position()) == (OrderState.FILLED, 2)
    rig.assert_true()


def test_fault_07_fill_told_after_the_cancel_acknowledgement() -> None:
    rig = Rig(numbers("delay", 1, of="execution", for_ns=6 * MS))
    (order_id,) = working(rig, BID)
    rig.trade(SELL, 98, 1)
    rig.decide()
    rig.advance(2)
    assert (rig.state(order_id), rig.position()) == (OrderState.CANCELLED, 0)
    rig.advance(5)
    assert (rig.state(order_id), rig.position()) == (OrderState.CANCELLED, 1)
    assert Reason.LATE_EXECUTION in rig.alerts()


@pytest.mark.parametrize("requote", ["replace", "modify"])
def test_fault_07_the_order_is_gone_and_its_fill_was_lost(requote: str) -> None:
    """A change refused as the order is unknown makes us ask what became of it."""
    rig = Rig(numbers("lose", 1, of="execution"), orders={"requote": requote})
    working(rig, BID)
    rig.trade(SELL, 98, 2)
    assert rig.position() == 0
    rig.assert_quoting(Want(BUY, 98, 2))
    assert rig.position() == 2


def test_fault_08_duplicate_executions() -> None:
    rig = Rig(numbers("duplicate", *range(1, 20), of="execution"), outage(20, 5))
    working(rig, BID, ASK)
    rig.trade(SELL, 98, 1)
    rig.trade(BUY, 102, 2)
    rig.advance(30)
    assert rig.position() == rig.broker.ledger.position(0) == -1
    rig.assert_quoting(BID, ASK)


@pytest.mark.parametrize("early", [False, True])
def test_fault_09_corrections_and_busts(early: bool) -> None:
    late = [numbers("delay", 1, 2, of="execution", for_ns=20 * MS)] if early else []
    rig = Rig(
        numbers("correct", 1, of="execution", lots=-1, price_ticks=2, for_ns=4 * MS),
        numbers("bust", 2, of="execution", for_ns=4 * MS),
        *late,
    )
    working(rig, BID, ASK)
    rig.trade(SELL, 98, 2)
    rig.trade(BUY, 102, 1)
    rig.advance(40)
    assert rig.position() == rig.broker.ledger.position(0) == 1
    paid = sum(
        int(e["side"]) * int(e["lots"]) * float(e["price"])
        for e in rig.broker.ledger.executions.values()
    )
    assert float(rig.local.position[0]["cash"]) == pytest.approx(-paid, abs=1e-12)
    rig.assert_quoting(Want(BUY, 98, 2), Want(SELL, 103, 2))


def test_fault_09_a_correction_lost_in_an_outage_is_told_after_it() -> None:
    rig = Rig(numbers("correct", 1, of="execution", lots=-1, for_ns=20 * MS))
    working(rig, BID, ASK)
    rig.trade(SELL, 98, 2)
    rig.advance(10)
    assert rig.position() == 2
    rig.broker.add(Fault(kind="link_down", for_ns=30 * MS, held="drop", data=False), rig.now + 1)
    rig.advance(20)
    assert (rig.position(), rig.broker.ledger.position(0)) == (2, 1)
    rig.advance(80)
    assert rig.position() == rig.broker.ledger.position(0) == 1


def test_fault_09_the_exchanges_books_keep_what_was_true_when_the_link_changes_a_message() -> None:
    ledger = Ledger(1)
    message = np.zeros(1, MSG)
    message["event"], message["seq"], message["lots"] = int(OrderEvent.EXECUTION), 7, 2
    for book in (ledger.note_answer, ledger.revise):
        message["exch_ts"] = 5
        book(message[0])
        message["exch_ts"] += 3_600_000 * MS
        assert ledger.executions[7]["exch_ts"] == 5


@pytest.mark.parametrize("fault", ["late", "never", "first", "twice"])
def test_fault_10_fees_late_never_or_before_the_execution(fault: str) -> None:
    from mmquant.brokers.faults import FaultPlan

    faults = {
        "late": numbers("delay", 1, of="fee", for_ns=10 * MS),
        "never": numbers("lose", 1, of="fee"),
        "first": numbers("delay", 1, of="execution", for_ns=10 * MS),
        "twice": numbers("duplicate", 1, of="fee"),
    }
    rig = Rig(plan=FaultPlan(faults=(faults[fault],), fee_per_lot_ccy=0.25))
    working(rig, BID)
    rig.trade(SELL, 98, 2)
    if fault != "first":
        assert rig.position() == 2
    rig.advance(15)
    assert rig.position() == 2
    assert float(rig.local.position[0]["fees"]) == (0.0 if fault == "never" else 0.5)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fault_11_any_order_of_the_same_messages(order: tuple[int, ...]) -> None:
    """Confirm, part fill, rest filled: in any order, and twice, the same comes out."""
    rig = Rig(numbers("lose", 1, of="confirm"), numbers("lose", 1, 2, of="execution"))
    (order_id,) = rig.placed(rig.decide(Want(BUY, 99, 3)))
    rig.broker.add(numbers("lose", *range(1, 9), of="any"), rig.now)
    rig.advance(1)
    said = [
        {"event": OrderEvent.CONFIRM, "tick": 99, "lots": 3},
        {"event": OrderEvent.EXECUTION, "seq": 5, "lots": 1, "price": 0.99, "liquidity": 1},
        {"event": OrderEvent.EXECUTION, "seq": 6, "lots": 2, "price": 0.99, "liquidity": 1},
    ]
    for i in [*order, *order]:
        rig.tell(MsgKind.ORDER, order_id=order_id, side=BUY, **said[i])
    assert (rig.state(order_id), rig.position()) == (OrderState.FILLED, 3)
    assert float(rig.local.position[0]["cash"]) == pytest.approx(-2.97, abs=1e-12)
    assert int(rig.local.position[0]["open_buy"]) == 0


@pytest.mark.parametrize("lots", [1, 2])
def test_fault_12_missed_execution_is_found_by_the_position(lots: int) -> None:
    rig = Rig(numbers("lose", 1, of="execution"))
    working(rig, BID)
    rig.trade(SELL, 98, lots)
    assert rig.position() == 0
    rig.tell(MsgKind.POSITION, lots=lots)
    assert Reason.PULL_POSITION in rig.alerts()
    rig.advance(1)
    assert rig.position() == lots
    rig.assert_quoting(BID, ASK)


def test_fault_12_position_that_stays_wrong_keeps_its_instrument_blocked() -> None:
    rig = Rig(numbers("query_fails", 1), what=contracts(2))
    rig.tell(MsgKind.POSITION, lots=5)
    said = rig.decide_for(20, BID, Want(BUY, 99, 2, inst=1))
    assert {int(a["inst"]) for a in said if a["kind"] in CHANGES} == {1}
    rig.tell(MsgKind.POSITION, lots=0)
    rig.assert_quoting(BID, Want(BUY, 99, 2, inst=1))


def test_fault_13_partial_fill_then_reject() -> None:
    rig = Rig(numbers("reject_rest", 1, of="execution"), limits={"max_position_lots": 5})
    (order_id,) = working(rig, Want(BUY, 99, 4))
    rig.trade(SELL, 98, 1)
    rig.advance(2)
    assert rig.state(order_id) in (OrderState.REJECTED, OrderState.CANCELLED)
    assert (rig.position(), int(rig.order(order_id)["filled"])) == (1, 1)
    rig.assert_quoting(Want(BUY, 99, 4), Want(SELL, 101, 6))


def test_fault_14_overfill_is_booked_and_stops_the_instrument() -> None:
    rig = Rig()
    (order_id,) = working(rig, BID)
    rig.tell(
        MsgKind.ORDER, event=OrderEvent.EXECUTION, order_id=order_id, side=BUY, lots=5,
        price=0.99, seq=10**6,
    )  # fmt: skip
    assert rig.position() == 5
    assert Reason.OVERFILL in rig.alerts()
    assert not any(a["kind"] in CHANGES for a in rig.decide_for(10, BID, ASK))


def test_fault_15_refused_modify_leaves_the_old_order_working() -> None:
    rig = Rig(numbers("reject", 1, of="modify"), orders=MODIFY)
    (order_id,) = working(rig, BID)
    rig.decide(Want(BUY, 98, 2))
    assert rig.state(order_id) == OrderState.MODIFYING
    rig.advance(1)
    assert (rig.state(order_id), int(rig.order(order_id)["tick"])) == (OrderState.WORKING, 99)
    rig.assert_true()
    rig.assert_quoting(Want(BUY, 98, 2))


def test_fault_15_lost_modify_and_lost_answer_to_one() -> None:
    for fault in (numbers("lose_request", 1, of="modify"), numbers("lose", 2, of="confirm")):
        rig = Rig(fault, orders=MODIFY)
        working(rig, BID)
        rig.decide(Want(BUY, 98, 2))
        rig.decide_for(60, Want(BUY, 98, 2))
        rig.assert_quoting(Want(BUY, 98, 2))


@pytest.mark.parametrize("filled", [False, True])
def test_fault_15_false_cancel_is_asked_after_before_another_order_leaves(filled: bool) -> None:
    rig = Rig(numbers("false_cancel", 1, of="confirm"))
    (order_id,) = working(rig, BID)
    rig.advance(2)
    assert rig.state(order_id) == OrderState.UNKNOWN
    if filled:
        rig.trade(SELL, 98, 1)
        assert rig.position() == 1
    sent = rig.decide_for(10, BID)
    assert rig.placed(sent) == [] and rig.kinds(sent)[ActionKind.QUERY] == 1
    assert rig.state(order_id) == OrderState.WORKING
    rig.assert_true()
    rig.assert_quoting(BID)


def test_fault_16_second_incarnation_of_an_order_counts_as_exposure() -> None:
    """A change sent twice across an outage: the order that is not ours to know is external."""
    rig = Rig(outage(8, 5), orders=MODIFY, limits={"max_position_lots": 4})
    working(rig, BID)
    rig.advance(12)
    rig.tell(MsgKind.EXTERNAL, side=BUY, lots=2)
    rig.decide_for(10, Want(BUY, 98, 4))
    assert int(rig.local.position[0]["open_buy"]) <= 4
    assert sum(o.lots for o in rig.broker.open.values()) == 2


def test_fault_16_modify_during_an_outage_never_leaves() -> None:
    rig = Rig(outage(8, 5), orders=MODIFY)
    working(rig, BID)
    rig.advance(2)
    said = rig.decide_for(4, Want(BUY, 98, 2))
    assert not any(a["kind"] in CHANGES for a in said)
    rig.assert_quoting(Want(BUY, 98, 2))


def test_fault_17_ids_are_never_used_again() -> None:
    rig = Rig()
    for tick in (99, 98) * 20:
        rig.decide(Want(BUY, tick, 2))
    rig.restart()
    for tick in (97, 96) * 20:
        rig.decide(Want(BUY, tick, 2))
    ids = rig.placed()
    assert len(ids) > 60 and len(ids) == len(set(ids))


def test_fault_17_unknown_reference_is_booked_and_told() -> None:
    rig = Rig()
    rig.tell(
        MsgKind.ORDER, event=OrderEvent.EXECUTION, order_id=0, side=SELL, lots=3, price=1.0, seq=77
    )
    assert rig.position() == -3
    assert Reason.ORPHAN_EXECUTION in rig.alerts()
