"""The journal as a SQLite database, for people: orders, fills, actions and alerts.

It is filled from the files, by another process than the one that trades. What was taken is noted
in the same transaction, so it may be stopped anywhere and goes on where it was; a frame is taken
once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.dtypes import ActionKind, MsgKind, OrderEvent, OrderType, Reason, TimeInForce
from mmquant.data.files import check_file_target
from mmquant.data.store.journal_format import Frame, FrameKind
from mmquant.data.store.journal_reader import scan_segment, segment_paths
from mmquant.errors import DataError

TABLES = """
CREATE TABLE IF NOT EXISTS progress (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER);
CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY CHECK (id = 1), run TEXT);
CREATE TABLE IF NOT EXISTS actions (
  sequence INTEGER, row INTEGER, ts INTEGER, kind TEXT, order_id INTEGER, inst INTEGER,
  side INTEGER, tick INTEGER, lots INTEGER, order_type TEXT, tif TEXT, expire_ts INTEGER,
  reason TEXT, PRIMARY KEY (sequence, row));
CREATE TABLE IF NOT EXISTS alerts (
  sequence INTEGER, row INTEGER, ts INTEGER, kind TEXT, inst INTEGER, reason TEXT,
  PRIMARY KEY (sequence, row));
CREATE TABLE IF NOT EXISTS orders (
  order_id INTEGER PRIMARY KEY, placed_ts INTEGER, inst INTEGER, side INTEGER, tick INTEGER,
  lots INTEGER, order_type TEXT, tif TEXT, last_event TEXT, last_ts INTEGER, reason TEXT);
CREATE TABLE IF NOT EXISTS order_events (
  sequence INTEGER, row INTEGER, ts INTEGER, exch_ts INTEGER, order_id INTEGER, event TEXT,
  tick INTEGER, lots INTEGER, reason INTEGER, PRIMARY KEY (sequence, row));
CREATE TABLE IF NOT EXISTS fills (
  execution_id INTEGER PRIMARY KEY, revision INTEGER, ts INTEGER, exch_ts INTEGER,
  order_id INTEGER, inst INTEGER, side INTEGER, lots INTEGER, price REAL, liquidity INTEGER);
CREATE TABLE IF NOT EXISTS notes (sequence INTEGER PRIMARY KEY, text TEXT);
"""
"""Ticks and lots as they are, times in ns; a bust has 0 lots."""
FILLS = (OrderEvent.EXECUTION, OrderEvent.CORRECTION, OrderEvent.BUST)


def export_journal(folder: Path, database: Path) -> int:
    """Take over what a journal has got since the last time; returns how many frames that was.

    A frame that is not whole yet is left for the next time. Raises DataError where there is no
    journal, it is damaged, or the database is that of another run or none at all; UsageError where
    it cannot be written.
    """
    paths = segment_paths(folder)
    if not paths:
        raise DataError("there is no journal here", where=str(folder))
    check_file_target(database)
    try:
        return _export(paths, database)
    except sqlite3.Error as error:
        raise DataError(
            f"the database cannot be written ({error})", where=str(database), fix="name another"
        ) from error


def _export(paths: list[Path], database: Path) -> int:
    database.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(database)
    try:
        connection.executescript(TABLES)
        _check_source(connection, paths[0], database)
        row = connection.execute("SELECT sequence FROM progress").fetchone()
        last = first = 0 if row is None else int(row[0])
        for path in paths:
            segment = scan_segment(path)
            if segment is None or segment.last_sequence <= last:
                continue
            with connection:
                for frame in segment.frames(after=last):
                    _take(connection, frame)
                last = segment.last_sequence
                connection.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (last,))
        return last - first
    finally:
        connection.close()


def _check_source(connection: sqlite3.Connection, path: Path, database: Path) -> None:
    """Frames of two runs have the same numbers: those of the second would count as taken."""
    segment = scan_segment(path)
    run = "" if segment is None else segment.header.run
    row = connection.execute("SELECT run FROM source").fetchone()
    if row is not None and row[0] != run:
        raise DataError(
            f"the database holds the journal of {row[0]!r}, not of {run!r}",
            where=str(database),
            fix="name another",
        )
    with connection:
        connection.execute("INSERT OR IGNORE INTO source VALUES (1, ?)", (run,))


def _take(connection: sqlite3.Connection, frame: Frame) -> None:
    if frame.kind == FrameKind.NOTE:
        _insert(connection, "notes", [(frame.sequence, frame.data.decode())])
    if frame.kind != FrameKind.STEP:
        return
    for at in np.flatnonzero(frame.messages["kind"] == int(MsgKind.ORDER)).tolist():
        _take_event(connection, frame.sequence, at, frame.messages[at])
    for at in range(len(frame.actions)):
        _take_action(connection, frame.sequence, at, frame.actions[at])


def _take_event(connection: sqlite3.Connection, sequence: int, row: int, msg: Any) -> None:
    """An order message: an execution is kept as last revised."""
    event, order_id = OrderEvent(int(msg["event"])), int(msg["order_id"])
    ts, lots, reason = int(msg["ts"]), int(msg["lots"]), int(msg["reason"])
    head = (sequence, row, ts, int(msg["exch_ts"]), order_id, event.name)
    _insert(connection, "order_events", [(*head, int(msg["tick"]), lots, reason)])
    if event in FILLS:
        ids = (int(msg["seq"]), reason, ts, int(msg["exch_ts"]), order_id)
        what = (int(msg["inst"]), int(msg["side"]), 0 if event == OrderEvent.BUST else lots)
        connection.execute(
            "INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (execution_id) DO UPDATE "
            "SET revision = excluded.revision, lots = excluded.lots, price = excluded.price "
            "WHERE excluded.revision > fills.revision",
            (*ids, *what, float(msg["price"]), int(msg["liquidity"])),
        )
        reason = 0
    connection.execute(
        "UPDATE orders SET last_event = ?, last_ts = ?, reason = ? WHERE order_id = ?",
        (event.name, ts, _name(Reason, reason), order_id),
    )


def _take_action(connection: sqlite3.Connection, sequence: int, row: int, action: Any) -> None:
    kind = ActionKind(int(action["kind"]))
    ts, inst, reason = int(action["ts"]), int(action["inst"]), _name(Reason, int(action["reason"]))
    if kind in (ActionKind.PULL, ActionKind.ALERT):
        _insert(connection, "alerts", [(sequence, row, ts, kind.name, inst, reason)])
        return
    order_id = int(action["order_id"])
    terms = (inst, int(action["side"]), int(action["tick"]), int(action["lots"]))
    how = (_name(OrderType, int(action["order_type"])), _name(TimeInForce, int(action["tif"])))
    rest = (int(action["expire_ts"]), reason)
    _insert(connection, "actions", [(sequence, row, ts, kind.name, order_id, *terms, *how, *rest)])
    if kind == ActionKind.PLACE:
        _insert(connection, "orders", [(order_id, ts, *terms, *how, "PLACE", ts, "NONE")])
    elif order_id and kind != ActionKind.QUERY:
        connection.execute(
            "UPDATE orders SET tick = ?, lots = ?, last_event = ?, last_ts = ? WHERE order_id = ?",
            (terms[2], terms[3], kind.name, ts, order_id),
        )


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    for row in rows:
        marks = ",".join("?" * len(row))
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)


def _name(enum: Any, value: int) -> str:
    try:
        return str(enum(value).name)
    except ValueError:
        return str(value)
