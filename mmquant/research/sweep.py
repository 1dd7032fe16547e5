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
from mmquant.errors import UsageError
from mmquant.research.calibration.settings import calibrated
from mmquant.research.grid import check_keys, values_of
from mmquant.trading.arguments import check_arguments
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
"""Most sets that share one replay of the tape: more would not stay in the processor's cache."""
MOST_SETS = 100_000
MEASURES = {
    "net_pnl": ("ccy", "equity at the last decision that has one; NaN if none has"),
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


Path = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Times (n,) [ns], equity (n,) [ccy] and position (n, instruments) [units] of one set."""


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
        where the grid is empty or too large, or names a key that does not vary in a sweep.
    """
    check_arguments(config=config, tape=tape, strategy=strategy)
    grid = {key: values_of(key, values) for key, values in grid.items()}
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
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}", fix="give a number from 1, or leave it out")
    workers = threads or os.cpu_count() or 1
    blocks = _blocks(settings, tape, grid, strategy, block_size(count, workers))
    done = 0
    out: dict[str, np.ndarray] = {}
    kept: dict[int, Path] = {}
    columns = {id(b.session): tape_columns(b.session.tape, b.session.config) for b in blocks}
    loop = bind_loop(_halves(blocks[0], columns, paths))
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda block: _run_block(block, columns, paths, loop), blocks)
        for block, (measures, found) in zip(blocks, results, strict=True):
            for name, values in measures.items():
                out.setdefault(name, np.zeros(count, values.dtype))[block.members] = values
            kept |= dict(zip(block.members, found, strict=False))
            done += len(block.members)
            if progress is not None:
                progress(done, count)
    return _dataset(grid, shape, out, kept)


def block_size(sets: int, threads: int) -> int:
    """Sets a block, so that all threads have blocks of about the same size; BLOCK at most."""
    rounds = math.ceil(sets / (threads * BLOCK))
    return math.ceil(sets / (threads * rounds))


def _blocks(
    config: Config,
    tape: xr.Dataset | None,
    grid: Mapping[str, Sequence[Any]],
    strategy: Any,
    size: int,
) -> list[_Block]:
    """Points of the grid, those that differ in parameters only together.

    They are dealt out to blocks in turns: neighbours cost about the same, so all blocks do.
    """
    first = {key: values[0] for key, values in grid.items()}
    base = open_session(config.replaced(first), tape, strategy)
    check_keys(grid, base.strategy)
    groups: dict[str, _Block] = {}
    for member, point in enumerate(product(*grid.values())):
        one = config.replaced(dict(zip(grid, point, strict=True)))
        key = _shared_key(one)
        if key not in groups:
            groups[key] = _Block(open_session(one, base.tape, base.strategy), [], [])
        groups[key].members.append(member)
        groups[key].params.append(configured_params(one, base.tape, base.strategy))
    out: list[_Block] = []
    for group in groups.values():
        count = math.ceil(len(group.members) / size)
        out += [
            _Block(group.session, group.members[i::count], group.params[i::count])
            for i in range(count)
        ]
    return out


def _shared_key(config: Config) -> str:
    """What sets of one block must have in common."""
    data = config.as_dict()
    quoting = data.pop("quoting")
    data["strategy"].pop("params")
    table = [quoting["model"], quoting["max_orders_held"]]
    if quoting["theo"] == "micro_price":
        table.append(quoting["micro_price_file"])
    same = [quoting["size_tolerance_lots"], len(quoting["layers"]), table]
    return json.dumps([data, same], sort_keys=True, default=str)


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


def _run_block(
    block: _Block, columns: Mapping[int, Any], paths: bool, loop: Any
) -> tuple[dict[str, np.ndarray], list[Path]]:
    """What is kept of a block: its engine, some megabytes, is let go."""
    halves, logs = run_halves(_halves(block, columns, paths), loop=loop)
    return measures_of(halves.local), _paths(halves.local, logs) if paths else []


def measures_of(local: Local) -> dict[str, np.ndarray]:
    """The MEASURES of all sets of a run that kept them, each of shape (sets,)."""
    sets = local.set
    rows = local.settled.reshape(len(sets), len(local.instrument))
    return {
        "net_pnl": sets["equity"],
        "spread_pnl": sets["spread_pnl"],
        "inventory_pnl": sets["inventory_pnl"],
        "fees": sets["fees"],
        "max_drawdown": np.where(np.isnan(sets["equity"]), np.nan, sets["max_drawdown"]),
        "fills": rows["fills"].sum(axis=1),
        "volume": rows["volume"].sum(axis=1),
        "traded_value": rows["gross_value"].sum(axis=1),
        "orders": sets["next_number"] - 1,
        "messages": sets["messages"],
        "denied": sets["denied"],
        "throttled": sets["throttled"],
        "final_position": rows["lots"].sum(axis=1),
        "max_abs_position": sets["max_abs_lots"],
        "decisions": sets["decisions"],
    }


def _paths(local: Local, logs: Logs) -> list[Path]:
    """The path of each set."""
    rows, instruments = logs.rows("path"), len(local.instrument)
    found = []
    for owner in range(len(local.set)):
        mine = rows[rows["set"] == owner].reshape(-1, instruments)
        found.append((mine["time"][:, 0], mine["equity"].sum(axis=1), mine["position"].copy()))
    return found


def _dataset(
    grid: Mapping[str, Sequence[Any]],
    shape: tuple[int, ...],
    out: Mapping[str, np.ndarray],
    kept: Mapping[int, Path],
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
