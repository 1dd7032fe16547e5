"""Historical bars and ticks, bars as they happen, and the pace at which they may be asked for."""

from __future__ import annotations

import datetime
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.market_feed import TOUCH, TRADE
from mmquant.gateway.bars import (
    BASE_S,
    UNITS,
    Bar,
    Bars,
    duration_of,
    past_bars,
    seconds_of,
    shown_date,
)
from mmquant.gateway.clock import time_ns
from mmquant.gateway.reference import ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

SERIES = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK")
MAX_BARS = 5_000
TICKS_KEPT = 5_000
MAX_TICKS = 1_000
PACED_S = 30
"""Bars up to this length are paced. [s]"""
VIOLATION = "Historical Market Data Service error message:Historical data request pacing violation"


@dataclass
class Past:
    """What is kept of one instrument."""

    trades: deque[tuple[int, float, float]] = field(
        default_factory=lambda: deque(maxlen=TICKS_KEPT)
    )
    touches: deque[tuple[int, float, float, float, float]] = field(
        default_factory=lambda: deque(maxlen=TICKS_KEPT)
    )
    series: dict[str, Bars] = field(default_factory=lambda: {name: Bars() for name in SERIES[:4]})


@dataclass
class Stream:
    """A subscription to new bars: message 50 every five seconds, or 90 for a kept history."""

    session: Session
    req_id: int
    listing: Listing
    what: str
    length: int
    epoch: bool
    message: int


class History:
    """Remembers the market for those who ask later."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._past = [Past() for _ in gateway.reference.listings]
        self._streams: dict[tuple[Session, int], Stream] = {}
        self._asked: deque[tuple[float, Session, str]] = deque()
        self._ticking = False

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {
            20: self._bars,
            25: self._cancel,
            50: self._real_time,
            51: self._cancel,
            87: self._head,
            96: self._ticks,
        }

    def note(self, rows: np.ndarray) -> None:
        """Remember FEED rows."""
        listings, floor = self._gateway.reference.listings, self._gateway.floor
        for ts, tick, lots, _, inst, kind, *_ in rows.tolist():
            if kind == TRADE:
                price, size = listings[inst].price(tick), listings[inst].quantity(lots)
                past = self._past[inst]
                past.trades.append((ts, price, size))
                past.series["TRADES"].add(ts // 1_000_000_000, price, size)
            elif kind == TOUCH:
                one = listings[inst]
                bid, bid_lots, ask, ask_lots = floor.touch(inst)
                if bid == NO_BID or ask == NO_ASK:
                    continue
                low, high = one.price(bid), one.price(ask)
                past, second = self._past[inst], ts // 1_000_000_000
                sizes = one.quantity(bid_lots), one.quantity(ask_lots)
                past.touches.append((ts, low, high, *sizes))
                for name, price in (("BID", low), ("ASK", high), ("MIDPOINT", 0.5 * (low + high))):
                    past.series[name].add(second, price)

    def close_before(self, inst: int) -> float:
        """Close of the day before the start. [currency]"""
        one, price = self._gateway.reference.listings[inst], self._first_price(inst)
        if not price:
            return 0.0
        today = self._gateway.market.start_ns // 1_000_000_000 // 86_400 * 86_400
        day = today - 86_400
        return past_bars(str(one.con_id), day, day, 86_400, today, price, one.min_tick)[0].close

    def forget(self, session: Session) -> None:
        """End all of a client's subscriptions."""
        self._streams = {k: s for k, s in self._streams.items() if k[0] is not session}

    def _first_price(self, inst: int) -> float:
        bars = (
            self._past[inst]
            .series["MIDPOINT"]
            .joined([self._gateway.market.start_ns // 1_000_000_000 // BASE_S * BASE_S], BASE_S)
        )
        return bars[0].open if bars else self._gateway.accounts.mark(inst)

    def _found(self, one: Listing, what: str, end: int, length: int, count: int) -> list[Bar]:
        """The last ``count`` bars that begin before ``end``."""
        last = (end - 1) // length * length
        starts = range(last - length * (count - 1), last + 1, length)
        begin = self._gateway.market.start_ns // 1_000_000_000 // BASE_S * BASE_S
        edge = begin // length * length
        after = [start for start in starts if start >= edge]
        price = self._first_price(one.inst)
        found: list[Bar] = []
        if price and starts[0] < edge:
            end_before = min(starts[-1], edge - length)
            key, step = str(one.con_id), one.min_tick
            found = past_bars(key, starts[0], end_before, length, edge, price, step)
        if what == "BID_ASK":
            series = self._past[one.inst].series
            bids, asks = (series[x].joined(after, length, price or None) for x in ("BID", "ASK"))
            pairs = zip(bids, asks, strict=False)
            return found + [Bar(b.start, b.open, a.high, b.low, a.close) for b, a in pairs]
        return found + self._past[one.inst].series[what].joined(after, length, price or None)

    def _bars(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        fields.skip(1)
        end_text, size, duration = fields.text(), fields.text(), fields.text()
        fields.skip(1)
        what, date_format = fields.text(), fields.whole()
        if query.sec_type == "BAG":
            fields.skip(4 * fields.count(20))
        keep = fields.flag()
        one = self._gateway.quotes.one_listing(session, req_id, query)
        if one is None:
            return
        length, span = seconds_of(size), duration_of(duration)
        end_ns = time_ns(end_text) if end_text else self._gateway.floor.now
        if length is None or span is None or end_ns is None or what not in SERIES:
            what_is = f"bar size {size!r}, duration {duration!r}, end {end_text!r}, {what!r}"
            session.error(req_id, 321, f"Error validating request: {what_is}")
            return
        count = max(1, -(-span // length))
        if count > MAX_BARS:
            text = "Historical Market Data Service error message:Time length exceed max."
            session.error(req_id, 162, text)
            return
        if length <= PACED_S and not self._in_pace(session, f"{one.con_id}:{size}:{what}"):
            session.error(req_id, 162, VIOLATION)
            return
        end = min(end_ns, self._gateway.floor.now) // 1_000_000_000 + 1
        bars = self._found(one, what, end, length, count)
        epoch = date_format == 2
        out: list[object] = [17, req_id, shown_date(bars[0].start if bars else end, False, 1)]
        out += [shown_date(end, False, 1), len(bars)]
        for bar in bars:
            out += [shown_date(bar.start, epoch, length), bar.open, bar.high, bar.low, bar.close]
            out += [bar.volume if what == "TRADES" else -1, bar.average, bar.count or -1]
        session.send(*out)
        if keep:
            self._streams[session, req_id] = Stream(session, req_id, one, what, length, epoch, 90)
            self._tick()

    def _in_pace(self, session: Session, key: str) -> bool:
        """Whether a request for short bars keeps to the limits of the wall clock."""
        now = time.monotonic()
        while self._asked and self._asked[0][0] < now - 600.0:
            self._asked.popleft()
        mine = [(at, k) for at, who, k in self._asked if who is session]
        same = any(k == key and at > now - 15.0 for at, k in mine)
        burst = sum(k.split(":")[0] == key.split(":")[0] and at > now - 2.0 for at, k in mine)
        if same or burst >= 6 or len(mine) >= 60:
            return False
        self._asked.append((now, session, key))
        return True

    def _real_time(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        fields.skip(1)
        what = fields.text()
        one = self._gateway.quotes.one_listing(session, req_id, query)
        if one is None:
            return
        if what not in SERIES[:4]:
            session.error(req_id, 321, f"Error validating request: {what!r} is not known")
            return
        self._streams[session, req_id] = Stream(session, req_id, one, what, BASE_S, True, 50)
        self._tick()

    def _tick(self) -> None:
        """Tell bars every five seconds while anybody listens."""
        if self._ticking or not self._streams:
            return
        self._ticking = True
        now = self._gateway.floor.now
        due = (now // (BASE_S * 1_000_000_000) + 1) * BASE_S * 1_000_000_000

        def again() -> None:
            self._ticking = False
            for stream in list(self._streams.values()):
                self._tell(stream, due // 1_000_000_000)
            self._tick()

        self._gateway.floor.at(due, again)

    def _tell(self, stream: Stream, second: int) -> None:
        bars = self._found(stream.listing, stream.what, second, stream.length, 1)
        if not bars:
            return
        bar, req_id = bars[-1], stream.req_id
        if stream.message == 50:
            stream.session.send(
                50, 3, req_id, bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume,
                bar.average, bar.count,
            )  # fmt: skip
        else:
            date = shown_date(bar.start, stream.epoch, stream.length)
            stream.session.send(
                90, req_id, bar.count, date, bar.open, bar.close, bar.high, bar.low, bar.average,
                bar.volume,
            )  # fmt: skip

    def _cancel(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        if self._streams.pop((session, req_id), None) is None:
            session.error(req_id, 366, f"No historical data query found for ticker id:{req_id}")

    def _head(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        fields.skip(3)
        epoch = fields.whole() == 2
        if self._gateway.quotes.one_listing(session, req_id, query) is not None:
            first = self._gateway.market.start_ns // 1_000_000_000 - 5 * UNITS["Y"]
            shown = datetime.datetime.fromtimestamp(first, datetime.UTC)
            session.send(88, req_id, str(first) if epoch else f"{shown:%Y%m%d-%H:%M:%S}")

    def _ticks(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        fields.skip(1)
        start_text, end_text = fields.text(), fields.text()
        count, what = fields.whole(), fields.text()
        one = self._gateway.quotes.one_listing(session, req_id, query)
        if one is None:
            return
        start = time_ns(start_text) if start_text else None
        end = time_ns(end_text) if end_text else self._gateway.floor.now + 1
        if what not in ("TRADES", "BID_ASK", "MIDPOINT") or not 0 < count <= MAX_TICKS:
            session.error(req_id, 321, f"Error validating request: {count} ticks of {what!r}")
            return
        past = self._past[one.inst]
        rows: list[tuple[int, ...]] = list(past.trades if what == "TRADES" else past.touches)  # type: ignore[arg-type]
        if start is not None:
            rows = [row for row in rows if row[0] >= start][:count]
        elif end is not None:
            rows = [row for row in rows if row[0] < end][-count:]
        venue = one.primary or one.exchanges[-1]
        out: list[object] = []
        for ts, *x in rows:
            second = ts // 1_000_000_000
            if what == "TRADES":
                out += [second, 0, x[0], x[1], venue, ""]
            elif what == "BID_ASK":
                out += [second, 0, *x]
            else:
                out += [second, 0, 0.5 * (x[0] + x[1]), 0]
        message = {"TRADES": 98, "BID_ASK": 97, "MIDPOINT": 96}[what]
        session.send(message, req_id, len(rows), *out, True)
