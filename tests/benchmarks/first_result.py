"""Seconds from the start of a new Python process to the first result of a new strategy.

    python -m tests.benchmarks.first_result --json

Each run writes a strategy with a constant that no run had before, so that its compiled code cannot
come from a cache, and starts a process that imports mmquant, reads the demo tape, runs the strategy
over it and prints its fills. The kernels themselves are compiled before, by `mmquant warmup`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import ROOT, environment, median, note, parser, show

TARGET_S = 1.2
STRATEGY = '''"""One quote a side, a constant number of ticks behind the touch."""

import mmquant as mm


@mm.strategy(params={{"order_lots": 2.0}})
def fresh(view, params, memory, quotes):
    market = view[0]
    n = 0
    for side in (1, -1):
        if side * market["position"] < {constant!r}:
            quotes[n]["side"] = side
            quotes[n]["tick"] = market["best_bid"] if side > 0 else market["best_ask"]
            quotes[n]["lots"] = int(params["order_lots"])
            n += 1
    return n
'''
SCRIPT = """import mmquant as mm

tape = mm.read_tape("parquet", {tape!r})
config = mm.Config.from_dict({{"strategy": {{"file": {file!r}, "function": "fresh"}}}})
run = mm.backtest(config, tape)
print(run.summary["fills"], flush=True)
"""


def fresh_process(folder: Path, number: int) -> tuple[float, float, int]:
    """Seconds until a new process printed the fills of a new strategy, until it ended; fills."""
    file = folder / f"fresh_{number}.py"
    file.write_text(STRATEGY.format(constant=20.0 + time.time_ns() % 10**9 * 1e-6))
    tape = ROOT / "datasets" / "demo" / "demo.parquet"
    code = SCRIPT.format(tape=str(tape), file=str(file))
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.readline()
        seconds = time.perf_counter() - started
    ended = time.perf_counter() - started
    if process.returncode != 0 or not printed:
        raise SystemExit(f"the new process failed with code {process.returncode}")
    return seconds, ended, int(printed)


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument("--no-warmup", action="store_true", help="take the kernels' cache as it is")
    a = p.parse_args(argv)
    if not a.no_warmup:
        note("mmquant warmup")
        subprocess.run([sys.executable, "-m", "mmquant", "warmup"], stdout=sys.stderr, check=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = [fresh_process(Path(folder), i) for i in range(max(a.repeat, 1))]
    times = [seconds for seconds, _, _ in runs]
    result: dict[str, Any] = {
        "seconds": round(median(times), 3),
        "target_s": TARGET_S,
        "within_target": median(times) <= TARGET_S,
        "fastest_s": round(min(times), 3),
        "slowest_s": round(max(times), 3),
        "to_exit_s": round(median([ended for _, ended, _ in runs]), 3),
        "fills": runs[-1][2],
        "repeat": len(times),
        **environment(),
    }
    show(result, a.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
