"""Commands for the journal of a live run, and for its kill switch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json
from mmquant.errors import UsageError

app = typer.Typer(
    help="Replay and read the journal of a live run.",
    add_completion=False,
    rich_markup_mode=None,
)
RunFolderPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the live run.")]


@app.command("replay")
def replay(
    run: RunFolderPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to save the replayed run in.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Feed the journal to a fresh local half, and check that every action is the same."""
    from mmquant.data.runs import check_run_target
    from mmquant.live.journal_replay import replay_journal

    if out is not None:
        check_run_target(out, overwrite=overwrite)
    found = replay_journal(run)
    if out is not None:
        found.save(out, overwrite=overwrite)
    saved = {} if out is None else {"run": str(out)}
    result = {**found.summary, "digest": found.manifest["digest"], **saved}
    for said in found.manifest["notes"]:
        console.note(f"note: {said}")
    console.emit(result, console.table(result), "every action is the same", as_json=as_json)


@app.command("export")
def export(
    run: RunFolderPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="The database; else RUN/journal.sqlite.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until it is interrupted.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Take what is new in the journal over into a SQLite database; safe to repeat."""
    from mmquant.data.store.journal_sqlite import export_journal
    from mmquant.data.store.run_folder import RunFolder

    folder = RunFolder(run)
    database = out or folder.database
    frames = export_journal(folder.journal, database)
    while follow:
        time.sleep(1.0)
        frames += export_journal(folder.journal, database)
    result = {"database": str(database), "frames": frames}
    console.emit(result, f"{database}: {frames} frames taken over", as_json=as_json)


NOBODY_ANSWERS = (
    "the kill is latched, but no process runs it, so nothing was cancelled "
    "(look at the broker's own list of orders)"
)


def kill(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="Folder of the live run; else all that run now."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where to look for runs, if none is named.")
    ] = Path("runs"),
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Cancel all orders of a run and quote no more, also after a restart."""
    from mmquant.data.store.run_folder import RunFolder
    from mmquant.data.store.run_folder import kill as kill_run

    runs = [run] if run is not None else [
        path.parent
        for path in sorted(folder.glob("*/session.json"))
        if RunFolder(path.parent).is_running
    ]  # fmt: skip
    if not runs:
        raise UsageError("no run is running", where=str(folder), fix="name its folder")
    found: dict[str, list[str]] = {"killed": [], "latched_only": []}
    for one in runs:
        kill_run(one, "mmquant kill")
        found["killed" if RunFolder(one).is_running else "latched_only"].append(str(one))
    lines = [f"killed: {one}" for one in found["killed"]]
    lines += [f"{NOBODY_ANSWERS}: {one}" for one in found["latched_only"]]
    result = {name: ", ".join(names) for name, names in found.items()}
    console.emit(result, *lines, as_json=as_json)


def resume(
    run: RunFolderPath,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Yes: it may quote again when it is started.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Let a killed run quote again when it is started next."""
    from mmquant.data.store.run_folder import RunFolder, release

    if not confirm:
        folder = RunFolder(run).check()
        why = folder.kill_file.read_text().strip() if folder.kill_file.exists() else "not killed"
        raise UsageError(
            f"a kill is ended by a person only (it was: {why})",
            where=str(run),
            fix="find out why first, then add --confirm",
        )
    release(run)
    console.emit({"released": str(run)}, f"{run}: may quote again", as_json=as_json)
