"""Us and hftbacktest side by side: the same strategy on the same events, compared step by step.

    python -m tests.benchmarks.peer_hftbacktest EVENTS.npz --peer-python .peer/bin/python --json

Both replay a neutral event file (peer_side.py says what that is; without one the recording of
MMQUANT_REAL_DATA is taken, or a random market written) with the reference market maker, whole-order
fills and constant latencies. The paths are compared at every decision; then both loops are timed in
turns, warm, one thread each, recording included. The peer needs an environment of its own, because
it pins other versions:

    python3 -m venv .peer && .peer/bin/pip install hftbacktest==2.4.4
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tests.benchmarks.harness import (
    GENERATED_ROWS,
    add_tape_options,
    alternate,
    environment,
    median,
    note,
    parser,
    recording,
    show,
)
from tests.benchmarks.peer_side import FIELDS, add_options

PEER_SIDE = Path(__file__).with_name("peer_side.py")
PASSED_ON = (
    "depth",
    "queue",
    "interval",
    "entry_latency",
    "response_latency",
    "half_spread",
    "skew",
    "order_lots",
    "max_orders",
    "maker_fee",
)
SETUP = """The peer needs a Python of its own that has hftbacktest 2.4.4:
    python3 -m venv .peer && .peer/bin/pip install hftbacktest==2.4.4
then give it with --peer-python .peer/bin/python (or PEER_PYTHON in the environment)."""
TOLERANCE = 1e-9
UNEQUAL = 1e300
"""Stands for a difference that is no number: a value on one side only, or no common step."""

Path_ = dict[str, np.ndarray]


def stay_on_one_core() -> None:
    """Keep this process and the peer on one core: moved about, both run with cold caches."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Peer:
    """The peer in a process of its own, which runs once each time it is asked to."""

    def __init__(self, python: str, events: Path, out: Path, options: list[str]) -> None:
        command = [python, str(PEER_SIDE), str(events), "--serve", "--out", str(out), *options]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean()
            )
        except OSError as error:
            raise SystemExit(f"cannot run {python}: {error.strerror}\n{SETUP}") from error
        self.out = out

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None and kind is not None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()

    def answer(self) -> dict[str, Any]:
        """The next line that the peer prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise SystemExit(f"the peer ended with exit code {code}\n{SETUP}")
        reply: dict[str, Any] = json.loads(line)
        if reply["rc"] != 1:
            raise SystemExit(f"the peer stopped with code {reply['rc']} instead of the data's end")
        return reply

    def start(self) -> None:
        """Have it run once more."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finished(self) -> float:
        """Wait for its run; seconds of its loop."""
        return float(self.answer()["seconds"])

    def seconds(self) -> float:
        """Run once more; seconds of its loop."""
        self.start()
        return self.finished()

    def path(self) -> Path_:
        """End the process and read the path of its last run."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        with np.load(self.out) as file:
            return {name: file[name] for name in FIELDS}


def clean() -> dict[str, str]:
    """The environment without what would lead another Python to our packages."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "NUMBA", "VIRTUAL"))}


def equity(path: Path_) -> np.ndarray:
    """Equity at the mid; cash alone where nothing is held."""
    held = np.where(path["position"] == 0.0, 0.0, path["position"] * path["price"])
    return np.asarray(path["balance"] + held - path["fee"])


def largest(ours: np.ndarray, theirs: np.ndarray, scale: float) -> float:
    """Largest difference, relative to ``scale``; a NaN equals a NaN."""
    one_sided = np.isnan(ours) != np.isnan(theirs)
    if one_sided.any() or len(ours) == 0:
        return UNEQUAL
    difference = np.abs(ours - theirs)
    return float(np.nan_to_num(difference).max() / scale)


def scale_of(values: np.ndarray) -> float:
    return float(max(1.0, np.nanmax(np.abs(values), initial=0.0)))


def compare(ours: Path_, theirs: Path_) -> dict[str, Any]:
    """How the two paths differ, over the steps that both have."""
    n = min(len(ours["timestamp"]), len(theirs["timestamp"]))
    same_steps = len(ours["timestamp"]) == len(theirs["timestamp"]) and bool(
        (ours["timestamp"][:n] == theirs["timestamp"][:n]).all()
    )
    a = {name: values[:n] for name, values in ours.items()}
    b = {name: values[:n] for name, values in theirs.items()}
    fills_differ = np.flatnonzero(a["num_trades"] != b["num_trades"])
    position = largest(a["position"], b["position"], scale_of(b["position"]))
    money = largest(equity(a), equity(b), scale_of(equity(b)))
    return {
        "steps": len(theirs["timestamp"]),
        "steps_equal": same_steps,
        "fills_equal": same_steps and len(fills_differ) == 0,
        "first_unequal_step": int(fills_differ[0]) if len(fills_differ) else (-1 if n else 0),
        "path_max_abs_diff": max(position, money),
        "position_diff": position,
        "equity_diff": money,
        "fills": int(theirs["num_trades"][-1]) if n else 0,
        "position": float(b["position"][-1]) if n else 0.0,
        "equity": finite(equity(b)[-1]) if n else 0.0,
    }


def finite(value: float) -> float:
    """JSON has no NaN: an equity without a mid is reported as 0."""
    return float(value) if math.isfinite(value) else 0.0


def our_runner(events: Path, a: argparse.Namespace) -> Callable[[], tuple[Path_, float]]:
    """Our side: the prepared tape and a function that runs once."""
    import mmquant as mm
    from mmquant.research.reference import run_reference

    tape = mm.read_tape("neutral", events, allow_crossed=True)

    def once() -> tuple[Path_, float]:
        return run_reference(
            tape,
            interval_ns=a.interval,
            entry_latency_ns=a.entry_latency,
            response_latency_ns=a.response_latency,
            half_spread_ticks=a.half_spread,
            skew_ticks=a.skew,
            order_lots=int(a.order_lots),
            max_orders=a.max_orders,
            maker_fee=a.maker_fee,
            queue=a.queue,
        )

    return once


def events_of(a: argparse.Namespace, folder: Path) -> tuple[Path, str]:
    """The neutral file that was asked for, and what it is."""
    from mmquant.data.readers.neutral import write_neutral
    from mmquant.data.synthetic import make_random_tape

    if a.events:
        return Path(a.events), Path(a.events).name
    found = None if a.rows else recording()
    if found is not None:
        note(f"no event file given: {found.name} of MMQUANT_REAL_DATA")
        return found, found.name
    rows, seed = a.rows or GENERATED_ROWS, a.seed
    note(f"a random market of {rows:,} rows, seed {seed}")
    path = folder / "events.npz"
    write_neutral(make_random_tape(rows, seed), path)
    return path, f"random, seed {seed}"


def side_by_side(a: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run, compare and time both."""
    events, what = events_of(a, folder)
    options = [f"--{name.replace('_', '-')}={getattr(a, name)}" for name in PASSED_ON]
    with Peer(a.peer_python, events, folder / "peer.npz", options) as peer:
        ours = our_runner(events, a)  # while the peer compiles
        path, first = ours()
        start = peer.answer()
        rows = int(start["rows"])
        our_times, peer_times = alternate([lambda: ours()[1], peer.seconds], a.repeat)
        result = compare(path, peer.path())
    our_s, peer_s = median(our_times), median(peer_times)
    return {
        **{k: result[k] for k in ("fills_equal", "path_max_abs_diff")},
        "ours_rows_per_s": round(rows / our_s),
        "peer_rows_per_s": round(rows / peer_s),
        "ratio": round(peer_s / our_s, 3),
        "rows": rows,
        **{k: v for k, v in result.items() if k not in ("fills_equal", "path_max_abs_diff")},
        "ours_warm_s": round(our_s, 6),
        "peer_warm_s": round(peer_s, 6),
        "ours_first_s": round(first, 4),
        "peer_first_s": round(float(start["first_s"]), 4),
        "repeat": a.repeat,
        "events": what,
        **{name: getattr(a, name) for name in PASSED_ON},
        **environment(),
    }


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    add_tape_options(p)
    p.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), metavar="PATH")
    add_options(p)
    a = p.parse_args(argv)
    stay_on_one_core()
    if not a.peer_python:
        p.exit(2, f"--peer-python is missing.\n{SETUP}\n")
    if a.events and not Path(a.events).is_file():
        p.exit(2, f"the event file does not exist: {a.events}\n")
    if a.order_lots != int(a.order_lots) or a.order_lots < 1:
        p.exit(2, "--order-lots must be a whole number from 1\n")
    with tempfile.TemporaryDirectory() as folder:
        result = side_by_side(a, Path(folder))
    show(result, a.json)
    equal = result["fills_equal"] and result["path_max_abs_diff"] <= TOLERANCE
    if not equal:
        note("the two paths differ")
    return 0 if equal else 4


if __name__ == "__main__":
    sys.exit(main())
