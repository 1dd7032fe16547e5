"""Subscriptions to market data: what the planner wants, asked for and asked for again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mmquant.brokers.ibkr_contracts import Traded
from mmquant.brokers.ibkr_depth import PositionBook
from mmquant.brokers.ibkr_feed import DEPTH, QUOTES, TRADES, WAITING, Feed
from mmquant.brokers.ibkr_lines import TRADES_AGAIN_NS, Change, Planner
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_pacer import Rank
from mmquant.brokers.ibkr_terms import SMART
from mmquant.core.dtypes import NEVER

AGAIN_NS = 1_000_000_000
"""A stream that is lost again and again is asked for once in this time."""
LOOK_NS = 500_000_000
SILENT_NS, MOST_SILENT_NS = 3_000_000_000, 60_000_000_000
"""A stream of which nothing comes is asked for again after so long, then after twice that."""


class Streams:
    """Keeps the wire's subscriptions as the planner has them."""

    def __init__(
        self,
        link: Link,
        feed: Feed,
        planner: Planner,
        traded: Sequence[Traded | None],
        depth_rows: int,
    ) -> None:
        self._link, self._feed, self.planner, self._traded = link, feed, planner, traded
        self._rows = depth_rows
        self._numbers: dict[tuple[int, str], int] = {}
        self._asked: dict[tuple[int, str], int] = {}
        self._patience: dict[tuple[int, str], tuple[int, int]] = {}
        """Of a silent stream: when it was first seen to be, or asked for again, and the pause."""
        self._look_ts = 0

    def restart(self) -> None:
        """All subscriptions are gone: nothing is known until new data come."""
        self.planner.restart()
        self._numbers.clear()
        self._feed.lines.clear()
        self._feed.lost.clear()
        for inst in range(len(self._feed.cells)):
            self._feed.reset(inst)

    def refused(self, req_id: int) -> None:
        """The broker said that it is one too many: it is not asked for again."""
        key = self._feed.lines.pop(req_id, None)
        if key is not None:
            self._numbers.pop(key, None)
            self.planner.refused(key)
            self._feed.reset(key[0])

    def step(self, now: int, hot: Callable[[], Collection[int]]) -> None:
        """Begin and end what is to be."""
        if now >= self._look_ts:
            self._look_ts = now + LOOK_NS
            for inst in self.planner.too_old(now):
                self._feed.grow_old(inst)
            self._give_up_silent_ones(now)
        for key in list(self._feed.lost):
            if now >= self._again_at(key):
                self._feed.lost.discard(key)
                self._change(Change(False, *key), now)
                self._change(Change(True, *key), now)
        if self.planner.next_ts() <= now:
            for change in self.planner.changes(now, hot()):
                self._change(change, now)

    def next_ts(self) -> int:
        """When there is something to begin, to end or to look at. [ns]"""
        again = min((self._again_at(key) for key in self._feed.lost), default=NEVER)
        return min(again, self.planner.next_ts(), self._look_ts)

    def _give_up_silent_ones(self, now: int) -> None:
        for inst, cell in enumerate(self._feed.cells):
            key = (inst, DEPTH if isinstance(cell.book, PositionBook) else QUOTES)
            if WAITING not in cell.stale or key not in self._numbers:
                self._patience.pop(key, None)
                continue
            since, pause = self._patience.setdefault(key, (now, SILENT_NS))
            if now - since >= pause:
                self._patience[key] = (now, min(2 * pause, MOST_SILENT_NS))
                self._feed.lost.add(key)

    def _again_at(self, key: tuple[int, str]) -> int:
        pause = TRADES_AGAIN_NS if key[1] == TRADES else AGAIN_NS
        return self._asked.get(key, -pause) + pause

    def _change(self, change: Change, now: int) -> None:
        key = (change.inst, change.stream)
        traded = self._traded[change.inst]
        if traded is None:
            return
        if change.begin:
            self._asked[key] = now
            number = self._numbers[key] = self._link.client.getReqId()
            self._feed.lines[number] = key
            self._link.send(Rank.DATA, ("begin", number), self._begin(number, change, traded))
        elif (number := self._numbers.pop(key, -1)) >= 0:
            self._feed.lines.pop(number, None)
            if not self._link.pacer.drop(("begin", number)):
                self._link.send(Rank.DATA, ("end", number), self._end(number, change, traded))

    def _begin(self, number: int, change: Change, traded: Traded) -> Callable[[], None]:
        client, ib = self._link.client, traded.ib
        if change.stream == QUOTES:
            return lambda: client.reqMktData(number, ib, "", False, False, [])
        if change.stream == DEPTH:
            return lambda: client.reqMktDepth(number, ib, self._rows, ib.exchange == SMART, [])
        return lambda: client.reqTickByTickData(number, ib, "AllLast", 0, False)

    def _end(self, number: int, change: Change, traded: Traded) -> Callable[[], None]:
        client, ib = self._link.client, traded.ib
        if change.stream == QUOTES:
            return lambda: client.cancelMktData(number)
        if change.stream == DEPTH:
            return lambda: client.cancelMktDepth(number, ib.exchange == SMART)
        return lambda: client.cancelTickByTickData(number)
