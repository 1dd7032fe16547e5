"""Options on stocks with cash dividends, in rows, market by market.

By finite differences, which are the reference; american ones of the escrowed model by boundaries
and integrals between ex-dates where that is asked for and applies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmquant.core.american_dividends import dividend_many
from mmquant.core.american_escrowed import escrowed_many
from mmquant.core.option_rows import (
    GAMMA,
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BAD_INPUT,
    OPTION_BELOW,
    OPTION_NAN,
    OPTION_NOT_CONVERGED,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
)
from mmquant.options.rows import Answer, Rows
from mmquant.options.settings import Settings

PRICE_ROWS = GAMMA + 1
"""Rows without the greeks that cost valuations of their own."""
LOWEST_VOL, HIGHEST_VOL = 0.01, 5.0
"""Volatilities that are covered, and looked for: the grid does not hold beyond."""
STEPS = 60
CLOSE = 1e-9
"""Width of the bracket at which the search ends."""
A = np.ndarray
Inputs = tuple[A, A, A, A, A, A, A, A, A]


def pays(rows: Rows) -> np.ndarray:
    """Whether a cash dividend counts, or may: a date or an amount that is no number does."""
    gone = (rows.dividend_years <= 0.0) | (rows.dividend_years > rows.years[:, None])
    return (~gone & (rows.dividend_amount != 0.0)).any(axis=1)


def dividend_values(rows: Rows, settings: Settings, early: bool, count: int) -> Answer:
    """The first rows of the results, and status codes, of options that pay dividends."""
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    for market in rows.groups():
        part = rows[market]
        out[:, market], status[market] = _of_market(part, settings, early, count)
    refused = _fair(rows) & ((status == OPTION_BAD_INPUT) | _outside(rows))
    out[:, refused], status[refused] = np.nan, OPTION_REFUSED
    return out, np.where(rows.finite(), status, OPTION_NAN)


def _of_market(rows: Rows, settings: Settings, early: bool, count: int) -> Answer:
    """Options that share all but sign, strike and volatility: the fast way, then what it leaves."""
    if not (early and settings.spans):
        return _by_grid(rows, settings, early, count)
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    escrowed_many(*_inputs(rows), settings.accuracy_code, out, status)
    left = status == OPTION_REFUSED
    if left.any():
        out[:, left], status[left] = _by_grid(rows[left], settings, early, count)
    return out, status


def _by_grid(rows: Rows, settings: Settings, early: bool, count: int) -> Answer:
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    model, accuracy = settings.dividend_code, settings.accuracy_code
    dividend_many(*_inputs(rows), model, early, accuracy, out, status)
    return out, status


def _inputs(rows: Rows) -> Inputs:
    """What kernels take of a market: arrays over the options, and one list of dividends."""
    return (
        rows.sign, rows.underlying, rows.strike, rows.years, rows.quoted, rows.rate,
        rows.dividend_yield, rows.dividend_years[0], rows.dividend_amount[0],
    )  # fmt: skip


def _fair(rows: Rows) -> np.ndarray:
    """Where inputs make sense, so that only the method can be in the way of a number.

    It is where dividends are worth more than the stock, and for volatilities that it does not
    cover.
    """
    above = (rows.underlying > 0.0) & (rows.strike > 0.0) & (rows.years > 0.0)
    return above & (rows.quoted >= 0.0) & (rows.dividend_amount >= 0.0).all(axis=1)


def _outside(rows: Rows) -> np.ndarray:
    return (rows.quoted < LOWEST_VOL) | (rows.quoted > HIGHEST_VOL)


def dividend_vols(rows: Rows, settings: Settings, early: bool) -> Answer:
    """Implied volatilities and status codes of options that pay dividends."""

    def miss(vol: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the price is above the quoted one."""
        some = replace(rows[part], quoted=vol)
        out, codes = dividend_values(some, settings, early, PRICE_ROWS)
        return out[PRICE] - rows.quoted[part], codes

    every = np.arange(len(rows))
    low, high = (np.full(len(rows), vol) for vol in (LOWEST_VOL, HIGHEST_VOL))
    (at_low, status), (at_high, _) = miss(low, every), miss(high, every)
    status = np.where(np.isnan(rows.quoted), OPTION_NAN, status)
    for code, wrong in (
        (OPTION_ABOVE, at_high <= 0.0),
        (OPTION_AT_INTRINSIC, at_low == 0.0),
        (OPTION_BELOW, at_low > 0.0),
    ):
        status = np.where(wrong & (status == OPTION_OK), code, status)
    part = np.flatnonzero(status == OPTION_OK)
    vol = np.full(len(rows), np.nan)
    vol[part], done = roots(
        lambda x, of: miss(x, part[of])[0], low[part], high[part], at_low[part], at_high[part]
    )
    status[part[~done]] = OPTION_NOT_CONVERGED
    return np.where(status == OPTION_OK, vol, np.nan), status


def roots(
    miss: Callable[[np.ndarray, np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    at_low: np.ndarray,
    at_high: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where ``miss(x, which)`` is zero, in brackets, and whether the search ended there.

    Chandrupatla (1997): inverse quadratic interpolation where it is safe, else bisection.
    """
    found, done = np.full(len(low), np.nan), np.zeros(len(low), bool)
    which, t = np.arange(len(low)), np.full(len(low), 0.5)
    x1, f1, x2, f2 = high, at_high, low, at_low
    for _ in range(STEPS):
        if not len(which):
            break
        x = x1 + t * (x2 - x1)
        f = miss(x, which)
        same = np.sign(f) == np.sign(f1)
        x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
        x2, f2 = np.where(same, x2, x1), np.where(same, f2, f1)
        x1, f1 = x, f
        best = np.where(np.abs(f2) < np.abs(f1), x2, x1)
        least = 0.5 * CLOSE / np.abs(x2 - x1)
        ends = (least > 0.5) | (f1 == 0.0) | np.isnan(f1)
        found[which[ends]] = best[ends]
        done[which[ends]] = ~np.isnan(f1[ends])
        place, share = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
        safe = (share**2 < place) & ((1.0 - share) ** 2 < 1.0 - place)
        step = f1 / (f2 - f1) * f3 / (f2 - f3)
        step += (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
        t = np.clip(np.where(safe, step, 0.5), least, 1.0 - least)
        x1, f1, x2, f2, t, which = (a[~ends] for a in (x1, f1, x2, f2, t, which))
    return found, done
