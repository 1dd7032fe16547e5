"""The clock: by the wall, as fast as clients read, or step by step; slow clients hold up nobody."""

from __future__ import annotations

import pytest

import mmquant.gateway.server as server
import mmquant.gateway.session as session
from mmquant.errors import UsageError
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from tests.gateway.conftest import START_NS
from tests.gateway.market_rows import HandMarket
from tests.gateway.wire_client import STOCK

SECOND = 1_000_000_000


def test_by_the_wall_clock_the_market_moves_by_itself(open_gateway, connect) -> None:
    gateway = open_gateway(speed="1x")
    client = connect(gateway)
    client.send(97, 2, *STOCK, "BidAsk", 0, False)
    for _ in range(20):
        client.until(99)
    passed = gateway.gateway.floor.now - START_NS
    assert 0 < passed <= gateway.gateway.now() - START_NS


def test_at_full_speed_it_waits_for_clients(open_gateway, connect) -> None:
    gateway = open_gateway(speed="max")
    assert gateway.gateway.floor.now == START_NS
    client = connect(gateway)
    client.send(97, 2, *STOCK, "BidAsk", 0, False)
    client.until(99, lambda f: int(f[3]) > START_NS // SECOND + 60)
    client.place(1, kind="MKT")
    assert client.until(3, lambda f: f[2] == "Filled")


def test_at_full_speed_a_client_that_does_not_read_is_sent_away(
    open_gateway, connect, monkeypatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_S", 0.3)
    gateway = open_gateway(market=SyntheticMarket(7, START_NS, rate_scale=200.0), speed="max")
    deaf, reader = connect(gateway, client_id=1), connect(gateway, client_id=2)
    for client in (deaf, reader):
        client.send(10, 5, 1, *STOCK, 10, True, "")
    while len(gateway.gateway.clients()) == 2:
        reader.read()
    assert [one.client_id for one in gateway.gateway.clients()] == [2]
    reader.until(13)


def test_what_a_client_leaves_unread_is_bounded(open_gateway, connect, monkeypatch) -> None:
    monkeypatch.setattr(session, "MAX_UNSENT", 1 << 20)
    gateway = open_gateway(market=SyntheticMarket(7, START_NS, rate_scale=400.0))
    deaf = connect(gateway)
    deaf.send(10, 5, 1, *STOCK, 20, True, "")
    for _ in range(400):
        gateway.advance(SECOND)
        if not gateway.gateway.clients():
            break
    assert gateway.gateway.clients() == []


def test_a_market_that_fails_closes_the_gateway(open_gateway, connect) -> None:
    class Broken(HandMarket):
        def chunks(self):
            yield from super().chunks()
            raise RuntimeError("no more rows")

    gateway = open_gateway(market=HandMarket(), speed="1x")
    client = connect(gateway)
    gateway.call(lambda: setattr(gateway.gateway.floor, "_live", lambda until: 1 / 0))
    assert client.closed()
    with pytest.raises(RuntimeError):
        open_gateway(market=Broken())


def test_a_speed_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError):
        GatewaySettings(speed="2x")
