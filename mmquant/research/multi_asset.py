"""Quotes in several correlated assets, far from the end: Guéant (2017), "Optimal market making"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mmquant.core.optimal_quotes import base_half_spread, glft_eta
from mmquant.errors import UsageError


def multi_asset_quotes(
    *,
    assets: Sequence[str],
    gamma: float,
    covariance: np.ndarray,
    A: Sequence[float],
    k: Sequence[float],
    order_size: Sequence[float],
    xi: float,
) -> xr.Dataset:
    """Half spreads, and how far each quote leans against the inventory in each asset.

    With n[j] order sizes of asset j held, the bid of asset i stands ``half_spread[i]`` +
    Σ ``slope[i, j]`` n[j] below the mid, and the ask ``half_spread[i]`` - Σ ``slope[i, j]`` n[j]
    above it.

    Parameters
    ----------
    assets : names.
    gamma : risk aversion. [1 / (price · unit)]
    covariance : (assets, assets), of the mids. [price² / s]
    A, k, order_size : of each asset, as in ``trading.quote_tables.gueant_table``.
    xi : ``gamma`` for exponential utility, 0 for a mean-variance aim.

    Returns
    -------
    Dataset
        ``half_spread`` (asset) and ``slope`` (asset, held) [price]; ``risk`` (asset, held), the
        matrix Γ of the paper.

    Raises
    ------
    UsageError
        where shapes differ, a number is out of range, or the covariance is none.
    """
    rates, decays, sizes = (np.asarray(x, np.float64) for x in (A, k, order_size))
    cov = np.asarray(covariance, np.float64)
    count = len(assets)
    if cov.shape != (count, count) or {x.shape for x in (rates, decays, sizes)} != {(count,)}:
        raise UsageError(f"shapes do not fit {count} assets", fix="give one number for each asset")
    positive = all(np.isfinite(x).all() and (x > 0).all() for x in (rates, decays, sizes))
    if not positive or not (0.0 <= gamma < np.inf and 0.0 <= xi < np.inf):
        raise UsageError("a parameter is out of range", fix="give finite numbers above 0")
    if not np.isfinite(cov).all() or not np.allclose(cov, cov.T, rtol=1e-12, atol=0.0):
        raise UsageError("the covariance is not symmetric", fix="give a covariance matrix")
    columns = list(zip(rates, decays, sizes, strict=True))
    base = np.array([base_half_spread(float(d), float(xi), float(s)) for _, d, s in columns])
    eta = np.array([glft_eta(float(a), float(d), float(xi), float(s), 0.0) for a, d, s in columns])
    root = np.sqrt(eta * decays * sizes)
    risk = _square_root(root[:, None] * cov * root) / np.outer(root, root)
    slope = np.sqrt(gamma / 2.0) * risk * sizes
    both = ("asset", "held")
    return xr.Dataset(
        {
            "half_spread": ("asset", base + 0.5 * np.diag(slope), {"units": "price"}),
            "slope": (both, slope, {"units": "price per order size"}),
            "risk": (both, risk),
        },
        coords={"asset": list(assets), "held": list(assets)},
    )


def _square_root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-12 * values[-1]:
        raise UsageError("the covariance has a negative eigenvalue", fix="give a covariance matrix")
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
