"""A desk on a faulty broker: the local half, the exchange half, and the link between them by hand.

The market is a tape of rows a millisecond apart that say nothing until a test fills them in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mmquant.brokers.faults import Fault, FaultPlan
from mmquant.brokers.faulty import FaultyBroker
from mmquant.brokers.sim import SimBroker
from mmquant.core import engine
from mmquant.core.book import make_book
from mmquant.core.dtypes import (
    MSG,
    ActionKind,
    MsgKind,
    OrderState,
    Reason,
    RowKind,
    Status,
)
from mmquant.core.engine import empty_message
from mmquant.core.exchange import make_exchange
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates
from mmquant.data.tape import make_tape
from mmquant.trading.compiled import bind
from mmquant.trading.halves import (
    DAY_END,
    action_rows,
    exchange_state,
    make_local_half,
    tape_columns,
)
from mmquant.trading.logs import Logs
from mmquant.trading.strategy import Strategy
from tests.core.builders import MOST_WANTS, TOLD, WANT_FIELDS, Want
from tests.faults.given import MS, configured, contracts
from tests.faults.invariants import Invariants

T0 = 1_700_000_000_000_000_000
FEED_NS = 10_000
FILLS_IN = {f"p{i}": 0.0 for i in range(2 + WANT_FIELDS * MOST_WANTS)}
WANTS = Strategy("as told", TOLD.quote, FILLS_IN, {"asked": 0.0}, raw=True)
CHANGES = (ActionKind.PLACE, ActionKind.MODIFY)
LIVE = [s for s in OrderState if s < OrderState.FILLED]


class Refused(Exception):
    """The local half refused a message."""


class Rig:
    """One desk, one broker; ``heard`` are the messages applied, ``said`` the actions taken."""

    strategy = WANTS

    def __init__(
        self,
        *faults: Fault,
        plan: FaultPlan | None = None,
        what: Sequence[Contract] | None = None,
        limits: Mapping[str, Any] | None = None,
        orders: Mapping[str, Any] | None = None,
        rows: int = 1_000,
        exchange: Any = None,
        **sections: Any,
    ) -> None:
        self.contracts = list(what or contracts())
        self.config = configured(limits or {}, orders or {}, **sections)
        blank = np.zeros(rows, np.int64)
        self._tape = make_tape(
            {
                "exch_ts": T0 + MS * np.arange(rows),
                "local_ts": T0 + MS * np.arange(rows) + FEED_NS,
                "kind": np.full(rows, RowKind.STATUS, np.int8),
                "side": blank, "tick": blank, "size": blank,
            },
            self.contracts, source={}, date="2023-11-14",
        )  # fmt: skip
        self.columns = tape_columns(self._tape, self.config)
        self.local = self.fresh_local()
        slots = self.local.live.shape[1]
        self.exchange = make_exchange(
            book=make_book(len(self.contracts), window=256, far=64),
            instrument=self.local.instrument,
            state=exchange_state(self.config, slots, DAY_END),
            sets=1,
        )
        self.broker = FaultyBroker(
            SimBroker(self.exchange, self.columns), plan or FaultPlan(faults=faults)
        )
        self.actions = action_rows(self.local)
        arguments = (self.local, 0, WANTS.quote, empty_message()[0], self.actions)
        self._step = bind(engine.local_step, arguments, 2)
        self.logs = Logs()
        self.now, self._row = T0, 0
        self.heard: list[np.ndarray] = []
        self.wants: list[np.ndarray] = []
        self.said: list[np.ndarray] = []
        self.last: list[np.ndarray] = []
        self.invariants = Invariants(self)
        for inst in range(len(self.contracts)):
            self.book(99, 101, inst=inst)
        self.advance(len(self.contracts) * 2 + 1)

    def fresh_local(self) -> Any:
        """A local half as at the start."""
        local = make_local_half(
            self.config, self._tape, WANTS, rates=[FeeRates()] * len(self.contracts),
            params=[{}], with_book=False,
        )  # fmt: skip
        return local._replace(book=make_book(len(self.contracts), window=64, far=64))

    # --- the market

    def row(self, kind: int, side: int, tick: int, lots: int, inst: int = 0) -> None:
        """Write the next tape row."""
        tape = self.columns
        at = self._row = max(self._row, (self.now - T0) // MS + 1)
        tape.kind[at], tape.side[at], tape.tick[at] = int(kind), side, tick
        tape.size[at], tape.inst[at] = lots, inst
        self._row += 1

    def book(self, bid: int, ask: int, lots: int = 10, inst: int = 0) -> None:
        """Show these best prices from the next two rows on."""
        self.row(RowKind.DEPTH, 1, bid, lots, inst)
        self.row(RowKind.DEPTH, -1, ask, lots, inst)

    def trade(self, side: int, tick: int, lots: int, inst: int = 0) -> None:
        """Let others trade in the next row, and wait until that is known."""
        self.row(RowKind.TRADE, side, tick, lots, inst)
        self.advance(2)

    # --- time and messages

    def advance(self, ms: float = 1) -> list[Any]:
        """Let time pass; returns the actions taken on the messages that came."""
        until = self.now + round(ms * MS)
        done = len(self.said)
        while (message := self.broker.next_message(until)) is not None:
            for i in range(len(message)):
                self.apply(message[i : i + 1])
        self.now = until
        return self.said[done:]

    def apply(self, message: np.ndarray) -> list[Any]:
        """Apply a message, send what it asks for, and check that all invariants hold."""
        self.heard.append(message.copy())
        self.wants.append(self.local.strategy_param[0].copy())
        n = self.step(self.local, message)
        done = len(self.said)
        self.said += [self.actions[i].copy() for i in range(n)]
        self.last = self.said[done:]
        self.invariants.before_sending(message[0], self.last)
        self.broker.send(self.actions, n, int(message[0]["ts"]))
        self.invariants.check()
        return self.said[done:]

    @np.errstate(all="ignore")
    def step(self, local: Any, message: np.ndarray) -> int:
        """Apply a message to a local half; plain Python warns of numbers that kernels take."""
        n = int(self._step(local, 0, WANTS.quote, message[0], self.actions))
        if n == -Status.LOG_FULL:
            self.logs.drain(local)
            n = int(self._step(local, 0, WANTS.quote, message[0], self.actions))
        if n < 0:
            raise Refused(Status(-n).name)
        return n

    def tell(self, kind: int, **fields: Any) -> list[Any]:
        """Apply a message from outside, or one that the broker says out of turn."""
        message = np.zeros(1, MSG)
        message["kind"], message["ts"], message["exch_ts"] = int(kind), self.now, self.now
        message["price"] = message["mid"] = np.nan
        for name, value in fields.items():
            message[name] = value
        return self.apply(message)

    def tell_or_refuse(self, kind: int, **fields: Any) -> list[Any]:
        """Apply a message from outside that may be refused, and then changes nothing."""
        try:
            return self.tell(kind, **fields)
        except Refused:
            self.heard.pop()
            self.wants.pop()
            return []

    def decide(self, *wants: Want, after_ms: float = 1) -> list[Any]:
        """Let a while pass and decide, with these quotes wanted from now on."""
        self.advance(after_ms)
        row = self.local.strategy_param[0]
        row[0], row[1] = len(wants), len(wants)
        row[2 : 2 + WANT_FIELDS * len(wants)] = [float(x) for want in wants for x in want]
        return self.tell(MsgKind.DECISION)

    def decide_for(self, ms: int, *wants: Want, every_ms: int = 1) -> list[Any]:
        """Decide again and again for a while."""
        done = len(self.said)
        for _ in range(0, ms, every_ms):
            self.decide(*wants, after_ms=every_ms)
        return self.said[done:]

    def bounce(self, ms: float = 5) -> None:
        """Let the link go down and come back, and all be asked and answered."""
        self.broker.add(Fault(kind="link_down", for_ns=round(ms * MS)), self.now + 1)
        self.advance(2 * ms + 2)

    @contextmanager
    def unsent(self) -> Iterator[None]:
        """The process dies before what it decides is sent."""
        send = self.broker.send
        self.broker.send = self._lose_all  # type: ignore[method-assign]
        yield
        self.broker.send = send  # type: ignore[method-assign]

    def _lose_all(self, actions: np.ndarray, n: int, ts: int) -> None:
        for action in actions[:n]:
            self.broker.ledger.note_sent(action)
            if action["kind"] == ActionKind.PLACE:
                self.broker.ledger.sent[int(action["order_id"])].known = False

    def restart(self, down_ms: float = 3) -> None:
        """Die, come back after a while with the state that the messages give, and ask for all."""
        local = self.fresh_local()
        for message, wants in zip(self.heard, self.wants, strict=True):
            local.strategy_param[0] = wants
            self.step(local, message)
        assert local.order.tobytes() == self.local.order.tobytes()
        self.local = local
        self.bounce(down_ms)

    # --- what there is

    def position(self, inst: int = 0) -> int:
        return int(self.local.position[inst]["lots"])

    def order(self, order_id: int) -> Any:
        return self.local.order[order_id & (self.local.live.shape[1] - 1)]

    def state(self, order_id: int) -> OrderState:
        assert self.order(order_id)["order_id"] == order_id
        return OrderState(int(self.order(order_id)["state"]))

    def live(self) -> set[int]:
        """Ids of the orders that are live for all we know."""
        slots = self.local.live[0, : int(self.local.set[0]["live"])]
        return {int(self.local.order[slot]["order_id"]) for slot in slots}

    def placed(self, said: Sequence[Any] | None = None) -> list[int]:
        """Ids of the new orders among actions."""
        rows = self.said if said is None else said
        return [int(a["order_id"]) for a in rows if a["kind"] == ActionKind.PLACE]

    def kinds(self, said: Sequence[Any]) -> Counter[ActionKind]:
        return Counter(ActionKind(int(a["kind"])) for a in said)

    def alerts(self) -> set[Reason]:
        """Reasons of the alerts and pulls so far."""
        told = (ActionKind.ALERT, ActionKind.PULL)
        return {Reason(int(a["reason"])) for a in self.said if a["kind"] in told}

    def assert_true(self) -> None:
        """We know what is true: positions, open orders; nothing is live twice."""
        for inst in range(len(self.contracts)):
            assert self.position(inst) == self.broker.ledger.position(inst)
        assert self.live() == set(self.broker.open)
        assert self.broker.duplicates == []
        for order_id, order in self.broker.open.items():
            mine = self.order(order_id)
            assert (int(mine["tick"]), int(mine["lots"])) == (order.tick, order.lots)

    def assert_quoting(self, *wants: Want, within_ms: int = 100) -> None:
        """Quoting goes on: all that is wanted works at the exchange before long."""
        self.decide_for(within_ms, *wants, every_ms=4)
        self.advance(2)
        self.assert_true()
        at = Counter((o.inst, o.side, o.tick) for o in self.broker.open.values())
        why = [Reason(abs(int(view["blocked"]))) for view in self.local.views]
        assert at == Counter((w.inst, w.side, int(w.tick)) for w in wants), (at, why)
