"""How often market orders reach a quote: arrival rates by distance, and A exp(-k distance)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.dtypes import NO_BID
from mmquant.errors import UsageError
from mmquant.research.calibration.decay import (
    MAX_BLOCKS,
    ORDERS_A_BLOCK,
    Decay,
    Reach,
    fit_decay,
)
from mmquant.research.calibration.flow import Flow, Moment, read_flow, tick_size
from mmquant.research.calibration.statistics import poisson_interval

QUOTES = {"both": 0, "bid": -1, "ask": 1}
"""Whose quotes are reached, and the aggressor side of the orders that reach them (0: either)."""
RATE_COLUMNS = (
    *("quote", "distance_ticks", "orders", "exposure_s"),
    *("rate_per_s", "rate_low", "rate_high", "fitted_per_s"),
)


@dataclass(frozen=True)
class Intensity:
    """Fill intensity of one instrument: the rate A exp(-k distance) at which quotes are reached.

    Attributes
    ----------
    fits : a `Decay` for "bid" quotes (reached by sell orders), "ask" quotes (by buy orders), and
        "both", one curve for either side: A is then the rate on one side.
    rates : one row a quote side and distance: ``orders`` that reach it or go beyond,
        ``exposure_s`` in which a quote could stand there, ``rate_per_s`` with its exact Poisson
        interval ``rate_low``, ``rate_high``, and ``fitted_per_s`` (NaN nearer than the model).
    exposure_s : time with a two-sided book that is not halted. [s]
    min_distance_ticks : the model holds from here on; by default half of ``median_spread_ticks``.
    touch_beyond_share : share of the exposure with the best price farther away than that.
    orders : market orders in the window. ``orders_without_book`` came when a side was empty, and
        ``orders_behind_mid`` traded beyond the mid, as when the book lags behind the trades.
    unsided_trades : trades without an aggressor, left out.
    tick_size : None where it changes within the prices of the window. [currency]
    """

    symbol: str
    start_ts: int
    end_ts: int
    exposure_s: float
    median_spread_ticks: float | None
    min_distance_ticks: float | None
    touch_beyond_share: float | None
    tick_size: float | None
    orders: int
    orders_without_book: int
    orders_behind_mid: int
    unsided_trades: int
    fits: dict[str, Decay]
    rates: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Flat numbers: the curve of both sides by its names, of one side as ``bid.`` and ``ask.``.

        None where something is not identified; ``reason`` says why.
        """
        facts = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("fits", "rates")
        }
        flat = _flat_fit(self.fits["both"], self.tick_size, "") | facts
        for side in ("bid", "ask"):
            flat |= _flat_fit(self.fits[side], self.tick_size, f"{side}.")
        return flat


def calibrate_intensity(
    tape: xr.Dataset,
    *,
    inst: int = 0,
    start: Moment = None,
    end: Moment = None,
    min_distance_ticks: float | None = None,
) -> Intensity:
    """Rate at which market orders reach a quote, by its distance from the mid, with A and k.

    All trades of one aggressor side at one exchange time are one market order. Its distance is
    that of the farthest tick it reached from the mid just before. The rate of orders that reach
    distance d or more is taken as A exp(-k d) (Avellaneda and Stoikov 2008, equation 2.11), and
    fitted by maximum likelihood on the grid of ticks; see `mmquant.research.calibration.decay`.

    Parameters
    ----------
    tape : L2 tape.
    inst : instrument.
    start, end : seconds from the first row, or clock times like "09:30" on the tape's date in its
        time zone; the whole tape by default. Orders at ``end`` do not belong to the window.
    min_distance_ticks : fit from this distance on; half the time-weighted median spread by
        default: nearer, the best price itself is what orders have to reach.

    Returns
    -------
    Intensity
        estimates are None, with a reason, where there is too little to identify them.

    Raises
    ------
    UsageError
        where the window, the instrument or the distance cannot be.
    """
    if min_distance_ticks is not None and not 0.0 <= min_distance_ticks < 1e6:
        raise UsageError(
            f"min_distance_ticks is {min_distance_ticks}", fix="give a number of ticks from 0"
        )
    flow = read_flow(tape, inst=inst, start=start, end=end)
    market = _Market.of(flow)
    nearest = min_distance_ticks
    if nearest is None and market.median_spread is not None:
        nearest = market.median_spread / 2.0
    fits, tables = {}, []
    for quote in QUOTES:
        fits[quote] = market.fit(quote, nearest)
        tables.append(market.rates(quote, fits[quote], nearest))
    return Intensity(
        symbol=flow.contract.symbol,
        start_ts=flow.window.start,
        end_ts=flow.window.end,
        exposure_s=market.exposure,
        median_spread_ticks=market.median_spread,
        min_distance_ticks=nearest,
        touch_beyond_share=market.share_wider(nearest),
        tick_size=market.tick_size(flow),
        orders=len(flow.orders),
        orders_without_book=len(flow.orders) - len(market.side),
        orders_behind_mid=int((market.distance < 0).sum()),
        unsided_trades=flow.unsided,
        fits=fits,
        rates=pd.concat(tables, ignore_index=True),
    )


@dataclass(frozen=True)
class _Market:
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
    def of(cls, flow: Flow) -> _Market:
        tops, is_open = flow.tops, flow.open
        held = np.where(is_open, flow.held_s, 0.0)
        seen = flow.orders[flow.orders["bid"] != NO_BID]
        top = np.searchsorted(tops["ts"], seen["ts"], side="left") - 1
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
        """The table of arrival rates of a side (RATE_COLUMNS)."""
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


def _flat_fit(fit: Decay, tick_size: float | None, prefix: str) -> dict[str, Any]:
    """Numbers of one curve, by name."""
    numbers: dict[str, Any] = {}
    for name, estimate in (("A_per_s", fit.A), ("k_per_tick", fit.k)):
        for end in ("value", "low", "high"):
            key = name if end == "value" else f"{name}_{end}"
            numbers[key] = getattr(estimate, end) if estimate else None
        numbers[f"{name}_variance_factor"] = estimate.variance_factor if estimate else None
    for end in ("value", "low", "high"):
        key = "k_per_ccy" if end == "value" else f"k_per_ccy_{end}"
        numbers[key] = getattr(fit.k, end) / tick_size if fit.k and tick_size else None
    numbers |= {
        "fit_orders": fit.orders,
        "fit_orders_deeper": fit.deeper,
        "dispersion": fit.dispersion,
        "dispersion_blocks": fit.blocks,
        "fit_p": fit.fit_p,
        "fit_bins": fit.fit_bins,
        "fit_gap": fit.fit_gap,
        "reason": fit.reason,
    }
    return {prefix + key: value for key, value in numbers.items()}
