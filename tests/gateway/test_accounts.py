"""Positions, cash, margin and profits by the wire."""

from __future__ import annotations

import pytest

from tests.gateway.market_rows import DEPTH, SECOND, TRADE, HandMarket
from tests.gateway.test_orders import errors, option


@pytest.fixture
def desk(open_gateway, connect):
    rows = ((5, 0, DEPTH, 1, 10_000, 0), (5, 0, DEPTH, 1, 9_999, 0), (5, 0, DEPTH, 1, 9_900, 500))
    gateway = open_gateway(market=HandMarket(*rows, (5, 0, TRADE, -1, 9_999, 10)), cash=50_000.0)
    client = connect(gateway)
    client.now()
    return gateway, client


def summary(client, tags="NetLiquidation,TotalCashValue,AvailableFunds,BuyingPower"):
    client.send(62, 1, 9, "All", tags)
    start = len(client.seen)
    client.until(64)
    return {f[4]: float(f[5]) for f in client.seen[start:] if f[0] == "63" and f[6] == "USD"}


def test_a_round_trip_realizes_what_it_earned_less_fees(desk) -> None:
    gateway, client = desk
    client.send(61, 1)
    client.until(62)
    client.place(1, quantity=100, kind="MKT")
    bought = client.until(61)
    assert bought[4:6] == ["265598", "AAPL"][:2] or bought[3:5] == ["265598", "AAPL"]
    assert [float(x) for x in bought[-2:]] == [100, 100.01]
    first = float(client.until(59)[3])
    client.place(2, "SELL", quantity=100, kind="MKT")
    sold = client.until(61)
    assert [float(x) for x in sold[-2:]] == [0, 0]
    report = client.until(59)
    second, realized = float(report[3]), float(report[5])
    assert realized == pytest.approx(-1.0 - second)
    cash = gateway.gateway.accounts.cash
    assert cash == pytest.approx(50_000 - 1.0 - first - second)
    assert summary(client)["NetLiquidation"] == pytest.approx(cash, abs=0.01)


def test_margin_binds_half_a_stock_and_a_fifth_under_a_short_option(desk) -> None:
    _, client = desk
    client.place(1, quantity=100, kind="MKT")
    client.until(59)
    values = summary(client)
    assert values["AvailableFunds"] == pytest.approx(50_000 - 0.5 * 100 * 100.005, abs=2.0)
    client.place(2, "SELL", quantity=1, kind="MKT", contract=option(2))
    client.until(59)
    more = 0.2 * 100 * 100.005 + 100 * 2.025
    after = summary(client)["AvailableFunds"]
    assert values["AvailableFunds"] - after == pytest.approx(more, abs=5.0)
    client.place(3, quantity=1_000, limit=99.0)
    assert "Available Funds" in client.error(3, 201)[4]


def test_account_updates_come_with_the_fill(desk) -> None:
    gateway, client = desk
    client.send(6, 2, True, "DU1234567")
    client.until(54)
    client.place(1, quantity=100, kind="MKT")
    held = client.until(7)
    assert (held[3], float(held[13]), float(held[16])) == ("AAPL", 100, 100.01)
    client.now()
    gateway.advance(SECOND)
    tags = {f[2]: f[3] for f in client.now() if f[0] == "6"}
    assert float(tags["TotalCashValue"]) < 40_000
    client.send(76, 1, 4, "DU1234567", "", False)
    client.until(74)
    assert any(f[5] == "NetLiquidation" for f in client.seen if f[0] == "73")


def test_profits_are_told_once_a_second(desk) -> None:
    gateway, client = desk
    client.place(1, quantity=100, kind="MKT")
    client.send(92, 5, "DU1234567", "")
    client.send(94, 6, "DU1234567", "", 265598)
    client.now()
    gateway.advance(6 * SECOND)
    said = client.now()
    account = [f for f in said if f[0] == "94"]
    single = [f for f in said if f[0] == "95"]
    assert len(account) == len(single) == 6
    assert float(single[-1][4]) == pytest.approx(100 * (0.5 * (99.00 + 100.01) - 100.01))
    assert float(single[-1][2]) == 100
    client.send(93, 5), client.send(95, 6)
    client.now()
    gateway.advance(3 * SECOND)
    assert [f for f in client.now() if f[0] in ("94", "95")] == []


def test_what_is_not_there_is_an_error(desk) -> None:
    _, client = desk
    client.send(94, 6, "DU1234567", "", 1)
    client.send(91, 999)
    client.send(2, 1, 77)
    client.send(98, 78)
    client.send(25, 1, 79)
    assert errors(client.now()) == [321, 300, 300, 366]
