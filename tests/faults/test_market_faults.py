"""Faults 22 to 32 and 34: clocks, stalls, floods, storms, bad numbers, bad books, own orders."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from mmquant.brokers.faults import Fault, FaultPlan
from mmquant.core.dtypes import (
    ActionKind,
    Hand,
    MsgKind,
    OrderEvent,
    OrderState,
    Reason,
    RowKind,
)
from mmquant.data.contracts import Contract
from tests.core.builders import BUY, SELL, Want
from tests.faults.given import MS, contracts, numbers
from tests.faults.rig import CHANGES, Rig

BID, ASK = Want(BUY, 99, 2), Want(SELL, 101, 2)
UNSET = 1.7976931348623157e308
BAD_NUMBERS = [math.nan, math.inf, -math.inf, UNSET, -UNSET]


def sends(actions: list[Any]) -> bool:
    return any(a["kind"] in CHANGES for a in actions)


def test_fault_28_what_cannot_be_negative_is_not_quoted_below_zero() -> None:
    rig = Rig()
    rig.row(RowKind.DEPTH, BUY, 99, 0)
    rig.row(RowKind.DEPTH, SELL, 101, 0)
    rig.book(-3, 1)
    rig.advance(6)
    assert not sends(rig.decide(Want(BUY, -2, 2), Want(SELL, 0, 2)))


@pytest.mark.parametrize("hours", [-1, 1])
def test_fault_22_wall_clock_jump(hours: int) -> None:
    """Ages, throttles and time-outs go by the monotonic time of receipt."""
    jump = Fault(kind="clock_jump", for_ns=200 * MS, jump_ns=hours * 3_600_000 * MS)
    limits = {"max_book_age_s": 0.05, "max_messages": 50, "message_window_s": 0.01}
    plain, jumped = Rig(limits=limits), Rig(limits=limits)
    jumped.broker.add(jump, jumped.now + 1)
    for rig in (plain, jumped):
        for tick in (99, 98, 97, 98):
            rig.decide(Want(BUY, tick, 2))
            rig.trade(SELL, 98, 1)
    assert [a.item() for a in plain.said] == [a.item() for a in jumped.said]


def test_fault_23_stall_of_five_seconds() -> None:
    """After it, what is stale is cancelled first, and quoted again only on a fresh book."""
    rig = Rig(limits={"max_book_age_s": 0.05}, rows=6_000)
    rig.decide(BID, ASK)
    rig.advance(2)
    rig.broker.add(Fault(kind="stall", for_ns=5_000 * MS), rig.now)
    rig.now += 4_999 * MS
    first = rig.decide(BID, ASK, after_ms=0)
    assert rig.kinds(first)[ActionKind.CANCEL] == 2 and not sends(first)
    assert Reason.PULL_STALE in rig.alerts()
    rig.advance(2)
    rig.assert_quoting(BID, ASK)


def test_fault_24_flood_of_market_data() -> None:
    """Memory stays as it is, and a cancel leaves with the decision that asks for it."""
    rig = Rig()
    rig.decide(BID, ASK)
    rig.advance(2)
    size = sum(np.asarray(x).nbytes for x in rig.local if isinstance(x, np.ndarray))
    rig.broker.add(Fault(kind="flood", lots=500, for_ns=20 * MS), rig.now + 1)
    for _ in range(4):
        rig.book(99, 101)
    rig.advance(8)
    assert sum(np.asarray(x).nbytes for x in rig.local if isinstance(x, np.ndarray)) == size
    assert rig.kinds(rig.decide())[ActionKind.CANCEL] == 2
    rig.assert_quoting(BID, ASK)


def test_fault_25_throttle_storm() -> None:
    """Ten times too many intents: the window holds, and a cancel still leaves within one slot."""
    limits = {"max_messages": 8, "message_window_s": 0.02, "cancel_reserve": 3}
    rig = Rig(limits=limits)
    for i in range(200):
        ticks = (99, 98) if i % 2 else (97, 96)
        rig.decide(*(Want(BUY, t, 2) for t in ticks), *(Want(SELL, 200 - t, 2) for t in ticks))
    live = len(rig.live())
    said = rig.decide()
    wait = 0
    while rig.kinds(said)[ActionKind.CANCEL] == 0 and live:
        said, wait = rig.decide(), wait + 1
    assert wait <= 20
    rig.assert_quoting(BID, ASK)
    assert int(rig.local.set[0]["throttled"]) > 100


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_fault_26_bad_numbers_by_hand_pull_quotes(value: float) -> None:
    rig = Rig(limits={"theo_collar_bps": 100.0})
    rig.decide(BID, ASK)
    rig.advance(2)
    rig.tell_or_refuse(MsgKind.THEO, reason=Hand.THEO, price=value, exch_ts=0)
    said = rig.decide(BID, ASK)
    assert not sends(said)
    if not math.isnan(value):  # which takes the theo away
        assert {Reason.PULL_COLLAR, Reason.PULL_BAD_NUMBER} & rig.alerts()
    rig.tell_or_refuse(MsgKind.THEO, reason=Hand.OFFSET, price=value, exch_ts=0)
    assert not sends(rig.decide(BID, ASK))


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_fault_26_bad_numbers_of_the_broker(value: float) -> None:
    """An execution counts whatever its price; money that is no number stops quoting."""
    rig = Rig(limits={"max_loss_ccy": 100.0})
    (order_id,) = rig.placed(rig.decide(BID))
    rig.tell(
        MsgKind.ORDER, event=OrderEvent.EXECUTION, order_id=order_id, side=BUY, lots=1,
        price=value, seq=10**6,
    )  # fmt: skip
    assert rig.position() == 1
    assert not sends(rig.decide(BID, ASK))
    assert {Reason.PULL_NO_MARK, Reason.PULL_LOSS, Reason.PULL_BAD_NUMBER} & rig.alerts()


@pytest.mark.parametrize("lots", [0, -5, -(2**31)])
def test_fault_26_executions_of_no_size_change_nothing(lots: int) -> None:
    rig = Rig()
    (order_id,) = rig.placed(rig.decide(BID))
    rig.tell(
        MsgKind.ORDER, event=OrderEvent.EXECUTION, order_id=order_id, side=BUY, lots=lots,
        price=0.99, seq=10**6,
    )  # fmt: skip
    assert rig.position() == 0


@pytest.mark.parametrize("tick", [2**31, -(2**31), 10**15])
def test_fault_26_prices_that_are_none_never_leave(tick: int) -> None:
    rig = Rig()
    said = rig.decide(Want(BUY, tick, 2), Want(SELL, 101, -3), ASK)
    assert [int(a["tick"]) for a in said if a["kind"] in CHANGES] == [101]
    assert Reason.BAD_QUOTE in rig.alerts()


@pytest.mark.parametrize("shape", ["empty", "no bid", "no ask", "crossed", "locked"])
def test_fault_27_books_that_cannot_be_quoted(shape: str) -> None:
    rig = Rig()
    rig.decide(BID, ASK)
    rig.advance(2)
    if shape in ("empty", "no bid"):
        rig.row(RowKind.DEPTH, BUY, 99, 0)
    if shape in ("empty", "no ask"):
        rig.row(RowKind.DEPTH, SELL, 101, 0)
    if shape in ("crossed", "locked"):
        rig.row(RowKind.DEPTH, BUY, 102 if shape == "crossed" else 101, 10)
    rig.advance(4)
    said = rig.decide(BID, ASK)
    assert not sends(said)
    if rig.live():
        assert {OrderState.CANCELLING} == {rig.state(i) for i in rig.live()}
    rig.book(99, 103)
    rig.assert_quoting(BID, Want(SELL, 104, 2))


def test_fault_28_negative_and_zero_prices() -> None:
    """A spread may trade below zero: prices are ticks, and money follows their sign."""
    spread = Contract.simple(0, "SPREAD", tick="0.01", lot="1", kind="other", venue="X")
    rig = Rig(what=[dataclasses.replace(spread, negative_prices=True)])
    rig.row(RowKind.DEPTH, BUY, 99, 0)
    rig.row(RowKind.DEPTH, SELL, 101, 0)
    rig.book(-3, 1)
    rig.advance(6)
    rig.decide(Want(BUY, -2, 2), Want(SELL, 0, 2))
    rig.advance(2)
    rig.trade(SELL, -4, 2)
    rig.trade(BUY, 1, 1)
    assert rig.position() == 1
    assert float(rig.local.position[0]["cash"]) == pytest.approx(0.04 + 0.0, abs=1e-12)


def test_fault_29_halt_and_resumption() -> None:
    rig = Rig()
    rig.decide(BID, ASK)
    rig.advance(2)
    rig.row(RowKind.STATUS, 0, 0, 1)
    rig.advance(1.1)
    said = rig.decide(BID, ASK, after_ms=0.2)
    assert not sends(said) and Reason.PULL_HALTED in rig.alerts()
    rig.advance(5)
    rig.assert_quoting(BID, ASK)


def test_fault_30_own_cross() -> None:
    """A wanted bid at an own resting ask waits until that is gone."""
    rig = Rig(limits={"prevent_own_cross": True})
    rig.book(90, 110)
    rig.decide(Want(SELL, 101, 2), after_ms=3)
    rig.advance(2)
    said = rig.decide(Want(BUY, 101, 2))
    assert not sends(said) and rig.kinds(said)[ActionKind.CANCEL] == 1
    rig.assert_quoting(Want(BUY, 101, 2))
    rig.decide(Want(BUY, 101, 2), Want(SELL, 101, 2))
    rig.advance(2)
    sides = {order.side for order in rig.broker.open.values()}
    assert sides == {BUY}


def test_fault_31_orders_beyond_what_reduces() -> None:
    """At the limit nothing adds; what reduces may flip no further than the limit, all counted."""
    rig = Rig(limits={"max_position_lots": 4})
    rig.decide(Want(BUY, 99, 4))
    rig.advance(2)
    rig.trade(SELL, 98, 4)
    assert rig.position() == 4
    said = rig.decide(BID, Want(SELL, 101, 6), Want(SELL, 102, 6))
    placed = [(int(a["side"]), int(a["lots"])) for a in said if a["kind"] in CHANGES]
    assert placed == [(SELL, 6), (SELL, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_fault_32_limits_hold_whatever_fills_and_in_whatever_order(seed: int) -> None:
    faults = (
        Fault(kind="delay", of="any", probability=0.4, for_ns=3 * MS),
        Fault(kind="reorder", of="any", probability=0.2, for_ns=2 * MS),
        Fault(kind="duplicate", of="any", probability=0.2, for_ns=MS),
        Fault(kind="lose_request", of="cancel", probability=0.3),
    )
    plan = FaultPlan(seed=seed, faults=faults)
    rig = Rig(plan=plan, limits={"max_position_lots": 5}, orders={"requote": "modify"})
    rng = np.random.default_rng(seed)
    for _ in range(120):
        wants = {(int(rng.choice([BUY, SELL])), int(rng.integers(97, 104))) for _ in range(3)}
        rig.decide(*(Want(s, t, int(rng.integers(1, 5))) for s, t in sorted(wants)))
        if rng.random() < 0.5:
            rig.trade(int(rng.choice([BUY, SELL])), int(rng.integers(96, 105)), 3)
        assert abs(rig.broker.ledger.position(0)) <= 5
    rig.broker.heal()
    rig.decide_for(60)
    rig.bounce()
    assert rig.position() == rig.broker.ledger.position(0)


def test_fault_34_duplicate_intent() -> None:
    """What was just refused is not sent again at once, however often it is wanted."""
    rig = Rig(numbers("reject", *range(1, 99), of="place"), orders={"duplicate_window_s": 0.02})
    rig.decide_for(60, BID)
    assert 2 <= len(rig.placed()) <= 4
    assert int(rig.local.set[0]["next_number"]) <= 5


def test_several_instruments_strikes_and_venues_side_by_side() -> None:
    """SMART and direct, stock and options, each with its own orders, limits and troubles."""
    what = [
        *contracts(1),
        Contract.simple(1, "STOCK", tick="0.01", lot="1", kind="equity", venue="NASDAQ"),
        *(
            Contract.option(i, "O", venue=venue, expiry="2023-12-15", strike=strike, right=right)
            for i, (venue, strike, right) in enumerate(
                [("SMART", 100.0, "C"), ("SMART", 105.0, "C"), ("CBOE", 100.0, "P")], start=2
            )
        ),
    ]
    rig = Rig(what=what, limits={"one_side_per_option": True, "max_open_orders": 32})
    wants = [Want(BUY, 99, 2, inst=i) for i in range(5)]
    rig.decide(*wants)
    rig.advance(2)
    rig.trade(SELL, 98, 2, inst=2)
    rig.trade(SELL, 98, 1, inst=4)
    rig.tell(MsgKind.POSITION, inst=1, lots=0)
    assert [rig.position(i) for i in range(5)] == [0, 0, 2, 0, 1]
    rig.assert_quoting(*wants)
    rig.bounce()
    rig.assert_quoting(*wants)
