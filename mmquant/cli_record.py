"""The command that records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmquant import console
from mmquant.cli_options import NONE, ConfigFile, Debug, Json, Sets


def record(
    config: ConfigFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder; else recordings/SYMBOLS-DATE. It can be gone on with."),
    ] = None,
    sets: Sets = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Record books, trades and option quotes of the configured instruments, until Ctrl-C."""
    from mmquant.config import Config
    from mmquant.live.recorder import Recorder
    from mmquant.live.recording_session import RecordingSession

    settings = Config.load(config, sets=sets)
    with console.status_line() as show, RecordingSession(settings, out) as one:
        console.note(f"recording into {one.folder}")

        def status(recorder: Recorder) -> None:
            fresh = f"{recorder.fresh} of {len(one.contracts)} instruments fresh"
            show(f"recording | {fresh} | {recorder.messages:,} messages")

        one.run(status)
    tape = f"mmquant backtest {config} --tape {one.folder}"
    result = {"recording": str(one.folder), "backtest": tape, **one.writer.counts}
    console.emit(result, console.table(one.writer.counts), tape, as_json=as_json)
