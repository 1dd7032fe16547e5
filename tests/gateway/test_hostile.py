"""Hostile clients are sent away; the gateway and its other clients notice nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.hostile import Attacker, frames
from tests.gateway.wire_client import STOCK, WireClient

SERVER = """
import sys, time
from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
settings = GatewaySettings(messages_per_s=0, reuse_s=0.0, quirks=None)
with LocalGateway(SyntheticMarket(7, time.time_ns()), settings) as gateway:
    sys.stdout.write(f"{gateway.port}\\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(f"{gateway.gateway.internal_errors}\\n")
"""


class Witness:
    """An honest client: its order works on, its depth comes, its questions are answered."""

    def __init__(self, port: int) -> None:
        self.client = WireClient(port, client_id=1)
        self.client.place(1, limit=150.0, ref="witness")
        self.client.until(3)
        self.client.send(10, 5, 9, *STOCK, 5, True, "")
        self.client.now()
        self.rows = 0
        self.look()

    def look(self) -> None:
        """Raises where something is not as it should be."""
        said = self.client.now()
        self.rows += sum(f[0] == "13" for f in said)
        strange = [f for f in said if f[0] not in ("13", "4") or (f[0] == "4" and f[2] != "-1")]
        assert strange == []
        assert [f[3] for f in said if f[0] == "4" and f[3] not in ("2104", "2106", "2158")] == []
        self.client.send(5, 1)
        assert [self.client.until(k)[1] for k in (5, 3)] == ["1", "1"]
        self.client.until(53)


def attack(witness: Witness, port: int, seed: int, count: int, every: int = 50) -> Attacker:
    attacker = Attacker(port)
    for i, frame in enumerate(frames(seed, count)):
        if frame:
            attacker.attack(frame)
        if i % every == 0:
            witness.look()
    attacker.close()
    witness.look()
    return attacker


def test_hostile_frames_harm_nobody(open_gateway) -> None:
    gateway = open_gateway(messages_per_s=0, reuse_s=0.0)
    witness = Witness(gateway.port)
    attacker = attack(witness, gateway.port, seed=1, count=1_500)
    witness.client.socket.close()
    assert attacker.connections > 5
    assert gateway.gateway.internal_errors == 0


def test_what_goes_wrong_inside_is_said_and_harms_nobody(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    handlers = gateway.gateway._handlers
    handlers[81] = lambda session, fields: 1 / 0
    client.send(81, 1, "A")
    assert client.error(-1, 322)
    assert client.now() == []
    assert gateway.gateway.internal_errors == 1


def test_a_client_that_sends_too_fast_is_told_and_then_sent_away(open_gateway, connect) -> None:
    client = connect(open_gateway(messages_per_s=5))
    for _ in range(8):
        client.send(49, 1)
    codes = []
    while len(codes) < 3:
        codes += [f[3] for f in [client.read()] if f[0] == "4" and f[3] == "100"]
    assert client.closed()


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_flat_under_a_hundred_thousand_hostile_frames() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline())
        witness = Witness(port)
        sizes = []
        for seed in range(10):
            attack(witness, port, seed, 10_000, every=500)
            sizes.append(resident_kb(server.pid))
        witness.client.socket.close()
        server.stdin.close()
        assert int(server.stdout.readline()) == 0
    assert server.returncode == 0
    assert sizes[-1] < sizes[2] + 20_000, sizes
