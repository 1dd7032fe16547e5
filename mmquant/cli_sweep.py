"""The command that runs a grid of settings over one tape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmquant import console
from mmquant.cli_options import NONE, ConfigFile, Debug, Json, Sets, TapeFile
from mmquant.errors import UsageError

SHOWN = ("net_pnl", "spread_pnl", "inventory_pnl", "fees", "fills", "messages", "max_abs_position")
BEST = 20
SUFFIXES = (".parquet", ".csv")


def sweep(
    config: ConfigFile,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            metavar="KEY=FROM:TO:STEP",
            help="Values of a key, also as KEY=[A, B]; repeatable.",
        ),
    ],
    sets: Sets = NONE,
    tape: TapeFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Parquet or CSV file of all points.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Replays at the same time; else all processors.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a strategy with each combination of settings; prints the points that kept most."""
    from mmquant.config import Config
    from mmquant.data.files import check_file_target, written_whole
    from mmquant.data.readers import read_own
    from mmquant.research.grid import parse_grid
    from mmquant.research.sweep import sweep as run_sweep

    settings = Config.load(config, sets=sets)
    if out is not None:
        if out.suffix not in SUFFIXES:
            raise UsageError(
                f"cannot write points as {out.name!r}", fix=f"end it with {' or '.join(SUFFIXES)}"
            )
        check_file_target(out)
    market = None if tape is None else read_own(tape)
    with console.progress("Sweep") as step:
        found = run_sweep(settings, market, grid=parse_grid(grid), threads=threads, progress=step)
    points = found.to_dataframe().reset_index()
    if out is not None:
        with written_whole(out) as file:
            if out.suffix == ".csv":
                points.to_csv(file, index=False)
            else:
                points.to_parquet(file, index=False)
    ranked = points.sort_values("net_pnl", ascending=False)
    keys = [str(key) for key in found.dims]
    best = ranked.to_dict("records")[0]
    result: dict[str, Any] = {"points": len(points), "min_fills": int(points["fills"].min())}
    result |= {f"best.{key}": _plain(best[key]) for key in keys}
    result |= {f"best.{name}": _plain(best[name]) for name in SHOWN}
    if out is not None:
        result["out"] = str(out)
    table = ranked[[*keys, *SHOWN]].head(BEST).to_string(index=False)
    lines = [table] if out is None else [table, str(out)]
    console.emit(result, *lines, as_json=as_json)
    if len(ranked) > BEST:
        rest = "" if out is not None else "; --out writes all"
        console.note(f"note: the best {BEST} of {len(ranked):,} points{rest}")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
