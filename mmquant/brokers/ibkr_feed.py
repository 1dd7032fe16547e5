"""Market data as messages: books, trades and halts of each instrument, and whether they are stale.

All that a packet says of a book is told together, once it makes sense. Data that are not live are
never told as such: their instrument is stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan

from mmquant.brokers.ibkr_depth import ASKS, BIDS, PositionBook, TouchBook
from mmquant.brokers.ibkr_rows import NO_PRICE_TICK, Grid, Outbox
from mmquant.core.dtypes import NEVER, MsgKind, Session

LIVE = 1
"""Market data that are neither frozen nor delayed."""
BID, ASK, LAST, BID_SIZE, ASK_SIZE, HALTED = 1, 2, 4, 0, 3, 49
FIRST_DELAYED, LAST_DELAYED = 66, 76
MODEL = 13
QUOTES, DEPTH, TRADES = "quotes", "depth", "trades"
"""Streams: the best prices of a line, the book by position, and trades one by one."""
NOT_LIVE, WAITING, OLD, FARM = "not live", "waiting", "old", "farm"
"""Why an instrument is stale; ``waiting``: for the first data after they were lost."""


@dataclass
class Cell:
    """What is known of one instrument's market."""

    book: PositionBook | TouchBook
    stale: set[str] = field(default_factory=set)
    levels: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    halted: int = 0
    ts: int = 0
    greeks: tuple[float, ...] = ()
    dirty: bool = False


class Feed:
    """The cells of all instruments, and what of them is to be told."""

    def __init__(self, outbox: Outbox, grids: Sequence[Grid], depth_rows: Sequence[int]) -> None:
        """``depth_rows``: rows of each instrument's book by position; 0: quotes alone."""
        self._out, self._grids = outbox, grids
        self.cells = [Cell(PositionBook(n) if n else TouchBook()) for n in depth_rows]
        self.lines: dict[int, tuple[int, str]] = {}
        """Instrument and stream of each request."""
        self.lost: set[tuple[int, str]] = set()
        """Streams that have to be asked for again."""
        self._dirty: list[int] = []
        self._broken_farms: set[str] = set()

    def mid(self, inst: int) -> float:
        """Mid of what was told of a book; NaN if it is not two-sided. [currency]"""
        bid, ask = self._touch(inst)
        if bid is None or ask is None:
            return nan
        return 0.5 * (self._grids[inst].price(bid) + self._grids[inst].price(ask))

    # What the wire says.

    def depth(self, req_id: int, at: int, what: int, side: int, price: float, size: float) -> None:
        """One operation on a book by position."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst < 0 or not isinstance(book := self.cells[inst].book, PositionBook):
            return
        grid = self._grids[inst]
        tick, part = grid.tick(price)
        if side == ASKS and part:
            tick += 1
        book.apply(at, what, side, tick, grid.shown_lots(size))
        self._touched(inst)

    def quote(self, req_id: int, kind: int, price: float, size: float) -> None:
        """A price of a line, with its size."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst < 0:
            return
        if FIRST_DELAYED <= kind <= LAST_DELAYED:
            self._set_stale(inst, NOT_LIVE, True)
        elif kind in (BID, ASK):
            side = BIDS if kind == BID else ASKS
            tick, part = self._grids[inst].tick(price)
            absent = price <= 0 or tick == NO_PRICE_TICK
            lots = self._grids[inst].shown_lots(size)
            self._touch_of(inst).set_price(
                side, None if absent else tick + (side == ASKS and part > 0), lots
            )
            self._touched(inst, quote=True)
        elif kind == LAST and (inst, TRADES) not in self.lines.values():
            self.trade(inst, price, size, 0)

    def quote_size(self, req_id: int, kind: int, size: float) -> None:
        """A size of a line, at the price it has."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst >= 0 and kind in (BID_SIZE, ASK_SIZE):
            side = BIDS if kind == BID_SIZE else ASKS
            self._touch_of(inst).set_lots(side, self._grids[inst].shown_lots(size))
            self._touched(inst, quote=True)

    def generic(self, req_id: int, kind: int, value: float) -> None:
        """A number of a line; of these only halts are looked at."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst < 0 or kind != HALTED or value < 0:
            return
        halted = int(value > 0)
        if halted != self.cells[inst].halted:
            self.cells[inst].halted = halted
            self._out.put(int(MsgKind.STATUS), inst=inst, lots=halted)

    def print_of(self, req_id: int, time_s: int, price: float, size: float) -> None:
        """A trade of a stream of all trades."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst >= 0:
            self.trade(inst, price, size, time_s * 1_000_000_000)

    def trade(self, inst: int, price: float, size: float, exch_ts: int) -> None:
        """A trade; who came to whom is told by the best prices."""
        tick, part = self._grids[inst].tick(price)
        lots = self._grids[inst].shown_lots(size)
        if lots <= 0 or tick == NO_PRICE_TICK:
            return
        bid, ask = self._touch(inst)
        side = 0
        if ask is not None and tick >= ask:
            side = 1
        elif bid is not None and (tick < bid or (tick == bid and part == 0.0)):
            side = -1
        self._out.put(
            int(MsgKind.TRADE), inst=inst, side=side, tick=tick, subtick=part, lots=lots,
            exch_ts=exch_ts,
        )  # fmt: skip

    def computation(self, req_id: int, kind: int, values: tuple[float, ...]) -> None:
        """Implied volatility and greeks of an option, as IBKR's model has them."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst >= 0 and kind == MODEL:
            self.cells[inst].greeks = values

    def data_type(self, req_id: int, kind: int) -> None:
        """Whether the data of a line are live."""
        inst, _ = self.lines.get(req_id, (-1, ""))
        if inst >= 0:
            self._set_stale(inst, NOT_LIVE, kind != LIVE)

    # What is to be told.

    def settle(self, now: int) -> None:
        """A packet is over: tell what changed in all books that make sense."""
        dirty, self._dirty = self._dirty, []
        for inst in dirty:
            cell = self.cells[inst]
            cell.dirty = False
            if isinstance(cell.book, PositionBook) and not cell.book.settle(now):
                if cell.book.is_lost(now):
                    self.lose(inst, DEPTH)
                else:
                    self._mark(inst)
                continue
            if isinstance(cell.book, TouchBook) and cell.book.is_crossed():
                continue
            self._show(inst)
            cell.ts = now
            for why in (WAITING, OLD):
                self._set_stale(inst, why, False)

    def next_ts(self) -> int:
        """When a book that makes no sense is given up. [ns]"""
        waits = (
            cell.book.lost_at()
            for cell in (self.cells[inst] for inst in self._dirty)
            if isinstance(cell.book, PositionBook)
        )
        return min((at for at in waits if at is not None), default=NEVER)

    def lose(self, inst: int, stream: str) -> None:
        """A stream is lost: its instrument is stale until it comes again."""
        self.lost.add((inst, stream))
        self.reset(inst)

    def reset(self, inst: int) -> None:
        """Nothing is known of an instrument until new data come."""
        self._set_stale(inst, WAITING, True)
        self.cells[inst].book.clear()
        self._show(inst)

    def wait_for(self, inst: int) -> None:
        """What is shown may be old: an instrument is stale until new data come."""
        self._set_stale(inst, WAITING, True)

    def farm(self, name: str, broken: bool) -> None:
        """A farm of market data broke or came back; which instruments it serves is not told."""
        if broken:
            self._broken_farms.add(name)
        elif name not in self._broken_farms:
            return
        else:
            self._broken_farms.discard(name)
        for inst in range(len(self.cells)):
            if not broken and not self._broken_farms:
                self._set_stale(inst, WAITING, True)
            self._set_stale(inst, FARM, bool(self._broken_farms))

    def not_live(self, inst: int) -> None:
        """There are no live data of an instrument."""
        self._set_stale(inst, NOT_LIVE, True)

    def grow_old(self, inst: int) -> None:
        """Nobody has looked at an instrument for too long."""
        self._set_stale(inst, OLD, True)

    def _set_stale(self, inst: int, why: str, stale: bool) -> None:
        reasons = self.cells[inst].stale
        before = bool(reasons)
        if stale:
            reasons.add(why)
        else:
            reasons.discard(why)
        if before != bool(reasons):
            self._out.session(Session.DATA_STALE if reasons else Session.DATA_FRESH, inst)

    def _show(self, inst: int) -> None:
        cell = self.cells[inst]
        for side, tick, lots in cell.book.take_changes():
            level = cell.levels[BIDS if side > 0 else ASKS]
            if lots:
                level[tick] = lots
            else:
                level.pop(tick, None)
            self._out.put(int(MsgKind.DEPTH), inst=inst, side=side, tick=tick, lots=lots)

    def _touched(self, inst: int, quote: bool = False) -> None:
        if not (quote and isinstance(self.cells[inst].book, PositionBook)):
            self._mark(inst)

    def _mark(self, inst: int) -> None:
        if not self.cells[inst].dirty:
            self.cells[inst].dirty = True
            self._dirty.append(inst)

    def _touch_of(self, inst: int) -> TouchBook:
        """The quotes of a line; those of an instrument with a book by position go nowhere."""
        book = self.cells[inst].book
        return book if isinstance(book, TouchBook) else TouchBook()

    def _touch(self, inst: int) -> tuple[int | None, int | None]:
        asks, bids = self.cells[inst].levels[ASKS], self.cells[inst].levels[BIDS]
        return max(bids, default=None), min(asks, default=None)
