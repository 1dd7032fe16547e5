"""What an order must pass before it leaves, and in which order messages go."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, Hand, MsgKind, OrderState, OrderType, Reason, Requote
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import BUY, IOC, LIMIT, SELL, Action, Desk, Want, instruments

PLACE, MODIFY, CANCEL, PULL, ALERT, QUERY = ActionKind
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 4)
MOVE = int(Requote.MODIFY)


def kinds(actions: list[Action]) -> list[tuple[ActionKind, Reason]]:
    return [(a.kind, a.reason) for a in actions]


def placed(actions: list[Action]) -> list[tuple[int, int]]:
    return [(a.side, a.tick) for a in actions if a.kind == PLACE]


def at(desk: Desk, ts: int, *wants: Want) -> list[Action]:
    desk.now = ts - 1
    return desk.decide(*wants)


# --- price and value


@pytest.mark.parametrize(
    ("bps", "ticks", "far"), [(300, 0, 3), (0, 2, 2), (300, 2, 3), (100, 4, 4)]
)
def test_a_price_keeps_to_the_wider_of_two_collars_around_the_mid(
    bps: int, ticks: int, far: int
) -> None:
    desk = Desk(checks=1, collar=(bps + 1e-6) / 1e4, collar_ticks=ticks + 1e-6)
    wants = [Want(s, 100 - s * away, 1) for s in (BUY, SELL) for away in range(1, 7)]
    sent = desk.decide(*wants)
    assert placed(sent) == [(s, 100 - s * away) for s in (BUY, SELL) for away in range(1, far + 1)]
    assert [a.reason for a in sent if a.kind == ALERT] == [Reason.COLLAR] * 2
    assert desk.local.refusals[0, Reason.COLLAR] == 2 * (6 - far)
    assert [a for a in desk.decide(*wants) if a.kind == ALERT] == []


def test_a_price_far_from_the_theo_stays_though_the_mid_is_near() -> None:
    desk = Desk(checks=1, collar=0.03)
    desk.tell(MsgKind.THEO, reason=int(Hand.THEO), price=1.03)
    assert placed(desk.decide(BID, ASK)) == [(SELL, 101)]


@pytest.mark.parametrize("collar", [math.nan, 0.0])
def test_a_collar_that_is_no_number_lets_nothing_pass(collar: float) -> None:
    assert placed(Desk(checks=1, collar=collar).decide(BID, ASK)) == []


def test_the_value_of_an_order_counts_the_multiplier() -> None:
    both = [(BUY, 99), (SELL, 101)]
    for most, sent in ((495.0 + 1e-9, both), (404.5, both[1:]), (403.0, []), (math.nan, [])):
        desk = Desk(what=instruments(multiplier=100.0), checks=1, max_order_value=most)
        assert placed(desk.decide(BID, ASK)) == sent


def test_a_move_to_a_price_that_may_not_be_cancels() -> None:
    desk = Desk(checks=1, collar=0.02 + 1e-9, requote=MOVE)
    order_id = desk.working(BID)
    told = desk.decide(Want(BUY, 90, 5))
    assert [(a.kind, a.reason) for a in told if a.kind != ALERT] == [(CANCEL, Reason.COLLAR)]
    assert desk.state(order_id) == OrderState.CANCELLING


# --- own orders of the other side


def test_an_order_at_a_price_of_own_ones_waits_until_these_are_gone() -> None:
    desk = Desk(checks=1, own_cross=1, order_type=int(LIMIT))
    ask_id = desk.working(ASK)
    sent = desk.decide(Want(BUY, 101, 5))
    assert [(a.kind, a.order_id) for a in sent if a.kind != ALERT] == [(CANCEL, ask_id)]
    assert desk.local.refusals[0, Reason.OWN_CROSS] == 1
    assert placed(desk.decide(Want(BUY, 101, 5))) == []
    desk.on(E.CANCEL_ACK, ask_id)
    assert placed(desk.decide(Want(BUY, 101, 5))) == [(BUY, 101)]


def test_an_order_in_flight_or_unknown_is_met_as_well() -> None:
    desk = Desk(checks=1, own_cross=1, order_type=int(LIMIT))
    (sent,) = desk.decide(ASK)
    assert placed(desk.decide(Want(BUY, 102, 5), ASK)) == []
    desk.on(E.DISCONNECT, sent.order_id)
    assert placed(desk.decide(Want(BUY, 101, 5))) == []
    assert placed(desk.decide(Want(BUY, 100, 5))) == [(BUY, 100)]


def test_a_wanted_order_is_not_cancelled_for_another_that_it_would_meet() -> None:
    desk = Desk(checks=1, own_cross=1, order_type=int(LIMIT))
    desk.working(ASK)
    for _ in range(3):
        sent = desk.decide(ASK, Want(BUY, 101, 5, 0, LIMIT, IOC))
        assert [a for a in sent if a.kind != ALERT] == []


def test_a_market_order_meets_any_own_one() -> None:
    desk = Desk(checks=1, own_cross=1)
    desk.working(Want(SELL, 150, 1))
    sent = desk.decide(Want(SELL, 150, 1), Want(BUY, 0, 1, 0, OrderType.MARKET))
    assert placed(sent) == []


# --- pace


def test_new_orders_and_prices_wait_and_cancels_and_reductions_do_not() -> None:
    desk = Desk(checks=1, min_requote_ns=100, requote=MOVE, size_tolerance_lots=0)
    order_id = desk.working(BID)
    (told,) = at(desk, 49, Want(BUY, 98, 5))
    assert (told.kind, told.reason) == (ActionKind.ALERT, Reason.TOO_SOON)
    assert at(desk, 50, Want(BUY, 98, 5)) == [], "told once in a run"
    assert desk.local.refusals[0, Reason.TOO_SOON] == 2
    (less,) = at(desk, 51, Want(BUY, 99, 2))
    assert less[:5] == (MODIFY, order_id, BUY, 99, 2)
    desk.confirm(less)
    (more,) = at(desk, 101, Want(BUY, 98, 2))
    assert more.kind == MODIFY
    desk.confirm(more)
    assert placed(at(desk, 110, Want(BUY, 98, 2), ASK)) == [(SELL, 101)]
    assert [a.kind for a in at(desk, 111, ASK)] == [CANCEL]


def test_the_layers_of_one_decision_leave_together() -> None:
    desk = Desk(checks=1, min_requote_ns=100)
    assert len(placed(desk.decide(BID, Want(BUY, 98, 5), Want(BUY, 97, 5)))) == 3


def test_an_order_that_was_just_rejected_is_not_sent_again_at_once() -> None:
    desk = Desk(checks=1, duplicate_window_ns=100)
    (sent,) = desk.decide(BID)
    desk.on(E.REJECT, sent.order_id)
    assert placed(at(desk, 50, BID)) == []
    assert desk.local.refusals[0, Reason.DUPLICATE_INTENT] == 1
    assert placed(at(desk, 51, Want(BUY, 99, 4))) == [(BUY, 99)]
    assert placed(at(desk, 200, BID, Want(BUY, 99, 4))) == []


def test_an_immediate_order_is_not_sent_twice_before_its_answer() -> None:
    take = Want(BUY, 101, 5, 0, LIMIT, IOC)
    desk = Desk(checks=1, duplicate_window_ns=100)
    assert placed(desk.decide(take)) == [(BUY, 101)]
    desk.local.order["want_tick"] = 0
    assert placed(desk.decide(take)) == []


def test_no_more_orders_are_in_flight_than_the_limit_and_cancels_leave() -> None:
    desk = Desk(max_in_flight=2, ranks=1)
    first = desk.working(BID)
    wants = [Want(BUY, 90 - i, 1) for i in range(4)]
    sent = desk.decide(*wants)
    assert [a.kind for a in sent] == [CANCEL, PLACE]
    assert desk.set["throttled"] == 3
    desk.on(E.CANCEL_ACK, first)
    assert len(placed(desk.decide(*wants))) == 1


def test_cancels_go_before_what_reduces_and_this_before_new_orders() -> None:
    desk = Desk(ranks=1, requote=MOVE, size_tolerance_lots=0)
    bid, ask = (a.order_id for a in desk.decide(BID, ASK))
    far = desk.decide(BID, ASK, Want(BUY, 80, 1))[0].order_id
    for order_id, want in ((bid, BID), (ask, ASK), (far, Want(BUY, 80, 1))):
        desk.on(E.CONFIRM, order_id, tick=want.tick, lots=want.lots)
    desk.fill(bid, BUY, 1)
    post_only = Want(BUY, 97, 1, 0, OrderType.POST_ONLY)
    sent = desk.decide(Want(BUY, 98, 5), post_only, Want(SELL, 102, 4), Want(SELL, 110, 1))
    assert [(a.kind, a.side) for a in sent] == [
        (CANCEL, BUY), (MODIFY, SELL), (MODIFY, BUY), (PLACE, SELL), (PLACE, BUY)
    ]  # fmt: skip


# --- one side of an option


def option_desk(**limits: float) -> Desk:
    what = instruments(2)
    what["option"] = [1, 0]
    return Desk(what=what, checks=1, one_side=1, **limits)


def test_an_option_works_on_the_side_that_reduces() -> None:
    desk = option_desk()
    desk.fill(-7, BUY, 2)
    assert placed(desk.decide(BID, ASK)) == [(SELL, 101)]
    assert desk.local.views[0]["why_no_bid"] == Reason.PULL_OTHER_SIDE


def test_flat_an_option_works_on_the_side_with_more_edge() -> None:
    assert placed(option_desk().decide(BID, Want(SELL, 103, 4))) == [(SELL, 103)]
    assert placed(option_desk().decide(Want(BUY, 96, 1), Want(SELL, 103, 4))) == [(BUY, 96)]


def test_other_instruments_work_on_both_sides() -> None:
    assert len(placed(option_desk().decide(Want(BUY, 99, 1, 1), Want(SELL, 101, 1, 1)))) == 2


def test_a_switch_waits_for_the_confirmed_end_of_the_other_side() -> None:
    desk = option_desk()
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 1)
    assert kinds(desk.decide(BID, ASK)) == [(CANCEL, Reason.PULL_OTHER_SIDE)]
    desk.on(E.DISCONNECT, order_id)
    assert placed(desk.decide(BID, ASK)) == []
    desk.on(E.FOUND_CLOSED, order_id)
    assert placed(desk.decide(BID, ASK)) == [(SELL, 101)]


def test_an_order_of_others_keeps_the_other_side_of_an_option_away() -> None:
    desk = option_desk()
    desk.fill(-7, BUY, 2)
    order_id = desk.working(ASK)
    desk.tell(MsgKind.EXTERNAL, side=BUY, lots=1)
    sent = desk.decide(BID, ASK)
    assert [(a.kind, a.order_id) for a in sent] == [(CANCEL, order_id)]
    desk.on(E.CANCEL_ACK, order_id)
    assert placed(desk.decide(BID, ASK)) == [(BUY, 99)]
    desk.tell(MsgKind.EXTERNAL, side=SELL, lots=1)
    assert CANCEL not in [a.kind for a in desk.decide(ASK)]


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_of_an_option_are_never_live(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = option_desk(requote=int(seed % 2))
    events = [E.CONFIRM, E.CANCEL_ACK, E.DISCONNECT, E.CANCEL_REJECT, E.EXECUTION]
    sides: set[int] = set()
    for _ in range(150):
        low, high = sorted(rng.integers(97, 104, 2))
        desk.decide(Want(BUY, int(low), 2), Want(SELL, int(high) + 1, 2))
        for order_id in desk.live():
            order = desk.order(order_id)
            more = {"side": int(order["side"]), "tick": int(order["want_tick"])}
            event = events[rng.integers(len(events))]
            if event == E.EXECUTION:
                desk.fill(order_id, more["side"], 1)
            else:
                desk.on(event, order_id, lots=int(order["want_lots"]), **more)
        live = {int(desk.order(order_id)["side"]) for order_id in desk.live()}
        assert len(live) <= 1
        sides |= live
    assert sides == {BUY, SELL}
