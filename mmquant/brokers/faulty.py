"""The simulated broker behind a link that loses, delays, repeats and denies, by a seeded plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmquant.brokers.answers import Answers
from mmquant.brokers.faults import (
    ANSWERS,
    QUERIES,
    REQUESTS,
    TIMED,
    Chances,
    Fault,
    FaultPlan,
)
from mmquant.brokers.link import MARKET, Link
from mmquant.brokers.sim import SimBroker
from mmquant.brokers.truth import Ledger, OpenOrder, duplicates, open_orders
from mmquant.core.dtypes import ACTION, ActionKind, MsgKind, OrderEvent, Session

REQUEST_NAMES = {
    ActionKind.PLACE: "place",
    ActionKind.MODIFY: "modify",
    ActionKind.CANCEL: "cancel",
}
REFUSED = {
    ActionKind.PLACE: OrderEvent.REJECT,
    ActionKind.MODIFY: OrderEvent.MODIFY_REJECT,
    ActionKind.CANCEL: OrderEvent.CANCEL_REJECT,
}
ANSWER_NAMES = {
    OrderEvent.CONFIRM: ("confirm", "order"),
    OrderEvent.CANCEL_ACK: ("cancel_ack", "order"),
    OrderEvent.EXECUTION: ("execution",),
}
TOLD = ("stale_data", "external_order", "wrong_position")
AFTER_LAST = 1_000
"""Faults and answers go on for so many of the plan's longest delays after the last tape row."""


class FaultyBroker:
    """A SimBroker to which a plan's faults happen; ``ledger`` and ``open`` tell the truth."""

    simulated = True

    def __init__(self, inner: SimBroker, plan: FaultPlan | None = None) -> None:
        self.plan = plan or FaultPlan()
        self._inner = inner
        self._chances: Chances[Fault] = Chances(self.plan.faults, self.plan.seed, inner.start_ts)
        self.link = Link()
        self._behind: list[np.ndarray] = []
        self._internal: dict[int, str] = {}
        self.sent_while_down: list[np.ndarray] = []
        state = inner.exchange.state[0]
        self._entry, self._response = int(state["entry_ns"]), int(state["response_ns"])
        self.ledger = Ledger(len(inner.exchange.instrument))
        self.answers = Answers(inner.exchange.instrument, self.ledger)
        for fault in self.plan.faults:
            if fault.kind in TIMED:
                self._begin(fault, inner.start_ts + fault.from_ns)
        longest = max([self._entry + self._response, *(f.for_ns for f in self.plan.faults)])
        self._last_ts = inner.last_ts + AFTER_LAST * longest

    @property
    def start_ts(self) -> int:
        """Time of the tape's first row at the exchange. [ns]"""
        return self._inner.start_ts

    @property
    def rows_received(self) -> int:
        """Tape rows that reached the link so far."""
        return self._inner.rows_received

    def next_message(self, until: int) -> np.ndarray | None:
        """The next message received by ``until``, or None."""
        while True:
            horizon = min(until, self.link.next_ts)
            block = self._inner.next_message(horizon)
            if block is not None:
                for i in range(len(block)):
                    self._receive(block[i : i + 1].copy())
            elif not self.link.run_event(horizon):
                message = self.link.take(horizon)
                if message is not None:
                    if message[0]["kind"] == MsgKind.ORDER:
                        self.ledger.note_heard(message[0])
                    return message
                if horizon >= until:
                    return None

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send orders, changes, cancels and queries over the link."""
        for i in range(n):
            action = actions[i]
            kind = int(action["kind"])
            if kind == ActionKind.QUERY:
                self._query(int(action["order_id"]), ts)
            elif kind <= ActionKind.CANCEL:
                self._request(actions[i : i + 1], ActionKind(kind), ts)

    def cancel_account(self, ts: int) -> None:
        """Ask to cancel all that rests at the exchange."""
        if not self.link.down(ts):
            self._cancel(list(self.open.values()), ts)

    def more_after(self, ts: int) -> bool:
        """Whether a row, a request, an answer or a fault is still to come."""
        if self._inner.more_after(ts):
            return True
        return not self.link.idle and ts < self._last_ts

    @property
    def open(self) -> dict[int, OpenOrder]:
        """Own orders that rest at the exchange, by id."""
        return open_orders(self._inner.exchange)

    @property
    def duplicates(self) -> list[tuple[OpenOrder, OpenOrder]]:
        """Pairs of own resting orders of one instrument, side and price."""
        return duplicates(self._inner.exchange)

    def add(self, fault: Fault, ts: int) -> None:
        """Let one more fault happen: a timed one begins at ``ts``."""
        if fault.kind in TIMED:
            self._begin(fault, ts)
        else:
            self._chances.add(fault)

    def heal(self) -> None:
        """Let nothing go wrong any more, but for what lasts until later."""
        self._chances = Chances((), 0, self._inner.start_ts)

    def _request(self, action: np.ndarray, kind: ActionKind, ts: int) -> None:
        row = action[0]
        self.ledger.note_sent(row)
        if self.link.down(ts):
            self.sent_while_down.append(action.copy())
            self._lose(row, kind)
            return
        for fault in self._chances.befall(REQUESTS, (REQUEST_NAMES[kind],), ts):
            if fault.kind == "reject":
                if kind == ActionKind.PLACE:
                    self.ledger.sent[int(row["order_id"])].ended = True
                due = ts + self._entry + self._response
                self.link.say(self.answers.refusal(row, REFUSED[kind], due), due)
            else:
                self._lose(row, kind)
            return
        self._inner.send(action, 1, ts)

    def _lose(self, row: Any, kind: ActionKind) -> None:
        if kind == ActionKind.PLACE:
            self.ledger.sent[int(row["order_id"])].known = False

    def _query(self, order_id: int, ts: int) -> None:
        faults = self._chances.befall(QUERIES, ("query",), ts)
        if self.link.down(ts) or any(f.kind == "query_fails" for f in faults):
            return
        partial = any(f.kind == "query_partial" for f in faults)
        asked = set(self.ledger.sent) if order_id == 0 else {order_id}
        self.link.at(ts + self._entry, self._look_up, order_id, asked, partial, self.link.session)

    def _look_up(self, ts: int, order_id: int, asked: set[int], partial: bool, of: int) -> None:
        """A query is at the exchange: what rests now is what the answer says."""
        resting = self.open
        if order_id == 0:
            asked &= self.ledger.unsettled(resting)
        given = (order_id, asked, resting, ts, partial, of)
        self.link.at(ts + self._response, self._answer_query, *given)

    def _answer_query(
        self,
        ts: int,
        order_id: int,
        asked: set[int],
        resting: dict[int, OpenOrder],
        at: int,
        partial: bool,
        of: int,
    ) -> None:
        if of != self.link.session:
            return
        said = self.answers.to_query(order_id, asked, resting, at, ts)
        for message in said[: len(said) // 2] if partial else said:
            self.link.say(message, ts, of_query=True)

    def _cancel(self, orders: list[OpenOrder], ts: int) -> None:
        rows = np.zeros(len(orders), ACTION)
        for row, order in zip(rows, orders, strict=True):
            row["ts"], row["kind"] = ts, int(ActionKind.CANCEL)
            row["order_id"], row["inst"], row["side"] = order.order_id, order.inst, order.side
        if len(rows):
            self._inner.send(rows, len(rows), ts)

    def _receive(self, message: np.ndarray) -> None:
        row = message[0]
        ts = int(row["ts"])
        if row["kind"] <= MARKET:
            flood = self.link.lasting.at("flood", ts)
            for _ in range(1 if flood is None else max(flood.lots, 1)):
                self.link.say(message.copy(), ts)
            return
        self.ledger.note_answer(row)
        if self._was_internal(row):
            return
        event = OrderEvent(int(row["event"]))
        self._put(message, ts, ANSWER_NAMES.get(event, ("order",)))
        if event == OrderEvent.EXECUTION and self.plan.fee_per_lot_ccy is not None:
            fee = self.answers.fee(row, self.plan.fee_per_lot_ccy)
            self._put(fee, ts, ("fee",))

    def _put(self, message: np.ndarray, ts: int, names: tuple[str, ...]) -> None:
        """Send an answer on its way, with what befalls it."""
        due, lost = ts, False
        waiting, self._behind = self._behind, []
        for fault in self._chances.befall(ANSWERS, names, ts):
            if fault.kind == "lose":
                lost = True
            elif fault.kind == "delay":
                due += fault.for_ns
            elif fault.kind == "duplicate":
                self.link.say(message.copy(), ts + fault.for_ns)
            elif fault.kind == "reorder":
                self._behind.append(message)
                self.link.at(ts + fault.for_ns, self._no_longer, message)
                lost = True
            else:
                self._afterwards(fault, message[0], ts)
        if not lost:
            self.link.say(message, due)
        for held in waiting:
            self.link.say(held, max(due, ts))

    def _no_longer(self, ts: int, message: np.ndarray) -> None:
        """Nothing came that a message could have been behind."""
        for i, held in enumerate(self._behind):
            if held is message:
                del self._behind[i]
                self.link.say(message, ts)
                return

    def _afterwards(self, fault: Fault, row: Any, ts: int) -> None:
        """What follows from an answer, some time later."""
        order_id = int(row["order_id"])
        if fault.kind in ("correct", "bust") and row["event"] == OrderEvent.EXECUTION:
            self.link.at(ts + fault.for_ns, self._revise, fault, int(row["seq"]))
        elif fault.kind in ("reject_rest", "close_unsaid"):
            order = self.open.get(order_id)
            if order is not None:
                self._internal[order_id] = fault.kind
                self.ledger.sent[order_id].unsaid = fault.kind == "close_unsaid"
                self._cancel([order], ts)
        elif fault.kind == "false_cancel":
            message = self.answers.refusal(row, OrderEvent.CANCEL_ACK, ts + fault.for_ns)
            self.link.say(message, ts + fault.for_ns)

    def _revise(self, ts: int, fault: Fault, seq: int) -> None:
        known = self.ledger.executions[seq]
        if fault.kind == "bust":
            message = self.answers.bust(known, ts)
        else:
            message = self.answers.correction(known, ts, fault.lots, fault.price_ticks)
        self.ledger.revise(message[0])
        self.link.say(message, ts)

    def _was_internal(self, row: Any) -> bool:
        """Whether an answer is to a cancel of the broker's own, and not to be told as it is."""
        why = self._internal.get(int(row["order_id"]))
        if why is None or row["event"] not in (OrderEvent.CANCEL_ACK, OrderEvent.CANCEL_REJECT):
            return False
        del self._internal[int(row["order_id"])]
        if why == "reject_rest" and row["event"] == OrderEvent.CANCEL_ACK:
            row["event"] = int(OrderEvent.REJECT)
            return False
        return True

    def _begin(self, fault: Fault, start: int) -> None:
        end = start + fault.for_ns
        self.link.lasting.add(start, end, fault)
        if fault.kind == "link_down":
            self.link.at(start, self._link, Session.DOWN)
            self.link.at(end, self._link, Session.UP)
        elif fault.kind in TOLD:
            self.link.at(start, self._tell, fault, True)
            self.link.at(end, self._tell, fault, False)

    def _tell(self, ts: int, fault: Fault, begins: bool) -> None:
        self.link.say(self.answers.of_fault(fault, ts, begins), ts)

    def _link(self, ts: int, code: Session) -> None:
        if code == Session.UP and self.link.down(ts):
            return
        self.link.session += 1
        self.link.say(self.answers.session(code, ts), ts)
