"""When messages to Interactive Brokers leave: never too many, and the urgent ones first.

IBKR takes 50 messages a second of a connection, of all kinds together, and hangs up on who sends
more; ib_async's own limiter is one queue, in which a cancel waits behind quotes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from enum import IntEnum

from mmquant.core.dtypes import NEVER

MOST = 47
"""Messages in a window. The link may push together what left apart, hence not 50."""
RESERVE = 9
"""So many of them are for cancels alone."""
WINDOW_NS = 1_030_000_000
PAUSE_NS = 1_000_000_000
FEWEST = 8


class Rank(IntEnum):
    """What goes before what."""

    CANCEL = 0
    REDUCE = 1
    QUERY = 2
    NEW = 3
    DATA = 4


class Pacer:
    """Messages that wait for their turn, by rank and then by time.

    One that is put under the key of one that waits takes its place: a later change of an order
    makes an earlier one void.
    """

    def __init__(self, most: int = MOST, reserve: int = RESERVE, window_ns: int = WINDOW_NS):
        self._most, self._reserve, self._window = most, reserve, window_ns
        self._waiting: list[dict[Hashable, Callable[[], None]]] = [{} for _ in Rank]
        self._left: deque[int] = deque()
        self._paused_until = 0

    def __len__(self) -> int:
        """How many messages wait."""
        return sum(map(len, self._waiting))

    def put(self, rank: Rank, key: Hashable, send: Callable[[], None]) -> None:
        """Let a message wait; it leaves by ``send`` at one of the next flushes."""
        self._waiting[rank][key] = send

    def drop(self, key: Hashable) -> bool:
        """Take back a message that still waits. Returns whether there was one."""
        return any(queue.pop(key, None) is not None for queue in self._waiting)

    def clear(self) -> None:
        """Take back all that waits."""
        for queue in self._waiting:
            queue.clear()

    def flush(self, now: int) -> int:
        """Let all leave that may at ``now``. Returns how many did."""
        sent = 0
        for rank, queue in enumerate(self._waiting):
            while queue and now >= self._free_at(rank):
                send = queue.pop(next(iter(queue)))
                self.note(now)
                send()
                sent += 1
        return sent

    def note(self, now: int) -> None:
        """Count a message that leaves outside of the queue."""
        self._left.append(now)
        if len(self._left) > self._most:
            self._left.popleft()

    def next_ts(self) -> int:
        """When the next message may leave; NEVER if none waits. [ns]"""
        times = (self._free_at(rank) for rank, queue in enumerate(self._waiting) if queue)
        return min(times, default=NEVER)

    def slow_down(self, now: int) -> None:
        """The broker said that it is too much: only cancels for a second, then half as many."""
        self._paused_until = now + PAUSE_NS
        self._most = max(self._most // 2, FEWEST)
        self._reserve = self._most // 4
        while len(self._left) > self._most:
            self._left.popleft()

    def _free_at(self, rank: int) -> int:
        """When a message of a rank may leave, by what has left before."""
        if rank == Rank.CANCEL:
            return self._after(self._most)
        room = self._most - self._reserve
        free = self._after(room if rank < Rank.DATA else max(room // 2, 1))
        return max(free, self._paused_until)

    def _after(self, most: int) -> int:
        if len(self._left) < most:
            return 0
        return self._left[-most] + self._window
