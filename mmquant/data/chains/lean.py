"""Minute quotes of options and their underlying as QuantConnect's Lean stores them.

A bar bears the minute at whose start it begins, in New York, and its closing quotes are those of
its end: a row of the Dataset is stamped one minute later, when they were known. A bar is there only
for a minute with a change, and a side of it is blank where that side did not change, so each side
goes on until it changes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.calendars import expiry_moments, midnight, session
from mmquant.data.chains.classes import MULTIPLIER, settled_at_open
from mmquant.data.chains.lean_bars import MINUTE_MS, SCALE, Bars, Members, read_bars, read_members
from mmquant.data.chains.lean_files import EQUITY_MEMBER, OPTION_MEMBER, find_day
from mmquant.data.chains.make import NOT_A_TIME, make_option_quotes
from mmquant.data.files import file_digest
from mmquant.errors import DataError

NOTES = (
    "A row holds what was known at its time: the closing quotes of minute bars that ended by then.",
    "A side stays as it was last given: the source does not tell a side that went away from one "
    "that did not change.",
)


@dataclass(frozen=True)
class Grid:
    """The minutes of a session: ``stamps`` [ns, UTC] and the same in ms since midnight."""

    stamps: np.ndarray
    ms: np.ndarray


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | date | None = None,
) -> xr.Dataset:
    """Option quotes of one underlying at every minute of a session (schema ``option_quotes``).

    ``path`` is the folder that holds ``option`` and ``equity``, or an option zip. Bars that end
    after the close are counted and left out. Raises DataError.
    """
    day = find_day(Path(path), underlying, date)
    try:
        grid = session_minutes(day.day)
    except DataError as error:
        raise DataError(error.what, where=str(day.options), fix=error.fix) from None
    members = read_members(day.options, OPTION_MEMBER, lenient)
    bars = read_bars(members, lenient)
    own_members = read_members(day.equity, EQUITY_MEMBER, lenient)
    own = read_bars(own_members, lenient)
    columns = {"time": grid.stamps} | _contracts(members)
    columns |= _both_sides(bars, grid, len(members.names))
    columns |= _underlying(own, grid)
    late = int((bars.start_ms + MINUTE_MS > grid.ms[-1]).sum())
    ds = make_option_quotes(
        columns,
        underlying=day.underlying,
        date=day.day,
        source={"format": "lean", "files": [file_digest(day.options), file_digest(day.equity)]},
        notes=NOTES,
        counts={"bars": int(bars.start_ms.size), "bars_after_close": late},
    )
    for q in (*members.faults, *bars.faults, *own_members.faults, *own.faults):
        q.attach(ds)
    return ds


def session_minutes(day: str) -> Grid:
    """The ends of all minutes of a session."""
    opens, closes = session(day)
    minute = np.timedelta64(MINUTE_MS, "ms")
    stamps = np.arange(opens + minute, closes + minute, minute).astype("datetime64[ns]")
    ms = ((stamps - midnight(day)) // np.timedelta64(1, "ms")).astype(np.int64)
    return Grid(stamps, ms)


def _contracts(members: Members) -> dict[str, np.ndarray]:
    parts = members.parts
    roots = np.array([part["root"].upper() for part in parts])
    days = [f"{part['expiry'][:4]}-{part['expiry'][4:6]}-{part['expiry'][6:]}" for part in parts]
    return {
        "expiry": expiry_moments(np.array(days, "datetime64[D]"), settled_at_open(roots)),
        "strike": np.array([int(part["strike"]) for part in parts]) / SCALE,
        "right": np.array([part["right"][0].upper() for part in parts]),
        "root": roots,
        "multiplier": np.full(len(parts), MULTIPLIER),
        "exercise": np.array([part["style"] for part in parts]),
    }


def _both_sides(bars: Bars, grid: Grid, n: int) -> dict[str, np.ndarray]:
    """Price, size and time of both sides (time, n), each carried on until it changes."""
    columns = {}
    for side, price, size in (("bid", bars.bid, bars.bid_size), ("ask", bars.ask, bars.ask_size)):
        known_ms = bars.start_ms + MINUTE_MS
        given = np.isfinite(price) & (known_ms <= grid.ms[-1])
        known_ms, member = known_ms[given], bars.member[given]
        # What came before the first row is known at it; the last of a member's bars wins.
        row = np.maximum((known_ms - grid.ms[0]) // MINUTE_MS, 0)
        last = np.full((grid.ms.size, n), -1, np.int64)
        last[row, member] = np.arange(row.size)
        last = np.maximum.accumulate(last, axis=0)
        # -1, no bar yet, picks the end.
        columns[side] = np.append(price[given], np.nan)[last]
        columns[f"{side}_size"] = np.append(size[given], np.nan)[last]
        stamps = grid.stamps[0] + (known_ms - grid.ms[0]).astype("timedelta64[ms]")
        columns[f"{side}_time"] = np.append(stamps, NOT_A_TIME)[last]
    return columns


def _underlying(bars: Bars, grid: Grid) -> dict[str, np.ndarray]:
    sides = _both_sides(bars, grid, 1)
    both = np.stack([sides["bid_time"][:, 0], sides["ask_time"][:, 0]])
    return {
        "underlying_bid": sides["bid"][:, 0],
        "underlying_ask": sides["ask"][:, 0],
        "underlying_time": np.fmax(both[0], both[1]),
    }
