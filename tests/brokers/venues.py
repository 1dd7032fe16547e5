"""One script for two brokers: the simulated one, and Interactive Brokers' by way of the gateway.

Both trade the same tape at the same exchange half; time goes on only when the script says so.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmquant.brokers.ibkr import IBKRBroker
from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.sim import SimBroker, sim_broker
from mmquant.config import Config
from mmquant.core.dtypes import (
    ACTION,
    ActionKind,
    MsgKind,
    OrderEvent,
    OrderType,
    Reason,
    RowKind,
    Session,
    TimeInForce,
)
from mmquant.data.contracts import Contract, Ladder
from mmquant.data.tape import make_tape
from mmquant.gateway.faults import WireFault, WirePlan
from mmquant.gateway.market import TapeMarket
from mmquant.gateway.server import Gateway, GatewaySettings
from mmquant.trading.halves import tape_columns

T0 = 1_790_000_000_000_000_000
MS = 1_000_000
LATENCY_NS = 1_000
DATE = "2026-09-21"
IDLE_PASSES = 3
BUY, SELL = 1, -1


class Row(NamedTuple):
    """One row of the market."""

    ms: float
    kind: int
    side: int
    tick: int
    lots: int
    inst: int = 0


class Told(NamedTuple):
    """An order event without its time, but with the step of the script that it came in."""

    event: str
    order: int
    inst: int
    side: int
    tick: int
    lots: int
    reason: str
    price: float
    liquidity: int
    step: int


def stock(id: int = 0, symbol: str = "AAPL", venue: str = "SMART") -> Contract:
    return Contract(
        id, symbol, "equity", venue, settlement="physical", ladders=(Ladder.flat("0.01"),)
    )


def option(id: int, strike: float, right: str, venue: str = "SMART") -> Contract:
    return Contract.option(
        id, "AAPL", venue=venue, expiry="2026-10-16", strike=strike, right=right,
        tick_class="penny",
    )  # fmt: skip


def book(ms: float, bid: int, ask: int, lots: int = 500, inst: int = 0) -> list[Row]:
    """These best prices, three levels a side."""
    rows = []
    for away in range(3):
        rows.append(Row(ms, RowKind.DEPTH, BUY, bid - away, lots, inst))
        rows.append(Row(ms, RowKind.DEPTH, SELL, ask + away, lots, inst))
    return rows


def trade(ms: float, side: int, tick: int, lots: int, inst: int = 0) -> list[Row]:
    return [Row(ms, RowKind.TRADE, side, tick, lots, inst)]


def tape_of(rows: Sequence[Row], contracts: Sequence[Contract]) -> Any:
    ordered = sorted(rows, key=lambda row: row.ms)
    times = np.array([T0 + round(row.ms * MS) for row in ordered], np.int64)
    return make_tape(
        {
            "exch_ts": times, "local_ts": times + 1,
            "kind": np.array([row.kind for row in ordered], np.int8),
            "side": np.array([row.side for row in ordered], np.int8),
            "tick": np.array([row.tick for row in ordered], np.int32),
            "size": np.array([row.lots for row in ordered], np.int32),
            "inst": np.array([row.inst for row in ordered], np.int16),
        },
        list(contracts), source={}, date=DATE,
    )  # fmt: skip


def action(kind: ActionKind, order_id: int, ts: int, **fields: Any) -> np.ndarray:
    row = np.zeros(1, ACTION)
    row["kind"], row["order_id"], row["ts"] = int(kind), order_id, ts
    row["order_type"], row["tif"] = int(OrderType.LIMIT), int(TimeInForce.DAY)
    row["reason"] = int(Reason.QUOTE)
    for name, value in fields.items():
        row[name] = int(value)
    return row


@dataclass
class Venue:
    """What a script can do; ``told`` are the order events so far, ``levels`` the book as told."""

    told: list[Told] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    levels: dict[tuple[int, int, int], int] = field(default_factory=dict)
    fees: dict[int, float] = field(default_factory=dict)
    rows: list[Any] = field(default_factory=list)
    done: int = 0
    step: int = 0

    def act(self, kind: ActionKind, order_id: int = 0, **fields: Any) -> None:
        raise NotImplementedError

    def advance(self, ms: float) -> None:
        raise NotImplementedError

    def news(self) -> list[Told]:
        """Order events since the last call."""
        new = self.told[self.done :]
        self.done = len(self.told)
        return new

    def take(self, block: np.ndarray) -> None:
        for row in block:
            row = np.array([row])[0]
            self.rows.append(row)
            kind = int(row["kind"])
            if kind == MsgKind.ORDER:
                self._take_order(row)
            elif kind == MsgKind.SESSION:
                self.sessions.append(Session(int(row["reason"])).name)
            elif kind == MsgKind.POSITION:
                self.positions[int(row["inst"])] = int(row["lots"])
            elif kind == MsgKind.FEE:
                self.fees[int(row["seq"])] = float(row["price"])
            elif kind == MsgKind.DEPTH:
                key = (int(row["inst"]), int(row["side"]), int(row["tick"]))
                self.levels[key] = int(row["lots"])

    def _take_order(self, row: Any) -> None:
        event = OrderEvent(int(row["event"]))
        if event == OrderEvent.ACK:
            self.acknowledged.add(int(row["order_id"]))
            return
        self.told.append(
            Told(
                event.name, int(row["order_id"]), int(row["inst"]), int(row["side"]),
                int(row["tick"]), int(row["lots"]), Reason(int(row["reason"])).name,
                round(float(row["price"]), 9) if np.isfinite(row["price"]) else 0.0,
                int(row["liquidity"]), self.step,
            )
        )  # fmt: skip

    def shown(self) -> dict[tuple[int, int, int], int]:
        return {key: lots for key, lots in self.levels.items() if lots}


class SimVenue(Venue):
    """The simulated broker, a microsecond away."""

    def __init__(self, rows: Sequence[Row], contracts: Sequence[Contract]) -> None:
        super().__init__()
        config = Config.from_dict({
            "latency": {"entry_ns": LATENCY_NS, "response_ns": LATENCY_NS},
            "fill": {"queue": "risk_averse"},
        })  # fmt: skip
        self.broker: SimBroker = sim_broker(config, tape_of(rows, contracts))
        self.now = T0
        self.advance(0)

    def act(self, kind: ActionKind, order_id: int = 0, **fields: Any) -> None:
        self.broker.send(action(kind, order_id, self.now, **fields), 1, self.now)

    def advance(self, ms: float) -> None:
        self.step += 1
        self.now += round(ms * MS)
        while (block := self.broker.next_message(self.now)) is not None:
            self.take(block)

    def close(self) -> None:
        pass


class WireVenue(Venue):
    """IBKRBroker and the gateway on one event loop: bytes on loopback, the gateway's clock."""

    def __init__(
        self,
        rows: Sequence[Row],
        contracts: Sequence[Contract],
        *,
        faults: Sequence[WireFault] = (),
        quirks: int | None = None,
        depth: bool = True,
        **given: Any,
    ) -> None:
        super().__init__()
        tape = tape_of(rows, contracts)
        market = TapeMarket(tape, tape_columns(tape, Config()))
        settings = GatewaySettings(
            speed="step", quirks=quirks, messages_per_s=0,
            faults=WirePlan(faults=tuple(faults)), cash=1e9,
        )  # fmt: skip
        self.loop = asyncio.get_event_loop_policy().get_event_loop()
        self.gateway = Gateway(market, settings)
        self.served: Counter[int] = Counter()
        serve = self.gateway.serve

        def counted(session: Any, kind: int, fields: Any) -> None:
            self.served[kind] += 1
            serve(session, kind, fields)

        self.gateway.serve = counted  # type: ignore[method-assign]
        self.loop.run_until_complete(self.gateway.start())
        self.given = {
            "depth": [c.id for c in contracts if c.kind == "equity"] if depth else [], **given,
        }  # fmt: skip
        self.contracts = list(contracts)
        self.broker = self._broker()
        self.now = self.gateway.floor.now
        self.start = self.now

    def _broker(self, **more: Any) -> IBKRBroker:
        clock = Clock(lambda: self.gateway.floor.now, lambda: self.gateway.floor.now)
        broker = IBKRBroker(
            self.contracts, date=DATE, run="run", port=self.gateway.port, clock=clock,
            **self.given, **more,
        )  # fmt: skip
        broker.open()
        self.broker = broker
        self.settle()
        return broker

    def act(self, kind: ActionKind, order_id: int = 0, **fields: Any) -> None:
        self.step += 1
        self.broker.send(action(kind, order_id, self.now, **fields), 1, self.now)
        self.settle()
        self.step -= 1

    def advance(self, ms: float) -> None:
        self.now += round(ms * MS)
        self.step += 1
        self.gateway.advance(max(self.now, self.gateway.floor.now))
        self.settle()

    def settle(self) -> None:
        """Let all bytes that are on their way arrive, and what they cause."""
        while True:
            self.drain()
            block = self.broker.next_message(0)
            if block is None:
                return
            self.take(block)

    def drain(self) -> None:
        """Let all bytes that are on their way arrive, without taking what they say."""
        idle = 0
        while idle < IDLE_PASSES:
            before = self.gateway_messages()
            self.broker._work(self.broker.clock.now())
            self.broker.link.poll()
            idle = 0 if self.gateway_messages() != before else idle + 1

    def gateway_messages(self) -> tuple[int, int]:
        client = self.broker.ib.client
        return (client._numBytesRecv, self.served.total())

    def pause(self, until: Callable[[], bool], ms: float = 100, most: int = 600) -> None:
        """Let time go by until something holds."""
        for _ in range(most):
            if until():
                return
            self.advance(ms)
        raise AssertionError("it did not come about")

    def close(self) -> None:
        self.broker.close()
        self.loop.run_until_complete(self.gateway.stop())
        self.loop.run_until_complete(asyncio.sleep(0))
