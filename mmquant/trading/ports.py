"""What a broker is to the live loop, and the live loop's compiled step."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numba
import numpy as np

from mmquant.core import engine
from mmquant.core.jit import DISABLED
from mmquant.core.local import Local
from mmquant.trading.compiled import bind
from mmquant.trading.strategy import Strategy


class Broker(Protocol):
    """A source of MSG rows and a sink of ACTION rows, on one clock.

    Messages come in the order of receipt; on equal times market data come before order messages.
    """

    @property
    def start_ts(self) -> int:
        """Time from which the decision timer counts. [ns]"""

    def next_message(self, until: int) -> np.ndarray | None:
        """The next message (a MSG array of one row) received by ``until``, or None once that
        time is reached. The array is used again: it holds until the next call."""

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send the first ``n`` actions, decided at ``ts``."""

    def more_after(self, ts: int) -> bool:
        """Whether anything can still come after ``ts``."""


class LiveStep:
    """``local_step`` of one set, bound to its state and strategy."""

    def __init__(self, local: Local, strategy: Strategy, actions: np.ndarray) -> None:
        self.local, self.actions = local, actions
        self._step = _bound(local, strategy, actions)

    def __call__(self, message: np.ndarray) -> int:
        """Apply a message; returns how many actions there are, or minus a Status."""
        return int(self._step(self.local, message, self.actions))


def _bound(local: Local, strategy: Strategy, actions: np.ndarray) -> Any:
    """A strategy passed from Python would cost 7 us and more a call; in a closure it is free."""
    quote = strategy.quote
    if DISABLED:
        return lambda state, message, out: engine.local_step(state, 0, quote, message[0], out)
    message = engine.empty_message()
    return _closure(bind(engine.local_step, (local, 0, quote, message[0], actions), 2), quote)


@lru_cache(maxsize=32)
def _closure(step: Any, quote: Any) -> Any:
    """Kept, as it takes a second or two to compile."""

    @numba.njit(nogil=True, _nrt=False)
    def bound(state: Any, message: Any, out: Any) -> Any:
        return step(state, 0, quote, message[0], out)

    return bound
