"""Contracts, quotes, depth, ticks, greeks and history by the wire."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest
from mpmath import mpf

from mmquant.core.dtypes import RowKind
from mmquant.gateway.chain import expiry_day
from mmquant.gateway.clock import close_ns
from mmquant.gateway.market import SyntheticMarket
from tests.gateway.conftest import START_NS
from tests.gateway.wire_client import STOCK
from tests.oracles.european import spot_rows

SECOND = 1_000_000_000


def option_fields(gateway, inst: int) -> tuple[object, ...]:
    return (gateway.gateway.reference.listings[inst].con_id, *STOCK[1:2], "OPT", *STOCK[3:])


def test_details_name_rules_for_each_venue(open_gateway, connect) -> None:
    client = connect(open_gateway())
    client.send(9, 8, 1, *STOCK, False, "", "", "")
    found = client.until(10)
    assert found[12] == "265598"
    assert float(found[13]) == 0.01
    venues = found[16].split(",")
    rules = next(f for f in found if f.startswith("26,")).split(",")
    assert len(rules) == len(venues)
    client.until(52)
    client.send(91, int(rules[0]))
    assert client.until(93)[1:] == ["26", "1", "0", "0.01"]


@pytest.mark.parametrize(("version", "extra"), [("157", 2), ("163", 3), ("164", 3), ("178", 3)])
def test_details_of_each_version_have_their_fields(open_gateway, connect, version, extra) -> None:
    client = connect(open_gateway(), versions=f"v100..{version}")
    fields = [9, 8, 1, *STOCK, False, "", ""] + ([""] if int(version) >= 176 else [])
    client.send(*fields)
    found = client.until(10)
    at = found.index("265598")
    assert found[at - 10] == "AAPL"
    assert (found[1] == "8") == (int(version) < 164)
    assert (found[at + 2] == "100") == (int(version) < 164)


def test_unknown_and_ambiguous_contracts_are_errors(open_gateway, connect) -> None:
    client = connect(open_gateway())
    client.send(9, 8, 1, 0, "NOPE", *STOCK[2:], False, "", "", "")
    assert client.error(1)[3] == "200"
    client.send(1, 11, 2, 0, "AAPL", "OPT", *STOCK[3:], False, "", False, False, "")
    assert "ambiguous" in client.error(2, 200)[4]
    client.send(12345, 1)
    assert client.error(-1, 505)


def test_option_parameters_are_those_of_the_chain(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(78, 4, "AAPL", "", "STK", 265598)
    found = client.until(75)
    assert found[2:6] == ["SMART", "265598", "AAPL", "100"]
    assert found[6] == "2"
    strikes = [float(x) for x in found[10:]]
    assert len(strikes) == int(found[9]) == 21
    client.until(76)


def replay(rows: list[list[str]], shift: bool) -> tuple[list, list]:
    """Both sides of a book after depth messages, under one reading of an insert and a delete."""
    sides: tuple[list, list] = ([], [])
    for row in rows:
        place, operation, side = int(row[3]), int(row[5]), int(row[6])
        level, book = (row[7], row[8]), sides[side]
        if operation == 0 and (shift or place >= len(book)):
            book.insert(place, level)
        elif operation == 2:
            assert place == len(book) - 1
            del book[place]
        else:
            book[place] = level
    return sides


def test_depth_is_the_book_under_both_readings(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(10, 5, 3, *STOCK, 5, True, "")
    for _ in range(20):
        gateway.advance(SECOND // 2)
        client.now()
        rows = [f for f in client.seen if f[0] == "13"]
        asks, bids = replay(rows, shift=True)
        assert replay(rows, shift=False) == (asks, bids)
        told = gateway.gateway.floor.watch[0]
        one = gateway.gateway.reference.listings[0]
        for k, side in ((0, bids), (1, asks)):
            levels = zip(told["tick"][k][:5], told["lots"][k][:5], strict=True)
            assert side == [(repr(one.price(int(t))), str(int(n))) for t, n in levels]
        prices = [float(p) for p, _ in reversed(asks)] + [float(p) for p, _ in bids]
        assert prices == sorted(prices, reverse=True)
    client.send(11, 1, 3, False)
    assert client.error(3, 310)
    client.send(11, 1, 3, True)
    gateway.advance(SECOND)
    assert [f for f in client.now() if f[0] == "13"] == []


def test_two_watchers_of_different_depth_see_the_same_rows(open_gateway, connect) -> None:
    gateway = open_gateway()
    first, second = connect(gateway, client_id=1), connect(gateway, client_id=2)
    first.send(10, 5, 1, *STOCK, 3, True, "")
    first.now()
    second.send(10, 5, 1, *STOCK, 10, True, "")
    second.now()
    gateway.advance(5 * SECOND)
    first.now(), second.now()
    few = replay([f for f in first.seen if f[0] == "13"], shift=True)
    many = replay([f for f in second.seen if f[0] == "13"], shift=True)
    assert [side[:3] for side in many] == list(few)


def test_quotes_are_conflated_and_ticks_are_not(open_gateway, connect) -> None:
    gateway = open_gateway(market=SyntheticMarket(7, START_NS, rate_scale=20.0))
    client = connect(gateway)
    client.send(1, 11, 1, *STOCK, False, "", False, False, "")
    client.send(97, 2, *STOCK, "BidAsk", 0, False)
    client.now()
    gateway.advance(SECOND)
    said = client.now()
    prices = [f for f in said if f[0] == "1" and f[3] == "1"]
    ticks = [f for f in said if f[0] == "99"]
    assert len(prices) <= 4
    assert len(ticks) > 40
    low, high = (gateway.gateway.floor.touch(0)[i] * 0.01 for i in (0, 2))
    assert [float(x) for x in ticks[-1][4:6]] == pytest.approx([low, high], abs=1e-9)


def test_every_trade_is_told(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(97, 2, *STOCK, "AllLast", 0, False)
    client.now()
    gateway.advance(10 * SECOND)
    told = [float(f[5]) for f in client.now() if f[0] == "99"]
    rows = []
    for chunk in SyntheticMarket(7, START_NS).chunks():
        tape = chunk.tape
        wanted = (tape.kind == int(RowKind.TRADE)) & (tape.inst == 0)
        wanted &= tape.exch_ts <= START_NS + 10 * SECOND
        rows += tape.size[wanted].tolist()
        if chunk.until > START_NS + 10 * SECOND:
            break
    assert told == rows
    assert len(told) > 10


def test_greeks_are_those_of_the_closed_form(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(1, 11, 1, *option_fields(gateway, 21), False, "", False, False, "")
    model = client.until(21, lambda f: f[2] == "13")
    vol, delta, price, _, gamma, vega, theta, spot = (float(x) for x in model[4:])
    one = gateway.gateway.reference.listings[21]
    years = gateway.gateway.quotes.greeks._years(one)
    inputs = [mpf(x) for x in (spot, one.strike, years, vol, 0, 0)]
    exact = [float(x) for x in spot_rows(1 if one.right == "C" else -1, *inputs)]
    assert [price, delta, gamma] == pytest.approx(exact[:3], abs=1e-8)
    assert [100.0 * vega, 365.0 * theta] == pytest.approx(exact[3:5], abs=1e-6)
    client.send(55, 3, 7, *option_fields(gateway, 21), vol, spot, 0, "")
    assert float(client.until(21, lambda f: f[1] == "7")[6]) == pytest.approx(price, abs=1e-6)
    client.send(54, 3, 8, *option_fields(gateway, 21), price, spot, 0, "")
    assert float(client.until(21, lambda f: f[1] == "8")[4]) == pytest.approx(vol, abs=1e-6)


@pytest.mark.parametrize(
    ("request_of", "most", "code"),
    [(lambda i: (1, 11, i, *STOCK, False, "", False, False, ""), 4, 101),
     (lambda i: (10, 5, i, *STOCK, 5, True, ""), 3, 309),
     (lambda i: (97, i, *STOCK, "Last", 0, False), 1, 10190)],
)  # fmt: skip
def test_limits_of_subscriptions(open_gateway, connect, request_of, most, code) -> None:
    client = connect(open_gateway(lines=4))
    for i in range(most + 1):
        client.send(*request_of(10 + i))
    assert client.error(10 + most)[3] == str(code)
    client.send(*request_of(10))
    assert client.error(10)[3] == "322"


def test_options_have_no_tick_by_tick_data(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(97, 2, *option_fields(gateway, 5), "Last", 0, False)
    assert client.error(2, 10189)


def bars_of(fields: list[str]) -> np.ndarray:
    return np.array(fields[5:]).reshape(-1, 8)


def ask_bars(client, size="1 min", duration="1800 S", what="TRADES", req_id=1) -> np.ndarray:
    client.send(20, req_id, *STOCK, False, "", size, duration, False, what, 2, False, "")
    return bars_of(client.until(17))


def test_bars_join_and_the_past_does_not_change(open_gateway, connect) -> None:
    gateway = open_gateway(market=SyntheticMarket(7, START_NS, rate_scale=10.0))
    client = connect(gateway)
    before = ask_bars(client)
    assert len(before) == 30
    gateway.advance(120 * SECOND)
    after = ask_bars(client, duration="1920 S")
    shared = [row for row in after.tolist() if row[0] in before[:-1, 0]]
    assert shared == before[1 : 1 + len(shared)].tolist() or shared == before[:-1].tolist()
    fine = ask_bars(client, size="5 secs", duration="60 S", what="MIDPOINT", req_id=2).astype(float)
    whole = ask_bars(client, what="MIDPOINT", duration="120 S", req_id=3).astype(float)
    minute = whole[-2]
    inside = fine[(fine[:, 0] >= minute[0]) & (fine[:, 0] < minute[0] + 60)]
    assert inside[:, 2].max() <= minute[2]
    assert inside[:, 3].min() >= minute[3]
    assert math.isclose(inside[-1, 4], minute[4])
    client.send(20, 4, *STOCK, False, "", "5 secs", "60 S", False, "MIDPOINT", 2, False, "")
    assert "pacing violation" in client.error(4, 162)[4]
    client.send(20, 5, *STOCK, False, "", "5 secs", "9 Y", False, "BID", 2, False, "")
    assert client.error(5, 162)


def test_real_time_bars_come_every_five_seconds(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    client.send(50, 3, 1, *STOCK, 5, "MIDPOINT", False, "")
    client.now()
    gateway.advance(31 * SECOND)
    starts = [int(f[3]) for f in client.now() if f[0] == "50"]
    assert np.diff(starts).tolist() == [5] * 5
    client.send(51, 1, 1)
    client.now()
    gateway.advance(10 * SECOND)
    assert [f for f in client.now() if f[0] == "50"] == []


@pytest.mark.parametrize(("what", "kind", "width"), [("TRADES", 98, 6), ("BID_ASK", 97, 6),
                                                      ("MIDPOINT", 96, 4)])  # fmt: skip
def test_historical_ticks_are_the_last_ones(open_gateway, connect, what, kind, width) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    gateway.advance(30 * SECOND)
    client.send(96, 1, *STOCK, False, "", "20991231 00:00:00", 5, what, False, False, "")
    found = client.until(kind)
    assert found[2] == "5"
    assert len(found) == 4 + 5 * width
    times = [int(x) for x in found[3:-1:width]]
    assert times == sorted(times)
    assert times[-1] <= (START_NS + 30 * SECOND) // SECOND


def test_the_market_is_the_same_for_a_seed_and_never_crossed(open_gateway) -> None:
    first, second = (SyntheticMarket(3, START_NS).chunks() for _ in range(2))
    for _ in range(20):
        one, two = next(first), next(second)
        for a, b in zip(one.tape, two.tape, strict=True):
            assert np.array_equal(a, b)
    gateway = open_gateway(market=SyntheticMarket(3, START_NS))
    for _ in range(60):
        gateway.advance(SECOND)
        touches = [gateway.gateway.floor.touch(i) for i in range(85)]
        assert all(bid < ask for bid, _, ask, _ in touches)
        model = gateway.gateway.market.prices(gateway.gateway.floor.now)
        listings = gateway.gateway.reference.listings
        for i in range(1, 85):
            low, high = listings[i].price(touches[i][0]), listings[i].price(touches[i][2])
            assert low < model[i - 1] < high


@pytest.mark.parametrize(
    ("start", "expiry", "cease"),
    [("2026-09-21", "2026-10-23", "2026-10-23T20:00"), ("2026-11-29", "2026-12-31",
      "2026-12-31T21:00"), ("2026-11-22", "2026-12-24", "2026-12-24T18:00")],
)  # fmt: skip
def test_options_expire_on_days_of_trading(start, expiry, cease) -> None:
    """A Friday; New Year and Christmas, the latter with an early close."""
    day = expiry_day(datetime.date.fromisoformat(start), 30)
    assert day.isoformat() == expiry
    assert np.datetime64(close_ns(day), "ns") == np.datetime64(cease)
