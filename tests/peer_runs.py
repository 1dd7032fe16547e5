"""Runs of hftbacktest 2.4.4 on random tapes, recorded by ``tests/make_peer_runs.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = Path(__file__).with_name("peer_runs.npz")
SETTINGS = (
    "interval_ns",
    "entry_latency_ns",
    "response_latency_ns",
    "half_spread_ticks",
    "skew_ticks",
    "order_lots",
    "max_orders",
    "maker_fee",
)
COLUMNS = ("exch_ts", "local_ts", "kind", "side", "tick", "size")
PATH = ("timestamp", "price", "position", "balance", "fee", "num_trades")


class PeerRun(NamedTuple):
    """One recorded run. Ticks are 0.1, lots are 0.001; ``queue`` is the peer tool's name.

    ``clears`` says whether the tape has CLEAR rows, which the peer does not clear whole.
    """

    name: str
    queue: str
    clears: bool
    settings: dict[str, Any]
    columns: dict[str, np.ndarray]
    path: dict[str, np.ndarray]


def peer_runs() -> list[PeerRun]:
    """All recorded runs."""
    with np.load(FILE) as file:
        data = dict(file)
    runs = []
    for i in range(int(data["runs"])):
        queue = str(data[f"{i}/queue"])
        columns = {name: data[f"{i}/{name}"] for name in COLUMNS}
        runs.append(
            PeerRun(
                f"{i}-{queue}",
                queue,
                bool((columns["kind"] == 3).any()),
                {name: data[f"{i}/{name}"].item() for name in SETTINGS},
                columns,
                {name: data[f"{i}/{name}"] for name in PATH},
            )
        )
    return runs
