"""Interest rates that calls and puts imply.

European ones by box spreads: call less put falls by the discount factor from strike to strike. For
american ones that slope holds premiums of early exercise, which depend on the rate in turn: one
rate for all is sought, at which the strikes of each expiry agree best on its forward.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmquant.core.forward_fit import MOST, fit_forwards, imply_discounts
from mmquant.core.surface_rows import (
    AGREE,
    DISAGREE,
    FORWARD_ROWS,
    MISFIT,
    make_surface_work,
)

Chain = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
PRIOR_ERROR = 0.003
"""Standard error [1/year] of an expiry's rate about that of all, where box spreads imply it."""
PRIOR_RATE, PRIOR_SPREAD = 0.02, 0.02
"""Where strikes say nothing, as those of short expiries do, a rate is near this [1/year]."""
FEWEST_PAIRS = 10
"""Strikes that agree at a time from which on it speaks for its day."""
HIGHEST, SCAN, STEPS = 0.16, 9, 14
GOLDEN = 0.6180339887498949


def rates_by_boxes(
    bid: np.ndarray,
    ask: np.ndarray,
    usable: np.ndarray,
    chain: Chain,
    most: int,
    years: np.ndarray,
) -> np.ndarray | None:
    """Rates by box spreads (time, expiry), each drawn to that of all as far as it is unsure.

    None where no expiry has enough strikes. Arguments are those of fit_forwards.
    """
    discount, error = np.full((2, *years.shape), np.nan)
    buffers = make_surface_work(most)[0]
    imply_discounts(0, len(years), bid, ask, usable, *chain, discount, error, buffers)
    with np.errstate(all="ignore"):
        rate, sure = -np.log(discount) / years, (discount * years / error) ** 2
    known = np.isfinite(rate) & np.isfinite(sure)
    if not known.any():
        return None
    rate = np.where(known, rate, 0.0)
    # What one expiry says of all is no surer than expiries are alike.
    apart = np.where(known, 1 / (1 / np.where(known, sure, 1.0) + PRIOR_ERROR**2), 0.0)
    sure = np.where(known, sure, 0.0)
    total = apart.sum(axis=1, keepdims=True)
    some = total > 0
    mean = (rate * apart).sum(axis=1, keepdims=True) / np.where(some, total, 1.0)
    mean = np.where(some, mean, PRIOR_RATE)
    prior = PRIOR_ERROR**-2
    found: np.ndarray = (rate * sure + mean * prior) / (sure + prior)
    return found


def rates_by_agreement(
    bid: np.ndarray,
    ask: np.ndarray,
    usable: np.ndarray,
    chain: Chain,
    most: int,
    american: np.ndarray,
    spot: np.ndarray,
    years: np.ndarray,
    days: np.ndarray,
    band: float,
    known: dict[np.datetime64, float],
) -> np.ndarray:
    """One rate for all american options at each time (time,), the same for a day.

    A day takes the rate of its first time with FEWEST_PAIRS strikes that agree, so that a rate is
    never of what comes later. Days without such a time have 0. ``known``: rates of days before
    [1/year], which are taken as they are; new ones are added.
    """
    out = np.zeros(len(years))
    memory = make_surface_work(most)

    def misses(t: int, rate: float) -> tuple[float, float]:
        at = slice(t, t + 1)
        forwards = np.full((1, american.size, FORWARD_ROWS), np.nan)
        fit_forwards(
            0, 1, bid[at], ask[at], usable[at], *chain, american, spot[at], years[at],
            np.full((1, american.size), rate), band, forwards, memory[0], memory[1],
        )  # fmt: skip
        mine = forwards[0][american]
        strikes = mine[:, AGREE] + mine[:, DISAGREE]
        missed = np.where(np.isnan(mine[:, MISFIT]), MOST, mine[:, MISFIT])
        return float((missed * strikes).sum()), float(mine[:, AGREE].sum())

    for day in np.unique(days):
        mine = np.flatnonzero(days == day)
        if day not in known:
            full = (int(t) for t in mine if misses(int(t), PRIOR_RATE)[1] >= FEWEST_PAIRS)
            first = next(full, -1)
            if first < 0:
                continue
            known[day] = _least(lambda rate, t=first: misses(t, rate)[0])  # type: ignore[misc]
        out[mine] = known[day]
    return out


def _least(misses: Callable[[float], float]) -> float:
    """The rate from 0 to HIGHEST at which misses, and the distance from the prior, are least."""

    def cost(rate: float) -> float:
        return misses(rate) + ((rate - PRIOR_RATE) / PRIOR_SPREAD) ** 2

    grid = np.linspace(0.0, HIGHEST, SCAN)
    best = int(np.argmin([cost(float(rate)) for rate in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, SCAN - 1)])
    for _ in range(STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return 0.5 * (low + high)
