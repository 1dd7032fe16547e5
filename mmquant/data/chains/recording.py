"""The option quotes of a recorder's folder, on a grid of a second.

Each quote is the last that was told by the time of its row; in a gap there is none.
"""

from __future__ import annotations

from datetime import date as Date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mmquant.calendars import expiry_moments
from mmquant.data.chains.classes import settled_at_open
from mmquant.data.chains.make import NOT_A_TIME, make_option_quotes
from mmquant.data.chains.own import check_asked
from mmquant.data.contracts import Contract
from mmquant.data.store.recording import GAPS, QUOTES, read_header, read_table
from mmquant.data.store.recording_gaps import gaps_of
from mmquant.errors import DataError, UsageError

EVERY_NS = 1_000_000_000
BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE = 0, 1, 2, 3, 4, 5
NONE = np.nan


class Series(NamedTuple):
    """Price, size and time of one side at each time of the grid; NaN, NaN, NaT where there is none.

    Times are datetime64[ns].
    """

    price: np.ndarray
    size: np.ndarray
    time: np.ndarray


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | Date | None = None,
) -> xr.Dataset:
    """Read the option quotes of a recording; each second from the first quote to the last.

    Raises
    ------
    DataError
        where it has none.
    UsageError
        where it has options of several underlyings and none is named.
    """
    header = read_header(path)
    options = [c for c in header.contracts if c.kind == "option"]
    symbol = _underlying(options, underlying, path)
    options = [c for c in options if root_of(c) == symbol]
    stock = next((c for c in header.contracts if c.symbol == symbol and c.kind != "option"), None)
    table, torn = read_table(path, QUOTES)
    wanted = np.array([c.id for c in options] + ([] if stock is None else [stock.id]))
    ticks = {name: table[name].to_numpy() for name in ("ts", "inst", "tick_type", "price", "size")}
    mine = np.isin(ticks["inst"], wanted)
    if not mine.any():
        raise DataError(f"no quotes of {symbol} were recorded yet", where=str(path))
    ts = ticks["ts"][mine]
    grid = np.arange(-(-int(ts[0]) // EVERY_NS), int(ts[-1]) // EVERY_NS + 1) * EVERY_NS
    if not grid.size:
        raise DataError("less than a second was recorded yet", where=str(path))
    spans = gaps_of(read_table(path, GAPS).rows, len(header.contracts), int(grid[-1]) + 1)
    sides = [
        [_series(ticks, one.id, kinds, grid, spans[one.id])
         for kinds in ((BID, BID_SIZE), (ASK, ASK_SIZE))]
        for one in options
    ]  # fmt: skip
    columns: dict[str, Any] = {"time": grid.astype("datetime64[ns]")} | _terms(options)
    for k, side in enumerate(("bid", "ask")):
        for name, field in (("", "price"), ("_size", "size"), ("_time", "time")):
            values = [getattr(both[k], field) for both in sides]
            columns[side + name] = np.stack(values, axis=1)
    if stock is not None:
        columns |= _stock(ticks, stock.id, grid, spans[stock.id])
    ds = make_option_quotes(
        columns,
        underlying=symbol,
        date=header.date,
        source={"format": "recording", **header.source},
        currency=options[0].currency,
        notes=[f"{torn} bytes at the end were torn"] if torn else [],
    )
    check_asked(ds, path, None, date)
    return ds


def root_of(option: Contract) -> str:
    """The underlying of an option: its symbol, or the start of its 21 characters (OSI)."""
    return option.symbol[:6].rstrip() if len(option.symbol) == 21 else option.symbol


def _underlying(options: list[Contract], asked: str | None, path: Path) -> str:
    known = sorted({root_of(c) for c in options})
    if not known:
        raise DataError("the recording has no options", where=str(path))
    if asked is not None and asked.upper() not in known:
        raise DataError(
            f"the recording has no options of {asked}", where=str(path),
            fix=f"it has {', '.join(known)}",
        )  # fmt: skip
    if asked is None and len(known) > 1:
        raise UsageError(
            f"the recording has options of {', '.join(known)}", fix="name one by underlying"
        )
    return known[0] if asked is None else asked.upper()


def _terms(options: list[Contract]) -> dict[str, np.ndarray]:
    roots = np.array([root_of(c) for c in options])
    days = np.array([c.expiry for c in options], "datetime64[D]")
    return {
        "expiry": expiry_moments(days, settled_at_open(roots)),
        "strike": np.array([c.strike for c in options], float),
        "right": np.array([c.right for c in options]),
        "root": roots,
        "multiplier": np.array([c.multiplier for c in options], float),
        "exercise": np.array([c.exercise for c in options]),
    }


def _stock(
    ticks: dict[str, np.ndarray], inst: int, grid: np.ndarray, gaps: list[tuple[int, int]]
) -> dict[str, np.ndarray]:
    bid, ask, last = (
        _series(ticks, inst, kinds, grid, gaps)
        for kinds in ((BID, BID_SIZE), (ASK, ASK_SIZE), (LAST, LAST_SIZE))
    )
    times = np.stack([bid.time, ask.time, last.time])
    known = ~np.isnat(times)
    newest = np.where(known, times.astype(np.int64), 0).max(axis=0).astype("datetime64[ns]")
    return {
        "underlying_bid": bid.price,
        "underlying_ask": ask.price,
        "underlying_last": last.price,
        "underlying_time": np.where(known.any(axis=0), newest, NOT_A_TIME),
    }


def _series(
    ticks: dict[str, np.ndarray],
    inst: int,
    kinds: tuple[int, int],
    grid: np.ndarray,
    gaps: list[tuple[int, int]],
) -> Series:
    """The last price and size of a side at each time of the grid."""
    mine = ticks["inst"] == inst
    priced = mine & (ticks["tick_type"] == kinds[0])
    sized = mine & np.isin(ticks["tick_type"], kinds)
    price, at = _last(ticks["ts"][priced], ticks["price"][priced], grid)
    size, _ = _last(ticks["ts"][sized], ticks["size"][sized], grid)
    if kinds[0] != LAST:
        _, at = _last(ticks["ts"][sized], ticks["size"][sized], grid)
    known = np.isfinite(price) & (price > 0) & ~_within(at, grid, gaps)
    time = np.where(known, at.astype("datetime64[ns]"), NOT_A_TIME)
    return Series(np.where(known, price, NONE), np.where(known, size, NONE), time)


def _last(ts: np.ndarray, values: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and time [ns] of the last row by each time of the grid; NaN and 0 before the first."""
    if not ts.size:
        return np.full(grid.size, np.nan), np.zeros(grid.size, np.int64)
    at = np.searchsorted(ts, grid, side="right") - 1
    found = np.maximum(at, 0)
    return np.where(at >= 0, values[found], np.nan), np.where(at >= 0, ts[found], 0)


def _within(at: np.ndarray, grid: np.ndarray, gaps: list[tuple[int, int]]) -> np.ndarray:
    """Where a gap lies over the time of the grid, or the quote is of before the last gap (bool)."""
    out = np.zeros(grid.size, bool)
    for begin, end in gaps:
        out |= (grid >= begin) & (grid < end)
        out |= (grid >= end) & (at < begin)
    return out
