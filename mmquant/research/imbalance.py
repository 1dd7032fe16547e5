"""Does the queue imbalance tell the next move of the mid? After Gould and Bonart (2016)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mmquant.errors import UsageError
from mmquant.research.calibration.flow import Moment, contract_of
from mmquant.research.logistic import Estimate, auc, fit_logistic
from mmquant.research.quote_changes import has_market, quote_changes


class Samples(NamedTuple):
    """One moment of each interval between two moves of the mid, in order of time."""

    ts: np.ndarray
    """When, at the exchange. [ns]"""
    imbalance: np.ndarray
    """(bid - ask) / (bid + ask) of the best sizes then."""
    up: np.ndarray
    """Whether the mid moved up at the interval's end."""
    spread_ticks: np.ndarray
    left_out: int
    """Intervals that do not both begin and end with a move: the first, the last, and those beside
    times without a two-sided market."""


def imbalance_samples(rows: np.ndarray, *, seed: int = 0) -> Samples:
    """Look at one moment, uniform in time, of each interval between two moves of the mid.

    ``rows`` are records of ``quote_changes``. Same seed, same moments.
    """
    good, twice_mid, ts = has_market(rows), rows["bid"] + rows["ask"], rows["ts"]
    new = (good[1:] != good[:-1]) | (twice_mid[1:] != twice_mid[:-1])
    first = np.flatnonzero(np.concatenate([[True], new]))[: len(rows)]
    whole = np.zeros(len(first), np.bool_)
    whole[1:-1] = good[first[:-2]] & good[first[1:-1]] & good[first[2:]]
    at = np.flatnonzero(whole)
    begin, end = ts[first[at]], ts[first[at + 1]]
    part = np.random.default_rng(seed).random(len(at))
    moment = begin + (part * (end - begin)).astype(np.int64)
    seen = rows[np.searchsorted(ts, moment, side="right") - 1]
    bid, ask = seen["bid_lots"].astype(np.float64), seen["ask_lots"].astype(np.float64)
    return Samples(
        moment,
        (bid - ask) / (bid + ask),
        twice_mid[first[at + 1]] > twice_mid[first[at]],
        seen["ask"] - seen["bid"],
        int(np.count_nonzero(good[first])) - len(at),
    )


def imbalance_study(
    tape: xr.Dataset,
    *,
    inst: int = 0,
    seed: int = 0,
    train: float = 0.5,
    start: Moment = None,
    end: Moment = None,
) -> dict[str, Any]:
    """Logistic regression of the next move of the mid on the queue imbalance before it.

    One observation for each interval between two moves, at a moment uniform in time. The first
    part of them, in order of time, makes the fit; the rest tells how well it forecasts.

    Parameters
    ----------
    seed : any whole number from 0, for the moments.
    train : part of the intervals that the fit uses.
    start, end : seconds from the first row, or clock times like "09:30"; all if not given.

    Returns
    -------
    dict
        ``slope`` and ``intercept`` of the fit, ``auc`` and ``brier`` out of sample (``brier_null``
        is what the share of up moves in the first part scores), each estimate with its standard
        error (``_se``) and 95 % interval (``_low``, ``_high``), which count that a day is not all
        alike (``research.logistic``). None, with a ``reason``, where the data do not tell.

    Raises
    ------
    UsageError
        where ``train`` is not between 0 and 1, or the tape or the times do not fit.
    DataError
        where the tape is empty.
    """
    if not 0.0 < train < 1.0:
        raise UsageError(f"train is {train}", fix="give a number between 0 and 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}", fix="give a whole number from 0")
    rows = quote_changes(tape, inst=inst, start=start, end=end)
    return {"symbol": contract_of(tape, inst).symbol, **study_of(rows, seed=seed, train=train)}


def study_of(rows: np.ndarray, *, seed: int, train: float) -> dict[str, Any]:
    """The study of records of ``quote_changes``; all of ``imbalance_study`` but the symbol."""
    found = imbalance_samples(rows, seed=seed)
    count = len(found.ts)
    cut = int(train * count)
    fit = fit_logistic(found.imbalance[:cut], found.up[:cut])
    later = found.up[cut:]
    forecast = fit.at(found.imbalance[cut:])
    known = count > cut and np.isfinite(forecast).all()
    area = auc(forecast, later)
    reason = fit.reason
    if not reason and not np.isfinite(area.value):
        reason = f"{int(later.sum())} moves up of {len(later)} after the fit: too few of one kind"
    return {
        "seed": seed,
        "train": train,
        "intervals": count,
        "left_out": found.left_out,
        "first_ts": int(found.ts[0]) if count else None,
        "last_ts": int(found.ts[-1]) if count else None,
        "mean_spread_ticks": float(found.spread_ticks.mean()) if count else None,
        "up_share": float(found.up.mean()) if count else None,
        "fitted": cut,
        "tested": count - cut,
        **_named("intercept", fit.intercept),
        **_named("slope", fit.slope),
        **_named("auc", area),
        "brier": float(np.mean((later - forecast) ** 2)) if known else None,
        "brier_null": float(np.mean((later - found.up[:cut].mean()) ** 2)) if known else None,
        "reason": reason,
    }


def _named(name: str, estimate: Estimate) -> dict[str, float | None]:
    values = {
        name: estimate.value,
        f"{name}_se": estimate.se,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
    }
    return {key: float(x) if np.isfinite(x) else None for key, x in values.items()}
