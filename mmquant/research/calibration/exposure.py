"""Where quotes could stand and for how long, and how far market orders reached."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmquant.core.dtypes import NO_BID
from mmquant.research.calibration.decay import (
    MAX_BLOCKS,
    ORDERS_A_BLOCK,
    Decay,
    Reach,
    fit_decay,
)
from mmquant.research.calibration.flow import Flow, tick_size
from mmquant.research.calibration.statistics import poisson_interval

QUOTES = {"both": 0, "bid": -1, "ask": 1}
"""Whose quotes are reached, and the aggressor side of the orders that reach them (0: either)."""


@dataclass(frozen=True)
class Market:
    """Exposure by time, and market orders that met a two-sided book.

    ``held`` [s] is 0 where a top is not open; ``mid2`` is bid + ask, whose parity is the grid;
    ``at`` is the exposure before each order [s], ``distance`` its reach in half ticks.
    """

    held: np.ndarray
    mid2: np.ndarray
    spread: np.ndarray
    at: np.ndarray
    side: np.ndarray
    distance: np.ndarray

    @classmethod
    def of(cls, flow: Flow) -> Market:
        tops, is_open = flow.tops, flow.open
        held = np.where(is_open, flow.held_s, 0.0)
        seen = flow.orders[flow.orders["bid"] != NO_BID]
        top = np.maximum(np.searchsorted(tops["ts"], seen["ts"], side="left") - 1, 0)
        before = np.cumsum(held) - held
        at = before[top] + np.minimum((seen["ts"] - tops["ts"][top]) / 1e9, held[top])
        return cls(
            held=held,
            mid2=np.where(is_open, tops["bid"] + tops["ask"], 0),
            spread=np.where(is_open, tops["ask"] - tops["bid"], 0),
            at=at,
            side=seen["side"],
            distance=seen["side"] * (2 * seen["tick"] - seen["bid"] - seen["ask"]),
        )

    @property
    def exposure(self) -> float:
        return float(self.held.sum())

    @property
    def median_spread(self) -> float | None:
        """Spread that is not exceeded half of the time. [ticks]"""
        if self.exposure <= 0.0:
            return None
        order = np.argsort(self.spread, kind="stable")
        upto = np.cumsum(self.held[order])
        return float(self.spread[order][np.searchsorted(upto, 0.5 * upto[-1])])

    def share_wider(self, distance: float | None) -> float | None:
        if distance is None or self.exposure <= 0.0:
            return None
        return float(self.held[self.spread > 2.0 * distance].sum()) / self.exposure

    def tick_size(self, flow: Flow) -> float | None:
        prices = self.mid2[self.held > 0.0] / 2.0
        return tick_size(flow, prices.min(), prices.max()) if len(prices) else None

    def grid_time(self, quote: str) -> np.ndarray:
        """Time in which quotes could stand on each grid, (2,), of both sides for "both". [s]"""
        time = np.bincount(self.mid2 & 1, weights=self.held, minlength=2)
        return time * (2.0 if quote == "both" else 1.0)

    def of_quote(self, quote: str) -> np.ndarray:
        """Which orders reach the quotes of a side."""
        return np.ones(len(self.side), np.bool_) if quote == "both" else self.side == QUOTES[quote]

    def fit(self, quote: str, nearest: float | None) -> Decay:
        """The model's fit from ``nearest`` on."""
        if nearest is None:
            return Decay(0, 0, reason="the book never has two sides")
        first = np.array([math.ceil(nearest) * 2, math.ceil(nearest - 0.5) * 2 + 1])
        near = self.of_quote(quote) & (self.distance >= first[self.distance & 1])
        blocks = min(int(near.sum()) // ORDERS_A_BLOCK, MAX_BLOCKS)
        edges = np.linspace(0.0, self.exposure, max(blocks, 1) + 1)
        scale = self.grid_time(quote).sum() / max(self.exposure, 1e-300)
        starts = np.concatenate([[0.0], np.cumsum(self.held)])
        times = [
            np.concatenate([[0.0], np.cumsum(np.where(self.mid2 & 1 == parity, self.held, 0.0))])
            for parity in (0, 1)
        ]
        reach = Reach(
            first=first,
            time=self.grid_time(quote),
            distance=self.distance[near],
            block_time=np.stack(
                [scale * np.diff(np.interp(edges, starts, time)) for time in times], axis=1
            ),
            block=np.clip(
                np.searchsorted(edges, self.at[near], side="right") - 1, 0, max(blocks, 1) - 1
            ),
        )
        return fit_decay(reach)

    def rates(self, quote: str, fit: Decay, nearest: float | None) -> pd.DataFrame:
        """The table of arrival rates of a side."""
        distance, time = self.distance[self.of_quote(quote)], self.grid_time(quote)
        found = np.bincount(distance[distance >= 0], minlength=2)
        for parity in (0, 1):
            found[parity::2] = np.cumsum(found[parity::2][::-1])[::-1]
        grid = np.flatnonzero(time[np.arange(len(found)) & 1] > 0.0)
        counts = found[grid]
        exposure, ticks = time[grid & 1], grid / 2.0
        ends = np.array([poisson_interval(count) for count in counts.tolist()]).reshape(-1, 2)
        fitted = np.full(len(grid), np.nan)
        if fit.A is not None and fit.k is not None and nearest is not None:
            fitted = np.where(ticks < nearest, np.nan, fit.A.value * np.exp(-fit.k.value * ticks))
        return pd.DataFrame(
            {
                "quote": pd.Series([quote] * len(grid), dtype="str"),
                "distance_ticks": ticks,
                "orders": counts,
                "exposure_s": exposure,
                "rate_per_s": counts / exposure,
                "rate_low": ends[:, 0] / exposure,
                "rate_high": ends[:, 1] / exposure,
                "fitted_per_s": fitted,
            }
        )
