"""Fills, inventory, order states and risk alerts, told to whoever listens.

They are read from what the kernels logged after a message was applied, and told once its actions
have been journalled and sent: so a subscriber may send orders of its own. The loop waits for a
subscriber, so keep it short. One that fails is counted, reported once, and left out after
``max_failures``; trading goes on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from blinker import Signal

from mmquant.core.dtypes import ActionKind, OrderState, Reason, RowKind
from mmquant.core.local import Local
from mmquant.data.contracts import Contract
from mmquant.errors import UsageError
from mmquant.trading.ports import LiveStep
from mmquant.trading.strategy import Strategy

TOPICS = ("fill", "inventory", "order", "alert")
LOGGER = logging.getLogger("mmquant.events")


@dataclass(frozen=True)
class FillEvent:
    """An execution, or a bust of one (negative size)."""

    timestamp: int
    order_id: int
    symbol: str
    side: int
    price: float
    size: float
    fee: float
    reason: Reason


@dataclass(frozen=True)
class InventoryEvent:
    """The position after a fill. [units]"""

    timestamp: int
    symbol: str
    position: float


@dataclass(frozen=True)
class OrderEvent:
    """An order is in a new state; ``before`` is None for a new order."""

    timestamp: int
    order_id: int
    symbol: str
    before: OrderState | None
    after: OrderState


@dataclass(frozen=True)
class AlertEvent:
    """Quotes were pulled (PULL), or something needs saying (ALERT, QUERY)."""

    timestamp: int
    kind: ActionKind
    symbol: str
    reason: Reason


class EventBus:
    """Subscribers by topic: ``fill``, ``inventory``, ``order``, ``alert``."""

    def __init__(self, *, max_failures: int = 3) -> None:
        self.max_failures = max_failures
        self.failures: dict[str, int] = {}
        self._signals = {topic: Signal() for topic in TOPICS}
        self._failed: dict[tuple[str, int], int] = {}

    def subscribe(self, topic: str, function: Callable[[Any], None]) -> None:
        """Call a function with each event of a topic, in order. Raises UsageError."""
        if topic not in self._signals:
            raise UsageError(f"there is no topic {topic!r}", fix=f"use {', '.join(TOPICS)}")
        self._signals[topic].connect(function, weak=False)

    def unsubscribe(self, topic: str, function: Callable[[Any], None]) -> None:
        """Call it no more."""
        self._signals[topic].disconnect(function)

    def listens(self, topic: str) -> bool:
        """Whether anybody listens to a topic."""
        return bool(self._signals[topic].receivers)

    @property
    def active(self) -> bool:
        """Whether anybody listens at all."""
        return any(signal.receivers for signal in self._signals.values())

    def publish(self, topic: str, event: Any) -> None:
        """Tell an event to all who listen; what they raise stays here."""
        signal = self._signals[topic]
        for function in list(signal.receivers_for(None)):
            try:
                function(event)
            except Exception as error:
                self._count(topic, function, error)

    def _count(self, topic: str, function: Any, error: Exception) -> None:
        name = getattr(function, "__qualname__", repr(function))
        key = (topic, id(function))  # not all that can be called can be hashed
        self._failed[key] = self._failed.get(key, 0) + 1
        self.failures[name] = self.failures.get(name, 0) + 1
        if self._failed[key] == 1:
            LOGGER.warning("subscriber %s of %s fails: %r", name, topic, error)
        if self._failed[key] >= self.max_failures:
            self._signals[topic].disconnect(function)
            LOGGER.warning("subscriber %s of %s is left out", name, topic)


class WatchedStep(LiveStep):
    """A step that notes what each message did, and tells a bus of it by ``publish``."""

    def __init__(
        self,
        local: Local,
        strategy: Strategy,
        actions: np.ndarray,
        bus: EventBus,
        contracts: Sequence[Contract],
    ) -> None:
        super().__init__(local, strategy, actions)
        self._bus = bus
        self._symbols = [c.symbol for c in contracts]
        self._listened = self._publishing = False
        self._events: deque[tuple[str, Any]] = deque()

    def __call__(
        self, messages: np.ndarray, at: int, due: int, own: int, triggers: int
    ) -> tuple[int, int, int, int, int]:
        """As `LiveStep`; messages that are not of the market one by one, each noted at once: fills
        first, then orders, then alerts."""
        if not self._bus.active:
            self._listened = False
            return super().__call__(messages, at, due, own, triggers)
        own_kinds = np.flatnonzero(messages["kind"][at:] > int(RowKind.STATUS))
        stop = at + max(int(own_kinds[0]), 1) if len(own_kinds) else len(messages)
        if not self._listened:
            self._listened = True
            self._ids = self.local.order["order_id"].copy()
            self._states = self.local.order["state"].copy()
        fills = int(self.local.log[0]["fills"])
        done = super().__call__(messages[:stop], at, due, own, triggers)
        n, now = done[0], done[4]
        if n >= 0 and done[1] > at:
            self._note_fills(fills)
            if self._bus.listens("order"):
                self._note_orders(now)
            if n and self._bus.listens("alert"):
                self._note_alerts(n)
        return done

    def publish(self) -> None:
        """Tell what was noted. What a subscriber causes is told after that."""
        if self._publishing:
            return
        self._publishing = True
        try:
            while self._events:
                self._bus.publish(*self._events.popleft())
        finally:
            self._publishing = False

    def _note_fills(self, start: int) -> None:
        for row in self.local.fill_log[start : int(self.local.log[0]["fills"])]:
            symbol, ts = self._symbols[int(row["inst"])], int(row["timestamp"])
            terms = (int(row["side"]), float(row["price"]), float(row["size"]), float(row["fee"]))
            reason = Reason(int(row["reason"]))
            fill = FillEvent(ts, int(row["order_id"]), symbol, *terms, reason)
            held = InventoryEvent(ts, symbol, float(row["position"]))
            self._events += [("fill", fill), ("inventory", held)]

    def _note_orders(self, ts: int) -> None:
        orders = self.local.order
        new = orders["order_id"] != self._ids
        for slot in np.flatnonzero(new | (orders["state"] != self._states)):
            order = orders[slot]
            before = None if new[slot] else OrderState(int(self._states[slot]))
            symbol, after = self._symbols[int(order["inst"])], OrderState(int(order["state"]))
            event = OrderEvent(ts, int(order["order_id"]), symbol, before, after)
            self._events.append(("order", event))
        self._ids[:] = orders["order_id"]
        self._states[:] = orders["state"]

    def _note_alerts(self, n: int) -> None:
        for action in self.actions[:n]:
            kind = ActionKind(int(action["kind"]))
            if kind > ActionKind.CANCEL:
                symbol = self._symbols[int(action["inst"])]
                event = AlertEvent(int(action["ts"]), kind, symbol, Reason(int(action["reason"])))
                self._events.append(("alert", event))


def live_step(
    local: Local,
    strategy: Strategy,
    actions: np.ndarray,
    contracts: Sequence[Contract],
    bus: EventBus | None,
) -> LiveStep:
    """The step of a live loop; without a bus it is the plain one."""
    if bus is None:
        return LiveStep(local, strategy, actions)
    return WatchedStep(local, strategy, actions, bus, contracts)
