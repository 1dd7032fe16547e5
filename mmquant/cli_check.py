"""Commands that check the connection to Interactive Brokers, and the gateway against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmquant import console
from mmquant.cli_options import NONE, ConfigFile, Debug, Json, Sets
from mmquant.errors import CheckFailed, MMQuantError, UsageError

if TYPE_CHECKING:
    from mmquant.config_ibkr import InteractiveBrokersConfig


def doctor(
    config: ConfigFile, sets: Sets = NONE, as_json: Json = False, debug: Debug = False
) -> None:
    """Look at connection, account, clock, market data and permissions; sends no orders."""
    from mmquant.config import Config
    from mmquant.live.doctor import State, examine

    found = examine(Config.load(config, sets=sets))
    lines = []
    for one in found:
        lines.append(f"{one.state:<5} {one.what}: {one.found}")
        if one.fix:
            lines.append(f"      {one.fix}")
    counts = {str(state): sum(one.state is state for one in found) for state in State}
    result = {**counts, **{one.what: f"{one.state}: {one.found}" for one in found}}
    console.emit(result, *lines, as_json=as_json)
    if counts["fail"]:
        raise typer.Exit(CheckFailed.exit_code)


def conform(
    config: ConfigFile,
    tws: Annotated[
        str, typer.Option("--tws", help="Version of TWS or IB Gateway, as its window says.")
    ],
    paper: Annotated[
        bool, typer.Option("--paper", help="It trades one share on the paper account.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the frames.")] = Path("conformance"),
    sets: Sets = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Hold the gateway against your paper account: the same script at both, frames compared."""
    import time

    from mmquant.config import Config
    from mmquant.live.conform import CONFIRMATION, check_confirmed, differences, frames_of, save

    if not paper:
        raise UsageError("this sends orders to a paper account", fix="say --paper")
    settings = Config.load(config, sets=sets).ibkr
    check_confirmed(settings, CONFIRMATION)
    question = "This buys and sells one share on a paper account, and cancels all its orders. "
    check_confirmed(settings, console.ask(f"{question}Type {CONFIRMATION} to go on: "))
    theirs, late = frames_of(settings)
    ours, _ = _at_gateway(settings)
    found = differences(ours, theirs)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    facts = {"date": day, "tws": tws, "late": late, "differences": len(found)}
    save(out / day, theirs, ours, found, facts)
    result = {**facts, "frames": len(theirs), "folder": str(out / day)}
    console.emit(result, *found, console.table(result), as_json=as_json)


def _at_gateway(settings: InteractiveBrokersConfig) -> tuple[list, list[str]]:
    """The same at a gateway of our own, which is started for it."""
    import json
    import subprocess
    import sys

    from mmquant.config_ibkr import InstrumentConfig
    from mmquant.live.conform import frames_of

    command = [sys.executable, "-m", "mmquant", "gateway", "--synthetic", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        try:
            assert gateway.stdout is not None
            line = gateway.stdout.readline()
            if not line:
                raise MMQuantError("the gateway did not start", fix="run mmquant gateway by itself")
            own = {
                "host": "127.0.0.1", "port": json.loads(line)["port"],
                "instruments": (InstrumentConfig(symbol="AAPL"),),
            }  # fmt: skip
            return frames_of(settings.model_copy(update=own))
        finally:
            gateway.terminate()
