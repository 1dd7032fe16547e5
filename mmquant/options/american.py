"""American options in rows: by a boundary shared in each market, and with cash dividends."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from mmquant.core.american import american_chain, american_many
from mmquant.core.american_implied_vol import american_implied_vol_many
from mmquant.core.exercise_boundary import exercise_boundary_many
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_BAD_INPUT,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    RHO,
    ROWS,
    VEGA,
)
from mmquant.options.chain import Chain
from mmquant.options.dividends import PRICE_ROWS, dividend_values, dividend_vols, pays
from mmquant.options.rows import Answer, Rows, either
from mmquant.options.settings import Settings

SMILE_NODES = 4
"""Boundaries that a smile needs on a side, roughly."""


def goes_by_market(chain: Chain) -> bool:
    """Whether american options are cheaper market by market than boundary by boundary.

    A market needs a few boundaries for all its strikes. Where one boundary serves many spots or
    strikes, as along a time in which the volatilities stand still, it is better solved once. The
    choice is by the sizes of the whole chain, so that chunks do not change it.
    """
    boundary = (chain.quoted, chain.years, chain.rate, chain.dividend_yield, chain.sign)
    market = (chain.underlying, *boundary[1:])
    served, in_market = (_options_of_one(chain, arrays) for arrays in (boundary, market))
    return served * SMILE_NODES < in_market


def _options_of_one(chain: Chain, arrays: tuple[xr.DataArray, ...]) -> int:
    """How many options share the values of some arrays, by dims."""
    every = (chain.quoted, chain.underlying, chain.strike, chain.american, *arrays)
    sizes = {dim: size for array in every for dim, size in array.sizes.items()}
    shared = {dim for array in arrays for dim in array.dims}
    return math.prod(size for dim, size in sizes.items() if dim not in shared)


def american_prices(rows: Rows, settings: Settings, by_market: bool) -> Answer:
    """Prices and status codes, of shape (options,)."""
    out, status = _values(rows, settings, by_market, PRICE_ROWS)
    return out[PRICE], status


def american_greeks(rows: Rows, settings: Settings, by_market: bool) -> Answer:
    """Price and greeks, of shape (9, options), and status codes; second-order ones are NaN."""
    out, status = _values(rows, settings, by_market, ROWS)
    return _at_expiry(rows, out, status)


def _at_expiry(rows: Rows, out: np.ndarray, status: np.ndarray) -> Answer:
    """Greeks without time, and refused where there is a price and not all of them.

    Off the strike nothing but delta is left at expiry; at the strike there is none.
    """
    some = (status == OPTION_OK) & np.isnan(out[VEGA])
    expired = some & (rows.years == 0.0)
    off, at = expired & (rows.underlying != rows.strike), expired & (rows.underlying == rows.strike)
    in_the_money = rows.sign * (rows.underlying - rows.strike) > 0.0
    out[GAMMA : RHO + 1, off] = 0.0
    out[DELTA, off] = np.where(in_the_money, rows.sign, 0.0)[off]
    out[DELTA : RHO + 1, at] = np.nan
    return out, np.where(some & ~off, OPTION_REFUSED, status)


def american_vols(rows: Rows, settings: Settings, by_market: bool) -> Answer:
    """Implied volatilities and status codes."""
    return either(
        rows,
        pays(rows),
        lambda some: dividend_vols(some, settings, early=True),
        lambda some: _vols(some, settings),
    )


def american_boundaries(rows: Rows, settings: Settings) -> Answer:
    """Spots at which exercise becomes best, and status codes."""
    out, status = np.empty(len(rows)), np.empty(len(rows), np.int64)
    exercise_boundary_many(
        rows.sign, rows.strike, rows.years, rows.quoted, rows.rate, rows.dividend_yield,
        settings.accuracy_code, out, status,
    )  # fmt: skip
    still = (rows.quoted == 0.0) & (rows.strike > 0.0) & (rows.years >= 0.0)
    return out, np.where(still & (status == OPTION_BAD_INPUT), OPTION_REFUSED, status)


def _values(rows: Rows, settings: Settings, by_market: bool, count: int) -> Answer:
    """The first rows of the results."""
    return either(
        rows,
        pays(rows),
        lambda some: dividend_values(some, settings, True, count),
        lambda some: _by_boundary(some, settings, by_market, count),
    )


def _by_boundary(rows: Rows, settings: Settings, by_market: bool, count: int) -> Answer:
    """Market by market, and what has a market of its own at once; or all of it at once."""
    if not by_market:
        return _many(rows, settings, count)
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    alone = np.zeros(len(rows), bool)
    for market in rows.groups():
        if market.stop - market.start == 1:
            alone[market] = True
            continue
        out[:, market], status[market] = _chain(rows[market], settings, count)
    if alone.any():
        out[:, alone], status[alone] = _many(rows[alone], settings, count)
    return out, status


def _chain(rows: Rows, settings: Settings, count: int) -> Answer:
    """Options that share all but sign, strike and volatility."""
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    spot, years, rate, dividend_yield = (
        float(array[0]) for array in (rows.underlying, rows.years, rows.rate, rows.dividend_yield)
    )
    american_chain(
        rows.sign, spot, rows.strike, years, rows.quoted, rate, dividend_yield,
        settings.accuracy_code, out, status,
    )  # fmt: skip
    return out, status


def _many(rows: Rows, settings: Settings, count: int) -> Answer:
    """Options one by one; neighbours share a boundary."""
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    american_many(
        rows.sign, rows.underlying, rows.strike, rows.years, rows.quoted, rows.rate,
        rows.dividend_yield, settings.accuracy_code, out, status,
    )  # fmt: skip
    return out, status


def _vols(rows: Rows, settings: Settings) -> Answer:
    vol, status = np.empty(len(rows)), np.empty(len(rows), np.int64)
    american_implied_vol_many(
        rows.sign, rows.quoted, rows.underlying, rows.strike, rows.years, rows.rate,
        rows.dividend_yield, settings.accuracy_code, vol, status,
    )  # fmt: skip
    return vol, status
