"""Orders of all clients over the exchange half: placing, changing, cancelling and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import ActionKind, OrderEvent, OrderType, Reason, TimeInForce
from mmquant.gateway.combos import Combos
from mmquant.gateway.listings import NO_SECURITY
from mmquant.gateway.order_checks import Terms, not_simulated, refusal, terms_of
from mmquant.gateway.order_fields import OrderSpec, read_order
from mmquant.gateway.order_life import CANCELED, Order, Quirk
from mmquant.gateway.order_reports import Reports
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

FIRST_PERM_ID = 1_376_327_500
MAX_KEPT = 10_000
"""Ended or refused orders that are remembered, and the most that may be held back."""
NOT_THE_SAME = "Order being modified does not match original order"


class OrderDesk:
    """Takes orders, sends them to the exchange and tells their clients what becomes of them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.reports = Reports(gateway, self)
        self.combos = Combos(gateway, self)
        self.orders: dict[tuple[int, int], Order] = {}
        self.at_exchange: dict[int, Order] = {}
        self.working: dict[int, list[Order]] = {}
        self._slots = list(range(len(gateway.floor.exchange.peg) - 1, -1, -1))
        self._used = 0
        self._placed = 0
        self._ids: dict[int, int] = {}
        self._refused: dict[tuple[int, int], str] = {}
        self._answers: list[np.void] | None = None

    def handlers(self) -> dict[int, Handler]:
        """What this desk and its reports serve, by message id."""
        own = {3: self._place, 4: self._cancel, 58: self._cancel_all}
        return own | self.reports.handlers()

    def next_id(self, client_id: int) -> int:
        """The first order id that a client has not used."""
        return self._ids.get(client_id, 0) + 1

    def of_client(self, order: Order) -> list[Session]:
        """Sessions that are told of an order: its client's, and the master client's."""
        master = self._gateway.settings.master_client
        ids = {order.client_id, master}
        return [one for one in self._gateway.clients() if one.client_id in ids]

    def working_on(self, inst: int) -> list[Order]:
        """Live orders that trade an instrument, as legs of combinations too."""
        return [order for order in self.working.get(inst, ()) if order.live]

    def _place(self, session: Session, fields: Fields) -> None:
        spec = read_order(fields, session.version)
        spec.more["account"] = spec.account or self._gateway.settings.account
        refused = not_simulated(spec)
        if refused is not None:
            session.error(spec.order_id, *refused)
            return
        client_id = session.client_id or 0
        old = self.orders.get((client_id, spec.order_id))
        self._ids[client_id] = max(self._ids.get(client_id, 0), spec.order_id)
        if spec.account != self._gateway.settings.account:
            session.error(spec.order_id, 321, "Error validating request: Invalid account code")
        elif (client_id, spec.order_id) in self._refused:
            session.error(spec.order_id, 103, "Duplicate order id")
        elif old is not None and old.status == "":
            old.spec = spec
            self._new(session, spec, old)
        elif old is not None:
            self._change(session, spec, old)
        else:
            self._new(session, spec, None)

    def _new(self, session: Session, spec: OrderSpec, held: Order | None) -> None:
        """A new order; ``held`` was sent before without leave to be transmitted."""
        if spec.query.sec_type == "BAG":
            self.combos.place(session, spec)
            return
        found = self._gateway.reference.find(spec.query)
        if len(found) != 1:
            session.error(spec.order_id, 200, NO_SECURITY)
            return
        one = found[0]
        terms = terms_of(self._gateway, spec, one)
        if not isinstance(terms, Terms):
            self._refuse(session, spec, one.inst, *terms)
            return
        refused = refusal(self._gateway, spec, one, terms, self.working_on(one.inst), None)
        if refused is None and self._gateway.faults.of_order("reject") is not None:
            refused = 201, "Order rejected - reason:refused by a planned fault"
        if refused is not None:
            self._refuse(session, spec, one.inst, *refused)
            return
        if spec.what_if:
            self.reports.what_if(session, spec, one)
            return
        order = held or self.register(session, spec)
        order.listing = one
        order.quantity = spec.quantity
        if not spec.transmit:
            return
        self._send(order, terms)

    def register(self, session: Session, spec: OrderSpec) -> Order:
        """Give a new order its ids."""
        self._placed += 1
        quirk = Quirk.draw(self._gateway.settings.quirks, self._placed)
        perm_id = FIRST_PERM_ID + self._placed
        order = Order(session.client_id or 0, spec.order_id, perm_id, spec, None, quirk)
        self.orders[order.client_id, order.order_id] = order
        if len(self.orders) > MAX_KEPT:
            self._forget_oldest()
        return order

    def _forget_oldest(self) -> None:
        """Forget the order that was placed first of all that have ended."""
        for key, order in self.orders.items():
            if order.status and not order.live:
                del self.orders[key]
                return

    def _refuse(self, session: Session, spec: OrderSpec, inst: int, code: int, text: str) -> None:
        """Refuse a new order: its id is used, as one that has ended."""
        listing = self._gateway.reference.listings[inst]
        key = (session.client_id or 0, spec.order_id)
        self.orders.pop(key, None)
        status = "Cancelled" if code == 202 else "Inactive"
        self._refused[key] = status
        if len(self._refused) > MAX_KEPT:
            del self._refused[next(iter(self._refused))]
        session.error(spec.order_id, code, text)
        if code in (201, 202):
            self._placed += 1
            quirk = Quirk.draw(None, 0)
            perm_id = FIRST_PERM_ID + self._placed
            order = Order(*key, perm_id, spec, listing, quirk, status, spec.quantity)
            order.tell_status(session)

    def _send(self, order: Order, terms: Terms) -> None:
        assert order.listing is not None
        if not self._slots:
            order.status = "Inactive"
            for session in self.of_client(order):
                session.error(order.order_id, 201, "Order rejected - reason:Too many open orders")
            return
        order.number = self._number()
        order.tick = terms.tick
        order.status = "PreSubmitted"
        self.at_exchange[order.number] = order
        self.working.setdefault(order.listing.inst, []).append(order)
        slow = self._gateway.faults.of_order("slow_place")
        if slow is None:
            self._transmit(order, terms)
        else:
            order.status = "PendingSubmit"
            floor = self._gateway.floor
            floor.at(floor.now + slow.for_ns, lambda: self._transmit(order, terms))

    def _transmit(self, order: Order, terms: Terms) -> None:
        order.status = "PreSubmitted"
        answers = self.ask(
            ActionKind.PLACE,
            order,
            tick=terms.tick,
            lots=terms.lots,
            order_type=int(terms.kind),
            tif=int(terms.tif),
            offset=terms.offset,
            expire_ts=terms.expire_ns,
        )
        fills = any(row["event"] == OrderEvent.EXECUTION for row in answers)
        if order.quirk.via_presubmitted or fills:
            self.tell(order, "PreSubmitted")
        for row in answers:
            self._apply(order, row)
        if order.live:
            self._gateway.faults.on_order(order)

    def ask(self, kind: ActionKind, order: Order, **fields: int) -> list[np.void]:
        """Send a request for an order to the exchange; returns what it answered at once."""
        assert order.listing is not None
        answers: list[np.void] = []
        self._answers = answers
        try:
            self._gateway.floor.request(
                kind,
                order_id=order.number,
                inst=order.listing.inst,
                side=order.side,
                **fields,
            )
        finally:
            self._answers = None
        mine = [row for row in answers if int(row["order_id"]) == order.number]
        for row in answers:
            if int(row["order_id"]) != order.number:
                self.on_answer(row)
        return mine

    def take(self, one: Listing, side: int, tick: int, lots: int) -> list[np.void]:
        """Take what an instrument shows up to a tick, for a leg; returns what happened."""
        number = self._number()
        answers: list[np.void] = []
        self._answers = answers
        try:
            self._gateway.floor.request(
                ActionKind.PLACE, order_id=number, inst=one.inst, side=side, tick=tick, lots=lots,
                order_type=int(OrderType.LIMIT), tif=int(TimeInForce.IOC),
            )  # fmt: skip
        finally:
            self._answers = None
        self._slots.append(number % len(self._gateway.floor.exchange.peg))
        for row in answers:
            if int(row["order_id"]) != number:
                self.on_answer(row)
        return [row for row in answers if int(row["order_id"]) == number]

    def _number(self) -> int:
        """A free place at the exchange, as an order id."""
        self._used += 1
        return self._slots.pop() + len(self._gateway.floor.exchange.peg) * self._used

    def _change(self, session: Session, spec: OrderSpec, old: Order) -> None:
        """A known id again: a change of a live order, or a mistake."""
        if old.status == "Filled":
            session.error(spec.order_id, 104, "Cannot modify a filled order.")
            return
        if not old.live:
            session.error(spec.order_id, 103, "Duplicate order id")
            return
        if old.status == "PendingSubmit" or old.pending_cancel:
            text = "Unable to modify this order as it is still being processed."
            session.error(spec.order_id, 2102, text)
            return
        one = old.listing
        same = spec.action == old.spec.action and spec.order_type == old.spec.order_type
        if one is None:
            self.combos.change(session, spec, old) if same else session.error(
                spec.order_id, 105, NOT_THE_SAME
            )
            return
        if not same or one not in self._gateway.reference.find(spec.query):
            session.error(spec.order_id, 105, NOT_THE_SAME)
            return
        terms = terms_of(self._gateway, spec, one)
        refused = (
            refusal(self._gateway, spec, one, terms, self.working_on(one.inst), old)
            if isinstance(terms, Terms)
            else terms
        )
        if refused is not None:
            session.error(spec.order_id, *refused)
            return
        assert isinstance(terms, Terms)
        self._send_change(old, spec, terms)

    def _send_change(self, old: Order, spec: OrderSpec, terms: Terms) -> None:
        answers = self.ask(
            ActionKind.MODIFY, old, tick=terms.tick, lots=terms.lots, tif=int(terms.tif)
        )
        refused = [row for row in answers if row["event"] == OrderEvent.MODIFY_REJECT]
        if refused:
            for row in answers:
                if row["event"] != OrderEvent.MODIFY_REJECT:
                    self._apply(old, row)
            code, text = 201, "Order rejected - reason:the exchange refused it"
            if not old.live:
                code, text = 104, "Cannot modify a filled order."
            for session in self.of_client(old):
                session.error(old.order_id, code, text)
            return
        ended = any(row["event"] == OrderEvent.CANCEL_ACK for row in answers)
        if not ended:
            old.spec, old.tick, old.quantity = spec, terms.tick, spec.quantity
            old.told_working = False
            if old.quirk.via_presubmitted and not old.filled:
                self.tell(old, "PreSubmitted")
        for row in answers:
            self._apply(old, row)

    def _cancel(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.whole()
        order = self.orders.get((session.client_id or 0, order_id))
        if order is None:
            state = self._refused.get((session.client_id or 0, order_id))
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            if state is not None:
                text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, "
                text += f"state: {state}."
            session.error(order_id, 10147 if state is None else 10148, text)
        elif order.status == "":
            order.status = "ApiCancelled"
            order.tell_status(session)
            session.error(order_id, 202, CANCELED)
        elif not order.live:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, "
            session.error(order_id, 10148, f"{text}state: {order.status}.")
        elif order.pending_cancel or order.status == "PendingSubmit":
            text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
            session.error(order_id, 161, f"{text}{order.perm_id}")
        else:
            self.cancel(order)

    def cancel(self, order: Order) -> None:
        """Cancel a live order."""
        if order.listing is None:
            self.combos.cancel(order)
            return
        order.pending_cancel = True
        slow = self._gateway.faults.of_order("slow_cancel")
        if order.quirk.pending_cancel or slow is not None:
            for session in self.of_client(order):
                order.tell_status(session, "PendingCancel")
        if slow is None:
            self._send_cancel(order)
        else:
            floor = self._gateway.floor
            floor.at(floor.now + slow.for_ns, lambda: self._send_cancel(order))

    def _send_cancel(self, order: Order) -> None:
        if order.live:
            for row in self.ask(ActionKind.CANCEL, order):
                self._apply(order, row)

    def _cancel_all(self, session: Session, fields: Fields) -> None:
        for order in list(self.orders.values()):
            if order.live and not order.pending_cancel:
                self.cancel(order)

    def on_answer(self, row: np.void) -> None:
        """What the exchange says of an order."""
        if self._answers is not None:
            self._answers.append(row)
            return
        order = self.at_exchange.get(int(row["order_id"]))
        if order is not None:
            self._apply(order, row)

    def _apply(self, order: Order, row: np.void) -> None:
        event = int(row["event"])
        if event == OrderEvent.EXECUTION:
            self.reports.execute(order, row)
            if order.leaves <= 1e-9:
                self.release(order)
        elif event == OrderEvent.CONFIRM:
            order.status = "Submitted"
            if not order.told_working:
                order.told_working = True
                self.tell(order)
        elif event == OrderEvent.EXPIRE:
            self._expire(order, row)
        elif event == OrderEvent.CANCEL_ACK:
            self.end(order, "Cancelled", 202, CANCELED)
        elif event == OrderEvent.REJECT:
            self.end(order, "Inactive", 201, f"Order rejected - reason:{_why(row)}")
        elif event == OrderEvent.CANCEL_REJECT:
            order.pending_cancel = False

    def _expire(self, order: Order, row: np.void) -> None:
        if order.spec.tif == "FOK":
            self.end(order, "Inactive", 0, "")
            return
        if order.quirk.pending_cancel:
            for session in self.of_client(order):
                order.tell_status(session, "PendingCancel")
        self.end(order, "Cancelled", 202, CANCELED)

    def end(self, order: Order, status: str, code: int, text: str) -> None:
        """Tell that an order has ended unfilled, and why."""
        order.status = status
        order.pending_cancel = False
        self.release(order)
        for session in self.of_client(order):
            if status == "Inactive":
                order.tell_open(session)
            order.tell_status(session)
            if code:
                session.error(order.order_id, code, text)

    def release(self, order: Order) -> None:
        """Give an order's place at the exchange back."""
        if self.at_exchange.pop(order.number, None) is not None:
            assert order.listing is not None
            self._slots.append(order.number % len(self._gateway.floor.exchange.peg))
            self.working[order.listing.inst].remove(order)

    def tell(self, order: Order, status: str = "") -> None:
        """Send openOrder and orderStatus to those who are told of the order."""
        for session in self.of_client(order):
            order.tell(session, status)


def _why(row: np.void) -> str:
    reason = Reason(int(row["reason"]))
    if reason == Reason.EXCHANGE_HALTED:
        return "trading is halted"
    return {Reason.NO_LIQUIDITY: "there is no market to peg it to"}.get(
        reason, reason.name.lower().replace("_", " ")
    )
