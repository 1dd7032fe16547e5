"""A small market at the level of orders, and the LOBSTER files that would be written of it."""

from __future__ import annotations

import gzip
import random
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

NAME = "TEST_2012-06-21_34200000_57600000_{what}_{levels}.csv"
ABSENT = 9_999_999_999
TICK = 100
"""One cent in the units of the files."""
START_NS = 34_200 * 10**9
COLUMNS = ("exch_ts", "local_ts", "kind", "side", "tick", "subtick", "size", "order_id")


@dataclass
class Market:
    """Orders by side (1 bids, -1 asks) and tick, and the rows that were written so far.

    ``hide`` leaves out messages beyond the window, as LOBSTER does.
    """

    levels: int
    seed: int
    hide: bool = True
    book: dict[int, dict[int, dict[int, int]]] = field(default_factory=lambda: {1: {}, -1: {}})
    messages: list[list[int]] = field(default_factory=list)
    windows: list[list[int]] = field(default_factory=list)
    trades: list[tuple[int, int, float, int, int]] = field(default_factory=list)
    now: int = START_NS
    next_id: int = 100

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def sizes(self, side: int) -> dict[int, int]:
        """Displayed size by tick."""
        return {tick: sum(orders.values()) for tick, orders in self.book[side].items()}

    def top(self, side: int) -> list[tuple[int, int]]:
        """The best levels of a side, best first."""
        return sorted(self.sizes(side).items(), key=lambda item: -side * item[0])[: self.levels]

    def window(self) -> list[int]:
        """A row of the book file."""
        row: list[int] = []
        asks, bids = self.top(-1), self.top(1)
        for i in range(self.levels):
            row += [asks[i][0] * TICK, asks[i][1]] if i < len(asks) else [ABSENT, 0]
            row += [bids[i][0] * TICK, bids[i][1]] if i < len(bids) else [-ABSENT, 0]
        return row

    def prefill(self, orders: int) -> None:
        """Orders from before the first message."""
        for _ in range(orders):
            side = self.random.choice((1, -1))
            tick = 2_000 - side * self.random.randint(1, 40)
            self._rest(side, tick, self.next_id, 100 * self.random.randint(1, 9))
            self.next_id += 1

    def run(self, n: int) -> Market:
        """Play until ``n`` messages are written."""
        while len(self.messages) < n:
            self.now += self.random.randint(1, 10**9)
            self.random.choices((self.add, self.cut, self.execute, self.hidden), (50, 40, 12, 4))[
                0
            ]()
        return self

    def add(self) -> None:
        side = self.random.choice((1, -1))
        opposite = self.top(-side)
        best = opposite[0][0] if opposite else 2_000 + side
        tick = best - side * (1 + min(int(self.random.expovariate(0.15)), 60))
        size = self.random.randint(1, 500)
        self.next_id += 1
        order = self.next_id
        self._write(1, order, size, tick, side, lambda: self._rest(side, tick, order, size))

    def cut(self) -> None:
        side = self.random.choice((1, -1))
        if not self.book[side]:
            return
        tick = self.random.choice(list(self.book[side]))
        order = self.random.choice(list(self.book[side][tick]))
        left = self.book[side][tick][order]
        part = self.random.random() < 0.2 and left > 1
        size = self.random.randint(1, left - 1) if part else left
        self._write(2 if part else 3, order, size, tick, side,
                    lambda: self._take(side, tick, order, size))  # fmt: skip

    def execute(self) -> None:
        """Take from the best level; for a while mostly from one side, so that prices move."""
        side = self.random.choices((1, -1), ((9, 1), (1, 9))[len(self.messages) // 150 % 2])[0]
        if not self.book[side]:
            return
        tick = self.top(side)[0][0]
        order = next(iter(self.book[side][tick]))
        left = self.book[side][tick][order]
        size = self.random.randint(1, left) if self.random.random() < 0.3 else left
        self._write(4, order, size, tick, side, lambda: self._take(side, tick, order, size))
        self.trades.append((self.now, tick, 0.0, -side, size))

    def hidden(self) -> None:
        side = self.random.choice((1, -1))
        price = 2_000 * TICK + self.random.choice((0, 50, 37))
        size = self.random.randint(1, 200)
        self.messages.append([self.now, 5, 0, size, price, side])
        self.windows.append(self.window())
        self.trades.append((self.now, price // TICK, price % TICK / TICK, -side, size))

    def special(self, kind: int, size: int, price: int) -> None:
        """A cross (6) or a halt message (7)."""
        self.now += 1
        self.messages.append([self.now, kind, -1, size, price, -1])
        self.windows.append(self.window())

    def _rest(self, side: int, tick: int, order: int, size: int) -> None:
        self.book[side].setdefault(tick, {})[order] = size

    def _take(self, side: int, tick: int, order: int, size: int) -> None:
        orders = self.book[side][tick]
        orders[order] -= size
        if not orders[order]:
            del orders[order]
        if not orders:
            del self.book[side][tick]

    def _write(self, kind, order, size, tick, side, change) -> None:
        seen = tick in dict(self.top(side))
        change()
        if seen or not self.hide or tick in dict(self.top(side)):
            self.messages.append([self.now, kind, order, size, tick * TICK, side])
            self.windows.append(self.window())


def seconds(ns: int) -> str:
    """Decimal seconds without trailing zeros, as the files have them."""
    return f"{ns // 10**9}.{ns % 10**9:09d}".rstrip("0").rstrip(".")


def message_lines(market: Market) -> list[str]:
    return [",".join([seconds(row[0]), *map(str, row[1:])]) for row in market.messages]


def window_lines(market: Market) -> list[str]:
    return [",".join(map(str, row)) for row in market.windows]


def as_text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def write_pair(folder: Path, levels: int, messages: list[str], windows: list[str] | None) -> Path:
    """Message and book file as CSV; returns the message file."""
    path = folder / NAME.format(what="message", levels=levels)
    path.write_text(as_text(messages))
    if windows is not None:
        book = folder / NAME.format(what="orderbook", levels=levels)
        book.write_text(as_text(windows))
    return path


def write_zip(folder: Path, market: Market) -> Path:
    """Both files in a zip, as LOBSTER delivers them."""
    path = folder / f"LOBSTER_SampleFile_TEST_2012-06-21_{market.levels}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for what, lines in (
            ("message", message_lines(market)),
            ("orderbook", window_lines(market)),
        ):
            archive.writestr(NAME.format(what=what, levels=market.levels), as_text(lines))
        archive.writestr("ReadMe.txt", "about these files")
    return path


def write_gzip(folder: Path, market: Market) -> Path:
    """The message file alone, as .csv.gz."""
    path = folder / (NAME.format(what="message", levels=market.levels) + ".gz")
    path.write_bytes(gzip.compress(as_text(message_lines(market)).encode()))
    return path


def market(levels: int = 5, seed: int = 1, n: int = 400, prefill: int = 60) -> Market:
    made = Market(levels, seed)
    made.prefill(prefill)
    return made.run(n)


def rows_of(tape: xr.Dataset) -> list[tuple]:
    return list(zip(*(tape[name].values.tolist() for name in COLUMNS), strict=True))


def hand_made(tmp_path: Path, text: str, levels: int = 2, windows: str = "") -> Path:
    """Files of messages ``type order size price side``, one a second, prices in cents."""
    lines = []
    for i, line in enumerate(text.split(";")):
        kind, order, size, price, side = line.split()
        cents = f"{price}00" if kind != "7" else price
        lines.append(f"{34_200 + i}.5,{kind},{order},{size},{cents},{side}")
    rows = [",".join(row.split()) for row in windows.split(";")] if windows else None
    return write_pair(tmp_path, levels, lines, rows)
