"""What a broker says beside the exchange's own answers: to queries, of fees, of its position."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmquant.brokers.faults import Fault
from mmquant.brokers.truth import Ledger, OpenOrder
from mmquant.core.dtypes import MSG, MsgKind, OrderEvent, Reason, Session
from mmquant.core.ticks import price_of_tick


class Answers:
    """Messages of a broker that knows the truth (``ledger``)."""

    def __init__(self, instrument: np.ndarray, ledger: Ledger) -> None:
        self._instrument, self._ledger = instrument, ledger

    def to_query(
        self, order_id: int, asked: set[int], resting: dict[int, OpenOrder], at: int, due: int
    ) -> list[np.ndarray]:
        """Answers to a query that reached the broker at ``at``, and found these orders resting.

        The executions of the orders asked for come again, then what became of each, then (where
        all were asked for, ``order_id`` 0) the positions and the end marker.
        """
        said = [
            _stamped(np.array([e]), due)
            for e in self._ledger.executions.values()
            if int(e["order_id"]) in asked and e["exch_ts"] <= at
        ]
        said += [self._found(one, resting, at, due) for one in sorted(asked)]
        if order_id == 0:
            said += [self.position(i, due, until=at) for i in range(len(self._instrument))]
            said.append(self.session(Session.RESYNCED, due))
        return said

    def _found(self, order_id: int, resting: dict[int, OpenOrder], at: int, due: int) -> np.ndarray:
        sent = self._ledger.sent.get(order_id)
        message = _message(MsgKind.ORDER, due)
        row = message[0]
        row["order_id"], row["exch_ts"] = order_id, at
        if sent is not None:
            row["inst"], row["side"] = sent.row["inst"], sent.row["side"]
            row["tick"], row["lots"] = sent.row["tick"], sent.row["lots"]
        order = resting.get(order_id)
        if order is not None:
            row["event"] = int(OrderEvent.FOUND_OPEN)
            row["tick"], row["lots"] = order.tick, order.lots
        elif sent is None or not sent.known:
            row["event"] = int(OrderEvent.NOT_FOUND)
        else:
            row["event"] = int(OrderEvent.FOUND_CLOSED)
            row["reason"] = sent.reason
        return message

    def refusal(self, row: Any, event: OrderEvent, ts: int) -> np.ndarray:
        """A request refused (or, for a false cancel, an order said to have ended)."""
        message = _message(MsgKind.ORDER, ts)
        said = message[0]
        for name in ("order_id", "inst", "side", "tick", "lots", "set"):
            said[name] = row[name]
        said["event"], said["reason"] = int(event), int(Reason.EXCHANGE_HALTED)
        return message

    def correction(self, known: Any, ts: int, lots: int, ticks: int) -> np.ndarray:
        """The next revision of an execution, changed by some lots and ticks."""
        message = _stamped(np.array([known]), ts)
        row = message[0]
        row["event"] = int(OrderEvent.CORRECTION)
        row["reason"] += 1
        row["lots"] = max(int(row["lots"]) + lots, 0)
        row["tick"] += ticks
        if ticks:
            what = self._instrument[int(row["inst"])]
            row["price"] = price_of_tick(what, int(row["tick"]), 0.0)
        return message

    def bust(self, known: Any, ts: int) -> np.ndarray:
        """The next revision of an execution, which takes it back."""
        message = self.correction(known, ts, -int(known["lots"]), 0)
        message["event"] = int(OrderEvent.BUST)
        return message

    def fee(self, execution: Any, per_lot: float) -> np.ndarray:
        """The fee of an execution."""
        message = _message(MsgKind.FEE, int(execution["ts"]))
        row = message[0]
        for name in ("seq", "order_id", "inst", "side", "exch_ts"):
            row[name] = execution[name]
        row["price"] = per_lot * int(execution["lots"])
        return message

    def of_fault(self, fault: Fault, ts: int, begins: bool) -> np.ndarray:
        """What a timed fault makes the broker say at its begin and at its end."""
        if fault.kind == "stale_data":
            code = Session.DATA_STALE if begins else Session.DATA_FRESH
            return self.session(code, ts, fault.inst)
        lots = fault.lots if begins else 0
        if fault.kind == "external_order":
            return self.external(fault.inst, fault.side, lots, ts)
        return self.position(fault.inst, ts, error=lots)

    def position(
        self, inst: int, ts: int, *, error: int = 0, until: int | None = None
    ) -> np.ndarray:
        """The broker's position of an instrument, right but for ``error``."""
        message = _message(MsgKind.POSITION, ts)
        message["inst"] = inst
        message["lots"] = self._ledger.position(inst, until) + error
        return message

    def external(self, inst: int, side: int, lots: int, ts: int) -> np.ndarray:
        """What others have working on a side of an instrument."""
        message = _message(MsgKind.EXTERNAL, ts)
        message["inst"], message["side"], message["lots"] = inst, side, lots
        return message

    def session(self, code: Session, ts: int, inst: int = -1) -> np.ndarray:
        """A change of the link or of the market data."""
        message = _message(MsgKind.SESSION, ts)
        message["reason"], message["inst"] = int(code), inst
        return message


def _message(kind: MsgKind, ts: int) -> np.ndarray:
    message = np.zeros(1, MSG)
    message["kind"], message["ts"], message["exch_ts"] = int(kind), ts, ts
    message["price"] = message["mid"] = np.nan
    return message


def _stamped(message: np.ndarray, ts: int) -> np.ndarray:
    message["ts"] = ts
    return message
