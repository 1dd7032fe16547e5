"""What calibrations read of a tape: best prices by time and market orders, within a window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import xarray as xr

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.flow_scan import MARKET_ORDER, SCAN, TOP, scan_flow
from mmquant.data.contracts import Contract
from mmquant.data.crossing import kernel_columns
from mmquant.data.tape import contracts_of
from mmquant.errors import DataError, UsageError

Moment = float | str | None
"""Seconds from the first row, or a clock time like "09:30" or "09:30:15.5" in the tape's zone."""
COLUMNS = ("exch_ts", "kind", "side", "tick", "subtick", "size", "inst")


@dataclass(frozen=True)
class Window:
    """A part of a tape by exchange time, from ``start`` to just before ``end``. [ns]"""

    start: int
    end: int

    @property
    def seconds(self) -> float:
        """Length. [s]"""
        return (self.end - self.start) / 1e9


@dataclass(frozen=True)
class Flow:
    """One instrument of a tape within a window.

    ``tops`` (TOP): best prices from the last before the window on, the first one's time moved to
    the window's start; ``orders`` (MARKET_ORDER) of the window; ``unsided`` trades have no
    aggressor and belong to no order.
    """

    contract: Contract
    date: str
    window: Window
    tops: np.ndarray
    orders: np.ndarray
    unsided: int

    @property
    def held_s(self) -> np.ndarray:
        """How long each top holds within the window. [s]"""
        return np.diff(self.tops["ts"], append=self.window.end) / 1e9

    @property
    def open(self) -> np.ndarray:
        """Which tops have two sides that are not crossed, on a market that is not halted."""
        return self.tops["bid"] != NO_BID


def window_of(tape: xr.Dataset, start: Moment, end: Moment) -> Window:
    """The part of the window between two moments that the tape has; None is its first or last row.

    Raises UsageError where a moment is not readable, or the tape has nothing in the window.
    """
    times = tape["exch_ts"].values
    if not len(times):
        raise DataError("the tape has no rows", fix="import a tape that has some")
    first, last = int(times[0]), int(times[-1])
    opens = first if start is None else max(_moment(tape, start, first, last), first)
    ends = last + 1 if end is None else min(_moment(tape, end, first, last), last + 1)
    if opens >= ends:
        asked = f"from {start or 'its first row'} to {end or 'its last row'}"
        raise UsageError(
            f"the tape has nothing {asked}: it has {(last - first) / 1e9:g} s, from "
            f"{_clock(tape, first)} to {_clock(tape, last)} {tape.attrs['timezone']}",
            fix="give start before end, in seconds from the first row or as clock times",
        )
    return Window(opens, ends)


def _zone(tape: xr.Dataset) -> ZoneInfo:
    try:
        return ZoneInfo(tape.attrs["timezone"])
    except (ValueError, ZoneInfoNotFoundError):
        raise UsageError(
            f"the time zone {tape.attrs['timezone']!r} of the tape is not known",
            fix="give moments in seconds from the first row",
        ) from None


def _clock(tape: xr.Dataset, ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, _zone(tape)):%H:%M:%S}"


def _moment(tape: xr.Dataset, moment: float | str, first: int, last: int) -> int:
    """Exchange time of a moment. [ns]"""
    text = str(moment)
    try:
        if ":" not in text:
            return first + round(float(text) * 1e9)
        then = datetime.fromisoformat(f"{tape.attrs['date']}T{text}").replace(tzinfo=_zone(tape))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a moment of a tape",
            fix='give seconds from its first row, or a clock time like "09:30:15"',
        ) from None
    # A session may begin on the evening before, or end after midnight.
    days = [round((then + timedelta(d)).timestamp() * 1e6) * 1000 for d in (0, 1, -1)]
    return next((day for day in days if first <= day <= last), days[0])


def contract_of(tape: xr.Dataset, inst: int) -> Contract:
    """The contract of an instrument. Raises UsageError where the tape does not have it."""
    contracts = contracts_of(tape)
    if not 0 <= inst < len(contracts):
        raise UsageError(
            f"the tape has no instrument {inst}", fix=f"give inst from 0 to {len(contracts) - 1}"
        )
    return contracts[inst]


def read_flow(tape: xr.Dataset, *, inst: int, start: Moment, end: Moment) -> Flow:
    """Replay one instrument of an L2 tape up to the window's end."""
    if tape.attrs["level"] != "L2":
        raise UsageError(f"the tape is {tape.attrs['level']}, not L2", fix="use an L2 tape")
    window, contract = window_of(tape, start, end), contract_of(tape, inst)
    stop = int(np.searchsorted(tape["exch_ts"].values, window.end))
    columns = kernel_columns({name: tape[name].values[:stop] for name in COLUMNS}, COLUMNS)
    times, kind, side, _, _, _, ids = columns
    tops, orders = _scan(columns, inst)
    orders = orders[orders["ts"] >= window.start]
    before = max(int(np.searchsorted(tops["ts"], window.start, side="right")) - 1, 0)
    tops = tops[before:]
    tops["ts"] = np.maximum(tops["ts"], window.start)
    unsided = (kind == RowKind.TRADE) & (side == 0) & (ids == inst) & (times >= window.start)
    return Flow(contract, tape.attrs["date"], window, tops, orders, int(unsided.sum()))


def _scan(columns: list[np.ndarray], inst: int) -> tuple[np.ndarray, np.ndarray]:
    """Tops and market orders of all rows; begun anew with more room where levels lie far apart."""
    times, kind = columns[:2]
    n, far = len(times), 1 << 13
    while True:
        scan = np.zeros(1, SCAN)
        scan["bid"], scan["ask"] = NO_BID, NO_ASK
        tops = np.zeros(1 + np.count_nonzero(np.diff(times)), TOP)
        orders = np.zeros(1 + np.count_nonzero(kind == RowKind.TRADE), MARKET_ORDER)
        if scan_flow(make_book(1, far=far), *columns, inst, scan[0], tops, orders) == n:
            return tops[: int(scan["tops"][0])], orders[: int(scan["orders"][0])]
        far *= 4


def tick_size(flow: Flow, low: float, high: float) -> float | None:
    """Price step between two ticks; None where the ladder has more than one there. [currency]"""
    steps = flow.contract.ladder(flow.date).rows()
    starts = np.array([tick_from for tick_from, _, _, _ in steps])
    first, last = np.searchsorted(starts, [low, high], side="right") - 1
    _, _, num, den = steps[max(int(first), 0)]
    return num / den if first == last else None
