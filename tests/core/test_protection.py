"""Market-maker protection: fills in a rolling window pull a whole underlying, or latch one side."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from mmquant.core.dtypes import Control, Hand, MsgKind, Reason
from tests.core.builders import BUY, SELL, Want, examples
from tests.core.guard_desks import (
    CALL,
    PUT,
    STOCK,
    alerts,
    chain,
    greek,
    guarded,
    placed,
    pulled,
)

WINDOW = {"window_s": 10e-9, "cooldown_s": 20e-9}
WANTS = [Want(BUY, 99, 4, inst) for inst in (STOCK, CALL, PUT)]


def protected(**bounds: Any) -> dict[str, Any]:
    return {"protection": WINDOW | bounds}


@pytest.mark.parametrize(
    ("bounds", "fills", "trips"),
    [
        ({"max_fills": 3}, [(CALL, 1)] * 2, False),
        ({"max_fills": 3}, [(CALL, 1), (PUT, 1), (STOCK, 1)], True),
        ({"max_lots": 4}, [(CALL, 2), (PUT, 1)], False),
        ({"max_lots": 4}, [(CALL, 2), (PUT, 2)], True),
        ({"max_share": 1.0}, [(CALL, 2), (PUT, 1)], False),
        ({"max_share": 1.0}, [(CALL, 2), (PUT, 1), (STOCK, 1)], True),
        ({"max_delta": 100.0}, [(CALL, 1), (PUT, 1)], False),
        ({"max_delta": 100.0}, [(CALL, 1), (CALL, 1)], True),
        ({"max_vega": 5.0}, [(CALL, 2)], False),
        ({"max_vega": 5.0}, [(CALL, 2), (PUT, 1)], True),
    ],
)
def test_each_bound_pulls_the_whole_underlying_at_once(
    bounds: dict[str, Any], fills: list[tuple[int, int]], trips: bool
) -> None:
    desk = guarded(protected(**bounds), chain())
    for inst, delta in ((CALL, 0.5), (PUT, -0.5)):
        greek(desk, inst, Hand.DELTA, delta)
        greek(desk, inst, Hand.VEGA, 0.02)
    ids = {a.inst: a.order_id for a in desk.decide(*WANTS)}
    assert len(ids) == 3
    for inst, lots in fills:
        actions = desk.fill(ids[inst], BUY, lots, inst=inst)
    reason = Reason.PULL_PROTECTION
    assert alerts(actions) == ([(reason, 1)] if trips else [])
    live = {int(desk.order(i)["inst"]) for i in desk.live()}
    assert pulled(actions) == ([(inst, reason) for inst in sorted(live)] if trips else [])
    assert (placed(desk.decide(*[Want(SELL, 101, 1, i) for i in range(3)])) == []) is trips


def test_unknown_greeks_count_as_too_much() -> None:
    desk = guarded(protected(max_delta=100.0), chain())
    assert alerts(desk.fill(0, BUY, 1, inst=CALL))[-1] == (Reason.PULL_PROTECTION, 1)


@pytest.mark.parametrize("human", [False, True])
def test_it_ends_after_the_cooldown_or_by_a_human(human: bool) -> None:
    bounds = protected(max_fills=2)
    if human:
        bounds["protection"]["cooldown_s"] = None
    desk = guarded(bounds, chain())
    for _ in range(2):
        desk.fill(0, BUY, 1, inst=CALL)
    tripped = desk.now
    while desk.now < tripped + 19:
        assert placed(desk.decide(*WANTS)) == []
    ends = desk.decide(*WANTS)
    if human:
        assert placed(ends) == []
        desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
        assert len(placed(desk.decide(*WANTS))) == 3
    else:
        assert alerts(ends) == [(Reason.PULL_PROTECTION, 0)] and len(placed(ends)) == 3
    assert alerts(desk.fill(0, BUY, 1, inst=CALL)) == [(Reason.ORPHAN_EXECUTION, 0)]


@pytest.mark.parametrize("seed", range(examples(20, 6)))
def test_the_window_rolls(seed: int) -> None:
    """Against all fills kept, and counted anew each time."""
    r = Random(seed)
    desk = guarded(protected(max_fills=4) | {"repeated": {"max_fills": 3, "window_s": 15e-9}})
    times: list[tuple[int, int]] = []
    counted_from, until, resumed = -math.inf, -math.inf, -math.inf
    latched = False
    for _ in range(60):
        desk.now += r.randint(0, 8)
        side = r.choice((BUY, SELL))
        found = alerts(desk.fill(0, side, 1))
        times.append((desk.now, side))
        recent = [t for t, _ in times if t > max(desk.now - 10, counted_from)]
        trips = until < 0 and len(recent) >= 4
        since = max(desk.now - 15, resumed)
        repeats = not latched and sum(t > since and s == side for t, s in times) >= 3
        latched |= repeats
        if trips:
            counted_from, until = desk.now, desk.now + 20
        assert ((Reason.PULL_PROTECTION, 1) in found) is trips
        assert ((Reason.PULL_REPEATED, 1) in found) is repeats
        desk.decide()
        if 0 <= until <= desk.now:
            counted_from, until = desk.now, -math.inf
        if latched and r.random() < 0.3:
            desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
            latched, until = False, -math.inf
            counted_from = resumed = desk.now


def test_a_latched_side_waits_for_a_human_and_leaves_other_instruments_alone() -> None:
    desk = guarded({"repeated": {"max_fills": 2, "window_s": 1.0}}, chain())
    desk.decide(*WANTS)
    desk.fill(0, BUY, 1, inst=CALL)
    desk.fill(0, SELL, 1, inst=CALL)
    actions = desk.fill(0, BUY, 1, inst=CALL)
    assert pulled(actions) == [(CALL, Reason.PULL_REPEATED)]
    desk.now += 10**12
    others = [Want(SELL, 101, 1, i) for i in range(3)]
    assert {o[0] for o in placed(desk.decide(*others))} == {STOCK, PUT}
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert CALL in {o[0] for o in placed(desk.decide(*others))}


def test_more_fills_than_can_be_kept_are_too_many() -> None:
    desk = guarded({"protection": {"max_lots": 10**6, "window_s": 1.0}})
    found = [alerts(desk.fill(0, BUY, 1)) for _ in range(1100)]
    tripped = [i for i, one in enumerate(found) if (Reason.PULL_PROTECTION, 1) in one]
    assert tripped == [1023]


def test_fills_of_others_do_not_push_repeated_ones_out_of_sight() -> None:
    """A window that holds more fills than are remembered counts as too many."""
    desk = guarded({"repeated": {"max_fills": 600, "window_s": 100.0}}, chain())
    for inst, count in ((STOCK, 599), (CALL, 500)):
        for _ in range(count):
            desk.fill(0, BUY, 1, inst=inst)
    assert desk.local.guard.line[STOCK]["repeated"] == 0
    assert (Reason.PULL_REPEATED, 1) in alerts(desk.fill(0, BUY, 1, inst=STOCK))
