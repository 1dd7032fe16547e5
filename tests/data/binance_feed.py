"""A small futures feed with a known book, and the raw log that would be written of it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

START_MS = 1_723_161_600_000
BEHIND_NS = 2_000_000_000
"""The local clock is this far behind the exchange's."""


@dataclass
class Line:
    """One line: arrival by the local clock, time at the exchange, and the message."""

    local: int
    ms: int
    message: dict[str, Any]

    @property
    def stream(self) -> str:
        return str(self.message.get("e", "snapshot"))

    def text(self) -> str:
        body: dict[str, Any] = self.message
        if "e" in body:
            body = {"stream": f"{body['s'].lower()}@{body['e']}", "data": body}
        return f"{self.local} {json.dumps(body, separators=(',', ':'))}"


@dataclass
class Feed:
    """The true book (size in lots by side and tick) and the lines in order of arrival."""

    seed: int
    steps: int = 120
    snapshot_at: int = 10
    tick: str = "0.1"
    symbol: str = "BTCUSDT"
    lines: list[Line] = field(default_factory=list)
    book: dict[int, dict[int, int]] = field(default_factory=lambda: {1: {}, -1: {}})

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.update = 1_000
        self.ms = START_MS
        self.clock = {"depthUpdate": 0, "trade": 0, "bookTicker": 0, "snapshot": 0}
        for distance in range(1, 60):
            for side in (1, -1):
                self.book[side][5_000 - side * distance] = self.random.randint(1, 900)
        previous = self.update
        for step in range(self.steps):
            previous = self._step(previous, step == self.snapshot_at)
        self.lines.sort(key=lambda line: line.local)

    def best(self, side: int) -> int:
        return max(self.book[side]) if side > 0 else min(self.book[side])

    def price(self, tick: int, sub: float = 0.0) -> str:
        """A price as the venue writes it, with two decimals."""
        return f"{(tick + sub) * float(self.tick):.2f}"

    def _step(self, previous: int, snapshot: bool) -> int:
        self.ms += self.random.randint(1, 60)
        first = self.update + 1
        changed: dict[tuple[int, int], int] = {}
        for part in range(2):
            if self.random.random() < 0.5:
                self._trade(changed)
            for _ in range(self.random.randint(1, 5)):
                self._change(changed)
            self.update += self.random.randint(1, 50)
            if snapshot and part == 0:
                self._snapshot()
                self.ms += 3
        sides: dict[str, list[list[str]]] = {"b": [], "a": []}
        for (side, tick), lots in sorted(changed.items()):
            sides["b" if side > 0 else "a"].append([self.price(tick), f"{lots / 1000:.3f}"])
        self._emit({"e": "depthUpdate", "E": self.ms + 1, "T": self.ms, "s": self.symbol,
                    "U": first, "u": self.update, "pu": previous, **sides})  # fmt: skip
        self._emit({"e": "bookTicker", "u": self.update, "s": self.symbol,
                    "b": self.price(self.best(1)), "B": "1.000", "a": self.price(self.best(-1)),
                    "A": "1.000", "T": self.ms, "E": self.ms})  # fmt: skip
        return self.update

    def _change(self, changed: dict[tuple[int, int], int]) -> None:
        side = self.random.choice((1, -1))
        tick = self.best(-side) - side * self.random.randint(1, 40)
        lots = self.random.choice((0, self.random.randint(1, 900)))
        if lots or len(self.book[side]) > 5:
            self._set(side, tick, lots, changed)

    def _set(self, side: int, tick: int, lots: int, changed: dict[tuple[int, int], int]) -> None:
        self.book[side].pop(tick, None)
        if lots:
            self.book[side][tick] = lots
        changed[side, tick] = lots

    def _trade(self, changed: dict[tuple[int, int], int]) -> None:
        side = self.random.choice((1, -1))
        tick = self.best(side)
        lots = self.random.randint(1, self.book[side][tick])
        self._set(side, tick, self.book[side][tick] - lots, changed)
        self._emit({"e": "trade", "E": self.ms, "T": self.ms, "s": self.symbol, "t": self.update,
                    "p": self.price(tick), "q": f"{lots / 1000:.3f}", "X": "MARKET",
                    "m": side > 0})  # fmt: skip

    def _snapshot(self) -> None:
        message: dict[str, Any] = {"lastUpdateId": self.update, "E": self.ms + 8, "T": self.ms}
        for side, name in ((1, "bids"), (-1, "asks")):
            ticks = sorted(self.book[side], reverse=side > 0)[:30]
            message[name] = [[self.price(t), f"{self.book[side][t] / 1000:.3f}"] for t in ticks]
        self._emit(message, late=150_000_000)

    def _emit(self, message: dict[str, Any], late: int = 0) -> None:
        name = message.get("e", "snapshot")
        local = self.ms * 10**6 - BEHIND_NS + self.random.randint(400_000, 9_000_000) + late
        self.clock[name] = local = max(local, self.clock[name] + 1)
        self.lines.append(Line(local, self.ms, message))

    def text(self) -> str:
        return "".join(f"{line.text()}\n" for line in self.lines)

    def rows(self) -> list[tuple[int, int, int, int, int, int]]:
        """(exch_ts, line index, kind, side, tick, lots) of all rows, worked out one by one."""
        out = []
        for at in sorted(range(len(self.lines)), key=lambda i: (self.lines[i].ms, i)):
            line = self.lines[at]
            head = (line.ms * 10**6, at)
            message = line.message
            if line.stream == "trade":
                side = -1 if message["m"] else 1
                out.append((*head, 2, side, *self._pair([message["p"], message["q"]])))
            elif line.stream != "bookTicker":
                names = ("b", "a") if line.stream == "depthUpdate" else ("bids", "asks")
                for side, name in zip((1, -1), names, strict=True):
                    pairs = [self._pair(pair) for pair in message[name]]
                    if line.stream == "snapshot":
                        out.append((*head, 3, side, pairs[-1][0], 0))
                    kind = 4 if line.stream == "snapshot" else 1
                    out += [(*head, kind, side, *pair) for pair in pairs]
        return out

    def _pair(self, pair: list[str]) -> tuple[int, int]:
        return round(float(pair[0]) / float(self.tick)), round(float(pair[1]) * 1000)


def write(folder: Path, text: str, name: str = "btcusdt_20240808") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows_of(tape: xr.Dataset) -> list[tuple]:
    names = ("exch_ts", "kind", "side", "tick", "size")
    return list(zip(*(tape[name].values.tolist() for name in names), strict=True))


def without_line(rows: list[tuple]) -> list[tuple]:
    return [(row[0], *row[2:]) for row in rows]


def counts_of(tape: xr.Dataset) -> dict:
    return json.loads(tape.attrs["counts"])


def pick(feed: Feed, stream: str, skip: int = 40) -> int:
    return [i for i, line in enumerate(feed.lines) if line.stream == stream][skip]
