"""A live run by `LiveRun` at the gateway: dry, on paper, stepwise, and gone on with."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mmquant as mm
from mmquant.core.dtypes import ActionKind
from mmquant.data.store.journal_format import FrameKind
from mmquant.data.store.journal_reader import read_journal
from mmquant.errors import LockedError, UsageError
from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from mmquant.live.runner import LiveRun
from mmquant.live.status import Quoted, Status
from tests.live.test_modes import AAPL

pytestmark = pytest.mark.compiled
ACCOUNT = "DU1234567"
ORDER_REQUESTS = (3, 4, 58)
MOST_S = 60.0
STEP_S = 0.05


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    asyncio.set_event_loop(one)
    yield one
    one.run_until_complete(asyncio.sleep(0))
    one.close()
    asyncio.set_event_loop(None)


class Rig:
    """A gateway in this process whose market lives at the wall clock's pace, and runs at it."""

    def __init__(self, folder: Path, account: str = ACCOUNT) -> None:
        market = SyntheticMarket(7, time.time_ns(), rate_scale=4.0)
        settings = GatewaySettings(speed="1x", quirks=None, account=account, reuse_s=0.2)
        self.local = LocalGateway(market, settings)
        self.served: Counter[int] = Counter()
        serve = self.local.gateway.serve

        def counted(session: Any, kind: int, fields: Any) -> None:
            self.served[kind] += 1
            serve(session, kind, fields)

        self.local.gateway.serve = counted  # type: ignore[method-assign]
        self.folder = folder

    def run(self, mode: str, name: str = "run", *sets: str, **given: Any) -> LiveRun:
        config = mm.Config.load(AAPL, env={}, sets=[f"ibkr.port={self.local.port}", *sets])
        return LiveRun(config, mode=mode, folder=self.folder / name, **given)

    def open(self) -> int:
        orders = self.local.gateway.orders
        return int(self.local.call(lambda: sum(o.live for o in orders.orders.values())))  # type: ignore[call-overload]

    def position(self) -> int:
        accounts = self.local.gateway.accounts
        return int(self.local.call(lambda: accounts.holdings[0].quantity))  # type: ignore[call-overload]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    one = Rig(tmp_path)
    with one.local:
        yield one


def until(run: LiveRun, what: Callable[[Status], bool]) -> Status:
    """Run on, step by step, until the status is such."""
    for _ in range(round(MOST_S / STEP_S)):
        run.run(for_s=STEP_S)
        if what(status := run.status()):
            return status
    raise AssertionError("it did not come about")


def two_sided(status: Status) -> bool:
    one = status.instruments[0]
    return one.own_bid > 0 and one.own_ask > 0


def actions(folder: Path) -> Counter[ActionKind]:
    kinds: Counter[ActionKind] = Counter()
    for segment in read_journal(folder / "journal"):
        for frame in segment.frames():
            if frame.kind == FrameKind.STEP:
                kinds.update(ActionKind(int(kind)) for kind in frame.actions["kind"])
    return kinds


def test_a_dry_run_decides_journals_and_sends_nothing(rig: Rig) -> None:
    with rig.run("dry-run") as run:
        status = until(run, two_sided)
        assert status.live_orders == 2
    assert run.verified and run.status().live_orders == 0
    assert [rig.served[kind] for kind in ORDER_REQUESTS] == [0, 0, 0]
    told = actions(run.folder.path)
    assert told[ActionKind.PLACE] >= 2 and told[ActionKind.CANCEL] == 2
    assert mm.replay_journal(run.folder.path).summary["fills"] == 0


def test_a_paper_run_trades_ends_with_nothing_open_and_goes_on(
    rig: Rig, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    with rig.run("paper", on_status=lambda status: lines.append(status.line())) as run:
        until(run, lambda status: status.fills >= 2 and two_sided(status))
        assert rig.open() > 0 and any("pos" in line for line in lines)
        with pytest.raises(LockedError, match="running"):
            rig.run("paper")
    assert run.verified and rig.open() == 0
    first = run.status()
    assert first.instruments[0].position == rig.position()
    replayed = mm.replay_journal(run.folder.path)
    assert replayed.summary["fills"] == first.fills
    notes = " ".join(replayed.manifest["notes"])
    assert "the broker's own" in notes
    assert "market impact" not in notes and "Queue positions" not in notes

    with rig.run("paper") as again:
        assert again.recovered is not None and again.recovered.in_order
        assert again.status().instruments[0].position == first.instruments[0].position
        until(again, lambda status: status.fills > first.fills)
    assert again.verified and rig.open() == 0
    assert again.status().instruments[0].position == rig.position()

    for file in (f for f in rig.folder.rglob("*") if f.is_file()):
        assert ACCOUNT.encode() not in file.read_bytes(), file
    heard = capfd.readouterr()
    assert ACCOUNT not in caplog.text + heard.out + heard.err + "".join(lines)

    with pytest.raises(UsageError, match="no dry-run run"):
        rig.run("dry-run")
    with pytest.raises(UsageError, match="another configuration"):
        rig.run("paper", "run", "seed=9")


def test_a_run_is_not_taken_for_an_earlier_one_of_its_name(rig: Rig) -> None:
    with rig.run("paper") as run:
        until(run, lambda status: status.fills >= 1)
    run.folder.path.rename(rig.folder / "kept")
    with pytest.raises(UsageError, match="earlier run named 'run'"):
        rig.run("paper")


def test_what_dies_leaves_nothing_open(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    run = rig.run("paper")
    until(run, two_sided)

    def fails(status: Status) -> None:
        raise RuntimeError("a subscriber of the status")

    run._on_status, run._next_status = fails, 0
    with pytest.raises(RuntimeError):
        run.run()
    assert run.verified and rig.open() == 0
    assert run.folder.kill_file.exists()


def test_paper_is_refused_where_the_account_is_real(tmp_path: Path) -> None:
    rig = Rig(tmp_path, account="U7654321")
    with rig.local:
        with pytest.raises(UsageError, match="no paper account") as refused:
            rig.run("paper")
        assert "U7654321" not in str(refused.value)
        assert sum(rig.served[kind] for kind in ORDER_REQUESTS) == 0


def test_the_line_says_it_all() -> None:
    nan = float("nan")
    quoted = (
        Quoted("AAPL", 189.99, 190.01, 189.98, nan, -300.0, 500.0),
        Quoted("MSFT", nan, nan, nan, nan, 0.0, nan),
    )
    status = Status(
        0, "link down", "pull_killed", quoted, -12.345, 1.0, 2000.0, 7, 1, 3, 20, 41, 5.125
    )
    assert status.line() == (
        "AAPL 189.99 [189.98 -] 190.01 pos -300/500 | MSFT - [- -] - pos +0 | "
        "PnL -12.35 (loss limit 2,000) | 7 fills, 1 orders | messages 3/20 | "
        "41 today, ratio 5.1 | link down | pull_killed"
    )


def test_a_chain_is_found_when_a_run_begins_and_kept_for_it(rig: Rig) -> None:
    chain = "ibkr.instruments=[{symbol: AAPL, depth: true, chain: {expiries: 1, strikes: 2}}]"
    sets = (chain, "limits.price_collar_bps=5000")
    with rig.run("dry-run", "run", *sets) as run:
        until(run, lambda status: status.live_orders >= 4)
        names = [one.symbol for one in run.status().instruments]
    assert names[0] == "AAPL" and len(names) == 1 + 2 * 2
    with rig.run("dry-run", "run", *sets) as again:
        assert [one.symbol for one in again.status().instruments] == names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_stop_in_order(rig: Rig, number: signal.Signals) -> None:
    run = rig.run("paper")
    until(run, two_sided)
    run._on_status, run._next_status = lambda status: os.kill(os.getpid(), number), 0
    run.run()
    assert run.verified and rig.open() == 0
    assert not run.loop.switch.killed and not run.folder.kill_file.exists()
    with pytest.raises(UsageError, match="is over"):
        run.run()
    run.stop()


def test_live_trades_on_the_account_that_is_named(tmp_path: Path) -> None:
    rig = Rig(tmp_path, account="U7654321")
    sets = ("ibkr.account=U7654321",)
    with rig.local:
        with pytest.raises(UsageError, match="not confirmed"):
            rig.run("live", "run", *sets)
        with rig.run("live", "run", *sets, confirmed="LIVE") as run:
            until(run, two_sided)
            assert rig.open() == 2
        assert run.verified and rig.open() == 0
