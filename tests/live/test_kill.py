"""The kill switch and the stop in order, on the simulated exchange."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

import mmquant as mm
from mmquant.brokers.faults import Fault, FaultPlan
from mmquant.core.dtypes import NEVER, ActionKind, Control, Reason
from mmquant.data.store import journal as journal_module
from mmquant.data.store.journal import JournalError
from mmquant.data.store.run_folder import RunFolder, kill, release
from mmquant.errors import CheckFailed, DataError, LockedError, UsageError
from mmquant.live.kill import KillSwitch
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import open_live
from mmquant.trading import messages
from mmquant.trading.halves import open_session
from tests.faults.live_runs import live_loop
from tests.live.exchange_server import ExchangeServer, LocalBroker

pytestmark = pytest.mark.compiled

CONFIG = {
    "strategy": {"params": {"half_spread_ticks": 1, "skew_ticks": 0.1, "order_lots": 5,
                            "max_position_lots": 100}},
    "limits": {"max_position_lots": 60, "max_loss_ccy": 1000.0},
    "latency": {"entry_ns": 30_000_000, "response_ns": 20_000_000},
}  # fmt: skip


class Rig:
    """A live run within this process."""

    def __init__(self, folder, *, config=None, minutes: float = 0.4, server=None, bus=None) -> None:
        tape = mm.make_demo_tape(seed=5, minutes=minutes)
        self.session = open_session(mm.Config.from_dict(CONFIG | (config or {})), tape)
        self.server = server or ExchangeServer(self.session.config, tape)
        self.folder = RunFolder(folder / "run")
        self.broker = LocalBroker(self.server)
        self.loop, self.found = open_live(self.folder, self.session, self.broker, bus=bus)

    def at_decision(self, number: int, what: Callable[[LiveLoop], None]) -> None:
        decide = self.loop._decide

        def counted(progress):
            decide(progress)
            if self.loop.decisions == number:
                what(self.loop)

        self.loop._decide = counted

    def run(self) -> None:
        try:
            self.loop.run()
        finally:
            self.folder.let_go()

    @property
    def state(self):
        return self.loop.step.local.set[0]

    def placed_after(self, ts: int) -> int:
        return sum(t > ts and k == ActionKind.PLACE for t, k in self.broker.sent)


def pressed_by_call(rig: Rig) -> None:
    rig.loop.kill("test")


def pressed_by_file(rig: Rig) -> None:
    kill(rig.folder.path)


def pressed_by_signal(rig: Rig) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize("press", [pressed_by_call, pressed_by_file, pressed_by_signal])
def test_a_kill_cancels_verifies_and_stays(press, tmp_path) -> None:
    rig = Rig(tmp_path)
    when: list[int] = []
    rig.at_decision(50, lambda loop: (when.append(loop.now), press(rig)))
    with rig.loop.switch.signals():
        rig.run()
    assert rig.state["blocked"] == Reason.PULL_KILLED
    assert rig.loop.switch.verified and not rig.loop.switch.escalated
    assert rig.server.resting() == {} and rig.state["live"] == 0
    assert rig.placed_after(when[0] + 60_000_000) == 0
    assert rig.folder.kill_file.exists()
    again = Rig(tmp_path)
    again.run()
    assert again.broker.count(ActionKind.PLACE) == 0
    assert again.state["blocked"] == Reason.PULL_KILLED


def test_cancels_are_the_first_that_leaves_after_a_call(tmp_path) -> None:
    rig = Rig(tmp_path)
    before: list[int] = []
    rig.at_decision(50, lambda loop: (before.append(len(rig.broker.sent)), loop.kill("test")))
    rig.run()
    after = [kind for _, kind in rig.broker.sent[before[0] :]]
    cancels = after.count(ActionKind.CANCEL)
    assert cancels > 0
    assert set(after[:cancels]) == {ActionKind.CANCEL}


def test_a_kill_works_while_throttled(tmp_path) -> None:
    """All messages of the window are used up: the cancels take the reserve."""
    limits = CONFIG["limits"] | {"max_messages": 8, "cancel_reserve": 4, "message_window_s": 2.0}
    rig = Rig(tmp_path, config={"limits": limits, "orders": {"requote": "modify"}})
    when: list[int] = []
    rig.at_decision(50, lambda loop: (when.append(loop.now), loop.kill("test")))
    rig.run()
    cancels = [t for t, kind in rig.broker.sent if kind == ActionKind.CANCEL and t >= when[0]]
    assert rig.state["throttled"] > 0
    assert cancels and cancels[0] == when[0]
    assert rig.server.resting() == {}


def test_a_kill_of_a_broker_that_refuses_cancels_escalates(tmp_path) -> None:
    rig = Rig(tmp_path)
    rig.broker.drop_cancels = True
    rig.at_decision(50, lambda loop: loop.kill("test"))
    rig.run()
    assert rig.server.cancels_of_all > 0
    assert rig.loop.switch.escalated
    assert rig.server.resting() == {}


@pytest.mark.parametrize("where", ["decision", "send", "journal"])
def test_an_error_cancels_all_and_goes_on(where, tmp_path, monkeypatch) -> None:
    rig = Rig(tmp_path)

    def break_it(loop) -> None:
        if where == "decision":
            raise ZeroDivisionError
        if where == "send":
            rig.broker.fail_once = True
        else:
            monkeypatch.setattr(journal_module.os, "write", full)

    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rig.at_decision(50, break_it)
    with pytest.raises((ZeroDivisionError, ConnectionError, JournalError)):
        rig.run()
    rig.server.let_live(2_000_000_000)
    assert rig.server.resting() == {}
    assert rig.folder.kill_file.exists()
    monkeypatch.undo()
    again = Rig(tmp_path)
    again.run()
    assert again.broker.count(ActionKind.PLACE) == 0


def test_nothing_but_cancels_leaves_once_the_journal_is_full(tmp_path, monkeypatch) -> None:
    rig = Rig(tmp_path)
    before: list[int] = []

    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(loop) -> None:
        before.append(len(rig.broker.sent))
        monkeypatch.setattr(journal_module.os, "write", full)

    rig.at_decision(50, fill)
    with pytest.raises(JournalError, match="nothing more is sent but cancels"):
        rig.run()
    assert {kind for _, kind in rig.broker.sent[before[0] :]} <= {ActionKind.CANCEL}


def test_a_stop_in_order_cancels_and_may_be_gone_on_with(tmp_path) -> None:
    rig = Rig(tmp_path, minutes=1)
    rig.at_decision(50, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with rig.loop.switch.signals():
        rig.run()
    assert rig.server.resting() == {} and rig.state["live"] == 0
    assert rig.loop.decisions < 100
    assert not rig.folder.kill_file.exists()
    again = Rig(tmp_path, minutes=1, server=rig.server)
    again.run()
    assert again.found is not None and again.found.in_order
    assert again.broker.count(ActionKind.PLACE) > 0


def test_a_stop_in_order_is_no_word_of_a_person(tmp_path) -> None:
    """What waits for a person's resume waits over a stop and a new start too."""
    risk = {"repeated": {"max_fills": 3, "window_s": 1000.0}}
    rig = Rig(tmp_path, config={"risk": risk}, minutes=1)
    rig.at_decision(150, lambda loop: loop.switch.stop())
    rig.run()
    latched = Reason.PULL_REPEATED
    assert rig.loop.step.local.guard.line[0]["repeated"] == latched
    again = Rig(tmp_path, config={"risk": risk}, minutes=1, server=rig.server)
    again.run()
    assert again.found is not None and again.found.in_order
    assert again.loop.step.local.guard.line[0]["repeated"] == latched
    assert again.broker.count(ActionKind.PLACE) == 0


def test_a_stop_that_cannot_cancel_is_an_error_and_a_kill(tmp_path) -> None:
    rig = Rig(tmp_path, minutes=1)
    rig.broker.drop_cancels = True
    rig.at_decision(50, lambda loop: loop.switch.stop())
    with pytest.raises(CheckFailed, match="of its orders may still be open"):
        rig.run()
    assert rig.server.resting() != {}
    assert rig.folder.kill_file.read_text() == "a stop left orders open\n"


def test_a_kill_escalates_once_the_link_is_back(tmp_path) -> None:
    """What is asked for while the link is down reaches nobody."""
    faults = (
        Fault(kind="link_down", from_ns=6_000_000_000, for_ns=9_000_000_000),
        Fault(kind="lose_request", of="cancel", probability=1.0),
    )
    tape = mm.make_demo_tape(seed=5, minutes=1)
    loop, broker = live_loop(CONFIG, tape, FaultPlan(faults=faults), tmp_path / "run")
    decide, escalate, down = loop._decide, broker.cancel_account, []

    def kill_at_7s(progress) -> None:
        decide(progress)
        if loop.now - broker.start_ts >= 7_000_000_000:
            loop.kill("test")

    def cancel_account(ts) -> None:
        down.append(broker.link.down(ts))
        escalate(ts)

    loop._decide, broker.cancel_account = kill_at_7s, cancel_account
    loop.run()
    assert down == [False]
    assert loop.switch.verified and broker.open == {}


def test_a_message_that_is_posted_is_taken_without_a_decision(tmp_path) -> None:
    """A market that is silent asks for no decision: a kill must not wait for one."""
    rig = Rig(tmp_path)
    look, when = rig.loop.switch.look, []

    def post(loop, now) -> None:
        look(loop, now)
        if not when:
            when.append(loop.decisions)
            rig.loop.inbox.post(messages.control(0, Control.KILL))

    rig.loop._decide = lambda progress: None
    rig.loop.switch.look = post
    rig.run()
    assert rig.state["blocked"] == Reason.PULL_KILLED


def test_a_full_disk_does_not_lose_the_kill(tmp_path, monkeypatch) -> None:
    rig = Rig(tmp_path)

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mmquant.data.store.run_folder.write_safely", full)
    rig.at_decision(50, lambda loop: monkeypatch.setattr(journal_module.os, "write", full))
    with pytest.raises(JournalError):
        rig.run()
    monkeypatch.undo()
    again = Rig(tmp_path)
    before = again.loop.now
    again.run()
    assert again.broker.count(ActionKind.PLACE) == 0
    cancels = [ts for ts, kind in again.broker.sent if kind == ActionKind.CANCEL]
    assert all(ts >= before for ts in cancels) and again.state["blocked"] == Reason.PULL_KILLED


def test_a_run_is_held_by_one_process_and_released_by_a_person(tmp_path) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(LockedError):
        open_live(RunFolder(rig.folder.path), rig.session, rig.broker)
    with pytest.raises(UsageError, match="not killed"):
        release(rig.folder.path)
    kill(rig.folder.path)
    with pytest.raises(LockedError):
        release(rig.folder.path)
    rig.run()
    release(rig.folder.path)
    again = Rig(tmp_path)
    again.run()
    assert again.broker.count(ActionKind.PLACE) > 0
    with pytest.raises(DataError, match="no live run"):
        kill(tmp_path)


def test_a_second_recovery_changes_nothing(tmp_path) -> None:
    rig = Rig(tmp_path)
    rig.at_decision(60, lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rig.run()
    states = []
    for _ in range(2):
        again = Rig(tmp_path)
        local = again.loop.step.local
        states.append((local.position.tobytes(), local.live.tobytes(), local.executed.tobytes()))
        again.loop.journal.close(in_order=False)
        again.folder.let_go()
    assert states[0] == states[1]


def test_a_switch_without_a_folder_latches_nothing() -> None:
    switch = KillSwitch()
    switch.press("test")
    assert switch.asked and not switch.killed
    assert switch.look_ts == NEVER


def test_more_executions_than_there_is_room_for_kill_and_are_all_booked(tmp_path) -> None:
    few = {"journal": {"max_executions": 3, "checkpoint_s": 1}}
    rig = Rig(tmp_path, config=few)
    rows = len(rig.loop.step.local.executed)
    assert rows == 8
    rig.run()
    assert rig.state["blocked"] == Reason.PULL_KILLED and rig.loop.switch.verified
    assert "max_executions" in rig.folder.kill_file.read_text()
    assert rig.server.resting() == {}
    executions = rig.server.executions()
    assert len(executions) > 3
    fourth = sorted(int(e["ts"]) for e in executions)[3]
    assert rig.placed_after(fourth + 50_000_000) == 0
    lots, cash = rig.server.position_and_cash(0)
    position = rig.loop.step.local.position[0]
    assert position["lots"] == lots and position["cash"] == pytest.approx(cash, abs=1e-6)
    release(rig.folder.path)
    again = Rig(tmp_path, config=few, server=rig.server)
    assert again.found is not None
    assert len(again.loop.step.local.executed) >= 2 * rows
    assert again.loop.step.local.position[0].tobytes() == position.tobytes()
    again.run()
    assert again.state["blocked"] == 0


def test_a_live_run_takes_the_memory_of_its_executions_at_its_start(tmp_path) -> None:
    rig = Rig(tmp_path)
    assert len(rig.loop.step.local.executed) >= 2 * mm.Config().journal.max_executions
    before = rig.loop.step.local.executed
    rig.run()
    assert len(rig.server.executions()) > 5
    assert rig.loop.step.local.executed is before
