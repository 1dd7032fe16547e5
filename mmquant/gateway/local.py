"""A gateway in a thread of its own, for tests and notebooks: start it, connect to its port."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from types import TracebackType
from typing import TypeVar

from mmquant.gateway.market import Market, SyntheticMarket
from mmquant.gateway.server import Gateway, GatewaySettings

T = TypeVar("T")
START_S = 60.0


class LocalGateway:
    """``with LocalGateway() as gateway: ib.connect("127.0.0.1", gateway.port)``.

    Parameters
    ----------
    market : what is traded; by default the seeded market from now on.
    settings : speed, account, limits and faults.
    """

    def __init__(
        self, market: Market | None = None, settings: GatewaySettings | None = None
    ) -> None:
        self.gateway = Gateway(market or SyntheticMarket(7, time.time_ns()), settings)
        self.loop = asyncio.new_event_loop()
        self._ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self.port = 0

    def __enter__(self) -> LocalGateway:
        self._thread.start()
        self.port = self._ready.result(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        asyncio.run_coroutine_threadsafe(self.gateway.stop(), self.loop).result(START_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(START_S)
        self.loop.close()

    def advance(self, ns: int) -> None:
        """Let a market at speed ``step`` live on for so long. [ns]"""
        self.call(lambda: self.gateway.advance(self.gateway.floor.now + ns))

    def call(self, what: object) -> object:
        """Run something in the gateway's thread, and return what it returns."""
        assert callable(what)

        async def run() -> object:
            result = what()
            self.gateway.flush()
            return result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)

        async def start() -> None:
            await self.gateway.start(0)
            self._ready.set_result(self.gateway.port)

        try:
            self.loop.run_until_complete(start())
        except Exception as error:
            self._ready.set_exception(error)
            return
        self.loop.run_forever()
