"""A simulated exchange that outlives its clients: MSG and ACTION rows over a socket.

It runs in the test's process on a virtual clock, which stands still while no client asks for
anything. It answers queries, and notes what a client must never do.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import Callable

import numpy as np

from mmquant.brokers.sim import SimBroker
from mmquant.config import Config
from mmquant.core.book import make_book
from mmquant.core.dtypes import (
    ACTION,
    MSG,
    ActionKind,
    MsgKind,
    OrderEvent,
    Session,
)
from mmquant.core.exchange import make_exchange
from mmquant.core.level_queue import RESTING
from mmquant.data.contracts import instrument_rows
from mmquant.data.tape import contracts_of
from mmquant.trading.halves import DAY_END, exchange_state, slots_of, tape_columns, triggers_of

HELLO, NEXT, SEND, MORE, CANCEL = b"HNSMC"
REQUEST = struct.Struct("<Bqq")
"""What is asked for, a time, and a number of actions that follow."""
ENDS = (OrderEvent.CANCEL_ACK, OrderEvent.REJECT, OrderEvent.EXPIRE)


class ExchangeServer:
    """Serves one client after the other; ``mistakes`` are what they did wrong."""

    def __init__(self, config: Config, tape) -> None:
        columns = tape_columns(tape, config)
        instrument = instrument_rows(contracts_of(tape), tape.attrs["date"], None)
        exchange = make_exchange(
            book=make_book(len(instrument)),
            instrument=instrument,
            state=exchange_state(config, slots_of(config), DAY_END),
            sets=1,
        )
        self.broker = SimBroker(exchange, columns, triggers=triggers_of(config))
        self.now = self.broker.start_ts
        self.entry_ns = config.latency.entry_ns
        self.orders: Counter[int] = Counter()
        self.mistakes: list[str] = []
        self.requests = self.placed = self.cancels_of_all = self.queries = 0
        self.clients = 0
        self._answered: list[np.ndarray] = []
        self._waiting: list[np.ndarray] = []
        self._asked: list[tuple[int, int]] = []
        self._reconciling = False

    # What the exchange knows.

    def told(self) -> np.ndarray:
        """All order messages up to now, those on their way included."""
        state, ring = self.broker._exchange.state[0], self.broker._exchange.response
        head, tail = int(state["response_head"]), int(state["response_tail"])
        rest = [ring[i & (len(ring) - 1)].reshape(1) for i in range(head, tail)]
        return np.concatenate([np.zeros(0, MSG), *self._answered, *rest])

    def executions(self) -> np.ndarray:
        told = self.told()
        return told[told["event"] == int(OrderEvent.EXECUTION)]

    def resting(self) -> dict[int, tuple[int, int, int, int]]:
        """Side, tick, lots and leaves of each resting order."""
        exchange = self.broker._exchange
        node = exchange.node[: int(exchange.state[0]["orders"])]
        return {
            int(n["order_id"]): (int(n["side"]), int(n["tick"]), int(n["lots"]), int(n["leaves"]))
            for n in node[node["state"] == RESTING]
        }

    def position_and_cash(self, inst: int) -> tuple[int, float]:
        """Lots held, and what they cost by the executions one after the other."""
        lots, cash = 0, 0.0
        what = self.broker._exchange.instrument[inst]
        for row in self.executions():
            if row["inst"] == inst:
                signed = int(row["side"]) * int(row["lots"])
                lots += signed
                units = signed * what["lot_num"] / what["lot_den"]
                cash -= float(row["price"]) * units * float(what["multiplier"])
        return lots, cash

    def let_live(self, ns: int) -> None:
        """Let time go by without a client."""
        end = self.now + ns
        while self._deliver(self.broker.next_message(end)) is not None:
            pass

    # What a client asks.

    def serve(self, line: socket.socket, kill_at: Callable[[int], int] | None = None) -> None:
        """Serve a client until it hangs up. ``kill_at(request)``: pid to kill then, or 0."""
        self.clients += 1
        while True:
            head = _receive(line, REQUEST.size)
            if head is None:
                return
            what, ts, n = REQUEST.unpack(head)
            rows = _receive(line, n * ACTION.itemsize) if n else b""
            if rows is None:
                return
            self.requests += 1
            reply = self._answer(what, ts, np.frombuffer(rows, ACTION).copy())
            try:
                if reply is not None:
                    line.sendall(reply)
            except OSError:
                return
            pid = kill_at(self.requests) if kill_at is not None else 0
            if pid:
                os.kill(pid, signal.SIGKILL)

    def _answer(self, what: int, ts: int, actions: np.ndarray) -> bytes | None:
        if what == HELLO:
            self._reconciling = True
            self._asked.clear()
            self._waiting.clear()
            return struct.pack("<q", self.now)
        if what == NEXT:
            rows = self._next(ts)
            data = b"" if rows is None else rows.tobytes()
            return struct.pack("<q", len(data)) + data
        if what == MORE:
            waiting = bool(self._asked or self._waiting)
            return struct.pack("<q", waiting or self.broker.more_after(ts))
        if what == CANCEL:
            self.cancels_of_all += 1
            self.broker.cancel_account(ts)
            return None
        self._take(actions, ts)
        return None

    def _take(self, actions: np.ndarray, ts: int) -> None:
        for action in actions:
            order_id = int(action["order_id"])
            if action["kind"] == int(ActionKind.PLACE):
                self.orders[order_id] += 1
                self.placed += 1
                if self.orders[order_id] > 1:
                    self.mistakes.append(f"order {order_id} was sent twice")
                if self._reconciling:
                    self.mistakes.append(f"order {order_id} was sent before all was answered")
            elif action["kind"] == int(ActionKind.QUERY):
                self.queries += 1
                self._asked.append((ts + self.entry_ns, order_id))
        # Queries are answered here, with the executions told again.
        others = actions[actions["kind"] != int(ActionKind.QUERY)]
        self.broker.send(others, len(others), ts)

    def _next(self, until: int) -> np.ndarray | None:
        if not self._waiting and self._asked and self._asked[0][0] <= until:
            rows = self._deliver(self.broker.next_message(self._asked[0][0]))
            if rows is not None:
                return rows
            self.now, order_id = max(self.now, self._asked[0][0]), self._asked[0][1]
            self._asked.pop(0)
            self._waiting = self._all() if order_id == 0 else [self._about(order_id)]
        if self._waiting:
            row = self._waiting.pop(0)
            row["ts"] = self.now
            if row[0]["kind"] == int(MsgKind.SESSION):
                self._reconciling = False
            return row
        rows = self._deliver(self.broker.next_message(until))
        if rows is None:
            self.now = max(self.now, until)
        return rows

    def _deliver(self, rows: np.ndarray | None) -> np.ndarray | None:
        if rows is None:
            return None
        self.now = max(self.now, int(rows[-1]["ts"]))
        if rows[0]["kind"] == int(MsgKind.ORDER):
            self._answered.append(rows.copy())
        return rows

    def _all(self) -> list[np.ndarray]:
        rows = [row.reshape(1).copy() for row in self.executions()]
        rows += [self._about(order_id) for order_id in self.orders]
        for inst in range(len(self.broker._exchange.instrument)):
            row = _row(MsgKind.POSITION)
            row["inst"], row["lots"] = inst, self.position_and_cash(inst)[0]
            rows.append(row)
        end = _row(MsgKind.SESSION)
        end["reason"] = int(Session.RESYNCED)
        return [*rows, end]

    def _about(self, order_id: int) -> np.ndarray:
        """What became of an order, as a query is answered."""
        row = _row(MsgKind.ORDER)
        row["order_id"] = order_id
        resting = self.resting().get(order_id)
        if resting is not None:
            side, tick, lots, _ = resting
            row["event"], row["side"] = int(OrderEvent.FOUND_OPEN), side
            row["tick"], row["lots"] = tick, lots
        elif order_id in self.orders:
            told = self.told()
            mine = told[(told["order_id"] == order_id) & np.isin(told["event"], ENDS)]
            row["event"] = int(OrderEvent.FOUND_CLOSED)
            row["reason"] = mine[-1]["reason"] if len(mine) else 0
        else:
            row["event"] = int(OrderEvent.NOT_FOUND)
        return row


def _row(kind: int) -> np.ndarray:
    row = np.zeros(1, MSG)
    row["kind"], row["price"], row["mid"] = int(kind), np.nan, np.nan
    return row


def _receive(line: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            more = line.recv(size - len(data))
        except OSError:
            return None
        if not more:
            return None
        data += more
    return data


class SocketBroker:
    """The client's side."""

    simulated = True

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._ask(HELLO, 0)
        self.start_ts = self._number()

    def next_message(self, until: int) -> np.ndarray | None:
        self._ask(NEXT, until)
        size = self._number()
        if size == 0:
            return None
        return np.frombuffer(bytearray(_receive(self._line, size)), MSG)

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        self._line.sendall(REQUEST.pack(SEND, ts, n) + actions[:n].tobytes())

    def more_after(self, ts: int) -> bool:
        self._ask(MORE, ts)
        return bool(self._number())

    def cancel_account(self, ts: int) -> None:
        self._ask(CANCEL, ts)

    def _ask(self, what: int, ts: int) -> None:
        self._line.sendall(REQUEST.pack(what, ts, 0))

    def _number(self) -> int:
        return struct.unpack("<q", _receive(self._line, 8))[0]


class LocalBroker:
    """The client's side without a socket; ``sent`` are time and kind of all that it sent."""

    simulated = True

    def __init__(self, server: ExchangeServer) -> None:
        self._server = server
        self.start_ts = struct.unpack("<q", server._answer(HELLO, 0, NO_ACTIONS))[0]
        self.sent: list[tuple[int, int]] = []
        self.drop_cancels = self.fail_once = False

    def count(self, kind: int) -> int:
        return sum(k == kind for _, k in self.sent)

    def next_message(self, until: int) -> np.ndarray | None:
        return self._server._next(until)

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        if self.fail_once:
            self.fail_once = False
            raise ConnectionError
        kept = actions[:n].copy()
        self.sent += [(ts, int(kind)) for kind in kept["kind"] if kind not in (4, 5)]
        if self.drop_cancels:
            kept = kept[kept["kind"] != int(ActionKind.CANCEL)]
        self._server._take(kept, ts)

    def more_after(self, ts: int) -> bool:
        server = self._server
        return bool(server._asked or server._waiting) or server.broker.more_after(ts)

    def cancel_account(self, ts: int) -> None:
        self._server._answer(CANCEL, ts, NO_ACTIONS)


NO_ACTIONS = np.zeros(0, ACTION)
