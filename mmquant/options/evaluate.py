"""A surface at any strike and time: volatility, and its derivatives by strike and time."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.slice_curve import slice_variance_many
from mmquant.core.slice_rows import COUNT


def surface_vol(
    surface: xr.Dataset, *, moneyness: np.ndarray, years: np.ndarray, time: int = -1
) -> xr.Dataset:
    """Volatility of a surface at log-moneyness and years of the business clock.

    Total variance is linear in business years between the slices at the same log-moneyness, which
    keeps the surface free of calendar arbitrage, and proportional to them before the first; there
    is nothing after the last.

    Parameters
    ----------
    surface : schema ``vol_surface``.
    moneyness : log(strike / forward), (k,).
    years : business years to expiry, (years,).
    time : which of the surface's times.

    Returns
    -------
    Dataset
        over (years, k): ``variance`` (total), ``by_k`` and ``by_kk``, its derivatives by
        log-moneyness, ``by_years`` that by business years, and ``vol`` [1/sqrt(business year)].
    """
    k, t = np.atleast_1d(moneyness).astype(float), np.atleast_1d(years).astype(float)
    at = surface.isel(time=time)
    there = at["slice"].values[:, COUNT] > 0
    rows, tau = at["slice"].values[there], at["business_years"].values[there]
    parts = np.full((tau.size, 3, k.size), np.nan)
    for row, out in zip(rows, parts, strict=True):
        slice_variance_many(k, row, out)
    tau, parts = np.append(0.0, tau), np.concatenate([np.zeros((1, 3, k.size)), parts])
    after = np.clip(np.searchsorted(tau, t, side="left"), 1, max(tau.size - 1, 1))
    found = np.full((4, t.size, k.size), np.nan)
    if tau.size > 1:
        length = tau[after] - tau[after - 1]
        share = (t - tau[after - 1]) / length
        step = parts[after] - parts[after - 1]
        blend = parts[after - 1] + share[:, None, None] * step
        found[:3] = np.moveaxis(blend, 1, 0)
        found[3] = step[:, 0] / length[:, None]
        found[:, (t <= 0) | (t > tau[-1])] = np.nan
    dims = ("years", "k")
    with np.errstate(invalid="ignore"):
        vol = np.sqrt(found[0] / t[:, None])
    return xr.Dataset(
        {
            "variance": (dims, found[0], {"units": "1"}),
            "by_k": (dims, found[1], {"units": "1"}),
            "by_kk": (dims, found[2], {"units": "1"}),
            "by_years": (dims, found[3], {"units": "1/year"}),
            "vol": (dims, vol, {"units": "1/sqrt(year)"}),
        },
        {"years": t, "k": k},
    )
