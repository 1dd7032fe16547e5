"""A broker that does something before each wait for messages: heartbeats, the status line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmquant.brokers.ibkr import IBKRBroker


class PulsedBroker:
    """The broker, with something that is done before each wait for messages."""

    def __init__(self, broker: IBKRBroker, pulse: Callable[[int], None]) -> None:
        self.inner, self._pulse = broker, pulse

    @property
    def start_ts(self) -> int:
        """As the broker's."""
        return self.inner.start_ts

    def next_message(self, until: int) -> np.ndarray | None:
        """As the broker's."""
        self._pulse(self.inner.clock.now())
        return self.inner.next_message(until)

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """As the broker's."""
        self.inner.send(actions, n, ts)

    def cancel_account(self, ts: int) -> None:
        """As the broker's."""
        self.inner.cancel_account(ts)

    def more_after(self, ts: int) -> bool:
        """As the broker's."""
        return self.inner.more_after(ts)
