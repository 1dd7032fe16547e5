"""The inventory of a run: its moments over time, and how fast it goes back to its mean."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr

from mmquant.trading.run_tables import Floats, path_column, path_times

STEP_S = 10.0
"""Time between two looks at the inventory for its half-life. [s]"""
LEAST_PAIRS = 30
"""Pairs of looks below which there is no half-life."""
DICKEY_FULLER = -2.89
"""5 % point of the t statistic of phi - 1 under a random walk, with a constant, 100 values (Fuller,
Introduction to Statistical Time Series, 1976, table 8.5.2); it is -2.86 for very many."""


class HalfLife(NamedTuple):
    """Half-life of the inventory [s], None with the reason in ``why`` where it cannot be told.

    ``phi`` is the fitted coefficient, ``pairs`` how many pairs of looks it is fitted to, and
    ``step_s`` the time between two looks. [s]
    """

    seconds: float | None
    phi: float | None
    pairs: int
    step_s: float
    why: str = ""


def durations(*, path: xr.Dataset) -> Floats:
    """How long each step stands, to the next one; the last stands for 0. [s], shape (time,)"""
    times = path_times(path)
    return np.append(np.diff(times), 0)[: len(times)] / 1e9


def position_moments(*, path: xr.Dataset) -> dict[str, float | None]:
    """Time-weighted ``mean`` and ``sd`` [units] and ``skew`` [1] of the position.

    All None on a path of several instruments, whose units do not add up, or of no length; ``skew``
    is None where the position never changes.
    """
    out: dict[str, float | None] = {"mean": None, "sd": None, "skew": None}
    position, weight = path_column(path, "position"), durations(path=path)
    total = float(weight.sum())
    if position.shape[1] != 1 or total <= 0.0:
        return out
    held = position[:, 0]
    out["mean"] = mean = float((held * weight).sum()) / total
    variance = float(((held - mean) ** 2 * weight).sum()) / total
    out["sd"] = math.sqrt(variance)
    if variance > 1e-24 * max(mean**2, 1e-300):
        out["skew"] = float(((held - mean) ** 3 * weight).sum()) / total / variance**1.5
    return out


def inventory_half_life(*, path: xr.Dataset, step_s: float = STEP_S) -> HalfLife:
    """Half-life of the position from q(t + step) = c + phi * q(t) + noise: -step * ln 2 / ln phi.

    The position is looked at each ``step_s`` [s], or at the median time between two steps of the
    path where that is longer. Least squares pulls phi down by (1 + 3 phi) / n, which is added back
    (Kendall, Biometrika 41, 1954). There is none, with the reason, where phi is not above 0, where
    a random walk would look the same (Dickey and Fuller), or with too few looks.
    """
    times = path_times(path)
    if path.sizes["inst"] != 1:
        return HalfLife(None, None, 0, step_s, "several instruments have no common inventory")
    if len(times) < 2:
        return HalfLife(None, None, 0, step_s, "the path is too short")
    step_s = max(step_s, float(np.median(np.diff(times))) / 1e9)
    looks = np.arange(times[0], times[-1] + 1, round(step_s * 1e9))
    rows = np.searchsorted(times, looks, side="right") - 1
    return half_life(position=path_column(path, "position")[rows, 0], step_s=step_s)


def half_life(*, position: Floats, step_s: float) -> HalfLife:
    """`inventory_half_life` of positions (n,) that are ``step_s`` apart. [s]"""
    before, after = position[:-1], position[1:]
    n = len(before)
    if n < LEAST_PAIRS:
        why = f"{LEAST_PAIRS} pairs of looks {step_s:g} s apart are needed, there are {n}"
        return HalfLife(None, None, n, step_s, why)
    x, y = before - before.mean(), after - after.mean()
    power = float((x * x).sum())
    if power <= 0.0:
        return HalfLife(None, None, n, step_s, "the position does not change")
    fitted = float((x * y).sum()) / power
    error = math.sqrt(float(((y - fitted * x) ** 2).sum()) / (n - 2) / power)
    phi = fitted + (1.0 + 3.0 * fitted) / n
    if phi - 1.96 * error <= 0.0:
        why = f"looks {step_s:g} s apart have nothing in common: it is shorter than they can show"
        return HalfLife(None, phi, n, step_s, why)
    if phi >= 1.0 or fitted - 1.0 > DICKEY_FULLER * error:
        return HalfLife(None, phi, n, step_s, "a random walk would look the same")
    return HalfLife(-step_s * math.log(2.0) / math.log(phi), phi, n, step_s)
