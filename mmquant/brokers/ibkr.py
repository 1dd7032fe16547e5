"""Interactive Brokers, or the local gateway that speaks like it, as a broker of the live loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ib_async import IB

from mmquant.brokers import ibkr_taps
from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_contracts import Leg, Traded
from mmquant.brokers.ibkr_executions import Executions, Opening
from mmquant.brokers.ibkr_feed import DEPTH, QUOTES, TRADES, Feed
from mmquant.brokers.ibkr_finder import Finder
from mmquant.brokers.ibkr_lines import Budget, Planner
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_orders import Identity, Orders
from mmquant.brokers.ibkr_reconcile import Truth
from mmquant.brokers.ibkr_requests import Requests
from mmquant.brokers.ibkr_router import Router
from mmquant.brokers.ibkr_rows import Grid, Outbox
from mmquant.brokers.ibkr_streams import Streams
from mmquant.data.contracts import Contract
from mmquant.errors import MMQuantError, UsageError

DEPTH_ROWS = 10
WAIT_NS, MOST_WAITS = 50_000_000, 2_000


class IBKRBroker:
    """Trades a list of contracts through one connection; see `mmquant.trading.ports.Broker`.

    Orders are marked with ``run``: the orders of a run are known again after a restart, whatever
    else the account does. ``opening`` is the file in which the run keeps what the account held when
    it began; without it each start is a beginning.

    Parameters
    ----------
    contracts : instruments by their numbers; ``venue`` is SMART or IBKR's name of an exchange.
    date : ISO date whose tick ladders hold.
    account : IBKR's name of the account; may be empty where there is one.
    depth : instruments whose whole book is subscribed to; the others have their best prices.
    trades : instruments whose trades come one by one.
    legs : of instruments that are combinations, their legs.
    """

    def __init__(
        self,
        contracts: Sequence[Contract],
        *,
        date: str,
        run: str,
        host: str = "127.0.0.1",
        port: int = 4002,
        client_id: int = 1,
        account: str = "",
        depth: Collection[int] = (),
        trades: Collection[int] = (),
        legs: Mapping[int, Sequence[Leg]] | None = None,
        opening: Path | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
        ib: IB | None = None,
    ) -> None:
        if not run or not run.isprintable() or len(run) > 40:
            raise UsageError(f"{run!r} names no run", fix="give up to 40 printable characters")
        self.contracts, self.date, self.account = list(contracts), date, account
        self.ib, self.clock = ib or IB(), clock or Clock()
        self.link = Link(self.ib, self.clock, host=host, port=port, client_id=client_id)
        self._out = Outbox(self.clock)
        self._grids = [Grid(contract, date) for contract in self.contracts]
        rows = [DEPTH_ROWS if i in depth else 0 for i in range(len(self.contracts))]
        self.feed = Feed(self._out, self._grids, rows)
        self.orders = Orders(self._out, self._grids, Identity(run))
        self.executions = Executions(
            self._out, self.orders, self._grids, self.contracts, self.feed.mid, client_id
        )
        self.truth = Truth(
            self.link, self._out, self.orders, self.executions, len(self.contracts), account
        )
        self.traded: list[Traded | None] = [None] * len(self.contracts)
        self.requests = Requests(self.link, self.clock, self.orders, self._grids, self.traded)
        self.requests.account = account
        wanted = [(i, DEPTH) for i in sorted(depth)] + [(i, TRADES) for i in sorted(trades)]
        steady = [(i, QUOTES) for i in sorted({*depth, *trades})]
        rest = [(i, QUOTES) for i in range(len(rows)) if (i, QUOTES) not in steady]
        planner = Planner([*wanted, *steady, *rest], {*wanted, *steady}, budget or Budget())
        self.streams = Streams(self.link, self.feed, planner, self.traded, DEPTH_ROWS)
        self.router = Router(
            self.link, self._out, self.orders, self.executions, self.truth, self.feed, self.streams
        )
        ibkr_taps.install(self.ib, self.router.tap, self.router.lost_message)
        self.finder = Finder(self.link, self.contracts, date, legs or {})
        self._opening = opening
        self._closed, self._start_ts = False, 0

    def open(self) -> None:
        """Connect, find the contracts, check their ticks, and begin to listen.

        Raises
        ------
        MMQuantError
            where there is no connection.
        DataError
            where IBKR does not know a contract, or has other ticks for it.
        """
        self.link.open()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        accounts = self.ib.client.getAccounts()
        if not self.account and len(accounts) == 1:
            self.account = self.requests.account = accounts[0]
        elif self.account not in accounts:
            raise UsageError(
                f"account {self.account!r} is not one of {', '.join(accounts)}",
                fix="name the account to trade",
            )
        self.traded[:] = self.finder.find()
        for inst, traded in enumerate(self.traded):
            if traded is not None and traded.ib.secType == "BAG":
                legs = {leg.conId: leg.ratio * (1 if leg.action == "BUY" else -1)
                        for leg in traded.ib.comboLegs}  # fmt: skip
                self.executions.combos[inst] = legs
            elif traded is not None:
                self.executions.by_contract[traded.ib.conId] = inst
        kept = None if self._opening is None else Opening.load(self._opening)
        if kept is None:
            kept = self._holdings()
            if self._opening is not None:
                kept.save(self._opening)
        self._start_ts = self.clock.stamp()
        self.executions.open_with(kept)
        self.requests.allowed = self.router.is_up
        self.router.begin()

    def close(self) -> None:
        """Hang up. Orders that work go on working: cancel them first."""
        self._closed = True
        self.link.close()

    def listen(self, heard: Callable[[str, tuple[Any, ...]], None]) -> None:
        """Let ``heard(name, arguments)`` be called with every message as it comes."""
        self.router.listeners.append(heard)

    @property
    def start_ts(self) -> int:
        """When it was opened. [ns]"""
        return self._start_ts

    def next_message(self, until: int) -> np.ndarray | None:
        """The next messages received by ``until``, waited for, or None once that time is reached.

        Raises nothing where the link is lost: that is a message too.
        """
        while True:
            now = self.clock.now()
            self._work(now)
            rows = self._out.take()
            if rows is not None or now >= until or self._closed:
                return rows
            self.link.wait(min(until, self._next_ts()))

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send the first ``n`` actions: what may leave now does, the rest in its turn."""
        for i in range(n):
            query = self.requests.take(actions[i], ts)
            if query is not None:
                self.truth.ask(query)
        now = self.clock.now()
        self.truth.step(now)
        self.link.flush(now)

    def cancel_account(self, ts: int) -> None:
        """Cancel all orders of the account, those of other programs and people too."""
        self.requests.cancel_account()
        self.link.flush(self.clock.now())

    def more_after(self, ts: int) -> bool:
        """Whether anything can still come: until it is closed."""
        return not self._closed

    def _work(self, now: int) -> None:
        """All that is due whatever the wire says."""
        self.link.reconnect(now)
        self.link.beat(now)
        self.router.step(now)
        self.feed.settle(now)
        if self.router.up:
            self.truth.step(now)
            self.streams.step(now, self.requests.hot)
        self.link.flush(now)

    def _next_ts(self) -> int:
        due = [self.link.next_ts(), self.feed.next_ts(), self.router.next_ts()]
        if self.router.up:
            due += [self.truth.next_ts(), self.streams.next_ts()]
        return min(due)

    def _holdings(self) -> Opening:
        """What the account holds now. Raises MMQuantError where the broker does not tell it all."""
        found: list[Opening] = []
        self.truth.ask_holdings(found.append)
        for _ in range(MOST_WAITS):
            now = self.clock.now()
            self.truth.step(now)
            self.link.flush(now)
            if found:
                return found[0]
            if not self.link.is_up or not self.truth.asks:
                break
            self.link.wait(now + WAIT_NS)
        raise MMQuantError(
            "the broker did not tell what the account holds",
            fix="try again; in TWS, see that the API is not read-only",
        )
