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
    Path | None, typer.Option("--tape", help="Parquet tape to use instead of the configured one.")
]
Tape = Annotated[Path, typer.Argument(metavar="TAPE", help="Parquet tape.")]
NONE: list[str] = []
