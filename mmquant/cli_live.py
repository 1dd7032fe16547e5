"""Commands for a strategy that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmquant import console
from mmquant.cli_options import NONE, ConfigFile, Debug, Json, Sets
from mmquant.errors import UsageError


def hand(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of the messages.")],
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="theo, offset, delta, gamma, vega, halt, resume, kill, flatten, "
            "max_position_lots, max_order_lots, max_open_orders or max_loss_ccy.",
        ),
    ],
    value: Annotated[
        float | None, typer.Argument(metavar="[VALUE]", help="Price, shift, greek or limit.")
    ] = None,
    symbol: Annotated[str, typer.Option(help="Instrument of a theo, an offset or a greek.")] = "",
    for_s: Annotated[
        float | None, typer.Option("--for", help="How long it holds, in seconds; else for good.")
    ] = None,
    time: Annotated[
        str, typer.Option(help="UTC time from which it holds; else when it is read.")
    ] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Set a theo, an offset or a limit, or halt: adds a line to the file that a run follows."""
    from mmquant.data.hand import TraderHand

    TraderHand(file).write(what, symbol=symbol, value=value, for_s=for_s, time=time)
    result = {"file": str(file), "what": what, "symbol": symbol, "value": value, "for_s": for_s}
    shown = " ".join(str(x) for x in (what, symbol, value) if x not in ("", None))
    console.emit(result, f"{file}: {shown}", as_json=as_json)


def live(
    config: ConfigFile,
    paper: Annotated[
        bool, typer.Option("--paper", help="Send orders to IBKR's paper account.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and journal, but send nothing (the default).")
    ] = False,
    real: Annotated[
        bool, typer.Option("--live", help="Send orders to the live account of the configuration.")
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Its folder; else OUTPUT.DIR/NAME-MODE-DATE."),
    ] = None,
    sets: Sets = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Quote at Interactive Brokers until Ctrl-C or SIGTERM; then cancel all, and verify that."""
    from mmquant.config import Config
    from mmquant.live.modes import CONFIRMATION, Mode, check_settings
    from mmquant.live.runner import LiveRun

    if paper + dry_run + real > 1:
        raise UsageError("give one of --paper, --dry-run and --live", fix="leave the others out")
    mode = Mode.LIVE if real else Mode.PAPER if paper else Mode.DRY_RUN
    settings = Config.load(config, sets=sets)
    confirmed = ""
    if mode is Mode.LIVE:
        check_settings(settings, mode, CONFIRMATION)
        confirmed = console.ask(f"This trades real money. Type {CONFIRMATION} to go on: ")
    with console.status_line() as show:
        one = LiveRun(
            settings, mode=mode, confirmed=confirmed, folder=run,
            on_status=lambda status: show(f"{mode} | {status.line()}"),
        )  # fmt: skip
        console.note(f"{mode} run in {one.folder.path}")
        if one.recovered is not None:
            console.note(
                f"it goes on: {one.recovered.messages} messages of its journal were replayed"
            )
        one.run()
    last = one.status()
    held = [f"{x.symbol} {x.position:+g}" for x in last.instruments if x.position]
    result = {
        "run": str(one.folder.path), "mode": str(mode), "verified_closed": one.verified,
        "killed": one.loop.switch.killed, "pnl": last.pnl, "fees": last.fees, "fills": last.fills,
        "messages": last.messages_day, "order_ratio": last.order_ratio,
        "positions": ", ".join(held),
    }  # fmt: skip
    console.emit(result, console.table(result), "all orders are closed, verified", as_json=as_json)
