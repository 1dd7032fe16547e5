"""Many parameter sets in one pass: the same engine, a block of sets on each replay of the tape."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core.local import Local
from mmquant.core.portfolio import inventory_at
from mmquant.errors import UsageError
from mmquant.research.calibration.settings import calibrated
from mmquant.trading.compiled import bind_loop, run_halves
from mmquant.trading.halves import (
    Halves,
    Session,
    configured_params,
    configured_tape,
    make_halves,
    open_session,
    tape_columns,
)
from mmquant.trading.logs import Logs
from mmquant.trading.strategy import Strategy

BLOCK = 128
"""Sets that share one replay of the tape: more of them would not stay in the processor's cache."""
MOST_SETS = 1_000_000
MEASURES = {
    "net_pnl": ("ccy", "equity at the last decision"),
    "spread_pnl": ("ccy", "spread captured against the mid just before each fill"),
    "inventory_pnl": ("ccy", "what moves of the mid did to the inventory"),
    "fees": ("ccy", "fees paid"),
    "max_drawdown": ("ccy", "largest fall of equity from an earlier peak"),
    "fills": ("", "executions up to the last decision"),
    "volume": ("units", "units traded up to then"),
    "traded_value": ("ccy", "price times units times multiplier of these"),
    "orders": ("", "orders sent"),
    "messages": ("", "orders placed, modified and cancelled"),
    "denied": ("", "quotes that a limit left out"),
    "throttled": ("", "messages held back by the message limit"),
    "final_position": ("lots", "position at the last decision; of several instruments, the sum"),
    "max_abs_position": ("lots", "largest position at a decision, of any one instrument"),
    "decisions": ("", "decisions taken"),
}
"""Variables of a sweep: unit and meaning."""


@dataclass
class _Block:
    """Sets that run together, by their number in the grid."""

    session: Session
    members: list[int]
    params: list[Mapping[str, Any]]


def sweep(
    config: Config | None = None,
    tape: xr.Dataset | None = None,
    *,
    grid: Mapping[str, Sequence[Any]],
    strategy: Strategy | None = None,
    paths: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Run a strategy with each combination of settings over a tape.

    Parameters
    ----------
    config : settings that all share; all defaults if not given.
    tape : a tape Dataset; read from ``config.tape`` if not given.
    grid : values of configuration keys, such as ``{"quoting.half_spread_ticks": [1, 2, 3]}``.
        Settings of the quoting and parameters of a strategy share replays of the tape.
    strategy : in place of the configured one; a user's own too.
    paths : keep equity and position at each decision as well: 16 bytes a set, instrument and step.
    threads : replays at the same time; all processors if not given.
    progress : called with sets done and sets in all.

    Returns
    -------
    Dataset
        dims are the keys of the grid; variables those of ``MEASURES``, equal bit for bit to
        that of the set run alone. With ``paths`` also ``equity`` and ``position`` over ``time``.

    Raises
    ------
    UsageError
        where the grid is empty or too large.
    """
    shape = tuple(len(values) for values in grid.values())
    count = math.prod(shape)
    if not grid or count == 0:
        raise UsageError("the grid has no points", fix="name a key and at least one value")
    if count > MOST_SETS:
        raise UsageError(f"the grid has {count:,} points", fix=f"{MOST_SETS:,} at most")
    settings = config or Config()
    if settings.quoting.calibrate_s is not None:
        tape = configured_tape(settings) if tape is None else tape
        settings = calibrated(settings, tape)
    blocks = _blocks(settings, tape, grid, strategy)
    done = 0
    out: dict[str, np.ndarray] = {name: np.full(count, np.nan) for name in MEASURES}
    kept: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    columns = {id(b.session): tape_columns(b.session.tape, b.session.config) for b in blocks}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        first = _halves(blocks[0], columns, paths)
        loop = bind_loop(first)
        jobs = [pool.submit(_run_block, block, columns, paths, loop) for block in blocks]
        for block, job in zip(blocks, jobs, strict=True):
            halves, logs = job.result()
            for owner, member in enumerate(block.members):
                for name, value in measures_of(halves.local, owner).items():
                    out[name][member] = value
                if paths:
                    kept[member] = _paths(halves.local, logs, owner)
            done += len(block.members)
            if progress is not None:
                progress(done, count)
    return _dataset(grid, shape, out, kept)


def _blocks(
    config: Config, tape: xr.Dataset | None, grid: Mapping[str, Sequence[Any]], strategy: Any
) -> list[_Block]:
    """Points of the grid in order, those that differ in parameters only together."""
    first = {key: values[0] for key, values in grid.items()}
    base = open_session(config.replaced(first), tape, strategy)
    groups: dict[str, _Block] = {}
    out: list[_Block] = []
    for member, point in enumerate(product(*grid.values())):
        one = config.replaced(dict(zip(grid, point, strict=True)))
        key = _shared_key(one)
        block = groups.get(key)
        if block is None:
            session = open_session(one, base.tape, base.strategy)
            groups[key] = block = _Block(session, [], [])
            out.append(block)
        elif len(block.members) == BLOCK:
            groups[key] = block = _Block(block.session, [], [])
            out.append(block)
        block.members.append(member)
        block.params.append(configured_params(one, base.tape, base.strategy))
    return out


def _shared_key(config: Config) -> str:
    """What sets of one block must have in common."""
    data = config.as_dict()
    size_tolerance = data["quoting"]["size_tolerance_lots"]
    layers = len(data["quoting"]["layers"])
    table = (data["quoting"]["model"], data["quoting"]["max_orders_held"])
    data.pop("quoting")
    data["strategy"].pop("params")
    return json.dumps([data, size_tolerance, layers, table], sort_keys=True, default=str)


def _halves(block: _Block, columns: Mapping[int, Any], paths: bool) -> Halves:
    session = block.session
    return make_halves(
        session.config,
        session.tape,
        session.strategy,
        rates=session.rates,
        params=block.params,
        keep_tables=False,
        keep_path=paths,
        keep_summary=True,
        columns=columns[id(session)],
    )


def run_blocks(blocks: Sequence[Halves], *, threads: int) -> list[tuple[Halves, Logs]]:
    """Run pairings that are made already, ``threads`` at a time."""
    loop = bind_loop(blocks[0])
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda one: run_halves(one, loop=loop), blocks))


def _run_block(
    block: _Block, columns: Mapping[int, Any], paths: bool, loop: Any
) -> tuple[Halves, Logs]:
    return run_halves(_halves(block, columns, paths), loop=loop)


def measures_of(local: Local, owner: int) -> dict[str, float]:
    """The MEASURES of one set of a run that kept them."""
    count = len(local.instrument)
    state = local.set[owner]
    rows = local.settled[owner * count : (owner + 1) * count]
    inventory = [
        inventory_at(row, local.instrument[i], local.views[i]["mid"]) for i, row in enumerate(rows)
    ]
    return {
        "net_pnl": float(state["equity"]),
        "spread_pnl": float(rows["spread_pnl"].sum()),
        "inventory_pnl": float(np.sum(inventory)),
        "fees": float(rows["fees"].sum()),
        "max_drawdown": float(state["max_drawdown"]),
        "fills": int(rows["fills"].sum()),
        "volume": float(rows["volume"].sum()),
        "traded_value": float(rows["gross_value"].sum()),
        "orders": int(state["next_number"]) - 1,
        "messages": int(state["messages"]),
        "denied": int(state["denied"]),
        "throttled": int(state["throttled"]),
        "final_position": int(rows["lots"].sum()),
        "max_abs_position": int(state["max_abs_lots"]),
        "decisions": int(state["decisions"]),
    }


def _paths(local: Local, logs: Logs, owner: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (n,), equity (n,) [ccy] and position (n, instruments) [units] of one set."""
    rows = logs.rows("path")
    rows = rows[rows["set"] == owner].reshape(-1, len(local.instrument))
    return rows["time"][:, 0], rows["equity"].sum(axis=1), rows["position"]


def _dataset(
    grid: Mapping[str, Sequence[Any]],
    shape: tuple[int, ...],
    out: Mapping[str, np.ndarray],
    kept: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> xr.Dataset:
    coords = {key: [_label(value) for value in values] for key, values in grid.items()}
    ds = xr.Dataset(coords=coords)
    for name, values in out.items():
        unit, text = MEASURES[name]
        ds[name] = (tuple(grid), values.reshape(shape), {"units": unit, "long_name": text})
    if not kept:
        return ds
    times = kept[0][0]
    if any(not np.array_equal(times, kept[i][0]) for i in kept):
        raise UsageError(
            "the sets decide at different times, so their paths have no common time",
            fix="sweep without paths, or with the timer alone",
        )
    equity = np.stack([kept[i][1] for i in range(len(kept))]).reshape(*shape, len(times))
    position = np.stack([kept[i][2] for i in range(len(kept))])
    ds["equity"] = ((*grid, "time"), equity, {"units": "ccy"})
    ds["position"] = (
        (*grid, "time", "inst"),
        position.reshape(*shape, *position.shape[1:]),
        {"units": "units"},
    )
    return ds.assign_coords(time=("time", times, {"units": "ns"}))


def _label(value: Any) -> Any:
    """A value as a coordinate: numbers and text as they are, all else as JSON."""
    return value if isinstance(value, int | float | str | bool) else json.dumps(value)
