"""Books by position, as IBKR sends them: rows that are inserted, updated and deleted.

Whether an insert moves the rows below it down or overwrites the one in its place, and whether a
delete moves them up, is told differently by IBKR and by those who have looked. Both readings are
kept; the one whose rows are sorted and not crossed is shown.
"""

from __future__ import annotations

from typing import NamedTuple

INSERT, UPDATE, DELETE = 0, 1, 2
ASKS, BIDS = 0, 1
"""Sides as the wire numbers them."""
PATIENCE_NS = 50_000_000
"""A change of many rows may come in pieces: a book that makes no sense is waited for so long."""


class Row(NamedTuple):
    """One row: price in ticks, size in lots; several may stand at one price."""

    tick: int
    lots: int


class Reading:
    """The rows of both sides under one reading; a row that cannot be placed spoils it."""

    def __init__(self, rows: int, shifts: bool) -> None:
        self._most, self._shifts = rows, shifts
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._rows: tuple[list[Row | None], list[Row | None]] = ([], [])
        self._spoilt = False

    def apply(self, position: int, operation: int, side: int, row: Row) -> None:
        """Apply one operation."""
        rows = self._rows[side]
        if not 0 <= position <= len(rows) or (operation == DELETE and position == len(rows)):
            self._spoilt = True
        elif operation == DELETE and self._shifts:
            del rows[position]
        elif operation == DELETE:
            rows[position] = None
            while rows and rows[-1] is None:
                rows.pop()
        elif position == len(rows):
            rows.append(row)
        elif operation == INSERT and self._shifts:
            rows.insert(position, row)
        else:
            rows[position] = row
        del rows[self._most :]

    def side(self, side: int) -> list[Row]:
        """The rows of a side, best first."""
        return [row for row in self._rows[side] if row is not None]

    def makes_sense(self) -> bool:
        """Whether prices are sorted from the best on, and the best ones not crossed."""
        asks, bids = ([row.tick for row in self.side(k)] for k in (ASKS, BIDS))
        if self._spoilt or asks != sorted(asks) or bids != sorted(bids, reverse=True):
            return False
        return not (asks and bids and bids[0] > asks[0])


class PositionBook:
    """A book from operations by position; ``take_changes`` tells what it shows now.

    It is shown when a packet is over and some reading makes sense. If none has for a while,
    ``is_lost`` says so: the subscription must begin anew.
    """

    def __init__(self, rows: int) -> None:
        self._readings = (Reading(rows, shifts=True), Reading(rows, shifts=False))
        self._chosen = 0
        self._shown: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._unsound_since: int | None = None

    @property
    def shifts(self) -> bool:
        """Whether inserts are read as moving the rows below them."""
        return self._chosen == 0

    def apply(self, position: int, operation: int, side: int, tick: int, lots: int) -> None:
        """Apply one operation as it came."""
        for reading in self._readings:
            reading.apply(position, operation, side, Row(tick, lots))

    def clear(self) -> None:
        """All rows are gone; what was shown still is until the next ``take_changes``."""
        for reading in self._readings:
            reading.clear()
        self._unsound_since = None

    def settle(self, now: int) -> bool:
        """A packet is over. Returns whether the book makes sense."""
        for reading in (self._chosen, 1 - self._chosen):
            if self._readings[reading].makes_sense():
                self._chosen, self._unsound_since = reading, None
                return True
        if self._unsound_since is None:
            self._unsound_since = now
        return False

    def is_lost(self, now: int) -> bool:
        """Whether no reading has made sense for too long."""
        return self._unsound_since is not None and now - self._unsound_since >= PATIENCE_NS

    def lost_at(self) -> int | None:
        """When it will be lost if nothing comes; None if it makes sense. [ns]"""
        return None if self._unsound_since is None else self._unsound_since + PATIENCE_NS

    def take_changes(self) -> list[tuple[int, int, int]]:
        """``(side, tick, lots)`` of the levels that changed since the last call; side +1 or -1.

        What ends comes first, so that the book is not crossed in between.
        """
        gone, here = [], []
        for k, side in ((BIDS, 1), (ASKS, -1)):
            levels: dict[int, int] = {}
            for row in self._readings[self._chosen].side(k):
                levels[row.tick] = levels.get(row.tick, 0) + row.lots
            shown = self._shown[k]
            gone += [(side, tick, 0) for tick in shown if not levels.get(tick)]
            here += [(side, t, n) for t, n in levels.items() if n and shown.get(t) != n]
            shown.clear()
            shown.update((tick, lots) for tick, lots in levels.items() if lots)
        return gone + here


class TouchBook:
    """The best bid and ask alone, as the quotes of a line say them; rows as in `PositionBook`."""

    def __init__(self) -> None:
        self._touch: list[Row | None] = [None, None]
        self._shown: list[Row | None] = [None, None]

    def set_price(self, side: int, tick: int | None, lots: int) -> None:
        """A new best price; None, or no lots: there is none."""
        self._touch[side] = None if tick is None or lots <= 0 else Row(tick, lots)

    def set_lots(self, side: int, lots: int) -> None:
        """Another size at the same price."""
        row = self._touch[side]
        if row is not None:
            self._touch[side] = Row(row.tick, lots) if lots > 0 else None

    def clear(self) -> None:
        """Nothing is known of it."""
        self._touch = [None, None]

    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask: the two did not come together."""
        ask, bid = self._touch
        return ask is not None and bid is not None and bid.tick > ask.tick

    def take_changes(self) -> list[tuple[int, int, int]]:
        """As `PositionBook.take_changes`."""
        gone, here = [], []
        for k, side in ((BIDS, 1), (ASKS, -1)):
            now, before = self._touch[k], self._shown[k]
            if before is not None and (now is None or now.tick != before.tick):
                gone.append((side, before.tick, 0))
            if now is not None and now != before:
                here.append((side, now.tick, now.lots))
            self._shown[k] = now
        return gone + here
