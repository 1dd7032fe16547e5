"""The live loop: take messages, apply them, journal, send what they ask for. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mmquant.core.dtypes import NEVER, MsgKind, Status, Trigger
from mmquant.core.engine import AT_END, empty_message
from mmquant.data.store.journal import Journal, action_bytes
from mmquant.data.store.state import state_parts
from mmquant.live.inbox import Inbox
from mmquant.live.kill import KillSwitch
from mmquant.trading.logs import Logs
from mmquant.trading.ports import Broker, LiveStep

DRAIN_EVERY = 256


class LiveLoop:
    """One strategy against one broker; with a journal, all is journalled before it is sent."""

    def __init__(
        self,
        broker: Broker,
        step: LiveStep,
        *,
        interval_ns: int,
        triggers: int,
        inbox: Inbox,
        logs: Logs | None = None,
        journal: Journal | None = None,
        switch: KillSwitch | None = None,
    ) -> None:
        self.inbox, self.broker, self.step, self.triggers = inbox, broker, step, triggers
        self.journal, self.logs, self.switch = journal, logs or Logs(), switch or KillSwitch()
        self.interval_ns, self.decisions, self.unsent, self.now = interval_ns, 0, 0, broker.start_ts
        self._told, self._decision = empty_message(), empty_message()
        self._decision["kind"] = int(MsgKind.DECISION)
        self._due, self._own, self._bytes = AT_END, 0, action_bytes(step.actions)

    def run(self, progress: Callable[[int], None] | None = None) -> Logs:
        """Run to the end; returns what was logged. Before an error goes on, all is cancelled."""
        for _ in self.passes(progress):
            pass
        return self.logs

    def passes(self, progress: Callable[[int], None] | None = None) -> Iterator[None]:
        """As ``run``, pass by pass: the caller may do other things, and must come back soon.

        One that is closed before its end is an error.
        """
        try:
            yield from self._passes(progress)
            if self.journal is not None:
                self.journal.close()
        except BaseException:
            self.switch.abandon(self)
            raise
        finally:
            self.inbox.close()
        self.logs.finish(self.step.local)

    def kill(self, why: str = "call") -> None:
        """Cancel all orders before anything else, and quote no more, after a restart neither."""
        self.switch.press(why)

    def tell(self, kind: int, reason: int) -> None:
        """Apply a message of our own, now."""
        told = self._told
        told["ts"], told["kind"], told["reason"] = self.now, kind, reason
        told["price"] = told["mid"] = np.nan
        self._apply_one(told)

    def _passes(self, progress: Callable[[int], None] | None) -> Iterator[None]:
        timer = self.broker.start_ts + self.interval_ns if self.triggers & Trigger.TIMER else NEVER
        self._due, self._own = min(timer, AT_END), 0
        self.switch.start(self)
        self.inbox.poll(self.broker.start_ts)
        left: np.ndarray | None = None
        while not self.switch.ended:
            yield
            if self.switch.asked:
                self.switch.act(self)
            outside, look = self.inbox.next_ts, self.switch.look_ts
            if left is None:
                left = self.broker.next_message(min(self._due, outside - 1, look))
            if left is not None:
                left = self._take(left)
                if left is None:
                    continue
            elif look <= min(self._due, outside - 1):
                self.switch.look(self, look)
                continue
            elif outside <= self._due:
                self._take_outside(outside)
                continue
            elif self._due == AT_END or not self.broker.more_after(self._due):
                break
            timer += self.interval_ns if self._due == timer else 0
            self._decide(progress)
            self._due, self._own = min(timer, AT_END), 0

    def _take(self, messages: np.ndarray) -> np.ndarray | None:
        """Apply the messages that come up to the next decision; returns the rest."""
        at = 0
        while at < len(messages):
            start, due, own = at, self._due, self._own
            n, at, self._due, self._own, now = self.step(messages, at, due, own, self.triggers)
            if at > start:
                self.now = now
                self._hand_over(messages[start:at], max(n, 0))
            elif n == 0:
                return messages[at:]
            if n < 0:
                self.step.make_room(-n, self.logs)
        return None

    def _apply_one(self, message: np.ndarray, *, refusable: bool = False) -> np.ndarray:
        """Apply one message, whatever asks for a decision. Returns the actions that it caused."""
        while (n := self.step(message, 0, NEVER, 0, 0)[0]) < 0:
            if refusable and n == -Status.BAD_ROW:
                message["event"] = 1
                break
            self.step.make_room(-n, self.logs)
        return self._hand_over(message, max(n, 0))

    def _take_outside(self, ts: int) -> None:
        if not self.broker.more_after(ts):
            return self.inbox.close()
        self.now = ts
        self.inbox.answer(self._apply_one(self.inbox.take(), refusable=True))

    def _hand_over(self, messages: np.ndarray, n: int) -> np.ndarray:
        """Journal messages with the ``n`` actions that the last of them caused; then send these."""
        self.unsent = n
        if self.journal is not None:
            self.journal.step(messages, self._bytes, n, self.now)
        if n:
            self.broker.send(self.step.actions, n, self.now)
        self.unsent = 0
        self.step.publish()
        return self.step.actions[:n]

    def _decide(self, progress: Callable[[int], None] | None) -> None:
        self.now, self._decision["ts"], self._decision["event"] = self._due, self._due, self._own
        self._apply_one(self._decision)
        self.decisions += 1
        self.step.check()
        keeps = self.journal is not None and self.journal.wants_checkpoint(self.now)
        if keeps or self.decisions % DRAIN_EVERY == 0:
            self.logs.drain(self.step.local)
            if progress is not None:
                progress(self.decisions)
        if self.journal is not None and keeps:
            self.journal.checkpoint(state_parts(self.step.local), self.now)
        self.inbox.poll(self.now + 1)
