"""Where each message of the wire goes, and what its codes do to the link."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from mmquant.brokers.ibkr_errors import FARM_OK, TICK_SIZE, Says, says
from mmquant.brokers.ibkr_executions import Executions
from mmquant.brokers.ibkr_feed import Feed
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_orders import Orders, Tracked
from mmquant.brokers.ibkr_reconcile import Truth
from mmquant.brokers.ibkr_rows import Outbox
from mmquant.brokers.ibkr_streams import Streams
from mmquant.core.dtypes import NEVER, Session

SHORT_NS = 1_000_000_000
"""An order that is filled by its status, and not by its executions, is asked after so much later.
"""
log = logging.getLogger(__name__)


class Router:
    """One method for each tapped message, under its name in ib_async."""

    def __init__(
        self,
        link: Link,
        outbox: Outbox,
        orders: Orders,
        executions: Executions,
        truth: Truth,
        feed: Feed,
        streams: Streams,
    ) -> None:
        self._link, self._out, self._orders, self._executions = link, outbox, orders, executions
        self._truth, self._feed, self._streams = truth, feed, streams
        self.up = self._began = False
        self._cut_off = 0
        self.listeners: list[Callable[[str, tuple[Any, ...]], None]] = []
        self.lost_messages: list[str] = []
        self.skew_s: float | None = None
        """The broker's clock less ours, to a second, when last asked for."""
        self.ticks_differ: set[int] = set()
        """Instruments whose prices were refused as off the grid."""
        self._short: dict[int, tuple[int, int]] = {}

    def tap(self, name: str) -> Callable[..., None]:
        """The tap of a method of ib_async's wrapper; some are there for listeners alone."""
        method = getattr(self, name, _nothing)

        def heard(*args: Any) -> None:
            for listener in self.listeners:
                listener(name, args)
            method(*args)

        return heard

    def is_up(self) -> bool:
        """Whether what is sent can reach IBKR."""
        return self.up

    @property
    def outage(self) -> bool:
        """Whether TWS said, over this connection, that it is cut off from IBKR."""
        return self._cut_off == self._link.attempts

    def begin(self) -> None:
        """The contracts are known: from now on the link is the local half's."""
        self._began = True

    def lost_message(self, what: str) -> None:
        """Something that must be known was said and not understood: all is asked for, once."""
        log.error("not understood: %s", what)
        if what not in self.lost_messages:
            self.lost_messages.append(what)
            if self.up:
                self._out.session(Session.UP)

    def step(self, now: int) -> None:
        """What is due: the link's going and coming, and orders whose executions are missing."""
        if self.up and not self._link.is_up:
            self._go_down()
        if self._began and self._link.is_up and not self.up and not self.outage:
            self._come_up(data_lost=True)
        for order_id in self._orders.doubts:
            self._truth.ask(order_id)
        self._orders.doubts.clear()
        for order_id, (due, pause) in list(self._short.items()):
            mine = self._orders.get(order_id)
            if mine is None or mine.filled <= mine.executed_lots:
                del self._short[order_id]
            elif now >= due:
                self._truth.ask(order_id)
                self._short[order_id] = (now + 2 * pause, 2 * pause)

    def next_ts(self) -> int:
        """When something is due. [ns]"""
        if self._orders.doubts or (self._began and self._link.is_up and not self.up
                                   and not self.outage):  # fmt: skip
            return 0
        return min((due for due, _ in self._short.values()), default=NEVER)

    def _go_down(self) -> None:
        self._truth.forget()
        self._link.pacer.clear()
        if self.up:
            self.up = False
            self._out.session(Session.DOWN)

    def _come_up(self, *, data_lost: bool) -> None:
        if data_lost:
            self._streams.restart()
        else:
            for inst in range(len(self._feed.cells)):
                self._feed.wait_for(inst)
        self.up = True
        self._out.session(Session.UP)

    # Messages.

    def connectionClosed(self) -> None:
        """The socket is gone: requests of contracts fail, the rest is asked for again."""
        wrapper = self._link.ib.wrapper
        error = ConnectionError("the socket is gone")
        for future in wrapper._futures.values():
            if not future.done():
                future.set_exception(error)
        wrapper.reset()
        self._link.lost("the socket is gone")
        self._go_down()

    def openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        """The broker's copy of an order."""
        self._link.client.updateReqId(order_id + 1)
        if order.whatIf:
            return
        inst = self._executions.by_contract.get(contract.conId, -1)
        known = self._orders.find(order.orderRef, order.permId, 0)
        if known is not None and contract.secType == "BAG":
            inst = known.inst
        own_id = order.clientId == self._link.client_id
        mine = self._orders.open_order(inst, order, own_id, state.status)
        self._truth.open_order(mine, inst, order, state.status)

    def openOrderEnd(self) -> None:
        """All open orders were told."""
        self._truth.orders_end()

    def orderStatus(
        self, order_id: int, status: str, filled: float, remaining: float, average: float,
        perm_id: int, parent_id: int, last_price: float, client_id: int, why_held: str,
        cap_price: float = 0.0,
    ) -> None:  # fmt: skip
        """How far an order has come."""
        ib_id = order_id if client_id == self._link.client_id else 0
        mine = self._orders.find("", perm_id, ib_id)
        if mine is None:
            self._truth.other_status(perm_id, remaining)
            return
        self._orders.order_status(mine, status, filled, perm_id, why_held)
        if mine.filled > mine.executed_lots and mine.order_id not in self._short:
            self._short[mine.order_id] = (self._link.clock.now() + SHORT_NS, SHORT_NS)

    def execDetails(self, req_id: int, contract: Any, execution: Any) -> None:
        """An execution, live or as an answer."""
        self._executions.details(contract, execution)

    def execDetailsEnd(self, req_id: int) -> None:
        """All executions were told."""
        self._truth.executions_end(req_id)

    def commissionReport(self, report: Any) -> None:
        """What an execution cost."""
        self._executions.commission(report)

    def position(self, account: str, contract: Any, size: float, cost: float) -> None:
        """What an account holds of a contract."""
        self._truth.position(account, contract.conId, size, cost)

    def positionEnd(self) -> None:
        """All positions were told."""
        self._truth.positions_end()

    def currentTime(self, seconds: int) -> None:
        """The broker's time."""
        self.skew_s = seconds - time.time()

    def error(self, req_id: int, code: int, text: str, json: str = "") -> None:
        """A code: of an order, of a stream, of a question about contracts, or of the link."""
        wrapper = self._link.ib.wrapper
        mine = self._orders.of_ib(req_id) if req_id > 0 else None
        line = self._feed.lines.get(req_id)
        what = says(code)
        log.log(
            logging.INFO if what in (Says.INFORMATION, Says.ENDED) else logging.WARNING,
            "%s of %s: %s", code, req_id, text,
        )  # fmt: skip
        if what is Says.TOO_FAST:
            self._link.pacer.slow_down(self._link.clock.now())
        elif mine is not None:
            self._order_error(mine, code, text)
        elif line is not None:
            self._line_error(req_id, line, what)
        elif req_id in wrapper._futures:
            if what is not Says.INFORMATION:
                wrapper._endReq(req_id)
        else:
            self._link_error(code, what, text)

    def _order_error(self, mine: Tracked, code: int, text: str) -> None:
        if code == TICK_SIZE:
            self.ticks_differ.add(mine.inst)
            self._feed.not_live(mine.inst)
        self._orders.error(mine, code, text)

    def _line_error(self, req_id: int, line: tuple[int, str], what: Says) -> None:
        inst, stream = line
        if what is Says.TOO_MANY_LINES:
            self._streams.refused(req_id)
        elif what in (Says.NO_LIVE_DATA, Says.REFUSED):
            self._feed.not_live(inst)
        elif what is Says.COMPETING_SESSION:
            self._feed.wait_for(inst)
        elif what is Says.DATA_LOST:
            self._feed.lose(inst, stream)
        elif what is Says.BOOK_RESET:
            self._feed.reset(inst)

    def _link_error(self, code: int, what: Says, text: str) -> None:
        if what is Says.LINK_LOST:
            self._cut_off = self._link.attempts
            self._go_down()
        elif what in (Says.LINK_BACK, Says.LINK_BACK_WITHOUT_DATA):
            self._cut_off = 0
            if self._began and not self.up and self._link.is_up:
                self._come_up(data_lost=what is Says.LINK_BACK_WITHOUT_DATA)
        elif what is Says.FARM_DOWN or code in FARM_OK:
            self._feed.farm(text.rstrip(":").rpartition(":")[2], what is Says.FARM_DOWN)
        elif what in (Says.NO_LIVE_DATA, Says.COMPETING_SESSION):
            tell = self._feed.not_live if what is Says.NO_LIVE_DATA else self._feed.wait_for
            for inst in range(len(self._feed.cells)):
                tell(inst)
        elif what is Says.CLIENT_ID_IN_USE:
            self._link.id_in_use(text)
        elif what is Says.SOCKET_GONE:
            self._link.drop(text)
            self._go_down()

    def marketDataType(self, req_id: int, kind: int) -> None:
        """Whether the data of a line are live."""
        self._feed.data_type(req_id, kind)

    def priceSizeTick(self, req_id: int, kind: int, price: float, size: float) -> None:
        """A price of a line, with its size."""
        self._feed.quote(req_id, kind, price, size)

    def tickSize(self, req_id: int, kind: int, size: float) -> None:
        """A size of a line."""
        self._feed.quote_size(req_id, kind, size)

    def tickGeneric(self, req_id: int, kind: int, value: float) -> None:
        """A number of a line."""
        self._feed.generic(req_id, kind, value)

    def tickOptionComputation(self, req_id: int, kind: int, basis: int, *values: float) -> None:
        """Implied volatility, delta, price, dividends, gamma, vega, theta and underlying price."""
        self._feed.computation(req_id, kind, values)

    def updateMktDepth(
        self, req_id: int, at: int, what: int, side: int, price: float, size: float
    ) -> None:
        """One operation on the book of one exchange."""
        self._feed.depth(req_id, at, what, side, price, size)

    def updateMktDepthL2(
        self, req_id: int, at: int, maker: str, what: int, side: int, price: float, size: float,
        smart: bool = False,
    ) -> None:  # fmt: skip
        """One operation on a book that names who quotes."""
        self._feed.depth(req_id, at, what, side, price, size)

    def tickByTickAllLast(
        self, req_id: int, kind: int, seconds: int, price: float, size: float, attributes: Any,
        exchange: str, conditions: str,
    ) -> None:  # fmt: skip
        """One trade."""
        self._feed.print_of(req_id, seconds, price, size)


def _nothing(*args: Any) -> None:
    pass
