"""Which market data are subscribed to when there are fewer lines than instruments.

An account has 100 lines of quotes, three books by position and five streams of trades. What does
not fit at once takes turns: each cell keeps the time it was last seen, and what has not been seen
for too long is stale. What has an order or a position keeps its line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mmquant.brokers.ibkr_feed import DEPTH, QUOTES, TRADES
from mmquant.core.dtypes import NEVER
from mmquant.errors import ConfigError

DWELL_NS = 2_000_000_000
"""A cell that takes turns is looked at so long."""
SWAP_NS = 200_000_000
"""So long between two changes of cells: each costs two messages."""
TRADES_AGAIN_NS = 15_000_000_000
"""IBKR takes one request for an instrument's trades in this time."""
OLD_NS = 10_000_000_000


@dataclass(frozen=True)
class Budget:
    """What an account may have at a time."""

    lines: int = 100
    books: int = 3
    trade_streams: int = 5

    def of(self, stream: str) -> int:
        """How many of a stream."""
        return {QUOTES: self.lines, DEPTH: self.books, TRADES: self.trade_streams}[stream]

    def less(self, stream: str, most: int) -> Budget:
        """The same with at most so many of a stream."""
        name = {QUOTES: "lines", DEPTH: "books", TRADES: "trade_streams"}[stream]
        return replace(self, **{name: max(min(most, self.of(stream)), 0)})


class Change(NamedTuple):
    """One subscription to begin or to end."""

    begin: bool
    inst: int
    stream: str


@dataclass
class Planner:
    """Decides what is subscribed to; ``active`` is what is, with the time it began.

    ``wanted`` are instruments and streams in order of their importance; those in ``steady`` never
    take turns.

    Raises
    ------
    ConfigError
        where what is steady does not fit the budget.
    """

    wanted: Sequence[tuple[int, str]]
    steady: Collection[tuple[int, str]] = ()
    budget: Budget = field(default_factory=Budget)
    active: dict[tuple[int, str], int] = field(default_factory=dict)
    seen: dict[tuple[int, str], int] = field(default_factory=dict)
    _swapped: int = 0
    _looked: int = 0

    def __post_init__(self) -> None:
        for stream in (QUOTES, DEPTH, TRADES):
            count = sum(1 for _, s in self.steady if s == stream)
            if count > self.budget.of(stream):
                raise ConfigError(
                    f"{count} streams of {stream} are needed, {self.budget.of(stream)} may be had",
                    fix="quote fewer instruments, or buy more market data lines",
                )

    def restart(self) -> None:
        """All subscriptions are gone, as after a lost connection."""
        self.active.clear()
        self._looked = 0

    def refused(self, key: tuple[int, str]) -> None:
        """The broker said that it is one too many."""
        self.active.pop(key, None)
        count = sum(1 for _, s in self.active if s == key[1])
        self.budget = self.budget.less(key[1], count)

    def changes(self, now: int, hot: Collection[int] = ()) -> list[Change]:
        """What to begin and to end now; ``hot`` instruments keep their lines, or get one."""
        self._looked = now
        found: list[Change] = []
        for stream in (QUOTES, DEPTH, TRADES):
            found += self._fill(stream, now, hot)
        if not found and now >= self._swapped + SWAP_NS:
            found = self._swap(now, hot)
            self._swapped = now if found else self._swapped
        return found

    def next_ts(self) -> int:
        """When to look again; NEVER where all has its line. [ns]"""
        if all(key in self.active for key in self.wanted):
            return NEVER
        return self._looked + SWAP_NS if self._looked else 0

    def too_old(self, now: int) -> Iterable[int]:
        """Instruments without a line for their quotes whose cell has not been seen for long."""
        for key in self.wanted:
            if key[1] == QUOTES and key not in self.active and now - self.seen.get(key, 0) > OLD_NS:
                yield key[0]

    def _fill(self, stream: str, now: int, hot: Collection[int]) -> list[Change]:
        room = self.budget.of(stream) - sum(1 for _, s in self.active if s == stream)
        waiting = [k for k in self.wanted if k[1] == stream and k not in self.active]
        if stream == TRADES:
            waiting = [k for k in waiting if now - self.seen.get(k, -NEVER) >= TRADES_AGAIN_NS]
        waiting.sort(key=lambda key: self._place(key, hot))
        return [self._begin(key, now) for key in waiting[: max(room, 0)]]

    def _swap(self, now: int, hot: Collection[int]) -> list[Change]:
        """End the cell that was looked at longest, for the one that was not seen for longest."""
        waiting = [k for k in self.wanted if k[1] == QUOTES and k not in self.active]
        turns = [
            key
            for key, since in self.active.items()
            if key[1] == QUOTES and key not in self.steady and key[0] not in hot
            and now - since >= DWELL_NS
        ]  # fmt: skip
        if not waiting or not turns:
            return []
        out = min(turns, key=lambda key: self.active[key])
        best = min(waiting, key=lambda key: self._place(key, hot))
        del self.active[out]
        self.seen[out] = now
        return [Change(False, *out), self._begin(best, now)]

    def _begin(self, key: tuple[int, str], now: int) -> Change:
        self.active[key] = self.seen[key] = now
        return Change(True, *key)

    def _place(self, key: tuple[int, str], hot: Collection[int]) -> tuple[bool, bool, int]:
        return (key not in self.steady, key[0] not in hot, self.seen.get(key, -1))
