"""When an order of another size than wanted is kept, and when it is replaced."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, Limit, MsgKind, OrderEvent, OrderState, Reason, Requote
from tests.core.builders import BUY, SELL, Action, Desk, Want, examples

PLACE, MODIFY, CANCEL = ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL
REQUOTES = pytest.mark.parametrize("requote", Requote)


def bid(lots: int, tick: int = 99) -> Want:
    return Want(BUY, tick, lots)


def desk_of(tolerance: int, **limits: int) -> Desk:
    return Desk(size_tolerance_lots=tolerance, **limits)


def brief(actions: list[Action]) -> list[tuple[ActionKind, int, int]]:
    """Kind, tick and lots."""
    return [(a.kind, a.tick, a.lots) for a in actions]


def settle(desk: Desk, actions: list[Action]) -> None:
    """Have all that was asked for confirmed."""
    for action in actions:
        if action.kind == CANCEL:
            desk.on(OrderEvent.CANCEL_ACK, action.order_id)
        elif action.kind in (PLACE, MODIFY):
            desk.confirm(action)


# --- true changes


def test_any_size_is_right_where_no_tolerance_is_set() -> None:
    desk = desk_of(-1)
    desk.working(bid(5))
    for lots in (1, 4, 6, 1000):
        assert desk.decide(bid(lots)) == []


@pytest.mark.parametrize("wanted", range(1, 11))
@pytest.mark.parametrize("tolerance", [0, 1, 3])
def test_an_order_is_kept_within_the_tolerance(tolerance: int, wanted: int) -> None:
    desk = desk_of(tolerance)
    order_id = desk.working(bid(5))
    actions = desk.decide(bid(wanted))
    if abs(wanted - 5) <= tolerance:
        assert actions == []
    else:
        assert brief(actions) == [(CANCEL, 99, 5), (PLACE, 99, wanted)]
        assert actions[0].order_id == order_id
        assert desk.decide(bid(wanted)) == []


@pytest.mark.parametrize(("wanted", "most"), [(3, 5), (8, 8)])
def test_a_new_size_is_modified_where_orders_move(wanted: int, most: int) -> None:
    desk = desk_of(0, requote=int(Requote.MODIFY))
    order_id = desk.working(bid(5))
    actions = desk.decide(bid(wanted))
    assert brief(actions) == [(MODIFY, 99, wanted)]
    assert actions[0].reason == Reason.RESIZE
    assert desk.decide(bid(wanted)) == []
    assert desk.open_lots() == (most, 0)
    settle(desk, actions)
    assert (desk.state(order_id), desk.open_lots()) == (OrderState.WORKING, (wanted, 0))
    assert desk.decide(bid(wanted)) == []


def test_a_size_above_the_largest_order_is_no_change() -> None:
    desk = desk_of(0, max_order_lots=5)
    desk.working(bid(9))
    assert desk.decide(bid(9)) == []
    assert desk.decide(bid(7)) == []
    assert brief(desk.decide(bid(4))) == [(CANCEL, 99, 5), (PLACE, 99, 4)]


def test_an_order_under_way_is_left_until_it_works() -> None:
    desk = desk_of(0)
    (sent,) = desk.decide(bid(5))
    assert desk.decide(bid(3)) == []
    desk.confirm(sent)
    assert brief(desk.decide(bid(3))) == [(CANCEL, 99, 5), (PLACE, 99, 3)]


def test_the_new_size_waits_where_the_old_one_uses_up_the_room() -> None:
    desk = desk_of(0, max_position_lots=5)
    desk.working(bid(5))
    actions = desk.decide(bid(3))
    assert brief(actions) == [(CANCEL, 99, 5)]
    assert desk.decide(bid(3)) == []
    settle(desk, actions)
    assert brief(desk.decide(bid(3))) == [(PLACE, 99, 3)]


@pytest.mark.parametrize("tolerance", [-1, 0, 2])
def test_quotes_at_one_level_are_one_order_also_at_the_next_decision(tolerance: int) -> None:
    desk = desk_of(tolerance)
    actions = desk.decide(bid(5), bid(3))
    assert brief(actions) == [(PLACE, 99, 5)]
    assert desk.decide(bid(5), bid(3)) == []
    settle(desk, actions)
    assert desk.decide(bid(5), bid(3)) == []
    assert desk.decide(bid(3), bid(5)) == []


# --- fills


@REQUOTES
@settings(deadline=None, max_examples=examples(150, 40))
@given(
    lots=st.integers(1, 12),
    limit=st.integers(1, 15),
    most=st.integers(1, 15),
    tolerance=st.integers(0, 2),
    fills=st.lists(st.integers(1, 4), max_size=12),
)
def test_no_fill_of_an_order_has_it_replaced(
    requote: Requote, lots: int, limit: int, most: int, tolerance: int, fills: list[int]
) -> None:
    """Also where the position limit or the largest size made it smaller than wanted."""
    desk = desk_of(tolerance, max_position_lots=limit, max_order_lots=most, requote=int(requote))
    want = bid(lots)
    settle(desk, desk.decide(want))
    for filled in fills:
        if not desk.live():
            break
        order = desk.order(desk.live()[0])
        desk.fill(int(order["order_id"]), BUY, min(filled, int(order["lots"] - order["filled"])))
        actions = desk.decide(want)
        assert {a.kind for a in actions} <= ({PLACE} if len(desk.live()) == 1 else set())
        settle(desk, actions)
    assert desk.position()["lots"] + desk.open_lots()[0] <= limit


def test_a_fill_near_the_limit_keeps_the_order() -> None:
    """5 wanted and sent, 4 filled; a new order could be 4 only, and 1 is left of the old one."""
    desk = desk_of(0, max_position_lots=8)
    order_id = desk.working(bid(5))
    desk.fill(order_id, BUY, 4)
    assert desk.decide(bid(5)) == []


@REQUOTES
def test_a_fill_of_an_order_that_was_moved_keeps_it(requote: Requote) -> None:
    desk = desk_of(0, requote=int(requote))
    order_id = desk.working(bid(5))
    desk.fill(order_id, BUY, 2)
    settle(desk, desk.decide(bid(5, 98)))
    (order_id,) = desk.live()
    assert desk.open_lots() == (5, 0)
    for _ in range(4):
        desk.fill(order_id, BUY, 1)
        assert desk.decide(bid(5, 98)) == []
    assert desk.open_lots() == (1, 0)
    assert len(desk.decide(bid(4, 98))) == (1 if requote == Requote.MODIFY else 2)


def test_a_move_that_is_rejected_leaves_the_size_that_was_right() -> None:
    desk = desk_of(0, requote=int(Requote.MODIFY))
    order_id = desk.working(bid(5))
    desk.fill(order_id, BUY, 2)
    assert brief(desk.decide(bid(5, 98))) == [(MODIFY, 98, 7)]
    desk.on(OrderEvent.MODIFY_REJECT, order_id)
    assert desk.decide(bid(5)) == []


@pytest.mark.parametrize(("wanted", "kept"), [(5, True), (3, True), (4, False), (6, False)])
def test_the_size_sent_and_the_size_left_are_both_right(wanted: int, kept: bool) -> None:
    desk = desk_of(0)
    desk.fill(desk.working(bid(5)), BUY, 2)
    assert (desk.decide(bid(wanted)) == []) == kept


# --- limits


def test_an_order_clipped_to_the_room_is_kept() -> None:
    desk = desk_of(0, max_position_lots=8)
    actions = desk.decide(bid(5), bid(5, 98))
    assert brief(actions) == [(PLACE, 99, 5), (PLACE, 98, 3)]
    settle(desk, actions)
    for _ in range(3):
        assert desk.decide(bid(5), bid(5, 98)) == []
    desk.fill(actions[1].order_id, BUY, 1)
    assert desk.decide(bid(5), bid(5, 98)) == []


def test_room_that_comes_back_is_a_true_change() -> None:
    desk = desk_of(0, max_position_lots=8)
    order_id = desk.working(bid(10))
    assert desk.open_lots() == (8, 0)
    (ask,) = (a for a in desk.decide(bid(10), Want(SELL, 101, 2)) if a.side == SELL)
    desk.fill(ask.order_id, SELL, 2)
    actions = desk.decide(bid(10))
    assert brief(actions) == [(CANCEL, 99, 8), (PLACE, 99, 2)]
    assert actions[0].order_id == order_id


@pytest.mark.parametrize("tolerance", [-1, 0])
def test_an_order_clipped_to_the_room_can_move(tolerance: int) -> None:
    desk = desk_of(tolerance, max_position_lots=8, requote=int(Requote.MODIFY))
    order_id = desk.working(bid(10))
    actions = desk.decide(bid(10, 98))
    assert [(a.kind, a.order_id, a.lots) for a in actions] == [(MODIFY, order_id, 8)]
    settle(desk, actions)
    desk.fill(order_id, BUY, 3)
    (moved,) = desk.decide(bid(10, 97))
    assert (moved.kind, moved.lots, desk.open_lots()) == (MODIFY, 8, (5, 0))


def test_a_lower_largest_size_is_a_true_change() -> None:
    desk = desk_of(1)
    desk.working(bid(5))
    desk.tell(MsgKind.LIMITS, reason=int(Limit.MAX_ORDER_LOTS), lots=3)
    actions = desk.decide(bid(5))
    assert brief(actions) == [(CANCEL, 99, 5), (PLACE, 99, 3)]
    assert actions[0].reason == Reason.NOT_WANTED
