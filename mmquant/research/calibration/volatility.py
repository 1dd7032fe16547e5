"""Volatility of the efficient price, freed from bid-ask bounce and other noise of quotes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.errors import UsageError
from mmquant.research.calibration.flow import Moment, read_flow, tick_size
from mmquant.research.calibration.preaveraging import Variation, integrated_variance
from mmquant.research.calibration.prices import Series, mids, sampled, trades

PRICES = ("mid", "trade")
INTERVALS_S = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Sampling intervals of the signature table. [s]"""
OFFSETS = 10
"""Grids of each interval, moved against each other, over which the table averages."""
MIN_SAMPLES = 20
"""Intervals that give fewer returns are left out of the table."""


@dataclass(frozen=True)
class Volatility:
    """Volatility of one instrument.

    Attributes
    ----------
    sigma_ticks, sigma_ticks_low, sigma_ticks_high : with its 95 % interval; None with a
        ``reason`` where there is too little. [ticks/sqrt(s)]
    sigma_ccy, ... : the same in price; None where the tick size changes. [currency/sqrt(s)]
    noise_ticks : standard deviation of the noise of one price, 0 if none shows. [ticks]
    naive_ticks : from all price changes as they are, noise included. [ticks/sqrt(s)]
    price : "mid" or "trade". observations : prices used, ``window`` of them averaged at a time.
    exposure_s : time covered, without the ``gaps``, as which a book counts that could not be
        traded for more than a second. [s]
    signature : naive volatility by sampling interval: ``interval_s``, ``returns``,
        ``sigma_ticks``. It falls towards sigma where noise shows less.
    """

    symbol: str
    start_ts: int
    end_ts: int
    price: str
    sigma_ticks: float | None
    sigma_ticks_low: float | None
    sigma_ticks_high: float | None
    sigma_ccy: float | None
    sigma_ccy_low: float | None
    sigma_ccy_high: float | None
    noise_ticks: float | None
    naive_ticks: float | None
    tick_size: float | None
    exposure_s: float
    gaps: int
    observations: int
    window: int
    reason: str
    signature: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Flat numbers; the signature table as ``naive_ticks_60s`` and so on."""
        flat = {name: getattr(self, name) for name in self.__dataclass_fields__}
        table = flat.pop("signature")
        for row in table.itertuples():
            flat[f"naive_ticks_{row.interval_s:g}s"] = row.sigma_ticks
        return flat


def calibrate_volatility(
    tape: xr.Dataset,
    *,
    inst: int = 0,
    start: Moment = None,
    end: Moment = None,
    price: str = "mid",
    sample_s: float | None = None,
) -> Volatility:
    """Volatility of the efficient price, by pre-averaging (see `preaveraging`).

    Parameters
    ----------
    tape : L2 tape.
    inst : instrument.
    start, end : seconds from the first row, or clock times like "09:30" on the tape's date in its
        time zone; the whole tape by default.
    price : "mid", each change of the mid of a two-sided book, or "trade", the last trade of each
        exchange time.
    sample_s : sample that price at this interval first, in place of each change. [s]

    Raises
    ------
    UsageError
        where the window, the instrument, the price or the interval cannot be.
    """
    if price not in PRICES:
        raise UsageError(f"price is {price!r}", fix=f"use {' or '.join(PRICES)}")
    if sample_s is not None and not 0.0 < sample_s < math.inf:
        raise UsageError(f"sample_s is {sample_s}", fix="give a number of seconds above 0")
    flow = read_flow(tape, inst=inst, start=start, end=end)
    series = mids(flow) if price == "mid" else trades(flow, tape, inst)
    prices = series.price if sample_s is None else sampled(series, sample_s, 0.0)
    found = integrated_variance(prices)
    seconds = series.exposure if sample_s is None else (len(prices) - 1) * sample_s
    ticks = [_sigma(value, seconds) for value in (found.value, found.low, found.high)]
    step = tick_size(flow, series.low, series.high) if len(series.price) else None
    ccy = [None if step is None or value is None else value * step for value in ticks]
    return Volatility(
        symbol=flow.contract.symbol,
        start_ts=flow.window.start,
        end_ts=flow.window.end,
        price=price,
        sigma_ticks=ticks[0],
        sigma_ticks_low=ticks[1],
        sigma_ticks_high=ticks[2],
        sigma_ccy=ccy[0],
        sigma_ccy_low=ccy[1],
        sigma_ccy_high=ccy[2],
        noise_ticks=_sigma(found.noise, 1.0),
        naive_ticks=_naive(series.price, series.exposure),
        tick_size=step,
        exposure_s=series.exposure,
        gaps=series.gaps,
        observations=len(prices),
        window=found.window,
        reason=_reason(found, series),
        signature=_signature(series),
    )


def _reason(found: Variation, series: Series) -> str:
    return found.reason if len(series.price) else "there is no price in the window"


def _sigma(variance: float, seconds: float) -> float | None:
    return math.sqrt(variance / seconds) if variance >= 0.0 and seconds > 0.0 else None


def _naive(prices: np.ndarray, seconds: float) -> float | None:
    if len(prices) < 2:
        return None
    return _sigma(float((np.diff(prices) ** 2).sum()), seconds)


def _signature(series: Series) -> pd.DataFrame:
    """Naive volatility by sampling interval, the mean over grids moved against each other."""
    rows = []
    for interval in INTERVALS_S:
        squares, returns = 0.0, 0
        for offset in range(OFFSETS):
            moves = np.diff(sampled(series, interval, interval * offset / OFFSETS))
            squares, returns = squares + float((moves**2).sum()), returns + len(moves)
        if returns >= MIN_SAMPLES * OFFSETS:
            rows.append((interval, returns // OFFSETS, math.sqrt(squares / (returns * interval))))
    return pd.DataFrame(rows, columns=["interval_s", "returns", "sigma_ticks"]).astype(
        {"interval_s": "float64", "returns": "int64", "sigma_ticks": "float64"}
    )
