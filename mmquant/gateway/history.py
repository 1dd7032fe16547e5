"""Historical bars, bars as they happen, and the pace at which they may be asked for."""

from __future__ import annotations

import datetime
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.market_feed import TOUCH, TRADE
from mmquant.gateway.bars import (
    BASE_S,
    LEGAL_SIZES,
    UNITS,
    Bar,
    Bars,
    duration_of,
    past_bars,
    schedule,
    seconds_of,
    shown_date,
)
from mmquant.gateway.clock import time_ns
from mmquant.gateway.reference import ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.tick_history import TickHistory
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

SERIES = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK")
NO_SERIES = ("HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY", "AGGTRADES", "FEE_RATE",
             "YIELD_BID", "YIELD_ASK", "YIELD_BID_ASK", "YIELD_LAST")  # fmt: skip
"""Series of Interactive Brokers of which there are no data here."""
MAX_BARS = 50_000
PACED_S = 30
"""Bars up to this length are paced. [s]"""
HISTORY = "Historical Market Data Service error message:"
INVALID = "Error validating request.-'bX' : cause - Historical data "
NO_TIME = (
    "The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss "
    "xx/xxxx where yyyymmdd and xx/xxxx are optional"
)
DUPLICATE = "Error processing request.-'bX' : cause - Duplicate ticker id"


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
        self.ticks = TickHistory(gateway)
        self._series = [{name: Bars() for name in SERIES[:4]} for _ in gateway.reference.listings]
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
        } | self.ticks.handlers()

    def note(self, rows: np.ndarray) -> None:
        """Remember FEED rows."""
        listings, floor = self._gateway.reference.listings, self._gateway.floor
        for ts, tick, lots, _, inst, kind, *_ in rows.tolist():
            if kind == TRADE:
                price, size = listings[inst].price(tick), listings[inst].quantity(lots)
                self.ticks.of[inst].trades.append((ts, price, size))
                self._series[inst]["TRADES"].add(ts // 1_000_000_000, price, size)
            elif kind == TOUCH:
                one = listings[inst]
                bid, bid_lots, ask, ask_lots = floor.touch(inst)
                if bid == NO_BID or ask == NO_ASK:
                    continue
                low, high = one.price(bid), one.price(ask)
                sizes = one.quantity(bid_lots), one.quantity(ask_lots)
                self.ticks.of[inst].touches.append((ts, low, high, *sizes))
                middle = round(0.5 * (low + high), 10)
                for name, price in (("BID", low), ("ASK", high), ("MIDPOINT", middle)):
                    self._series[inst][name].add(ts // 1_000_000_000, price)

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
        begin = self._gateway.market.start_ns // 1_000_000_000 // BASE_S * BASE_S
        bars = self._series[inst]["MIDPOINT"].joined([begin], BASE_S)
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
            series = self._series[one.inst]
            bids, asks = (series[x].joined(after, length, price or None) for x in ("BID", "ASK"))
            pairs = zip(bids, asks, strict=False)
            return found + [Bar(b.start, b.open, a.high, b.low, a.close) for b, a in pairs]
        return found + self._series[one.inst][what].joined(after, length, price or None)

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
        count = max(1, -(-(span or 0) // (length or 1)))
        refused = None
        if (session, req_id) in self._streams:
            refused = 322, DUPLICATE
        elif length is None:
            refused = 321, f"{INVALID}bar size setting is invalid. Legal ones are: {LEGAL_SIZES}"
        elif span is None:
            refused = 321, f"{INVALID}duration {duration!r} is invalid"
        elif end_ns is None:
            refused = 10314, f"End Date/Time: {NO_TIME}"
        elif end_text and (keep or what == "ADJUSTED_LAST"):
            refused = 321, f"{INVALID}an end time is not allowed here"
        elif what not in (*SERIES, *NO_SERIES, "ADJUSTED_LAST", "SCHEDULE"):
            refused = 321, f"{INVALID}what to show {what!r} is not known"
        elif count > MAX_BARS:
            refused = 162, f"{HISTORY}Time length exceed max."
        elif length <= PACED_S and not self._in_pace(session, f"{one.con_id}:{size}:{what}"):
            refused = 162, f"{HISTORY}Historical data request pacing violation"
        if refused is not None:
            session.error(req_id, *refused)
            return
        assert length is not None and end_ns is not None
        end = min(end_ns, self._gateway.floor.now) // 1_000_000_000 + 1
        if what == "SCHEDULE":
            session.send(106, req_id, *schedule(end, count, length))
            return
        what = "TRADES" if what == "ADJUSTED_LAST" else what
        bars = [] if what in NO_SERIES else self._found(one, what, end, length, count)
        if not bars:
            text = f"{HISTORY}HMDS query returned no data: {one.local_symbol}@SMART {what.title()}"
            session.error(req_id, 162, text)
            return
        epoch = date_format == 2
        self._send_bars(session, req_id, bars, end, length, what, epoch=epoch)
        if keep:
            self._streams[session, req_id] = Stream(session, req_id, one, what, length, epoch, 90)
            self._tick()

    def _send_bars(
        self, session: Session, req_id: int, bars: list[Bar], end: int, length: int, what: str, *,
        epoch: bool,
    ) -> None:  # fmt: skip
        out: list[object] = [17, req_id, shown_date(bars[0].start, False, 1)]
        out += [shown_date(end, False, 1), len(bars)]
        for bar in bars:
            out += [shown_date(bar.start, epoch, length), bar.open, bar.high, bar.low, bar.close]
            out += [bar.volume if what == "TRADES" else -1, bar.average, bar.count or -1]
        session.send(*out)

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
        if (session, req_id) in self._streams:
            session.error(req_id, 322, DUPLICATE)
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
