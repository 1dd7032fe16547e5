"""What the engine costs as rows, instruments, layers and parameter sets grow.

    python -m tests.benchmarks.scaling --json

The built-in quoting decides every 100 ms on generated markets. Rows: one instrument, tapes that
are longer and longer. Instruments: as many rows in all, each instrument as busy as a single one
and quoted, with 1 layer and with 5. Layers: one instrument. Sets: one pass of many parameter sets,
on one thread and on two. ``--figure docs/market_making/scaling.svg`` draws all.

A curve is the cost of one unit (a row; a layer at a decision; a row of a set) by size. It is called
linear, and without a cliff, if no size costs more a unit than 1.5 times the cheapest smaller size,
and none more than 1.3 times the size before it. The cheapest and not the first is what counts, as
fixed costs make the first size dear. The bounds leave room for noise, and for a working set that
leaves one of the processor's caches; work that grows by the square passes them within two doublings
from where it is most of the cost. A curve that does not pass ends the program with code 4.

A time is the median over the turns of the fastest run of a turn; small sizes run more often.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmquant.trading.halves import tape_columns
from tests.benchmarks.harness import alternate, environment, median, note, parser, plain
from tests.benchmarks.scaling_figure import Line, Panel, figure
from tests.benchmarks.scaling_runs import (
    Timed,
    busy_tape,
    first_rows,
    long_tape,
    run_alone,
    run_sets,
    sets_of,
    settings,
)

ROWS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
INSTRUMENTS = (1, 2, 4, 8, 16, 32, 64)
LAYERS = (1, 2, 3, 5, 7, 10)
SETS = (1, 2, 4, 16, 64, 128, 256, 512, 1024)
MANY_LAYERS = 5
MOST_RISE, MOST_STEP = 1.5, 1.3
ENOUGH_S = 0.03
"""A turn of a size is over after so many seconds of runs."""
SETS_PART = 5
"""The sweep over sets takes this part of the rows of the others."""


@dataclass(frozen=True)
class Curve:
    """Sizes that were timed; ``units`` tells what one size did, in the unit of its cost."""

    name: str
    size_label: str
    unit: str
    line: str
    points: Sequence[Timed]
    units: Callable[[Timed], float]
    threads: int = 1

    @property
    def sizes(self) -> list[int]:
        return [p.size for p in self.points]

    @property
    def costs(self) -> list[float]:
        """Cost of one unit at each size. [ns]"""
        return [1e9 * p.seconds / self.units(p) for p in self.points]


@dataclass(frozen=True)
class Verdict:
    """How far the cost of a unit rises: above the cheapest smaller size, and in one step."""

    rise: float
    step: float

    @property
    def linear(self) -> bool:
        return self.rise <= MOST_RISE and self.step <= MOST_STEP


def verdict(costs: Sequence[float]) -> Verdict:
    """Whether the cost of a unit stays flat or falls as the size grows; costs by size."""
    rise = max(cost / min(costs[: i + 1]) for i, cost in enumerate(costs))
    steps = [after / before for before, after in pairwise(costs)]
    return Verdict(rise, max(steps, default=1.0))


def timed_sizes(
    run: Callable[[int], Timed], sizes: Sequence[int], repeat: int
) -> tuple[Timed, ...]:
    """Each size with the median of its turns."""
    facts: dict[int, Timed] = {}

    def fastest(size: int) -> float:
        spent, best = 0.0, math.inf
        while spent < ENOUGH_S:
            facts[size] = run(size)
            spent += facts[size].seconds
            best = min(best, facts[size].seconds)
        return best

    turns = alternate([lambda size=size: fastest(size) for size in sizes], repeat)
    medians = {size: median(times) for size, times in zip(sizes, turns, strict=True)}
    return tuple(Timed(**{**vars(facts[s]), "seconds": medians[s]}) for s in sizes)


def rows_curve(sizes: Sequence[int], interval: int, repeat: int) -> Curve:
    head, columns = long_tape(max(sizes))
    config = settings(interval_ns=interval)
    points = timed_sizes(
        lambda size: run_alone(config, head, first_rows(columns, size), size), sizes, repeat
    )
    return Curve("rows", "rows", "row", "1 instrument", points, lambda p: p.rows)


def instruments_curve(
    sizes: Sequence[int], rows: int, layers: int, interval: int, repeat: int
) -> Curve:
    tapes = {}
    for size in sizes:
        tape = busy_tape(size, rows)
        config = settings(interval_ns=interval, layers=layers, instruments=size)
        tapes[size] = (config, tape, tape_columns(tape, config))
    points = timed_sizes(lambda size: run_alone(*tapes[size], size), sizes, repeat)
    word = f"{layers} layer{'s' if layers > 1 else ''}"
    name = "instruments" if layers == 1 else f"instruments_{layers}_layers"
    return Curve(name, "instruments", "row", word, points, lambda p: p.rows)


def layers_curve(sizes: Sequence[int], rows: int, interval: int, repeat: int) -> Curve:
    head, columns = long_tape(rows)
    configs = {size: settings(interval_ns=interval, layers=size) for size in sizes}
    points = timed_sizes(lambda size: run_alone(configs[size], head, columns, size), sizes, repeat)
    unit = "layer at a decision"
    return Curve("layers", "layers", unit, "1 instrument", points, lambda p: p.decisions * p.size)


def sets_curve(sizes: Sequence[int], rows: int, threads: int, interval: int, repeat: int) -> Curve:
    head, columns = long_tape(rows)
    config = settings(interval_ns=interval)
    params = {size: sets_of(config, head, size) for size in sizes}
    points = timed_sizes(
        lambda size: run_sets(config, head, columns, params[size], threads), sizes, repeat
    )
    word = f"{threads} thread{'s' if threads > 1 else ''}"
    name = f"sets_{threads}_thread{'s' if threads > 1 else ''}"
    return Curve(
        name, "parameter sets", "row of a set", word, points, lambda p: p.rows * p.sets, threads
    )


def measure(a: argparse.Namespace) -> list[Curve]:
    """All curves, one after the other."""
    common = {"interval": a.interval, "repeat": a.repeat}
    curves = []
    note("rows")
    curves.append(rows_curve([s for s in ROWS if s <= a.max_rows], **common))
    for layers in (1, MANY_LAYERS):
        note(f"instruments, layers: {layers}")
        curves.append(instruments_curve(INSTRUMENTS, a.rows, layers, **common))
    note("layers")
    curves.append(layers_curve(LAYERS, a.rows, **common))
    for threads in (1, 2):
        if threads > processors():
            note(f"sets on {threads} threads: left out, as there is one processor")
            continue
        note(f"sets, threads: {threads}")
        curves.append(sets_curve(SETS, a.rows // SETS_PART, threads, **common))
    return curves


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def said(curve: Curve) -> str:
    """The verdict of a curve in a sentence."""
    v = verdict(curve.costs)
    word = "linear or better, no cliff" if v.linear else "NOT LINEAR"
    return (
        f"{word}: a {curve.unit} costs at most {v.rise:.2f} times that of the cheapest smaller "
        f"size (bound {MOST_RISE:g}), and {v.step:.2f} times that of the size before it "
        f"(bound {MOST_STEP:g})"
    )


def table_of(curve: Curve) -> str:
    """A curve as a Markdown table with its verdict below."""
    lines = [
        f"| {curve.size_label} | ns a {curve.unit} | ns a row | ns a decision of a set | rows | "
        "decisions | fills |",
        "|" + "---:|" * 7,
    ]
    for p, cost in zip(curve.points, curve.costs, strict=True):
        row, decision = (
            1e9 * p.seconds / p.rows,
            1e9 * p.seconds * min(curve.threads, p.sets) / p.decisions,
        )
        figures = (f"{p.size:,}", f"{cost:.4g}", f"{row:.4g}", f"{decision:.4g}")
        counts = (f"{p.rows:,}", f"{p.decisions:,}", f"{p.fills:,}")
        lines.append(f"| {' | '.join(figures + counts)} |")
    return "\n".join([f"**{curve.size_label}, {curve.line}**", "", *lines, "", said(curve)])


def panels_of(curves: Sequence[Curve]) -> list[Panel]:
    """A panel for each kind of size, its curves as lines."""
    kinds = dict.fromkeys(curve.size_label for curve in curves)
    panels = []
    for kind in kinds:
        mine = [curve for curve in curves if curve.size_label == kind]
        lines = [Line(curve.line, curve.sizes, curve.costs) for curve in mine]
        panels.append(Panel(f"Cost by {kind}", kind, f"ns a {mine[0].unit}", lines))
    return panels


def result_of(curves: Sequence[Curve]) -> dict[str, Any]:
    """The figures of all curves for machines."""
    out: dict[str, Any] = {}
    for curve in curves:
        v = verdict(curve.costs)
        out[f"{curve.name}_sizes"] = curve.sizes
        out[f"{curve.name}_ns"] = [round(cost, 3) for cost in curve.costs]
        out[f"{curve.name}_rise"] = round(v.rise, 3)
        out[f"{curve.name}_step"] = round(v.step, 3)
        out[f"{curve.name}_linear"] = v.linear
        out[f"{curve.name}_fills"] = min(p.fills for p in curve.points)
    out["linear"] = all(verdict(curve.costs).linear for curve in curves)
    return out


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument(
        "--max-rows",
        type=float,
        default=1e7,
        help="longest tape; 1e8 takes minutes and 4 GB of memory",
    )
    p.add_argument("--rows", type=int, default=1_000_000, help="rows of the other sweeps")
    p.add_argument("--interval", type=int, default=100_000_000, help="between decisions [ns]")
    p.add_argument("--figure", type=Path, metavar="PATH", help="SVG file to write")
    a = p.parse_args(argv)
    curves = measure(a)
    print("\n\n".join(table_of(curve) for curve in curves))
    result = result_of(curves) | {"rows": a.rows, "interval": a.interval, "repeat": a.repeat}
    result |= environment()
    if a.figure:
        a.figure.write_text(figure(panels_of(curves)), encoding="utf-8")
        note(f"{a.figure}: written")
    print(f"\n{plain(result['cores'])} cores of {result['cpu']}")
    if a.json:
        print(json.dumps(result, allow_nan=False), flush=True)
    return 0 if result["linear"] else 4


if __name__ == "__main__":
    sys.exit(main())
