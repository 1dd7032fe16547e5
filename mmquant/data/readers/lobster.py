"""LOBSTER: NASDAQ messages of one stock and day, with or without the order book file.

With the book file the book is seeded from its first row and then follows the messages; a level is
taken from the file only when it enters at the far edge of the window, because what happens beyond
the window is never sent. Without it only orders added in the file are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.core import level_window as lw
from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract
from mmquant.data.crossing import CROSSED_FIX, crossed_rows
from mmquant.data.files import file_digest
from mmquant.data.readers import PathLike
from mmquant.data.readers import lobster_book as by_book
from mmquant.data.readers import lobster_orders as by_order
from mmquant.data.readers.lobster_files import Source, open_source
from mmquant.data.readers.lobster_rules import (
    Book,
    Messages,
    drop_crossed,
    halted,
    load_book,
    load_messages,
    midnight,
)
from mmquant.data.readers.text_input import COPY_FIX
from mmquant.data.tape import as_column, make_tape
from mmquant.errors import UsageError

FEED_LATENCY_NS = 1_000_000
"""Time from the exchange to local receipt by default; LOBSTER has no local clock. [ns]"""
PASSES = 10
"""Times that crossing messages are left out and the book is built anew, in a lenient read."""
Columns = dict[str, np.ndarray]


@dataclass
class Day:
    """A day read from LOBSTER files: the tape, each of its rows' message, and the book file."""

    tape: xr.Dataset
    message: np.ndarray
    messages: Messages
    book: Book | None
    crossings: dict[str, int]


def read(
    path: PathLike,
    *,
    lenient: bool = False,
    orderbook: str | Path | None = None,
    symbol: str | None = None,
    date: str | None = None,
    levels: int | None = None,
    tick: str = "0.01",
    venue: str = "XNAS",
    timezone: str = "America/New_York",
    feed_latency_ns: int = FEED_LATENCY_NS,
) -> xr.Dataset:
    """Read LOBSTER files as an L2 tape with one instrument.

    Parameters
    ----------
    path : zip with both files, message file (.csv or .csv.gz), or message and book file.
    lenient : set bad rows aside (``quality.quarantine_of``) in place of an error.
    orderbook : book file; by default the one beside the message file, "none" for no book file.
    symbol, date, levels : what the file name says unless given; 1 to 50 levels.
    tick : tick size, a decimal string. [currency]
    venue, timezone : of the contract; times in the file are seconds after midnight there.
    feed_latency_ns : local_ts - exch_ts of all rows, at least 1. [ns]

    Notes
    -----
    An execution of a visible order (4) gives a TRADE row, then the DEPTH row of its level; of a
    hidden order (5) or a cross (6, side 0) the TRADE row alone; a halt (7) gives a STATUS row of
    size 1 halted, 2 quotes only, 0 trading. Rows taken from the book file are SNAPSHOT rows.

    Raises
    ------
    DataError
        naming file, row, what is wrong and the fix.
    """
    return read_day(
        path, lenient=lenient, orderbook=orderbook, symbol=symbol, date=date, levels=levels,
        tick=tick, venue=venue, timezone=timezone, feed_latency_ns=feed_latency_ns,
    ).tape  # fmt: skip


def check_book(path: PathLike, *, lenient: bool = False, **options: object) -> dict[str, object]:
    """Replay the finished tape and compare it with the book file; a flat summary.

    ``options`` are those of ``read``. ``book_rows`` are the rows of the book file and
    ``book_rows_equal`` those that the replayed book equals on all levels of the window, after all
    rows of their message; both are 0 without a book file. Rows whose message or self was set aside
    are not equal, nor is the row from which the book was seeded again. Raises DataError as ``read``
    does.
    """
    from mmquant.data.readers.lobster_check import summary

    return summary(read_day(path, lenient=lenient, **options))  # type: ignore[arg-type]


def read_day(
    path: PathLike,
    *,
    lenient: bool = False,
    orderbook: str | Path | None = None,
    symbol: str | None = None,
    date: str | None = None,
    levels: int | None = None,
    tick: str = "0.01",
    venue: str = "XNAS",
    timezone: str = "America/New_York",
    feed_latency_ns: int = FEED_LATENCY_NS,
) -> Day:
    """As ``read``, with what is needed to compare the tape with the book file."""
    source = open_source(
        path, lenient=lenient, orderbook=orderbook, symbol=symbol, date=date, levels=levels
    )
    contract = Contract.equity(0, source.symbol, venue=venue, tick=str(tick))
    start = midnight(source.date, timezone)
    latency = int(feed_latency_ns)
    if latency < 1:
        raise UsageError(f"feed_latency_ns is {latency}", fix="give at least 1 ns")
    messages = load_messages(source.messages, source.q, contract, source.date)
    book = _load_book(source, contract, messages)
    rows, columns, counts, crossings = _settle(source, messages, book)
    messages_of_rows = rows.message
    columns["exch_ts"] = messages.ts[messages_of_rows] + start
    columns["local_ts"] = columns["exch_ts"] + latency
    tape = make_tape(
        columns,
        [contract],
        source={"format": "lobster", "files": [file_digest(file) for file in source.files]},
        date=source.date,
        timezone=timezone,
        notes=_notes(source, book, counts, latency),
        counts=counts,
    )
    source.q.attach(tape)
    if source.book_q is not None:
        source.book_q.attach(tape)
    return Day(tape, messages_of_rows, messages, book, crossings)


def _load_book(source: Source, contract: Contract, messages: Messages) -> Book | None:
    """The book file, cut to the rows that both files have."""
    if source.book is None or source.book_q is None:
        return None
    book = load_book(source.book, source.book_q, contract, source.date, source.levels)
    n, m = len(messages.ok), len(book.ok)
    short = f"the message file has {n} rows and the book file has {m}: one is cut off"
    for row in range(m, n):
        source.q.add(row + 1, short, source.messages.line(row + 1), fix=COPY_FIX)
    for row in range(n, m):
        source.book_q.add(row + 1, short, source.book.line(row + 1), fix=COPY_FIX)
    for data in (messages, book):
        for name, values in vars(data).items():
            if isinstance(values, np.ndarray):
                setattr(data, name, values[: min(n, m)])
    drop_crossed(book, messages, source.book, source.book_q)
    return book


def _follow(
    source: Source, messages: Messages, book: Book | None
) -> tuple[lw.Rows, dict[str, int]]:
    """Tape rows of the messages that are ok, and what the kernels counted."""
    n = len(messages.ok)
    columns = (messages.kind, messages.direction, messages.tick, messages.size, messages.ok)
    stats = np.zeros(8, np.int64)
    if book is not None:
        levels = book.key.shape[2]
        seeds = 1 + int((messages.ok[1:] & ~messages.ok[:-1]).sum())
        rows = lw.make_rows(5 * n + 4 * levels * seeds)
        book.explained = np.zeros(n, np.bool_)
        window = lw.make_window(levels, n)
        by_book.follow_book(
            *columns, book.key, book.size, book.ok, window, rows, book.explained, stats
        )
        counts = dict(zip(by_book.STATS, stats.tolist(), strict=False))
    else:
        if source.levels is None:
            raise UsageError(
                "the file name does not tell the number of levels",
                where=str(source.messages.path),
                fix="give the option levels, or the order book file by the option orderbook",
            )
        ids, number = np.unique(messages.order_id, return_inverse=True)
        rows = lw.make_rows(5 * n)
        window = lw.make_window(source.levels, n)
        orders = by_order.make_orders(len(ids))
        by_order.follow_orders(*columns, number.astype(np.int64), window, orders, rows, stats)
        counts = dict(zip(by_order.STATS, stats.tolist(), strict=False)) | {"levels_injected": 0}
    written = int(rows.written[0])
    return lw.take_rows(rows, slice(written)), counts


def _settle(
    source: Source, messages: Messages, book: Book | None
) -> tuple[lw.Rows, Columns, dict[str, int], dict[str, int]]:
    """Tape rows that leave no crossed book, as columns, with counts."""
    stopped = halted(messages)
    for left in range(PASSES, -1, -1):
        rows, counts = _follow(source, messages, book)
        columns = _columns(rows, messages, source.q.path)
        bad, crossings = crossed_rows(columns, 1)
        crossings["crossed_while_halted"] = int((bad & stopped[rows.message]).sum())
        bad &= ~stopped[rows.message]
        crossings["crossed_rows"] = int(bad.sum())
        if not bad.any():
            break
        _set_aside(source, messages, book, rows, bad)
        if left == 0:
            rows = lw.take_rows(rows, ~bad)
            columns = _columns(rows, messages, source.q.path)
    counts |= _count(messages)
    if book is not None:
        counts["book_rows"] = book.rows
    return rows, columns, counts, crossings


def _set_aside(
    source: Source, messages: Messages, book: Book | None, rows: lw.Rows, bad: np.ndarray
) -> None:
    """Hand what made the book cross to the quarantine: messages, or rows of the book file."""
    for at in np.flatnonzero(bad).tolist():
        i = int(rows.message[at])
        from_book = rows.kind[at] == RowKind.SNAPSHOT and book is not None
        if from_book and source.book is not None and source.book_q is not None:
            if book is not None and book.ok[i]:
                book.ok[i] = False
                text = source.book.line(i + 1)
                source.book_q.add(i + 1, "the book is crossed", text, fix=CROSSED_FIX)
        elif messages.ok[i]:
            messages.ok[i] = False
            text = source.messages.line(i + 1)
            source.q.add(i + 1, "the book is crossed", text, fix=CROSSED_FIX)


def _columns(rows: lw.Rows, messages: Messages, path: str) -> Columns:
    """Tape columns of the rows, times still as ns since midnight."""
    own = (rows.kind == RowKind.TRADE) | (rows.kind == RowKind.DEPTH)
    trade = rows.kind == RowKind.TRADE
    return {
        "exch_ts": messages.ts[rows.message],
        "kind": rows.kind,
        "side": rows.side,
        "tick": rows.tick,
        "subtick": np.where(trade, messages.part[rows.message], 0).astype(np.float32),
        "size": as_column("size", rows.size, where=path),
        "order_id": np.where(own, messages.order_id[rows.message], 0),
        "inst": np.zeros(len(rows.kind), np.int16),
    }


def _count(messages: Messages) -> dict[str, int]:
    """What the messages are."""
    kind = messages.kind[messages.ok]
    return {
        "messages": len(messages.ok),
        "visible_executions": int((kind == lw.EXECUTE).sum()),
        "hidden_executions": int((kind == lw.HIDDEN).sum()),
        "crosses": int((kind == lw.CROSS).sum()),
        "halts": int((kind == lw.HALT).sum()),
    }


def _notes(source: Source, book: Book | None, counts: dict[str, int], latency: int) -> list[str]:
    notes = [f"LOBSTER has one clock: local_ts is exch_ts + {latency} ns."]
    if book is None:
        return [
            *notes,
            "No order book file: orders from before the first message are unknown, "
            f"{counts['unknown_orders']} messages about them changed no level, and the book is not "
            "claimed to equal the exchange's.",
        ]
    return [
        *notes,
        f"The book is seeded from row 1 of {source.book.path.name if source.book else ''}; "
        f"{counts['levels_injected']} levels were taken from it when they entered the window of "
        f"{book.key.shape[2]} levels.",
    ]
