"""Handshake, start, and what a client is told first."""

from __future__ import annotations

import asyncio

import pytest

from mmquant.errors import UsageError
from mmquant.gateway.server import Gateway, GatewaySettings
from tests.gateway.market_rows import HandMarket


@pytest.mark.parametrize(
    ("versions", "agreed"),
    [("v157..178", 178), ("v100..226", 178), ("v100..157", 157), ("v100..158", 157),
     ("v157..163 +PACEAPI", 163)],
)  # fmt: skip
def test_the_highest_common_version_is_spoken(open_gateway, connect, versions, agreed) -> None:
    client = connect(open_gateway(), versions=versions)
    assert client.version == agreed
    assert client.accounts == ["15", "1", "DU1234567"]
    assert client.next_id == 1


@pytest.mark.parametrize("hello", ["v100..150", "v200..226", "hello", "v", "v1e3..178"])
def test_a_client_of_other_versions_is_sent_away(open_gateway, connect, hello) -> None:
    client = connect(open_gateway(), start=False)
    client.raw(b"API\0" + len(hello).to_bytes(4, "big") + hello.encode())
    assert client.closed()


def test_a_client_id_is_used_once(open_gateway, connect) -> None:
    gateway = open_gateway()
    first = connect(gateway, client_id=4)
    second = connect(gateway, start=False)
    second.raw(b"API\0\0\0\0\x09v157..178")
    second.read()
    second.send(71, 2, 4, "")
    assert second.error(-1)[3] == "326"
    assert second.closed()
    assert first.now() is not None


def test_split_and_joined_frames_are_read(open_gateway, connect) -> None:
    client = connect(open_gateway(), start=False)
    for byte in b"API\0\0\0\0\x09v157..178":
        client.raw(bytes([byte]))
    assert client.read()[0] == "178"
    client.raw(b"\0\0\0\x0771\x002\x005\0\0\0\0\0\x0549\x001\0\0\0\0\x0549\x001\0"[:11])
    assert client.until(9)[2] == "1"


def test_the_wire_is_not_served_to_other_machines() -> None:
    import asyncio

    from mmquant.errors import UsageError
    from mmquant.gateway.market import SyntheticMarket
    from mmquant.gateway.server import Gateway
    from tests.gateway.conftest import START_NS

    gateway = Gateway(SyntheticMarket(7, START_NS))
    with pytest.raises(UsageError, match="other machines"):
        asyncio.run(gateway.start(0, "0.0.0.0"))


def test_a_port_that_is_taken_is_told(open_gateway) -> None:
    gateway = open_gateway()
    other = Gateway(HandMarket(), GatewaySettings(speed="step"))
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{gateway.port}"):
        asyncio.run(other.start(gateway.port))
