"""The connection: its loop, its pump, and its coming back.

``wait`` sleeps until something was received, and misses nothing that came while nobody waited,
which ib_async's own ``waitOnUpdate`` does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Any

from ib_async import IB

from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_pacer import Pacer, Rank
from mmquant.core.dtypes import NEVER
from mmquant.errors import MMQuantError, UsageError

HELLO_MESSAGES = 3
"""Messages of a new connection that leave outside of the pacer."""
FIRST_RETRY_NS, LAST_RETRY_NS = 250_000_000, 8_000_000_000
QUIET_NS = 5_000_000_000
"""After so long without a byte the broker is asked for the time."""
DEAD_NS = 12_000_000_000
"""After so long the connection is given up."""
START = "start TWS or IB Gateway (or mmquant gateway), and allow API connections there"
OTHER_ID = "end the program that has this client number, or take another one (ibkr.client_id)"
log = logging.getLogger(__name__)


class Link:
    """One connection to TWS or its gateway, made again when it is lost."""

    def __init__(
        self, ib: IB, clock: Clock, *, host: str, port: int, client_id: int, timeout_s: float = 4.0
    ) -> None:
        self.ib, self.client, self.clock, self.pacer = ib, ib.client, clock, Pacer()
        self.client.MaxRequests = 0  # The pacer is ours.
        self.is_up, self.why_down, self._fix = False, "", START
        self.attempts = 1
        """How often a connection was tried, and one more."""
        self._where = (host, port, client_id, timeout_s)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._received = False
        self._waiter: asyncio.Future[None] | None = None
        self._connecting: asyncio.Task[bool] | None = None
        self._retry_ts, self._pause = NEVER, FIRST_RETRY_NS
        self._heard_ts = self._asked_ts = self._next_number = 0
        ib.updateEvent += self.wake

    @property
    def client_id(self) -> int:
        """The number that tells our orders from those of others."""
        return self._where[2]

    def open(self) -> None:
        """Connect for the first time.

        Raises
        ------
        MMQuantError
            where there is nobody, or we are not let in.
        UsageError
            inside a loop that runs already.
        """
        host, port, _, _ = self._where
        if not self.run(self._connect()):
            raise MMQuantError(
                f"no connection to {host}:{port}" + (f": {self.why_down}" if self.why_down else ""),
                fix=self._fix,
            )

    def id_in_use(self, text: str) -> None:
        """Another program is connected under our number."""
        self.why_down, self._fix = text, OTHER_ID

    def run(self, awaitable: Any) -> Any:
        """Run a coroutine to its end."""
        try:
            return self._its_loop().run_until_complete(awaitable)
        except RuntimeError as error:
            awaitable.close()
            if "already running" not in str(error):
                raise
            raise UsageError(
                "an event loop is running already",
                fix="in a notebook call ib_async.util.startLoop() first",
            ) from None

    def reconnect(self, now: int) -> None:
        """Try again when it is time; never raises."""
        if self._connecting is not None:
            if self._connecting.done():
                self._connecting = None
                if not self.is_up:
                    self._retry_ts = now + self._pause
                    self._pause = min(2 * self._pause, LAST_RETRY_NS)
        elif not self.is_up and now >= self._retry_ts:
            self._connecting = self._its_loop().create_task(self._connect())

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._next_number = max(self._next_number, self.client._reqIdSeq)
        self.is_up, self.why_down = False, why
        self.pacer.clear()
        self._retry_ts = self.clock.now() + self._pause
        self.wake()

    def drop(self, why: str) -> None:
        """Give the connection up."""
        if self.is_up:
            self.lost(why)
            self.client.disconnect()

    def close(self) -> None:
        """End it for good."""
        self._retry_ts = NEVER
        if self._connecting is not None:
            self._connecting.cancel()
        self.is_up = False
        if self.client.conn.isConnected():
            self.client.disconnect()
            self.run(asyncio.sleep(0))

    def go_on_numbering(self) -> None:
        """No number is used twice: the broker knows nothing of orders that did not reach it."""
        self.client.updateReqId(self._next_number)

    def beat(self, now: int) -> None:
        """Ask a silent broker for the time, and give up one that says nothing at all."""
        if not self.is_up:
            return
        silent = now - self._heard_ts
        if silent > DEAD_NS:
            self.drop("nothing was heard for long")
        elif silent > QUIET_NS and now - self._asked_ts > QUIET_NS:
            self._asked_ts = now
            self.pacer.put(Rank.DATA, "time", self.client.reqCurrentTime)

    def next_ts(self) -> int:
        """When the link itself has something to do. [ns]"""
        if not self.is_up:
            return self._retry_ts if self._connecting is None else NEVER
        return min(self.pacer.next_ts(), max(self._heard_ts, self._asked_ts) + QUIET_NS + 1)

    def send(self, rank: Rank, key: Hashable, send: Callable[[], None]) -> None:
        """Let a message leave in its turn; nothing is kept for a link that is down."""
        if self.is_up:
            self.pacer.put(rank, key, send)

    def flush(self, now: int) -> None:
        """Let all leave whose turn has come."""
        if not self.is_up or not len(self.pacer):
            return
        try:
            self.pacer.flush(now)
        except ConnectionError as error:
            self.lost(str(error))

    def wake(self, *_: Any) -> None:
        """Something was received."""
        self._received = True
        self._heard_ts = self.clock.now()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def poll(self) -> None:
        """Let the loop do what it can without waiting."""
        self.run(asyncio.sleep(0))

    def wait(self, until: int) -> None:
        """Wait until something is received, at the latest until a time of the clock."""
        if self._received:
            self._received = False
            return
        loop = self._its_loop()
        self._waiter = loop.create_future()
        left = max(until - self.clock.now(), 0) / 1e9
        timer = loop.call_later(min(left, 1.0), self._time_is_up, self._waiter)
        try:
            self.run(_value_of(self._waiter))
        finally:
            timer.cancel()
            self._waiter, self._received = None, False

    @staticmethod
    def _time_is_up(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    def _its_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            from ib_async.util import getLoop

            self._loop = getLoop()
        return self._loop

    async def _connect(self) -> bool:
        host, port, client_id, timeout_s = self._where
        self.attempts += 1
        self.ib.wrapper.clientId = client_id
        try:
            await self.client.connectAsync(host, port, client_id, timeout_s)
        except (OSError, TimeoutError) as error:
            self.why_down = self.why_down or repr(error)
            log.warning("no connection to %s:%s: %r", host, port, error)
            return False
        self.go_on_numbering()
        now = self.clock.now()
        for _ in range(HELLO_MESSAGES):
            self.pacer.note(now)
        self.is_up, self.why_down = True, ""
        self._pause, self._heard_ts = FIRST_RETRY_NS, now
        self.wake()
        return True


async def _value_of(waiter: asyncio.Future[None]) -> None:
    await waiter
