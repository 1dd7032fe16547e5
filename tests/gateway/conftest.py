"""Gateways in a thread of their own, and clients that speak the wire by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import Market, SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from tests.gateway.market_rows import HandMarket
from tests.gateway.wire_client import WireClient

START_NS = 1_790_000_000_000_000_000
"""2026-09-21 14:13:20 UTC."""


@pytest.fixture
def open_gateway() -> Iterator[Callable[..., LocalGateway]]:
    """Opens gateways whose market stands still until it is advanced."""
    with ExitStack() as stack:

        def open_one(market: Market | None = None, **settings: object) -> LocalGateway:
            given = {"speed": "step", "quirks": None, **settings}
            source = market or SyntheticMarket(7, START_NS)
            return stack.enter_context(LocalGateway(source, GatewaySettings(**given)))

        yield open_one


@pytest.fixture
def connect() -> Iterator[Callable[..., WireClient]]:
    """Connects wire clients, and closes them."""
    with ExitStack() as stack:

        def connect_one(gateway: LocalGateway, **options: object) -> WireClient:
            return stack.enter_context(WireClient(gateway.port, **options))

        yield connect_one


@pytest.fixture
def desk(open_gateway, connect):
    """A gateway over the market by hand with some rows more, and a client."""

    def open_desk(*rows, **settings):
        gateway = open_gateway(market=HandMarket(*rows), **settings)
        client = connect(gateway)
        client.now()
        return gateway, client

    return open_desk
