"""What all benchmarks share: alternated timing, the machine, output, and the README's table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mmquant

ROOT = Path(__file__).resolve().parents[2]
START = "<!-- benchmarks: written by `make bench` -->"
END = "<!-- benchmarks: end -->"


RECORDING = "binance/usdm_btcusdt_20240808_neutral.npz"
"""A recorded tape of the folder that MMQUANT_REAL_DATA names."""
GENERATED_ROWS = 400_000


def recording() -> Path | None:
    """The recorded tape, where there is one."""
    folder = os.environ.get("MMQUANT_REAL_DATA", "")
    path = Path(folder) / RECORDING
    return path if folder and path.is_file() else None


def add_tape_options(p: argparse.ArgumentParser) -> None:
    """Options that say which events are replayed: a file, a recording, or a random market."""
    p.add_argument(
        "events",
        nargs="?",
        help=f"neutral event file (.npz); else {RECORDING} of MMQUANT_REAL_DATA, else a random "
        "market",
    )
    p.add_argument("--rows", type=int, help="take a random market of so many rows")
    p.add_argument("--seed", type=int, default=0, help="seed of the random market")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options of all benchmarks."""
    p = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--json", action="store_true", help="one flat JSON object as the last line")
    p.add_argument("--repeat", type=int, default=5, help="timed runs of each contestant")
    return p


def alternate(contestants: Sequence[Callable[[], float]], repeat: int) -> list[list[float]]:
    """Seconds of each contestant, ``repeat`` times in turns, so that drifts of the machine cancel.

    The order within a turn alternates too. At its turn each runs once unmeasured: the other has
    emptied the caches, and both are to be timed warm.
    """
    times: list[list[float]] = [[] for _ in contestants]
    for turn in range(max(repeat, 1)):
        order = range(len(contestants))
        for i in order if turn % 2 == 0 else reversed(order):
            contestants[i]()
            times[i].append(contestants[i]())
    return times


def median(times: Iterable[float]) -> float:
    return statistics.median(times)


def environment() -> dict[str, Any]:
    """The machine and the versions that a timing belongs to."""
    facts: dict[str, Any] = {"cpu": cpu_name(), "cores": os.cpu_count() or 0}
    facts["python"] = platform.python_version()
    facts["mmquant"] = mmquant.__version__
    facts |= {name: version(name) for name in ("numpy", "numba")}
    return facts


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def note(text: str) -> None:
    """Say something about the progress."""
    print(text, file=sys.stderr, flush=True)


def show(result: dict[str, Any], as_json: bool) -> None:
    """Print a result, and with ``as_json`` also as one flat JSON object on the last line."""
    width = max(len(name) for name in result)
    for name, value in result.items():
        print(f"{name:{width}}  {plain(value)}")
    if as_json:
        print(json.dumps(result, allow_nan=False), flush=True)


def plain(value: Any) -> str:
    """A number as people read it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:.0f}"
    return f"{value:.4g}"


def table(rows: Sequence[tuple[str, str, str]]) -> str:
    """A Markdown table of (what, result, command)."""
    lines = ["| what | result | command |", "|---|---|---|"]
    lines += [f"| {what} | {result} | `{command}` |" for what, result, command in rows]
    return "\n".join(lines)


def write_between_markers(file: Path, text: str) -> bool:
    """Replace what stands between the markers of a file. False where it has none."""
    old = file.read_text() if file.exists() else ""
    if START not in old or END not in old:
        return False
    head, _, rest = old.partition(START)
    _, _, tail = rest.partition(END)
    file.write_text(f"{head}{START}\n{text}\n{END}{tail}")
    return True
