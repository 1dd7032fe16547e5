"""The gateway's side of `live_wire`: it moves the book of a stock, and times what is received.

Commands on stdin, an answer in one line of JSON on stdout:

    moves COUNT GAP_MS      move the book so often; the time from each frame out to an order in
    flood RATE SECONDS FILE send so many depth messages a second; the times of them in FILE.npy
    cancels                 times of the cancels received since the last time [ns, monotonic]
    stop                    all messages received, and the most of them in a sliding second
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import numpy as np

from mmquant.config import Config
from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract, Ladder
from mmquant.data.tape import make_tape
from mmquant.gateway.depth import Book
from mmquant.gateway.market import TapeMarket
from mmquant.gateway.server import Gateway, GatewaySettings
from mmquant.gateway.session import Session
from mmquant.trading.halves import tape_columns
from tests.live.counted_gateway import most_in_a_second

DATE = "2026-11-27"
MID, LEVELS, LOTS = 19_000, 10, 500
PLACE, CANCEL = 3, 4
SETTLE_S = 0.5


SYMBOLS = ("AAPL", "BBB", "CCC", "DDD")
"""The first is quoted; the others have room for a crowd of orders."""


def stock(id: int = 0) -> Contract:
    return Contract(
        id, SYMBOLS[id], "equity", "SMART", settlement="physical", ladders=(Ladder.flat("0.01"),)
    )


def market() -> TapeMarket:
    """A book that stands still: what moves is told on the wire alone."""
    ticks = [MID - 1 - i for i in range(LEVELS)] + [MID + 1 + i for i in range(LEVELS)]
    n = len(SYMBOLS)
    rows = n * len(ticks)
    columns = {
        "exch_ts": np.full(rows, time.time_ns()),
        "kind": np.full(rows, int(RowKind.DEPTH)),
        "side": np.tile(np.repeat([1, -1], LEVELS), n),
        "tick": np.tile(ticks, n),
        "size": np.full(rows, LOTS),
        "inst": np.repeat(np.arange(n), len(ticks)),
    }
    tape = make_tape(columns, [stock(i) for i in range(n)], source={}, date=DATE)
    return TapeMarket(tape, tape_columns(tape, Config()))


class Timed:
    """A gateway, the times of all it receives, and what it sends by command."""

    def __init__(self) -> None:
        self.received: list[tuple[int, int]] = []
        """Time [ns, monotonic] and kind of each message."""
        self.arrived = 0
        self._told = 0
        data_received, serve, timed = Session.data_received, Gateway.serve, self

        def noted(session: Session, data: bytes) -> None:
            timed.arrived = time.monotonic_ns()
            data_received(session, data)

        def counted(gateway: Gateway, session: Session, kind: int, fields: Any) -> None:
            timed.received.append((timed.arrived, kind))
            serve(gateway, session, kind, fields)

        Session.data_received = noted  # type: ignore[method-assign]
        Gateway.serve = counted  # type: ignore[method-assign]
        settings = GatewaySettings(speed="1x", quirks=None, cash=1e12)
        self.gateway = Gateway(market(), settings)

    def books(self) -> list[Book]:
        return list(self.gateway.quotes.depth._books.values())

    def tell_book(self, mid: int) -> None:
        for book in self.books():
            for i in range(LEVELS):
                for side in (1, -1):
                    price = f"{(mid - side * (1 + i)) / 100:.2f}"
                    book.send(i, 1, side, price, str(LOTS + (mid + i) % 7))

    async def moves(self, count: int, gap_s: float) -> dict[str, Any]:
        """Move the book up and down by a tick."""
        took, missed, frames = [], 0, []
        for i in range(count):
            self.tell_book(MID + 1 - i % 2)
            known = len(self.received)
            sent = time.monotonic_ns()
            self.gateway.flush()
            await asyncio.sleep(gap_s)
            orders = [t for t, kind in self.received[known:] if kind == PLACE]
            frames.append(len(orders))
            if orders:
                took.append(orders[0] - sent)
            else:
                missed += 1
        return {"took_ns": took, "missed": missed, "frames": float(np.mean(frames))}

    async def flood(self, rate: float, seconds: float, file: str) -> dict[str, Any]:
        """Changes of sizes at all places, and a move of the whole book ten times a second."""
        book, count = self.books()[0], round(rate * seconds)
        sent = np.zeros(count, np.int64)
        begun, done, mid = time.monotonic_ns(), 0, MID
        every = round(rate / 10)
        while done < count:
            due = min(count, int((time.monotonic_ns() - begun) * rate / 1e9) + 1)
            for i in range(done, due):
                if i % every < 2 * LEVELS:
                    mid = MID + (i // every) % 2
                    place, side = (i % every) // 2, 1 - 2 * (i % 2)
                else:
                    place, side = (i * 7) % LEVELS, 1 - 2 * (i % 2)
                price = f"{(mid - side * (1 + place)) / 100:.2f}"
                book.send(place, 1, side, price, str(LOTS + i % 97))
            if due > done:
                sent[done:due] = time.monotonic_ns()
                self.gateway.flush()
                done = due
            await asyncio.sleep(0.0005)
        took = (time.monotonic_ns() - begun) / 1e9
        np.save(file, sent)
        return {"sent": count, "rate": count / took}

    def cancels(self) -> dict[str, Any]:
        new, self._told = self.received[self._told :], len(self.received)
        return {"cancels": [t for t, kind in new if kind == CANCEL]}

    def facts(self) -> dict[str, Any]:
        return {
            "received": len(self.received),
            "most_in_a_second": most_in_a_second([t / 1e9 for t, _ in self.received]),
            "pace_violations": self.gateway.pace_violations,
            "internal_errors": self.gateway.internal_errors,
        }


def say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def main() -> None:
    timed = Timed()
    await timed.gateway.start(0)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say({"port": timed.gateway.port})
    while command := (await reader.readline()).decode().split():
        if command[0] == "moves":
            say(await timed.moves(int(command[1]), float(command[2]) / 1e3))
        elif command[0] == "flood":
            say(await timed.flood(float(command[1]), float(command[2]), command[3]))
        elif command[0] == "cancels":
            say(timed.cancels())
        else:
            say(timed.facts())
            break
    await timed.gateway.stop()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    asyncio.run(main())
