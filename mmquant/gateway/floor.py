"""The exchange behind the gateway: the same kernels as the backtest, fed from a market by time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from mmquant.config import Config
from mmquant.core.book import ASK, BID, grow_book, make_book
from mmquant.core.dtypes import ACTION, NO_ASK, NO_BID, ActionKind, Status
from mmquant.core.engine import AT_RESPONSE, Tape
from mmquant.core.exchange import (
    Exchange,
    begin_tape,
    grow_rings,
    make_exchange,
    send_request,
)
from mmquant.core.market_feed import FEED, FEED_FULL, WATCH_ROWS, feed_step, look, make_watch
from mmquant.data.contracts import instrument_rows
from mmquant.errors import MMQuantError
from mmquant.gateway.market import Chunk, Market
from mmquant.trading.halves import DAY_END, exchange_state

SLOTS = 1_024
"""Orders of an account that may be open at once."""
FEED_ROWS = 1_024
LATENCY_NS = 1
"""Of a request to the exchange, and of its answer: the shortest that the exchange knows."""

Publish = Callable[[np.ndarray], None]
Answer = Callable[[np.void], None]


class Floor:
    """Book, orders and time of the exchange. Times are the market's. [ns]

    ``publish`` is called with FEED rows, ``answer`` with each MSG row for an order, in order of
    time.
    """

    def __init__(self, market: Market, publish: Publish, answer: Answer) -> None:
        self._publish, self._answer = publish, answer
        self._chunks: Iterator[Chunk] = market.chunks()
        self._chunk = Chunk(_no_rows(), market.start_ns - 1)
        self._next: Chunk | None = next(self._chunks, None)
        instrument = instrument_rows(market.contracts, market.date)
        state = exchange_state(Config(), SLOTS, DAY_END)
        state["entry_ns"] = state["response_ns"] = LATENCY_NS
        self.exchange: Exchange = make_exchange(
            book=make_book(len(instrument), window=1 << 13),
            instrument=instrument,
            state=state,
            sets=1,
        )
        self.watch = make_watch(len(instrument))
        self.watch["touch"] = 1
        self.watch["trades"] = 1
        self._feed = np.zeros(FEED_ROWS, FEED)
        self._look = np.zeros(8 * WATCH_ROWS + 8, FEED)
        self.now = market.start_ns
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._request = np.zeros(1, ACTION)
        self.ended = False

    def at(self, due: int, call: Callable[[], None]) -> None:
        """Call something at a time of the market."""
        heapq.heappush(self._timers, (max(due, self.now), next(self._numbers), call))

    def next_due(self) -> int:
        """When the next row or timer is due, as far as is known."""
        due = self._timers[0][0] if self._timers else 2**62
        due = min(due, int(self.exchange.state[0]["next_expiry"]))
        row = int(self.exchange.state[0]["row"])
        times = self._chunk.tape.exch_ts
        if row < len(times):
            return min(due, int(times[row]))
        return due if self._next is None else min(due, int(self._next.tape.exch_ts[0]))

    def advance(self, until: int) -> None:
        """Let all happen that happens up to a time."""
        while True:
            due = self._timers[0][0] if self._timers else until + 1
            self._live(min(due, until))
            self.now = max(self.now, min(due, until))
            if due > until:
                return
            heapq.heappop(self._timers)[2]()

    def request(self, kind: ActionKind, **fields: int) -> None:
        """Send a request to the exchange, and let it be answered."""
        action = self._request[0]
        self._request[:] = 0
        action["kind"], action["ts"] = int(kind), self.now
        for name, value in fields.items():
            action[name] = value
        while not send_request(self.exchange, action, self.now):
            self.exchange = grow_rings(self.exchange)
        self._live(self.now + 2 * LATENCY_NS)
        self.now += 2 * LATENCY_NS

    def watch_depth(self, inst: int, rows: int) -> None:
        """Watch so many rows a side of an instrument from now on; 0 ends it."""
        if rows < self.watch["rows"][inst]:
            self.watch["count"][inst] = np.minimum(self.watch["count"][inst], rows)
        self.watch["rows"][inst] = rows
        self._publish(
            self._look[: look(self.exchange.book, self.watch, inst, self.now, self._look)]
        )

    def touch(self, inst: int) -> tuple[int, int, int, int]:
        """(bid tick, bid lots, ask tick, ask lots); NO_BID and NO_ASK where there is none."""
        told = self.watch[inst]
        best, lots = told["best"], told["best_lots"]
        return int(best[BID]), int(lots[BID]), int(best[ASK]), int(lots[ASK])

    def two_sided(self, inst: int) -> bool:
        """Whether both best prices are there."""
        bid, _, ask, _ = self.touch(inst)
        return bid != NO_BID and ask != NO_ASK

    def halted(self, inst: int) -> bool:
        """Whether trading is halted."""
        return bool(self.exchange.book.side[inst]["halted"])

    def _live(self, until: int) -> None:
        while self._next is not None and until > self._chunk.until:
            self._run(self._chunk.until)
            self._chunk, self._next = self._next, next(self._chunks, None)
            begin_tape(self.exchange)
        self._run(until)
        self.ended = self._next is None and until > self._chunk.until

    def _run(self, until: int) -> None:
        while True:
            at, n = feed_step(self.exchange, self._chunk.tape, until, self.watch, self._feed)
            if n:
                self._publish(self._feed[:n])
            if at == AT_RESPONSE:
                self._take_answer()
            elif at == Status.BOOK_FULL:
                self.exchange = self.exchange._replace(book=grow_book(self.exchange.book))
            elif at == Status.RING_FULL and not self.exchange.state[0]["status"]:
                self.exchange = grow_rings(self.exchange)
            elif at > 0:
                raise MMQuantError(
                    f"the exchange stopped with status {Status(int(at)).name}",
                    fix="check the tape with `mmquant data check`",
                )
            elif at != FEED_FULL:
                return

    def _take_answer(self) -> None:
        state, ring = self.exchange.state[0], self.exchange.response
        row = ring[int(state["response_head"]) & (len(ring) - 1)].copy()
        state["response_head"] += 1
        self._answer(row)


def _no_rows() -> Tape:
    return Tape(
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.int8),
        np.zeros(0, np.int8),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int16),
        np.zeros(0, np.int64),
    )
