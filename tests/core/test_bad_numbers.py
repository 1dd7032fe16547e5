"""Numbers that are none, into every input: nothing new leaves, the reason is told, money is sound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmquant.core.dtypes import (
    MSG,
    NO_ASK,
    NO_BID,
    ActionKind,
    Control,
    Hand,
    Limit,
    MsgKind,
    OrderEvent,
    Reason,
    Status,
)
from mmquant.data.contracts import Contract, instrument_rows
from tests.core.builders import BUY, SELL, Action, Desk, Want, depth
from tests.core.guard_desks import chain, guarded, placed

UNSET_FLOAT, UNSET_INT, UNSET_LONG = 1.7976931348623157e308, 2**31 - 1, 2**63 - 1
NAN, INF = math.nan, math.inf
NO_FLOATS = (INF, -INF, UNSET_FLOAT, -UNSET_FLOAT, float(UNSET_INT), float(UNSET_LONG))
NO_PRICES = (*NO_FLOATS, 0.0, -0.0, -1.0)
NO_COUNTS = (UNSET_INT, -1, -(2**31))
BID, ASK = Want(BUY, 99, 5), Want(SELL, 101, 5)


def working(desk: Desk | None = None) -> Desk:
    """A desk with a quote on each side, and 3 lots bought."""
    desk = desk or Desk()
    for sent in desk.decide(BID, ASK):
        desk.confirm(sent)
    desk.fill(desk.live()[0], BUY, 3)
    return desk


def money_is_sound(desk: Desk) -> None:
    for position in desk.local.position:
        for name in (
            "units",
            "cash",
            "fees",
            "spread_pnl",
            "inventory_pnl",
            "gross_value",
            "volume",
        ):
            assert abs(float(position[name])) < 1e9, name
        assert abs(int(position["lots"])) < 10**6
        assert 0 <= position["open_buy"] < 10**6 and 0 <= position["open_sell"] < 10**6


def stops(desk: Desk, actions: list[Action], *, inst: int = 0) -> None:
    """The message pulled all quotes and told why, and nothing leaves any more."""
    told = [a for a in actions if a.kind == ActionKind.ALERT]
    assert (Reason.PULL_BAD_NUMBER, inst) in [(a.reason, a.inst) for a in told]
    cancels = {a.order_id for a in actions if a.kind == ActionKind.CANCEL}
    for order_id in desk.live():
        assert order_id in cancels or desk.order(order_id)["state"] > 4
    assert placed(desk.decide(Want(BUY, 98, 1), Want(SELL, 102, 1))) == []
    assert desk.local.views[inst]["blocked"] == Reason.PULL_BAD_NUMBER
    money_is_sound(desk)


def resumes(desk: Desk) -> None:
    desk.tell(MsgKind.CONTROL, reason=int(Control.RESUME))
    assert len(placed(desk.decide(Want(BUY, 97, 1)))) == 1


OUTSIDE: dict[str, tuple[MsgKind, dict[str, Any], str, tuple[Any, ...]]] = {
    "theo": (MsgKind.THEO, {"reason": int(Hand.THEO)}, "price", NO_PRICES),
    "offset": (MsgKind.THEO, {"reason": int(Hand.OFFSET)}, "price", (NAN, *NO_FLOATS)),
    "delta": (MsgKind.THEO, {"reason": int(Hand.DELTA)}, "price", NO_FLOATS),
    "gamma": (MsgKind.THEO, {"reason": int(Hand.GAMMA)}, "price", NO_FLOATS),
    "vega": (MsgKind.THEO, {"reason": int(Hand.VEGA)}, "price", NO_FLOATS),
    "loss limit": (MsgKind.LIMITS, {"reason": int(Limit.MAX_LOSS)}, "price", (NAN, *NO_FLOATS)),
    "position limit": (
        MsgKind.LIMITS, {"reason": int(Limit.MAX_POSITION_LOTS)}, "lots", NO_COUNTS,
    ),
    "order limit": (MsgKind.LIMITS, {"reason": int(Limit.MAX_ORDER_LOTS)}, "lots", NO_COUNTS),
    "open orders": (MsgKind.LIMITS, {"reason": int(Limit.MAX_OPEN_ORDERS)}, "lots", NO_COUNTS),
    "fee": (MsgKind.FEE, {"seq": 1}, "price", (NAN, *NO_FLOATS)),
    "position": (MsgKind.POSITION, {}, "lots", (UNSET_INT, -(2**31))),
    "external buys": (MsgKind.EXTERNAL, {"side": BUY}, "lots", NO_COUNTS),
    "external sells": (MsgKind.EXTERNAL, {"side": SELL}, "lots", NO_COUNTS),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, x) for name, (*_, values) in OUTSIDE.items() for x in values]
)
def test_what_comes_from_outside(name: str, value: float) -> None:
    kind, fields, field, _ = OUTSIDE[name]
    desk = working()
    sets = desk.set["max_loss"], desk.set["max_position_lots"], desk.set["max_order_lots"]
    stops(desk, desk.tell(kind, **fields, **{field: value}))
    assert sets == (desk.set["max_loss"], desk.set["max_position_lots"], desk.set["max_order_lots"])
    resumes(desk)


@pytest.mark.parametrize("name", ["theo", "offset", "delta", "loss limit", "external buys"])
def test_a_sound_message_of_the_kind_ends_it(name: str) -> None:
    kind, fields, field, values = OUTSIDE[name]
    desk = working()
    desk.tell(kind, **fields, **{field: values[-1]})
    assert placed(desk.decide(Want(BUY, 98, 1))) == []
    desk.tell(kind, **fields, **{field: 1})
    assert len(placed(desk.decide(Want(BUY, 98, 1)))) == 1


def test_it_is_told_once() -> None:
    desk = working()
    sent = [desk.tell(MsgKind.THEO, reason=0, price=INF) for _ in range(3)]
    assert [sum(a.kind == ActionKind.ALERT for a in one) for one in sent] == [1, 0, 0]


@pytest.mark.parametrize("event", [OrderEvent.EXECUTION, OrderEvent.CORRECTION])
@pytest.mark.parametrize("price", [NAN, *NO_PRICES])
def test_lots_are_booked_at_the_order_s_price_where_their_own_is_none(
    event: OrderEvent, price: float
) -> None:
    desk = working()
    order_id = desk.live()[1]
    fields = {"side": SELL, "lots": 2, "price": price, "mid": 1.0, "seq": 9}
    stops(desk, desk.on(event, order_id, **fields))
    assert desk.position()["lots"] == 1
    assert desk.position()["cash"] == pytest.approx(-3 * 1.0 + 2 * 1.01)
    resumes(desk)


@pytest.mark.parametrize("mid", NO_FLOATS)
def test_the_mid_of_an_execution_is_left_out_where_it_is_none(mid: float) -> None:
    desk = working()
    fields = {"side": SELL, "lots": 2, "price": 1.0, "mid": mid, "seq": 9}
    stops(desk, desk.on(OrderEvent.EXECUTION, desk.live()[1], **fields))
    assert desk.position()["lots"] == 1


@pytest.mark.parametrize("price", [NAN, *NO_PRICES])
def test_lots_of_an_order_that_is_not_known_are_booked_at_the_mark(price: float) -> None:
    desk = working()
    mark = float(desk.position()["mark"])
    stops(desk, desk.fill(0, BUY, 2, price))
    assert desk.position()["lots"] == 5
    assert desk.position()["cash"] == pytest.approx(-3.0 - 2 * mark)


@pytest.mark.parametrize("event", [OrderEvent.EXECUTION, OrderEvent.CORRECTION])
@pytest.mark.parametrize("lots", NO_COUNTS)
def test_lots_that_are_none_are_not_booked(event: OrderEvent, lots: int) -> None:
    desk = working()
    before = desk.local.position.tobytes()
    actions = desk.on(event, desk.live()[1], side=SELL, lots=lots, price=1.0, mid=1.0, seq=9)
    assert desk.local.position.tobytes() == before
    stops(desk, actions)


@pytest.mark.parametrize("event", [OrderEvent.CONFIRM, OrderEvent.FOUND_OPEN])
@pytest.mark.parametrize(
    ("field", "value"),
    [*(("lots", x) for x in NO_COUNTS), *(("tick", x) for x in (UNSET_INT, 0, -1, -(2**31)))],
)
def test_terms_that_cannot_be_are_not_taken_over(event: OrderEvent, field: str, value: int) -> None:
    desk = working()
    order_id = desk.live()[1]
    terms = {"tick": 101, "lots": 5} | {field: value}
    stops(desk, desk.on(event, order_id, side=SELL, **terms))
    assert (desk.order(order_id)["tick"], desk.order(order_id)["lots"]) == (101, 5)


ROWS = [("lots", x) for x in NO_COUNTS] + [("tick", x) for x in (UNSET_INT, NO_BID, -(2**31))]
ROWS += [("side", 5), ("side", -7)]


@pytest.mark.parametrize("kind", [MsgKind.DEPTH, MsgKind.SNAPSHOT, MsgKind.TRADE, MsgKind.CLEAR])
@pytest.mark.parametrize(("field", "value"), [*ROWS, ("subtick", NAN), ("subtick", INF)])
def test_a_market_row_does_not_go_into_the_book(kind: MsgKind, field: str, value: float) -> None:
    if field == "subtick" and kind != MsgKind.TRADE:
        pytest.skip("only trades have a part of a tick")
    desk = working()
    fields = {"side": BUY, "tick": 98, "lots": 7, "subtick": 0.0} | {field: value}
    levels = desk.local.book.level.copy()
    assert desk.tell(kind, **fields) == [] and desk.status == Status.OK
    assert np.array_equal(desk.local.book.level, levels)
    actions = desk.decide(Want(BUY, 98, 1), Want(SELL, 102, 1))
    assert placed(actions) == []
    assert {a.reason for a in actions} == {Reason.PULL_BAD_NUMBER}
    desk.row(depth(desk.now, BUY, 98, 7))
    assert len(placed(desk.decide(Want(BUY, 98, 1)))) == 1


BOOKS = {
    "empty": ([(BUY, 99), (SELL, 101)], [], Reason.PULL_ONE_SIDED),
    "no ask": ([(SELL, 101)], [], Reason.PULL_ONE_SIDED),
    "no bid": ([(BUY, 99)], [], Reason.PULL_ONE_SIDED),
    "zero bid": ([(BUY, 99)], [(BUY, 0)], Reason.PULL_BAD_NUMBER),
    "negative bid": ([(BUY, 99)], [(BUY, -5)], Reason.PULL_BAD_NUMBER),
}


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("guards", [False, True])
def test_a_book_that_is_none(name: str, guards: bool) -> None:
    market = {"breakers": {"market": {"on": True}}}
    gone, come, reason = BOOKS[name]
    desk = working(guarded(market) if guards else Desk())
    for side, tick in gone:
        desk.row(depth(desk.now, side, tick, 0))
    for side, tick in come:
        desk.row(depth(desk.now, side, tick, 5))
    actions = desk.decide(Want(BUY, 1, 1), Want(SELL, 102, 1))
    assert placed(actions) == []
    assert {a.reason for a in actions} == {reason}
    assert any(a.kind == ActionKind.PULL for a in actions)
    assert any(a.kind == ActionKind.ALERT for a in actions) is guards


@pytest.mark.parametrize("bid", [101, 102], ids=["locked", "crossed"])
def test_a_locked_or_crossed_book(bid: int) -> None:
    desk = working()
    desk.local.book.side[0]["best_bid"] = bid
    actions = desk.decide(Want(BUY, 98, 1), Want(SELL, 102, 1))
    assert placed(actions) == [] and {a.reason for a in actions} == {Reason.PULL_CROSSED}


def test_prices_may_be_below_zero_where_the_contract_says_so() -> None:
    contract = Contract.simple(0, "SPREAD", tick="0.01", lot="1", kind="other", venue="X")
    below = Contract.from_dict(contract.to_dict() | {"negative_prices": True})
    for one, fits in ((contract, False), (below, True)):
        desk = Desk(what=instrument_rows([one], "2024-01-02"), book=False)
        desk.row(depth(0, BUY, -5, 5))
        desk.row(depth(0, SELL, 5, 5))
        assert (len(placed(desk.decide(Want(BUY, -6, 1)))) == 1) is fits
        desk.tell(MsgKind.THEO, reason=int(Hand.THEO), price=-0.05)
        assert bool(desk.local.traffic[0]["bad"] == 0) is fits


@pytest.mark.parametrize("tick", [0, -1, NO_BID, NO_ASK, 2**40])
def test_no_quote_leaves_at_a_price_that_is_none(tick: int) -> None:
    desk = Desk()
    actions = desk.decide(Want(BUY, tick, 1))
    assert placed(actions) == [] and [a.reason for a in actions] == [Reason.BAD_QUOTE]


KINDS = [kind for kind in MsgKind if kind not in (MsgKind.DECISION, MsgKind.MANUAL)]
FIELDS = [name for name in MSG.names or () if name not in ("kind", "ts", "exch_ts")]


def values_of(field: str) -> list[Any]:
    kind = MSG[field]
    if kind.kind == "f":
        return [x for x in (NAN, *NO_PRICES) if kind.itemsize == 8 or not UNSET_INT < abs(x) < INF]
    info = np.iinfo(kind)
    return sorted({info.min, info.max, -1, 0, min(UNSET_INT, info.max)})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("field", "value"), [(f, x) for f in FIELDS for x in values_of(f)])
@pytest.mark.filterwarnings("ignore:overflow")
def test_no_field_of_any_message_spoils_the_state(kind: MsgKind, field: str, value: Any) -> None:
    """Whatever it makes of a message: money stays sound, and quotes stay where they can be."""
    desk = working(guarded({}, chain()))
    sound = {"side": BUY, "tick": 98, "lots": 1, "price": 1.0, "mid": 1.0, "seq": 50,
             "order_id": desk.live()[0]}  # fmt: skip
    codes = range(5) if kind in (MsgKind.THEO, MsgKind.LIMITS, MsgKind.SESSION) else range(1)
    codes = [3, 9, *range(18)] if kind == MsgKind.ORDER else codes
    for code in codes:
        which = "event" if kind == MsgKind.ORDER else "reason"
        fields = sound | {which: code} | {field: value}
        for action in desk.tell(kind, **fields):
            assert action.kind != ActionKind.PLACE
        assert desk.status >= 0 or desk.status == -Status.BAD_ROW
        money_is_sound(desk)
    for action in desk.decide(Want(BUY, 97, 1), Want(SELL, 102, 1)):
        assert 0 < action.tick < 10**6 or action.kind > ActionKind.CANCEL
        assert action.kind > ActionKind.CANCEL or 0 < action.lots < 10**6
