"""The watchdog: what a run leaves at the gateway is cancelled, whatever the run dies of."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ib_async import IB

from mmquant.brokers.ibkr_sweep import Address, Swept
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import MMQuantError
from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from mmquant.live import watchdog
from mmquant.live.watchdog import LOG, OPEN, VERIFIED, Watchdog, act, watch
from tests.live.dying_run import place

START_NS = 1_790_000_000_000_000_000


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    asyncio.set_event_loop(one)
    yield one
    one.run_until_complete(asyncio.sleep(0))  # What hung up closes its sockets.
    one.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    settings = GatewaySettings(speed="step", quirks=None, reuse_s=0.2)
    with LocalGateway(SyntheticMarket(7, START_NS), settings) as served:
        served.advance(2_000_000_000)
        yield served


def live_references(gateway: LocalGateway) -> list[str]:
    orders = gateway.gateway.orders
    found = gateway.call(lambda: [o.spec.ref for o in orders.orders.values() if o.live])
    assert isinstance(found, list)
    return sorted(found)


@pytest.mark.parametrize(
    ("written", "ends", "how"),
    [
        (b"...q", False, "over"),
        (b".q", True, "over"),
        (b"..c", True, "called"),
        (b"..", True, "died"),
        (b"", True, "died"),
        (b"..", False, "silent"),
    ],
)
def test_the_pipe_tells_how_a_run_ended(written: bytes, ends: bool, how: str) -> None:
    out, into = os.pipe()
    os.write(into, written)
    if ends:
        os.close(into)
    with os.fdopen(out, "rb", buffering=0) as pipe:
        assert watch(pipe, 0.01) == how
    if not ends:
        os.close(into)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_left_is_cancelled_and_nothing_else(
    gateway: LocalGateway, tmp_path: Path, how: signal.Signals
) -> None:
    other = IB()
    other.connect("127.0.0.1", gateway.port, clientId=6)
    place(other, "by hand ", [184.0])
    folder = tmp_path / "dying"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.live.dying_run", str(folder), str(gateway.port), "60"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as run:  # fmt: skip
        assert run.stdout is not None and run.stderr is not None
        pid = int(run.stdout.readline())
        os.kill(pid, signal.SIGTERM)  # As when a service is stopped: it stays with its run.
        assert live_references(gateway) == [
            "by hand 1", "mm:dying:1", "mm:dying:2", "mm:dying:3",
        ]  # fmt: skip
        run.send_signal(how)
        run.stderr.read()  # The watchdog has it too: it ends with the watchdog.
        assert run.wait() == -how
    assert live_references(gateway) == ["by hand 1"]
    told = (folder / LOG).read_text()
    assert "the run died" in told and "nothing is open (3 cancelled)" in told
    assert "DU" not in told, "no account is named"
    assert not RunFolder(folder).kill_file.exists(), "it may be started again"
    other.disconnect()


def test_a_run_that_hangs_keeps_its_number_so_the_whole_account_is_cancelled(
    gateway: LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LAST_CHANCE_S", 0.0)
    hung = IB()
    hung.connect("127.0.0.1", gateway.port, clientId=5)
    place(hung, "mm:hung:", [185.0, 186.0])
    folder = RunFolder(tmp_path / "hung")
    folder.path.mkdir()
    said: list[str] = []
    address = Address("127.0.0.1", gateway.port, 5, "hung")
    assert act("silent", folder, address, said.append) == VERIFIED
    assert live_references(gateway) == []
    assert folder.kill_file.read_text() == "watchdog: the run stood still\n"
    assert "the broker is asked to cancel all orders of the account" in said
    hung.disconnect()


class Sweeps:
    """In place of the real sweep: finds ``verified`` or not, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, verified: bool) -> None:
        self.calls, self._found = 0, Swept(clean_looks=2 if verified else 0)
        monkeypatch.setattr(watchdog, "sweep", self)
        monkeypatch.setattr(watchdog, "LOCK_S", 0.0)

    def __call__(self, address: Address, **how: object) -> Swept:
        self.calls += 1
        return self._found


ADDRESS = Address("127.0.0.1", 1, 5, "run")


def test_a_run_that_was_started_again_is_left_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps, holder = Sweeps(monkeypatch, verified=True), RunFolder(tmp_path)
    holder.hold()
    assert act("died", RunFolder(tmp_path), ADDRESS, lambda _: None) == VERIFIED
    assert sweeps.calls == 0
    holder.let_go()
    assert act("died", RunFolder(tmp_path), ADDRESS, lambda _: None) == VERIFIED
    assert sweeps.calls == 1
    assert not holder.kill_file.exists()
    assert not holder.is_running, "it is let go"


def test_orders_that_may_be_open_keep_the_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sweeps(monkeypatch, verified=False)
    folder, said = RunFolder(tmp_path), []
    assert act("died", folder, ADDRESS, said.append) == OPEN
    assert folder.kill_file.exists()
    assert "ORDERS MAY BE OPEN" in said[-1]


def test_it_is_dismissed_and_its_end_is_noticed(tmp_path: Path) -> None:
    dog = Watchdog(RunFolder(tmp_path), ADDRESS)
    dog.beat(0)
    dog.dismiss()
    assert not dog.failed
    dog.beat(1 << 62)
    assert dog.failed, "a run without a watchdog is told so"
    assert not (tmp_path / LOG).exists()


def test_one_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MMQuantError, match="did not start"):
        Watchdog(RunFolder(tmp_path), ADDRESS)
