"""Changes and cancels of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmquant.core.dtypes import ActionKind, OrderEvent
from mmquant.gateway.order_checks import Terms, refusal, terms_of
from mmquant.gateway.order_fields import OrderSpec
from mmquant.gateway.order_life import CANCELED, Order
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.orders import OrderDesk
    from mmquant.gateway.server import Gateway

NOT_THE_SAME = "Order being modified does not match original order"


class Changes:
    """What clients ask of orders that they have placed."""

    def __init__(self, gateway: Gateway, desk: OrderDesk) -> None:
        self._gateway, self._desk = gateway, desk

    def handlers(self) -> dict[int, Handler]:
        """What is served here, by message id."""
        return {4: self._cancel, 58: self._cancel_all}

    def change(self, session: Session, spec: OrderSpec, old: Order) -> None:
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
        same = all(getattr(spec, x) == getattr(old.spec, x) for x in ("action", "order_type"))
        lasting = {spec.tif or "DAY", old.spec.tif or "DAY"}
        same = same and (len(lasting) == 1 or lasting == {"DAY", "GTC"})
        if one is None:
            self._desk.combos.change(session, spec, old) if same else session.error(
                spec.order_id, 105, NOT_THE_SAME
            )
            return
        if not same or one not in self._gateway.reference.find(spec.query):
            session.error(spec.order_id, 105, NOT_THE_SAME)
            return
        terms = terms_of(self._gateway, spec, one)
        refused = (
            refusal(self._gateway, spec, one, terms, self._desk.venue.working_on(one.inst), old)
            if isinstance(terms, Terms)
            else terms
        )
        if refused is not None:
            session.error(spec.order_id, *refused)
            return
        assert isinstance(terms, Terms)
        self._send_change(old, spec, terms)

    def _send_change(self, old: Order, spec: OrderSpec, terms: Terms) -> None:
        answers = self._desk.venue.ask(
            ActionKind.MODIFY, old, tick=terms.tick, lots=terms.lots, tif=int(terms.tif)
        )
        refused = [row for row in answers if row["event"] == OrderEvent.MODIFY_REJECT]
        if refused:
            for row in answers:
                self._desk.apply(old, row)
            code, text = 201, "Order rejected - reason:the exchange refused it"
            if not old.live:
                code, text = 104, "Cannot modify a filled order."
            for session in self._desk.of_client(old):
                session.error(old.order_id, code, text)
            return
        ended = any(row["event"] == OrderEvent.CANCEL_ACK for row in answers)
        if not ended:
            old.spec, old.tick, old.quantity = spec, terms.tick, spec.quantity
            old.told_working = False
            if old.quirk.via_presubmitted and not old.filled:
                self._desk.tell(old, "PreSubmitted")
        for row in answers:
            self._desk.apply(old, row)

    def _cancel(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        order_id = fields.whole()
        order = self._desk.orders.get((session.client_id or 0, order_id))
        if order is None:
            state = self._desk.refused.get((session.client_id or 0, order_id))
            if state is None:
                text = f"OrderId {order_id} that needs to be cancelled is not found."
                session.error(order_id, 10147, text)
            else:
                session.error(order_id, 10148, not_cancellable(order_id, state))
        elif order.status == "":
            order.status = "ApiCancelled"
            order.tell_status(session)
            session.error(order_id, 202, CANCELED)
        elif not order.live:
            session.error(order_id, 10148, not_cancellable(order_id, order.status))
        elif order.pending_cancel or order.status == "PendingSubmit":
            text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
            session.error(order_id, 161, f"{text}{order.perm_id}")
        else:
            self.cancel(order)

    def cancel(self, order: Order) -> None:
        """Cancel a live order."""
        if order.listing is None:
            self._desk.combos.cancel(order)
            return
        order.pending_cancel = True
        slow = self._gateway.faults.of_order("slow_cancel")
        if order.quirk.pending_cancel or slow is not None:
            for session in self._desk.of_client(order):
                order.tell_status(session, "PendingCancel")
        if slow is None:
            self._send_cancel(order)
        else:
            floor = self._gateway.floor
            floor.at(floor.now + slow.for_ns, lambda: self._send_cancel(order))

    def _send_cancel(self, order: Order) -> None:
        if order.live:
            for row in self._desk.venue.ask(ActionKind.CANCEL, order):
                self._desk.apply(order, row)

    def _cancel_all(self, session: Session, fields: Fields) -> None:
        for order in list(self._desk.orders.values()):
            if order.live and not order.pending_cancel:
                self.cancel(order)


def not_cancellable(order_id: int, status: str) -> str:
    """Why a cancel comes too late."""
    return f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {status}."
