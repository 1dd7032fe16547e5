"""A tape larger than memory is to be: generated, written to disk, and backtested from there.

    python -m tests.benchmarks.large_tape --json
    python -m tests.benchmarks.large_tape --rows 5000000

The backtest is the command ``mmquant backtest`` in a process of its own, saving the run included;
its memory is what the system says of that process. The tape needs 48 bytes a row on disk, and the
run half as much again while it goes on; both are deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mmquant.data.synthetic import write_random_tape
from mmquant.research.reference import reference_config
from tests.benchmarks.harness import ROOT, environment, note, parser, show

ROWS = 200_000_000
LIMIT_MB = 2_000.0


def write_config(folder: Path, tape: Path) -> Path:
    """The reference strategy over the tape, a decision each 100 ms."""
    config = reference_config(
        interval_ns=100_000_000,
        entry_latency_ns=1_000_000,
        response_latency_ns=1_000_000,
        half_spread_ticks=2.0,
        skew_ticks=0.5,
        order_lots=5.0,
        max_orders=10.0,
        queue="power3_3",
    )
    settings = config.replaced({"tape.format": "mapped", "tape.path": str(tape)})
    file = folder / "config.yaml"
    file.write_text(settings.to_yaml(), encoding="utf-8")
    return file


def run_backtest(config: Path, out: Path) -> tuple[dict[str, Any], float, float]:
    """What the command printed, its seconds, and the most memory of its process. [MB]"""
    command = [sys.executable, "-m", "mmquant", "backtest", str(config), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the backtest ended with exit code {process.returncode}: {text}")
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    return json.loads(text.splitlines()[-1]), seconds, used.ru_maxrss * unit / 1e6


def measure(a: argparse.Namespace, folder: Path) -> dict[str, Any]:
    tape = folder / "large.tape"
    started = time.perf_counter()
    write_random_tape(tape, a.rows, a.seed)
    written = time.perf_counter() - started
    size = sum(file.stat().st_size for file in tape.iterdir())
    note(f"{size / 1e9:.2f} GB written in {written:.0f} s")
    told, seconds, peak = run_backtest(write_config(folder, tape), folder / "run")
    return {
        "rows_per_s": round(a.rows / seconds),
        "peak_memory_mb": round(peak, 1),
        "within_limit": peak < LIMIT_MB,
        "seconds": round(seconds, 2),
        "rows": a.rows,
        "tape_gb": round(size / 1e9, 3),
        "written_s": round(written, 2),
        "decisions": told["engine_decisions"],
        "fills": told["fills"],
        "digest": told["digest"],
    }


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument("--rows", type=int, default=ROWS, help="rows of the generated market")
    p.add_argument("--seed", type=int, default=0, help="seed of the generated market")
    p.add_argument("--folder", help="where the tape is written; else that for temporary files")
    a = p.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=a.folder) as name:
        result = measure(a, Path(name))
    show(result | environment(), a.json)
    return 0 if result["within_limit"] else 4


if __name__ == "__main__":
    raise SystemExit(main())
