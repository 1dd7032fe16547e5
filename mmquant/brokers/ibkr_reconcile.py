"""Asking the broker for the truth: open orders, then executions, then positions, in this order.

An order that was filled while we asked is missing from the first answer, and its execution is then
in the second: what is told together fits together. Only a whole answer counts: one without its end
is none, and is asked for again by the local half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ib_async import ExecutionFilter

from mmquant.brokers.ibkr_executions import Executions, Opening
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_orders import LIVE, Orders, Tracked
from mmquant.brokers.ibkr_pacer import Rank
from mmquant.brokers.ibkr_rows import Outbox
from mmquant.core.dtypes import NEVER, ActionKind, MsgKind, OrderEvent, Reason, Session

ALL = 0
"""What is asked for everything has no order's number."""
PATIENCE_NS = 4_000_000_000
MOST_LOOKS = 3
"""A position is asked for again if something was executed meanwhile, so often at most."""
ASK = "ask"


class Truth:
    """One question at a time; those that come while one is asked are asked after it."""

    def __init__(
        self,
        link: Link,
        outbox: Outbox,
        orders: Orders,
        executions: Executions,
        instruments: int,
        account: str,
    ) -> None:
        self._link, self._out, self._orders, self._executions = link, outbox, orders, executions
        self._instruments, self._account = instruments, account
        self._next: set[int] = set()
        self._asked: set[int] = set()
        self._step, self._deadline, self._began = "", NEVER, 0
        self._open: set[int] = set()
        self._others: dict[int, tuple[int, int, int]] = {}
        self._external: dict[tuple[int, int], int] = {}
        self._held: dict[int, float] = {}
        self._costs: dict[int, float] = {}
        self._count = self._looks = self._request = 0
        self._opened: Callable[[Opening], None] | None = None
        self.done = 0
        """Whole answers so far to questions for everything."""

    def ask(self, order_id: int) -> None:
        """Ask what became of an order, or (ALL) of everything."""
        self._next.add(order_id)

    def ask_holdings(self, opened: Callable[[Opening], None]) -> None:
        """Ask what the account holds, before anything is traded."""
        self._opened = opened
        self._next.add(ALL)

    @property
    def asks(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._step)

    @property
    def opening(self) -> bool:
        """Whether it is still to be told what the account holds."""
        return self._opened is not None

    def forget(self) -> None:
        """The link is lost, and with it all answers."""
        self._next.clear()
        self._asked.clear()
        self._step, self._deadline = "", NEVER

    def step(self, now: int) -> None:
        """Begin what is to be asked, and give up what was not answered."""
        if self._step and now >= self._deadline:
            self._step, self._deadline = "", NEVER
            self._asked.clear()
        if not self._step and self._next and self._link.is_up:
            self._asked, self._next = self._next, set()
            self._deadline, self._began = now + PATIENCE_NS, now
            self._open.clear()
            self._others.clear()
            if self.opening:
                self._executions.before_opening = set()
            self._go("orders", self._link.client.reqAllOpenOrders)

    def next_ts(self) -> int:
        """When something has to be done about a question. [ns]"""
        if self._step:
            return self._deadline
        return 0 if self._next else NEVER

    # What comes as an answer.

    def open_order(self, mine: Tracked | None, inst: int, order: Any, status: str) -> None:
        """An order that works, ours or another's."""
        if self._step != "orders" or status not in LIVE:
            return
        if mine is not None:
            self._open.add(mine.order_id)
        elif inst >= 0:
            side = 1 if order.action == "BUY" else -1
            size = order.totalQuantity
            self._others[order.permId] = (inst, side, self._executions.lots_of(inst, size))

    def other_status(self, perm_id: int, remaining: float) -> None:
        """What is left of another's order."""
        known = self._others.get(perm_id)
        if known is not None:
            inst, side, _ = known
            self._others[perm_id] = (inst, side, self._executions.lots_of(inst, remaining))

    def orders_end(self) -> None:
        """All open orders were told."""
        if self._step == "orders":
            self._request = self._link.client.getReqId()
            number, mine = self._request, ExecutionFilter(acctCode=self._account)
            self._go("executions", lambda: self._link.client.reqExecutions(number, mine))

    def executions_end(self, request: int) -> None:
        """All executions were told."""
        if self._step != "executions" or request != self._request:
            return
        if ALL in self._asked:
            self._looks = 0
            self._ask_positions()
        else:
            self._finish()

    def position(self, account: str, con_id: int, size: float, cost: float) -> None:
        """What the account holds of a contract."""
        if self._step == "positions" and (not self._account or account == self._account):
            self._held[con_id], self._costs[con_id] = size, cost

    def positions_end(self) -> None:
        """All positions were told. They are asked for again if something was executed since."""
        if self._step != "positions":
            return
        self._link.send(Rank.DATA, "positions", self._link.client.cancelPositions)
        if self._executions.count != self._count and self._looks < MOST_LOOKS:
            self._ask_positions()
        else:
            self._finish()

    def _ask_positions(self) -> None:
        self._held.clear()
        self._count = self._executions.count
        self._looks += 1
        self._go("positions", self._link.client.reqPositions)

    def _go(self, step: str, send: Callable[[], None]) -> None:
        self._step = step
        self._link.send(Rank.QUERY, ASK, send)

    # What is told.

    def _finish(self) -> None:
        if self._opened is not None:
            self._open_account(self._opened)
        else:
            self._tell_all()
        self._asked.clear()
        self._step, self._deadline = "", NEVER

    def _tell_all(self) -> None:
        everything = ALL in self._asked
        wanted = {
            order.order_id
            for order in self._orders
            if (order.order_id in self._open if order.ended else everything)
        }
        for order_id in sorted(wanted | self._asked - {ALL}):
            self._tell(order_id, order_id in self._asked)
        if everything:
            self._tell_others()
            for inst in range(self._instruments):
                lots = self._executions.position(inst, self._held)
                self._out.put(int(MsgKind.POSITION), inst=inst, lots=lots)
            self._out.session(Session.RESYNCED)
            self.done += 1

    def _open_account(self, opened: Callable[[Opening], None]) -> None:
        known = self._executions.before_opening or set()
        self._executions.before_opening, self._opened = None, None
        price = self._executions.price_of_held
        opened(Opening({c: (s, price(c, self._costs[c])) for c, s in self._held.items() if s},
                       known))  # fmt: skip

    def _tell(self, order_id: int, asked: bool) -> None:
        mine = self._orders.get(order_id)
        if order_id in self._open and mine is not None:
            filled = mine.ended and mine.executed_lots >= mine.lots
            self._orders.found(mine, is_open=not filled)
        elif mine is None and order_id in self._executions.of_orders:
            inst = self._executions.of_orders[order_id]
            self._out.order(OrderEvent.FOUND_CLOSED, order_id, inst)
        elif mine is None or not self._is_known(mine):
            if asked:
                self._not_found(order_id, mine)
        elif asked or mine.sent_ts <= self._began:
            self._orders.found(mine, is_open=False)

    def _is_known(self, mine: Tracked) -> bool:
        """Whether the broker has ever said something of an order."""
        return mine.acknowledged or mine.ended or bool(mine.executed) or mine.perm_id > 0

    def _not_found(self, order_id: int, mine: Tracked | None) -> None:
        """It may still be on its way; one that waits here for its turn does not leave any more."""
        self._link.pacer.drop((int(ActionKind.PLACE), order_id))
        inst = 0 if mine is None else mine.inst
        side = 0 if mine is None else mine.side
        why = int(Reason.UNKNOWN_ORDER)
        self._out.order(OrderEvent.NOT_FOUND, order_id, inst, side=side, reason=why)

    def _tell_others(self) -> None:
        """How much others have working: what is gone is told too."""
        now: dict[tuple[int, int], int] = {}
        for inst, side, lots in self._others.values():
            now[inst, side] = now.get((inst, side), 0) + lots
        for key in self._external.keys() | now.keys():
            if now.get(key, 0) != self._external.get(key, 0):
                inst, side = key
                lots = now.get(key, 0)
                self._out.put(int(MsgKind.EXTERNAL), inst=inst, side=side, lots=lots)
        self._external = now
