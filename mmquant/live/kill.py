"""The kill switch: cancels first, verifies, tries again, escalates, and stays down.

After the cancels the broker is asked for everything, as after a lost link: a kill is verified when
all has been answered and no order is live.

It is pressed by a call, by SIGUSR1, by the file ``KILL`` in the run's folder, by more executions
than the run has room for, or by whatever the loop dies of. SIGTERM and SIGINT are a stop in order:
quotes are cancelled, and the run may be started again.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import NEVER, ActionKind, Control, MsgKind, Reason, Session
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import CheckFailed, MMQuantError
from mmquant.trading.ports import Broker

if TYPE_CHECKING:
    from mmquant.live.loop import LiveLoop

LOOK_NS = 50_000_000
"""How often the file is looked for."""
RETRY_NS = 1_000_000_000
"""After so long without an end all orders are cancelled, and all of them asked for, again."""
ESCALATE_NS = 5_000_000_000
"""After so long the broker is asked to cancel all that the account has."""
STOP_NS = 10_000_000_000
"""A stop in order waits so long for its cancels; then it fails, which is a kill."""
CONTROL, SESSION = int(MsgKind.CONTROL), int(MsgKind.SESSION)


class KillSwitch:
    """State of a kill or a stop. All times are the broker's. ``folder``: where it is latched."""

    def __init__(self, folder: RunFolder | None = None) -> None:
        self.folder = folder
        self.asked = self.ended = False
        self.killed = self.verified = self.escalated = False
        self.look_ts = NEVER
        self._room = 0
        self._why, self._stopping, self._was_blocked = "", False, False
        self._retry_ts = self._escalate_ts = self._stop_ts = NEVER

    def press(self, why: str) -> None:
        """Ask for a kill: it comes before all else, at the loop's next pass."""
        self._why, self.asked = why, True

    def stop(self) -> None:
        """Ask for a stop in order."""
        self._stopping = self.asked = True

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGUSR1 kills, SIGTERM and SIGINT stop in order, as long as this lasts (main thread)."""
        before = {
            signal.SIGUSR1: signal.signal(signal.SIGUSR1, lambda *_: self.press("SIGUSR1")),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: self.stop()),
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: self.stop()),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, loop: LiveLoop) -> None:
        """Before the first message of a live run: nothing is known of its orders, so all is asked.

        One that was killed stays so and cancels first; the file ``KILL`` wins over a release.
        """
        if self.folder is None:
            return
        self.look_ts = loop.now + LOOK_NS
        self._room = len(loop.step.local.executed)
        if self.folder.kill_file.exists():
            self.press(self.folder.kill_file.read_text().strip() or "file")
            self.act(loop)
        elif self.folder.release_file.exists():
            loop.tell(CONTROL, int(Control.RELEASE))
            self.folder.release_file.unlink()
        loop.tell(SESSION, int(Session.DOWN))
        loop.tell(SESSION, int(Session.UP))

    def act(self, loop: LiveLoop) -> None:
        """Do what was asked for."""
        self.asked = False
        if self._why and not self.killed:
            self.killed = True
            self._retry_ts, self._escalate_ts = loop.now + RETRY_NS, loop.now + ESCALATE_NS
            loop.tell(CONTROL, int(Control.KILL))
            if loop.step.local.set[0]["link"] == 0:
                loop.tell(SESSION, int(Session.UP))
            self._latch()
        elif self._stopping and self._stop_ts == NEVER:
            self._stop_ts = loop.now + STOP_NS
            self._was_blocked = bool(loop.step.local.set[0]["blocked"])
            loop.tell(CONTROL, int(Control.HALT))
        self.look_ts = min(self.look_ts, loop.now + LOOK_NS)

    def look(self, loop: LiveLoop, now: int) -> None:
        """Look for the file, for what was posted, and after what was asked for.

        Raises CheckFailed where orders may still be open when the time of a stop is over.
        """
        loop.now, self.look_ts = now, now + LOOK_NS
        loop.inbox.poll(now)
        state = loop.step.local.set[0]
        if not self.killed:
            if self.folder is not None and self.folder.kill_file.exists():
                self.press("file")
            elif state["blocked"] == Reason.PULL_KILLED:
                self.press("journal")
            elif len(loop.step.local.executed) > self._room > 0:
                self.press("more executions than journal.max_executions")
                self._note(loop, "kill: more executions than journal.max_executions")
        elif not self.verified:
            self._follow_up(loop, state)
        if self._stopping and state["live"] == 0:
            if not self._was_blocked and not self.killed:
                loop.tell(CONTROL, int(Control.UNHALT))
            self.ended = True
        elif self._stopping and now >= self._stop_ts:
            self._why = self._why or "a stop left orders open"
            raise CheckFailed(
                f"the run was stopped, but {int(state['live'])} of its orders may still be open",
                where="" if self.folder is None else str(self.folder.path),
                fix="look at the broker's own list of orders, and cancel them there",
            )

    def _follow_up(self, loop: LiveLoop, state: np.void) -> None:
        """It is over when the broker has said all, and nothing is live; else try again."""
        linked = state["link"] != Session.DOWN
        if loop.now >= self._escalate_ts and linked and not self.escalated:
            self.escalated = True
            loop.broker.cancel_account(loop.now)
            self._note(loop, "kill: the broker was asked to cancel all orders of the account")
        if state["link"] != 0 or loop.now < self._retry_ts:
            return
        if state["live"] == 0:
            self.verified = True
            self._note(loop, "kill: nothing is open")
            return
        self._retry_ts = loop.now + RETRY_NS
        loop.tell(CONTROL, int(Control.KILL))
        loop.tell(SESSION, int(Session.UP))

    def abandon(self, loop: LiveLoop) -> None:
        """Cancel all after an error, with the journal or without it; raises nothing.

        If even that fails, the broker is asked to cancel all that the account has.
        """
        try:
            if loop.journal is not None and loop.journal.failed:
                loop.journal = None
            only = CancelsOnly(loop.broker)
            loop.broker = only
            only.send(loop.step.actions, loop.unsent, loop.now)
            self.killed = True
            loop.tell(CONTROL, int(Control.KILL))
        except Exception:
            self._cancel_account(loop)
        self._why = self._why or "error"
        self._latch()
        if loop.journal is not None:
            try:
                loop.journal.close(in_order=False)
            except MMQuantError:
                pass

    def _cancel_account(self, loop: LiveLoop) -> None:
        try:
            loop.broker.cancel_account(loop.now)
        except Exception:
            pass

    def _latch(self) -> None:
        if self.folder is not None:
            try:
                self.folder.latch(self._why)
            except OSError:
                pass

    def _note(self, loop: LiveLoop, text: str) -> None:
        if loop.journal is not None:
            loop.journal.note(text)


class CancelsOnly:
    """A broker to which only cancels go."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.start_ts = broker.start_ts

    def next_message(self, until: int) -> np.ndarray | None:
        """The broker's next messages."""
        return self._broker.next_message(until)

    def more_after(self, ts: int) -> bool:
        """Whether anything can still come."""
        return self._broker.more_after(ts)

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send the cancels among the first ``n`` actions."""
        kept = actions[:n][actions["kind"][:n] == int(ActionKind.CANCEL)]
        if len(kept):
            self._broker.send(kept.copy(), len(kept), ts)

    def cancel_account(self, ts: int) -> None:
        """Cancel all orders of the account."""
        self._broker.cancel_account(ts)
