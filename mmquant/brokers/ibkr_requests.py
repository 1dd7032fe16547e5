"""Actions on their way out: each as a new order object, in the order of their urgency."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_contracts import Traded
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_orders import Orders, Tracked
from mmquant.brokers.ibkr_pacer import Rank
from mmquant.brokers.ibkr_rows import Grid
from mmquant.brokers.ibkr_terms import ib_contract, ib_order
from mmquant.core.dtypes import NEVER, ActionKind, OrderEvent, Reason

PLACE, MODIFY, CANCEL = int(ActionKind.PLACE), int(ActionKind.MODIFY), int(ActionKind.CANCEL)
REDUCES = (int(Reason.HEDGE), int(Reason.FLATTEN))
FAR = NEVER // 2
log = logging.getLogger(__name__)


class Requests:
    """Orders, changes and cancels, put to the pacer."""

    def __init__(
        self,
        link: Link,
        clock: Clock,
        orders: Orders,
        grids: Sequence[Grid],
        traded: Sequence[Traded | None],
    ) -> None:
        self._link, self._clock, self._orders = link, clock, orders
        self._grids, self._traded = grids, traded
        self.account = ""
        self.allowed: Callable[[], bool] = lambda: False
        self.dropped = 0
        """Requests that came while the link was down, and did not leave."""

    def take(self, action: Any, ts: int) -> int | None:
        """Put an action on its way. Of a QUERY, returns which order it asks for."""
        kind = int(action["kind"])
        if kind == ActionKind.QUERY:
            return int(action["order_id"])
        if kind not in (PLACE, MODIFY, CANCEL):
            return None
        if not self.allowed():
            self.dropped += 1
            log.warning("%s of order %s: the link is down", ActionKind(kind).name, action[1])
        elif kind == PLACE:
            self._place(action, ts)
        elif kind == MODIFY:
            self._modify(action)
        else:
            self._cancel(action)
        return None

    def cancel_account(self) -> None:
        """Cancel all that the account has; nothing else leaves before it."""
        self._link.pacer.clear()
        self._link.send(Rank.CANCEL, "all", self._link.client.reqGlobalCancel)

    def hot(self) -> set[int]:
        """Instruments with orders that may work."""
        return {order.inst for order in self._orders if not order.ended}

    def _place(self, action: Any, ts: int) -> None:
        order = self._terms(action)
        traded = self._traded[int(action["inst"])]
        if order is None or traded is None:
            self._orders.refuse(action, OrderEvent.REJECT, Reason.BAD_QUOTE)
            return
        mine = self._orders.place(action, 0, ts)
        contract = ib_contract(action, traded.ib)

        def leave() -> None:
            ib_id = self._link.client.getReqId()
            self._orders.number(mine, ib_id)
            self._link.client.placeOrder(ib_id, contract, order)

        rank = Rank.REDUCE if int(action["reason"]) in REDUCES else Rank.NEW
        self._link.send(rank, (PLACE, mine.order_id), leave)

    def _modify(self, action: Any) -> None:
        mine = self._orders.get(int(action["order_id"]))
        order = self._terms(action)
        traded = self._traded[int(action["inst"])]
        if mine is None or mine.ib_id <= 0 or order is None or traded is None:
            self._orders.refuse(action, OrderEvent.MODIFY_REJECT, Reason.UNKNOWN_ORDER)
            return
        contract, ib_id = ib_contract(action, traded.ib), mine.ib_id
        rank = Rank.REDUCE if _reduces(mine, action) else Rank.NEW
        self._orders.modify(mine, action)
        key = (MODIFY, mine.order_id)
        self._link.pacer.drop(key)
        self._link.send(rank, key, lambda: self._link.client.placeOrder(ib_id, contract, order))

    def _cancel(self, action: Any) -> None:
        order_id = int(action["order_id"])
        mine = self._orders.get(order_id)
        if mine is not None and self._link.pacer.drop((MODIFY, order_id)):
            self._orders.change_never_left(mine)
        if mine is not None and self._link.pacer.drop((PLACE, order_id)):
            self._orders.never_left(mine)
        elif mine is None or mine.ib_id <= 0:
            self._orders.refuse(action, OrderEvent.CANCEL_REJECT, Reason.UNKNOWN_ORDER)
        else:
            mine.cancelling, ib_id = True, mine.ib_id
            cancel = self._link.client.cancelOrder
            self._link.send(Rank.CANCEL, (CANCEL, order_id), lambda: cancel(ib_id))

    def _terms(self, action: Any) -> Any:
        """The order of an action, marked as ours; None where there is none like it."""
        inst = int(action["inst"])
        traded = self._traded[inst]
        if traded is None:
            return None
        ends = self._clock.utc(min(int(action["expire_ts"]), self._clock.now() + FAR // 10**3))
        order = ib_order(action, self._grids[inst], traded.ib, ends)
        if order is not None:
            order.account = self.account
            order.orderRef = self._orders.identity.reference(int(action["order_id"]))
        return order


def _reduces(mine: Tracked, action: Any) -> bool:
    """Whether a change only makes an order smaller."""
    tick, lots = mine.told or (mine.tick, mine.lots)
    return int(action["tick"]) == tick and int(action["lots"]) < lots
