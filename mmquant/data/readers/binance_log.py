"""Lines of a raw Binance futures log: ``<local ns> <json>``, one message of the venue each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from mmquant.data.readers.text_input import COPY_FIX, Faults, TextInput

DIFF, TRADE, SNAPSHOT = 1, 2, 4
"""Kinds of messages that make rows."""
BOOK_TICKER = b'"e":"bookTicker"'
MARKET_TRADE = "MARKET"
"""Trades of other types (insurance fund, liquidation by deleveraging) do not meet the book."""
MAX_MS = 2**63 // 10**6
ROW_FIX = "correct the line"


class BadLineError(Exception):
    """A line that cannot be used: what is wrong."""


@dataclass(slots=True)
class Event:
    """One message: its line (index), times, kind, update ids and levels as decimal strings.

    ``bids`` and ``asks`` are prices and sizes in turn; a trade is one of both, in ``bids`` if it is
    buyer-initiated and else in ``asks``.
    """

    line: int
    local: int
    ms: int
    kind: int
    bids: list[str]
    asks: list[str]
    first: int = 0
    last: int = 0
    previous: int = -1
    symbol: str = ""


@dataclass
class Log:
    """The messages of a log in the order of its lines, and counts of what was left out."""

    events: list[Event] = field(default_factory=list)
    local: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"book_tickers": 0})
    others: set[str] = field(default_factory=set)

    def count(self, name: str) -> None:
        """Count one message that makes no row."""
        self.counts[name] = self.counts.get(name, 0) + 1


def parse_log(text: TextInput) -> tuple[Log, Faults]:
    """All messages of a log, and the lines that could not be read."""
    lines = text.lines()
    log, faults = Log(), Faults(len(lines))
    for i, line in enumerate(lines):
        stamp, _, body = line.partition(b" ")
        try:
            local = _stamp(stamp)
            log.local.append(local)
            if BOOK_TICKER in body and body.endswith(b"}"):
                log.counts["book_tickers"] += 1
            else:
                _take(log, i, local, _loads(body))
        except BadLineError as error:
            if len(log.local) <= i:
                log.local.append(-1)
            faults.mark_row(i, str(error), COPY_FIX if i + 1 == len(lines) else ROW_FIX)
    return log, faults


def _stamp(stamp: bytes) -> int:
    if not stamp.isdigit() or len(stamp) > 19 or int(stamp) >= 2**63:
        raise BadLineError("the line does not begin with a local time in ns")
    return int(stamp)


def _loads(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise BadLineError("the message is not whole JSON") from None
    if isinstance(message, dict) and isinstance(message.get("data"), dict):
        message = message["data"]
    if not isinstance(message, dict):
        raise BadLineError("the message is not a JSON object")
    return message


def _take(log: Log, i: int, local: int, message: dict[str, Any]) -> None:
    """Add the event of one message, or count it."""
    name = message.get("e")
    if name == "depthUpdate":
        log.events.append(_diff(i, local, message))
    elif name == "trade":
        kind = message.get("X", MARKET_TRADE)
        if kind == MARKET_TRADE:
            log.events.append(_trade(i, local, message))
        else:
            log.count("other_trades")
    elif name is None and "lastUpdateId" in message:
        log.events.append(_snapshot(i, local, message))
    elif name == "bookTicker":
        log.count("book_tickers")
    else:
        log.count("other_messages")
        log.others.add(str(name or "response without a name"))


def _diff(i: int, local: int, message: dict[str, Any]) -> Event:
    get = _getter(message, "depthUpdate")
    event = Event(
        i, local, get("T", int), DIFF, _levels(get("b", list)), _levels(get("a", list)),
        get("U", int), get("u", int), get("pu", int), get("s", str),
    )  # fmt: skip
    if event.first > event.last:
        raise BadLineError(f"first update id {event.first} is after the last, {event.last}")
    return event


def _trade(i: int, local: int, message: dict[str, Any]) -> Event:
    get = _getter(message, "trade")
    pair = [_text(get("p", str, float, int)), _text(get("q", str, float, int))]
    if not isinstance(message.get("m"), bool):
        raise BadLineError("side of the trade is unknown: 'm' is not true or false")
    sold = message["m"]
    none: list[str] = []
    bids, asks = (none, pair) if sold else (pair, none)
    return Event(i, local, get("T", int), TRADE, bids, asks, symbol=get("s", str))


def _snapshot(i: int, local: int, message: dict[str, Any]) -> Event:
    get = _getter(message, "depth snapshot")
    last = get("lastUpdateId", int)
    bids, asks = _levels(get("bids", list)), _levels(get("asks", list))
    symbol = message.get("s") or message.get("symbol") or ""
    return Event(i, local, get("T", int), SNAPSHOT, bids, asks, last, last, symbol=str(symbol))


def _getter(message: dict[str, Any], what: str) -> Callable[..., Any]:
    def get(name: str, *types: type) -> Any:
        if name not in message:
            raise BadLineError(f"field {name!r} of a {what} is missing")
        if not isinstance(message[name], types) or isinstance(message[name], bool):
            raise BadLineError(f"field {name!r} of a {what} is not {types[0].__name__}")
        if name == "T" and not 0 <= message[name] < MAX_MS:
            raise BadLineError(f"time {message[name]} of a {what} is not in ms since 1970")
        return message[name]

    return get


def _levels(pairs: list[Any]) -> list[str]:
    """Prices and sizes in turn, from [price, size] pairs."""
    if pairs and (set(map(type, pairs)) != {list} or set(map(len, pairs)) != {2}):
        raise BadLineError("a level is not a pair of price and size")
    flat = list(chain.from_iterable(pairs))
    return flat if set(map(type, flat)) <= {str} else [_text(value) for value in flat]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLineError(f"{value!r} is not a number")
    return repr(value)
