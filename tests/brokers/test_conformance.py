"""The same scripts over the simulated broker and over IBKRBroker with the gateway behind it.

Both say the same of orders, in the same order, but for their times. Beside that the wire tells that
orders were accepted (ACK), what they cost (FEE) and positions, which the simulated one does not.
That a new order works which is executed as it comes is left out: the wire says it before or between
the parts, the exchange after the last, if something rests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, OrderType, RowKind, TimeInForce
from tests.brokers.venues import (
    BUY,
    MS,
    SELL,
    T0,
    Row,
    SimVenue,
    Told,
    Venue,
    WireVenue,
    book,
    option,
    stock,
    trade,
)

PLACE, MODIFY, CANCEL, QUERY = (
    ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL, ActionKind.QUERY,
)  # fmt: skip
MARKET = [
    *book(0, 19_000, 19_002),
    *trade(1_000, SELL, 19_000, 540),
    *trade(1_100, SELL, 19_000, 100),
    *trade(1_200, SELL, 18_999, 900),
    *book(2_000, 18_999, 19_001),
    *trade(3_000, BUY, 19_001, 800),
    *book(4_000, 19_001, 19_004),
]
STEP_MS = 30.0
"""Slow enough for the pacer to keep nothing back."""
TERMLESS = ("CANCEL_REJECT", "MODIFY_REJECT", "FOUND_CLOSED")
"""Events whose terms mean nothing: those of the request, or of the order."""
Script = Callable[[Venue], None]


@pytest.fixture
def open_venue() -> Iterator[Callable[..., Venue]]:
    with ExitStack() as stack:

        def open_one(kind: type[Venue], *given: object, **more: object) -> Venue:
            venue = kind(*given, **more)
            stack.callback(venue.close)
            return venue

        yield open_one


def buy(venue: Venue, order_id: int, tick: int, lots: int, **more: object) -> None:
    venue.act(PLACE, order_id, side=BUY, tick=tick, lots=lots, **more)


def sell(venue: Venue, order_id: int, tick: int, lots: int, **more: object) -> None:
    venue.act(PLACE, order_id, side=SELL, tick=tick, lots=lots, **more)


def events(venue: Venue) -> list[tuple]:
    return [(told.event, told.order, told.lots, told.reason) for told in alike(venue.news())]


def rests_and_is_cancelled(venue: Venue) -> None:
    buy(venue, 17, 19_000, 100)
    venue.advance(1)
    assert events(venue) == [("CONFIRM", 17, 100, "NONE")]
    venue.act(CANCEL, 17, side=BUY, tick=19_000, lots=100)
    venue.advance(1)
    assert events(venue) == [("CANCEL_ACK", 17, 100, "NONE")]


def is_filled_in_parts_behind_the_queue(venue: Venue) -> None:
    buy(venue, 17, 19_000, 100)
    venue.advance(1)
    venue.advance(1_010)
    assert events(venue) == [("CONFIRM", 17, 100, "NONE"), ("EXECUTION", 17, 40, "NONE")]
    venue.advance(100)
    assert events(venue) == [("EXECUTION", 17, 60, "NONE")]


def takes_what_is_shown(venue: Venue) -> None:
    buy(venue, 17, 19_003, 700)
    venue.advance(1)
    told = alike(venue.news())
    assert [(t.event, t.price, t.lots, t.liquidity) for t in told] == [
        ("EXECUTION", 190.02, 500, -1), ("EXECUTION", 190.03, 200, -1),
    ]  # fmt: skip


def rests_with_what_it_could_not_take(venue: Venue) -> None:
    sell(venue, 17, 19_000, 800)
    venue.advance(1)
    assert [t.event for t in alike(venue.news())] == ["EXECUTION"] * 1
    venue.act(CANCEL, 17, side=SELL, tick=19_000, lots=800)
    venue.advance(1)
    assert events(venue) == [("CANCEL_ACK", 17, 300, "NONE")]


def is_changed(venue: Venue) -> None:
    buy(venue, 17, 18_999, 300)
    venue.advance(1)
    for tick, lots in ((19_000, 300), (19_000, 200), (18_998, 500), (19_003, 100)):
        venue.act(MODIFY, 17, side=BUY, tick=tick, lots=lots)
        venue.advance(1)
    assert [t.event for t in venue.news()] == ["CONFIRM"] * 5 + ["EXECUTION"]


def changes_after_the_end_are_refused(venue: Venue) -> None:
    buy(venue, 17, 19_002, 100)
    buy(venue, 18, 19_000, 100)
    venue.advance(1)
    venue.act(CANCEL, 18, side=BUY, tick=19_000, lots=100)
    venue.advance(1)
    venue.news()
    for order_id in (17, 18):
        venue.act(CANCEL, order_id, side=BUY, tick=19_000, lots=100)
        venue.advance(1)
    venue.act(MODIFY, 17, side=BUY, tick=18_999, lots=200)
    venue.advance(1)
    assert events(venue) == [
        ("CANCEL_REJECT", 17, 0, "UNKNOWN_ORDER"),
        ("CANCEL_REJECT", 18, 0, "UNKNOWN_ORDER"),
        ("MODIFY_REJECT", 17, 0, "UNKNOWN_ORDER"),
    ]


def goes_to_the_market(venue: Venue) -> None:
    buy(venue, 17, 0, 600, order_type=OrderType.MARKET)
    sell(venue, 18, 0, 2_000, order_type=OrderType.MARKET)
    venue.advance(1)
    told = events(venue)
    assert told[-1] == ("EXPIRE", 18, 500, "NO_LIQUIDITY")
    assert sum(t[2] for t in told if t[:2] == ("EXECUTION", 17)) == 600


def is_good_at_once_or_never(venue: Venue) -> None:
    buy(venue, 17, 19_001, 100, tif=TimeInForce.IOC)
    buy(venue, 18, 19_002, 900, tif=TimeInForce.IOC)
    venue.advance(1)
    sell(venue, 19, 19_000, 900, tif=TimeInForce.FOK)
    sell(venue, 20, 19_000, 400, tif=TimeInForce.FOK)
    venue.advance(1)
    assert events(venue) == [
        ("EXPIRE", 17, 100, "NO_LIQUIDITY"),
        ("EXECUTION", 18, 500, "NONE"), ("EXPIRE", 18, 400, "NO_LIQUIDITY"),
        ("EXPIRE", 19, 900, "NOT_ALL_AVAILABLE"), ("EXECUTION", 20, 400, "NONE"),
    ]  # fmt: skip


def is_good_till_a_time(venue: Venue) -> None:
    ends = T0 + 2_500 * MS // 1_000 * 1_000
    ends -= ends % 1_000_000_000
    buy(venue, 17, 18_990, 100, tif=TimeInForce.GTD, expire_ts=ends)
    venue.advance(1_900)
    assert events(venue) == [("CONFIRM", 17, 100, "NONE")]
    venue.advance(200)
    assert events(venue) == [("EXPIRE", 17, 100, "LIFETIME")]


def is_asked_after(venue: Venue) -> None:
    buy(venue, 17, 19_000, 100)
    buy(venue, 18, 19_002, 100)
    buy(venue, 19, 18_999, 300)
    venue.advance(1)
    venue.act(CANCEL, 19, side=BUY, tick=18_999, lots=300)
    venue.advance(1)
    venue.news()
    for order_id in (17, 18, 19):
        venue.act(QUERY, order_id)
        venue.advance(1)
    assert [t[:2] for t in events(venue)] == [
        ("FOUND_OPEN", 17), ("FOUND_CLOSED", 18), ("FOUND_CLOSED", 19),
    ]  # fmt: skip
    venue.act(QUERY, 0)
    venue.advance(1)
    assert [t[:2] for t in events(venue)] == [("FOUND_OPEN", 17)]
    assert venue.sessions[-1] == "RESYNCED"


def is_pegged(venue: Venue) -> None:
    for order_id, kind in ((17, OrderType.PEG_PRIMARY), (18, OrderType.PEG_MID)):
        buy(venue, order_id, 19_010, 100, order_type=kind)
        venue.advance(1)
    venue.advance(2_000)
    venue.act(CANCEL, 17, side=BUY, tick=19_010, lots=100)
    venue.act(CANCEL, 18, side=BUY, tick=19_010, lots=100)
    venue.advance(1)
    told = events(venue)
    assert [t[:2] for t in told if t[0] == "CONFIRM"] == [("CONFIRM", 17), ("CONFIRM", 18)]


def many_at_once(venue: Venue) -> None:
    for i in range(8):
        buy(venue, 32 + i, 18_990 + i, 100)
        sell(venue, 64 + i, 19_010 - i, 100)
    venue.advance(3_500)
    for i in range(8):
        venue.act(CANCEL, 32 + i, side=BUY, tick=18_990 + i, lots=100)
        venue.act(CANCEL, 64 + i, side=SELL, tick=19_010 - i, lots=100)
    venue.advance(10)
    assert len(venue.told) >= 32


SCRIPTS = [
    rests_and_is_cancelled, is_filled_in_parts_behind_the_queue, takes_what_is_shown,
    rests_with_what_it_could_not_take, is_changed, changes_after_the_end_are_refused,
    goes_to_the_market, is_good_at_once_or_never, is_good_till_a_time, is_asked_after, is_pegged,
    many_at_once,
]  # fmt: skip


def alike(told: list[Told]) -> list[Told]:
    """The events but for confirmations of orders that are executed in the same step; answers to one
    question by their orders."""
    executed = {(one.order, one.step) for one in told if one.event == "EXECUTION"}
    confirmed: set[int] = set()
    kept = []
    for one in told:
        if one.event == "CONFIRM" and one.order not in confirmed:
            confirmed.add(one.order)
            if (one.order, one.step) in executed:
                continue
        without = {"tick": 0, "lots": 0} if one.event in TERMLESS else {}
        kept.append(one._replace(**without))
    kept.sort(key=lambda one: (one.step, one.order if one.event == "FOUND_OPEN" else 0))
    return [one._replace(step=0) for one in kept]


def assert_alike(sim: Venue, wire: WireVenue) -> None:
    assert alike(wire.told) == alike(sim.told)
    assert wire.shown() == sim.shown()
    assert wire.broker.router.lost_messages == [] and wire.gateway.internal_errors == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_both_brokers_say_the_same(script: Script, open_venue: Callable[..., Venue]) -> None:
    told = []
    for kind in (SimVenue, WireVenue):
        venue = open_venue(kind, MARKET, [stock()])
        script(venue)
        told.append(venue)
    assert_alike(*told)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_wires_quirks_change_no_event(
    script: Script, seed: int, open_venue: Callable[..., Venue]
) -> None:
    """Statuses first, last, twice or not at all, fees late: each order says the same."""
    sim = open_venue(SimVenue, MARKET, [stock()])
    script(sim)
    wire = open_venue(WireVenue, MARKET, [stock()], quirks=seed)
    script(wire)
    assert alike(wire.told) == alike(sim.told)


def random_market(rng: np.random.Generator, steps: int) -> list[Row]:
    rows, mid = list(book(0, 19_000, 19_002)), 19_001
    bids, asks = [19_000, 18_999, 18_998], [19_002, 19_003, 19_004]
    for step in range(1, steps):
        at = 2_000.0 + step * STEP_MS + 5.0
        draw = rng.random()
        if draw < 0.5:
            side = BUY if rng.random() < 0.5 else SELL
            tick = asks[0] if side == BUY else bids[0]
            rows += trade(at, side, tick, int(rng.integers(1, 12)) * 100)
            rows.append(Row(at, RowKind.DEPTH, -side, tick, int(rng.integers(1, 9)) * 100))
        else:
            new = mid + int(rng.integers(-1, 2))
            half = 1 + int(rng.random() < 0.3)
            for level in (*bids, *asks):
                side = BUY if level in bids else SELL
                rows.append(Row(at, RowKind.DEPTH, side, level, 0))
            bids = [new - half - i for i in range(3)]
            asks = [new + half + i for i in range(3)]
            mid = new
            for level in (*bids, *asks):
                side = BUY if level in bids else SELL
                rows.append(Row(at, RowKind.DEPTH, side, level, int(rng.integers(1, 9)) * 100))
    return rows


def random_script(rng: np.random.Generator, steps: int) -> Script:
    plan = []
    for _ in range(steps):
        plan.append((
            rng.random(), int(rng.integers(0, 2)) * 2 - 1, int(rng.integers(-6, 7)),
            int(rng.integers(1, 9)) * 100, int(rng.integers(0, 5)), rng.random(),
        ))  # fmt: skip

    def run(venue: Venue) -> None:
        venue.advance(2_000)
        live: dict[int, tuple[int, int]] = {}
        number = 0
        for draw, side, away, lots, lifetime, which in plan:
            venue.advance(STEP_MS)
            for told in venue.news():
                if told.event in ("CANCEL_ACK", "EXPIRE", "REJECT", "CANCEL_REJECT"):
                    live.pop(told.order, None)
            order_id = list(live)[int(which * len(live))] if live else 0
            if draw < 0.5 or not live:
                number += 1
                tif = (TimeInForce.IOC, TimeInForce.FOK)[lifetime] if lifetime < 2 else 1
                live[number] = (side, 19_001 + away)
                venue.act(PLACE, number, side=side, tick=19_001 + away, lots=lots, tif=tif)
            elif draw < 0.75:
                side, _ = live[order_id]
                venue.act(MODIFY, order_id, side=side, tick=19_001 + away, lots=2_000 + lots)
            else:
                side, tick = live[order_id]
                venue.act(CANCEL, order_id, side=side, tick=tick, lots=lots)
        venue.advance(10)
        venue.act(QUERY, 0)
        venue.advance(10)

    return run


@pytest.mark.parametrize("seed", range(6))
def test_random_scripts_over_random_markets(seed: int, open_venue: Callable[..., Venue]) -> None:
    rng = np.random.default_rng(seed)
    market, script = random_market(rng, 150), random_script(rng, 140)
    sim = open_venue(SimVenue, market, [stock()])
    script(sim)
    wire = open_venue(WireVenue, market, [stock()], quirks=seed if seed % 2 else None)
    script(wire)
    assert alike(wire.told) == alike(sim.told)
    filled = sum(t.side * t.lots for t in sim.told if t.event == "EXECUTION")
    assert wire.positions[0] == filled == wire.gateway.accounts.position(0)
    assert wire.shown() == sim.shown()


def test_one_side_of_an_option_at_a_time(open_venue: Callable[..., Venue]) -> None:
    """IBKR refuses a second working side, which the exchange alone does not."""
    contracts = [stock(), option(1, 190.0, "C")]
    market = [*MARKET, *book(0, 350, 356, 20, inst=1)]
    wire = open_venue(WireVenue, market, contracts)
    wire.act(PLACE, 17, inst=1, side=BUY, tick=340, lots=2)
    wire.act(PLACE, 18, inst=1, side=SELL, tick=380, lots=2)
    wire.advance(10)
    assert events(wire) == [
        ("CONFIRM", 17, 2, "NONE"), ("REJECT", 18, 2, "PULL_OTHER_SIDE"),
    ]  # fmt: skip
    assert wire.shown()[1, 1, 350] == wire.shown()[1, -1, 356] == 20
