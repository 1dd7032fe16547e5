"""Unsampled streams: market depth by rows, and tick-by-tick data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.market_feed import WATCH_ROWS
from mmquant.gateway.reference import DEEP_EXCHANGES, ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields, number

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

TICKS = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}
DUPLICATE = "Error processing request.-'bW' : cause - Duplicate ticker id"
TICK_SHARE = 0.05
"""Part of the market data lines that may be tick-by-tick streams."""
Row = tuple[int, int, int, float, int, int, int, int, int]
"""A FEED row: ts, tick, lots, subtick, inst, kind, side, place, operation."""


@dataclass
class Book:
    """One client's subscription to the depth of an instrument."""

    session: Session
    req_id: int
    listing: Listing
    rows: int
    smart: bool
    head: str
    tail: str
    named: str

    def send(self, place: int, operation: int, side: int, price: str, size: str) -> None:
        """Tell one row."""
        if place < self.rows:
            body = (
                f"{self.head}{place}\0{self.named}{operation}\0{1 if side > 0 else 0}\0{price}\0"
                f"{size}\0{self.tail}"
            )
            self.session.send_body(13 if self.named else 12, body.encode("ascii"))


@dataclass
class Stream:
    """One client's tick-by-tick stream of an instrument."""

    session: Session
    req_id: int
    listing: Listing
    kind: int
    mid: float = 0.0


class DepthDesk:
    """Depth and tick-by-tick subscriptions of all clients."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._books: dict[tuple[Session, int], Book] = {}
        self._streams: dict[tuple[Session, int], Stream] = {}
        self._books_of: dict[int, list[Book]] = {}
        self._streams_of: dict[int, list[Stream]] = {}

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {10: self._depth, 11: self._cancel_depth, 97: self._ticks, 98: self._cancel_ticks}

    def on_depth(self, row: Row) -> None:
        """Tell a changed row to all who watch that deep."""
        _, tick, lots, _, inst, _, side, place, operation = row
        books = self._books_of.get(inst)
        if books:
            listing = books[0].listing
            price, size = listing.shown_price(tick), number(listing.quantity(lots))
            for book in books:
                book.send(place, operation, side, price, size)

    def on_touch(self, row: Row) -> None:
        """Tell a changed best price, tick by tick."""
        streams = self._streams_of.get(row[4])
        if not streams:
            return
        bid, bid_lots, ask, ask_lots = self._gateway.floor.touch(row[4])
        for stream in streams:
            one = stream.listing
            if stream.kind == 3:
                low = 0.0 if bid == NO_BID else one.price(bid)
                high = 0.0 if ask == NO_ASK else one.price(ask)
                stream.session.send(
                    99, stream.req_id, 3, row[0] // 1_000_000_000, low, high,
                    one.quantity(bid_lots), one.quantity(ask_lots), 0,
                )  # fmt: skip
            elif stream.kind == 4 and bid != NO_BID and ask != NO_ASK:
                mid = round(0.5 * (one.price(bid) + one.price(ask)), 10)
                if mid != stream.mid:
                    stream.mid = mid
                    stream.session.send(99, stream.req_id, 4, row[0] // 1_000_000_000, mid)

    def on_trade(self, row: Row, price: float) -> None:
        """Tell a trade, tick by tick."""
        for stream in self._streams_of.get(row[4], ()):
            if stream.kind <= 2:
                size = stream.listing.quantity(row[2])
                venue = stream.listing.primary or stream.listing.exchanges[-1]
                stream.session.send(
                    99, stream.req_id, stream.kind, row[0] // 1_000_000_000, price, size, 0,
                    venue, "",
                )  # fmt: skip

    def forget(self, session: Session) -> None:
        """End all of a client's subscriptions."""
        for key in [key for key in self._books if key[0] is session]:
            self._drop_book(key)
        for key in [key for key in self._streams if key[0] is session]:
            self._drop_stream(key)

    def forget_all(self) -> None:
        """End all subscriptions of all clients, as a lost connection with loss of data does."""
        for key in list(self._books):
            self._drop_book(key)
        for key in list(self._streams):
            self._drop_stream(key)

    def refresh(self) -> None:
        """Tell all books anew: rows that are known are changed, new ones inserted."""
        for book in self._books.values():
            self._tell_all(book)

    def reset(self, code: int) -> None:
        """Depth is reset (317: told anew) or halted (316: to be subscribed again)."""
        for key, book in list(self._books.items()):
            if code == 316:
                message = "Market depth data has been HALTED. Please re-subscribe."
                book.session.error(book.req_id, 316, message)
                self._drop_book(key)
            else:
                message = (
                    "Market depth data has been RESET. Please empty deep book contents before "
                    "applying any new entries."
                )
                book.session.error(book.req_id, 317, message)
                self._tell_all(book)

    def _depth(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        rows, smart = fields.whole(), fields.flag()
        listing = self._gateway.quotes.one_listing(session, req_id, query)
        if listing is None:
            return
        most = self._gateway.settings.depth_books
        mine = [key for key in self._books if key[0] is session]
        if (session, req_id) in self._books:
            session.error(req_id, 322, DUPLICATE)
        elif len(mine) >= most:
            text = f"Max number ({most}) of market depth requests has been reached"
            session.error(req_id, 309, text)
        elif rows < 1:
            session.error(req_id, 321, "Error validating request: the number of rows is below 1")
        else:
            self._open_book(session, req_id, listing, min(rows, WATCH_ROWS), smart, query.exchange)

    def _open_book(
        self, session: Session, req_id: int, listing: Listing, rows: int, smart: bool, venue: str
    ) -> None:
        named = smart or venue in ("", "SMART", *DEEP_EXCHANGES)
        maker = (listing.primary or listing.exchanges[-1]) + "\0" if named else ""
        head = f"{13 if named else 12}\x001\0{req_id}\0"
        tail = ("1\0" if smart else "0\0") if named else ""
        book = Book(session, req_id, listing, rows, smart, head, tail, maker)
        floor = self._gateway.floor
        if rows > floor.watch["rows"][listing.inst]:
            floor.watch_depth(listing.inst, rows)
        self._books[session, req_id] = book
        self._books_of.setdefault(listing.inst, []).append(book)
        self._tell_all(book)

    def _tell_all(self, book: Book) -> None:
        told = self._gateway.floor.watch[book.listing.inst]
        for k, side in ((0, 1), (1, -1)):
            for place in range(min(int(told["count"][k]), book.rows)):
                price = book.listing.shown_price(int(told["tick"][k][place]))
                size = number(book.listing.quantity(int(told["lots"][k][place])))
                book.send(place, 0, side, price, size)

    def _cancel_depth(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id, smart = fields.whole(), fields.flag()
        book = self._books.get((session, req_id))
        if book is None or book.smart != smart:
            text = f"Can't find the subscribed market depth with tickerId:{req_id}"
            session.error(req_id, 310, text)
        else:
            self._drop_book((session, req_id))

    def _drop_book(self, key: tuple[Session, int]) -> None:
        book = self._books.pop(key)
        left = self._books_of[book.listing.inst]
        left.remove(book)
        self._gateway.floor.watch_depth(
            book.listing.inst, max((one.rows for one in left), default=0)
        )

    def _ticks(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        kind = TICKS.get(fields.text(), 0)
        listing = self._gateway.quotes.one_listing(session, req_id, query)
        if listing is None:
            return
        most = max(1, int(TICK_SHARE * self._gateway.settings.lines))
        if (session, req_id) in self._streams:
            session.error(req_id, 322, DUPLICATE)
        elif kind == 0:
            session.error(req_id, 321, "Error validating request: unknown tick-by-tick type")
        elif listing.is_option:
            text = "Failed to request tick-by-tick data.No market data permissions for options"
            session.error(req_id, 10189, text)
        elif len(self._streams) >= most:
            text = "Max number of tick-by-tick requests has been reached."
            session.error(req_id, 10190, text)
        else:
            stream = Stream(session, req_id, listing, kind)
            self._streams[session, req_id] = stream
            self._streams_of.setdefault(listing.inst, []).append(stream)
            if kind >= 3:
                row = (self._gateway.floor.now, 0, 0, 0.0, listing.inst, 0, 0, 0, 0)
                self.on_touch(row)

    def _cancel_ticks(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        if (session, req_id) in self._streams:
            self._drop_stream((session, req_id))
        else:
            session.error(req_id, 300, f"Can't find EId with tickerId:{req_id}")

    def _drop_stream(self, key: tuple[Session, int]) -> None:
        stream = self._streams.pop(key)
        self._streams_of[stream.listing.inst].remove(stream)
