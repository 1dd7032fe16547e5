"""Orders of all clients over the exchange half: placing, changing, cancelling and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import ActionKind, OrderEvent, Reason
from mmquant.gateway.combos import Combos
from mmquant.gateway.listings import NO_SECURITY
from mmquant.gateway.order_changes import Changes, not_cancellable
from mmquant.gateway.order_checks import Refusal, Terms, not_simulated, refusal, terms_of
from mmquant.gateway.order_fields import OrderSpec, read_order
from mmquant.gateway.order_life import CANCELED, Order, Quirk
from mmquant.gateway.order_reports import Reports
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.venue import Venue
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

FIRST_PERM_ID = 1_376_327_500
MAX_KEPT = 10_000
"""Ended or refused orders that are remembered, and the most that may be held back."""
NO_ROOM = "Order rejected - reason:too many orders are open"


class OrderDesk:
    """Takes orders, sends them to the exchange and tells their clients what becomes of them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.reports = Reports(gateway, self)
        self.combos = Combos(gateway, self)
        self.changes = Changes(gateway, self)
        self.orders: dict[tuple[int, int], Order] = {}
        self.venue = Venue(gateway.floor, self.apply)
        self._placed = 0
        self._ids: dict[int, int] = {}
        self.refused: dict[tuple[int, int], str] = {}

    def handlers(self) -> dict[int, Handler]:
        """What this desk and its reports serve, by message id."""
        return {3: self._place} | self.changes.handlers() | self.reports.handlers()

    def next_id(self, client_id: int) -> int:
        """The first order id that a client has not used."""
        return self._ids.get(client_id, 0) + 1

    def of_client(self, order: Order) -> list[Session]:
        """Sessions that are told of an order: its client's, and the master client's."""
        master = self._gateway.settings.master_client
        ids = {order.client_id, master}
        return [one for one in self._gateway.clients() if one.client_id in ids]

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
        elif spec.what_if:
            self._what_if(session, spec)
        elif (client_id, spec.order_id) in self.refused:
            session.error(spec.order_id, 103, "Duplicate order id")
        elif old is not None and old.status == "":
            old.spec = spec
            self._new(session, spec, old)
        elif old is not None:
            self.changes.change(session, spec, old)
        else:
            self._new(session, spec, None)

    def _new(self, session: Session, spec: OrderSpec, held: Order | None) -> None:
        """A new order; ``held`` was sent before without leave to be transmitted."""
        if spec.query.sec_type == "BAG":
            self.combos.place(session, spec)
            return
        one = self._listing_of(session, spec)
        if one is None:
            return
        terms = self._terms(spec, one)
        if not isinstance(terms, Terms):
            self._refuse(session, spec, one.inst, *terms)
            return
        refused = (201, NO_ROOM) if self.has_no_room() else None
        if refused is None and self._gateway.faults.of_order("reject") is not None:
            refused = 201, "Order rejected - reason:refused by a planned fault"
        if refused is not None:
            self._refuse(session, spec, one.inst, *refused)
            return
        order = held or self.register(session, spec)
        order.listing = one
        order.quantity = spec.quantity
        if not spec.transmit:
            return
        self._send(order, terms)

    def _listing_of(self, session: Session, spec: OrderSpec) -> Listing | None:
        """What an order trades; an error is sent where that is not one thing."""
        found = self._gateway.reference.find(spec.query)
        if len(found) == 1:
            return found[0]
        session.error(spec.order_id, 200, NO_SECURITY)
        return None

    def _terms(self, spec: OrderSpec, one: Listing) -> Terms | Refusal:
        """Terms on which a new order goes to the exchange, or why it does not."""
        terms = terms_of(self._gateway, spec, one)
        if not isinstance(terms, Terms):
            return terms
        working = self.venue.working_on(one.inst)
        return refusal(self._gateway, spec, one, terms, working, None) or terms

    def _what_if(self, session: Session, spec: OrderSpec) -> None:
        """Say what an order would do to the account, or why it would be refused; place nothing."""
        if spec.query.sec_type == "BAG":
            self.combos.what_if(session, spec)
            return
        one = self._listing_of(session, spec)
        if one is None:
            return
        terms = self._terms(spec, one)
        if isinstance(terms, Terms):
            self.reports.what_if(session, spec, one, [(one, spec.side, spec.quantity)])
        else:
            session.error(spec.order_id, *terms)

    def has_no_room(self) -> bool:
        """Whether too many orders are open, or held back, for one more."""
        return self.venue.is_full or len(self.orders) > 2 * MAX_KEPT

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
        self.refused[key] = status
        if len(self.refused) > MAX_KEPT:
            del self.refused[next(iter(self.refused))]
        session.error(spec.order_id, code, text)
        if code in (201, 202):
            self._placed += 1
            quirk = Quirk.draw(None, 0)
            perm_id = FIRST_PERM_ID + self._placed
            order = Order(*key, perm_id, spec, listing, quirk, status, spec.quantity)
            order.tell_status(session)

    def _send(self, order: Order, terms: Terms) -> None:
        assert order.listing is not None
        order.tick = terms.tick
        order.status = "PreSubmitted"
        self.venue.enter(order, order.listing)
        slow = self._gateway.faults.of_order("slow_place")
        if slow is None:
            self._transmit(order, terms)
        else:
            order.status = "PendingSubmit"
            floor = self._gateway.floor
            floor.at(floor.now + slow.for_ns, lambda: self._transmit(order, terms))

    def _transmit(self, order: Order, terms: Terms) -> None:
        order.status = "PreSubmitted"
        answers = self.venue.ask(
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
            self.apply(order, row)
        if order.live:
            self._gateway.faults.on_order(order)

    def apply(self, order: Order, row: np.void) -> None:
        """Act on what the exchange said of an order."""
        event = int(row["event"])
        if event == OrderEvent.EXECUTION:
            self.reports.execute(order, row)
            if order.leaves <= 1e-9:
                self.venue.leave(order)
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
            for session in self.of_client(order):
                session.error(order.order_id, 10148, not_cancellable(order.order_id, order.status))

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
        order.status, order.ended_ns = status, self._gateway.floor.now
        order.pending_cancel = False
        self.venue.leave(order)
        for session in self.of_client(order):
            if status == "Inactive":
                order.tell_open(session)
            order.tell_status(session)
            if code:
                session.error(order.order_id, code, text)

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
