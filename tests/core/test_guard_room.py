"""Worst-case exposure: whatever is sent keeps to each hard limit, in whatever order it fills."""

from __future__ import annotations

from random import Random

import pytest

from mmquant.core.dtypes import (
    ActionKind,
    Hand,
    MsgKind,
    OrderEvent,
    OrderType,
    Reason,
    TimeInForce,
)
from mmquant.trading.messages import place_request
from tests.core.builders import BUY, SELL, Desk, Want, examples
from tests.core.guard_desks import (
    CALL,
    PUT,
    STOCK,
    chain,
    greek,
    guarded,
    hold,
    limits,
    placed,
    told,
)
from tests.naive_risk import Open, extremes

DELTAS, VEGAS, GAMMAS = (1.0, 0.6, -0.4), (0.0, 0.02, 0.03), (0.0, 0.1, 0.2)
MID = 1.0
WORTH = (1.0, 100.0, 100.0)
SHRINKS = {"soft_size_factor": 0.5, "soft_widen_ticks": 0}


def open_orders(desk: Desk) -> list[Open]:
    found = []
    for slot in desk.local.live[0, : desk.set["live"]]:
        order = desk.local.order[slot]
        left = max(int(order["lots"]), int(order["want_lots"])) - int(order["filled"])
        found.append(Open(int(order["inst"]), int(order["side"]), left))
    for inst, line in enumerate(desk.local.traffic):
        found += [
            Open(inst, BUY, int(line["external_buy"])),
            Open(inst, SELL, int(line["external_sell"])),
        ]
    return [one for one in found if one.lots]


def tell_greeks(desk: Desk) -> None:
    for inst in (CALL, PUT):
        greek(desk, inst, Hand.DELTA, DELTAS[inst])
        greek(desk, inst, Hand.GAMMA, GAMMAS[inst])
        greek(desk, inst, Hand.VEGA, VEGAS[inst])


EACH = {
    "max_net_ccy": [w * MID for w in WORTH],
    "max_net_delta_ccy": [w * d * MID for w, d in zip(WORTH, DELTAS, strict=True)],
    "max_delta": [w * d for w, d in zip(WORTH, DELTAS, strict=True)],
    "max_gamma": [w * g for w, g in zip(WORTH, GAMMAS, strict=True)],
    "max_vega": [w * v for w, v in zip(WORTH, VEGAS, strict=True)],
    "max_gross_ccy": [w * MID for w in WORTH],
    "max_gross_delta_ccy": [w * abs(d) * MID for w, d in zip(WORTH, DELTAS, strict=True)],
    "max_position_units": list(WORTH),
}
"""What a lot adds to each measure of the account."""
EACH_ALONE = EACH | {"max_position_units": [1.0, 1.0, 1.0]}
"""And to those of an instrument."""


def random_limits(r: Random, each: dict[str, list[float]]) -> dict[str, float]:
    chosen = r.sample(list(each), r.randint(1, 4))
    return {name: r.uniform(2, 30) * max(map(abs, each[name])) for name in chosen}


def check(desk: Desk, scopes: list[tuple[list[int], dict[str, float]]], orders: list[Open]) -> None:
    held = [int(p["lots"]) for p in desk.local.position]
    for members, bounds in scopes:
        table = EACH_ALONE if len(members) == 1 else EACH
        for name, most in bounds.items():
            each = [k if i in members else 0.0 for i, k in enumerate(table[name])]
            found = extremes(held, orders, each)
            slack = 1e-6 * most
            if "gross" in name:
                assert found.gross <= most + slack, name
            else:
                assert -most - slack <= found.low and found.high <= most + slack, name


@pytest.mark.parametrize("seed", range(examples(60, 25)))
def test_no_order_of_fills_breaches_a_limit(seed: int) -> None:
    r = Random(seed)
    account, one = random_limits(r, EACH), random_limits(r, EACH_ALONE)
    bounds = [{"scope": "account", **account}, {"scope": "instrument", "name": "1", **one}]
    soft = {"soft_fraction": 1.0, "soft_widen_ticks": 0, "soft_size_factor": 1.0}
    desk = guarded({"limits": bounds} | soft, chain())
    scopes = [([STOCK, CALL, PUT], account), ([CALL], one)]
    tell_greeks(desk)
    sent = 0
    for _ in range(12):
        wants = []
        for inst in (STOCK, CALL, PUT):
            for side in (BUY, SELL):
                if r.random() < 0.5:
                    lots = r.randint(1, 40) * (50 if inst == STOCK else 1)
                    wants.append(Want(side, 100 - side * r.randint(1, 9), lots, inst))
        asked = open_orders(desk)
        if len(asked) + len(wants) > 9:
            wants = []
        sent += len(placed(desk.decide(*wants)))
        orders = open_orders(desk)
        check(desk, scopes, orders)
        for order_id in desk.live():
            order = desk.order(order_id)
            kind = r.choice(["fill", "part", "unknown", "nothing", "cancelled"])
            left, side, inst = (
                int(order["lots"] - order["filled"]),
                int(order["side"]),
                int(order["inst"]),
            )
            if kind == "fill" or (kind == "part" and left > 1):
                desk.fill(order_id, side, left if kind == "fill" else r.randint(1, left - 1),
                          1.0, inst=inst)  # fmt: skip
            elif kind == "unknown":
                desk.on(OrderEvent.DISCONNECT, order_id, inst=inst)
            elif kind == "cancelled":
                desk.on(OrderEvent.CANCEL_ACK, order_id, inst=inst)
            check(desk, scopes, open_orders(desk))
    assert sent > 0


def test_a_size_is_cut_to_what_fits_and_else_denied_with_the_reason() -> None:
    desk = guarded(limits("account", max_gross_ccy=7.5))
    assert placed(desk.decide(Want(BUY, 99, 5))) == [(0, BUY, 99, 5)]
    assert placed(desk.decide(Want(BUY, 99, 5), Want(BUY, 98, 5))) == [(0, BUY, 98, 2)]
    actions = desk.decide(Want(BUY, 99, 5), Want(BUY, 98, 2), Want(BUY, 97, 5))
    assert placed(actions) == [] and told(actions) == [Reason.PULL_EXPOSURE]
    actions = desk.decide(Want(BUY, 99, 5), Want(BUY, 98, 2), Want(BUY, 97, 5))
    assert told(actions) == []
    assert desk.local.refusals[0, Reason.PULL_EXPOSURE] == 2


def test_orders_of_others_count() -> None:
    desk = guarded(limits("account", max_net_ccy=10.0))
    desk.tell(MsgKind.EXTERNAL, side=BUY, lots=8)
    assert placed(desk.decide(Want(BUY, 99, 5))) == [(0, BUY, 99, 2)]


def test_position_bands_need_not_hold_zero() -> None:
    desk = guarded(limits("instrument", min_position_units=-2, max_position_units=9))
    orders = placed(desk.decide(Want(BUY, 99, 50), Want(SELL, 101, 50)))
    assert orders == [(0, BUY, 99, 9), (0, SELL, 101, 2)]


@pytest.mark.parametrize(
    ("scope", "name", "most", "fits"),
    [
        ("underlying", "ABC", 500, 3),
        ("account", None, 500, 3),
        ("account", None, 499, 2),
        ("option_type", "ABC C", 5, 5),
        ("instrument", "1", 5, 5),
    ],
)
def test_a_position_of_stock_and_options_counts_shares_and_one_alone_its_units(
    scope: str, name: str | None, most: int, fits: int
) -> None:
    """200 shares and 3 contracts of 100 are 500; contracts alone are contracts."""
    desk = guarded(limits(scope, name=name, max_position_units=most), chain())
    hold(desk, 200, STOCK)
    assert placed(desk.decide(Want(BUY, 99, 20, CALL))) == [(CALL, BUY, 99, fits)]


def test_a_target_of_an_underlying_counts_shares_too() -> None:
    sizes = {}
    for held in (0, 3):
        desk = guarded(limits("underlying", max_target_units=250) | SHRINKS, chain())
        if held:
            hold(desk, held, CALL)
        ((_, _, _, sizes[held]),) = placed(desk.decide(Want(BUY, 99, 8, STOCK)))
    assert sizes == {0: 8, 3: 4}


def test_options_count_by_their_delta_and_multiplier() -> None:
    desk = guarded(limits("underlying", max_net_delta_ccy=130.0), chain())
    tell_greeks(desk)
    hold(desk, 10)
    hold(desk, 1, CALL)
    orders = placed(desk.decide(Want(BUY, 99, 500), Want(BUY, 99, 9, CALL), Want(BUY, 99, 9, PUT)))
    assert orders == [(STOCK, BUY, 99, 60), (PUT, BUY, 99, 5)]


@pytest.mark.parametrize("until", [0, 1], ids=["never said", "over"])
def test_without_greeks_an_option_is_not_quoted_under_a_limit_of_them(until: int) -> None:
    desk = guarded(limits("account", max_vega=100.0), chain())
    if until:
        greek(desk, CALL, Hand.VEGA, 0.1, until=2)
        desk.now = 5
    actions = desk.decide(Want(BUY, 99, 1, CALL), Want(BUY, 99, 1))
    assert placed(actions) == [(STOCK, BUY, 99, 1)]
    assert told(actions) == [Reason.PULL_GREEKS]


def test_a_held_option_without_greeks_blocks_its_whole_scope() -> None:
    desk = guarded(limits("account", max_delta=100.0), chain())
    greek(desk, CALL, Hand.DELTA, 0.5, until=10)
    hold(desk, 1, CALL)
    assert placed(desk.decide(Want(BUY, 99, 1))) == [(STOCK, BUY, 99, 1)]
    desk.now = 20
    actions = desk.decide(Want(BUY, 99, 1), Want(SELL, 101, 1))
    assert placed(actions) == []
    assert Reason.PULL_GREEKS in told(actions)


@pytest.mark.parametrize(("lots", "fits"), [(40, True), (41, False)])
def test_room_by_hand_counts_what_was_filled_since_the_decision(lots: int, fits: bool) -> None:
    desk = guarded(limits("account", max_net_ccy=100.0), chain(multiplier=1.0))
    desk.decide()
    hold(desk, 60, PUT)
    kinds = (OrderType.LIMIT, TimeInForce.DAY)
    desk.message[0] = place_request(desk.now, STOCK, BUY, 99, lots, *kinds)[0]
    assert desk.step() == 1
    assert desk.actions[0]["kind"] == (ActionKind.PLACE if fits else ActionKind.ALERT)
    assert desk.actions[0]["reason"] == (Reason.MANUAL if fits else Reason.PULL_EXPOSURE)
