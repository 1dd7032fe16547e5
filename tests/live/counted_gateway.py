"""A gateway that counts what it receives: ``python -m tests.live.counted_gateway SEED``.

One JSON line when it is ready, one when it was told to stop (SIGTERM).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.run import serve_forever
from mmquant.gateway.server import Gateway, GatewaySettings

SAMPLE_S = 0.05


class Count:
    """Times of all messages received, and which sides had orders at each sample. [s, monotonic]"""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.samples: list[tuple[float, bool, bool]] = []
        self.gateway: Gateway | None = None

    def install(self) -> None:
        """From now on, each gateway counts."""
        serve, init, count = Gateway.serve, Gateway.__init__, self

        def counted(self: Gateway, *given: Any) -> None:
            count.times.append(time.monotonic())
            serve(self, *given)

        def kept(self: Gateway, *given: Any) -> None:
            init(self, *given)
            count.gateway = self

        Gateway.serve = counted  # type: ignore[method-assign]
        Gateway.__init__ = kept  # type: ignore[method-assign]

    async def sample(self) -> None:
        """Look at the orders now and then."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            sides = {order.spec.side for order in self._live()}
            self.samples.append((time.monotonic(), 1 in sides, -1 in sides))

    def facts(self) -> dict[str, Any]:
        """What was seen."""
        assert self.gateway is not None
        return {
            "most_in_a_second": most_in_a_second(self.times),
            "messages": len(self.times),
            "samples": self.samples,
            "open": len(self._live()),
            "position": float(self.gateway.accounts.position(0)),
            "pace_violations": self.gateway.pace_violations,
            "internal_errors": self.gateway.internal_errors,
        }

    def _live(self) -> list[Any]:
        assert self.gateway is not None
        return [order for order in self.gateway.orders.orders.values() if order.live]


def most_in_a_second(times: list[float]) -> int:
    """The most of ascending times in any sliding second."""
    most = first = 0
    for last, time_s in enumerate(times):
        while times[first] <= time_s - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def main() -> None:
    count = Count()
    count.install()
    market = SyntheticMarket(int(sys.argv[1]), time.time_ns())
    sampler = asyncio.ensure_future(count.sample())

    def ready(port: int) -> None:
        os.write(1, json.dumps({"port": port}).encode() + b"\n")

    await serve_forever(
        market, GatewaySettings(), host="127.0.0.1", port=0, public=False, ready=ready
    )
    sampler.cancel()
    sys.stdout.write(json.dumps(count.facts()) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
