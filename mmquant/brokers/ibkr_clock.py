"""The broker's clock: ages by a monotonic clock, stamps by the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Nanoseconds that only go forward, set to the wall clock once; it may drift from it."""

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._monotonic, self._wall = monotonic_ns, wall_ns
        self._offset = wall_ns() - monotonic_ns()
        self._last = 0

    def now(self) -> int:
        """Time by which ages and time-outs are counted. [ns]"""
        return self._monotonic() + self._offset

    def stamp(self) -> int:
        """The time now, later than every stamp before it, so that no two messages tie. [ns]"""
        self._last = max(self.now(), self._last + 1)
        return self._last

    def wall(self) -> int:
        """Time of day. [ns since the epoch, UTC]"""
        return self._wall()

    def utc(self, ts: int) -> datetime:
        """What the wall clock will show when this one shows ``ts``."""
        return datetime.fromtimestamp((ts - self.now() + self._wall()) / 1e9, UTC)
