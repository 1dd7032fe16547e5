"""American options in rows: by a boundary shared in each market, and with cash dividends."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from mmquant.core.american import american_chain, american_many
from mmquant.core.option_rows import GAMMA, PRICE, ROWS
from mmquant.options.chain import Chain
from mmquant.options.rows import Answer, Rows
from mmquant.options.settings import Settings

PRICE_ROWS = GAMMA + 1
"""Rows without the greeks that need boundaries of their own."""


SMILE_NODES = 4
"""Boundaries that a smile needs on a side, roughly."""


def goes_by_market(chain: Chain) -> bool:
    """Whether american options are cheaper market by market than boundary by boundary.

    A market needs a few boundaries for all its strikes. Where one boundary serves many spots or
    strikes, as along a time in which the volatilities stand still, it is better solved once. The
    choice is by the sizes of the whole chain, so that chunks do not change it.
    """
    if chain.dividends:
        return True
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
    return _values(rows, settings, by_market, ROWS)


def _values(rows: Rows, settings: Settings, by_market: bool, count: int) -> Answer:
    """The first rows of the results, market by market; what has a market of its own at once."""
    if not by_market:
        return _many(rows, settings, count)
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    alone = np.zeros(len(rows), bool)
    for market in rows.markets():
        size = market.stop - market.start
        if size == 1:
            alone[market] = True
            continue
        part = np.empty((count, size))
        _chain(rows[market], settings, part, status[market])
        out[:, market] = part
    if alone.any():
        out[:, alone], status[alone] = _many(rows[alone], settings, count)
    return out, status


def _chain(rows: Rows, settings: Settings, out: np.ndarray, status: np.ndarray) -> None:
    """Options that share all but sign, strike and volatility."""
    spot, years, rate, dividend_yield = (
        float(array[0]) for array in (rows.underlying, rows.years, rows.rate, rows.dividend_yield)
    )
    american_chain(
        rows.sign, spot, rows.strike, years, rows.quoted, rate, dividend_yield,
        settings.accuracy_code, out, status,
    )  # fmt: skip


def _many(rows: Rows, settings: Settings, count: int) -> Answer:
    """Options one by one."""
    out, status = np.empty((count, len(rows))), np.empty(len(rows), np.int64)
    american_many(
        rows.sign, rows.underlying, rows.strike, rows.years, rows.quoted, rows.rate,
        rows.dividend_yield, settings.accuracy_code, out, status,
    )  # fmt: skip
    return out, status


def american_vols(rows: Rows, settings: Settings, by_market: bool) -> Answer:
    raise NotImplementedError


def american_boundaries(rows: Rows, settings: Settings) -> Answer:
    raise NotImplementedError
