"""Year fractions: by the calendar, for interest, and by the business clock, for variance.

The business clock runs at full speed while the exchanges trade, slower at night, and slower still
over weekends and holidays. It is scaled so that a year has the length 1 on average.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mmquant.calendars import sessions

YEAR_NS = 365 * 86_400 * 1_000_000_000
LONG_NS = 86_400 * 1_000_000_000
"""A closure of more than this is a weekend or a holiday."""


def calendar_years(time: np.ndarray, expiry: np.ndarray) -> np.ndarray:
    """Years of 365 days (time, expiry) between moments [ns, UTC]; NaN for NaT."""
    gap = expiry.astype("datetime64[ns]")[None, :] - time.astype("datetime64[ns]")[:, None]
    return np.where(np.isnat(gap), np.nan, gap.astype(np.int64) / YEAR_NS)


def business_years(
    time: np.ndarray, expiry: np.ndarray, *, overnight_weight: float, weekend_weight: float
) -> np.ndarray:
    """Years of business time (time, expiry) between moments [ns, UTC]; NaN for NaT.

    Weights of 1 for both give calendar time, but for the length of a year.
    """
    edges, clock = _clock(overnight_weight, weekend_weight)

    def reading(moment: np.ndarray) -> np.ndarray:
        ns = moment.astype("datetime64[ns]")
        read = np.interp((ns.astype(np.int64) - edges[0]) / 1e9, (edges - edges[0]) / 1e9, clock)
        return np.where(np.isnat(ns), np.nan, read)

    return reading(expiry)[None, :] - reading(time)[:, None]


@lru_cache(maxsize=8)
def _clock(overnight_weight: float, weekend_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """(moments [ns] at which its speed changes, readings [years])."""
    table = sessions()
    edges = np.empty(2 * table.day.size, np.int64)
    edges[0::2], edges[1::2] = table.opens.astype(np.int64), table.closes.astype(np.int64)
    length = np.diff(edges)
    speed = np.ones(length.size)
    speed[1::2] = np.where(length[1::2] > LONG_NS, weekend_weight, overnight_weight)
    clock = np.concatenate([[0.0], np.cumsum(length * speed)])
    return edges, clock * ((edges[-1] - edges[0]) / (365.2425 * LONG_NS) / clock[-1])
