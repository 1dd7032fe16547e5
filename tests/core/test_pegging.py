"""Pegged orders: where they rest by a table, and against the naive exchange on random histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, OrderType, Reason
from mmquant.core.dtypes import OrderEvent as E
from mmquant.core.pegging import peg_half_ticks
from tests.core.builders import (
    BUY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    SELL,
    SLOTS,
    Desk,
    Request,
    Row,
    Venue,
    Want,
    cancel,
    clear,
    depth,
    events,
    examples,
    fills,
    modify,
    place,
    play,
    trade,
)
from tests.core.test_matching_random import WholeBook, plain
from tests.naive_exchange import Exchange, Order, peg_price

PRIMARY, MID, BEST = OrderType.PEG_PRIMARY, OrderType.PEG_MID, OrderType.PEG_BEST
STYLE = {PRIMARY: "primary", MID: "mid", BEST: "best", LIMIT: "limit"}
FAR = {BUY: 1000, SELL: -1000}
BOOK = [depth(0, BUY, 99, 5), depth(0, SELL, 103, 5)]
PRICES = [
    (PRIMARY, BUY, 0, 99.0), (PRIMARY, SELL, 0, 103.0), (PRIMARY, BUY, 2, 101.0),
    (PRIMARY, BUY, 9, 102.0), (PRIMARY, SELL, 9, 100.0), (PRIMARY, BUY, -1, 98.0),
    (MID, BUY, 0, 101.0), (MID, SELL, 0, 101.0), (MID, BUY, 1, 100.0), (MID, SELL, 1, 102.0),
    (BEST, BUY, 1, 100.0), (BEST, BUY, 9, 101.0), (BEST, SELL, 9, 101.0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "side", "offset", "price"), PRICES)
def test_a_peg_follows_its_rule(kind: int, side: int, offset: int, price: float) -> None:
    assert peg_half_ticks(int(kind), side, offset, FAR[side], 99, 103) / 2 == price


@pytest.mark.parametrize("kind", [PRIMARY, MID, BEST])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_no_peg_goes_beyond_its_cap(kind: int, side: int) -> None:
    cap = 98 if side == BUY else 104
    assert peg_half_ticks(int(kind), side, 0, cap, 99, 103) == 2 * cap


@settings(deadline=None, max_examples=examples(500, 200))
@given(
    st.sampled_from([PRIMARY, MID, BEST]),
    st.sampled_from([BUY, SELL]),
    st.integers(-20, 20),
    st.integers(80, 120),
    st.integers(90, 110),
    st.integers(1, 9),
)
def test_the_price_of_a_peg_is_that_of_the_naive_exchange(
    kind: int, side: int, offset: int, cap: int, bid: int, spread: int
) -> None:
    ask = bid + spread
    half = peg_half_ticks(int(kind), side, offset, cap, bid, ask)
    assert half / 2 == peg_price(Order(1, side, 0, 1, STYLE[kind], offset, cap), bid, ask)
    assert half < 2 * ask if side == BUY else half > 2 * bid


def peg(ts: int, order_id: int, side: int, lots: int, kind: int, **more: Any) -> Request:
    return place(ts, order_id, side, more.pop("cap", FAR[side]), lots, kind, GTC, **more)


def test_a_mid_peg_fills_between_ticks_and_only_by_what_goes_through_it() -> None:
    said = play([
        depth(0, BUY, 99, 5), depth(0, SELL, 102, 5), peg(1, 1, BUY, 4, MID),
        trade(2, SELL, 100, 3, 0.5), trade(3, SELL, 100, 3), depth(4, SELL, 100, 9),
    ])  # fmt: skip
    assert fills(said) == [(3, 1, 3, 100), (4, 1, 1, 100)]
    assert [a.price for a in said if a.event == E.EXECUTION] == [1.005, 1.005]
    assert all(a.maker for a in said if a.event == E.EXECUTION)


def test_a_primary_peg_that_moves_stands_behind_what_its_level_shows() -> None:
    venue = Venue([*BOOK, depth(2, BUY, 100, 7), depth(4, BUY, 100, 0)])
    venue.send(peg(1, 1, BUY, 2, PRIMARY))
    venue.live_until(1)
    assert venue.front(1) == 5.0
    venue.live_until(3)
    assert (venue.exchange.node[1]["tick"], venue.front(1)) == (100, 7.0)
    venue.live_until(5)
    assert (venue.exchange.node[1]["tick"], venue.front(1)) == (99, 5.0)
    assert venue.exchange.state[0]["pegs"] == 1


def test_a_peg_keeps_its_place_while_a_side_is_empty_and_needs_both_to_start() -> None:
    said = play([
        depth(0, BUY, 99, 5), peg(1, 1, BUY, 2, PRIMARY), depth(2, SELL, 103, 5),
        peg(3, 2, BUY, 2, PRIMARY), clear(4, SELL, 200), trade(5, SELL, 98, 2),
    ])  # fmt: skip
    assert events(said, 1) == [E.REJECT]
    assert [a.reason for a in said if a.order_id == 1] == [Reason.NO_LIQUIDITY]
    assert fills(said) == [(5, 2, 2, 99)]


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_a_peg_that_may_not_rest_ends(tif: int) -> None:
    said = play([*BOOK, place(1, 1, BUY, 1000, 2, PRIMARY, tif)])
    assert events(said, 1) == [E.EXPIRE]


def test_a_new_cap_moves_a_peg_and_its_answers_name_the_cap() -> None:
    venue = Venue(BOOK)
    venue.send(peg(1, 1, BUY, 4, PRIMARY, offset=3))
    venue.send(modify(2, 1, 100, 3))
    venue.send(cancel(5, 1))
    said = venue.live_until(4)
    assert [(a.event, a.tick, a.lots) for a in said] == [(E.CONFIRM, 1000, 4), (E.CONFIRM, 100, 3)]
    assert venue.exchange.node[1]["tick"] == 100
    assert [(a.event, a.tick) for a in venue.live_until(6)] == [(E.CANCEL_ACK, 100)]
    assert venue.exchange.state[0]["pegs"] == 0


def test_a_move_into_a_full_far_map_is_made_once_the_map_has_grown() -> None:
    rows = [*BOOK, *(depth(2, BUY, 100_000 + 50 * i, 1) for i in range(40))]
    venue = Venue([*rows, depth(3, SELL, 300_000, 1)])
    venue.send(peg(1, 1, BUY, 2, PRIMARY, cap=10**6))
    venue.live_until(4)
    assert venue.exchange.node[1]["tick"] == 100_000 + 50 * 39
    assert venue.exchange.state[0]["pegs_due"] == 0


@st.composite
def histories(draw: st.DrawFn) -> list[Row | Request]:
    """Rows, pegs of all kinds and limit orders, and cancels, one a nanosecond."""
    out: list[Row | Request] = list(BOOK)
    placed = 0
    kinds = ["depth"] * 5 + ["trade"] * 3 + ["peg"] * 2 + ["limit", "cancel"]
    for ts in range(1, 1 + draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(kinds))
        side, tick = draw(st.sampled_from([BUY, SELL])), draw(st.integers(95, 107))
        if kind == "depth":
            out.append(depth(ts, side, tick, draw(st.integers(0, 6))))
        elif kind == "trade":
            lots, subtick = draw(st.integers(1, 6)), draw(st.sampled_from([0.0, 0.5]))
            out.append(trade(ts, side, tick, lots, subtick))
        elif kind in ("peg", "limit") and placed < SLOTS - 1:
            placed += 1
            what = LIMIT if kind == "limit" else draw(st.sampled_from([PRIMARY, MID, BEST]))
            offset = 0 if kind == "limit" else draw(st.integers(-1, 3))
            lots = draw(st.integers(1, 6))
            out.append(place(ts, placed, side, tick, lots, what, GTC, offset=offset))
        elif kind == "cancel" and placed:
            out.append(cancel(ts, draw(st.integers(1, placed))))
    return out


def naive(history: list[Row | Request], queue: tuple[str, float]) -> list[tuple[Any, ...]]:
    said: list[tuple[Any, ...]] = []
    exchange = Exchange("partial", queue, (1, 1), lambda *what: said.append(what), WholeBook())
    for e in history:
        if isinstance(e, Row):
            exchange.on_row(e.ts, e.kind, e.side, e.tick, e.subtick, e.lots)
            continue
        what = "cancel" if e.kind == ActionKind.CANCEL else "new"
        order = Order(e.order_id, e.side, e.tick, e.lots, STYLE[e.order_type], e.offset)
        exchange.on_order(e.ts, what, order)
    return [("fill", *x[:1], *x[2:]) if x[1] in ("filled", "partly") else x[:3] for x in said]


@settings(deadline=None, max_examples=examples(300, 60))
@given(histories())
def test_pegs_trade_as_at_the_naive_exchange(history: list[Row | Request]) -> None:
    said = play(history)
    assert [plain(a) for a in said] == naive(history, ("risk", 0.0))


def test_a_strategy_asks_for_pegs_and_a_limit_order_is_none() -> None:
    desk = Desk()

    def wants(kind: int) -> list[Any]:
        return desk.decide(Want(BUY, 99, 2, order_type=int(kind)))

    sent = wants(PRIMARY)
    assert [a.kind for a in sent] == [ActionKind.PLACE]
    assert desk.order(sent[0].order_id)["order_type"] == PRIMARY
    desk.confirm(sent[0])
    assert wants(PRIMARY) == []
    assert [a.kind for a in wants(LIMIT)] == [ActionKind.CANCEL, ActionKind.PLACE]
