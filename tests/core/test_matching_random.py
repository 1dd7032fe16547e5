"""Random rows and requests: against the naive exchange, and what holds for any of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, QueueModel, RowKind
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import (
    BUY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    POST_ONLY,
    SELL,
    SLOTS,
    Answer,
    Request,
    Row,
    cancel,
    clear,
    depth,
    examples,
    modify,
    place,
    play,
    trade,
)
from tests.naive_book import Book
from tests.naive_exchange import Exchange, Order

STYLES = {
    "post": (POST_ONLY, GTC),
    "limit": (LIMIT, GTC),
    "ioc": (LIMIT, IOC),
    "fok": (LIMIT, FOK),
    "market": (MARKET, GTC),
}
SAYS = {
    E.CONFIRM: "working",
    E.REJECT: "expired",
    E.EXPIRE: "expired",
    E.CANCEL_ACK: "cancelled",
    E.CANCEL_REJECT: "cancel rejected",
}
QUEUES = {
    ("risk", 0.0): QueueModel.RISK_AVERSE,
    ("power", 2.0): QueueModel.POWER,
    ("power2", 2.0): QueueModel.POWER2,
    ("power3", 3.0): QueueModel.POWER3,
    ("log", 0.0): QueueModel.LOG,
    ("log2", 0.0): QueueModel.LOG2,
}
Event = Row | Request
PLACE, MODIFY = ActionKind.PLACE, ActionKind.MODIFY


class WholeBook(Book):
    """The naive book, without the peer's bound on searches, which an emptied side resets."""

    def next_from(self, side: int, tick: int) -> int | None:
        worse = [t for t, n in self.level[side].items() if n > 0 and side * t < side * tick]
        return max(worse, key=lambda t: side * t, default=None)


sides, ticks, lots = st.sampled_from([BUY, SELL]), st.integers(95, 105), st.integers(1, 6)


@st.composite
def histories(draw: st.DrawFn, *, clears: bool = False, modifies: bool = False) -> list[Event]:
    """Rows and requests, one a nanosecond; every order id is used once."""
    out: list[Event] = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 5)]
    placed = 0
    kinds = ["depth"] * 4 + ["trade"] * 3 + ["place"] * 3 + ["cancel"]
    kinds += ["clear"] * clears + ["modify"] * 2 * modifies
    for ts in range(1, 1 + draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(kinds))
        side, tick = draw(sides), draw(ticks)
        if kind == "depth":
            out.append(depth(ts, side, tick, draw(st.integers(0, 6))))
        elif kind == "trade":
            out.append(trade(ts, side, tick, draw(lots), draw(st.sampled_from([0.0, 0.0, 0.5]))))
        elif kind == "clear":
            out.append(clear(ts, side, tick))
        elif kind == "place" and placed < SLOTS - 1:
            placed += 1
            style = STYLES[draw(st.sampled_from(sorted(STYLES)))]
            out.append(place(ts, placed, side, tick, draw(lots), *style))
        elif kind == "cancel" and placed:
            out.append(cancel(ts, draw(st.integers(1, placed))))
        elif kind == "modify" and placed:
            out.append(modify(ts, draw(st.integers(1, placed)), tick, draw(lots)))
    return out


def naive(history: list[Event], mode: str, queue: tuple[str, float]) -> list[tuple[Any, ...]]:
    """What the naive exchange says: time, what, order, lots, tick, maker."""
    said: list[tuple[Any, ...]] = []
    exchange = Exchange(mode, queue, (1, 1), lambda *what: said.append(what), WholeBook())
    style = {value: name for name, value in STYLES.items()}
    for e in history:
        if isinstance(e, Row):
            exchange.on_row(e.ts, e.kind, e.side, e.tick, e.subtick, e.lots)
            continue
        name = style[(e.order_type, e.tif)]
        tick = None if name == "market" else e.tick
        what = "cancel" if e.kind == ActionKind.CANCEL else "new"
        exchange.on_order(e.ts, what, Order(e.order_id, e.side, tick, e.lots, name))
    return [("fill", *x[:1], *x[2:]) if x[1] in ("filled", "partly") else x[:3] for x in said]


def plain(answer: Answer) -> tuple[Any, ...]:
    """An answer in the words of the naive exchange."""
    if answer.event == E.EXECUTION:
        return ("fill", answer.ts, answer.order_id, answer.lots, answer.tick, answer.maker)
    return (answer.ts, SAYS[answer.event], answer.order_id)


@pytest.mark.parametrize("mode", ["partial", "peer"])
@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue[0])
@settings(deadline=None, max_examples=examples(150, 15))
@given(history=histories())
def test_the_exchange_says_what_the_naive_one_says(
    history: list[Event], mode: str, queue: tuple[str, float]
) -> None:
    said = play(history, peer=mode == "peer", queue=QUEUES[queue], power=queue[1])
    assert [plain(a) for a in said] == naive(history, mode, queue)


@settings(deadline=None, max_examples=examples(300, 60))
@given(histories(clears=True, modifies=True), st.sampled_from(list(QUEUES)))
def test_no_size_comes_from_nowhere(history: list[Event], queue: tuple[str, float]) -> None:
    said = play(history, queue=QUEUES[queue], power=queue[1])
    side_of = {e.order_id: e.side for e in history if isinstance(e, Request) and e.kind == PLACE}
    shown: dict[tuple[int, int], int] = {}
    for event in history:
        now = [a for a in said if a.ts == event.ts and a.event == E.EXECUTION]
        if isinstance(event, Row) and event.kind == RowKind.TRADE:
            assert sum(a.lots for a in now) <= event.lots
            for a in now:
                assert a.maker and side_of[a.order_id] == -event.side
                assert event.side * (event.tick + event.subtick - a.tick) >= 0
        elif isinstance(event, Row):
            shown[event.side, event.tick] = event.lots
            assert all(a.maker for a in now)
        for a in now:
            if not a.maker:
                shown[-side_of[a.order_id], a.tick] -= a.lots
        assert min(shown.values(), default=0) >= 0


@settings(deadline=None, max_examples=examples(300, 60))
@given(histories(clears=True, modifies=True), st.booleans())
def test_every_lot_of_an_order_is_filled_or_accounted_for(history: list[Event], peer: bool) -> None:
    said = play(history, peer=peer)
    for order in (e for e in history if isinstance(e, Request) and e.kind == PLACE):
        mine = [a for a in said if a.order_id == order.order_id]
        total, filled, ended = order.lots, 0, False
        for a in mine:
            assert not ended or a.event in (E.CANCEL_REJECT, E.MODIFY_REJECT)
            if a.event == E.EXECUTION:
                filled += a.lots
            elif a.event == E.CONFIRM:
                total = a.lots
            elif a.event in (E.CANCEL_ACK, E.EXPIRE, E.REJECT):
                ended = True
                assert filled + a.lots == total
        most = max([order.lots, *(e.lots for e in history if e[1:3] == (MODIFY, order.order_id))])
        assert filled <= most


def of_set(history: list[Event], owner: int) -> list[Event]:
    """Rows, and the requests of one of three sets, which number their orders from one pool."""
    return [e for e in history if isinstance(e, Row) or e.order_id % 3 == owner]


@pytest.mark.parametrize("peer", [False, True])
@settings(deadline=None, max_examples=examples(200, 40))
@given(history=histories(clears=True, modifies=True), queue=st.sampled_from(list(QUEUES)))
def test_sets_that_share_a_place_in_the_queue_are_filled_as_alone(
    history: list[Event], queue: tuple[str, float], peer: bool
) -> None:
    settings = {"peer": peer, "queue": QUEUES[queue], "power": queue[1], "sets": 3}
    together = play(
        [e if isinstance(e, Row) else e._replace(set=e.order_id % 3) for e in history], **settings
    )
    for owner in range(3):
        alone = play(of_set(history, owner), **settings | {"sets": 1})
        # As text, since a price that is none is no equal of itself.
        assert repr([a._replace(set=0) for a in together if a.set == owner]) == repr(alone)
