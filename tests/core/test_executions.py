"""Executions by id: said in any order and any number of times, they come to the same."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, MsgKind, OrderState, Reason
from mmquant.core.dtypes import OrderEvent as E
from mmquant.core.executions import FIRST_ROWS
from tests.core.builders import BUY, SELL, Desk, Want, examples, instruments
from tests.naive_orders import Said, outcome_of

RATE, MULTIPLIER = 2.0**-10, 4.0
BID, ASK = Want(BUY, 99, 50), Want(SELL, 101, 50)


def fee_desk() -> Desk:
    """Rates and prices are sums of powers of two: money is exact in any order."""
    return Desk(
        what=instruments(multiplier=MULTIPLIER, maker_value_rate=RATE, taker_value_rate=RATE)
    )


def tell(desk: Desk, said: Said) -> None:
    if said.fee is not None:
        desk.tell(MsgKind.FEE, seq=said.number, price=said.fee, reason=said.revision)
        return
    event = E.EXECUTION if said.revision == 0 else (E.CORRECTION if said.lots else E.BUST)
    desk.on(
        event, said.order_id, side=said.side, lots=said.lots, price=said.price, mid=1.5,
        liquidity=1, seq=said.number, reason=said.revision,
    )  # fmt: skip


def story(r: Random, orders: list[tuple[int, int]]) -> list[Said]:
    """Executions of some orders and of a foreign one, their revisions, and fees."""
    out = []
    for number in range(r.randint(1, 8)):
        order_id, side = r.choice([*orders, (-7, r.choice([BUY, SELL]))])
        for revision in range(r.choice([1, 1, 1, 2, 3])):
            lots = r.choice([0, 1, 2, 5]) if revision else r.randint(1, 6)
            price = r.randint(1, 64) / 16
            out.append(Said(number * 4096, revision, order_id, side, lots, price))
        if r.random() < 0.5:
            out.append(Said(number * 4096, 0, 0, 0, 0, 0.0, r.randint(-8, 8) / 8))
    return out


@pytest.mark.parametrize("seed", range(examples(200, 60)))
def test_any_shuffle_and_repetition_ends_in_the_same(seed: int) -> None:
    r = Random(seed)
    desk = fee_desk()
    orders = [(a.order_id, a.side) for a in desk.decide(BID, ASK)]
    said = story(r, orders)
    told = [one for one in said for _ in range(r.choice([1, 1, 2, 3]))]
    r.shuffle(told)
    for one in told:
        tell(desk, one)
        if r.random() < 0.1:
            desk.decide()
    expected = outcome_of(said, fee_rate=RATE, multiplier=MULTIPLIER)
    position = desk.position()
    assert (position["lots"], position["cash"], position["fees"]) == expected[:3]
    for order_id, _ in orders:
        order = desk.order(order_id)
        assert order["filled"] == expected.filled.get(order_id, 0)
        assert order["value"] == expected.value.get(order_id, 0.0)
    equity = position["cash"] + position["units"] * MULTIPLIER * position["mark"]
    if math.isfinite(equity):
        assert equity == position["spread_pnl"] + position["inventory_pnl"]
    booked = desk.logged_fills()
    assert (booked["lots"] * booked["side"]).sum() == expected.position


def test_what_is_corrected_is_as_if_it_always_had_been() -> None:
    """Mark to 1.75 between execution and correction: spread and inventory as of the right fill."""
    pnl = []
    for corrected in (True, False):
        desk = fee_desk()
        (sent,) = desk.decide(BID)
        first = Said(1, 0, sent.order_id, BUY, 8, 1.25)
        right = Said(1, 1 if corrected else 0, sent.order_id, BUY, 4, 1.0)
        tell(desk, first if corrected else right)
        desk.fill(sent.order_id, BUY, 2, price=1.5, mid=1.75, seq=2)
        if corrected:
            tell(desk, right)
        names = ("lots", "cash", "fees", "spread_pnl", "inventory_pnl", "gross_value", "volume")
        pnl.append([float(desk.position()[name]) for name in (*names, "fills")])
    assert pnl[0] == pnl[1]


def test_a_repeated_execution_is_counted_and_not_told() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 2, seq=9)
    assert desk.fill(order_id, BUY, 2, seq=9) == []
    assert (desk.position()["lots"], desk.set["duplicates"]) == (2, 1)
    assert desk.open_lots() == (48, 0)


def test_a_bust_of_a_whole_fill_does_not_bring_the_order_back() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 50, seq=3)
    told = desk.on(E.BUST, order_id, seq=3, reason=1, side=BUY)
    assert [(a.kind, a.reason) for a in told] == [(ActionKind.ALERT, Reason.LATE_EXECUTION)]
    assert desk.state(order_id) == OrderState.FILLED
    assert (desk.position()["lots"], desk.order(order_id)["filled"]) == (0, 0)


def test_the_table_grows_and_forgets_nothing() -> None:
    desk = Desk()
    order_id = desk.working(Want(BUY, 99, 2**30))
    numbers = [int(n) for n in np.random.default_rng(1).integers(-(2**62), 2**62, FIRST_ROWS)]
    for number in numbers:
        desk.fill(order_id, BUY, 1, seq=number)
        desk.local.log["fills"] = 0
    assert len(desk.local.executed) > FIRST_ROWS
    for number in numbers[::7]:
        desk.fill(order_id, BUY, 1, seq=number)
    assert desk.position()["lots"] == FIRST_ROWS


@pytest.mark.parametrize("lots", [-1, 3])
def test_an_execution_without_side_or_with_negative_lots_is_refused(lots: int) -> None:
    desk = Desk()
    order_id = desk.working(BID)
    told = desk.on(E.EXECUTION, order_id, lots=lots, price=1.0, mid=1.0, seq=5)
    assert {a.reason for a in told} <= {Reason.ILLEGAL_EVENT, Reason.PULL_BAD_NUMBER}
    assert ActionKind.ALERT in [a.kind for a in told]
    assert (desk.position()["lots"], desk.order(order_id)["filled"]) == (0, 0)


def test_a_fee_that_is_no_number_is_refused() -> None:
    desk = Desk()
    order_id = desk.working(BID)
    desk.fill(order_id, BUY, 1, seq=1)
    told = desk.tell(MsgKind.FEE, seq=1, price=math.nan)
    assert desk.status < 0 or {a.reason for a in told} == {Reason.PULL_BAD_NUMBER}
    assert desk.position()["fees"] == 0.0
