"""Market data by reqMktData: best prices and trades, conflated as Interactive Brokers does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.market_feed import DEPTH_ROW, HALTED, TOUCH, TRADE
from mmquant.gateway.combo_quotes import ComboQuotes
from mmquant.gateway.depth import DUPLICATE, DepthDesk
from mmquant.gateway.greeks import Greeks
from mmquant.gateway.lines import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    CLOSE,
    DELAYED,
    HIGH,
    LAST,
    LAST_SIZE,
    LOW,
    OPEN,
    VOLUME,
    Day,
    Line,
    generic_refusal,
    generic_ticks,
)
from mmquant.gateway.listings import LETTERS, NO_SECURITY
from mmquant.gateway.reference import ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

STOCK_NS, OPTION_NS = 250_000_000, 100_000_000
"""Time between two updates of a stock and of an option. [ns]"""
NOT_LIVE = "Requested market data is not subscribed.Displaying delayed market data."
NOT_SUBSCRIBED = (
    "Requested market data is not subscribed.Check API status by selecting the Account menu"
)


class QuoteDesk:
    """Lines of all clients; depth and tick-by-tick data are served by ``depth``."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.depth = DepthDesk(gateway)
        self.combos = ComboQuotes(gateway)
        self.greeks = Greeks(gateway)
        self.days = [Day() for _ in gateway.reference.listings]
        self._lines: dict[tuple[Session, int], Line] = {}
        self._lines_of: dict[int, list[Line]] = {}
        self._due: set[int] = set()
        self._types: dict[Session, int] = {}
        self.delayed = False
        self.stale = False

    def handlers(self) -> dict[int, Handler]:
        """What this desk and its depth serve, by message id."""
        own = {1: self._subscribe, 2: self._cancel, 59: self._data_type}
        return own | self.depth.handlers() | self.greeks.handlers()

    def publish(self, rows: np.ndarray) -> None:
        """Tell FEED rows to all who asked for them."""
        stale = self.stale
        for row in rows.tolist():
            kind, inst = row[5], row[4]
            if kind == DEPTH_ROW:
                if not stale:
                    self.depth.on_depth(row)
            elif kind == TOUCH:
                if inst in self._lines_of:
                    self._mark(inst)
                if not stale:
                    self.depth.on_touch(row)
            elif kind == TRADE:
                self._trade(row)
            elif kind == HALTED:
                for line in self._lines_of.get(inst, ()):
                    line.session.send(45, 6, line.req_id, 49, 1 if row[2] else 0)

    def one_listing(self, session: Session, req_id: int, query: ContractQuery) -> Listing | None:
        """The listing that a request means; an error is sent where there is not one."""
        found = self._gateway.reference.find(query)
        if len(found) == 1:
            return found[0]
        text = NO_SECURITY
        if found:
            text = f"The contract description specified for {query.symbol} is ambiguous."
        session.error(req_id, 200, text)
        return None

    def forget(self, session: Session) -> None:
        """End all of a client's subscriptions."""
        for key in [key for key in self._lines if key[0] is session]:
            self._drop(key)
        self.depth.forget(session)
        self.combos.forget(session)
        self._types.pop(session, None)

    def refresh(self) -> None:
        """Data come again: tell all lines and books how the market is now."""
        self.stale = False
        for line in self._lines.values():
            self._tell(line)
        self.depth.refresh()

    def delay(self, on: bool) -> None:
        """All lines get delayed data from now on, or live ones again, and are told so."""
        self.delayed = on
        for session, req_id in self._lines:
            session.send(58, 1, req_id, 3 if on else 1)
        if not on:
            self.refresh()

    def tell_lines(self, code: int, text: str) -> None:
        """Tell every line of an error."""
        for session, req_id in self._lines:
            session.error(req_id, code, text)

    def forget_all(self) -> None:
        """End all subscriptions, as a lost connection with loss of data does."""
        for key in list(self._lines):
            self._drop(key)
        self.depth.forget_all()
        self.combos.forget(None)

    def _subscribe(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        legs = self.combos.read_legs(fields) if query.sec_type == "BAG" else None
        if fields.flag():
            fields.skip(3)
        wanted, snapshot = generic_ticks(fields.text()), fields.flag()
        snapshot = fields.flag() or snapshot
        listing = None if legs else self.one_listing(session, req_id, query)
        if listing is None and legs is None:
            return
        if (session, req_id) in self._lines or (session, req_id) in self.combos.lines:
            session.error(req_id, 322, DUPLICATE)
            return
        if refused := generic_refusal(wanted, snapshot):
            session.error(req_id, 321, f"Error validating request.-'bW' : cause - {refused}")
            return
        used = len(self._lines) + len(self.combos.lines)
        if used >= self._gateway.settings.lines and not snapshot:
            session.error(req_id, 101, "Max number of tickers has been reached")
            return
        if listing is None:
            assert legs is not None
            self.combos.subscribe(session, req_id, legs, snapshot)
            return
        line = Line(session, req_id, listing, wanted)
        kind = self._type_for(session, req_id)
        if kind == 0:
            return
        session.send(81, req_id, listing.min_tick, "9c0001", 3)
        session.send(58, 1, req_id, kind)
        self._tell(line)
        self._tell_once(line)
        if snapshot:
            session.send(57, 1, req_id)
            return
        self._lines[session, req_id] = line
        self._lines_of.setdefault(listing.inst, []).append(line)

    def _type_for(self, session: Session, req_id: int) -> int:
        """Kind of data that a new line gets: 1 live, 3 delayed, 0 none."""
        if not self.delayed:
            return 1
        if self._types.get(session, 1) in (3, 4):
            session.error(req_id, 10167, NOT_LIVE)
            return 3
        session.error(req_id, 354, NOT_SUBSCRIBED)
        return 0

    def _cancel(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        if (session, req_id) in self._lines:
            self._drop((session, req_id))
        elif not self.combos.drop((session, req_id)):
            session.error(req_id, 300, f"Can't find EId with tickerId:{req_id}")

    def _drop(self, key: tuple[Session, int]) -> None:
        line = self._lines.pop(key)
        self.greeks.forget(*key)
        left = self._lines_of[line.listing.inst]
        left.remove(line)
        if not left:
            del self._lines_of[line.listing.inst]

    def _data_type(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        self._types[session] = fields.whole()

    def _trade(self, row: tuple[int, int, int, float, int, int, int, int, int]) -> None:
        ts, tick, lots, subtick, inst = row[:5]
        listing, day = self._gateway.reference.listings[inst], self.days[inst]
        price = listing.price(tick)
        if subtick:
            price += subtick * (listing.price(tick + 1) - price)
        size = listing.quantity(lots)
        day.last, day.last_size, day.last_s = price, size, ts // 1_000_000_000
        day.open = day.open or price
        day.high, day.low = max(day.high, price), min(day.low or price, price)
        day.volume += size
        day.turnover += size * price
        if inst in self._lines_of:
            self._mark(inst)
            for line in self._lines_of[inst]:
                if "233" in line.generic and not self.stale:
                    value = f"{price!r};{size:g};{ts // 1_000_000};{day.volume:g};"
                    value += f"{day.turnover / day.volume:.8f};true"
                    line.session.send(46, 6, line.req_id, 48, value)
        if not self.stale:
            self.depth.on_trade(row, price)

    def _mark(self, inst: int) -> None:
        """Tell the lines of an instrument when their time has come."""
        if inst in self._due:
            return
        self._due.add(inst)
        every = OPTION_NS if self._gateway.reference.listings[inst].is_option else STOCK_NS
        due = (self._gateway.floor.now // every + 1) * every
        self._gateway.floor.at(due, lambda: self._tell_lines(inst))

    def _tell_lines(self, inst: int) -> None:
        self._due.discard(inst)
        if self.stale:
            return
        for line in self._lines_of.get(inst, ()):
            self._tell(line)

    def _tell(self, line: Line) -> None:
        """Tell a line what it does not know yet."""
        one, day = line.listing, self.days[line.listing.inst]
        bid, bid_lots, ask, ask_lots = self._gateway.floor.touch(one.inst)
        low, high = (-1.0 if t in (NO_BID, NO_ASK) else one.price(t) for t in (bid, ask))
        self._tell_price(line, BID, BID_SIZE, (low, one.quantity(bid_lots)))
        self._tell_price(line, ASK, ASK_SIZE, (high, one.quantity(ask_lots)))
        if day.last:
            self._tell_price(line, LAST, LAST_SIZE, (day.last, day.last_size))
            self._tell_price(line, HIGH, -1, (day.high, 0.0))
            self._tell_price(line, LOW, -1, (day.low, 0.0))
            if line.told.get(VOLUME) != (day.volume, 0.0):
                line.told[VOLUME] = (day.volume, 0.0)
                self._send(line, 2, VOLUME, day.volume)
                line.session.send(46, 6, line.req_id, 45, str(day.last_s))
        if one.is_option:
            self.greeks.tell(line.session, line.req_id, one)
        if "221" in line.generic or "232" in line.generic:
            mark = self._gateway.accounts.mark(one.inst)
            self._tell_price(line, 37, -1, (mark, 0.0))

    def _tell_price(self, line: Line, kind: int, size_kind: int, now: tuple[float, float]) -> None:
        told = line.told.get(kind)
        if told == now:
            return
        line.told[kind] = now
        if told is not None and told[0] == now[0]:
            self._send(line, 2, size_kind, now[1])
            return
        kind = DELAYED.get(kind, kind) if self.delayed else kind
        mask = 1 if kind in (BID, ASK) else 0
        line.session.send(1, 6, line.req_id, kind, now[0], now[1], mask)
        if size_kind >= 0 and now[0] >= 0.0:
            self._send(line, 2, size_kind, now[1])

    def _send(self, line: Line, message: int, kind: int, value: float) -> None:
        kind = DELAYED.get(kind, kind) if self.delayed else kind
        line.session.send(message, 6, line.req_id, kind, value)

    def _tell_once(self, line: Line) -> None:
        """What comes once: venues, the day's start, and generic ticks."""
        one, day = line.listing, self.days[line.listing.inst]
        letter = LETTERS.get(one.primary or one.exchanges[-1], "Q")
        for kind in (32, 33):
            line.session.send(46, 6, line.req_id, kind, letter)
        close = day.close or self._gateway.history.close_before(one.inst)
        self._tell_price(line, CLOSE, -1, (close, 0.0))
        if day.open:
            self._tell_price(line, OPEN, -1, (day.open, 0.0))
        line.session.send(45, 6, line.req_id, 49, 1 if self._gateway.floor.halted(one.inst) else 0)
        if "236" in line.generic and one.sec_type == "STK":
            line.session.send(45, 6, line.req_id, 46, 3.0)
        vol = self._gateway.market.volatility(1, self._gateway.floor.now)
        for asked, kind in (("106", 24), ("104", 23)):
            if asked in line.generic and one.sec_type == "STK" and vol == vol:
                line.session.send(45, 6, line.req_id, kind, vol)
