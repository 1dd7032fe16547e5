"""The command that serves a simulated exchange to TWS clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json
from mmquant.errors import UsageError


def gateway(
    tape: Annotated[Path | None, typer.Option(help="A tape to play: .parquet or .tape.")] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The seeded market: AAPL and an option chain.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 4002,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    public: Annotated[
        bool, typer.Option("--public", help="Allow an address that other machines reach.")
    ] = False,
    speed: Annotated[str, typer.Option(help="1x (the wall clock) or max.")] = "1x",
    seed: Annotated[int, typer.Option(min=0, help="Of the seeded market.")] = 7,
    faults: Annotated[
        Path | None, typer.Option(help="YAML plan of faults (docs: the gateway).")
    ] = None,
    account: Annotated[str, typer.Option(help="Name of the account.")] = "DU1234567",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Serve a simulated exchange behind the TWS protocol; one line on stdout when it is ready."""
    import asyncio
    import logging
    import time

    from mmquant.gateway.faults import read_plan
    from mmquant.gateway.market import Market, SyntheticMarket, read_market
    from mmquant.gateway.run import serve_forever
    from mmquant.gateway.server import GatewaySettings

    if synthetic == (tape is not None):
        raise UsageError("give either a tape or --synthetic", fix="mmquant gateway --synthetic")
    if speed not in ("1x", "max"):
        raise UsageError(f"--speed is {speed!r}", fix="use 1x or max")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    market: Market = (
        read_market(tape) if tape is not None else SyntheticMarket(seed, time.time_ns())
    )
    plan = read_plan(faults)
    settings = GatewaySettings(speed=speed, account=account, faults=plan)

    def ready(bound: int) -> None:
        result = {"host": host, "port": bound, "account": account, "speed": speed}
        console.emit(result, f"gateway ready on {host}:{bound}", as_json=as_json)

    asyncio.run(serve_forever(market, settings, host=host, port=port, public=public, ready=ready))
