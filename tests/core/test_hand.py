"""Theos and offsets that someone sets by message: how long they hold, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, Hand, MsgKind, OrderEvent, OrderState, Reason, Status
from mmquant.core.ticks import tick_above, tick_below, ticks_of_price
from mmquant.data.contracts import Contract, instrument_rows, price_to_tick_part, tick_to_price
from mmquant.data.ladders import Ladder, option_ladder, stock_ladder
from tests.core.builders import BUY, SELL, Action, Desk, Want, depth, examples, instruments

DATE = "2024-01-02"
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 5)
LADDERS = {
    "cents": Ladder.flat("0.01"),
    "tenths": Ladder.flat("0.1"),
    "eighths": Ladder.flat("0.125"),
    "penny options": option_ladder("penny"),
    "nickel options": option_ladder("nickel"),
    "half-cent stock": stock_ladder("0.005"),
}


def contract_of(name: str) -> Contract:
    return Contract(0, "X", "other", "V", ladders=(LADDERS[name],))


def set_hand(desk: Desk, what: int, price: float, *, until: int = 0, inst: int = 0) -> list[Action]:
    return desk.tell(MsgKind.THEO, reason=int(what), price=price, exch_ts=until, inst=inst)


def seen(desk: Desk, inst: int = 0) -> tuple[float, float, float]:
    """Theo, its tick and the offset that the strategy sees at the next decision."""
    desk.decide()
    view = desk.local.views[inst]
    return float(view["theo"]), float(view["theo_ticks"]), float(view["offset"])


def test_nothing_is_set_at_the_start() -> None:
    theo, ticks, offset = seen(Desk())
    assert math.isnan(theo) and math.isnan(ticks) and offset == 0.0


def test_a_theo_and_an_offset_reach_their_instrument_alone() -> None:
    desk = Desk(what=instruments(2))
    assert set_hand(desk, Hand.THEO, 1.005, inst=1) == []
    assert set_hand(desk, Hand.OFFSET, -0.02, inst=1) == []
    assert seen(desk, 1) == (1.005, pytest.approx(100.5, rel=1e-13), -0.02)
    assert math.isnan(seen(desk, 0)[0]) and seen(desk, 0)[2] == 0.0


@pytest.mark.parametrize("what", [Hand.THEO, Hand.OFFSET])
@pytest.mark.parametrize(("at", "holds"), [(49, True), (50, False), (51, False)])
def test_they_hold_until_their_time(what: Hand, at: int, holds: bool) -> None:
    desk = Desk()
    set_hand(desk, what, 1.25, until=50)
    desk.now = at - 1
    theo, ticks, offset = seen(desk)
    if what == Hand.OFFSET:
        assert offset == (1.25 if holds else 0.0)
    elif holds:
        assert (theo, ticks) == (1.25, 125.0)
    else:
        assert math.isnan(theo) and math.isnan(ticks)


@pytest.mark.parametrize("what", [Hand.THEO, Hand.OFFSET])
def test_without_a_time_they_hold_for_good(what: Hand) -> None:
    desk = Desk()
    set_hand(desk, what, 1.25, until=50)
    set_hand(desk, what, 1.5)
    desk.now = 2**62
    assert seen(desk)[2 if what == Hand.OFFSET else 0] == 1.5


def test_a_time_of_its_own_goes_over_the_earlier_one() -> None:
    desk = Desk()
    set_hand(desk, Hand.THEO, 1.25)
    set_hand(desk, Hand.THEO, 1.5, until=3)
    assert seen(desk)[0] == 1.5
    desk.now = 2
    assert math.isnan(seen(desk)[0])


def test_a_nan_takes_a_theo_away() -> None:
    desk = Desk()
    set_hand(desk, Hand.THEO, 1.25)
    assert set_hand(desk, Hand.THEO, math.nan) == []
    theo, ticks, _ = seen(desk)
    assert math.isnan(theo) and math.isnan(ticks)


@pytest.mark.parametrize(
    ("what", "price", "inst"),
    [
        (Hand.THEO, 1.0, 2),
        (Hand.THEO, 1.0, -1),
        (Hand.OFFSET, 1.0, 2),
        (len(Hand), 1.0, 0),
        (-1, 1.0, 0),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    what: int, price: float, inst: int
) -> None:
    desk = Desk(what=instruments(2))
    for i in range(2):
        set_hand(desk, Hand.THEO, 1.25, until=70, inst=i)
        set_hand(desk, Hand.OFFSET, 0.5, until=80, inst=i)
    before = desk.local.position.tobytes()
    assert set_hand(desk, what, price, inst=inst) == []
    assert desk.status == -Status.BAD_ROW
    assert desk.local.position.tobytes() == before


# --- the tick of a theo


@pytest.mark.parametrize("name", LADDERS)
def test_a_theo_on_the_grid_is_a_whole_tick(name: str) -> None:
    contract = contract_of(name)
    what = instrument_rows([contract], DATE)[0]
    ticks = np.arange(-300, examples(20_000, 2000))
    prices = tick_to_price(contract, ticks, date=DATE)
    assert [ticks_of_price(what, price) for price in prices] == ticks.tolist()


@pytest.mark.parametrize("name", LADDERS)
@settings(deadline=None, max_examples=examples(200, 40))
@given(price=st.integers(-3_000_000, 20_000_000))
def test_a_theo_between_ticks_is_the_exact_part_of_the_step(name: str, price: int) -> None:
    contract, scale = contract_of(name), 10**6
    what = instrument_rows([contract], DATE)[0]
    tick, part = price_to_tick_part(contract, np.array([price]), scale, date=DATE)
    found = float(ticks_of_price(what, price / scale))
    low, high = tick_to_price(contract, tick + np.array([0, 1]), date=DATE).tolist()
    exact = tick[0] + (Fraction(price, scale) - Fraction(repr(low))) / (
        Fraction(repr(high)) - Fraction(repr(low))
    )
    # Three prices are rounded, each by half its last place, and the sum once more.
    rounding = 3 * math.ulp(max(abs(low), abs(high))) / (high - low) + math.ulp(found)
    assert abs(Fraction(found) - exact) <= Fraction(rounding)
    assert found - tick[0] == pytest.approx(float(part[0]), abs=1e-6)
    assert (part[0] == 0.0) == (found == tick[0])
    assert tick_below(what, price / scale) == math.floor(found)
    assert tick_above(what, price / scale) == math.ceil(found)


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_what_is_no_price_has_no_tick(price: float) -> None:
    assert math.isnan(ticks_of_price(instruments()[0], price))


# --- the collar


def pulled(actions: list[Action]) -> list[tuple[int, Reason]]:
    """Instrument and reason of the pulls."""
    return [(a.inst, a.reason) for a in actions if a.kind == ActionKind.PULL]


def quoting(**limits: float) -> Desk:
    """Two instruments with a working order on each side of both, theos within 1 % of the mid."""
    desk = Desk(what=instruments(2), theo_collar=0.01, **limits)
    wants = [want._replace(inst=i) for i in range(2) for want in (BID, ASK)]
    for sent in desk.decide(*wants):
        desk.confirm(sent)
    desk.want(*wants)
    return desk


def again(desk: Desk) -> list[Action]:
    """The next decision, with the same quotes wanted."""
    desk.now += 1
    return desk.tell(MsgKind.DECISION)


@pytest.mark.parametrize(
    ("what", "price", "out"),
    [
        (Hand.THEO, 1.0, False),
        (Hand.THEO, 1.009, False),
        (Hand.THEO, 0.991, False),
        (Hand.THEO, 1.011, True),
        (Hand.THEO, 0.989, True),
        (Hand.THEO, math.nan, False),
        (Hand.OFFSET, 0.01, False),
        (Hand.OFFSET, -0.01, False),
        (Hand.OFFSET, 0.0101, True),
        (Hand.OFFSET, -0.0101, True),
    ],
)
def test_quotes_are_pulled_where_a_number_is_outside_the_collar(
    what: Hand, price: float, out: bool
) -> None:
    desk = quoting()
    set_hand(desk, what, price, inst=1)
    actions = again(desk)
    assert pulled(actions) == ([(1, Reason.PULL_COLLAR)] if out else [])
    cancels = [a for a in actions if a.kind == ActionKind.CANCEL]
    assert {(a.inst, a.reason) for a in cancels} == ({(1, Reason.PULL_COLLAR)} if out else set())
    assert len(cancels) == (2 if out else 0)
    assert again(desk) == []


def test_without_a_collar_any_theo_is_taken() -> None:
    desk = quoting()
    desk.set["theo_collar"] = math.inf
    set_hand(desk, Hand.THEO, 77.0, inst=1)
    set_hand(desk, Hand.OFFSET, 77.0, inst=1)
    assert again(desk) == []


def out_and_confirmed(until: int = 0) -> Desk:
    """A desk whose second instrument is out of the collar, its orders cancelled."""
    desk = quoting()
    set_hand(desk, Hand.THEO, 1.02, inst=1, until=until)
    for action in again(desk):
        if action.kind == ActionKind.CANCEL:
            desk.on(OrderEvent.CANCEL_ACK, action.order_id, inst=1)
            assert desk.state(action.order_id) == OrderState.CANCELLED
    return desk


def test_quotes_come_back_when_the_mid_is_near_the_theo_again() -> None:
    desk = out_and_confirmed()
    assert again(desk) == []
    for row in (depth(9, SELL, 101, 0, 1), depth(9, SELL, 105, 5, 1), depth(9, BUY, 101, 5, 1)):
        desk.row(row)
    assert desk.local.views[1]["blocked"] == Reason.PULL_COLLAR
    placed = again(desk)
    assert [(a.kind, a.inst, a.side) for a in placed] == [
        (ActionKind.PLACE, 1, BUY),
        (ActionKind.PLACE, 1, SELL),
    ]


def test_quotes_come_back_when_the_theo_is_over_or_taken_away() -> None:
    desk = out_and_confirmed(until=40)
    desk.now = 38
    assert again(desk) == []
    assert len(again(desk)) == 2
    desk = out_and_confirmed()
    set_hand(desk, Hand.THEO, math.nan, inst=1)
    assert len(again(desk)) == 2
