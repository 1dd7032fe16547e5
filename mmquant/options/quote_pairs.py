"""Calls and puts of the same strike, paired, and the price of the underlying that they imply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

NEAREST = 3
"""Pairs nearest the money whose middle one speaks for an expiry."""


@dataclass(frozen=True)
class Pairs:
    """Indices of calls and puts over ``contract``, their strikes [ccy], and each pair's series.

    A series is all that shares an expiry and a root; ``series`` numbers them from 0.
    """

    call: np.ndarray
    put: np.ndarray
    strike: np.ndarray
    series: np.ndarray


def series_of(ds: xr.Dataset) -> np.ndarray:
    """Number of each contract's series, one expiry of one root, from 0."""
    keys = np.rec.fromarrays([ds["expiry"].values.astype(np.int64), ds["root"].values.astype(str)])
    return np.unique(keys, return_inverse=True)[1].ravel()


def pair_up(ds: xr.Dataset) -> Pairs:
    """The pairs of a Dataset of quotes; a strike that stands twice in a series has none."""
    series, strike = series_of(ds), ds["strike"].values
    call = ds["right"].values.astype(str) == "C"
    keys = np.rec.fromarrays([series, strike])
    key = np.unique(keys, return_inverse=True)[1].ravel()
    calls = np.bincount(key, call, key.max(initial=-1) + 1)
    puts = np.bincount(key, ~call, key.max(initial=-1) + 1)
    paired = ((calls == 1) & (puts == 1))[key]
    order = np.argsort(key, kind="stable")
    of_call = order[paired[order] & call[order]]
    of_put = order[paired[order] & ~call[order]]
    return Pairs(of_call, of_put, strike[of_call], series[of_call])


def implied_prices(
    pairs: Pairs, bid: np.ndarray, ask: np.ndarray, usable: np.ndarray
) -> np.ndarray:
    """Strike + call - put near the money, by middles (time, series); NaN where there is none.

    It is the price of the underlying but for interest and dividends: the middle one of up to
    NEAREST pairs whose call and put are worth most alike.
    """
    n_series = int(pairs.series.max(initial=-1)) + 1
    mid = np.where(usable, (bid + ask) / 2, np.nan)
    gap = mid[:, pairs.call] - mid[:, pairs.put]
    out = np.full((bid.shape[0], n_series), np.nan)
    for series in range(n_series):
        mine = np.flatnonzero(pairs.series == series)
        distance = np.abs(gap[:, mine])
        near = np.argsort(distance, axis=1)[:, :NEAREST]
        found = np.take_along_axis(pairs.strike[mine] + gap[:, mine], near, 1)
        found = np.sort(found, axis=1)
        count = np.isfinite(found).sum(axis=1)
        some = count > 0
        rows = np.flatnonzero(some)
        out[rows, series] = found[rows, (count[rows] - 1) // 2]
    return out
