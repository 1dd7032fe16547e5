"""IBKRBroker at the gateway: finding contracts, coming back, and what only both together show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mmquant.brokers.ibkr_contracts import Leg
from mmquant.brokers.ibkr_lines import Budget
from mmquant.core.dtypes import ActionKind, OrderType
from mmquant.data.contracts import Contract, Ladder, option_ladder
from mmquant.errors import DataError, MMQuantError, UsageError
from tests.brokers.test_conformance import MARKET
from tests.brokers.venues import BUY, DATE, SELL, WireVenue, book, option, stock, trade
from tests.brokers.virtual import Live

PLACE, CANCEL, QUERY = ActionKind.PLACE, ActionKind.CANCEL, ActionKind.QUERY
CONTRACTS = [stock(), *(option(1 + i, 180.0 + 5 * i, "C") for i in range(5))]
CHAIN = [*MARKET, *(row for i in range(1, 6) for row in book(0, 300, 310, 20, inst=i))]


@pytest.fixture
def venue() -> Iterator[Callable[..., WireVenue]]:
    with ExitStack() as stack:

        def open_one(rows=MARKET, contracts=None, **given: object) -> WireVenue:
            one = WireVenue(rows, list(contracts or [stock()]), **given)
            stack.callback(one.close)
            return one

        yield open_one


def again(venue: WireVenue, **more: object) -> None:
    """A new process in place of the old one, which is gone without a word."""
    venue.broker.link.close()
    venue.rows.clear()
    venue.told.clear()
    venue.done = 0
    venue._broker(**more)


def test_contracts_are_found_with_few_questions(venue: Callable[..., WireVenue]) -> None:
    one = venue(CHAIN, CONTRACTS)
    assert one.served[9] == 2, "one for the stock, one for all options of an expiry and right"
    listed = one.gateway.reference.listings
    assert [t.ib.conId for t in one.broker.traded if t is not None] == [x.con_id for x in listed]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([Contract.equity(0, "NONE", venue="SMART")], DataError, "knows no such contract"),
        ([stock(), option(1, 199.0, "C")], DataError, "knows no such contract"),
        (
            [Contract(0, "AAPL", "equity", "SMART", ladders=(Ladder.flat("0.05"),))],
            DataError,
            "not IBKR's market rule",
        ),
    ],
)
def test_what_ibkr_has_otherwise_is_refused(
    given: list[Contract], error: type, text: str, venue: Callable[..., WireVenue]
) -> None:
    one = venue(CHAIN, CONTRACTS)
    one.contracts = given
    with pytest.raises(error, match=text):
        again(one)
    one.contracts = list(CONTRACTS)
    again(one)


def test_an_account_that_is_not_ours_is_refused(venue: Callable[..., WireVenue]) -> None:
    one = venue()
    with pytest.raises(UsageError, match="DU1234567"):
        again(one, account="U1")
    again(one, account="DU1234567")


def test_nobody_there(venue: Callable[..., WireVenue]) -> None:
    one = venue()
    port, one.gateway._server = one.gateway.port, one.gateway._server
    one.given["host"] = "127.0.0.1"
    one.broker.close()
    one.gateway._server.close()
    with pytest.raises(MMQuantError, match=f"no connection to 127.0.0.1:{port}"):
        broken = type(one.broker)(one.contracts, date=DATE, run="run", port=port)
        broken.open()
    one.broker = broken


def test_a_chain_is_asked_for_by_expiry_and_what_is_not_there_is_said(
    venue: Callable[..., WireVenue],
) -> None:
    one = venue(CHAIN, CONTRACTS)
    one.advance(2_000)
    found = one.broker.finder.chain(
        "AAPL", spot=191.0, expiries=2, strikes_each=3, today=DATE, first_id=1
    )
    assert [(c.expiry, c.strike, c.right) for c in found.contracts] == [
        ("2026-10-16", k, "C") for k in (185.0, 190.0, 195.0)
    ]
    assert {(k, r) for _, k, r in found.missing} == {(k, "P") for k in (185.0, 190.0, 195.0)}
    assert all(c.ladder(DATE).rows() == option_ladder("penny").rows() for c in found.contracts)
    with pytest.raises(DataError, match="no stock"):
        one.broker.finder.chain("NONE", spot=1.0, expiries=1, strikes_each=1, today=DATE)


def test_a_run_that_goes_on_knows_its_orders_and_what_happened_meanwhile(
    venue: Callable[..., WireVenue], tmp_path: Path
) -> None:
    one = venue(opening=tmp_path / "opening.json")
    for order_id, tick in ((17, 19_000), (18, 18_000)):
        one.act(PLACE, order_id, side=BUY, tick=tick, lots=100)
    one.advance(10)
    one.broker.link.close()
    one.gateway.advance(one.now + 1_150_000_000)
    again(one)
    one.act(QUERY, 0)
    one.advance(10)
    told = [(t.event, t.order, t.lots) for t in one.news()]
    assert sorted(told) == sorted([
        ("EXECUTION", 17, 40), ("EXECUTION", 17, 60), ("CONFIRM", 18, 100),
        ("FOUND_OPEN", 18, 100),
    ])  # fmt: skip
    assert one.positions == {0: 100} and one.sessions[-1] == "RESYNCED"
    one.act(QUERY, 17)
    one.act(CANCEL, 18)
    one.advance(10)
    assert {(t.event, t.order) for t in one.news()} == {("CANCEL_ACK", 18), ("FOUND_CLOSED", 17)}


def test_a_new_run_begins_with_what_the_account_holds(
    venue: Callable[..., WireVenue], tmp_path: Path
) -> None:
    one = venue()
    one.act(PLACE, 17, side=BUY, tick=19_002, lots=300)
    one.advance(10)
    one.given["opening"] = tmp_path / "opening.json"
    for _ in range(2):
        again(one)
        one.act(QUERY, 0)
        one.advance(10)
        (told,) = [t for t in one.news() if t.event == "EXECUTION"]
        assert (told.order, told.side, told.lots) == (0, BUY, 300)
        assert told.price == pytest.approx(190.02, abs=0.01)
        assert min(int(row["ts"]) for row in one.rows) > one.broker.start_ts
        assert one.positions == {0: 300}


def test_positions_and_orders_of_others_are_told(venue: Callable[..., WireVenue]) -> None:
    one = venue()
    one.act(PLACE, 17, side=BUY, tick=18_990, lots=300)
    one.advance(10)
    other = one.broker
    one._broker(client_id=2)
    one.rows.clear()
    one.act(QUERY, 0)
    one.advance(10)
    kinds = [(int(r["kind"]), int(r["side"]), int(r["lots"])) for r in one.rows]
    assert (24, 0, 0) not in kinds
    assert [k[1:] for k in kinds if k[0] == 24] == [] or (24, BUY, 300) in kinds
    other.link.close()


@pytest.mark.parametrize("kind", [OrderType.PEG_PRIMARY, OrderType.PEG_MID, OrderType.PEG_BEST])
@pytest.mark.parametrize("offset", [0, 1])
def test_pegs_are_taken(kind: OrderType, offset: int, venue: Callable[..., WireVenue]) -> None:
    one = venue()
    one.act(PLACE, 17, side=BUY, tick=19_010, lots=200, order_type=kind, offset=offset)
    one.advance(10)
    assert [(t.event, t.tick, t.lots) for t in one.news()] == [("CONFIRM", 19_010, 200)]
    one.act(CANCEL, 17)
    one.advance(10)
    assert [t.event for t in one.news()] == ["CANCEL_ACK"]


def test_a_combination_is_sent_with_its_legs(venue: Callable[..., WireVenue]) -> None:
    spread = Contract(
        6, "AAPL", "other", "SMART", multiplier=100.0, negative_prices=True,
        ladders=(Ladder.flat("0.01"),),
    )  # fmt: skip
    one = venue(CHAIN, CONTRACTS)
    one.contracts = [*CONTRACTS, spread]
    again(one, legs={6: [Leg(1, 1), Leg(2, -1)]})
    one.act(PLACE, 17, inst=6, side=BUY, tick=30, lots=2)
    one.advance(10)
    assert [(t.event, t.inst, t.tick, t.lots) for t in one.news()] == [("CONFIRM", 6, 30, 2)]
    (order,) = (o for o in one.gateway.orders.orders.values() if o.live)
    legs = [one.gateway.reference.listings[i].con_id for i in (1, 2)]
    assert [(leg.con_id, leg.ratio, leg.action) for leg in order.spec.legs] == [
        (legs[0], 1, "BUY"), (legs[1], 1, "SELL"),
    ]  # fmt: skip
    one.act(CANCEL, 17)
    one.advance(10)
    assert [t.event for t in one.news()] == ["CANCEL_ACK"]
    one.act(PLACE, 18, inst=6, side=BUY, tick=60, lots=2)
    one.advance(10)
    filled = [t for t in one.news() if t.event == "EXECUTION"]
    assert [(t.inst, t.order, t.side, t.lots) for t in filled] == [(6, 18, BUY, 2)]
    assert filled[0].price == pytest.approx(0.5, abs=1e-9)
    one.act(QUERY, 0)
    one.advance(10)
    assert [one.positions[i] for i in (1, 2, 6)] == [0, 0, 2]


def test_a_book_that_contradicts_itself_is_asked_for_again(
    venue: Callable[..., WireVenue],
) -> None:
    one = venue()
    (line,) = (n for n, key in one.broker.feed.lines.items() if key == (0, "depth"))
    one.broker.router.updateMktDepth(line, 0, 1, 0, 100.0, 5.0)
    one.advance(1)
    assert one.sessions[-1] == "DATA_FRESH"
    one.advance(60)
    assert one.sessions[-1] == "DATA_STALE" and not one.shown()
    one.advance(1_100)
    assert one.sessions[-1] == "DATA_FRESH"
    assert one.shown()[0, 1, 19_000] == 500


def test_a_chain_takes_turns_on_few_lines_and_each_cell_keeps_its_time(
    venue: Callable[..., WireVenue],
) -> None:
    one = venue(CHAIN, CONTRACTS, budget=Budget(lines=3))
    cells, most = one.broker.feed.cells, 0
    for _ in range(200):
        one.advance(100)
        most = max(most, sum(s == "quotes" for _, s in one.broker.feed.lines.values()))
        times = [cell.ts for cell in cells[1:]]
    assert most == 3 and all(times), "all were seen"
    assert len(set(times)) > 2 and min(times) > one.now - 12_000_000_000
    assert one.served[1] - one.served[2] == 3, "what is over is ended"
    assert {(i, 300, 20) for i in range(1, 6)} == {
        (inst, tick, lots) for (inst, side, tick), lots in one.shown().items()
        if inst and side == BUY and tick == 300
    }  # fmt: skip


def test_no_message_is_lost_while_nobody_waits() -> None:
    """What came before the wait ends it at once."""
    live = Live([*MARKET, *trade(5_000, SELL, 19_000, 100)], [stock()], seconds=1.0)
    link = live.broker.inner.link
    live.venue.gateway.advance(live.broker.now + 1_200_000_000)
    for _ in range(5):
        link.poll()
    before = live.venue.loop.time()
    link.wait(live.broker.now + 10_000_000_000)
    assert live.venue.loop.time() - before < 1.0
    live.venue.close()
