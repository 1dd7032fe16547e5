"""Limits of a day: free, slow from 80 %, then none, while cancels always leave."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind, Reason
from mmquant.core.dtypes import OrderEvent as E
from mmquant.core.quotas import DAY_NS
from tests.core.builders import BUY, SELL, Action, Desk, Want, instruments

PLACE, CANCEL = ActionKind.PLACE, ActionKind.CANCEL


def counting_desk(**limits: float) -> Desk:
    what = instruments(2)
    what["option"] = [1, 0]
    return Desk(what=what, counts=1, ranks=1, slow_tolerance_ticks=2, **limits)


def use(desk: Desk, messages: int, inst: int = 0) -> None:
    """Send orders that are rejected, far from each other."""
    for i in range(messages):
        sent = [a for a in desk.decide(Want(BUY, 90 - 5 * (i % 9), 1, inst)) if a.kind == PLACE]
        assert len(sent) == 1
        desk.on(E.REJECT, sent[0].order_id, inst=inst)


def kinds(actions: list[Action]) -> list[tuple[ActionKind, Reason]]:
    return [(a.kind, a.reason) for a in actions]


LIMITS = [
    ("max_messages_day", Reason.PULL_QUOTA),
    ("max_instrument_messages_day", Reason.PULL_QUOTA),
    ("max_option_orders_day", Reason.PULL_QUOTA),
    ("max_order_ratio", Reason.PULL_ORDER_RATIO),
]


@pytest.mark.parametrize(("limit", "reason"), LIMITS)
def test_a_limit_slows_down_and_then_stops_until_the_next_day(limit: str, reason: Reason) -> None:
    desk = counting_desk(**{limit: 10})
    use(desk, 7)
    order_id = desk.working(Want(BUY, 90, 1))
    assert desk.decide(Want(BUY, 88, 1)) == []
    assert desk.local.refusals[0, Reason.QUOTA_SLOW] == 1
    moved = desk.decide(Want(BUY, 87, 1))
    assert [a.kind for a in moved] == [CANCEL, PLACE]
    desk.on(E.CANCEL_ACK, order_id)
    desk.confirm(moved[1])
    if limit == "max_option_orders_day":
        desk.decide(Want(BUY, 87, 1), Want(BUY, 70, 1))
    pulled = [a for a in desk.decide(Want(BUY, 87, 1)) if a.kind == CANCEL]
    assert {a.reason for a in pulled} == {reason}
    assert desk.decide(Want(BUY, 87, 1)) == []
    desk.now += DAY_NS
    assert [a.kind for a in desk.decide(Want(SELL, 110, 1))] == [PLACE]


def test_an_instrument_has_a_limit_of_its_own() -> None:
    desk = counting_desk(max_instrument_messages_day=5)
    use(desk, 5)
    assert desk.decide(Want(BUY, 99, 1)) == []
    assert [a.inst for a in desk.decide(Want(BUY, 99, 1, 1))] == [1]


def test_orders_of_other_instruments_are_no_option_orders() -> None:
    desk = counting_desk(max_option_orders_day=5)
    use(desk, 9, inst=1)
    assert [a.kind for a in desk.decide(Want(BUY, 99, 1))] == [PLACE]


def test_the_ratio_counts_from_some_messages_on_and_executed_orders_lower_it() -> None:
    desk = counting_desk(max_order_ratio=3.0, order_ratio_from=6)
    use(desk, 5)
    order_id = desk.working(Want(BUY, 99, 2))
    assert kinds(desk.decide(Want(BUY, 99, 2)))[0] == (CANCEL, Reason.PULL_ORDER_RATIO)
    desk.fill(order_id, BUY, 1)
    desk.fill(order_id, BUY, 1)
    assert desk.set["executed_day"] == 1
    assert desk.decide(Want(BUY, 99, 2)) == []
    desk.fill(-7, BUY, 1)
    desk.set["executed_day"] = 2
    assert [a.kind for a in desk.decide(Want(BUY, 99, 2))] == [PLACE]
