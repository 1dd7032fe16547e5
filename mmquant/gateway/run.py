"""A gateway in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from mmquant.gateway.market import Market
from mmquant.gateway.server import Gateway, GatewaySettings


async def serve_forever(
    market: Market,
    settings: GatewaySettings,
    *,
    host: str,
    port: int,
    public: bool,
    ready: Callable[[int], None],
) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called with the port."""
    gateway = Gateway(market, settings)
    await gateway.start(port, host, public=public)
    stopped = gateway.failed
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stopped.set)
        except NotImplementedError:  # Windows
            break
    ready(gateway.port)
    await stopped.wait()
    await gateway.stop()
