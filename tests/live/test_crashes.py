"""Death at any point of a live run: what is held, works and is latched is right afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import OrderState, Reason
from mmquant.core.engine import empty_message
from mmquant.data.store.run_folder import RunFolder, kill, release
from mmquant.live.journal_replay import replay_journal
from mmquant.live.recovery import fresh_step
from mmquant.trading.halves import open_session
from tests.live.crashes import POINTS, run_child
from tests.live.exchange_server import ExchangeServer

pytestmark = pytest.mark.compiled

CONFIG = {
    "strategy": {
        "params": {"half_spread_ticks": 1, "skew_ticks": 0.1, "order_lots": 5,
                   "max_position_lots": 100}
    },
    "latency": {"entry_ns": 30_000_000, "response_ns": 20_000_000},
    "limits": {"max_position_lots": 60, "max_loss_ccy": 1000.0},
    "journal": {"checkpoint_s": 2},
    "name": "crash",
}  # fmt: skip


@pytest.fixture(scope="module")
def tape():
    """The market; the kernels that children need are compiled once, here."""
    market = mm.make_demo_tape(seed=5, minutes=0.4)
    step = fresh_step(open_session(mm.Config.from_dict(CONFIG), market), keep_logs=False)
    step(empty_message(), 0, 0, 0, 0)
    return market


class Market:
    """An exchange over a tape, and the run that trades there."""

    def __init__(self, tape, folder: Path, **config) -> None:
        settings = mm.Config.from_dict(CONFIG | config)
        self.folder = folder / "crash"
        self.session = open_session(settings, tape)
        self.server = ExchangeServer(self.session.config, tape)

    def run(self, **how):
        return run_child(self.server, self.folder, self.session, **how)

    def finish(self):
        """Run to the end of the market; all must be as the exchange has it."""
        status, state = self.run()
        assert status == 0, state
        self.check(state)
        return state

    def check(self, state) -> None:
        assert self.server.mistakes == []
        lots, cash = self.server.position_and_cash(0)
        assert state["lots"] == [lots]
        assert state["cash"] == pytest.approx([cash], abs=1e-6)
        assert state["fees"] == [0.0]
        assert state["live"] == self.server.resting()
        assert set(state["states"]) <= {int(OrderState.WORKING)}
        assert state["link"] == 0


@pytest.mark.parametrize("point", [p for p in POINTS if "kill" not in p])
def test_death_at_a_crash_point_is_recovered_from(point, tape, tmp_path) -> None:
    market = Market(tape, tmp_path)
    for count in (1, 7):
        status, state = market.run(point=point, count=count)
        assert os.WTERMSIG(status) == signal.SIGKILL, state
    state = market.finish()
    assert state["replayed"] > 0
    assert len(market.server.executions()) > 3
    assert bool(state["put_aside"]) == (point in ("half a frame", "at a checkpoint"))


def test_death_among_the_cancels_of_a_kill_leaves_nothing_open(tape, tmp_path) -> None:
    market = Market(tape, tmp_path)
    status, state = market.run(point="among the cancels of a kill", prepare=kill_soon)
    assert os.WTERMSIG(status) == signal.SIGKILL, state
    assert not RunFolder(market.folder).kill_file.exists()
    placed = market.server.placed
    state = market.finish()
    assert state["blocked"] == Reason.PULL_KILLED
    assert state["verified"] and state["live"] == {}
    assert RunFolder(market.folder).kill_file.exists()
    assert market.server.placed == placed


def kill_soon(loop) -> None:
    """Kill at the tenth decision."""
    decide = loop._decide

    def counted(progress):
        decide(progress)
        if loop.decisions == 10:
            loop.broker.killing = True
            loop.kill("test")

    loop._decide = counted


def test_a_killed_run_quotes_again_only_after_a_release(tape, tmp_path) -> None:
    market = Market(tape, tmp_path)
    status, state = market.run(kill_after=60)
    assert os.WIFSIGNALED(status), state
    kill(market.folder)
    market.run(kill_after=60)
    placed = market.server.placed
    market.run(kill_after=30)
    assert market.server.placed == placed > 0
    assert market.server.resting() == {}
    release(market.folder)
    state = market.finish()
    assert state["blocked"] == 0
    assert market.server.placed > placed


def test_the_journal_of_a_run_that_died_is_replayed(tape, tmp_path) -> None:
    market = Market(tape, tmp_path)
    market.run(point="half a frame", count=4)
    market.run(point="after the send", count=4)
    market.finish()
    run = replay_journal(market.folder)
    fills = run.fills
    lots, cash = market.server.position_and_cash(0)
    assert (fills["side"] * fills["lots"]).sum() == lots
    assert run.summary["engine_decisions"] > 0
    assert len(fills) == len(market.server.executions())
    assert float(run.path["cash"].values[-1, 0]) == pytest.approx(cash, abs=1e-6)


def test_death_at_random_moments_is_recovered_from(tape, tmp_path) -> None:
    rng = np.random.default_rng(11)
    die_often(tape, tmp_path, rng, deaths=6)


@pytest.mark.soak
def test_two_hundred_deaths_are_recovered_from(tape, tmp_path) -> None:
    rng = np.random.default_rng(2)
    for run in range(20):
        other = mm.make_demo_tape(seed=run, minutes=0.4)
        die_often(other, tmp_path / str(run), rng, deaths=10)


def die_often(tape, folder: Path, rng: np.random.Generator, *, deaths: int) -> None:
    market = Market(tape, folder)
    died = 0
    for _ in range(deaths):
        status, _ = market.run(kill_after=int(rng.integers(5, 120)))
        died += os.WIFSIGNALED(status)
    assert died > deaths // 2
    market.finish()
