"""The runs of the scaling benchmark: tapes, settings, and one timed run of each size."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core.engine import Tape
from mmquant.data.fees import FeeRates
from mmquant.data.synthetic import RANDOM_RATE, make_demo_tape, make_random_tape, random_chunks
from mmquant.data.tape import contracts_of
from mmquant.research.sweep import block_size
from mmquant.trading.compiled import bind_loop, run_halves
from mmquant.trading.halves import Halves, configured_params, make_halves
from mmquant.trading.maker import MAKER

ORDER_LOTS = 100
ROWS_PER_MINUTE = 66_000
"""Rows of a random market in a minute, about."""
SHORTEST_MINUTES = 0.01
CHUNK_ROWS = 1_000_000
TYPES: dict[str, Any] = {
    "exch_ts": np.int64,
    "local_ts": np.int64,
    "kind": np.int8,
    "side": np.int8,
    "tick": np.int32,
    "subtick": np.float32,
    "size": np.int32,
    "inst": np.int16,
}


@dataclass(frozen=True)
class Timed:
    """One size of a sweep, timed: what was done, and in how many seconds."""

    size: int
    seconds: float
    rows: int
    sets: int
    decisions: int
    fills: int
    """Of all sets and instruments."""


def long_tape(rows: int, seed: int = 0) -> tuple[xr.Dataset, Tape]:
    """A random tape of one instrument: its head as a Dataset, and all its columns.

    The columns, 32 bytes a row, are filled piece by piece: a Dataset of them needs three times as
    much while it is built.
    """
    columns = {name: np.zeros(rows, dtype) for name, dtype in TYPES.items()}
    done = 0
    for chunk in random_chunks(rows, seed, chunk_rows=min(rows, CHUNK_ROWS)):
        count = len(chunk["exch_ts"])
        for name in TYPES:
            if name in chunk:
                columns[name][done : done + count] = chunk[name]
        done += count
    return make_random_tape(1_000, seed), Tape(**columns, order=np.zeros(0, np.int64))


def first_rows(tape: Tape, rows: int) -> Tape:
    """The first rows of a tape in order of receipt, without a copy."""
    columns = {name: getattr(tape, name)[:rows] for name in TYPES}
    return Tape(**columns, order=tape.order)


def busy_tape(instruments: int, rows: int, seed: int = 7) -> xr.Dataset:
    """A tape of so many instruments, each as busy as a random tape, of about ``rows`` in all."""
    minutes = max(rows / ROWS_PER_MINUTE / instruments, SHORTEST_MINUTES)
    return make_demo_tape(
        seed=seed, minutes=minutes, rate_scale=RANDOM_RATE, instruments=instruments
    )


def settings(*, interval_ns: int, layers: int = 1, instruments: int = 1) -> Config:
    """The built-in quoting at a fixed spread, leaning against its inventory."""
    asked = 4 * layers * instruments
    return Config.from_dict(
        {
            "strategy": {"name": "maker"},
            "quoting": {
                "half_spread_ticks": 2,
                "order_lots": ORDER_LOTS,
                "skew": {"ticks": 0.5},
                "layers": [{"offset_ticks": i} for i in range(layers)],
                "max_position_lots": 20 * ORDER_LOTS,
            },
            "decision": {"interval_ns": interval_ns},
            "limits": {"max_open_orders": max(64, asked), "prevent_own_cross": False},
        }
    )


def sets_of(config: Config, head: xr.Dataset, count: int) -> list[dict[str, float]]:
    """Parameters of so many sets: near and far, leaning little and much."""
    side = math.ceil(math.sqrt(count))
    base = configured_params(config, head, MAKER)
    return [
        base
        | {
            "half_spread_ticks": 1.0 + 4.0 * (i % side) / side,
            "skew_ticks": 0.1 + 0.9 * (i // side) / side,
        }
        for i in range(count)
    ]


def run_alone(config: Config, head: xr.Dataset, columns: Tape, size: int) -> Timed:
    """One run of one set with all that a backtest keeps of it."""
    halves = make_halves(
        config,
        head,
        MAKER,
        rates=[FeeRates()] * len(contracts_of(head)),
        params=[configured_params(config, head, MAKER)],
        columns=columns,
    )
    loop = bind_loop(halves)
    started = time.perf_counter()
    halves, _ = run_halves(halves, loop=loop)
    return timed(size, time.perf_counter() - started, [halves])


def run_sets(
    config: Config,
    head: xr.Dataset,
    columns: Tape,
    params: Sequence[dict[str, float]],
    threads: int,
) -> Timed:
    """One pass of many sets with what a sweep keeps of them, in blocks on threads."""
    size = block_size(len(params), threads)
    blocks = [
        make_halves(
            config,
            head,
            MAKER,
            rates=[FeeRates()],
            params=params[i : i + size],
            keep_tables=False,
            keep_path=False,
            keep_summary=True,
            columns=columns,
        )
        for i in range(0, len(params), size)
    ]
    loop = bind_loop(blocks[0])
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda one: run_halves(one, loop=loop), blocks))
    return timed(len(params), time.perf_counter() - started, blocks)


def timed(size: int, seconds: float, blocks: Sequence[Halves]) -> Timed:
    """What was done in the seconds; an instrument or a set without fills was not measured."""
    fills = np.concatenate([one.local.position["fills"] for one in blocks])
    idle = int((fills == 0).sum())
    if idle:
        raise SystemExit(f"size {size}: {idle} of {len(fills)} books had no fills: give more rows")
    sets = sum(len(one.local.set) for one in blocks)
    decisions = sum(int(one.local.set["decisions"].sum()) for one in blocks)
    return Timed(size, seconds, len(blocks[0].tape.exch_ts), sets, decisions, int(fills.sum()))
