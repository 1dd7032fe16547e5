"""How a smile moves with the underlying and with time between fits, and what changed at a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.slice_rows import BEND, COUNT, HIGH, KNOT, KNOTS, LEVEL, LOW, SLICE_SIZE, W


def moved_slices(
    slices: np.ndarray,
    log_move: np.ndarray,
    fit_years: np.ndarray,
    years: np.ndarray,
    move: str,
) -> np.ndarray:
    """Slices (time, expiry, SLICE_SIZE) as they are where the underlying has moved by ``log_move``.

    Sticky strike: a strike keeps its volatility, so that a moneyness by the new forward has that of
    one further out by the move. Sticky delta: a moneyness keeps its volatility. Either way the
    volatilities stay with time, and total variances shrink with the ``years`` that are left.
    What is past, NaN or without a slice becomes no slice.
    """
    out = slices.copy()
    with np.errstate(all="ignore"):
        left = years / fit_years
        bad = ~(np.isfinite(log_move) & (left > 0) & np.isfinite(slices[:, :, COUNT]))
    left = np.where(bad, 1.0, left)
    shift = np.where(bad, 0.0, log_move if move == "sticky_strike" else 0.0)
    for part in (LEVEL, slice(W, W + KNOTS), slice(BEND, SLICE_SIZE)):
        out[:, :, part] = (out[:, :, part].T * left.T).T
    for part in (LOW, HIGH, slice(KNOT, KNOT + KNOTS)):
        out[:, :, part] = (out[:, :, part].T - shift.T).T
    out[bad] = 0.0
    return out


def surface_changes(surface: xr.Dataset) -> pd.DataFrame:
    """What changed from each fit to the next, by expiry: one row for every pair of fits.

    Columns: time, expiry, status (of the later one), change of forward [ccy], of ``atm_vol`` and
    of ``skew`` [1/sqrt(year)], of the number of strikes used.
    """
    if surface.sizes["time"] < 2:
        return pd.DataFrame(columns=[*("time", "expiry", "status"), *CHANGED])
    frames = {name: surface[name].diff("time", label="upper").to_series() for name in CHANGED}
    table = pd.DataFrame(frames)
    status = surface["status"].isel(time=slice(1, None)).to_series()
    table.insert(0, "status", status)
    return table.reset_index()


CHANGED = ("forward", "atm_vol", "skew", "used")
