"""The live loop: take a message, apply it, send what it asks for. It decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmquant.core.book import grow_book
from mmquant.core.dtypes import NEVER, MsgKind, RowKind, Status, Trigger
from mmquant.core.engine import AT_END, empty_message
from mmquant.core.local import CANARY_ROWS
from mmquant.errors import MMQuantError
from mmquant.live.inbox import Inbox
from mmquant.trading.compiled import overrun, with_more_executions
from mmquant.trading.logs import Logs
from mmquant.trading.ports import Broker, LiveStep
from mmquant.trading.strategy import Strategy

MARKET = int(RowKind.STATUS)
DRAIN_EVERY = 256


class LiveLoop:
    """One strategy against one broker."""

    def __init__(
        self,
        broker: Broker,
        step: LiveStep,
        strategy: Strategy,
        *,
        interval_ns: int,
        triggers: int,
        inbox: Inbox,
    ) -> None:
        self.inbox = inbox
        self.broker, self.step, self.strategy = broker, step, strategy
        self.interval_ns, self.triggers = interval_ns, triggers
        self.logs = Logs()
        self.decisions = 0
        self._decision = empty_message()
        self._decision["kind"] = int(MsgKind.DECISION)

    def run(self, progress: Callable[[int], None] | None = None) -> Logs:
        """Run until nothing can come any more; returns what was logged."""
        timer = NEVER
        if self.triggers & Trigger.TIMER:
            timer = self.broker.start_ts + self.interval_ns
        due = min(timer, AT_END)
        self.inbox.poll(self.broker.start_ts)
        while True:
            message = self.broker.next_message(min(due, self.inbox.next_ts - 1))
            if message is not None:
                ts = int(message[0]["ts"])
                kind = int(message[0]["kind"])
                self._apply(message, ts)
                if self._asks(kind) and ts < due:
                    due = ts
                    self._decision["event"] = kind > MARKET
                continue
            if self.inbox.next_ts <= due:
                if self.broker.more_after(self.inbox.next_ts):
                    self._take_outside(self.inbox.take())
                else:
                    self.inbox.close()
                continue
            if due == AT_END or not self.broker.more_after(due):
                break
            self._decision["ts"] = due
            self._apply(self._decision, due)
            self._after_decision(progress)
            timer += self.interval_ns if due == timer else 0
            self._decision["event"] = 0
            due = min(timer, AT_END)
            self.inbox.poll(int(self._decision["ts"][0]) + 1)
        self.logs.finish(self.step.local)
        return self.logs

    def _asks(self, kind: int) -> bool:
        """Whether a message of this kind asks for a decision."""
        if kind == RowKind.TRADE:
            return bool(self.triggers & Trigger.TRADE)
        wanted = Trigger.BOOK if kind <= MARKET else Trigger.OWN
        return bool(self.triggers & wanted)

    def _take_outside(self, message: np.ndarray) -> None:
        """Apply a message from outside; one that is refused changes nothing, and is noted."""
        n = self._step(message)
        message["event"] = n < 0
        if n > 0:
            self.broker.send(self.step.actions, n, int(message[0]["ts"]))

    def _apply(self, message: np.ndarray, ts: int) -> None:
        n = self._step(message)
        if n < 0:
            raise MMQuantError(f"the local half refused a message: {Status(-n).name}")
        if n:
            self.broker.send(self.step.actions, n, ts)

    def _step(self, message: np.ndarray) -> int:
        """Apply a message, with more room where that is asked for."""
        n = self.step(message)
        while n in (-Status.BOOK_FULL, -Status.LOG_FULL, -Status.EXECUTIONS_FULL):
            local = self.step.local
            if n == -Status.LOG_FULL:
                self.logs.drain(local)
            elif n == -Status.EXECUTIONS_FULL:
                self.step.local = with_more_executions(local)
            else:
                self.step.local = local._replace(book=grow_book(local.book))
            n = self.step(message)
        return n

    def _after_decision(self, progress: Callable[[int], None] | None) -> None:
        self.decisions += 1
        local = self.step.local
        if local.set[0]["status"]:
            raise overrun(self.strategy, len(local.quote) - CANARY_ROWS)
        if self.decisions % DRAIN_EVERY == 0:
            self.logs.drain(local)
            if progress is not None:
                progress(self.decisions)
