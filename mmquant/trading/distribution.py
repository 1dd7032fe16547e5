"""PnL as a distribution: over intervals of a day, and over days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import xarray as xr

from mmquant.trading.run_tables import Floats, path_column, path_times

INTERVALS_S = (60.0, 300.0)
"""Lengths of the intervals of a summary. [s]"""
QUANTILES = {"q01": 0.01, "q05": 0.05, "q50": 0.5, "q95": 0.95, "q99": 0.99}
DAYS_A_YEAR = 252
NODES = 2_001
"""Points of Simpson's rule over the estimated standard deviation; odd."""


def pnl_intervals(*, path: xr.Dataset, interval_s: float) -> Floats:
    """PnL of each whole interval from the first step on, summed over instruments. [currency]

    Equity at an interval's edge is that of the last step at or before it; NaN where there is none.
    What is left at the end, less than an interval, is left out.
    """
    times = path_times(path)
    if len(times) < 2:
        return np.zeros(0)
    edges = np.arange(times[0], times[-1] + 1, round(interval_s * 1e9))
    rows = np.searchsorted(times, edges, side="right") - 1
    return np.asarray(np.diff(path_column(path, "equity").sum(axis=1)[rows]))


def pnl_distribution(*, path: xr.Dataset, interval_s: float) -> dict[str, float | int | None]:
    """Distribution of the PnL over intervals: n, mean, sd, q01 to q99, worst, positive.

    All but ``n`` (intervals with an equity at both ends) and ``positive`` (share with a gain, 1)
    are in currency. A quantile needs an interval beyond it: 100 for 1 %, 20 for 5 %; where there
    are fewer it is None.
    """
    pnl = pnl_intervals(path=path, interval_s=interval_s)
    pnl = pnl[np.isfinite(pnl)]
    n = len(pnl)
    out: dict[str, float | int | None] = {"n": n}
    out["mean"] = float(pnl.mean()) if n else None
    out["sd"] = float(pnl.std(ddof=1)) if n > 1 else None
    for name, share in QUANTILES.items():
        enough = n * min(share, 1.0 - share) >= 1.0 - 1e-9
        out[name] = float(np.quantile(pnl, share)) if enough else None
    out["worst"] = float(pnl.min()) if n else None
    out["positive"] = float((pnl > 0.0).mean()) if n else None
    return out


def pnl_measures(*, path: xr.Dataset) -> dict[str, float | int | None]:
    """`pnl_distribution` for each default length, as keys of a summary: ``pnl_60s_mean``."""
    return {
        f"pnl_{seconds:g}s_{name}": value
        for seconds in INTERVALS_S
        for name, value in pnl_distribution(path=path, interval_s=seconds).items()
    }


def daily_sharpe(*, daily_pnl: Sequence[float] | Floats) -> dict[str, float | int | None]:
    """Sharpe ratio of daily PnL, a year having 252 days, with its exact 95 % interval.

    Returns ``sharpe``, ``n`` (days), ``low`` and ``high``. ``low`` and ``high`` take the days as
    independent and normal: sqrt(n) * mean / sd then has a noncentral t distribution. None for all
    three where fewer than two days leave no standard deviation, or the days are all the same. Days
    that are not finite are not counted.
    """
    pnl = np.asarray(daily_pnl, dtype=np.float64)
    pnl = pnl[np.isfinite(pnl)]
    n = len(pnl)
    out: dict[str, float | int | None] = {"sharpe": None, "n": n, "low": None, "high": None}
    if n < 2:
        return out
    mean, sd = float(pnl.mean()), float(pnl.std(ddof=1))
    if sd <= 1e-12 * abs(mean):
        return out
    year = math.sqrt(DAYS_A_YEAR)
    t = math.sqrt(n) * mean / sd
    scale = year / math.sqrt(n)
    out["sharpe"] = mean / sd * year
    out["low"] = noncentrality(t, n - 1, 0.975) * scale
    out["high"] = noncentrality(t, n - 1, 0.025) * scale
    return out


def noncentral_t_cdf(t: float, df: int, shift: float) -> float:
    """P(T <= t) of a noncentral t with ``df`` degrees of freedom and noncentrality ``shift``.

    T = (Z + shift) / S with S = sqrt(chi-square / df): the mean of P(Z <= t * S - shift) over S,
    by Simpson's rule.
    """
    scaled, weight = _scale_density(df)
    normal = np.array([0.5 * math.erfc((shift - t * s) / math.sqrt(2.0)) for s in scaled])
    return float((normal * weight).sum())


@lru_cache(maxsize=8)
def _scale_density(df: int) -> tuple[Floats, Floats]:
    """Nodes of S = sqrt(chi-square / df) and their weights, which add up to 1."""
    reach = 10.0 / math.sqrt(2.0 * df)
    low, high = max(1.0 - reach, 0.0), 1.0 + reach
    s = np.linspace(max(low, 1e-12), high, NODES)
    log_density = (df - 1.0) * np.log(s) - df * s * s / 2.0
    simpson = np.where(np.arange(NODES) % 2 == 1, 4.0, 2.0)
    simpson[[0, -1]] = 1.0
    density = simpson * np.exp(log_density - log_density.max())
    return s, density / density.sum()


def noncentrality(t: float, df: int, share: float) -> float:
    """The noncentrality under which P(T <= t) is ``share``, by bisection."""
    low, high = t - 40.0 - abs(t), t + 40.0 + abs(t)
    for _ in range(50):
        middle = 0.5 * (low + high)
        if noncentral_t_cdf(t, df, middle) > share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
