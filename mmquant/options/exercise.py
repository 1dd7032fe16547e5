"""Early exercise: from which price on it is best, and what to do before an ex-date."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from mmquant.core.option_rows import OPTION_BAD_INPUT, OPTION_OK, OPTION_REFUSED
from mmquant.errors import DataError
from mmquant.options.american import american_boundaries, american_prices
from mmquant.options.chain import Chain, read_chain
from mmquant.options.results import dtypes_of, result
from mmquant.options.rows import Answer, Rows, over_options
from mmquant.options.settings import Accuracy, DividendModel, Settings
from mmquant.schema.options import EXERCISE_ADVICE, EXERCISE_BOUNDARY, ExerciseAdvice


def exercise_boundary(ds: xr.Dataset, *, accuracy: Accuracy = "fast") -> xr.Dataset:
    """The price of the underlying at which it becomes best to exercise american options now.

    At or below it for a put, at or above it for a call: zero or infinity where it never is. The
    curve over time to expiry comes from a ``years`` with a dim. The chain is as for ``price``;
    cash dividends are refused, since just before an ex-date there is no one boundary
    (``exercise_advice``).

    Returns
    -------
    Dataset (schema ``exercise_boundary``) of ``boundary`` [ccy] and ``status``. European options
    have none: NaN and ``refused``.
    """
    chain, settings = read_chain(ds, "vol", needs_underlying=False), Settings(accuracy)
    _needs_american(chain)
    if chain.dividends:
        raise DataError(
            "option chain: there are cash dividends, and no one boundary with them",
            fix="drop 'dividend_years' and 'dividend_amount', or ask for exercise_advice",
        )

    def formula(rows: Rows) -> Answer:
        boundary, status = american_boundaries(rows, settings)
        return _for_american(rows, boundary), _refused_european(rows, status)

    found = over_options(chain, formula, dtypes_of(EXERCISE_BOUNDARY), by_market=False)
    return result(chain, EXERCISE_BOUNDARY, found, settings)


def exercise_advice(
    ds: xr.Dataset, *, accuracy: Accuracy = "fast", dividends: DividendModel = "escrowed"
) -> xr.Dataset:
    """What the holder of american options should do just before the next ex-date.

    Exercising earns the intrinsic value. Holding leaves the option at the spot less the dividend,
    with the later dividends to come. Ask on the eve: the times are taken as they are now. Without
    a dividend up to its expiry, an option is held over nothing. The chain is as for ``price``,
    with ``dividend_years`` and ``dividend_amount``.

    Returns
    -------
    Dataset (schema ``exercise_advice``) of ``advice``, ``exercise_value``, ``hold_value`` and
    ``gain`` [ccy], and ``status``. European options get no advice: ``unknown`` and ``refused``.
    """
    chain, settings = read_chain(ds, "vol"), Settings(accuracy, dividends)
    _needs_american(chain)
    if not chain.dividends:
        raise DataError(
            "option chain: there are no cash dividends, so there is no ex-date",
            fix="add 'dividend_years' and 'dividend_amount' over 'dividend'",
        )

    def formula(rows: Rows) -> tuple[np.ndarray, ...]:
        after = after_ex_date(rows)
        held, status = american_prices(after, settings, by_market=True)
        eaten = (rows.underlying > 0.0) & (after.underlying <= 0.0) & (status == OPTION_BAD_INPUT)
        status = np.where(eaten, OPTION_REFUSED, status)
        status = np.where((rows.dividend_amount < 0.0).any(axis=1), OPTION_BAD_INPUT, status)
        status = _refused_european(rows, status)
        now = np.maximum(rows.sign * (rows.underlying - rows.strike), 0.0)
        now, hold = (np.where(status == OPTION_OK, value, np.nan) for value in (now, held))
        advice = np.where(now - hold >= 0.0, ExerciseAdvice.EXERCISE, ExerciseAdvice.HOLD)
        advice = np.where(now == 0.0, ExerciseAdvice.HOLD, advice)
        advice = np.where(status == OPTION_OK, advice, ExerciseAdvice.UNKNOWN)
        return advice.astype(np.int8), now, hold, now - hold, status

    found = over_options(chain, formula, dtypes_of(EXERCISE_ADVICE), by_market=True)
    return result(chain, EXERCISE_ADVICE, found, settings)


def after_ex_date(rows: Rows) -> Rows:
    """The options just after the next ex-date up to their expiry: the spot has dropped."""
    years = rows.dividend_years
    comes = (years > 0.0) & (years <= rows.years[:, None])
    first = np.where(comes, years, np.inf).min(axis=1, initial=np.inf)
    goes = comes & (years == first[:, None])
    drop = np.where(goes, rows.dividend_amount, 0.0).sum(axis=1)
    left = np.where(goes, 0.0, rows.dividend_amount)
    return replace(rows, underlying=rows.underlying - drop, dividend_amount=left)


def _needs_american(chain: Chain) -> None:
    if not chain.american.any():
        raise DataError(
            "option chain: all options are european, and cannot be exercised early",
            fix="set 'exercise' to 'american' where it is so",
        )


def _for_american(rows: Rows, value: np.ndarray) -> np.ndarray:
    return np.where(rows.american == 1.0, value, np.nan)


def _refused_european(rows: Rows, status: np.ndarray) -> np.ndarray:
    return np.where(rows.american == 1.0, status, OPTION_REFUSED).astype(np.int8)
