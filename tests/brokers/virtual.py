"""The unchanged live loop on IBKRBroker, over loopback, on the gateway's virtual clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import mmquant as mm
from mmquant.brokers.ibkr import IBKRBroker
from mmquant.core.dtypes import ActionKind, MsgKind, OrderState
from mmquant.live.inbox import Inbox
from mmquant.live.kill import KillSwitch
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import fresh_step
from mmquant.trading.halves import open_session, triggers_of
from tests.brokers.venues import MS, Row, WireVenue, tape_of

CONFIG: dict[str, Any] = {
    "strategy": {"name": "maker"},
    "quoting": {"half_spread_ticks": 1.0, "order_lots": 100},
    "decision": {"interval_ns": 100 * MS, "on": ["timer", "own"]},
    "orders": {
        "order_type": "limit", "requote": "modify", "ack_timeout_s": 1.0, "cancel_timeout_s": 1.0,
    },
    "limits": {
        "max_position_lots": 600, "max_order_lots": 300, "max_open_orders": 8, "max_messages": 35,
        "cancel_reserve": 5, "max_in_flight": 8,
    },
}  # fmt: skip


class VirtualBroker:
    """An IBKRBroker whose waiting lets the gateway's market live on, and nothing else.

    ``plan`` are times of the market [ns] and what happens then; ``heard`` the sessions and order
    events with their times, ``placed`` when new orders were sent.
    """

    simulated = True

    def __init__(self, venue: WireVenue, end_ns: int) -> None:
        self.venue, self.end_ns = venue, end_ns
        self.plan: list[tuple[int, Callable[[], None]]] = []
        self.heard: list[tuple[int, tuple[str, int]]] = []
        self.placed: list[int] = []
        self.start_ts = venue.broker.start_ts

    @property
    def inner(self) -> IBKRBroker:
        return self.venue.broker

    @property
    def now(self) -> int:
        return int(self.venue.gateway.floor.now)

    def at(self, ts: int, what: Callable[[], None]) -> None:
        self.plan.append((ts, what))
        self.plan.sort(key=lambda item: item[0])

    def next_message(self, until: int) -> np.ndarray | None:
        until = min(until, self.end_ns)
        while True:
            block = self._settled()
            if block is not None or self.now >= until:
                self._note(block)
                return block
            due = min(until, self.venue.gateway.floor.next_due(), self.inner._next_ts())
            if self.plan:
                due = min(due, self.plan[0][0])
            self.venue.gateway.advance(max(due, self.now + 1))
            while self.plan and self.plan[0][0] <= self.now:
                self.plan.pop(0)[1]()

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        kinds = [int(kind) for kind in actions["kind"][:n]]
        self.placed += [ts] * kinds.count(int(ActionKind.PLACE))
        self.inner.send(actions, n, ts)
        self.venue.drain()

    def cancel_account(self, ts: int) -> None:
        self.inner.cancel_account(ts)

    def more_after(self, ts: int) -> bool:
        return self.now < self.end_ns

    def _note(self, block: np.ndarray | None) -> None:
        for row in block if block is not None else ():
            if row["kind"] == int(MsgKind.SESSION):
                self.heard.append((int(row["ts"]), ("SESSION", int(row["reason"]))))
            elif row["kind"] == int(MsgKind.ORDER):
                self.heard.append((int(row["ts"]), ("ORDER", int(row["event"]))))

    def _settled(self) -> np.ndarray | None:
        """What has come once all bytes have arrived, or None."""
        block = self.inner.next_message(0)
        if block is not None:
            return block
        self.venue.drain()
        return self.inner.next_message(0)


class Live:
    """A live loop over rows of a market; ``befell``: how often each fault happened, by its id."""

    def __init__(
        self,
        rows: Sequence[Row],
        contracts: Sequence[Any],
        *,
        seconds: float,
        config: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        self.venue = WireVenue(rows, contracts, **given)
        self.befell: Counter[int] = Counter()
        tape = tape_of(rows, contracts)
        settings = mm.Config.from_dict(config or CONFIG)
        session = open_session(settings, tape)
        self.step = fresh_step(session, keep_logs=True)
        self.broker = VirtualBroker(self.venue, self.venue.now + round(seconds * 1e9))
        self.loop = LiveLoop(
            self.broker,
            self.step,
            interval_ns=settings.decision.interval_ns,
            triggers=triggers_of(settings),
            inbox=Inbox(),
            switch=KillSwitch(None),
        )

    @property
    def gateway(self) -> Any:
        return self.venue.gateway

    def run(self) -> Any:
        return self.loop.run()

    def live(self) -> set[int]:
        """Orders that are live for the local half."""
        local = self.step.local
        slots = local.live[0, : int(local.set[0]["live"])]
        return {int(local.order[slot]["order_id"]) for slot in slots}

    def unknown(self) -> int:
        local = self.step.local
        slots = local.live[0, : int(local.set[0]["live"])]
        return sum(int(local.order[s]["state"]) == OrderState.UNKNOWN for s in slots)

    def open(self) -> set[int]:
        """Orders that are open at the gateway, by our numbers."""
        identity = self.broker.inner.orders.identity
        orders = self.gateway.orders.orders.values()
        return {identity.order_id(order.spec.ref) for order in orders if order.live}

    def position(self, inst: int = 0) -> int:
        return int(self.step.local.position[inst]["lots"])

    def true_position(self, inst: int = 0) -> float:
        return float(self.gateway.accounts.position(inst))
