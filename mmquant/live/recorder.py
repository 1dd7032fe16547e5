"""The recorder: all that the broker says of its markets, into the tables of a recording."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

import numpy as np

from mmquant.brokers.ibkr_rows import NO_LOTS
from mmquant.core.dtypes import NO_ASK, NO_BID, MsgKind, RowKind, Session
from mmquant.data.store.recording import DEPTH, GAPS, GREEKS, QUOTES, TAPE, TRADES, RecordingWriter

FLUSH_NS = 1_000_000_000
"""A kill loses what came in at most so long."""
ROTATE_NS, ROTATE_ROWS = 300_000_000_000, 300_000
"""A part ends after so long, or with so many rows: the market waits while it becomes Parquet."""
WAIT_NS = 250_000_000
"""How soon a stop is seen."""
NAN = float("nan")
ALL = -1
BOOK_KINDS = (int(MsgKind.DEPTH), int(MsgKind.TRADE), int(MsgKind.STATUS))


class Source(Protocol):
    """What of a broker the recorder uses."""

    @property
    def start_ts(self) -> int:
        """When it was opened. [ns]"""

    @property
    def clock(self) -> Any:
        """Its clock: ``now()``. [ns]"""

    @property
    def feed(self) -> Any:
        """``lines``: instrument and stream of each request; ``cells``: why each is stale."""

    def next_message(self, until: int) -> np.ndarray | None:
        """The next messages received by a time."""

    def listen(self, heard: Callable[[str, tuple[Any, ...]], None]) -> None:
        """Be told every message of the wire."""


class Recorder:
    """Writes the messages of a broker as a tape, and those of the wire as they came.

    The tape has a book only while its data are fresh: in a gap it is cleared, and told whole when
    the gap is over. What comes together has one time.
    """

    def __init__(
        self, broker: Source, writer: RecordingWriter, n_inst: int, secrets: Collection[str] = ()
    ) -> None:
        """``secrets`` are left out of the texts that are kept."""
        self._broker, self._writer, self._secrets = broker, writer, [s for s in secrets if s]
        self._levels: list[dict[tuple[int, int], int]] = [{} for _ in range(n_inst)]
        self._fresh = [False] * n_inst
        self._last = max(writer.floor, 0)
        self._flushed = self._rotated = broker.clock.now()
        self.messages = 0
        broker.listen(self._heard)
        if writer.goes_on:
            # What was known is not since the last row: nobody listened.
            self._gap(writer.floor, ALL, "end", "found when it went on")
            for inst in range(n_inst):
                self._row(writer.floor, RowKind.CLEAR, inst)
        self._gap(self._now(), ALL, "start", "goes on" if writer.goes_on else "")

    def run(
        self, stopped: Callable[[], bool], progress: Callable[[Recorder], None] | None = None
    ) -> None:
        """Record until told to stop; what came is on the disk, whatever ends it."""
        try:
            while not stopped():
                self.step(self._broker.clock.now() + WAIT_NS)
                if progress is not None:
                    progress(self)
        finally:
            self._gap(self._now(), ALL, "end", "")
            self._writer.close()

    def step(self, until: int) -> bool:
        """Take what comes next by a time [ns]; returns whether anything did."""
        rows = self._broker.next_message(until)
        if rows is not None:
            self.take(rows)
        now = self._broker.clock.now()
        if now - self._rotated >= ROTATE_NS or self._writer.part_rows >= ROTATE_ROWS:
            self._flushed = self._rotated = now
            self._writer.rotate()
        elif now - self._flushed >= FLUSH_NS:
            self._flushed = now
            self._writer.flush()
        return rows is not None

    def take(self, rows: np.ndarray) -> None:
        """Take messages that came together."""
        names = ("ts", "kind", "inst", "side", "tick", "lots", "subtick", "reason")
        packet, packet_ts = ALL, 0
        for ts, kind, inst, side, tick, lots, subtick, reason in zip(
            *(rows[name].tolist() for name in names), strict=True
        ):
            self.messages += 1
            if kind != int(MsgKind.DEPTH) or inst != packet:
                packet, packet_ts = (inst if kind == int(MsgKind.DEPTH) else ALL), ts
            if kind == int(MsgKind.DEPTH):
                self._depth(packet_ts, inst, side, tick, lots)
            elif kind in BOOK_KINDS and self._fresh[inst]:
                self._row(ts, RowKind(kind), inst, side, tick, lots, subtick)
            elif kind == int(MsgKind.SESSION):
                self._session(ts, Session(reason), inst)

    @property
    def fresh(self) -> int:
        """Of how many instruments the data are fresh."""
        return sum(self._fresh)

    def _depth(self, ts: int, inst: int, side: int, tick: int, lots: int) -> None:
        if not (NO_BID < tick < NO_ASK and 0 <= lots < NO_LOTS):
            self._gap(ts, inst, "bad row", f"side {side}, tick {tick}, lots {lots}")
            return
        if lots:
            self._levels[inst][side, tick] = lots
        else:
            self._levels[inst].pop((side, tick), None)
        if self._fresh[inst]:
            self._row(ts, RowKind.DEPTH, inst, side, tick, lots)

    def _session(self, ts: int, code: Session, inst: int) -> None:
        if code in (Session.DOWN, Session.UP):
            self._gap(ts, ALL, code.name.lower(), "")
        if code is Session.DOWN:
            for one in range(len(self._fresh)):
                self._lose(ts, one)
        elif code is Session.DATA_STALE:
            self._gap(ts, inst, "stale", ",".join(sorted(self._broker.feed.cells[inst].stale)))
            self._lose(ts, inst)
        elif code is Session.DATA_FRESH and not self._fresh[inst]:
            self._gap(ts, inst, "fresh", "")
            self._fresh[inst] = True
            for (side, tick), lots in self._levels[inst].items():
                self._row(ts, RowKind.SNAPSHOT, inst, side, tick, lots)

    def _lose(self, ts: int, inst: int) -> None:
        if self._fresh[inst]:
            self._fresh[inst] = False
            self._row(ts, RowKind.CLEAR, inst)

    def _now(self) -> int:
        """The time, never before what is in the recording already."""
        return max(int(self._broker.clock.now()), self._writer.floor)

    def _row(
        self, ts: int, kind: RowKind, inst: int, side: int = 0, tick: int = 0, lots: int = 0,
        subtick: float = 0.0,
    ) -> None:  # fmt: skip
        self._last = ts = max(ts, self._last)
        self._writer.add(TAPE, (ts, int(kind), side, inst, tick, lots, subtick))

    def _gap(self, ts: int, inst: int, what: str, why: str) -> None:
        for secret in self._secrets:
            why = why.replace(secret, "(account)")
        self._writer.add(GAPS, (ts, inst, what, why))

    # The wire.

    def _heard(self, name: str, args: tuple[Any, ...]) -> None:
        take = _WIRE.get(name)
        if take is None:
            return
        ts = self._now()
        if name == "error":
            inst, _ = self._broker.feed.lines.get(args[0], (ALL, ""))
            self._gap(ts, inst, f"code {args[1]}", str(args[2]))
            return
        inst, _ = self._broker.feed.lines.get(args[0], (ALL, ""))
        if inst >= 0:
            table, row = take(args)
            self._writer.add(table, (ts, inst, *row))


Row = tuple[str, tuple[Any, ...]]


def _level(args: tuple[Any, ...]) -> Row:
    _, position, operation, side, price, size = args
    return DEPTH, (position, operation, side, price, float(size), "")


def _level_of_maker(args: tuple[Any, ...]) -> Row:
    _, position, maker, operation, side, price, size, *_ = args
    return DEPTH, (position, operation, side, price, float(size), maker)


def _print(args: tuple[Any, ...]) -> Row:
    _, _, seconds, price, size, attributes, exchange, conditions = args
    flags = (bool(attributes.pastLimit), bool(attributes.unreported))
    return TRADES, (int(seconds), price, float(size), *flags, exchange, conditions)


def _price(args: tuple[Any, ...]) -> Row:
    return QUOTES, (int(args[1]), float(args[2]), float(args[3]))


def _size(args: tuple[Any, ...]) -> Row:
    return QUOTES, (int(args[1]), NAN, float(args[2]))


def _number(args: tuple[Any, ...]) -> Row:
    return QUOTES, (int(args[1]), float(args[2]), NAN)


def _computation(args: tuple[Any, ...]) -> Row:
    values = (NAN if value is None else float(value) for value in args[3:])
    return GREEKS, (int(args[1]), *values)


def _code(args: tuple[Any, ...]) -> Row:
    return GAPS, args


_WIRE: dict[str, Callable[[tuple[Any, ...]], Row]] = {
    "updateMktDepth": _level,
    "updateMktDepthL2": _level_of_maker,
    "tickByTickAllLast": _print,
    "priceSizeTick": _price,
    "tickSize": _size,
    "tickGeneric": _number,
    "tickOptionComputation": _computation,
    "error": _code,
}
