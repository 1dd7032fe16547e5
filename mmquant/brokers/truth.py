"""What really happened at a simulated exchange, whatever a faulty link made of it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np

from mmquant.core.dtypes import ActionKind, OrderEvent, OrderType
from mmquant.core.exchange import Exchange
from mmquant.core.level_queue import RESTING

FIRST_PEG = int(OrderType.PEG_PRIMARY)
ENDS = (OrderEvent.CANCEL_ACK, OrderEvent.REJECT, OrderEvent.EXPIRE)
FINAL = (*ENDS, OrderEvent.FOUND_CLOSED, OrderEvent.NOT_FOUND)
REVISIONS = (int(OrderEvent.EXECUTION), int(OrderEvent.CORRECTION), int(OrderEvent.BUST))
"""Events that tell an execution as it stands."""


@dataclass(frozen=True)
class OpenOrder:
    """An order that rests at the exchange; ``tick`` is its limit, or the cap of a peg."""

    order_id: int
    inst: int
    side: int
    tick: int
    lots: int
    leaves: int


@dataclass
class Sent:
    """An order that was sent: whether the broker knows it, and how it ended there.

    ``unsaid``: it ended and nobody told; ``told``: we were told of its end; ``heard``: executions
    that reached us, by id and revision.
    """

    row: np.ndarray
    known: bool = True
    ended: bool = False
    reason: int = 0
    unsaid: bool = False
    told: bool = False
    heard: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Ledger:
    """The exchange's own books: orders sent, and executions by id with their last revision."""

    instruments: int
    sent: dict[int, Sent] = field(default_factory=dict)
    executions: dict[int, np.ndarray] = field(default_factory=dict)
    revised_lots: int = 0

    def note_sent(self, action: np.ndarray) -> None:
        """Remember an action that was sent."""
        if action["kind"] == int(ActionKind.PLACE):
            self.sent[int(action["order_id"])] = Sent(_kept(action))

    def note_answer(self, message: np.ndarray) -> None:
        """Book an answer of the exchange, before any fault befalls it."""
        event, order_id = int(message["event"]), int(message["order_id"])
        order = self.sent.get(order_id)
        if event == OrderEvent.EXECUTION:
            self.executions[int(message["seq"])] = _kept(message)
        if order is not None and event in ENDS:
            order.ended, order.reason = True, int(message["reason"])

    def note_heard(self, message: np.ndarray) -> None:
        """Note what reached us."""
        order = self.sent.get(int(message["order_id"]))
        if order is None:
            return
        if message["event"] in REVISIONS:
            order.heard.add((int(message["seq"]), int(message["reason"])))
        elif message["event"] in FINAL:
            order.told = True

    def unsettled(self, resting: Container[int]) -> set[int]:
        """Orders that rest, or of whose end or executions we have not heard."""
        executed: dict[int, set[tuple[int, int]]] = {}
        for seq, row in self.executions.items():
            executed.setdefault(int(row["order_id"]), set()).add((seq, int(row["reason"])))
        found = set()
        for order_id, order in self.sent.items():
            settled = order.told or (order.known and not order.ended and not order.unsaid)
            missed = executed.get(order_id, set()) - order.heard
            if order_id in resting or missed or not settled:
                found.add(order_id)
        return found

    def revise(self, message: np.ndarray) -> None:
        """Book a correction or a bust; ``revised_lots`` adds up how many lots these moved."""
        known = self.executions[int(message["seq"])]
        self.revised_lots += abs(int(message["lots"]) - int(known["lots"]))
        self.executions[int(message["seq"])] = _kept(message)

    def filled(self, order_id: int, until: int | None = None) -> int:
        """Lots of an order that were executed by a time at the exchange."""
        return sum(int(e["lots"]) for e in self._of(order_id, until))

    def position(self, inst: int, until: int | None = None) -> int:
        """The exchange's position of an instrument. [lots]"""
        return sum(
            int(e["side"]) * int(e["lots"])
            for e in self.executions.values()
            if e["inst"] == inst and (until is None or e["exch_ts"] <= until)
        )

    def _of(self, order_id: int, until: int | None) -> list[np.ndarray]:
        return [
            e
            for e in self.executions.values()
            if e["order_id"] == order_id and (until is None or e["exch_ts"] <= until)
        ]


def _kept(row: np.ndarray) -> np.ndarray:
    """A copy of a row; ``np.array`` of one would share its memory."""
    copy: np.ndarray = np.array([row])[0]
    return copy


def open_orders(exchange: Exchange) -> dict[int, OpenOrder]:
    """Own orders that rest at the exchange, by id."""
    found = {}
    for n in np.flatnonzero(exchange.node["state"][: len(exchange.peg)] == RESTING):
        row = exchange.node[n]
        order_id = int(row["order_id"])
        peg = int(row["order_type"]) >= FIRST_PEG
        tick = int(exchange.peg[n]["cap"] if peg else row["tick"])
        found[order_id] = OpenOrder(
            order_id,
            int(row["inst"]),
            int(row["side"]),
            tick,
            int(row["lots"]),
            int(row["leaves"]),
        )
    return found


def duplicates(exchange: Exchange) -> list[tuple[OpenOrder, OpenOrder]]:
    """Pairs of own resting orders of one instrument, side and price."""
    seen: dict[tuple[int, int, int], OpenOrder] = {}
    twice = []
    for order in open_orders(exchange).values():
        place = (order.inst, order.side, order.tick)
        if place in seen:
            twice.append((seen[place], order))
        seen[place] = order
    return twice
