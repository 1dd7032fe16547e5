"""Own orders on the wire: which is which, and what the broker's words for them mean.

What IBKR says of an order is said often, late, twice or not at all; here each change is told once.
Nothing is decided: what an event makes of an order is the local half's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmquant.brokers.ibkr_errors import Says, says, why_not_cancelled, why_refused
from mmquant.brokers.ibkr_rows import Grid, Outbox
from mmquant.brokers.ibkr_terms import LIFETIMES, cap_of
from mmquant.core.dtypes import OrderEvent, OrderType, Reason, TimeInForce

WORKING = "Submitted"
ACCEPTED = ("PreSubmitted",)
CANCELLED = ("Cancelled", "ApiCancelled")
LIVE = (WORKING, *ACCEPTED, "PendingSubmit", "PendingCancel", "ApiPending", "PreCancelled")
AT_ONCE = (int(TimeInForce.IOC), int(TimeInForce.FOK))
KEPT = 1 << 13
"""Ended orders that are remembered; later executions name their order themselves."""
END_GRACE_NS = 2_000_000_000


@dataclass
class Tracked:
    """An order as sent and as told; ``told`` are the terms last confirmed (tick, lots)."""

    order_id: int
    inst: int
    side: int
    tick: int
    lots: int
    order_type: int = 0
    tif: int = int(TimeInForce.DAY)
    expire_ts: int = 0
    ib_id: int = 0
    perm_id: int = 0
    sent_ts: int = 0
    told: tuple[int, int] | None = None
    acknowledged: bool = False
    modifying: bool = False
    cancelling: bool = False
    ended: bool = False
    code: int = 0
    text: str = ""
    filled: int = 0
    executed: dict[int, int] = field(default_factory=dict)

    @property
    def executed_lots(self) -> int:
        """Lots by executions."""
        return sum(self.executed.values())


class Identity:
    """Which orders are ours: the reference names the run and the order's own number."""

    def __init__(self, run: str) -> None:
        self._prefix = f"mm:{run}:"

    def reference(self, order_id: int) -> str:
        """What goes with an order to the broker, and comes back with all that it says of it."""
        return f"{self._prefix}{order_id}"

    def order_id(self, reference: str) -> int:
        """The number of an order of this run; 0 for those of others."""
        number = reference.removeprefix(self._prefix)
        return int(number) if number != reference and number.isdigit() else 0


class Orders:
    """All orders of the run that the broker has or had, as far as it was heard."""

    def __init__(self, outbox: Outbox, grids: Sequence[Grid], identity: Identity) -> None:
        self._out, self._grids, self.identity = outbox, grids, identity
        self._orders: dict[int, Tracked] = {}
        self._by_ib: dict[int, Tracked] = {}
        self._by_perm: dict[int, Tracked] = {}
        self.doubts: set[int] = set()
        """Orders of which two things were said that do not go together: to be asked after."""

    def __iter__(self) -> Any:
        """All that are tracked, in order of their sending."""
        return iter(list(self._orders.values()))

    def get(self, order_id: int) -> Tracked | None:
        """An order by its own number."""
        return self._orders.get(order_id)

    def of_ib(self, ib_id: int) -> Tracked | None:
        """An order by the number that this client gave it."""
        return self._by_ib.get(ib_id)

    def find(self, reference: str, perm_id: int, ib_id: int) -> Tracked | None:
        """An order by whatever is known of it."""
        order_id = self.identity.order_id(reference)
        return self._orders.get(order_id) or self._by_perm.get(perm_id) or self._by_ib.get(ib_id)

    # What is sent.

    def place(self, action: Any, ib_id: int, ts: int) -> Tracked:
        """Note a new order that leaves."""
        order = Tracked(
            int(action["order_id"]), int(action["inst"]), int(action["side"]), int(action["tick"]),
            int(action["lots"]), int(action["order_type"]), int(action["tif"]),
            int(action["expire_ts"]), ib_id, sent_ts=ts,
        )  # fmt: skip
        self._add(order)
        return order

    def number(self, order: Tracked, ib_id: int) -> None:
        """Note the number that an order leaves under."""
        order.ib_id = ib_id
        self._by_ib[ib_id] = order

    def never_left(self, order: Tracked) -> None:
        """An order was taken back before it left."""
        order.ended = True
        self._tell(OrderEvent.CANCEL_ACK, order, Reason.NONE)

    def change_never_left(self, order: Tracked) -> None:
        """A change did not come about: the terms are the last ones that were told."""
        order.modifying = False
        if order.told is not None:
            order.tick, order.lots = order.told

    def modify(self, order: Tracked, action: Any) -> None:
        """Note a change that leaves."""
        order.tick, order.lots, order.modifying = int(action["tick"]), int(action["lots"]), True

    def _add(self, order: Tracked) -> None:
        self._orders[order.order_id] = order
        if order.ib_id > 0:
            self._by_ib[order.ib_id] = order
        if order.perm_id > 0:
            self._by_perm[order.perm_id] = order
        if len(self._orders) > 2 * KEPT:
            self._forget()

    def _forget(self) -> None:
        ended = [o for o in self._orders.values() if o.ended]
        for order in ended[:-KEPT]:
            self._orders.pop(order.order_id, None)
            self._by_ib.pop(order.ib_id, None)
            self._by_perm.pop(order.perm_id, None)

    # What is said.

    def open_order(self, inst: int, order: Any, own_id: bool, status: str) -> Tracked | None:
        """The broker's copy of an order. Returns ours; None if it is another's.

        ``own_id``: its number is of this client, which can then change it.
        """
        order_id = self.identity.order_id(order.orderRef)
        if order_id == 0 or inst < 0:
            return None
        mine = self._orders.get(order_id)
        grid = self._grids[inst]
        lots = grid.lots(order.totalQuantity)
        if mine is None:
            mine = Tracked(order_id, inst, 1 if order.action == "BUY" else -1, 0, lots)
            mine.tif = next((int(t) for t, name in LIFETIMES.items() if name == order.tif), 1)
            mine.tick = cap_of(order, grid, 0)
            self._orders[order_id] = mine
        if own_id and order.orderId > 0:
            mine.ib_id = order.orderId
            self._by_ib[order.orderId] = mine
        self._note_perm(mine, order.permId)
        terms = (cap_of(order, grid, mine.tick), lots)
        if status == WORKING:
            self._confirm(mine, terms)
        elif status in ACCEPTED:
            self._accept(mine, terms)
        return mine

    def order_status(
        self, mine: Tracked, status: str, filled: float, perm_id: int, why_held: str
    ) -> None:
        """How far an order has come."""
        self._note_perm(mine, perm_id)
        mine.filled = max(mine.filled, self._grids[mine.inst].lots(filled))
        if status == "Filled":
            mine.ended = mine.acknowledged = True
        elif mine.ended:
            if status in (WORKING, *ACCEPTED) and mine.filled < mine.lots:
                self.doubts.add(mine.order_id)
        elif status == WORKING:
            if mine.told is None and not mine.modifying:
                self._confirm(mine, (mine.tick, mine.lots))
        elif status in ACCEPTED or (status == "Inactive" and why_held):
            self._accept(mine, (mine.tick, mine.lots))
        elif status in CANCELLED or status == "Inactive":
            self._end(mine, status)

    def error(self, mine: Tracked, code: int, text: str) -> None:
        """What a code says of an order. One that was acknowledged goes on as it was."""
        what = says(code)
        if what is Says.REFUSED and not mine.acknowledged and not mine.ended:
            mine.ended = True
            self._tell(OrderEvent.REJECT, mine, why_refused(code, text))
        elif what in (Says.REFUSED, Says.CHANGE_REFUSED) and mine.modifying:
            self._refuse_change(mine, why_refused(code, text))
        elif what is Says.CANCEL_REFUSED and mine.modifying and not mine.cancelling:
            self._refuse_change(mine, Reason.UNKNOWN_ORDER)
        elif what is Says.CANCEL_REFUSED and mine.cancelling:
            why = why_not_cancelled(code, text)
            if why is not None:
                mine.cancelling = False
                self._tell(OrderEvent.CANCEL_REJECT, mine, why)
        elif what is not Says.INFORMATION:
            mine.code, mine.text = code, text

    def found(self, mine: Tracked, is_open: bool) -> None:
        """Answer a question after an order that the broker knows."""
        if is_open:
            mine.ended, mine.acknowledged = False, True
            self.change_never_left(mine)
            self._tell(OrderEvent.FOUND_OPEN, mine, Reason.NONE, mine.told)
        else:
            mine.ended = True
            why = why_refused(mine.code, mine.text) if mine.code else Reason.NONE
            self._tell(OrderEvent.FOUND_CLOSED, mine, why)

    def refuse(self, action: Any, event: OrderEvent, reason: Reason) -> None:
        """Answer a request that cannot be sent."""
        self._out.order(
            event, int(action["order_id"]), int(action["inst"]), side=int(action["side"]),
            tick=int(action["tick"]), lots=int(action["lots"]), reason=int(reason),
        )  # fmt: skip

    def _note_perm(self, mine: Tracked, perm_id: int) -> None:
        if perm_id > 0 and mine.perm_id != perm_id:
            mine.perm_id = perm_id
            self._by_perm[perm_id] = mine

    def _confirm(self, mine: Tracked, terms: tuple[int, int]) -> None:
        mine.acknowledged = True
        if mine.told == terms:
            return
        if terms == (mine.tick, mine.lots):
            mine.modifying = False
        mine.told = terms
        if not mine.ended:
            self._tell(OrderEvent.CONFIRM, mine, Reason.NONE, terms)

    def _accept(self, mine: Tracked, terms: tuple[int, int]) -> None:
        if not mine.acknowledged and not mine.ended:
            mine.acknowledged = True
            self._tell(OrderEvent.ACK, mine, Reason.NONE, terms)

    def _end(self, mine: Tracked, status: str) -> None:
        mine.ended = True
        event, why = self._how_it_ended(mine, status)
        left = max(mine.lots - mine.executed_lots, 0)
        self._tell(event, mine, why, (mine.tick, left))

    def _how_it_ended(self, mine: Tracked, status: str) -> tuple[OrderEvent, Reason]:
        """Of an end that nobody asked for, CANCEL_ACK makes the local half ask if it is true."""
        late = self._out.clock.now() + END_GRACE_NS
        if mine.tif == TimeInForce.FOK and not mine.cancelling:
            return OrderEvent.EXPIRE, Reason.NOT_ALL_AVAILABLE
        if status == "Inactive" or (says(mine.code) is Says.REFUSED and not mine.cancelling):
            return OrderEvent.REJECT, why_refused(mine.code, mine.text)
        if not mine.cancelling and (mine.tif in AT_ONCE or mine.order_type == OrderType.MARKET):
            return OrderEvent.EXPIRE, Reason.NO_LIQUIDITY
        if not mine.cancelling and mine.tif == TimeInForce.GTD and mine.expire_ts <= late:
            return OrderEvent.EXPIRE, Reason.LIFETIME
        return OrderEvent.CANCEL_ACK, Reason.NONE

    def _refuse_change(self, mine: Tracked, why: Reason) -> None:
        self.change_never_left(mine)
        self._tell(OrderEvent.MODIFY_REJECT, mine, why)

    def _tell(
        self, event: OrderEvent, mine: Tracked, why: Reason, terms: tuple[int, int] | None = None
    ) -> None:
        tick, lots = terms or (mine.tick, mine.lots)
        self._out.order(
            event, mine.order_id, mine.inst, side=mine.side, tick=tick, lots=lots, reason=int(why)
        )
