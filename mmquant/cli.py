"""The commands: what they take and print. All work is done elsewhere, imported when needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmquant import (
    __version__,
    cli_calibrate,
    cli_check,
    cli_gateway,
    cli_journal,
    cli_live,
    cli_record,
    cli_research,
    cli_surface,
    cli_sweep,
    console,
)
from mmquant.cli_options import NONE, ConfigFile, Debug, Json, Sets, TapeFile
from mmquant.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    import xarray as xr

    from mmquant.config import Config
    from mmquant.data.runs import Run

_OPTIONS: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None}
app = typer.Typer(
    name="mmquant",
    help="Market making research and trading: replay a recorded book and quote into it.",
    pretty_exceptions_enable=False,
    **_OPTIONS,
)
data_app = typer.Typer(help="Import and check market data.", **_OPTIONS)
config_app = typer.Typer(help="Check and show configurations.", **_OPTIONS)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")

Options = Annotated[
    list[str],
    typer.Option(
        "--option", metavar="K=V", help="Option of the reader, such as symbol=AMZN; repeatable."
    ),
]
Format = Annotated[
    str,
    typer.Argument(
        metavar="FORMAT",
        help="lobster, binance, neutral, parquet, mapped, csv or recording.",
    ),
]
Paths = Annotated[list[Path], typer.Argument(metavar="PATH", help="The file or files.")]
MaybeConfigFile = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="YAML file; without it, the defaults.")
]
RunDir = Annotated[
    Path | None, typer.Option("--out", help="Folder of the run; else OUTPUT.DIR/NAME-DIGEST.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = app(arguments or ["--help"], prog_name="mmquant", standalone_mode=False)
    except Exception as error:
        return console.fail(error, arguments)
    return code if isinstance(code, int) else 0


def _version(wanted: bool) -> None:
    if wanted:
        console.emit({}, f"mmquant {__version__}", as_json=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    seed: Annotated[
        int | None, typer.Option(min=0, help="Simulate another market than the bundled one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run and the report.")] = Path(
        "reports/demo"
    ),
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Quote into a simulated market and report what it earned; ends with the report's path."""
    from mmquant.data.runs import check_run_target
    from mmquant.report.html import write_report
    from mmquant.research.backtest import backtest as run_backtest
    from mmquant.strategies.demo import demo_config, demo_tape

    check_run_target(out / "run", overwrite=True)
    console.note("Demo: a simulated session of one stock, quoted by the built-in strategy.")
    tape = demo_tape(seed)
    with console.progress("Backtest") as step:
        run = run_backtest(demo_config(seed), tape, progress=step)
    run.save(out / "run", overwrite=True)
    report_path = write_report(run, out / "report.html", tape=tape)
    result = {**run.summary, "run": str(out / "run"), "report": str(report_path)}
    console.emit(result, console.table(run.summary), str(report_path), as_json=as_json)


@data_app.command("import")
def data_import(
    source_format: Format,
    paths: Paths,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Tape to write: .parquet, .tape (mapped), .csv, .csv.gz or .npz (neutral).",
        ),
    ],
    options: Options = NONE,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Put bad rows aside and count them.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read market data of a format and write it as a tape of our own."""
    from mmquant.config_sources import parse_options
    from mmquant.data.readers import import_tape

    tape = import_tape(
        source_format, _one_or_all(paths), out, lenient=lenient, **parse_options(options)
    )
    result = {**_facts(tape), "tape": str(out)}
    console.emit(result, console.table(result), str(out), as_json=as_json)


@data_app.command("check")
def data_check(
    source_format: Format,
    paths: Paths,
    options: Options = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read market data and say what is in it and whether it holds together."""
    from mmquant.config_sources import parse_options
    from mmquant.data.quality import check

    result = check(source_format, _one_or_all(paths), **parse_options(options))
    console.emit(result, console.table(result), as_json=as_json)
    if result.get("ok") is False:
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def backtest(
    config: ConfigFile,
    sets: Sets = NONE,
    tape: TapeFile = None,
    out: RunDir = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a strategy over a recorded tape and save the run; ends with the run's folder."""
    from mmquant.research.backtest import backtest as run_backtest

    settings = _settings(config, sets)
    with console.progress("Backtest") as step:
        _check_out(out, overwrite, settings)
        run = run_backtest(settings, _tape(tape), progress=step)
    _finish(run, settings, out, overwrite, as_json)


@app.command()
def replay(
    config: ConfigFile,
    sets: Sets = NONE,
    tape: TapeFile = None,
    out: RunDir = None,
    overwrite: Overwrite = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Obey lines added to hand.file while it runs.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="New folder to keep a journal in.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The same through the live loop and the simulated broker: slower, with the same result."""
    from mmquant.live.replay import replay as run_replay
    from mmquant.research.calibration.settings import calibrated
    from mmquant.trading.halves import configured_tape

    settings = _settings(config, sets)
    _check_out(out, overwrite, settings)
    market = _tape(tape)
    if settings.quoting.calibrate_s is not None:
        market = configured_tape(settings) if market is None else market
        settings = calibrated(settings, market)
    run = run_replay(settings, market, follow=follow, journal=journal)
    _finish(run, settings, out, overwrite, as_json)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a saved run.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file; else report.html in the folder.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a saved run's HTML report; ends with its path."""
    from mmquant.data.runs import Run
    from mmquant.report.html import write_report

    path = write_report(Run.load(run_dir), out or run_dir / "report.html")
    console.emit({"run": str(run_dir), "report": str(path)}, str(path), as_json=as_json)


@app.command()
def warmup(as_json: Json = False, debug: Debug = False) -> None:
    """Compile all kernels once, so that later commands start at once."""
    from mmquant.warmup import warmup as compile_all

    with console.progress("Compile") as step:
        result = compile_all(progress=step)
    console.emit(result, console.table(result), as_json=as_json)


@config_app.command("check")
def config_check(
    config: ConfigFile,
    sets: Sets = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say whether a configuration is valid."""
    from mmquant.trading.arguments import check_strategy

    settings = _settings(config, sets)
    check_strategy(settings)
    result = {"valid": True, "name": settings.name, "config_digest": settings.config_digest}
    console.emit(result, f"{config}: valid, digest {settings.config_digest[:16]}", as_json=as_json)


@config_app.command("show")
def config_show(
    config: MaybeConfigFile = None,
    sets: Sets = NONE,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the whole configuration, defaults and environment included, as YAML."""
    settings = _settings(config, sets)
    console.emit(settings.as_dict(), settings.to_yaml().rstrip(), as_json=as_json)


@config_app.command("schema")
def config_schema(as_json: Json = False, debug: Debug = False) -> None:
    """Print the JSON schema of the YAML file, for editors."""
    from mmquant.config import json_schema

    schema = json_schema()
    console.emit({"schema": json.dumps(schema)}, json.dumps(schema, indent=2), as_json=as_json)


# In the order in which --help lists them, after those above.
app.command("feasible")(cli_research.feasible)
app.command("sweep")(cli_sweep.sweep)
app.command("surface")(cli_surface.surface)
# A shift can be negative: -0.05 is no option.
app.command("hand", context_settings={"ignore_unknown_options": True})(cli_live.hand)
app.command("live")(cli_live.live)
app.command("kill")(cli_journal.kill)
app.command("resume")(cli_journal.resume)
app.command("record")(cli_record.record)
app.command("doctor")(cli_check.doctor)
app.command("conform")(cli_check.conform)
app.command("gateway")(cli_gateway.gateway)
app.add_typer(cli_calibrate.app, name="calibrate")
app.add_typer(cli_journal.app, name="journal")


def _settings(path: Path | None, sets: list[str]) -> Config:
    from mmquant.config import Config

    return Config.load(path, sets=sets)


def _one_or_all(paths: list[Path]) -> Path | list[Path]:
    return paths[0] if len(paths) == 1 else paths


def _tape(path: Path | None) -> xr.Dataset | None:
    if path is None:
        return None
    from mmquant.data.readers import read_own

    return read_own(path)


def _facts(tape: xr.Dataset) -> dict[str, Any]:
    symbols = [contract["symbol"] for contract in json.loads(tape.attrs["contracts"])]
    facts = {"date": tape.attrs["date"], "level": tape.attrs["level"], "symbols": symbols}
    return {**json.loads(tape.attrs["counts"]), **facts}


def _check_out(out: Path | None, overwrite: bool, settings: Config) -> None:
    """Refuse a folder that no run can be saved in before the work, not after it."""
    from mmquant.data.files import check_writable
    from mmquant.data.runs import check_run_target

    if out is None:
        check_writable(Path(settings.output.dir) / settings.name)
        return
    if out.exists() and not overwrite:
        raise UsageError(
            "the folder exists already", where=str(out), fix="name another, or give --overwrite"
        )
    check_run_target(out, overwrite=True)


def _finish(run: Run, settings: Config, out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Save the run and print its summary; a folder of its own digest may be written again."""
    folder = out or Path(settings.output.dir) / f"{settings.name}-{run.manifest['digest'][:8]}"
    run.save(folder, overwrite=overwrite or out is None)
    for said in run.manifest["notes"]:
        console.note(f"note: {said}")
    peak = {"peak_memory_mb": console.peak_memory_mb()}
    result = {**run.summary, "digest": run.manifest["digest"], "run": str(folder), **peak}
    console.emit(result, console.table(run.summary | peak), str(folder), as_json=as_json)
