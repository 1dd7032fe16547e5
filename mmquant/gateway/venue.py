"""Orders by their places at the exchange, and how they ask it for something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import ActionKind, OrderType, TimeInForce
from mmquant.gateway.order_life import Order
from mmquant.gateway.reference import Listing

if TYPE_CHECKING:
    from mmquant.gateway.floor import Floor


class Venue:
    """Gives orders a place at the exchange; ``apply`` is called with what it says by itself."""

    def __init__(self, floor: Floor, apply: Callable[[Order, np.void], None]) -> None:
        self._floor, self._apply = floor, apply
        self.orders: dict[int, Order] = {}
        self.working: dict[int, list[Order]] = {}
        self._slots = list(range(len(floor.exchange.peg) - 1, -1, -1))
        self._used = 0
        self._answers: list[np.void] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no place is left; one is kept for legs of combinations."""
        return len(self._slots) <= 1

    def working_on(self, inst: int) -> list[Order]:
        """Live orders that trade an instrument, as legs of combinations too."""
        return [order for order in self.working.get(inst, ()) if order.live]

    def enter(self, order: Order, one: Listing) -> None:
        """Give an order its place."""
        order.number = self._number()
        self.orders[order.number] = order
        self.working.setdefault(one.inst, []).append(order)

    def leave(self, order: Order) -> None:
        """Give an order's place back; nothing happens if it has none."""
        if self.orders.pop(order.number, None) is not None:
            assert order.listing is not None
            self._free(order.number)
            self.working[order.listing.inst].remove(order)

    def ask(self, kind: ActionKind, order: Order, **fields: int) -> list[np.void]:
        """Send a request for an order; returns what it answered about that at once."""
        assert order.listing is not None
        return self._request(kind, order.number, order.listing, order.side, **fields)

    def take(self, one: Listing, side: int, tick: int, lots: int) -> list[np.void]:
        """Take what an instrument shows up to a tick, for a leg; returns what happened."""
        number = self._number()
        rows = self._request(
            ActionKind.PLACE, number, one, side, tick=tick, lots=lots,
            order_type=int(OrderType.LIMIT), tif=int(TimeInForce.IOC),
        )  # fmt: skip
        self._free(number)
        return rows

    def on_answer(self, row: np.void) -> None:
        """What the exchange says of an order."""
        if self._answers is not None:
            self._answers.append(row)
            return
        order = self.orders.get(int(row["order_id"]))
        if order is not None:
            self._apply(order, row)

    def _request(
        self, kind: ActionKind, number: int, one: Listing, side: int, **fields: int
    ) -> list[np.void]:
        answers: list[np.void] = []
        self._answers = answers
        try:
            self._floor.request(kind, order_id=number, inst=one.inst, side=side, **fields)
        finally:
            self._answers = None
        for row in answers:
            if int(row["order_id"]) != number:
                self.on_answer(row)
        return [row for row in answers if int(row["order_id"]) == number]

    def _number(self) -> int:
        """A free place, as an order id that was not used before."""
        self._used += 1
        return self._slots.pop() + len(self._floor.exchange.peg) * self._used

    def _free(self, number: int) -> None:
        self._slots.append(number % len(self._floor.exchange.peg))
