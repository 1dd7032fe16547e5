"""Rows that are no quotes but reasons for none, and reasons that are none."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind, OrderEvent, OrderState, Reason, Requote
from tests.core.builders import BUY, SELL, Action, Desk, Want, instruments

PLACE, CANCEL, ALERT = ActionKind.PLACE, ActionKind.CANCEL, ActionKind.ALERT
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 5)
LAST = max(Reason)


def why(side: int, reason: int, inst: int = 0, lots: int = 0) -> Want:
    return Want(side, 0, lots, inst, reason=reason)


def quoting(count: int = 1, **limits: int) -> Desk:
    """A desk with a working order on each side of each instrument."""
    desk = Desk(what=instruments(count), **limits)
    for sent in desk.decide(*(w._replace(inst=i) for i in range(count) for w in (BID, ASK))):
        desk.on(
            OrderEvent.CONFIRM, sent.order_id, side=sent.side, tick=sent.tick, lots=sent.lots,
            inst=sent.inst,
        )  # fmt: skip
    return desk


def cancels(actions: list[Action]) -> list[tuple[int, int, Reason]]:
    """Instrument, side and reason of the cancels, which are all that is asked for."""
    assert {a.kind for a in actions} <= {CANCEL}
    return [(a.inst, a.side, a.reason) for a in actions]


def said(desk: Desk, inst: int = 0) -> tuple[int, int]:
    view = desk.local.views[inst]
    return int(view["why_no_bid"]), int(view["why_no_ask"])


def test_codes_of_reasons_have_no_gaps() -> None:
    """A code from 0 to the largest is known; the engine checks no more than that."""
    assert sorted(Reason) == list(range(LAST + 1))


@pytest.mark.parametrize("requote", Requote)
@pytest.mark.parametrize("reason", [Reason.QUOTE, Reason.PULL_WINDOW, LAST])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_side_that_is_not_quoted_is_cancelled_with_its_reason(
    side: int, reason: Reason, requote: Requote
) -> None:
    desk = quoting(requote=int(requote))
    other = ASK if side > 0 else BID
    assert cancels(desk.decide(why(side, reason), other)) == [(0, side, reason)]
    assert said(desk) == ((reason, 0) if side > 0 else (0, reason))
    assert (desk.set["bad_quotes"], desk.set["denied"]) == (0, 0)
    assert desk.decide(other, why(side, reason)) == []


def test_each_side_and_instrument_has_its_own_reason() -> None:
    desk = quoting(2)
    actions = desk.decide(
        why(BUY, Reason.PULL_INVENTORY),
        why(SELL, Reason.PULL_NO_THEO, 1),
        why(BUY, Reason.PULL_SIDE, 1),
    )
    assert sorted(cancels(actions)) == [
        (0, SELL, Reason.NOT_WANTED),
        (0, BUY, Reason.PULL_INVENTORY),
        (1, SELL, Reason.PULL_NO_THEO),
        (1, BUY, Reason.PULL_SIDE),
    ]
    assert said(desk, 0) == (Reason.PULL_INVENTORY, 0)
    assert said(desk, 1) == (Reason.PULL_SIDE, Reason.PULL_NO_THEO)


def test_a_reason_holds_for_its_decision_alone() -> None:
    desk = quoting()
    assert cancels(desk.decide(why(BUY, Reason.PULL_WINDOW), ASK)) == [(0, BUY, Reason.PULL_WINDOW)]
    assert cancels(desk.decide()) == [(0, SELL, Reason.NOT_WANTED)]
    assert said(desk) == (0, 0)


def test_the_last_reason_of_a_side_counts() -> None:
    desk = quoting()
    actions = desk.decide(why(BUY, Reason.PULL_WINDOW), why(BUY, Reason.PULL_SIDE), ASK)
    assert cancels(actions) == [(0, BUY, Reason.PULL_SIDE)]


def test_an_order_under_way_is_cancelled_once_it_works() -> None:
    desk = Desk()
    (sent,) = desk.decide(BID)
    assert desk.decide(why(BUY, Reason.PULL_WINDOW)) == []
    desk.confirm(sent)
    assert cancels(desk.decide(why(BUY, Reason.PULL_WINDOW))) == [(0, BUY, Reason.PULL_WINDOW)]
    assert desk.decide(why(BUY, Reason.PULL_WINDOW)) == []
    assert desk.state(sent.order_id) == OrderState.CANCELLING


def test_a_reason_with_quotes_of_its_side_goes_to_those_that_are_left_out() -> None:
    desk = Desk()
    for sent in desk.decide(BID, Want(BUY, 98, 5)):
        desk.confirm(sent)
    assert cancels(desk.decide(BID, why(BUY, Reason.PULL_INVENTORY))) == [
        (0, BUY, Reason.PULL_INVENTORY)
    ]
    assert [desk.order(i)["tick"] for i in desk.live()] == [99, 98]
    assert desk.state(desk.live()[0]) == OrderState.WORKING


def test_a_reason_is_logged_with_the_cancel() -> None:
    desk = quoting()
    before = int(desk.local.log[0]["instructions"])
    desk.decide(why(BUY, Reason.PULL_NO_SIGNAL), ASK)
    row = desk.local.instruction_log[before]
    assert (row["action"], row["reason"], row["side"]) == (CANCEL, Reason.PULL_NO_SIGNAL, BUY)


# --- what is no reason


@pytest.mark.parametrize(
    "bad",
    [
        why(BUY, 0),
        why(BUY, -1),
        why(BUY, LAST + 1),
        why(BUY, 65536 + Reason.PULL_WINDOW),
        why(0, Reason.PULL_WINDOW),
        why(2, Reason.PULL_WINDOW),
        why(BUY, Reason.PULL_WINDOW, lots=-1),
        why(BUY, Reason.PULL_WINDOW, inst=1),
        why(BUY, Reason.PULL_WINDOW, inst=-1),
        BID._replace(reason=-1),
        BID._replace(reason=LAST + 1),
        BID._replace(reason=65536),
    ],
)
def test_a_reason_that_is_none_makes_a_bad_quote(bad: Want) -> None:
    desk = Desk()
    actions = desk.decide(bad, ASK)
    assert [(a.kind, a.reason) for a in actions] == [
        (ALERT, Reason.BAD_QUOTE),
        (PLACE, Reason.QUOTE),
    ]
    assert (desk.set["bad_quotes"], said(desk)) == (1, (0, 0))


@pytest.mark.parametrize("reason", [Reason.NONE, Reason.QUOTE, Reason.PULL_SIDE, LAST])
def test_a_quote_may_say_why_it_is_wanted(reason: Reason) -> None:
    (sent,) = Desk().decide(BID._replace(reason=reason))
    assert (sent.kind, sent.reason) == (PLACE, reason or Reason.QUOTE)
