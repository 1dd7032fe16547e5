"""What the local half refuses: limits, controls, markets that cannot be quoted, bad quotes."""

from __future__ import annotations

import math

import pytest

from mmquant.core.dtypes import (
    NO_ASK,
    NO_BID,
    ActionKind,
    Control,
    Limit,
    MsgKind,
    OrderEvent,
    OrderState,
    Reason,
    Requote,
    Status,
)
from tests.core.builders import (
    BUY,
    MAX_QUOTES,
    MOST_WANTS,
    SELL,
    Action,
    Desk,
    Want,
    depth,
    instruments,
    status,
)

BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 5)
PLACE, CANCEL, PULL, ALERT = (
    ActionKind.PLACE,
    ActionKind.CANCEL,
    ActionKind.PULL,
    ActionKind.ALERT,
)


def placed(actions: list[Action]) -> list[tuple[int, int, int]]:
    """Side, tick and lots of the new orders."""
    return [(a.side, a.tick, a.lots) for a in actions if a.kind == PLACE]


def pulled(actions: list[Action]) -> list[Reason]:
    """Reasons of the pulls; checks that each follows its cancels."""
    for i, action in enumerate(actions):
        if action.kind == PULL:
            assert (actions[i - 1].kind, actions[i - 1].reason) == (CANCEL, action.reason)
    return [a.reason for a in actions if a.kind == PULL]


def quoting(**limits: float) -> Desk:
    """A desk with a working order on each side."""
    desk = Desk(**limits)
    for sent in desk.decide(BID, ASK):
        desk.confirm(sent)
    return desk


def control(desk: Desk, code: Control) -> list[Action]:
    return desk.tell(MsgKind.CONTROL, reason=int(code))


def limit(desk: Desk, what: int, lots: int = 0, price: float = math.nan) -> list[Action]:
    return desk.tell(MsgKind.LIMITS, reason=int(what), lots=lots, price=price)


# --- limits


def test_an_order_is_clipped_to_the_room_that_is_left() -> None:
    desk = Desk(max_position_lots=8)
    assert placed(desk.decide(BID)) == [(BUY, 99, 5)]
    assert placed(desk.decide(BID, Want(BUY, 98, 5))) == [(BUY, 98, 3)]
    assert placed(desk.decide(BID, Want(BUY, 98, 5), Want(BUY, 97, 1))) == []
    assert desk.set["denied"] == 1
    assert placed(desk.decide(BID, Want(BUY, 98, 5), Want(SELL, 101, 9))) == [(SELL, 101, 8)]


def test_a_position_makes_room_on_the_other_side() -> None:
    desk = Desk(max_position_lots=8)
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 5)
    sent = desk.decide(Want(BUY, 98, 9), Want(SELL, 101, 99))
    assert placed(sent) == [(BUY, 98, 3), (SELL, 101, 13)]


def test_orders_under_way_and_unknown_ones_use_up_room() -> None:
    desk = Desk(max_position_lots=8)
    order_id = desk.working(BID)
    desk.on(14, order_id)  # a disconnect
    assert desk.state(order_id) == OrderState.UNKNOWN
    assert placed(desk.decide(Want(BUY, 98, 9))) == []
    desk.on(OrderEvent.FOUND_OPEN, order_id, side=BUY, tick=99, lots=5)
    assert placed(desk.decide(BID, Want(BUY, 98, 9))) == [(BUY, 98, 3)]


def test_an_order_is_clipped_to_the_largest_size() -> None:
    assert placed(Desk(max_order_lots=3).decide(BID)) == [(BUY, 99, 3)]


@pytest.mark.parametrize("wanted", [4, 9])
def test_a_moved_order_is_never_larger_than_the_largest_size(wanted: int) -> None:
    desk = Desk(max_order_lots=5, requote=int(Requote.MODIFY))
    order_id = desk.working(BID)
    desk.decide(Want(BUY, 98, wanted))
    assert desk.order(order_id)["want_lots"] <= 5


@pytest.mark.parametrize("wanted", [4, 8, 9, 20])
def test_a_moved_order_stays_within_the_position_limit(wanted: int) -> None:
    desk = Desk(max_position_lots=8, requote=int(Requote.MODIFY))
    desk.working(BID)
    desk.decide(Want(BUY, 98, wanted))
    assert desk.open_lots()[0] <= 8


def test_no_more_than_so_many_orders_live() -> None:
    desk = Desk(max_open_orders=2)
    sent = desk.decide(BID, ASK, Want(BUY, 98, 1))
    assert len(placed(sent)) == 2
    assert desk.set["denied"] == 1


@pytest.mark.parametrize(
    ("what", "lots", "sent"),
    [
        (Limit.MAX_POSITION_LOTS, 2, [(BUY, 99, 2), (SELL, 101, 2)]),
        (Limit.MAX_ORDER_LOTS, 3, [(BUY, 99, 3), (SELL, 101, 3)]),
        (Limit.MAX_OPEN_ORDERS, 1, [(BUY, 99, 5)]),
    ],
)
def test_limits_can_be_set_by_message(
    what: Limit, lots: int, sent: list[tuple[int, int, int]]
) -> None:
    desk = Desk()
    assert limit(desk, what, lots=lots) == []
    assert placed(desk.decide(BID, ASK)) == sent


def test_a_tighter_limit_never_flips_the_position() -> None:
    desk = Desk()
    desk.fill(desk.working(BID), BUY, 5)
    limit(desk, Limit.MAX_POSITION_LOTS, lots=2)
    assert placed(desk.decide(Want(BUY, 98, 1), Want(SELL, 101, 99))) == [(SELL, 101, 7)]


def test_unknown_limits_and_messages_are_refused() -> None:
    desk = Desk()
    for refused in (lambda: limit(desk, 99), lambda: desk.tell(9), lambda: desk.tell(0)):
        refused()
        assert desk.status == -Status.BAD_ROW


# --- controls


def test_a_halt_pulls_and_a_resume_quotes_again() -> None:
    desk = quoting()
    actions = control(desk, Control.HALT)
    assert [a.kind for a in actions] == [CANCEL, CANCEL, PULL]
    assert pulled(actions) == [Reason.PULL_HALTED]
    asked = desk.asked
    assert desk.decide(Want(BUY, 98, 1)) == []
    assert desk.asked == asked
    assert control(desk, Control.RESUME) == []
    assert placed(desk.decide(Want(BUY, 98, 1))) == [(BUY, 98, 1)]


def test_a_kill_is_for_good() -> None:
    desk = quoting()
    assert pulled(control(desk, Control.KILL)) == [Reason.PULL_KILLED]
    for code in (Control.RESUME, Control.HALT, Control.RESUME):
        control(desk, code)
    assert desk.decide(Want(BUY, 98, 1)) == []
    assert desk.set["blocked"] == Reason.PULL_KILLED


def test_a_kill_after_a_halt_stays_a_kill() -> None:
    desk = quoting()
    control(desk, Control.HALT)
    control(desk, Control.KILL)
    control(desk, Control.RESUME)
    assert desk.decide(BID) == []


def test_a_kill_cancels_orders_that_are_on_their_way_too() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    actions = control(desk, Control.KILL)
    assert [(a.kind, a.order_id) for a in actions] == [(CANCEL, sent.order_id), (PULL, 0)]
    assert pulled(actions) == [Reason.PULL_KILLED]


# --- losses


def test_a_loss_at_the_limit_pulls_for_good() -> None:
    desk = quoting(max_loss=1.0)
    bid = desk.live()[0]
    desk.fill(bid, BUY, 1, price=1.99)
    assert pulled(desk.decide(BID, ASK)) == []
    desk.fill(bid, BUY, 1, price=1.01)
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_LOSS]
    control(desk, Control.RESUME)
    control(desk, Control.HALT)
    control(desk, Control.RESUME)
    assert desk.decide(BID) == []
    assert desk.set["blocked"] == Reason.PULL_LOSS


def test_a_loss_limit_can_be_set_by_message() -> None:
    desk = quoting()
    desk.fill(desk.live()[0], BUY, 1, price=3.0)
    assert pulled(desk.decide(BID, ASK)) == []
    limit(desk, Limit.MAX_LOSS, price=2.0)
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_LOSS]


def test_a_loss_that_cannot_be_told_pulls_while_it_cannot() -> None:
    desk = quoting(max_loss=1.0)
    desk.fill(desk.live()[0], BUY, 1)
    desk.position()["mark"] = math.nan
    desk.row(depth(9, SELL, 101, 0))
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_NO_MARK]


def test_a_one_sided_market_does_not_hide_a_loss() -> None:
    desk = quoting(max_loss=1.0, hold_one_sided=1)
    desk.fill(desk.live()[0], BUY, 5, price=1.25)
    desk.row(depth(9, SELL, 101, 0))
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_LOSS]


# --- markets


def test_a_one_sided_market_pulls_or_holds() -> None:
    for hold in (0, 1):
        desk = quoting(hold_one_sided=hold)
        desk.row(depth(5, BUY, 99, 0))
        assert pulled(desk.decide(Want(BUY, 98, 1))) == ([] if hold else [Reason.PULL_ONE_SIDED])
        assert len(desk.live()) == 2
        assert desk.asked == 1


def test_a_halted_instrument_is_pulled_and_quoted_again_after() -> None:
    desk = quoting()
    desk.row(status(5, 1))
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_HALTED]
    desk.row(status(6, 0))
    assert placed(desk.decide(Want(BUY, 98, 1))) == [(BUY, 98, 1)]


def test_a_stale_book_is_pulled_until_the_next_row() -> None:
    desk = quoting(max_book_age_ns=50)
    desk.now = 49
    assert desk.decide(BID, ASK) == []
    assert pulled(desk.decide(BID, ASK)) == [Reason.PULL_STALE]
    desk.row(depth(51, BUY, 99, 11))
    assert placed(desk.decide(Want(BUY, 98, 1))) == [(BUY, 98, 1)]


def test_only_the_instrument_that_cannot_be_quoted_is_pulled() -> None:
    desk = Desk(what=instruments(2))
    for sent in desk.decide(BID, Want(BUY, 99, 2, 1)):
        desk.on(2, sent.order_id, side=BUY, tick=99, lots=sent.lots, inst=sent.inst)
    desk.row(depth(9, SELL, 101, 0, 1))
    actions = desk.decide(BID, Want(BUY, 99, 2, 1), Want(SELL, 105, 2, 1))
    assert [(a.kind, a.inst) for a in actions] == [(CANCEL, 1), (PULL, 1)]
    assert desk.set["bad_quotes"] == 0


def test_an_empty_market_is_not_shown_to_the_strategy() -> None:
    desk = Desk(book=False)
    assert desk.decide(BID) == []
    assert desk.asked == 0


# --- strategies


def test_a_negative_number_of_quotes_pulls_them_all() -> None:
    desk = quoting()
    assert pulled(desk.decide(returns=-1)) == [Reason.PULL_STRATEGY]
    assert placed(desk.decide(Want(BUY, 98, 1))) == [(BUY, 98, 1)]


def test_all_quote_rows_can_be_used() -> None:
    desk = Desk()
    assert len(placed(desk.decide(*(Want(BUY, 90 - i, 1) for i in range(MAX_QUOTES))))) == 16
    assert desk.set["status"] == 0


@pytest.mark.parametrize(
    ("written", "returned"), [(MAX_QUOTES + 1, 0), (MOST_WANTS, MOST_WANTS), (0, MAX_QUOTES + 1)]
)
def test_a_strategy_that_leaves_its_rows_is_stopped(written: int, returned: int) -> None:
    desk = quoting()
    actions = desk.decide(*[BID] * written, returns=returned)
    assert pulled(actions) == [Reason.BAD_QUOTE]
    assert desk.set["status"] == Status.QUOTES_OVERRUN
    assert desk.decide(BID) == []
    assert desk.set["blocked"] == Reason.BAD_QUOTE


@pytest.mark.parametrize(
    "bad",
    [
        Want(0, 99, 5),
        Want(2, 99, 5),
        Want(BUY, 99, 0),
        Want(BUY, 99, -1),
        Want(BUY, NO_BID, 5),
        Want(BUY, NO_ASK, 5),
        Want(BUY, 99, 5, -1),
        Want(BUY, 99, 5, 1),
        Want(BUY, 99, 5, 0, 6),
        Want(BUY, 99, 5, 0, -1),
        Want(BUY, 99, 5, 0, 0, 5),
        Want(BUY, 99, 5, 0, 0, -1),
    ],
)
def test_a_bad_quote_is_told_and_the_others_stand(bad: Want) -> None:
    desk = Desk()
    actions = desk.decide(bad, ASK)
    assert [(a.kind, a.reason) for a in actions] == [
        (ALERT, Reason.BAD_QUOTE),
        (PLACE, Reason.QUOTE),
    ]
    assert placed(actions) == [(SELL, 101, 5)]
    assert desk.set["bad_quotes"] == 1


def test_a_fair_value_reaches_the_view() -> None:
    desk = Desk(what=instruments(2))
    desk.decide()
    assert math.isnan(desk.local.views[1]["theo"])
    assert desk.tell(MsgKind.THEO, inst=1, price=1.25) == []
    desk.decide()
    assert desk.local.views["theo"].tolist()[1] == 1.25
    assert math.isnan(desk.local.views[0]["theo"])


def test_a_view_shows_market_position_and_orders() -> None:
    desk = quoting()
    desk.row(depth(5, BUY, 98, 7))
    desk.fill(desk.live()[0], BUY, 2, price=0.99)
    desk.decide(BID, ASK)
    view = desk.local.views[0]
    assert (view["best_bid"], view["best_ask"], view["mid"]) == (99, 101, 1.0)
    assert view["bid_tick"].tolist() == [99, 98, *[NO_BID] * 3]
    assert view["bid_lots"].tolist() == [10, 7, 0, 0, 0]
    assert view["ask_tick"].tolist() == [101, *[NO_ASK] * 4]
    assert (view["position_lots"], view["position"], view["fills"]) == (2, 2.0, 1)
    assert view["equity"] == pytest.approx(0.02, abs=1e-12)
    assert view["n_orders"] == 2
    assert view["order_side"].tolist()[:2] == [BUY, SELL]
    assert view["order_leaves"].tolist()[:2] == [3, 5]
