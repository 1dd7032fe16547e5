"""Many parameter sets over one tape, against as many runs of hftbacktest on both processors.

    python -m tests.benchmarks.sweep --json --peer-python .peer/bin/python

256 sets of the reference strategy re-quote at every step, on two threads: half spreads and skews
differ. The events are those of MMQUANT_REAL_DATA's recording, or of a random market. The peer has
no sweep: it runs one set after the other, in two processes at once. Its time for all sets is that
of some runs, scaled up.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.fees import FeeRates
from mmquant.data.readers import read_tape
from mmquant.research.reference import reference_config
from mmquant.research.sweep import block_size
from mmquant.trading.compiled import bind_loop, run_halves
from mmquant.trading.halves import make_halves, tape_columns
from mmquant.trading.strategy import SKEW
from tests.benchmarks.harness import add_tape_options, environment, median, note, parser, show
from tests.benchmarks.peer_hftbacktest import Peer, events_of

SHARED = {"entry_latency": 1_000_000, "response_latency": 1_000_000}
ORDER_LOTS, MAX_ORDERS = 5.0, 10.0


def sets_of(count: int) -> list[dict[str, float]]:
    """Parameters of the sets: near and far, leaning little and much."""
    side = math.ceil(math.sqrt(count))
    return [
        {
            "half_spread_ticks": 1.0 + 4.0 * (i % side) / side,
            "skew_ticks": 0.1 + 0.9 * (i // side) / side,
            "order_lots": ORDER_LOTS,
            "max_position_lots": ORDER_LOTS * MAX_ORDERS,
        }
        for i in range(count)
    ]


def run_ours(tape: xr.Dataset, *, interval_ns: int, sets: int, threads: int) -> tuple[float, Any]:
    """Seconds of one sweep, warm, and the blocks that ran."""
    config = reference_config(
        interval_ns=interval_ns,
        entry_latency_ns=SHARED["entry_latency"],
        response_latency_ns=SHARED["response_latency"],
        half_spread_ticks=2.0,
        skew_ticks=0.5,
        order_lots=ORDER_LOTS,
        max_orders=MAX_ORDERS,
        queue="power3_3",
    )
    columns, params = tape_columns(tape, config), sets_of(sets)
    count = math.ceil(sets / block_size(sets, threads))
    blocks = [
        make_halves(
            config,
            tape,
            SKEW,
            rates=[FeeRates()],
            params=params[i::count],
            keep_tables=False,
            keep_path=False,
            keep_summary=True,
            columns=columns,
        )
        for i in range(count)
    ]
    loop = bind_loop(blocks[0])
    with ThreadPoolExecutor(threads) as pool:
        # The threads are up, as the peer's processes are.
        together = threading.Barrier(threads)
        list(pool.map(lambda _: together.wait(), range(threads)))
        started = time.perf_counter()
        list(pool.map(lambda one: run_halves(one, loop=loop), blocks))
        return time.perf_counter() - started, blocks


def peer_seconds(python: str, events: Path, folder: Path, interval: int, runs: int) -> float:
    """Seconds of one warm run of the peer while another runs beside it."""
    options = [f"--interval={interval}", "--depth=roi", "--queue=power3_3"]
    options += [f"--{name.replace('_', '-')}={value}" for name, value in SHARED.items()]
    options += [f"--order-lots={ORDER_LOTS}", f"--max-orders={MAX_ORDERS}"]
    with (
        Peer(python, events, folder / "a.npz", options) as a,
        Peer(python, events, folder / "b.npz", options) as b,
    ):
        for peer in (a, b):
            peer.answer()
        times = []
        for _ in range(runs):
            for peer in (a, b):
                peer.start()
            times += [peer.finished() for peer in (a, b)]
        for peer in (a, b):
            peer.path()
    return median(times)


def measure(a: argparse.Namespace, folder: Path) -> dict[str, Any]:
    events, what = events_of(a, folder)
    tape = read_tape("neutral", events)
    rows = tape.sizes["event"]
    run_ours(tape, interval_ns=a.interval, sets=a.sets, threads=a.threads)
    times = []
    for _ in range(a.repeat):
        seconds, blocks = run_ours(tape, interval_ns=a.interval, sets=a.sets, threads=a.threads)
        times.append(seconds)
    seconds = median(times)
    decisions = sum(int(one.local.set["decisions"].sum()) for one in blocks)
    fills = np.concatenate([one.local.position["fills"] for one in blocks])
    result: dict[str, Any] = {
        "strategy_rows_per_s": round(rows * a.sets / seconds),
        "ratio": None,
        "ns_per_decision": round(1e9 * seconds * a.threads / decisions, 2),
        "min_fills": int(fills.min()),
        "seconds": round(seconds, 6),
        "events": what,
        "rows": rows,
        "sets": a.sets,
        "decisions": decisions,
        "interval": a.interval,
        "threads": a.threads,
    }
    if a.peer_python:
        one = peer_seconds(a.peer_python, events, folder, a.interval, a.peer_runs)
        result["peer_seconds"] = round(one * math.ceil(a.sets / 2), 3)
        result["ratio"] = round(result["peer_seconds"] / seconds, 1)
    else:
        note("no --peer-python: the ratio is left out")
    return result


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    add_tape_options(p)
    p.add_argument("--peer-python", default="", metavar="PATH")
    p.add_argument("--peer-runs", type=int, default=10, help="timed runs of each peer process")
    p.add_argument("--interval", type=int, default=100_000_000, help="between decisions [ns]")
    p.add_argument("--sets", type=int, default=256)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        result = measure(a, Path(name))
    show(result | environment(), a.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
