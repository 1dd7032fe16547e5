"""Hedges of delta by the stock, and working out of a book: collared, one at a time, no flip."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from mmquant.core.dtypes import (
    ActionKind,
    Control,
    Hand,
    MsgKind,
    OrderEvent,
    OrderType,
    Purpose,
    Reason,
    TimeInForce,
)
from tests.core.builders import BUY, SELL, Action, Desk, Want, examples
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
    stock,
)

AT_ONCE = {"hedge": {"min_interval_s": 0.0}}
WANTS = [Want(BUY, 98, 1, inst) for inst in (STOCK, CALL, PUT)]


def hedger(contracts: Any = None, **settings: Any) -> Desk:
    hedge = {"max_delta": 100.0, "max_slippage_ticks": 2, "min_interval_s": 0.0} | settings
    desk = guarded({"hedge": hedge}, contracts or chain())
    for inst, delta in ((CALL, 0.5), (PUT, -0.5)):
        greek(desk, inst, Hand.DELTA, delta)
    return desk


def hedges(actions: list[Action]) -> list[tuple[int, int, int, int]]:
    mine = [a for a in actions if a.reason == Reason.HEDGE and a.kind == ActionKind.PLACE]
    return placed(mine)


@pytest.mark.parametrize(
    ("settings", "calls", "sent"),
    [
        ({}, 2, []),
        ({}, 3, [(STOCK, SELL, 97, 50)]),
        ({}, -3, [(STOCK, BUY, 103, 50)]),
        ({"to": "target"}, 3, [(STOCK, SELL, 97, 150)]),
        ({"to": "target", "target_delta": 30.0}, 3, [(STOCK, SELL, 97, 120)]),
        ({"min_delta": -20.0}, -1, [(STOCK, BUY, 103, 30)]),
        ({"max_slippage_ticks": 0}, 3, [(STOCK, SELL, 99, 50)]),
    ],
)
def test_delta_outside_its_band_is_hedged_by_a_collared_immediate_limit(
    settings: dict[str, Any], calls: int, sent: list[tuple[int, int, int, int]]
) -> None:
    desk = hedger(**settings)
    hold(desk, calls, CALL)
    actions = desk.decide()
    assert hedges(actions) == sent
    for order_id in desk.live():
        order = desk.order(order_id)
        assert (order["order_type"], order["tif"]) == (OrderType.LIMIT, TimeInForce.IOC)
        assert order["purpose"] == Purpose.HEDGE


def test_one_at_a_time_with_what_is_left_after_a_part_and_a_pause() -> None:
    desk = hedger(min_interval_s=5e-9)
    hold(desk, 3, CALL)
    first = desk.decide()[0]
    assert hedges(desk.decide()) == []
    desk.fill(first.order_id, SELL, 20)
    desk.on(OrderEvent.CANCEL_ACK, first.order_id)
    sent = [hedges(desk.decide()) for _ in range(3)]
    assert sent == [[], [(STOCK, SELL, 97, 30)], []]
    assert desk.local.guard.group[0]["residual"] == 30.0


def test_hedges_that_trade_nothing_end_with_the_underlying_pulled_until_a_resume() -> None:
    desk = hedger(max_tries=3)
    hold(desk, 3, CALL)
    found: list[Action] = []
    for _ in range(6):
        actions = desk.decide(*WANTS)
        found += actions
        for a in actions:
            if a.reason == Reason.HEDGE and a.kind == ActionKind.PLACE:
                desk.on(OrderEvent.REJECT, a.order_id)
    assert len(hedges(found)) == 3
    assert alerts(found).count((Reason.HEDGE, 1)) == 1
    assert {reason for _, reason in pulled(found)} == {Reason.HEDGE}
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert len(hedges(desk.decide())) == 1


def test_quotes_pulled_by_protection_are_still_hedged() -> None:
    desk = hedger()
    desk.local.guard.group[0]["protected"] = Reason.PULL_PROTECTION
    desk.local.guard.group[0]["protected_until"] = 10**9
    hold(desk, 3, CALL)
    assert placed(desk.decide(*WANTS)) == [(STOCK, SELL, 97, 50)]


def test_unknown_delta_is_not_hedged_and_not_quoted() -> None:
    desk = hedger()
    hold(desk, 3, CALL)
    greek(desk, CALL, Hand.DELTA, math.nan)
    actions = desk.decide(*WANTS)
    assert placed(actions) == [] and alerts(actions) == [(Reason.PULL_GREEKS, 1)]


def test_nothing_is_sent_into_a_market_that_is_none() -> None:
    desk = hedger()
    hold(desk, 3, CALL)
    desk.local.book.side[STOCK]["best_ask"] = 99
    assert hedges(desk.decide()) == []


def test_a_hedge_keeps_to_the_hard_limits() -> None:
    hedge = {"max_delta": 100.0}
    desk = guarded(
        limits("instrument", name="0", max_position_units=20) | {"hedge": hedge}, chain()
    )
    greek(desk, CALL, Hand.DELTA, 0.5)
    hold(desk, 3, CALL)
    assert hedges(desk.decide()) == [(STOCK, SELL, 97, 20)]


# --- flatten


def flattening(desk: Desk) -> list[Action]:
    return desk.tell(MsgKind.CONTROL, reason=int(Control.FLATTEN))


def test_flatten_cancels_then_hedges_then_works_out_of_options_then_of_the_stock() -> None:
    desk = guarded({"flatten": {"max_slippage_ticks": 1}}, chain())
    greek(desk, CALL, Hand.DELTA, 0.5)
    quotes = desk.decide(Want(BUY, 98, 1, CALL))
    hold(desk, 2, CALL)
    cancels = flattening(desk)
    assert [a.order_id for a in cancels if a.kind == ActionKind.CANCEL] == [quotes[0].order_id]
    assert (Reason.PULL_FLATTEN, 1) in alerts(cancels)
    first = [a for a in desk.decide(*WANTS) if a.kind == ActionKind.PLACE]
    assert placed(first) == [(STOCK, SELL, 98, 100), (CALL, SELL, 99, 2)]
    assert [a.reason for a in first] == [Reason.HEDGE, Reason.FLATTEN]
    assert desk.order(first[1].order_id)["tif"] == TimeInForce.GTD
    assert {int(desk.order(a.order_id)["order_type"]) for a in first} == {OrderType.LIMIT}
    desk.fill(first[0].order_id, SELL, 100)
    desk.fill(first[1].order_id, SELL, 2, inst=CALL)
    last = desk.decide(*WANTS)
    assert placed(last) == [(STOCK, BUY, 102, 100)]
    desk.fill(next(a for a in last if a.kind == ActionKind.PLACE).order_id, BUY, 100)
    assert [int(p["lots"]) for p in desk.local.position] == [0, 0, 0]
    assert placed(desk.decide(*WANTS)) == []
    assert (Reason.PULL_FLATTEN, 0) in alerts(
        desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    )
    assert len(placed(desk.decide(Want(BUY, 97, 1)))) == 1


@pytest.mark.parametrize("where", ["limits", "risk"])
def test_a_flatten_hedges_within_the_hard_limits(where: str) -> None:
    """What more is to be hedged waits; the option is worked out of all the same."""
    bound = limits("instrument", name="0", max_position_units=50) if where == "risk" else {}
    most = {"max_position_lots": 50} if where == "limits" else {}
    desk = guarded(AT_ONCE | bound, chain(), **most)
    greek(desk, CALL, Hand.DELTA, 0.5)
    hold(desk, 40, CALL)
    flattening(desk)
    first = desk.decide()
    assert placed(first) == [(STOCK, SELL, 94, 50), (CALL, SELL, 99, 40)]
    desk.fill(next(a for a in first if a.inst == STOCK).order_id, SELL, 50)
    told = desk.decide()
    assert placed(told) == [] and (Reason.PULL_LIMIT, 0) in alerts(told)
    assert alerts(desk.decide()) == []


def test_after_a_flatten_and_a_resume_delta_is_hedged_as_before() -> None:
    desk = hedger()
    flattening(desk)
    desk.decide()
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    hold(desk, 3, CALL)
    assert hedges(desk.decide()) == [(STOCK, SELL, 97, 50)]


def test_a_flatten_counts_what_its_cancelled_quotes_could_still_fill() -> None:
    desk = guarded(AT_ONCE, chain())
    greek(desk, CALL, Hand.DELTA, 0.5)
    quotes = desk.decide(Want(SELL, 101, 70, STOCK))
    hold(desk, 2, CALL)
    flattening(desk)
    assert hedges(desk.decide()) == [(STOCK, SELL, 94, 30)]
    desk.on(OrderEvent.CANCEL_ACK, quotes[0].order_id)
    assert hedges(desk.decide()) == []


@pytest.mark.parametrize("scope", ["instrument", "option_type"])
def test_a_flatten_of_an_option_leaves_no_hedge_behind(scope: str) -> None:
    name = {"instrument": "1", "option_type": "ABC C"}[scope]
    bound = limits(scope, name=name, max_position_units=1, on_breach="flatten")
    desk = guarded(AT_ONCE | bound, chain())
    for inst, delta in ((CALL, 0.5), (PUT, -0.5)):
        greek(desk, inst, Hand.DELTA, delta)
    hold(desk, 2, CALL)
    wants = (Want(BUY, 98, 1, STOCK), Want(BUY, 98, 1, PUT))
    seen = []
    for _ in range(4):
        said = [a for a in desk.decide(*wants) if a.kind == ActionKind.PLACE]
        seen += placed(said)
        for a in said:
            if a.reason != Reason.QUOTE:
                desk.fill(a.order_id, a.side, a.lots, inst=a.inst)
    assert [int(p["lots"]) for p in desk.local.position] == [0, 0, 0]
    assert seen == [
        (STOCK, SELL, 94, 100), (CALL, SELL, 99, 2), (PUT, BUY, 98, 1), (STOCK, BUY, 106, 100)
    ]  # fmt: skip


def test_an_option_is_never_crossed_further_from_the_mid_than_the_collar() -> None:
    desk = guarded({"flatten": {"max_slippage_ticks": 2, "order_life_s": 5e-9}}, chain())
    greek(desk, CALL, Hand.DELTA, 0.0)
    for side, tick in ((BUY, 90), (SELL, 110)):
        desk.local.book.side[CALL]["best_bid" if side > 0 else "best_ask"] = tick
    hold(desk, 2, CALL)
    flattening(desk)
    sent = desk.decide()
    assert placed(sent) == [(CALL, SELL, 98, 2)]
    desk.on(OrderEvent.CONFIRM, sent[0].order_id, inst=CALL, tick=98, lots=2)
    assert desk.order(sent[0].order_id)["expire_ts"] == desk.now - 1 + 5
    assert placed(desk.decide()) == []
    desk.on(OrderEvent.EXPIRE, sent[0].order_id, inst=CALL)
    assert placed(desk.decide()) == [(CALL, SELL, 98, 2)]


def test_without_greeks_options_are_worked_out_of_all_the_same() -> None:
    desk = guarded({}, chain())
    hold(desk, -2, PUT)
    flattening(desk)
    assert placed(desk.decide()) == [(PUT, BUY, 101, 2)]


def test_beyond_a_limit_that_flattens_the_scope_is_closed() -> None:
    desk = guarded(limits("account", max_loss_ccy=50.0, on_breach="flatten"))
    hold(desk, 100, price=1.6)
    assert placed(desk.decide(Want(BUY, 99, 1))) == [(STOCK, SELL, 94, 100)]


@pytest.mark.parametrize("seed", range(examples(40, 15)))
def test_no_flatten_flips_a_position_whatever_still_fills(seed: int) -> None:
    r = Random(seed)
    desk = guarded({}, stock())
    hold(desk, r.choice([-1, 1]) * r.randint(5, 30))
    start = int(desk.position()["lots"])
    desk.decide(Want(BUY, 99, r.randint(1, 4)), Want(SELL, 101, r.randint(1, 4)))
    quotes = {i: int(desk.order(i)["side"]) for i in desk.live()}
    flattening(desk)
    for _ in range(60):
        desk.decide(Want(BUY, 99, 5))
        for order_id in desk.live():
            order = desk.order(order_id)
            left, side = int(order["lots"] - order["filled"]), int(order["side"])
            what = r.choice(["fill", "part", "end", "unknown", "wait"])
            if what == "fill" or (what == "part" and left == 1):
                desk.fill(order_id, side, left)
            elif what == "part":
                desk.fill(order_id, side, r.randint(1, left - 1))
            elif what == "end" and not (order_id in quotes and r.random() < 0.5):
                desk.on(OrderEvent.CANCEL_ACK, order_id)
            elif what == "unknown":
                desk.on(OrderEvent.DISCONNECT, order_id)
            assert int(desk.position()["lots"]) * start >= 0
    assert desk.position()["lots"] == 0


def test_a_closing_order_is_cut_to_what_a_limit_of_delta_lets_fill() -> None:
    desk = guarded(AT_ONCE | limits("account", max_delta=300.0), chain())
    greek(desk, CALL, Hand.DELTA, 0.5)
    hold(desk, 40, CALL)
    hold(desk, -2000, STOCK)
    flattening(desk)
    sent = desk.decide()
    assert placed(sent) == [(CALL, SELL, 99, 6)]
    assert placed(desk.decide()) == []
    desk.fill(sent[0].order_id, SELL, 6, inst=CALL)
    assert placed(desk.decide()) == [(STOCK, BUY, 106, 300)]


def test_one_lot_that_fits_no_limit_is_closed_all_the_same_when_nothing_else_can_be_done() -> None:
    desk = guarded(AT_ONCE | limits("account", max_delta=30.0), chain())
    greek(desk, CALL, Hand.DELTA, 0.5)
    hold(desk, 2, CALL)
    hold(desk, -100, STOCK)
    flattening(desk)
    assert placed(desk.decide()) == [(CALL, SELL, 99, 1)]


def test_no_lot_that_fits_no_limit_is_closed_when_hedging_was_given_up() -> None:
    desk = guarded(AT_ONCE | limits("account", max_delta=300.0), chain())
    greek(desk, CALL, Hand.DELTA, 0.5)
    hold(desk, 2, CALL)
    hold(desk, -400, STOCK)
    flattening(desk)
    for _ in range(20):
        for sent in [a for a in desk.decide() if a.kind == ActionKind.PLACE]:
            assert sent.inst == STOCK
            desk.on(OrderEvent.EXPIRE, sent.order_id)
    assert desk.local.guard.group[0]["unhedged"] == Reason.HEDGE


@pytest.mark.parametrize("seed", range(examples(40, 8)))
def test_a_flatten_keeps_to_a_limit_of_delta_whatever_fills_and_comes_to_its_end(seed: int) -> None:
    r = Random(seed)
    desk = guarded(AT_ONCE | limits("account", max_delta=300.0), chain())
    calls, puts = r.randint(-40, 40), r.randint(-40, 40)
    deltas = {STOCK: 1.0, CALL: 50.0, PUT: -50.0}
    for inst in (CALL, PUT):
        greek(desk, inst, Hand.DELTA, deltas[inst] / 100)
    for inst, lots in ((CALL, calls), (PUT, puts), (STOCK, 50 * (puts - calls))):
        if lots:
            hold(desk, lots, inst)
    flattening(desk)
    for _ in range(400):
        desk.decide()
        for order_id in r.sample(desk.live(), len(desk.live())):
            order = desk.order(order_id)
            left, side, inst = int(order["lots"] - order["filled"]), order["side"], order["inst"]
            what = r.choice(["fill", "part", "end", "wait"])
            if what in ("fill", "part"):
                lots = left if what == "fill" else r.randint(1, left)
                desk.fill(order_id, int(side), lots, inst=int(inst))
            elif what == "end":
                desk.on(OrderEvent.EXPIRE, order_id, inst=int(inst))
            held = [int(p["lots"]) for p in desk.local.position]
            assert abs(sum(held[i] * deltas[i] for i in deltas)) <= 300.0
        if desk.local.guard.group[0]["unhedged"] != 0:
            desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
            flattening(desk)
    assert [int(p["lots"]) for p in desk.local.position] == [0, 0, 0]


def test_a_flatten_without_the_guard_cancels_everything_and_stays_out() -> None:
    desk = Desk()
    desk.decide(Want(BUY, 99, 1))
    actions = flattening(desk)
    assert [a.kind for a in actions] == [ActionKind.CANCEL, ActionKind.PULL]
    assert placed(desk.decide(Want(BUY, 99, 1))) == []
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert len(placed(desk.decide(Want(BUY, 98, 1)))) == 1


@pytest.mark.parametrize("kill", [False, True])
def test_a_flatten_works_when_halted_or_stopped_by_a_loss_but_not_when_killed(kill: bool) -> None:
    desk = guarded({}, stock(), max_loss=1.0)
    hold(desk, 10, price=1.2)
    desk.decide()
    assert desk.set["blocked"] == Reason.PULL_LOSS
    if kill:
        desk.tell(MsgKind.CONTROL, reason=int(Control.KILL))
    flattening(desk)
    assert placed(desk.decide()) == ([] if kill else [(STOCK, SELL, 94, 10)])


def test_a_halt_before_a_flatten_gives_way_and_one_after_it_holds() -> None:
    desk = guarded({}, stock())
    hold(desk, 10)
    desk.tell(MsgKind.CONTROL, reason=int(Control.HALT))
    flattening(desk)
    sent = desk.decide()
    assert placed(sent) == [(STOCK, SELL, 94, 10)]
    desk.on(OrderEvent.CANCEL_ACK, sent[0].order_id)
    desk.tell(MsgKind.CONTROL, reason=int(Control.HALT))
    assert placed(desk.decide()) == []


def test_a_disputed_position_is_not_traded_and_a_bad_number_does_not_keep_a_close_back() -> None:
    desk = guarded({}, stock())
    hold(desk, 10)
    desk.tell(MsgKind.THEO, reason=int(Hand.THEO), price=math.inf)
    desk.tell(MsgKind.POSITION, lots=9)
    flattening(desk)
    assert placed(desk.decide()) == []
    desk.tell(MsgKind.POSITION, lots=10)
    assert placed(desk.decide()) == [(STOCK, SELL, 94, 10)]
