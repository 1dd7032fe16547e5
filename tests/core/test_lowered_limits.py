"""A position limit that is lowered below what is held and open: orders of that side are pulled."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, Limit, MsgKind, OrderEvent, OrderState, Reason, Requote
from tests.core.builders import BUY, SELL, Action, Desk, Want, depth, examples, instruments

PLACE, CANCEL = ActionKind.PLACE, ActionKind.CANCEL
BID, LOWER, ASK = Want(BUY, 99, 5), Want(BUY, 98, 3), Want(SELL, 101, 5)


def quoting(*wants: Want, **limits: int) -> Desk:
    desk = Desk(what=instruments(1 + max(want.inst for want in wants)), **limits)
    settle(desk, desk.decide(*wants))
    return desk


def settle(desk: Desk, actions: list[Action]) -> None:
    """Have all that was asked for confirmed."""
    for a in actions:
        event = OrderEvent.CANCEL_ACK if a.kind == CANCEL else OrderEvent.CONFIRM
        desk.on(event, a.order_id, side=a.side, tick=a.tick, lots=a.lots, inst=a.inst)


def lower(desk: Desk, lots: int) -> None:
    assert desk.tell(MsgKind.LIMITS, reason=int(Limit.MAX_POSITION_LOTS), lots=lots) == []
    assert desk.status == 0


def cancels(actions: list[Action]) -> list[tuple[int, int, int, Reason]]:
    """Instrument, side, tick and reason of the cancels, which are all that is asked for."""
    assert {a.kind for a in actions} <= {CANCEL}
    return [(a.inst, a.side, a.tick, a.reason) for a in actions]


PULLED = Reason.PULL_LIMIT


@pytest.mark.parametrize("requote", Requote)
@pytest.mark.parametrize("tolerance", [-1, 0])
@pytest.mark.parametrize(
    ("limit", "sides"), [(8, []), (7, [BUY]), (5, [BUY]), (4, [BUY, SELL]), (1, [BUY, SELL])]
)
def test_a_side_that_could_break_the_limit_is_cancelled_whole(
    limit: int, sides: list[int], tolerance: int, requote: Requote
) -> None:
    desk = quoting(BID, LOWER, ASK, size_tolerance_lots=tolerance, requote=int(requote))
    lower(desk, limit)
    places = {BUY: [99, 98], SELL: [101]}
    expected = [(0, side, tick, PULLED) for side in sides for tick in places[side]]
    assert cancels(desk.decide(BID, LOWER, ASK)) == expected
    assert desk.decide(BID, LOWER, ASK) == []


@pytest.mark.parametrize("held", [-6, -2, 2, 6])
def test_the_position_counts(held: int) -> None:
    desk = quoting(BID, ASK)
    side = 1 if held > 0 else -1
    desk.fill(123456, side, abs(held))
    lower(desk, 6)
    over = [s for s in (BUY, SELL) if s * held + 5 > 6]
    tick = {BUY: 99, SELL: 101}
    assert cancels(desk.decide(BID, ASK)) == [(0, s, tick[s], PULLED) for s in over]


def test_other_instruments_are_left_alone() -> None:
    other = BID._replace(inst=1, lots=2)
    desk = quoting(BID, other)
    lower(desk, 4)
    assert cancels(desk.decide(BID, other)) == [(0, BUY, 99, PULLED)]


def test_what_fits_is_quoted_again_once_the_old_orders_are_gone() -> None:
    desk = quoting(BID, LOWER, ASK)
    lower(desk, 6)
    actions = desk.decide(BID, LOWER, ASK)
    assert len(cancels(actions)) == 2
    settle(desk, actions[:1])
    (first,) = desk.decide(BID, LOWER, ASK)
    assert (first.kind, first.tick, first.lots) == (PLACE, 99, 3)
    settle(desk, [*actions[1:], first])
    (second,) = desk.decide(BID, LOWER, ASK)
    assert (second.kind, second.tick, second.lots) == (PLACE, 98, 3)
    settle(desk, [second])
    assert desk.open_lots() == (6, 5)
    assert desk.decide(BID, LOWER, ASK) == []


def test_an_order_under_way_is_pulled_once_it_works() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    lower(desk, 3)
    assert desk.decide(BID) == []
    desk.confirm(sent)
    assert cancels(desk.decide(BID)) == [(0, BUY, 99, PULLED)]


def test_a_limit_goes_before_the_strategys_own_reason() -> None:
    desk = quoting(BID, ASK)
    lower(desk, 3)
    actions = desk.decide(Want(BUY, 0, 0, reason=Reason.PULL_SIDE), ASK)
    assert cancels(actions) == [(0, BUY, 99, PULLED), (0, SELL, 101, PULLED)]


def test_a_market_that_is_held_holds_its_orders() -> None:
    desk = quoting(BID, BID._replace(inst=1), hold_one_sided=1)
    lower(desk, 3)
    desk.row(depth(9, SELL, 101, 0, 1))
    assert cancels(desk.decide(BID, BID._replace(inst=1))) == [(0, BUY, 99, PULLED)]


def test_the_largest_loss_and_size_pull_nothing_by_themselves() -> None:
    desk = quoting(BID, ASK)
    desk.tell(MsgKind.LIMITS, reason=int(Limit.MAX_ORDER_LOTS), lots=1)
    desk.tell(MsgKind.LIMITS, reason=int(Limit.MAX_OPEN_ORDERS), lots=1)
    desk.tell(MsgKind.LIMITS, reason=int(Limit.MAX_LOSS), price=1e9)
    assert desk.decide(BID, ASK) == []


@settings(deadline=None, max_examples=examples(150, 40))
@given(
    limits=st.lists(st.integers(1, 15), min_size=1, max_size=12),
    fills=st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 4)), max_size=12),
    tolerance=st.sampled_from([-1, 0]),
    requote=st.sampled_from(Requote),
)
def test_a_side_works_within_the_limit_or_not_at_all(
    limits: list[int], fills: list[tuple[int, int]], tolerance: int, requote: Requote
) -> None:
    """After each decision, whatever limits and fills came before it."""
    wants = (BID, LOWER, ASK, Want(SELL, 102, 3))
    desk = Desk(size_tolerance_lots=tolerance, requote=int(requote))
    settle(desk, desk.decide(*wants))
    for i, limit in enumerate(limits):
        lower(desk, limit)
        if i < len(fills):
            side, lots = fills[i]
            desk.fill(999_999, side, lots)  # by hand, somewhere else: not held to the limit
        actions = desk.decide(*wants)
        held, (buys, sells) = int(desk.position()["lots"]), desk.open_lots()
        for side, room in ((BUY, limit - held - buys), (SELL, limit + held - sells)):
            mine = [desk.order(j) for j in desk.live() if desk.order(j)["side"] == side]
            if room < 0:
                assert {int(o["state"]) for o in mine} <= {OrderState.CANCELLING}
                assert {a.reason for a in actions if a.side == side} <= {PULLED}
            else:
                assert all(a.reason != PULLED for a in actions if a.side == side)
        settle(desk, actions)
