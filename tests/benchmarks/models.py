"""Milliseconds for 1,000 paths of Avellaneda and Stoikov (2008), nanoseconds for an exact quote.

    python -m tests.benchmarks.models --json

The paths are those of the paper, 200 steps each, through the function that a notebook calls: random
numbers, table and Dataset included, one thread, warm. An exact quote is bid and ask distance from a
table of up to 10, and of up to 30, order sizes either way, 10 minutes before the end.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from mmquant.core.exact_quotes import exact_distances
from mmquant.core.jit import kernel
from mmquant.research.avellaneda_stoikov import simulate_avellaneda_stoikov
from mmquant.trading.quote_tables import gueant_table
from tests.benchmarks.harness import alternate, environment, median, parser, show

TARGET_MS = 10.0
PAPER = {"gamma": 0.1, "sigma": 2.0, "k": 1.5, "A": 140.0, "horizon_s": 1.0, "steps": 200}
FIGURES = {"gamma": 0.01, "sigma": 0.3, "A": 0.9, "k": 0.3, "xi": 0.01}
QUOTES = 200_000


@kernel
def quote_often(table, count, total):
    """Quote with another time left and inventory each time, as a backtest does."""
    for i in range(count):
        bid, ask = exact_distances(table, 600.0 - 1e-3 * i, float(i % 5 - 2))
        total[0] += bid + ask


def seconds_of_paths(strategy: str) -> float:
    started = time.perf_counter()
    simulate_avellaneda_stoikov(**PAPER, paths=1_000, seed=1, strategy=strategy)
    return time.perf_counter() - started


def seconds_of_quotes(table: np.ndarray) -> float:
    total = np.zeros(1)
    started = time.perf_counter()
    quote_often(table, QUOTES, total)
    return time.perf_counter() - started


def main(argv: list[str] | None = None) -> int:
    a = parser(__doc__).parse_args(argv)
    small, large = (gueant_table(**FIGURES, q_max=q_max) for q_max in (10, 30))
    inventory, symmetric, quotes_10, quotes_30 = alternate(
        [
            lambda: seconds_of_paths("inventory"),
            lambda: seconds_of_paths("symmetric"),
            lambda: seconds_of_quotes(small),
            lambda: seconds_of_quotes(large),
        ],
        a.repeat,
    )
    paths_ms = 1e3 * median(inventory)
    result: dict[str, Any] = {
        "paths_1000_ms": round(paths_ms, 3),
        "target_ms": TARGET_MS,
        "within_target": paths_ms <= TARGET_MS,
        "symmetric_1000_ms": round(1e3 * median(symmetric), 3),
        "slowest_ms": round(1e3 * max(inventory), 3),
        "exact_quote_q10_ns": round(1e9 * median(quotes_10) / QUOTES, 1),
        "exact_quote_q30_ns": round(1e9 * median(quotes_30) / QUOTES, 1),
        "repeat": len(inventory),
        **environment(),
    }
    show(result, a.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
