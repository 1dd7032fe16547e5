"""Record runs of hftbacktest 2.4.4 on random tapes into ``tests/peer_runs.npz``.

    .peer/bin/python -m tests.make_peer_runs

under a Python that has hftbacktest (see tests/benchmarks/peer_side.py). The tests then compare with
the peer wherever they run.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.peer_side import FIELDS, QUEUES, load_events, run_once
from tests.random_rows import random_rows

OUT = Path(__file__).with_name("peer_runs.npz")
ROWS = 1200
LATENCIES = ((1_000_000, 1_000_000), (1, 1), (250_000_000, 40_000_000))
SETS = (
    {"half_spread": 0.5, "skew": 0.1, "order_lots": 3, "max_orders": 4.0, "maker_fee": -0.0001},
    {"half_spread": 1.0, "skew": 0.5, "order_lots": 5, "max_orders": 10.0, "maker_fee": 0.0},
    {"half_spread": 0.0, "skew": 1.0, "order_lots": 7, "max_orders": 2.0, "maker_fee": 0.0002},
)


def write_events(path: Path, columns: dict[str, np.ndarray]) -> None:
    """A neutral file of ticks of 0.1 and lots of 0.001."""
    np.savez(
        path,
        exch_ts=columns["exch_ts"],
        local_ts=columns["local_ts"],
        kind=columns["kind"].astype(np.uint8),
        side=columns["side"],
        px_tick=columns["tick"].astype(np.int64),
        qty=columns["size"] / 1000,
        tick_size=0.1,
        lot_size=0.001,
    )


def main() -> None:
    kept: dict[str, np.ndarray] = {}
    for i in range(10):
        columns = random_rows(
            ROWS, i, clears=i >= 5, wide=i % 2 == 1, feed_latency_ns=(500_000, 0, 30_000_000)[i % 3]
        )
        entry, response = LATENCIES[i % 3]
        a = Namespace(
            queue=QUEUES[i % 5],
            interval=(10_000_000, 33_333_333)[i % 2],
            entry_latency=entry,
            response_latency=response,
            depth="roi",
            **SETS[(i // 2) % 3],
        )
        with TemporaryDirectory() as folder:
            file = Path(folder) / "events.npz"
            write_events(file, columns)
            path, _, _ = run_once(*load_events(file), a)
        settings = {
            "queue": a.queue,
            "interval_ns": a.interval,
            "entry_latency_ns": entry,
            "response_latency_ns": response,
            "half_spread_ticks": a.half_spread,
            "skew_ticks": a.skew,
            "order_lots": a.order_lots,
            "max_orders": a.max_orders,
            "maker_fee": a.maker_fee,
        }
        every = {**columns, **settings, **{name: path[name] for name in FIELDS}}
        kept |= {f"{i}/{name}": np.asarray(value) for name, value in every.items()}
    np.savez_compressed(OUT, runs=10, **kept)


if __name__ == "__main__":
    main()
