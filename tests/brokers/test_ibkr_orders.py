"""What becomes of an order's messages: the sequences that real servers were seen to send."""

from __future__ import annotations

import itertools

import pytest

from mmquant.brokers.ibkr_errors import SAYS
from mmquant.core.dtypes import ActionKind, OrderType, Reason, TimeInForce
from tests.brokers.wire import (
    Wire,
    commission,
    error,
    execution,
    open_order,
    order_status,
)

ENDS = {"CANCEL_ACK", "REJECT", "EXPIRE", "FOUND_CLOSED", "NOT_FOUND"}
BOTH_SIDES = (
    "Order rejected - reason: Cannot have open orders on both sides of the same US Option contract."
)


def names(events: list) -> list[str]:
    return [event[0] for event in events]


def test_a_new_order_is_told_to_be_accepted_and_then_to_work() -> None:
    wire = Wire()
    n = wire.place()
    wire.say(
        open_order(n, 17, status="PreSubmitted"), order_status(n, "PreSubmitted"),
        open_order(n, 17), order_status(n, "Submitted"), order_status(n, "Submitted"),
    )  # fmt: skip
    assert wire.events() == [
        ("ACK", 17, 10_000, 100, "NONE"),
        ("CONFIRM", 17, 10_000, 100, "NONE"),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_fill_before_or_after_its_status_and_with_skipped_ones(order: tuple[int, ...]) -> None:
    wire = Wire()
    n = wire.place()
    messages = [
        open_order(n, 17, status="Filled"),
        order_status(n, "Filled", 100, 0),
        execution(n, 17),
        commission("0001.aa.01.01"),
    ]
    for i in order:
        wire.say(messages[i])
    assert sorted(names(wire.events())) == ["EXECUTION", "FEE"]
    wire.say(*messages)
    assert names(wire.events()) == []


def test_a_partial_fill_is_told_by_its_execution_alone() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(
        open_order(n, 17), order_status(n, "Submitted", 40, 60),
        execution(n, 17, "e.01", lots=40), execution(n, 17, "f.01", lots=60),
        order_status(n, "Filled", 100, 0),
    )  # fmt: skip
    assert [e[:4] for e in wire.events()] == [
        ("EXECUTION", 17, 10_000, 40),
        ("EXECUTION", 17, 10_000, 60),
    ]


def test_a_cancel_is_told_by_the_status_and_not_by_the_code() -> None:
    wire = Wire()
    n = wire.working()
    wire.act(ActionKind.CANCEL, 17)
    assert wire.requests(4)[-1][2] == str(n)
    wire.say(order_status(n, "PendingCancel"))
    wire.say(error(n, 202, "Order Canceled - reason:"))
    assert wire.events() == []
    wire.say(order_status(n, "Cancelled"), order_status(n, "Cancelled"))
    assert wire.events() == [("CANCEL_ACK", 17, 10_000, 100, "NONE")]


@pytest.mark.parametrize(
    ("tif", "status", "expected"),
    [
        (TimeInForce.IOC, ["PendingCancel", "Cancelled"], "NO_LIQUIDITY"),
        (TimeInForce.FOK, ["Inactive"], "NOT_ALL_AVAILABLE"),
    ],
)
def test_what_may_not_rest_expires(tif: TimeInForce, status: list[str], expected: str) -> None:
    wire = Wire()
    n = wire.place(tif=tif)
    wire.say(*[order_status(n, s) for s in status])
    assert wire.events() == [("EXPIRE", 17, 10_000, 100, expected)]


def test_an_order_good_till_a_time_expires_then_and_is_cancelled_before() -> None:
    wire = Wire()
    ends = wire.broker.clock.now() + 60_000_000_000
    n, m = (wire.working(i, tif=TimeInForce.GTD, expire_ts=ends) for i in (17, 18))
    wire.say(order_status(n, "Cancelled"))
    wire.ns += 60_000_000_000
    wire.say(order_status(m, "Cancelled"))
    told = [e for e in wire.events() if e[0] in ENDS]
    assert told == [
        ("CANCEL_ACK", 17, 10_000, 100, "NONE"),
        ("EXPIRE", 18, 10_000, 100, "LIFETIME"),
    ]


@pytest.mark.parametrize("code", sorted(SAYS))
@pytest.mark.parametrize("modifying", [False, True])
@pytest.mark.parametrize("cancelling", [False, True])
def test_no_code_ends_an_order_that_works(code: int, modifying: bool, cancelling: bool) -> None:
    wire = Wire()
    n = wire.working()
    if modifying:
        wire.act(ActionKind.MODIFY, 17, tick=9_999)
    if cancelling:
        wire.act(ActionKind.CANCEL, 17)
    wire.say(error(n, code, "something"))
    told = names(wire.events())
    assert not ENDS & set(told)
    if modifying:
        assert "CONFIRM" not in told
    wire.say(open_order(n, 17, price="99.98"))
    assert [e[:4] for e in wire.events()] == [("CONFIRM", 17, 9_998, 100)]


def test_an_unheard_of_code_neither_ends_a_new_order_nor_confirms_it() -> None:
    wire = Wire()
    n = wire.place()
    for code in set(range(1, 12_000, 7)) - set(SAYS):
        wire.say(error(n, code, "?"))
    assert wire.events() == []


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (201, "Order rejected - reason: margin", Reason.NONE),
        (201, BOTH_SIDES, Reason.PULL_OTHER_SIDE),
        (103, "Duplicate order id", Reason.DUPLICATE_ORDER),
        (110, "The price does not conform to the minimum price variation", Reason.NONE),
        (200, "No security definition has been found", Reason.NONE),
        (321, "Error validating request", Reason.NONE),
    ],
)
def test_a_refused_new_order_is_rejected_once(code: int, text: str, reason: Reason) -> None:
    wire = Wire()
    n = wire.place()
    wire.say(error(n, code, text), order_status(n, "Inactive"), order_status(n, "Cancelled"))
    told = [e for e in wire.events() if len(e) == 5]
    assert told == [("REJECT", 17, 10_000, 100, reason.name)]


def test_an_accepted_order_that_is_rejected_ends_by_its_status() -> None:
    wire = Wire()
    n = wire.place()
    wire.say(open_order(n, 17, status="PreSubmitted"), error(n, 201, BOTH_SIDES))
    assert names(wire.events()) == ["ACK"]
    wire.say(order_status(n, "Cancelled"))
    assert wire.events() == [("REJECT", 17, 10_000, 100, "PULL_OTHER_SIDE")]


@pytest.mark.parametrize("code", [104, 105, 110, 134, 161, 201, 321, 329, 2102, 10147])
def test_a_refused_change_leaves_the_old_terms(code: int) -> None:
    wire = Wire()
    n = wire.working()
    wire.act(ActionKind.MODIFY, 17, tick=9_999, lots=50)
    wire.say(error(n, code))
    told = [e for e in wire.events() if len(e) == 5]
    assert [e[:4] for e in told] == [("MODIFY_REJECT", 17, 10_000, 100)]
    wire.act(ActionKind.MODIFY, 17, tick=9_999, lots=50)
    wire.say(open_order(n, 17, price="99.99", lots=50))
    assert names(wire.events()) == ["CONFIRM"]


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (161, "Cancel attempted when order is not in a cancellable state.", "UNKNOWN_ORDER"),
        (10147, "OrderId 5 that needs to be cancelled is not found.", "UNKNOWN_ORDER"),
        (10148, "OrderId 5 that needs to be cancelled cannot be cancelled, state: Filled.",
         "UNKNOWN_ORDER"),
        (10148, "OrderId 5 cannot be cancelled, state: PendingCancel.", None),
    ],
)  # fmt: skip
def test_a_refused_cancel_is_no_end(code: int, text: str, told: str | None) -> None:
    wire = Wire()
    n = wire.working()
    wire.act(ActionKind.CANCEL, 17)
    wire.say(error(n, code, text))
    expected = [] if told is None else [("CANCEL_REJECT", 17, 10_000, 100, told)]
    assert wire.events() == expected


def test_the_broker_reducing_an_order_is_told() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(error(n, 481, "Order size was reduced"), open_order(n, 17, lots=60))
    assert wire.events() == [("CONFIRM", 17, 10_000, 60, "NONE")]


def test_held_orders_are_accepted_and_not_rejected() -> None:
    wire = Wire()
    n = wire.place()
    wire.say(
        error(n, 404, "not available for short sale"), order_status(n, "Inactive", held="locate")
    )
    assert names(wire.events()) == ["ACK"]


def test_what_is_said_again_after_an_end_makes_us_ask() -> None:
    wire = Wire()
    n = wire.working()
    wire.act(ActionKind.CANCEL, 17)
    wire.say(order_status(n, "Cancelled"))
    wire.heard()
    wire.requests()
    wire.say(order_status(n, "Submitted"))
    assert wire.events() == []
    assert wire.requests(16), "it is asked whether it works"


def test_a_filled_order_whose_executions_do_not_come_is_asked_after() -> None:
    wire = Wire()
    n = wire.working()
    wire.requests()
    wire.say(order_status(n, "Filled", 100, 0))
    wire.heard(999)
    assert not wire.requests(16)
    wire.heard(2)
    assert wire.requests(16)


def test_manual_and_other_orders_are_not_ours() -> None:
    wire = Wire()
    wire.say(open_order(0, 0, ref="", perm=55, client=0), order_status(0, "Submitted", perm=55))
    wire.say(open_order(5, 0, ref="mm:r2:17", perm=56, client=1))
    assert wire.events() == []


def test_an_order_of_an_earlier_process_is_known_by_its_reference() -> None:
    wire = Wire()
    wire.say(open_order(9, 4711, lots=300, side="SELL"))
    assert wire.events() == [("CONFIRM", 4711, 10_000, 300, "NONE")]
    wire.act(ActionKind.CANCEL, 4711)
    assert wire.requests(4)[-1][2] == "9"


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.LIMIT])
def test_each_send_has_its_own_order_object(kind: OrderType) -> None:
    """The acknowledgement of one change must not alter the next one."""
    wire = Wire()
    n = wire.working(order_type=kind)
    wire.requests()
    wire.act(ActionKind.MODIFY, 17, tick=9_999, order_type=kind)
    wire.say(open_order(n, 17, price="100.0"))
    wire.act(ActionKind.MODIFY, 17, tick=9_998, order_type=kind)
    prices = [fields[19] for fields in wire.requests(3)]
    assert prices == (["", ""] if kind == OrderType.MARKET else ["99.99", "99.98"])
