"""Circuit breakers: what trips each, what it keeps from the quotes, and what lets them out again."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmquant.core.dtypes import Control, MsgKind, Reason, Session
from tests.core.builders import BUY, SELL, Desk, Want, depth, status
from tests.core.guard_desks import alerts, guarded, hold, limits, placed, pulled
from tests.core.test_guard_limits import market

QUOTE = Want(BUY, 50, 1)
LOOKS = {"volatility_halflife_s": 5.0}


def breaker(name: str, **settings: Any) -> dict[str, Any]:
    return {"breakers": {name: settings}}


def quotes(desk: Desk) -> bool:
    """Whether a decision lets the instrument be quoted."""
    desk.decide(QUOTE)
    return bool(desk.local.views[0]["blocked"] == 0)


@pytest.mark.parametrize(
    ("settings", "bid", "ask", "trips"),
    [
        ({"max_ticks": 4.0}, 98, 102, False),
        ({"max_ticks": 4.0}, 98, 103, True),
        ({"max_bps": 400.1}, 98, 102, False),
        ({"max_bps": 400.1}, 97, 102, True),
    ],
)
def test_a_wide_spread(settings: dict[str, float], bid: int, ask: int, trips: bool) -> None:
    desk = guarded(breaker("spread", **settings))
    market(desk, bid, ask)
    assert quotes(desk) is not trips
    market(desk, 99, 101)
    assert quotes(desk)


@pytest.mark.parametrize(
    ("settings", "to", "trips"),
    [
        ({"max_ticks": 3.0}, 103, False),
        ({"max_ticks": 3.0}, 96, True),
        ({"max_bps": 301.0}, 103, False),
        ({"max_bps": 301.0}, 104, True),
    ],
)
def test_a_jump_of_the_mid(settings: dict[str, float], to: int, trips: bool) -> None:
    desk = guarded(breaker("jump", **settings))
    assert quotes(desk)
    market(desk, to - 1, to + 1)
    assert quotes(desk) is not trips
    assert quotes(desk)


def test_one_bad_tick_trips_the_data_breaker_and_not_the_loss() -> None:
    desk = guarded(limits("account", max_loss_ccy=1.0) | breaker("jump", max_ticks=5.0))
    hold(desk, 10)
    desk.decide(QUOTE)
    market(desk, 1, 3)
    actions = desk.decide(QUOTE)
    assert alerts(actions) == [(Reason.PULL_JUMP, 1)]
    assert pulled(actions) == [(0, Reason.PULL_JUMP)]
    market(desk, 99, 101)
    assert alerts(desk.decide(QUOTE)) == []
    assert alerts(desk.decide(QUOTE)) == [(Reason.PULL_JUMP, 0)]
    assert desk.local.guard.scope_state[0]["latched"] == 0


def test_a_breaker_waits_for_clean_decisions_in_a_row_and_a_time() -> None:
    rule = {"max_ticks": 4.0, "clean_decisions": 3, "cooldown_s": 5e-9}
    desk = guarded(breaker("spread", **rule))
    market(desk, 90, 110)
    assert not quotes(desk)
    market(desk, 99, 101)
    assert not quotes(desk) and not quotes(desk)
    market(desk, 90, 110)
    assert not quotes(desk)
    market(desk, 99, 101)
    assert [quotes(desk) for _ in range(6)] == [False, False, False, False, True, True]


def test_a_breaker_can_wait_for_a_human() -> None:
    desk = guarded(breaker("spread", max_ticks=4.0, human=True))
    market(desk, 90, 110)
    desk.decide(QUOTE)
    market(desk, 99, 101)
    assert not any(quotes(desk) for _ in range(9))
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert quotes(desk)


def halt(desk: Desk) -> None:
    desk.row(status(desk.now, 1))


def go_on(desk: Desk) -> None:
    desk.row(status(desk.now, 0))


def one_side(desk: Desk) -> None:
    desk.row(depth(desk.now, SELL, 101, 0))


def both_sides(desk: Desk) -> None:
    desk.row(depth(desk.now, SELL, 101, 5))


def lock(desk: Desk) -> None:
    desk.local.book.side[0]["best_ask"] = 99


def unlock(desk: Desk) -> None:
    desk.local.book.side[0]["best_ask"] = 101


def lose_data(desk: Desk) -> None:
    desk.tell(MsgKind.SESSION, inst=0, reason=int(Session.DATA_STALE))


def find_data(desk: Desk) -> None:
    desk.tell(MsgKind.SESSION, inst=0, reason=int(Session.DATA_FRESH))


@pytest.mark.parametrize(
    ("spoil", "mend", "reason"),
    [
        (halt, go_on, Reason.PULL_HALTED),
        (one_side, both_sides, Reason.PULL_ONE_SIDED),
        (lock, unlock, Reason.PULL_CROSSED),
        (lose_data, find_data, Reason.PULL_STALE),
    ],
)
def test_a_market_that_could_not_be_quoted_must_be_clean_for_a_while(
    spoil: Any, mend: Any, reason: Reason
) -> None:
    desk = guarded(breaker("market", on=True, clean_decisions=2))
    spoil(desk)
    assert alerts(desk.decide(QUOTE)) == [(reason, 1)]
    mend(desk)
    assert alerts(desk.decide(QUOTE)) == []
    actions = desk.decide(QUOTE)
    assert alerts(actions) == [(reason, 0)] and len(placed(actions)) == 1


@pytest.mark.parametrize(
    ("volatility", "trips"), [(1.9, False), (2.0, False), (2.1, True), (math.nan, True),
                              (math.inf, True)],
)  # fmt: skip
def test_volatility_above_its_bound_or_unknown(volatility: float, trips: bool) -> None:
    desk = guarded(breaker("volatility", max_volatility_ticks=2.0), signals=LOOKS)
    desk.local.views[0]["volatility"] = volatility
    assert quotes(desk) is not trips


def test_volatility_that_surges_over_its_slow_average() -> None:
    rule = {"max_surge": 3.0, "slow_halflife_s": 1e-8}
    desk = guarded(breaker("volatility", **rule), signals=LOOKS)
    slow, seen = math.nan, []
    for volatility in (1.0, 2.0, 2.0, 1.0, 6.0, 6.0, 6.0, 6.0):
        desk.local.views[0]["volatility"] = volatility
        trips = volatility > 3.0 * slow
        seen.append(trips)
        assert quotes(desk) is not trips
        keep = 0.5 ** (1 / 10)
        slow = volatility if math.isnan(slow) else volatility + keep * (slow - volatility)
    assert any(seen) and not seen[-1]
