"""What a broker is to the live loop, and the live loop's compiled step."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numba
import numpy as np

from mmquant.core import engine
from mmquant.core.book import grow_book
from mmquant.core.dtypes import Status
from mmquant.core.jit import DISABLED
from mmquant.core.local import CANARY_ROWS, Local
from mmquant.core.message_block import apply_messages
from mmquant.errors import MMQuantError
from mmquant.trading.compiled import bind, overrun, with_more_executions
from mmquant.trading.logs import Logs
from mmquant.trading.strategy import Strategy


class Broker(Protocol):
    """A source of MSG rows and a sink of ACTION rows, on one clock.

    Messages come in the order of receipt; on equal times market data come before order messages.
    """

    @property
    def start_ts(self) -> int:
        """Time from which the decision timer counts. [ns]"""

    def next_message(self, until: int) -> np.ndarray | None:
        """The next messages received by ``until`` (a MSG array of one row or more), or None once
        that time is reached. The array is used again: it holds until the next call.

        What is sent while a block is applied must find the broker at that time: a simulated one
        ends a block with a message that asks for a decision."""

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send the first ``n`` actions, decided at ``ts``; a QUERY is answered by messages."""

    def cancel_account(self, ts: int) -> None:
        """Cancel all orders of the account, those of others too: the last resort of a kill."""

    def more_after(self, ts: int) -> bool:
        """Whether anything can still come after ``ts``."""


class LiveStep:
    """``apply_messages`` of one set, bound to its state and strategy."""

    def __init__(self, local: Local, strategy: Strategy, actions: np.ndarray) -> None:
        self.local, self.actions, self.strategy = local, actions, strategy
        self._step = _bound(local, strategy, actions)

    def __call__(
        self, messages: np.ndarray, at: int, due: int, own: int, triggers: int
    ) -> tuple[int, int, int, int, int]:
        """Apply ``messages[at:]`` up to ``due``, until one causes actions.

        Returns what ``core.message_block.apply_messages`` does: n, at, due, own, now.
        """
        return self._step(self.local, messages, at, due, own, triggers, self.actions)

    def publish(self) -> None:
        """Tell whoever listens what was done, once it has been sent."""

    def check(self) -> None:
        """Raise UsageError if the strategy wrote more quotes than there are rows."""
        if self.local.set[0]["status"]:
            raise overrun(self.strategy, len(self.local.quote) - CANARY_ROWS)

    def make_room(self, status: int, logs: Logs) -> None:
        """Give the local half what it asks for. Raises MMQuantError where it asks for nothing."""
        if status == Status.LOG_FULL:
            logs.drain(self.local)
        elif status == Status.EXECUTIONS_FULL:
            self.local = with_more_executions(self.local)
        elif status == Status.BOOK_FULL:
            self.local = self.local._replace(book=grow_book(self.local.book))
        else:
            raise MMQuantError(f"the local half refused a message: {Status(status).name}")


def _bound(local: Local, strategy: Strategy, actions: np.ndarray) -> Any:
    """A strategy passed from Python would cost 7 us and more a call; in a closure it is free."""
    quote = strategy.quote
    if DISABLED:
        return lambda state, messages, *rest: apply_messages(state, 0, quote, messages, *rest)
    arguments = (local, 0, quote, engine.empty_message(), 0, 0, 0, 0, actions)
    return _closure(bind(apply_messages, arguments, 2), quote)


@lru_cache(maxsize=32)
def _closure(step: Any, quote: Any) -> Any:
    """Kept, as it takes a second or two to compile."""

    @numba.njit(nogil=True, _nrt=False)
    def bound(
        state: Any, messages: Any, at: Any, due: Any, own: Any, triggers: Any, out: Any
    ) -> Any:
        return step(state, 0, quote, messages, at, due, own, triggers, out)

    return bound
