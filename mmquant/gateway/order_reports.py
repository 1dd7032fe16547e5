"""Executions with their commissions, and the questions after open, completed and filled orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mmquant.data.commissions import OrderCharge, load_commissions
from mmquant.gateway.clock import eastern, time_ns
from mmquant.gateway.order_echo import completed_order_fields, open_order_fields
from mmquant.gateway.order_fields import UNSET, OrderSpec
from mmquant.gateway.order_life import Execution, Order, Quirk
from mmquant.gateway.reference import ZONE, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.orders import OrderDesk
    from mmquant.gateway.server import Gateway

MAX_EXECUTIONS = 20_000
"""Executions that are remembered."""
LIQUIDITY = {1: 1, -1: 2}
"""Interactive Brokers' code of a fill that added or removed liquidity."""


class Reports:
    """Books executions, and answers what happened to orders."""

    def __init__(self, gateway: Gateway, desk: OrderDesk) -> None:
        self._gateway, self._desk = gateway, desk
        self.commissions = load_commissions(gateway.settings.plan, gateway.market.date)
        self.executions: list[Execution] = []
        self._count = 0

    def handlers(self) -> dict[int, Handler]:
        """What is served here, by message id."""
        return {
            5: self._open_orders,
            16: self._all_open_orders,
            7: self._executions,
            99: self._completed_orders,
        }

    def execute(self, order: Order, row: np.void) -> None:
        """Book an execution of a single order and tell it."""
        assert order.listing is not None
        quantity = order.listing.quantity(int(row["lots"]))
        order.filled += quantity
        order.value += quantity * float(row["price"])
        order.last_price = float(row["price"])
        order.status = "Filled" if order.leaves <= 1e-9 else "Submitted"
        order.ended_ns = self._gateway.floor.now
        execution = self.booked(
            order, order.listing, order.side, quantity, float(row["price"]), int(row["liquidity"])
        )
        self._tell(order, execution)
        self._gateway.faults.on_execution(execution)

    def booked(
        self, order: Order, one: Listing, side: int, quantity: float, price: float, liquidity: int
    ) -> Execution:
        """An execution of an instrument, booked with its commission."""
        commission = self._charged(order.charge, one, side, quantity, price, maker=liquidity > 0)
        order.commission += commission
        realized = self._gateway.accounts.book(one, side, quantity, price, commission)
        return self.noted(order, one, side, quantity, price, liquidity, commission, realized)

    def _charged(
        self, charge: OrderCharge, one: Listing, side: int, quantity: float, price: float, *,
        maker: bool,
    ) -> float:  # fmt: skip
        """Commission of an execution, behind what its order was charged. [currency]"""
        return self.commissions.charge(
            charge, option=one.is_option, side=side, quantity=quantity, price=price,
            multiplier=one.contract.multiplier, maker=maker,
        )  # fmt: skip

    def noted(
        self, order: Order, one: Listing | None, side: int, quantity: float, price: float,
        liquidity: int, commission: float = 0.0, realized: float = UNSET,
    ) -> Execution:  # fmt: skip
        """An execution with its id; a combination as a whole has no listing, and is not booked."""
        self._count += 1
        number = self._count
        now = self._gateway.floor.now // 1_000_000_000
        execution = Execution(
            order, one, f"{now // 86_400 & 0xFFFFFFFF:08x}.{now & 0xFFFFFFFF:08x}.{number:02d}",
            self._shown(self._gateway.floor.now), side, quantity, price, order.filled,
            order.average, LIQUIDITY[1 if liquidity > 0 else -1], commission, realized, now,
        )  # fmt: skip
        self.executions.append(execution)
        if len(self.executions) > MAX_EXECUTIONS:
            del self.executions[: MAX_EXECUTIONS // 10]
        return execution

    def _tell(self, order: Order, execution: Execution) -> None:
        for session in self._desk.of_client(order):
            if order.quirk.status_first:
                order.tell(session)
                execution.tell(session)
            else:
                execution.tell(session)
                order.tell(session)
        self.report_later(order, execution)

    def report_later(self, order: Order, execution: Execution) -> None:
        """Tell the commission, as late as the order's quirk has it."""

        def report() -> None:
            execution.reported = True
            for session in self._desk.of_client(order):
                if not order.leaves > 0:
                    order.tell_open(session, with_commission=True)
                execution.tell_commission(session)

        late = self._gateway.faults.of_order("late_commission")
        delay = order.quirk.commission_ns if late is None else late.for_ns
        if delay == 0:
            report()
        else:
            self._gateway.floor.at(self._gateway.floor.now + delay, report)

    def correct(self, execution: Execution, price: float, quantity: float) -> None:
        """Correct an execution: its id ends in the next number, and the account is put right."""
        order, one = execution.order, execution.listing
        assert one is not None
        accounts = self._gateway.accounts
        accounts.book(one, -execution.side, execution.quantity, execution.price, 0.0)
        if quantity:
            accounts.book(one, execution.side, quantity, price, 0.0)
        order.filled += quantity - execution.quantity
        order.value += quantity * price - execution.quantity * execution.price
        execution.revision += 1
        execution.price, execution.quantity = price, quantity
        execution.cumulative, execution.average = order.filled, order.average
        for session in self._desk.of_client(order):
            execution.tell(session)
            execution.tell_commission(session)

    def _shown(self, ns: int) -> str:
        """A time as executions have it."""
        return f"{eastern(ns):%Y%m%d %H:%M:%S} {ZONE}"

    def what_if(
        self, session: Session, spec: OrderSpec, one: Listing | None,
        parts: list[tuple[Listing, int, float]],
    ) -> None:  # fmt: skip
        """Say what an order would do to the account; ``parts`` are what it trades, with sides.

        ``one`` is None for a combination.
        """
        accounts = self._gateway.accounts
        equity, bound = accounts.equity(), accounts.margin()
        extra: dict[int, float] = {}
        charge, paid = OrderCharge(), 0.0
        for leg, side, quantity in parts:
            extra[leg.inst] = extra.get(leg.inst, 0.0) + side * quantity
            price = accounts.mark(leg.inst)
            paid += self._charged(charge, leg, side, quantity, price, maker=False)
        more = accounts.bound_more(extra)
        margins = (
            bound, bound, equity, more, more, 0.0, bound + more, bound + more, equity,
        )  # fmt: skip
        order = Order(session.client_id or 0, spec.order_id, 0, spec, one, Quirk())
        fields = open_order_fields(
            order.contract_fields(), spec, session.version, order_id=spec.order_id,
            client_id=order.client_id, perm_id=0, status="PreSubmitted",
            margins=tuple(round(x, 6) for x in margins), commission=round(paid, 6),
        )  # fmt: skip
        session.send(*fields)

    def tell_recovered(self, session: Session) -> None:
        """Tell a client that comes back of its open orders, before it is greeted."""
        if any(self._open_of(session)):
            self._open_orders(session, Fields([]))

    def _open_of(self, session: Session) -> Iterator[Order]:
        for order in self._desk.orders.values():
            if order.live and order.client_id == session.client_id:
                yield order

    def _open_orders(self, session: Session, fields: Fields) -> None:
        for order in self._open_of(session):
            order.tell_open(session)
            order.tell_status(session)
        session.send(53, 1)

    def _all_open_orders(self, session: Session, fields: Fields) -> None:
        for order in self._desk.orders.values():
            if order.live:
                order.tell_open(session)
                order.tell_status(session)
        session.send(53, 1)

    def _completed_orders(self, session: Session, fields: Fields) -> None:
        for order in self._desk.orders.values():
            if order.status in ("Filled", "Cancelled"):
                session.send(
                    *completed_order_fields(
                        order.contract_fields(), order.spec, session.version,
                        perm_id=order.perm_id, status=order.status, filled=order.filled,
                        time=self._shown(order.ended_ns),
                    )
                )  # fmt: skip
        session.send(102)

    def _executions(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id, client_id = fields.whole(), fields.whole()
        account, since, symbol = fields.text(), fields.text(), fields.text()
        sec_type, exchange, side = fields.text(), fields.text(), fields.text()
        begin = time_ns(since, "00:00:00") if since else 0
        if begin is None:
            session.error(req_id, 321, f"Error validating request: the time {since!r} is invalid")
        for one in self.executions if begin is not None else ():
            fits = (
                (client_id in (0, one.order.client_id))
                and account in ("", self._gateway.settings.account)
                and symbol in ("", one.symbol)
                and sec_type in ("", one.sec_type)
                and exchange in ("", "SMART", *one.venues)
                and side in ("", {1: "BUY", -1: "SELL"}[one.side], {1: "BOT", -1: "SLD"}[one.side])
                and one.second * 1_000_000_000 >= (begin or 0)
            )
            if fits:
                one.tell(session, req_id)
                if one.reported:
                    one.tell_commission(session)
        session.send(55, 1, req_id)
