"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one flat JSON object as the last line.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Sets = Annotated[list[str], typer.Option("--set", metavar="A.B=C", help="Set a key; repeatable.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file.")]
TapeFile = Annotated[
    Path | None,
    typer.Option("--tape", help="Tape to use instead of the configured one: .parquet or .tape."),
]
Tape = Annotated[Path, typer.Argument(metavar="TAPE", help="A tape: .parquet or .tape.")]
NONE: list[str] = []
