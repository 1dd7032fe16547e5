"""Commands for a strategy that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json


def hand(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of the messages.")],
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="theo, offset, halt, resume, kill, max_position_lots, max_order_lots, "
            "max_open_orders or max_loss_ccy.",
        ),
    ],
    value: Annotated[
        float | None, typer.Argument(metavar="[VALUE]", help="Price, shift or limit.")
    ] = None,
    symbol: Annotated[str, typer.Option(help="Instrument of a theo or an offset.")] = "",
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
