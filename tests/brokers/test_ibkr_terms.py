"""From actions to orders on the wire, for each type, and in what order they leave."""

from __future__ import annotations

import math

import pytest

from mmquant.core.dtypes import ActionKind, OrderEvent, OrderType, Reason, TimeInForce
from mmquant.data.contracts import Contract
from tests.brokers.wire import CON_ID, T0, Wire, error, stocks

# Places in placeOrder at version 178.
EXCHANGE, ACTION_AT, SIZE, KIND, LIMIT, AUX, TIF = 9, 16, 17, 18, 19, 20, 21


def option(inst: int = 0) -> Contract:
    return Contract.option(
        inst, "AAPL", venue="SMART", expiry="2026-12-18", strike=200.0, right="C",
        tick_class="penny",
    )  # fmt: skip


def placed(wire: Wire, **fields: object) -> list[str]:
    wire.requests()
    wire.place(**fields)
    (sent,) = wire.requests(3)
    return sent


@pytest.mark.parametrize(
    ("kind", "fields", "name", "limit", "aux", "venue"),
    [
        (OrderType.LIMIT, {}, "LMT", "100.0", "", "SMART"),
        (OrderType.MARKET, {}, "MKT", "", "", "SMART"),
        (OrderType.PEG_PRIMARY, {"offset": 2}, "REL", "100.0", "0.02", "SMART"),
        (OrderType.PEG_PRIMARY, {"tick": 0}, "REL", "0.0", "0.0", "SMART"),
        (OrderType.PEG_MID, {}, "MIDPRICE", "100.0", "", "SMART"),
        (OrderType.PEG_MID, {"offset": 1}, "PEG MID", "100.0", "", "IBKRATS"),
        (OrderType.PEG_BEST, {"offset": 1}, "PEG BEST", "100.0", "", "IBKRATS"),
    ],
)
def test_types(kind: OrderType, fields: dict, name: str, limit: str, aux: str, venue: str) -> None:
    sent = placed(Wire(), order_type=kind, **fields)
    assert (sent[KIND], sent[LIMIT]) == (name, limit)
    assert sent[EXCHANGE] == venue
    if aux:
        assert float(sent[AUX]) == pytest.approx(float(aux))
    if name == "PEG MID":
        assert [float(x) for x in sent[-2:]] == pytest.approx([0.01, 0.01])
    if name == "PEG BEST":
        assert sent[-3:-1] == ["100", "100"] and float(sent[-1]) == pytest.approx(0.01)


def test_a_peg_to_the_best_without_an_offset_goes_up_to_the_mid() -> None:
    sent = placed(Wire(), order_type=OrderType.PEG_BEST)
    assert sent[-3:] == ["Infinite", "0.0", "0.0"]


def test_a_direct_route_is_kept() -> None:
    sent = placed(Wire(stocks(venue="ISLAND")))
    assert sent[EXCHANGE] == "ISLAND"


def test_a_pegged_option_goes_to_its_own_venue() -> None:
    sent = placed(Wire([option()]), order_type=OrderType.PEG_MID, tick=340, lots=2)
    assert (sent[EXCHANGE], sent[KIND]) == ("IBUSOPT", "PEG MID")


@pytest.mark.parametrize("tif", list(TimeInForce))
def test_lifetimes(tif: TimeInForce) -> None:
    sent = placed(Wire(), tif=tif, expire_ts=T0 + 90_000_000_000)
    assert sent[TIF] == tif.name
    assert ("20231114-22:14:50" in sent) == (tif == TimeInForce.GTD)


def test_an_order_is_a_sale_or_a_purchase_of_its_size() -> None:
    sent = placed(Wire(), side=-1, lots=250)
    assert (sent[ACTION_AT], sent[SIZE]) == ("SELL", "250.0")


def test_post_only_is_refused_here_as_it_could_take_there() -> None:
    wire = Wire()
    wire.requests()
    wire.act(ActionKind.PLACE, 17, order_type=OrderType.POST_ONLY)
    assert not wire.requests(3)
    assert wire.events() == [("REJECT", 17, 10_000, 100, Reason.BAD_QUOTE.name)]


def test_prices_are_the_doubles_nearest_to_their_decimals() -> None:
    wire = Wire()
    for tick in range(1, 40_000, 37):
        price = wire.broker._grids[0].price(tick)
        assert price == float(f"{tick / 100:.2f}")
        assert wire.broker._grids[0].tick(price) == (tick, 0.0)


def test_prices_of_two_steps_go_there_and_back() -> None:
    grid = Wire([option()]).broker._grids[0]
    for tick in (0, 1, 299, 300, 301, 340):
        assert grid.tick(grid.price(tick)) == (tick, 0.0)
    assert grid.price(299) == 2.99 and grid.price(300) == 3.0 and grid.price(301) == 3.05
    assert grid.tick(3.02) == (300, pytest.approx(0.4))
    assert all(grid.tick(x)[0] == 2**31 - 1 for x in (math.nan, math.inf, 1.8e308))


def test_a_cancel_of_what_still_waits_takes_it_back() -> None:
    wire = Wire()
    for i in range(60):
        wire.act(ActionKind.PLACE, 100 + i)
    wire.requests()
    wire.act(ActionKind.CANCEL, 159)
    assert wire.events() == [("CANCEL_ACK", 159, 10_000, 100, "NONE")]
    wire.heard(3_000)
    left = [fields[26] for fields in wire.requests(3)]
    assert "mm:r1:158" in left and "mm:r1:159" not in left


def test_a_cancel_behind_changes_leaves_at_once_and_takes_the_orders_own_change_with_it() -> None:
    wire = Wire()
    numbers = [wire.working(100 + i) for i in range(12)]
    wire.heard(2_000)
    for round_ in range(10):
        for i in range(12):
            wire.act(ActionKind.MODIFY, 100 + i, tick=9_990 - round_)
    wire.requests()
    wire.act(ActionKind.CANCEL, 100)
    assert [fields[:3] for fields in wire.requests(4)] == [["4", "1", str(numbers[0])]]
    wire.heard(3_000)
    changed = [fields[1] for fields in wire.requests(3)]
    assert str(numbers[0]) not in changed
    assert sorted(changed) == sorted(str(n) for n in numbers[1:])


def test_no_more_than_the_limit_leaves_however_much_is_asked() -> None:
    wire = Wire()
    for i in range(150):
        wire.act(ActionKind.PLACE, 1_000 + i)
        wire.ns += 1_000_000
    for _ in range(200):
        wire.heard(20)
    times = wire.sent_ns
    assert len([f for f in wire.sent if f[0] == "3"]) == 150
    assert max(sum(t <= u < t + 10**9 for u in times) for t in times) < 50


def test_too_fast_is_heeded() -> None:
    wire = Wire()
    wire.heard(2_000)
    wire.requests()
    wire.say(error(-1, 100, "Max rate of messages per second has been exceeded"))
    wire.act(ActionKind.PLACE, 17)
    assert not wire.requests(3)
    wire.heard(1_001)
    assert wire.requests(3)


def test_a_change_or_cancel_of_an_unknown_order_is_refused() -> None:
    wire = Wire()
    wire.act(ActionKind.MODIFY, 99)
    wire.act(ActionKind.CANCEL, 99)
    assert [(e[0], e[4]) for e in wire.events()] == [
        (OrderEvent.MODIFY_REJECT.name, "UNKNOWN_ORDER"),
        (OrderEvent.CANCEL_REJECT.name, "UNKNOWN_ORDER"),
    ]


def test_cancelling_all_goes_before_all_else() -> None:
    wire = Wire()
    for i in range(60):
        wire.act(ActionKind.PLACE, 100 + i)
    wire.requests()
    wire.broker.cancel_account(T0 + wire.ns)
    assert [fields[0] for fields in wire.requests()] == ["58"]
    wire.heard(5_000)
    assert not wire.requests(3), "what waited does not leave after it"


def test_the_contract_is_named_by_its_number() -> None:
    assert placed(Wire())[2] == str(CON_ID)
