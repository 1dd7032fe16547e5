"""Rows of LOBSTER files as ticks and lots, and what is wrong with rows that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from mmquant.core.level_window import (
    ABSENT,
    ADD,
    CROSS,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    REDUCE,
)
from mmquant.data.contracts import Contract, price_to_tick_part
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers.number_table import parse_table
from mmquant.data.readers.text_input import Faults, TextInput
from mmquant.data.screening import time_backwards
from mmquant.errors import UsageError

PRICE_SCALE = 10_000
"""LOBSTER prices are in 1 / 10,000 of the currency."""
NO_PRICE = 9_999_999_999
"""Price of an absent level in a book file, negative on the bid side."""
MAX_PRICE = 2_000_000_000
"""Largest price of the venue's own feed: 200,000.00."""
HALT_CODES = {-1: 1, 0: 2, 1: 0}
"""Status codes of a tape by LOBSTER's: halted 1, quotes only 2, trading 0."""
DAY_NS = 86_400 * 10**9
MAX_LOTS = 2**31 - 1
MESSAGE_NAMES = ("time", "event type", "order id", "size", "price", "direction")
GRID_FIX = "give the option tick the tick size of that stock and date, such as tick=0.0001"
ROW_FIX = "correct the row"


@dataclass
class Messages:
    """Columns of a message file, and which of its rows can be used (``ok``)."""

    ts: np.ndarray
    kind: np.ndarray
    order_id: np.ndarray
    size: np.ndarray
    tick: np.ndarray
    part: np.ndarray
    direction: np.ndarray
    ok: np.ndarray


@dataclass
class Book:
    """A book file as keys and sizes (n, 2, levels), and which of its rows can be used (``ok``).

    ``explained`` are the rows that follow from the messages, ``rows`` is the file's number of rows.
    """

    key: np.ndarray
    size: np.ndarray
    ok: np.ndarray
    explained: np.ndarray
    rows: int


def midnight(date: str, timezone: str) -> int:
    """UTC time of a day's midnight by the clock that is valid at its noon. [ns since the epoch]"""
    try:
        noon = datetime.fromisoformat(f"{date}T12:00").replace(tzinfo=ZoneInfo(timezone))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise UsageError(
            f"date {date!r} in time zone {timezone!r} is not known ({error})",
            fix="give a date like 2012-06-21 and a zone like America/New_York",
        ) from None
    return (int(noon.timestamp()) - 43_200) * 10**9


def load_messages(text: TextInput, q: Quarantine, contract: Contract, date: str) -> Messages:
    """The message file; its bad rows go to ``q``. ``ts`` is ns since midnight. Raises DataError."""
    columns, faults = parse_table(text, 6, names=MESSAGE_NAMES, seconds=True, more=True)
    ts, kind, order_id, size, price, direction = columns
    if not len(ts):
        q.fail("the file has no rows", fix="copy or download the file again")
    _mark_messages(faults, ts, kind, order_id, size, price, direction)
    tick, part = _ticks(contract, price, faults.ok & (kind != HALT), date)
    off_grid = (part != 0) & (kind != HIDDEN) & (kind != CROSS)
    faults.mark(off_grid, "the price is off the tick grid", GRID_FIX)
    good = np.flatnonzero(faults.ok)
    backwards = np.zeros(len(ts), bool)
    backwards[good[time_backwards(ts[good])]] = True
    faults.mark(backwards, "time runs backwards", "sort the file, or download it again")
    faults.report(q, text)
    ok = faults.ok
    return Messages(
        ts,
        np.where(ok, kind, 0).astype(np.int8),
        np.maximum(order_id, 0),
        np.where(ok, np.where(kind == HALT, _status(price), size), 0).astype(np.int32),
        tick,
        part,
        np.where(ok, direction, 0).astype(np.int8),
        ok,
    )


def _status(price: np.ndarray) -> np.ndarray:
    """Status codes of a tape for the prices of halt rows."""
    return np.select([price == code for code in HALT_CODES], list(HALT_CODES.values()), 0)


def _mark_messages(
    faults: Faults,
    ts: np.ndarray,
    kind: np.ndarray,
    order_id: np.ndarray,
    size: np.ndarray,
    price: np.ndarray,
    direction: np.ndarray,
) -> None:
    resting = (kind >= ADD) & (kind <= EXECUTE)
    sided = (kind >= ADD) & (kind <= HIDDEN)
    faults.mark((ts < 0) | (ts >= DAY_NS), "time is not within the day", ROW_FIX)
    known = np.isin(kind, (ADD, REDUCE, DELETE, EXECUTE, HIDDEN, CROSS, HALT))
    faults.mark(~known, "event type is unknown", "use types 1 to 7")
    faults.mark((size < 0) & (kind != HALT), "size is negative", ROW_FIX)
    faults.mark((size == 0) & sided, "size is 0", ROW_FIX)
    faults.mark(size > MAX_LOTS, "size is beyond int32", ROW_FIX)
    faults.mark((price <= 0) & (kind != HALT), "price is not positive", ROW_FIX)
    faults.mark((price > MAX_PRICE) & (kind != HALT), "price is too large", ROW_FIX)
    status = (kind == HALT) & ~np.isin(price, list(HALT_CODES))
    faults.mark(status, "halt code is unknown", "a halt row has price -1, 0 or 1")
    side = sided & (direction != 1) & (direction != -1)
    faults.mark(side, "direction (side) is unknown", "use 1 for buy and -1 for sell")
    faults.mark((order_id < 0) & resting, "order id is negative", ROW_FIX)


def _ticks(
    contract: Contract, price: np.ndarray, use: np.ndarray, date: str
) -> tuple[np.ndarray, np.ndarray]:
    """Floor tick and fraction above it of the prices in ``use``, 0 for the others."""
    return price_to_tick_part(contract, np.where(use, price, 0), PRICE_SCALE, date=date)


def load_book(
    text: TextInput, q: Quarantine, contract: Contract, date: str, levels: int | None
) -> Book:
    """The book file; its bad rows go to ``q``. Raises DataError."""
    if not text.data.strip():
        q.fail("the file has no rows", fix="copy or download the file again")
    width = _width(text, q, levels)
    n_levels = width // 4
    names = ("a price or size",)
    columns, faults = parse_table(text, width, names=names, seconds=False, more=False)
    n = len(columns[0])
    shape = (n, 2, n_levels)
    book = Book(
        np.full(shape, ABSENT, np.int32), np.zeros(shape, np.int32), faults.ok, faults.ok, n
    )
    for level in range(n_levels):
        for side, sign, first in ((0, 1, 2), (1, -1, 0)):
            price, size = columns[4 * level + first], columns[4 * level + first + 1]
            _take_level(book, faults, contract, date, side, sign, level, price, size)
    book.ok = faults.ok
    faults.report(q, text)
    return book


def _width(text: TextInput, q: Quarantine, levels: int | None) -> int:
    """Columns of a book file: what the levels ask for, else those of the first row."""
    rows = text.data.split(b"\n", 2)[:2]
    found = [row.count(b",") + 1 for row in rows]
    wanted = 4 * levels if levels is not None else found[0]
    if wanted % 4 or wanted not in found:
        told = f"{wanted} ({levels} levels)" if levels is not None else "4 for each level"
        q.fail(
            f"the first row has {found[0]} columns, not {told}",
            row=1,
            fix="give the book file that belongs to the messages",
        )
    return wanted


def _take_level(
    book: Book,
    faults: Faults,
    contract: Contract,
    date: str,
    side: int,
    sign: int,
    level: int,
    price: np.ndarray,
    size: np.ndarray,
) -> None:
    """Check one level of one side on all rows and store it."""
    absent = price == -sign * NO_PRICE
    there = ~absent & faults.ok
    faults.mark(there & (size < 0), "size is negative", ROW_FIX)
    faults.mark(there & (size == 0), "a level has size 0", ROW_FIX)
    faults.mark(absent & (size != 0), "an absent level has a size", ROW_FIX)
    faults.mark(size > MAX_LOTS, "size is beyond int32", ROW_FIX)
    out = there & ((price <= 0) | (price > MAX_PRICE))
    faults.mark(out, "price is not positive or too large", ROW_FIX)
    tick, part = _ticks(contract, price, there & faults.ok, date)
    faults.mark(part != 0, "a price is off the tick grid", GRID_FIX)
    key = np.where(there & faults.ok, sign * tick, ABSENT)
    if level:
        before = book.key[:, side, level - 1]
        worse = (key < before) | ((key == ABSENT) & (before == ABSENT))
        faults.mark(~worse, "levels are out of order", ROW_FIX)
    book.key[:, side, level] = key
    book.size[:, side, level] = np.where(key != ABSENT, size, 0)


def drop_crossed(book: Book, messages: Messages, text: TextInput, q: Quarantine) -> None:
    """Hand rows of the book file that are crossed when their packet has ended to ``q``.

    A packet is all messages of one time. A halted book may cross.
    """
    faults = Faults(len(book.ok))
    best = book.key[:, :, 0]
    both = (best[:, 0] != ABSENT) & (best[:, 1] != ABSENT) & book.ok & messages.ok
    ends = np.append(messages.ts[1:] != messages.ts[:-1], True)
    crossed = both & (best[:, 0] > -best[:, 1].astype(np.int64)) & ends & ~halted(messages)
    faults.mark(crossed, "the book is crossed", ROW_FIX)
    faults.report(q, text)
    book.ok = book.ok & faults.ok


def halted(messages: Messages) -> np.ndarray:
    """Messages after which the stock does not trade (bool, n)."""
    codes = np.where(messages.kind == HALT, messages.size, -1)
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    return (last >= 0) & (codes[last] > 0)
