"""Orders that are decided and not sent: they rest here until they are cancelled, never filled."""

from __future__ import annotations

from typing import Any

from mmquant.brokers.ibkr_orders import Tracked
from mmquant.brokers.ibkr_reconcile import ALL
from mmquant.brokers.ibkr_requests import Requests
from mmquant.brokers.ibkr_rows import Outbox
from mmquant.core.dtypes import OrderEvent, OrderType, Reason, TimeInForce

RESTS = (int(TimeInForce.DAY), int(TimeInForce.GTC), int(TimeInForce.GTD))


class DryRequests(Requests):
    """Takes actions as `Requests` does, and answers them itself as a venue without fills would."""

    def __init__(self, outbox: Outbox, *given: Any) -> None:
        super().__init__(*given)
        self._out = outbox
        self._resting: dict[int, Tracked] = {}
        self._ended: set[int] = set()

    def take(self, action: Any, ts: int) -> int | None:
        """Answer an action. Of a QUERY for all, returns that the broker is to be asked as well."""
        query = super().take(action, ts)
        if query is None:
            return None
        for order_id in list(self._resting) if query == ALL else [query]:
            self._found(order_id)
        return query if query == ALL else None

    def step(self, now: int) -> None:
        """End what lived long enough."""
        for mine in list(self._resting.values()):
            if mine.tif == TimeInForce.GTD and now >= mine.expire_ts > 0:
                self._end(mine, OrderEvent.EXPIRE, Reason.LIFETIME)

    def cancel_account(self) -> None:
        """End all that rests here: orders of others are left alone."""
        for mine in list(self._resting.values()):
            self._end(mine, OrderEvent.CANCEL_ACK, Reason.NONE)

    def hot(self) -> set[int]:
        """Instruments with orders."""
        return {mine.inst for mine in self._resting.values()}

    def _place(self, action: Any, ts: int) -> None:
        if self._terms(action) is None:
            self._orders.refuse(action, OrderEvent.REJECT, Reason.BAD_QUOTE)
            return
        mine = Tracked(
            int(action["order_id"]), int(action["inst"]), int(action["side"]), int(action["tick"]),
            int(action["lots"]), int(action["order_type"]), int(action["tif"]),
            int(action["expire_ts"]),
        )  # fmt: skip
        self._resting[mine.order_id] = mine
        self._tell(OrderEvent.CONFIRM, mine)
        if mine.tif not in RESTS or mine.order_type == OrderType.MARKET:
            self._end(mine, OrderEvent.EXPIRE, Reason.NO_LIQUIDITY)

    def _modify(self, action: Any) -> None:
        mine = self._resting.get(int(action["order_id"]))
        if mine is None or self._terms(action) is None:
            self._orders.refuse(action, OrderEvent.MODIFY_REJECT, Reason.UNKNOWN_ORDER)
            return
        mine.tick, mine.lots = int(action["tick"]), int(action["lots"])
        self._tell(OrderEvent.CONFIRM, mine)

    def _cancel(self, action: Any) -> None:
        mine = self._resting.get(int(action["order_id"]))
        if mine is None:
            self._orders.refuse(action, OrderEvent.CANCEL_REJECT, Reason.UNKNOWN_ORDER)
        else:
            self._end(mine, OrderEvent.CANCEL_ACK, Reason.NONE)

    def _found(self, order_id: int) -> None:
        mine = self._resting.get(order_id)
        if mine is not None:
            self._tell(OrderEvent.FOUND_OPEN, mine)
            return
        known = order_id in self._ended
        event = OrderEvent.FOUND_CLOSED if known else OrderEvent.NOT_FOUND
        self._out.order(event, order_id, 0, reason=0 if known else int(Reason.UNKNOWN_ORDER))

    def _end(self, mine: Tracked, event: OrderEvent, why: Reason) -> None:
        del self._resting[mine.order_id]
        self._ended.add(mine.order_id)
        self._tell(event, mine, why)

    def _tell(self, event: OrderEvent, mine: Tracked, why: Reason = Reason.NONE) -> None:
        self._out.order(
            event, mine.order_id, mine.inst, side=mine.side, tick=mine.tick, lots=mine.lots,
            reason=int(why),
        )  # fmt: skip
