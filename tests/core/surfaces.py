"""Live surfaces with a known smile, for tests: slices that go through SVI curves."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.slice_fit import fit_slice, make_fit_work
from mmquant.core.slice_rows import SLICE_OK, SLICE_SIZE, make_slice
from mmquant.core.surface_reprice import set_slice
from mmquant.core.surface_state import DIRTY_TS, SurfaceState, make_surface_state, take_quotes

SPOT, RATE, CARRY = 750.0, 0.03, 0.02
SECOND = 10**9
YEAR = 365 * 86_400 * SECOND
AGES = (60 * SECOND, 5 * SECOND, 120 * SECOND, 3600 * SECOND)


def variance(k: np.ndarray, years: float) -> np.ndarray:
    """Total variance of a fixed SVI shape in k / sqrt(years)."""
    x = k / math.sqrt(years)
    return years * (0.02 + 0.06 * (-0.4 * (x - 0.1) + np.hypot(x - 0.1, 0.3)))


def slices_of(years: np.ndarray, points: int = 25) -> list[np.ndarray]:
    """Fitted slices, each above the one before."""
    rows, below, work = [], make_slice(), make_fit_work()
    for t in years:
        k = np.linspace(-4.0, 4.0, points) * math.sqrt(variance(np.zeros(1), t)[0])
        w, row = variance(k, t), make_slice()
        status = fit_slice(k, 0.98 * w, w, 1.02 * w, below, np.zeros((0, SLICE_SIZE)), row, work)
        assert status == SLICE_OK
        rows.append(row)
        below = row
    return rows


def live_state(
    *,
    expiries: int = 4,
    strikes: int = 15,
    american: int = 0,
    sticky: float = 0.0,
    tolerance: float = 1e-3,
    fitted: bool = True,
) -> tuple[SurfaceState, np.ndarray]:
    """A state at time SECOND with quotes of every contract, and its years by expiry."""
    years = np.geomspace(2 / 365, 1.5, expiries)
    forward = SPOT * np.exp((RATE - CARRY) * years)
    width = np.sqrt([variance(np.zeros(1), t)[0] for t in years])
    strike = forward[:, None] * np.exp(np.linspace(-4, 4, strikes)[None, :] * width[:, None])
    sign = np.tile(np.repeat([1.0, -1.0], strikes), expiries)
    state = make_surface_state(
        sign,
        np.concatenate([strike, strike], axis=1).ravel(),
        np.repeat(np.arange(expiries), 2 * strikes),
        SECOND + np.round(years * YEAR).astype(np.int64),
        np.full(expiries, american),
        tolerance=tolerance,
        sticky=sticky,
        ages=AGES,
    )
    n = sign.size
    when = np.full(n, SECOND)
    assert take_quotes(np.arange(n), np.ones(n), np.full(n, 1.1), when, when, state) == (0, -1)
    state.expiry_ts[DIRTY_TS] = 0
    for e, row in enumerate(slices_of(years) if fitted else []):
        assert set_slice(e, row, years[e], forward[e], RATE, SPOT, SECOND, state)
    return state, years
