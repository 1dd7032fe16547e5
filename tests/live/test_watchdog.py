"""The watchdog: what a run leaves at the gateway is cancelled, whatever the run dies of."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ib_async import IB

from mmquant.brokers import ibkr_last_resort
from mmquant.brokers.ibkr_last_resort import Address, LastResort
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import MMQuantError
from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from mmquant.live import watchdog_process
from mmquant.live.watchdog import Watchdog
from mmquant.live.watchdog_process import End, act, watch
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
    ("came", "end"),
    [
        ([b".", b"..", b"q"], End.STOOD_DOWN),
        ([b".q", b""], End.STOOD_DOWN),
        ([b".", b""], End.DIED),
        ([b""], End.DIED),
        ([b".", None, b"."], End.HANGS),
    ],
)
def test_the_pipe_tells_how_a_run_ended(came: list[bytes | None], end: End) -> None:
    waits: list[float] = []

    def read(seconds: float) -> bytes | None:
        waits.append(seconds)
        return came[len(waits) - 1]

    assert watch(read, 3.0) == end
    assert set(waits) == {3.0}


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
        assert run.stdout.readline() == b"placed\n", run.stderr.read()
        assert live_references(gateway) == [
            "by hand 1", "mm:dying:1", "mm:dying:2", "mm:dying:3",
        ]  # fmt: skip
        run.send_signal(how)
        run.stderr.read()  # The watchdog has it too: it ends with the watchdog.
        assert run.wait() == -how
    assert live_references(gateway) == ["by hand 1"]
    told = (folder / "watchdog.log").read_text()
    assert "the run has died" in told and "verified" in told
    assert "DU" not in told, "no account is named"
    assert not RunFolder(folder).kill_file.exists(), "it may be started again"
    other.disconnect()


def test_a_run_that_hangs_keeps_its_number_so_the_whole_account_is_cancelled(
    gateway: LocalGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loop: asyncio.AbstractEventLoop,
) -> None:
    monkeypatch.setattr(ibkr_last_resort, "CONNECT_S", 0.7)
    hung = IB()
    hung.connect("127.0.0.1", gateway.port, clientId=5)
    place(hung, "mm:hung:", [185.0, 186.0])
    folder = RunFolder(tmp_path / "hung")
    folder.path.mkdir()
    notes: list[str] = []
    resort = LastResort(Address("127.0.0.1", gateway.port, 5), "hung", notes.append)
    assert act(End.HANGS, folder, resort, notes.append)
    assert live_references(gateway) == []
    assert folder.kill_file.read_text() == "watchdog: the run hung\n"
    assert any("another client number" in note for note in notes)
    asyncio.set_event_loop(loop)
    hung.client.disconnect()


class Resort:
    """Counts its calls; ``verified`` is what it finds."""

    def __init__(self, verified: bool) -> None:
        self.calls, self._verified = 0, verified

    async def cancel_all(self, give_up_s: float, *, number_taken: bool) -> bool:
        self.calls += 1
        return self._verified


def test_a_run_that_was_started_again_is_left_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, resort = RunFolder(tmp_path), Resort(True)
    holder.hold()
    assert act(End.DIED, RunFolder(tmp_path), resort, lambda _: None)  # type: ignore[arg-type]
    assert resort.calls == 1, "the process lives and has the folder: it has given up, not died"
    monkeypatch.setattr(watchdog_process, "_parent_is_gone", lambda: True)
    assert act(End.DIED, RunFolder(tmp_path), resort, lambda _: None)  # type: ignore[arg-type]
    assert resort.calls == 1
    holder.let_go()


def test_orders_that_may_be_open_keep_the_run_from_starting(tmp_path: Path) -> None:
    folder, notes = RunFolder(tmp_path), []
    assert not act(End.DIED, folder, Resort(False), notes.append)  # type: ignore[arg-type]
    assert folder.kill_file.exists()
    assert "ORDERS MAY STILL BE OPEN" in notes[-1]


def test_it_is_stood_down_and_its_end_is_noticed(tmp_path: Path) -> None:
    with Watchdog(tmp_path / "run", host="127.0.0.1", port=1, client_id=5) as dog:
        assert dog.beat()
        dog.stand_down()
        assert dog.wait(60) == 0
        dog._next_beat = 0.0
        assert not dog.beat(), "a run without a watchdog is told so"
    assert not (tmp_path / "run" / "watchdog.log").exists()


def test_a_watchdog_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    dog = Watchdog(tmp_path, host="127.0.0.1", port=1, client_id=5)
    with pytest.raises(MMQuantError, match="did not start"):
        dog.__enter__()
