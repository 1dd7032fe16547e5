"""Prices of a tape in order of time, with the gaps taken out."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.research.calibration.flow import Flow

GAP_NS = 1_000_000_000
"""A book that cannot be traded for longer is a gap: no time, and no move of the price. [ns]"""


class Series(NamedTuple):
    """Prices by seconds of time that counts. [s, ticks]

    A price is the first one plus all later moves but those over a gap; ``low`` and ``high`` are
    the lowest and highest real price, and ``exposure`` is the time covered.
    """

    time: np.ndarray
    price: np.ndarray
    low: float
    high: float
    exposure: float
    gaps: int


def mids(flow: Flow) -> Series:
    """Each change of the mid, from the first time in the window at which there is one."""
    tops, is_open = flow.tops, flow.open
    starts = tops["ts"][is_open]
    stops = np.append(tops["ts"][1:], flow.window.end)[: len(tops)][is_open]
    mid = (tops["bid"] + tops["ask"])[is_open] / 2.0
    skipped = starts[1:] - stops[:-1] > GAP_NS
    spent = np.where(skipped, stops[:-1], starts[1:]) - starts[:-1]
    series = _joined(mid, skipped, spent / 1e9, tail=float((stops - starts)[-1:].sum()) / 1e9)
    changed = np.concatenate([[True], np.diff(series.price) != 0.0])[: len(mid)]
    return series._replace(time=series.time[changed], price=series.price[changed])


def trades(flow: Flow, tape: xr.Dataset, inst: int) -> Series:
    """The last trade of each exchange time, of any side."""
    times = tape["exch_ts"].values
    rows = slice(*np.searchsorted(times, [flow.window.start, flow.window.end]))
    mine = (tape["kind"].values[rows] == RowKind.TRADE) & (tape["inst"].values[rows] == inst)
    at = times[rows][mine]
    price = tape["tick"].values[rows][mine] + tape["subtick"].values[rows][mine].astype(np.float64)
    last = np.append(np.diff(at) > 0, True)[: len(at)]
    at, price = at[last], price[last]
    passed = np.searchsorted(_gap_starts(flow), at)
    skipped = np.diff(passed) > 0
    return _joined(price, skipped, np.where(skipped, 0, np.diff(at)) / 1e9, tail=0.0)


def _gap_starts(flow: Flow) -> np.ndarray:
    """When each gap of the book begins. [ns]"""
    closed, ts = ~flow.open, flow.tops["ts"]
    # Tops are new best prices or a change of state, so no two that are closed follow each other.
    held = np.append(ts[1:], flow.window.end)[: len(ts)] - ts
    return ts[closed & (held > GAP_NS)]


def _joined(price: np.ndarray, skipped: np.ndarray, spent: np.ndarray, tail: float) -> Series:
    """Prices with the steps over gaps (bool) taken out; ``spent`` is the time of each step. [s]"""
    moves = np.where(skipped, 0.0, np.diff(price))
    time = np.concatenate([[0.0], np.cumsum(spent)])[: len(price)]
    return Series(
        time=time,
        price=np.concatenate([price[:1], price[:1] + np.cumsum(moves)])[: len(price)],
        low=float(price.min(initial=math.inf)),
        high=float(price.max(initial=-math.inf)),
        exposure=float(time[-1:].sum()) + tail,
        gaps=int(skipped.sum()),
    )


def sampled(series: Series, interval: float, offset: float = 0.0) -> np.ndarray:
    """The price at each multiple of the interval after the first price, plus ``offset``. [s]"""
    if not len(series.price):
        return series.price
    times = np.arange(series.time[0] + offset, series.time[0] + series.exposure, interval)
    return series.price[np.searchsorted(series.time, times, side="right") - 1]
