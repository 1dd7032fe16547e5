"""Limits of scopes at decisions: soft and hard, of measures, money and captured spread."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmquant.core.dtypes import Control, Hand, MsgKind, OrderEvent, Reason
from tests.core.builders import BUY, SELL, Action, Desk, Want, depth
from tests.core.guard_desks import (
    CALL,
    PUT,
    STOCK,
    alerts,
    chain,
    greek,
    guarded,
    hold,
    limits,
    placed,
    pulled,
)

BID, ASK = Want(BUY, 99, 8), Want(SELL, 101, 8)
SOFT = {"soft_size_factor": 0.5, "soft_widen_ticks": 3}


def market(desk: Desk, bid: int, ask: int, inst: int = 0) -> None:
    """Move the best prices, the far side first."""
    view = desk.local.book.side[inst]
    old_bid, old_ask = int(view["best_bid"]), int(view["best_ask"])
    desk.row(depth(desk.now, BUY, old_bid, 0, inst))
    desk.row(depth(desk.now, SELL, old_ask, 0, inst))
    desk.row(depth(desk.now, BUY, bid, 10, inst))
    desk.row(depth(desk.now, SELL, ask, 10, inst))


def resume(desk: Desk) -> list[Action]:
    return desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))


# --- soft


@pytest.mark.parametrize(
    ("held", "buys", "sells"), [(7, (99, 8), (101, 8)), (8, (96, 4), (101, 8)),
                                (-8, (99, 8), (104, 4))],
)  # fmt: skip
def test_near_a_limit_the_side_that_leads_there_is_smaller_and_wider(
    held: int, buys: tuple[int, int], sells: tuple[int, int]
) -> None:
    desk = guarded(limits("instrument", max_position_units=10) | SOFT | {"soft_fraction": 0.8})
    hold(desk, held)
    actions = desk.decide(BID, ASK)
    room = {BUY: 10 - held, SELL: 10 + held}
    cut = [(0, s, t, min(n, room[s])) for s, (t, n) in ((BUY, buys), (SELL, sells))]
    assert placed(actions) == cut
    assert alerts(actions) == ([(Reason.SOFT_LIMIT, 1)] if abs(held) == 8 else [])


def test_it_is_told_once_when_it_begins_and_when_it_ends() -> None:
    desk = guarded(limits("account", max_gross_ccy=10.0))
    hold(desk, 9)
    assert alerts(desk.decide()) == [(Reason.SOFT_LIMIT, 1)]
    assert alerts(desk.decide()) == []
    hold(desk, -5)
    assert alerts(desk.decide()) == [(Reason.SOFT_LIMIT, 0)]
    assert alerts(desk.decide()) == []


def test_outside_the_target_band_the_way_back_is_as_wanted() -> None:
    desk = guarded(limits("instrument", min_target_units=-2, max_target_units=2) | SOFT)
    hold(desk, 3)
    assert placed(desk.decide(BID, ASK)) == [(0, BUY, 96, 4), (0, SELL, 101, 8)]


def test_a_soft_delta_widens_what_adds_delta_in_each_instrument() -> None:
    desk = guarded(limits("underlying", max_delta=100.0) | SOFT, chain())
    for inst, delta in ((CALL, 0.5), (PUT, -0.5)):
        greek(desk, inst, Hand.DELTA, delta)
    hold(desk, 90)
    wants = [Want(side, 100 - side, 2, inst) for inst in (STOCK, CALL, PUT) for side in (BUY, SELL)]
    assert placed(desk.decide(*wants)) == [
        (STOCK, BUY, 96, 1), (STOCK, SELL, 101, 2), (CALL, SELL, 101, 2), (PUT, BUY, 99, 1),
    ]  # fmt: skip


def test_a_soft_size_of_nothing_is_no_quote_and_one_lot_stays_one() -> None:
    for factor, left in ((0.0, []), (0.1, [(0, BUY, 98, 1)])):
        desk = guarded(limits("instrument", max_position_units=10) | {"soft_size_factor": factor})
        hold(desk, 8)
        assert placed(desk.decide(Want(BUY, 99, 1))) == left


# --- hard


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"max_position_units": 10}, Reason.PULL_LIMIT),
        ({"max_gross_ccy": 10.0}, Reason.PULL_EXPOSURE),
        ({"max_net_ccy": 10.0}, Reason.PULL_EXPOSURE),
        ({"max_delta": 10.0}, Reason.PULL_GREEKS),
    ],
)
@pytest.mark.parametrize("scope", ["instrument", "underlying", "account"])
def test_at_a_limit_only_what_reduces_leaves_and_beyond_it_nothing(
    scope: str, bounds: dict[str, Any], reason: Reason
) -> None:
    desk = guarded(limits(scope, **bounds))
    hold(desk, 10)
    assert placed(desk.decide(BID, ASK)) == [(0, SELL, 101, 8)]
    hold(desk, 1)
    actions = desk.decide(BID, ASK)
    assert placed(actions) == [] and pulled(actions) == [(0, reason)]
    assert (reason, 1) in alerts(actions)
    hold(desk, -2)
    actions = desk.decide(BID, ASK)
    assert (reason, 0) in alerts(actions)


def test_a_limit_of_one_scope_leaves_the_others_alone() -> None:
    desk = guarded(limits("option_type", name="ABC P", max_position_units=2), chain())
    hold(desk, 3, PUT)
    wants = [Want(BUY, 99, 1, inst) for inst in (STOCK, CALL, PUT)]
    assert placed(desk.decide(*wants)) == [(STOCK, BUY, 99, 1), (CALL, BUY, 99, 1)]


# --- money


def test_a_loss_is_counted_at_the_price_that_it_could_be_closed_at() -> None:
    desk = guarded(limits("account", max_loss_ccy=0.095))
    hold(desk, 9)
    assert Reason.PULL_LOSS not in dict(alerts(desk.decide()))
    hold(desk, 1)
    assert (Reason.PULL_LOSS, 1) in alerts(desk.decide(BID))


def test_it_stays_until_a_human_resumes_and_comes_back_if_it_still_stands() -> None:
    desk = guarded(limits("account", max_loss_ccy=0.095))
    hold(desk, 10)
    desk.decide(BID)
    market(desk, 199, 201)
    assert placed(desk.decide(BID)) == []
    resume(desk)
    assert placed(desk.decide(Want(BUY, 199, 1))) == [(0, BUY, 199, 1)]
    market(desk, 99, 101)
    assert pulled(desk.decide(BID)) == [(0, Reason.PULL_LOSS)]
    resume(desk)
    assert (Reason.PULL_LOSS, 1) in alerts(desk.decide(BID))


def test_one_bad_tick_is_no_loss_where_a_loss_must_last() -> None:
    desk = guarded(
        limits("account", max_loss_ccy=1.0) | {"loss_confirm_s": 1e-8, "soft_widen_ticks": 0}
    )
    hold(desk, 10)
    desk.decide()
    for _ in range(2):
        market(desk, 1, 3)
        assert placed(desk.decide(Want(BUY, 1, 1))) != []
        market(desk, 99, 101)
        assert placed(desk.decide(Want(BUY, 98, 1))) != []
        for order_id in desk.live():
            desk.on(OrderEvent.EXPIRE, order_id)
    market(desk, 1, 3)
    told = [dict(alerts(desk.decide())).get(Reason.PULL_LOSS) for _ in range(20)]
    assert told.index(1) == 10


def test_one_bad_tick_is_no_loss_of_the_account_either() -> None:
    desk = guarded({"loss_confirm_s": 1e-8}, max_loss=1.0)
    hold(desk, 10)
    for _ in range(2):
        market(desk, 1, 3)
        for _ in range(3):
            assert desk.decide() == []
        market(desk, 99, 101)
        assert desk.decide() == [] and desk.set["blocked"] == 0
    market(desk, 1, 3)
    began = desk.now + 1
    while desk.set["blocked"] == 0:
        desk.decide()
    assert (desk.set["blocked"], desk.now - began) == (Reason.PULL_LOSS, 10)


def test_a_fall_is_measured_from_the_peak_and_after_a_resume_from_there() -> None:
    desk = guarded(limits("instrument", max_drawdown_ccy=5.0))
    hold(desk, 10)
    desk.decide()
    market(desk, 199, 201)
    assert placed(desk.decide(Want(BUY, 190, 1))) != []
    market(desk, 150, 152)
    assert placed(desk.decide(Want(BUY, 149, 1))) != []
    market(desk, 148, 150)
    actions = desk.decide(Want(BUY, 147, 1))
    assert (Reason.PULL_DRAWDOWN, 1) in alerts(actions)
    assert alerts(resume(desk)) == [(Reason.PULL_DRAWDOWN, 0)]
    assert placed(desk.decide(Want(BUY, 147, 1))) == [(0, BUY, 147, 1)]


def test_a_price_that_lasted_too_short_raises_no_peak() -> None:
    desk = guarded(limits("instrument", max_drawdown_ccy=5.0) | {"loss_confirm_s": 3e-9})
    hold(desk, 10)
    desk.decide()
    market(desk, 199, 201)
    desk.decide()
    market(desk, 99, 101)
    for _ in range(9):
        assert alerts(desk.decide()) == []


def test_what_is_held_without_a_mark_is_not_quoted() -> None:
    desk = guarded(limits("account", max_loss_ccy=5.0))
    desk.local.book.side[0]["best_ask"] = 99
    hold(desk, 1)
    actions = desk.decide(BID)
    assert placed(actions) == [] and (Reason.PULL_NO_MARK, 1) in alerts(actions)


# --- captured spread


def test_fills_that_capture_too_little_pull_until_they_leave_the_window() -> None:
    risk = limits("instrument", min_capture_bps=10.0) | {"capture_fills": 2,
                                                         "capture_window_s": 10e-9}  # fmt: skip
    desk = guarded(risk)
    desk.fill(0, BUY, 1, 0.995)
    desk.fill(0, BUY, 1, 1.0)
    assert Reason.PULL_CAPTURE not in dict(alerts(desk.decide(BID)))
    desk.fill(0, BUY, 1, 1.0)
    desk.fill(0, BUY, 1, 1.002)
    actions = desk.decide(BID)
    assert (Reason.PULL_CAPTURE, 1) in alerts(actions) and placed(actions) == []
    desk.now += 10
    assert (Reason.PULL_CAPTURE, 0) in alerts(desk.decide(BID))


def test_money_of_a_scope_counts_its_own_instruments() -> None:
    desk = guarded(limits("instrument", name="1", max_loss_ccy=50.0), chain())
    hold(desk, 10, CALL, price=1.5)
    wants = [Want(BUY, 99, 1, inst) for inst in (STOCK, CALL)]
    assert placed(desk.decide(*wants)) == [(STOCK, BUY, 99, 1)]
    assert math.isclose(desk.local.guard.scope_state[0]["equity"], 10 * 100 * (0.99 - 1.5))
