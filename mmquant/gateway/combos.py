"""Combinations (BAG): worked by taking all legs at once when their best prices allow the limit.

Each leg is an order that takes at the exchange, for no more than it shows; what a combination has
working is no part of any book.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import (
    NO_ASK,
    NO_BID,
    OrderEvent,
)
from mmquant.core.market_feed import available
from mmquant.gateway.listings import NO_SECURITY
from mmquant.gateway.order_checks import BOTH_SIDES, NO_FUNDS, NO_ROUTE, OFF_TICK, affordable
from mmquant.gateway.order_fields import OrderSpec
from mmquant.gateway.order_life import CANCELED, Order
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Session

if TYPE_CHECKING:
    from mmquant.gateway.orders import OrderDesk
    from mmquant.gateway.server import Gateway

LOOK_NS = 10_000_000
"""How often the books of the legs are looked at. [ns]"""
MAX_WORKING = 100
NO_ROOM = "Order rejected - reason:too many combinations are open"
RISKLESS = "Order rejected - reason:Riskless combination orders are not allowed."
CENT = 0.01


@dataclass(frozen=True)
class WorkedLeg:
    """A leg of a working combination; ``side`` as the order would trade it."""

    listing: Listing
    side: int
    ratio: int


class Combos:
    """The combinations of all clients."""

    def __init__(self, gateway: Gateway, desk: OrderDesk) -> None:
        self._gateway, self._desk = gateway, desk
        self._working: dict[Order, list[WorkedLeg]] = {}
        self._looking = False

    def place(self, session: Session, spec: OrderSpec) -> None:
        """A new combination."""
        legs = self._legs(spec)
        refused = self._refusal(spec, legs)
        if refused is None and (self._desk.has_no_room() or len(self._working) >= MAX_WORKING):
            refused = 201, NO_ROOM
        order = self._desk.register(session, spec)
        order.quantity = spec.quantity
        if refused is not None:
            order.status = "Inactive"
            session.error(spec.order_id, *refused)
            if refused[0] == 201:
                order.tell_status(session)
            return
        assert legs is not None
        if not spec.transmit:
            return
        order.status = "Submitted"
        self._working[order] = legs
        for leg in legs:
            self._desk.venue.working.setdefault(leg.listing.inst, []).append(order)
        self._desk.tell(order)
        self._work(order)

    def what_if(self, session: Session, spec: OrderSpec) -> None:
        """Say what a combination would do to the account, or why it would be refused."""
        legs = self._legs(spec)
        refused = self._refusal(spec, legs)
        if refused is not None:
            session.error(spec.order_id, *refused)
            return
        assert legs is not None
        parts = [(leg.listing, leg.side, leg.ratio * spec.quantity) for leg in legs]
        self._desk.reports.what_if(session, spec, None, parts)

    def change(self, session: Session, spec: OrderSpec, old: Order) -> None:
        """A new price or size of a working combination."""
        refused = self._refusal(spec, self._legs(spec), old)
        if refused is not None:
            session.error(spec.order_id, *refused)
            return
        old.spec, old.quantity = spec, spec.quantity
        self._desk.tell(old)
        self._work(old)

    def cancel(self, order: Order) -> None:
        """Cancel a working combination."""
        self._end(order, "Cancelled")

    def _legs(self, spec: OrderSpec) -> list[WorkedLeg] | None:
        known = [self._gateway.reference.by_id.get(leg.con_id) for leg in spec.legs]
        if not known or len(known) != len([one for one in known if one is not None]):
            return None
        return [
            WorkedLeg(one, spec.side if leg.action == "BUY" else -spec.side, leg.ratio)
            for one, leg in zip(known, spec.legs, strict=True)
            if one is not None
        ]

    def _refusal(
        self, spec: OrderSpec, legs: list[WorkedLeg] | None, old: Order | None = None
    ) -> tuple[int, str] | None:
        if legs is None:
            return 200, NO_SECURITY
        if spec.order_type not in ("LMT", "MKT"):
            return 387, NO_ROUTE
        whole = 0.0 < spec.quantity < 1e9 and spec.quantity == int(spec.quantity)
        if not whole or any(not 0 < leg.ratio < 1_000 for leg in legs):
            return 321, "Error validating request.-'bN' : cause - Size value is not valid"
        if spec.order_type == "LMT":
            if not abs(spec.limit) < 1e7:
                return 321, "Error validating request.-'bN' : cause - Limit price is missing"
            if abs(spec.limit / CENT - round(spec.limit / CENT)) > 1e-4:
                return 110, OFF_TICK
        if _is_riskless(legs):
            return 201, RISKLESS
        for leg in legs:
            for order in self._desk.venue.working_on(leg.listing.inst):
                if leg.listing.is_option and order is not old and self._against(order, leg):
                    return 201, BOTH_SIDES
        extra: dict[int, float] = {}
        for leg in legs:
            more = leg.side * leg.ratio * spec.quantity
            extra[leg.listing.inst] = extra.get(leg.listing.inst, 0.0) + more
        return None if affordable(self._gateway, extra) else (201, NO_FUNDS)

    def _against(self, order: Order, leg: WorkedLeg) -> bool:
        if order.listing is not None:
            return order.side != leg.side
        others = self._working.get(order, [])
        return any(x.listing is leg.listing and x.side != leg.side for x in others)

    def _look(self) -> None:
        """Look at the books while a combination works."""
        if self._looking or not self._working:
            return
        self._looking = True

        def again() -> None:
            self._looking = False
            for order in list(self._working):
                self._work(order)
            self._look()

        self._gateway.floor.at(self._gateway.floor.now + LOOK_NS, again)

    def _work(self, order: Order) -> None:
        legs = self._working[order]
        ticks = [self._far(leg) for leg in legs]
        sets = self._sets(order, legs, ticks)
        if sets > 0:
            self._trade(order, legs, ticks, sets)
        if order.leaves <= 0:
            self._forget(order)
        elif order.spec.tif in ("IOC", "FOK") or order.spec.order_type == "MKT":
            self._end(order, "Inactive" if order.spec.tif == "FOK" else "Cancelled")
        else:
            self._look()

    def _far(self, leg: WorkedLeg) -> int:
        bid, _, ask, _ = self._gateway.floor.touch(leg.listing.inst)
        return ask if leg.side > 0 else bid

    def _sets(self, order: Order, legs: list[WorkedLeg], ticks: list[int]) -> int:
        """How many combinations can be had now within the limit."""
        if any(tick in (NO_ASK, NO_BID) for tick in ticks):
            return 0
        cost = sum(
            leg.side * leg.ratio * leg.listing.price(tick)
            for leg, tick in zip(legs, ticks, strict=True)
        )
        if order.spec.order_type == "LMT" and cost > order.side * order.spec.limit + 1e-9:
            return 0
        exchange = self._gateway.floor.exchange
        shown = [
            int(available(exchange, 0, leg.listing.inst, leg.side, tick)) // leg.ratio
            for leg, tick in zip(legs, ticks, strict=True)
        ]
        most = min(int(order.leaves), *shown)
        return 0 if order.spec.tif == "FOK" and most < order.leaves else most

    def _trade(self, order: Order, legs: list[WorkedLeg], ticks: list[int], sets: int) -> None:
        """Take all legs, and book them one by one."""
        cost = 0.0
        fills = []
        for leg, tick in zip(legs, ticks, strict=True):
            rows = self._desk.venue.take(leg.listing, leg.side, tick, leg.ratio * sets)
            for row in rows:
                if row["event"] == OrderEvent.EXECUTION:
                    fills.append((leg, int(row["lots"]), float(row["price"])))
                    cost += leg.side * int(row["lots"]) * float(row["price"])
        order.filled += sets
        order.value += order.side * cost
        order.last_price = round(order.side * cost / sets, 10)
        order.status = "Filled" if order.leaves <= 0 else "Submitted"
        order.ended_ns = self._gateway.floor.now
        reports = self._desk.reports
        whole = reports.noted(order, None, order.side, sets, order.last_price, -1)
        legs_executed = [
            reports.booked(order, leg.listing, leg.side, leg.listing.quantity(lots), price, -1)
            for leg, lots, price in fills
        ]
        self._desk.tell(order)
        for session in self._desk.of_client(order):
            for execution in (whole, *legs_executed):
                execution.tell(session)
        for execution in legs_executed:
            reports.report_later(order, execution)

    def _end(self, order: Order, status: str) -> None:
        self._forget(order)
        order.status, order.ended_ns = status, self._gateway.floor.now
        for session in self._desk.of_client(order):
            order.tell_status(session)
            if status == "Cancelled":
                session.error(order.order_id, 202, CANCELED)

    def _forget(self, order: Order) -> None:
        for leg in self._working.pop(order, []):
            self._desk.venue.working[leg.listing.inst].remove(order)


def _is_riskless(legs: list[WorkedLeg]) -> bool:
    """Whether what all legs are worth at one expiry does not depend on the underlying."""
    if len({leg.listing.con_id for leg in legs}) < len(legs):
        return True
    if len({leg.listing.expiry for leg in legs if leg.listing.is_option}) != 1 or len(legs) < 2:
        return False
    strikes = sorted({leg.listing.strike for leg in legs if leg.listing.is_option})
    spots = [0.5 * strikes[0], *strikes, 2.0 * strikes[-1], 3.0 * strikes[-1]]
    worth = [sum(_worth(leg, spot) for leg in legs) for spot in spots]
    return max(worth) - min(worth) < 1e-6


def _worth(leg: WorkedLeg, spot: float) -> float:
    one = leg.listing
    each = spot
    if one.is_option:
        each = max(spot - one.strike if one.right == "C" else one.strike - spot, 0.0)
    return leg.side * leg.ratio * each * one.contract.multiplier
