"""The gateway: a simulated exchange behind the TWS protocol, in one thread of asyncio."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

import numpy as np

from mmquant.errors import UsageError
from mmquant.gateway import declined
from mmquant.gateway.account_desk import AccountDesk
from mmquant.gateway.accounts import Accounts
from mmquant.gateway.basics import BasicDesk
from mmquant.gateway.clock import eastern
from mmquant.gateway.faults import Faults, WirePlan
from mmquant.gateway.floor import Floor
from mmquant.gateway.history import History
from mmquant.gateway.listen import listen
from mmquant.gateway.listings import ReferenceDesk
from mmquant.gateway.market import Market
from mmquant.gateway.orders import OrderDesk
from mmquant.gateway.quotes import QuoteDesk
from mmquant.gateway.reference import Reference
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields, WireError

log = logging.getLogger(__name__)
MAX_CLIENTS = 32
GREETING_S = 10.0
"""A connection that has not started its API by then is closed. [s]"""
PATIENCE_S = 10.0
"""How long the market at full speed waits for a client that does not read. [s]"""
SLICE_NS = 20_000_000
"""How far the market runs at full speed before the clients are served."""


@dataclass(frozen=True)
class GatewaySettings:
    """What a gateway is asked for. ``messages_per_s`` 0 means no limit.

    ``speed``: ``1x`` by the wall clock, ``max`` as fast as clients take it, ``step`` only when
    ``Gateway.advance`` is called. ``quirks`` is the seed of what differs from order to order at
    Interactive Brokers (order of messages, repeated statuses, late commissions); None: nothing.
    """

    speed: str = "1x"
    account: str = "DU1234567"
    cash: float = 1_000_000.0
    plan: str = "ibkr_tiered"
    messages_per_s: int = 50
    lines: int = 100
    quirks: int | None = 1
    master_client: int | None = None
    depth_books: int = 3
    faults: WirePlan = field(default_factory=WirePlan)
    reuse_s: float = 0.5

    def __post_init__(self) -> None:
        if self.speed not in ("1x", "max", "step"):
            raise UsageError(f"speed is {self.speed!r}", fix="use 1x or max")


class Gateway:
    """All clients and desks around one exchange."""

    def __init__(self, market: Market, settings: GatewaySettings | None = None) -> None:
        self.settings = settings or GatewaySettings()
        self.sessions: set[Session] = set()
        self.dirty: set[Session] = set()
        self.pace_violations = 0
        self.internal_errors = 0
        self.reference = Reference(market.contracts, market.date)
        self.market = market
        self.floor = Floor(market, self._publish, lambda row: self.orders.venue.on_answer(row))
        self.faults = Faults(self.settings.faults, self)
        self.accounts = Accounts(self)
        self.account_desk = AccountDesk(self)
        self.history = History(self)
        self.quotes = QuoteDesk(self)
        self.orders = OrderDesk(self)
        self._handlers: dict[int, Handler] = declined.handlers()
        desks = (BasicDesk(self), ReferenceDesk(self), self.account_desk, self.history, self.quotes)
        for desk in (*desks, self.orders):
            self._handlers |= desk.handlers()
        self._server: asyncio.Server | None = None
        self._origin_ns = market.start_ns
        self._monotonic = time.monotonic_ns()
        self._by_wall = self.settings.speed == "1x"
        self._timer: asyncio.TimerHandle | None = None
        self._runner: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.failed = asyncio.Event()
        self.floor.advance(market.start_ns)
        self.faults.begin()

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None, "start the gateway first"
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, port: int = 0, host: str = "127.0.0.1", *, public: bool = False) -> None:
        """Listen. Raises UsageError for an address that is taken, or open to others unasked."""
        self._server = await listen(lambda: Session(self), host, port, public=public)
        self._monotonic = time.monotonic_ns()
        self._origin_ns = self.floor.now
        if self._by_wall:
            self._tick()
        elif self.settings.speed == "max":
            self._runner = asyncio.create_task(self._race())

    async def stop(self) -> None:
        """Send all clients away and listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._runner is not None:
            self._runner.cancel()
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.abort()
        await asyncio.sleep(0)

    def now(self) -> int:
        """The market's time. [ns since the epoch]"""
        if not self._by_wall:
            return self.floor.now
        passed = time.monotonic_ns() - self._monotonic
        return max(self.floor.now, self._origin_ns + passed)

    def advance(self, until: int) -> None:
        """Let the market live up to a time, and send what it brings."""
        self.floor.advance(until)
        self.flush()

    def flush(self) -> None:
        """Hand over all messages that are queued."""
        while self.dirty:
            self.dirty.pop().flush()

    def resumed(self) -> None:
        """A client reads again."""
        self._wake.set()

    def clock_text(self) -> str:
        """The time as the handshake has it."""
        return eastern(self.now()).strftime("%Y%m%d %H:%M:%S EST")

    def clients(self) -> list[Session]:
        """Sessions that have started, in order of their ids."""
        started = [one for one in self.sessions if one.started]
        return sorted(started, key=lambda one: one.client_id or 0)

    def opened(self, session: Session) -> None:
        """A connection is there; too many are sent away."""
        if len(self.sessions) >= 2 * MAX_CLIENTS:
            session.abort()
            return
        self.sessions.add(session)
        loop = asyncio.get_running_loop()
        session.patience = loop.call_later(GREETING_S, session.abort)

    def started(self, session: Session, waited: float = 0.0) -> None:
        """A client has started its API: greet it, or send it away.

        A connection that was just left takes a moment to end: its id is free ``reuse_s`` later.
        """
        others = [one for one in self.clients() if one is not session and one.greeted]
        if any(one.client_id == session.client_id for one in others):
            if waited < self.settings.reuse_s:
                self._ask_again(session, waited)
                return
            session.error(-1, 326, "Unable to connect as the client id is already in use")
            session.close()
            return
        if len(others) >= MAX_CLIENTS:
            session.error(-1, 507, f"No more than {MAX_CLIENTS} clients can be connected")
            session.close()
            return
        session.begin()
        if self.settings.quirks is not None:
            self.orders.reports.tell_recovered(session)
        session.send(15, 1, self.settings.account)
        session.send(9, 1, self.orders.next_id(session.client_id or 0))
        self.faults.say_farms(session)
        session.serve_early()
        self._wake.set()

    def _ask_again(self, session: Session, waited: float) -> None:
        wait = min(0.02, self.settings.reuse_s)

        def again() -> None:
            if session.open:
                session.hold(False)
                self.started(session, waited + wait)
                self.flush()

        session.hold(True)
        asyncio.get_running_loop().call_later(wait, again)

    def closed(self, session: Session) -> None:
        """A client is gone; its orders stay."""
        if session.patience is not None:
            session.patience.cancel()
        self.sessions.discard(session)
        self.dirty.discard(session)
        self.quotes.forget(session)
        self.account_desk.forget(session)
        self.history.forget(session)

    def serve(self, session: Session, kind: int, fields: Fields) -> None:
        """Answer one request at the market's time of its arrival."""
        handler = self._handlers.get(kind)
        if handler is None:
            session.error(-1, 505, f"Fatal Error: Unknown message id {kind}")
            return
        if self._by_wall:
            self.floor.advance(self.now())
        self.faults.incoming(session, kind, lambda: self._serve(session, kind, handler, fields))

    def _serve(self, session: Session, kind: int, handler: Handler, fields: Fields) -> None:
        try:
            handler(session, fields)
        except WireError:
            raise
        except Exception:
            self.internal_errors += 1
            log.exception("request %s of client %s failed", kind, session.client_id)
            session.error(-1, 322, f"Error processing request {kind}: internal error")

    def _tick(self) -> None:
        """Bring the market up to now, and come back when something is due."""
        if not self._advance_safely(self.now()):
            return
        due = self.floor.next_due() - self.now()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(max(due / 1e9, 0.0002), 0.05), self._tick)

    async def _race(self) -> None:
        """Run the market as fast as all clients read; without one it stands still.

        Behind its last row time goes by the wall clock: what is told every second would else be
        told without end.
        """
        while True:
            if not any(one.started for one in self.sessions):
                self._wake.clear()
                await self._wake.wait()
            await self._until_read()
            if self.floor.ended:
                self._by_wall, self._origin_ns = True, self.floor.now
                self._monotonic = time.monotonic_ns()
                self._tick()
                return
            due = max(self.floor.next_due(), self.floor.now)
            if not self._advance_safely(min(due + SLICE_NS, 2**62)):
                return
            await asyncio.sleep(0)

    def _advance_safely(self, until: int) -> bool:
        """Advance; where the market fails, send all clients away and listen no more."""
        try:
            self.advance(until)
        except Exception:
            log.exception("the market failed: the gateway closes")
            self.failed.set()
            for session in list(self.sessions):
                session.abort()
            if self._server is not None:
                self._server.close()
            return False
        return True

    async def _until_read(self) -> None:
        """Wait for clients that are behind; one that does not read at all is sent away."""
        end = time.monotonic() + PATIENCE_S
        while slow := [one for one in self.sessions if one.paused and one.open]:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), end - time.monotonic())
            except TimeoutError:
                for one in slow:
                    log.warning("client %s does not read: disconnected", one.client_id)
                    one.abort()

    def _publish(self, rows: np.ndarray) -> None:
        self.history.note(rows)
        self.quotes.publish(rows)
