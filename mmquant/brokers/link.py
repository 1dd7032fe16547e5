"""A link to a broker that goes down, stalls and jumps: messages on their way, and timed events."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from mmquant.brokers.faults import Lasting
from mmquant.core.dtypes import NEVER, MsgKind, RowKind

MARKET = int(RowKind.STATUS)
NO_QUERY = -1
SESSION_RANK, MARKET_RANK, ORDER_RANK = -1, 0, 1


class Link:
    """What is on its way to us, in order of time; at equal times market data come first."""

    def __init__(self) -> None:
        self.lasting = Lasting()
        self.session = 0
        self._numbers = count()
        self._queue: list[tuple[int, int, int, np.ndarray, int]] = []
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way or planned."""
        return not (self._queue or self._events)

    @property
    def next_ts(self) -> int:
        """When the next message or event is due. [ns]"""
        queued = self._queue[0][0] if self._queue else NEVER
        return min(queued, self._events[0][0] if self._events else NEVER)

    def down(self, ts: int) -> bool:
        """Whether the link is down at a time."""
        return self.lasting.at("link_down", ts) is not None

    def at(self, ts: int, event: Callable[..., None], *given: Any) -> None:
        """Call ``event(ts, *given)`` at a time."""
        heapq.heappush(self._events, (ts, next(self._numbers), event, given))

    def say(self, message: np.ndarray, due: int, *, of_query: bool = False) -> None:
        """Put a message on its way; the answer to a query is lost with the session it is of."""
        rank = ORDER_RANK if message["kind"][0] > MARKET else MARKET_RANK
        if message["kind"][0] == MsgKind.SESSION and not of_query:
            rank = SESSION_RANK
        session = self.session if of_query else NO_QUERY
        heapq.heappush(self._queue, (due, rank, next(self._numbers), message, session))

    def run_event(self, until: int) -> bool:
        """Run the next event due by ``until``. Returns whether there was one."""
        if not self._events or self._events[0][0] > until:
            return False
        ts, _, event, given = heapq.heappop(self._events)
        event(ts, *given)
        return True

    def take(self, until: int) -> np.ndarray | None:
        """The next message that is due by ``until`` and gets through, or None."""
        while self._queue and self._queue[0][0] <= until:
            message = self._deliver(*heapq.heappop(self._queue))
            if message is not None:
                return message
        return None

    def _deliver(
        self, ts: int, rank: int, number: int, message: np.ndarray, session: int
    ) -> np.ndarray | None:
        """A message whose time has come, if the link lets it through."""
        if session not in (NO_QUERY, self.session):
            return None
        later = self.lasting.until("stall", ts)
        outage = self.lasting.at("link_down", ts)
        if outage is not None and rank == MARKET_RANK and outage.data:
            return None
        if outage is not None and rank == ORDER_RANK:
            if outage.held == "drop":
                return None
            back = self.lasting.until("link_down", ts)
            later = max(later, back + (outage.for_ns if outage.held == "late" else 0))
        if later > ts:
            heapq.heappush(self._queue, (later, rank, number, message, session))
            return None
        message["ts"] = ts
        jump = self.lasting.at("clock_jump", ts)
        if jump is not None:
            message["exch_ts"] += jump.jump_ns
        return message
