"""Orders by hand pass the same checks as quotes, and quoting leaves them alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmquant.core.dtypes import (
    ActionKind,
    Control,
    MsgKind,
    OrderEvent,
    OrderState,
    OrderType,
    Purpose,
    Reason,
    Status,
    TimeInForce,
)
from tests.core.builders import BUY, SELL, Action, Desk, Want, depth, instruments


def place(desk: Desk, side: int, tick: int, lots: int, **more: int) -> list[Action]:
    fields = {"side": side, "tick": tick, "lots": lots, "reason": int(ActionKind.PLACE)}
    return desk.tell(MsgKind.MANUAL, **(fields | more))


def modify(desk: Desk, order_id: int, tick: int, lots: int) -> list[Action]:
    what = int(ActionKind.MODIFY)
    return desk.tell(MsgKind.MANUAL, reason=what, order_id=order_id, tick=tick, lots=lots)


def cancel(desk: Desk, order_id: int, why: int = 0) -> list[Action]:
    return desk.tell(MsgKind.MANUAL, reason=int(ActionKind.CANCEL), order_id=order_id, seq=why)


def opened(**limits: Any) -> Desk:
    """A desk that has decided once, and so has seen the market."""
    desk = Desk(**limits)
    desk.decide()
    return desk


def working(desk: Desk, side: int = BUY, tick: int = 99, lots: int = 5) -> int:
    (sent,) = place(desk, side, tick, lots)
    desk.confirm(sent)
    return sent.order_id


def why(actions: list[Action]) -> Reason:
    (one,) = actions
    assert one.kind == ActionKind.ALERT
    return one.reason


def test_an_order_by_hand_is_placed_with_its_terms():
    desk = opened()
    more = {"liquidity": int(OrderType.LIMIT), "seq": int(TimeInForce.IOC)}
    (sent,) = place(desk, SELL, 99, 7, **more)
    assert (sent.kind, sent.side, sent.tick, sent.lots) == (ActionKind.PLACE, SELL, 99, 7)
    assert sent.reason == Reason.MANUAL
    order = desk.order(sent.order_id)
    assert (order["order_type"], order["tif"]) == (OrderType.LIMIT, TimeInForce.IOC)
    assert order["purpose"] == Purpose.MANUAL
    assert desk.open_lots() == (0, 7)


def test_quoting_neither_cancels_nor_adopts_an_order_by_hand():
    desk = opened()
    mine = working(desk, BUY, 99, 5)
    asked = desk.decide(Want(BUY, 99, 5))
    assert [(a.kind, a.tick) for a in asked] == [(ActionKind.PLACE, 99)]
    desk.confirm(asked[0])
    gone = desk.decide()
    assert [(a.kind, a.order_id) for a in gone] == [(ActionKind.CANCEL, asked[0].order_id)]
    assert desk.state(mine) == OrderState.WORKING


def test_a_slot_used_again_holds_a_quote():
    desk = opened(max_open_orders=1)
    mine = working(desk)
    desk.fill(mine, BUY, 5)
    for _ in range(16):
        (sent,) = desk.decide(Want(BUY, 98, 1))
        assert desk.order(sent.order_id)["purpose"] == Purpose.QUOTE
        desk.confirm(sent)
        desk.fill(sent.order_id, BUY, 1)


@pytest.mark.parametrize(
    ("limits", "terms", "reason"),
    [
        ({"max_order_lots": 4}, (BUY, 99, 5), Reason.TOO_LARGE),
        ({"max_position_lots": 4}, (BUY, 99, 5), Reason.PULL_LIMIT),
        ({}, (0, 99, 5), Reason.BAD_QUOTE),
        ({}, (BUY, 99, 0), Reason.BAD_QUOTE),
        ({}, (BUY, 99, -3), Reason.BAD_QUOTE),
        ({}, (BUY, 999, 5), Reason.BAD_QUOTE),
    ],
)
def test_what_the_limits_do_not_allow_is_denied(limits, terms, reason):
    desk = opened(**limits)
    assert why(place(desk, *terms)) == reason
    assert desk.live() == [] and desk.open_lots() == (0, 0)


def test_nothing_is_placed_by_hand_in_a_market_not_seen_or_not_sound():
    assert why(place(Desk(), BUY, 99, 1)) == Reason.PULL_CROSSED
    desk = Desk()
    desk.row(depth(1, BUY, 102, 5))
    desk.decide()
    assert why(place(desk, BUY, 99, 1)) == Reason.PULL_ONE_SIDED, "the bid took the ask away"


def test_nothing_is_placed_by_hand_while_halted_but_cancels_go():
    desk = opened()
    desk.tell(MsgKind.CONTROL, reason=int(Control.HALT))
    assert why(place(desk, BUY, 99, 1)) == Reason.PULL_HALTED
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    mine = working(desk)
    desk.set["blocked"] = int(Reason.PULL_KILLED)
    (sent,) = cancel(desk, mine)
    assert (sent.kind, sent.order_id) == (ActionKind.CANCEL, mine)


def test_too_many_orders_and_too_many_messages_are_denied():
    desk = opened(max_open_orders=1)
    working(desk)
    assert why(place(desk, BUY, 98, 1)) == Reason.TOO_MANY_ORDERS
    desk = opened(max_messages=1, message_window_ns=1_000)
    working(desk)
    assert why(place(desk, BUY, 98, 1)) == Reason.THROTTLED


def test_an_order_by_hand_is_modified_within_the_limits():
    desk = opened(max_position_lots=10)
    mine = working(desk, BUY, 99, 5)
    assert why(modify(desk, mine, 98, 11)) == Reason.PULL_LIMIT
    (sent,) = modify(desk, mine, 98, 8)
    assert (sent.kind, sent.tick, sent.lots) == (ActionKind.MODIFY, 98, 8)
    assert desk.open_lots() == (8, 0)
    assert why(modify(desk, mine, 97, 8)) == Reason.CHANGE_IN_FLIGHT
    desk.confirm(sent)
    desk.fill(mine, BUY, 3)
    (again,) = modify(desk, mine, 97, 2)
    assert again.lots == 5, "3 filled and 2 to be left"


def test_a_quote_that_is_modified_by_hand_is_no_quote_any_more():
    desk = opened()
    quote = desk.working(Want(BUY, 99, 5))
    (sent,) = modify(desk, quote, 98, 5)
    desk.confirm(sent)
    assert desk.decide() == []


def test_a_cancel_carries_its_reason_and_one_held_back_goes_later():
    desk = opened(max_messages=1, message_window_ns=10)
    mine = working(desk)
    assert why(cancel(desk, mine)) == Reason.THROTTLED
    assert desk.order(mine)["purpose"] == Purpose.UNWANTED
    desk.now += 10
    (sent,) = desk.decide()
    assert (sent.kind, sent.order_id) == (ActionKind.CANCEL, mine)
    desk = opened()
    (sent,) = cancel(desk, working(desk), int(Reason.HEDGE))
    assert sent.reason == Reason.HEDGE
    assert why(cancel(desk, sent.order_id)) == Reason.CHANGE_IN_FLIGHT


def test_an_order_that_is_not_known_or_over_is_said_so():
    desk = opened()
    assert why(cancel(desk, 4711)) == Reason.UNKNOWN_ORDER
    assert why(modify(desk, 0, 99, 1)) == Reason.UNKNOWN_ORDER
    mine = working(desk)
    desk.fill(mine, BUY, 5)
    assert why(cancel(desk, mine)) == Reason.UNKNOWN_ORDER


@pytest.mark.parametrize("fields", [{"reason": 0}, {"reason": 4}, {"reason": 1, "inst": 3}])
def test_a_request_that_makes_no_sense_is_refused(fields):
    desk = opened()
    before = desk.local.set.copy()
    assert desk.tell(MsgKind.MANUAL, **fields) == []
    assert desk.status == -Status.BAD_ROW
    assert desk.local.set.tobytes() == before.tobytes()


CHECKS = {"checks": 1, "collar": math.inf, "max_order_value": math.inf}


@pytest.mark.parametrize(
    ("limits", "resting", "terms", "reason"),
    [
        ({"collar": 0.05, "collar_ticks": 0.0}, None, (BUY, 90, 1), Reason.COLLAR),
        ({"max_order_value": 4.8}, None, (BUY, 98, 5), Reason.TOO_LARGE),
        ({"own_cross": 1}, (SELL, 101, 5), (BUY, 101, 1), Reason.OWN_CROSS),
        ({"duplicate_window_ns": 1_000}, (BUY, 99, 5), (BUY, 99, 5), Reason.DUPLICATE_INTENT),
        ({"min_requote_ns": 1_000}, (BUY, 99, 5), (BUY, 98, 5), Reason.TOO_SOON),
    ],
)
def test_the_order_checks_hold_for_orders_by_hand(limits, resting, terms, reason):
    desk = opened(**(CHECKS | limits))
    if resting is not None:
        assert place(desk, *resting)[0].kind == ActionKind.PLACE
        desk.now += 1
    assert why(place(desk, *terms)) == reason
    assert sum(desk.open_lots()) == (0 if resting is None else resting[2])


def test_the_day_s_messages_run_out_for_orders_by_hand():
    desk = opened(counts=1, max_messages_day=2)
    mine = [working(desk, BUY, 99, 1), working(desk, BUY, 98, 1)]
    assert why(place(desk, BUY, 97, 1)) == Reason.PULL_QUOTA
    (sent,) = cancel(desk, mine[0])
    assert sent.kind == ActionKind.CANCEL, "cancels still leave"
    desk = opened(counts=1, max_order_ratio=2.0, order_ratio_from=2)
    working(desk, BUY, 99, 1)
    working(desk, BUY, 98, 1)
    assert why(place(desk, BUY, 97, 1)) == Reason.PULL_ORDER_RATIO


def test_one_side_of_an_option_and_its_orders_of_a_day():
    what = instruments()
    what["option"] = 1
    desk = opened(what=what, **(CHECKS | {"one_side": 1}))
    mine = working(desk, BUY, 99, 1)
    assert why(place(desk, SELL, 101, 1)) == Reason.PULL_OTHER_SIDE
    cancel(desk, mine)
    assert why(place(desk, SELL, 101, 1)) == Reason.PULL_OTHER_SIDE, "not confirmed yet"
    desk.on(OrderEvent.CANCEL_ACK, mine)
    assert place(desk, SELL, 101, 1)[0].kind == ActionKind.PLACE
    desk = opened(what=what, counts=1, max_option_orders_day=1)
    working(desk, BUY, 99, 1)
    assert why(place(desk, BUY, 98, 1)) == Reason.PULL_QUOTA
