"""American options in rows: by a boundary shared in each market, and with cash dividends."""

from __future__ import annotations

import numpy as np

from mmquant.core.american import american_chain, american_many
from mmquant.core.option_rows import GAMMA, PRICE, ROWS
from mmquant.options.rows import Answer, Rows
from mmquant.options.settings import Settings

PRICE_ROWS = GAMMA + 1
"""Rows without the greeks that need boundaries of their own."""


def american_prices(rows: Rows, settings: Settings) -> Answer:
    """Prices and status codes, of shape (options,)."""
    out, status = _values(rows, settings, PRICE_ROWS)
    return out[PRICE], status


def american_greeks(rows: Rows, settings: Settings) -> Answer:
    """Price and greeks, of shape (9, options), and status codes; second-order ones are NaN."""
    return _values(rows, settings, ROWS)


def _values(rows: Rows, settings: Settings, count: int) -> Answer:
    """The first rows of the results, market by market; what has a market of its own at once."""
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


def american_vols(rows: Rows, settings: Settings) -> Answer:
    raise NotImplementedError


def american_boundaries(rows: Rows, settings: Settings) -> Answer:
    raise NotImplementedError
