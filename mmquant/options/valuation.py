"""Prices, greeks and implied volatilities of option chains: Dataset in, Dataset out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from mmquant.options.american import american_greeks, american_prices, american_vols, goes_by_market
from mmquant.options.chain import Chain, read_chain
from mmquant.options.european import european_greeks, european_prices, european_vols
from mmquant.options.results import dtypes_of, result
from mmquant.options.rows import Answer, Rows, either, over_options
from mmquant.options.settings import Accuracy, DividendModel, Settings
from mmquant.schema.columns import Table
from mmquant.schema.options import IMPLIED_VOLS, OPTION_GREEKS, OPTION_PRICES


def price(
    ds: xr.Dataset, *, accuracy: Accuracy = "fast", dividends: DividendModel = "escrowed"
) -> xr.Dataset:
    """Values of options.

    Parameters
    ----------
    ds : a chain (schema ``option_chain``): ``spot`` or ``forward`` [ccy], ``strike`` [ccy],
        ``right``, ``years`` [year], ``vol`` [1/sqrt(year)], ``rate`` [1/year], and the style of
        exercise; each over the dims that it depends on, chunked by Dask or not.
    accuracy : of american options, and of finite differences for cash dividends: ``fast``,
        ``accurate`` or ``high``. With ``fast``, american options of the escrowed model are valued
        without finite differences where that can be; the attribute ``method`` says where not.
    dividends : what cash dividends do: ``escrowed``, where the spot less their present value is
        lognormal, or ``spot``, where the spot is lognormal between ex-dates and drops at them.

    Returns
    -------
    Dataset (schema ``option_prices``) of ``price`` [ccy] and ``status``, with the coordinates and
    attributes of ``ds``. Where there is no number it is NaN, and ``status`` says why.

    Raises
    ------
    DataError
        where the chain is not complete or does not fit together.
    UsageError
        for an unknown accuracy or dividend model.
    """
    chain, settings = read_chain(ds, "vol"), Settings(accuracy, dividends)
    return _evaluate(chain, settings, OPTION_PRICES, european_prices, american_prices)


def greeks(
    ds: xr.Dataset, *, accuracy: Accuracy = "fast", dividends: DividendModel = "escrowed"
) -> xr.Dataset:
    """Values of options and their derivatives, all in one pass.

    Units are raw: vega per 1.00 of volatility, rho per 1.00 of rate, theta and charm per year that
    passes. Delta is by ``spot``, or by ``forward`` where that is given. Parameters and errors are
    those of ``price``.

    Returns
    -------
    Dataset (schema ``option_greeks``) of ``price``, ``delta``, ``gamma``, ``vega``, ``theta``,
    ``rho``, ``vanna``, ``volga``, ``charm`` and ``status``. American options have no ``vanna``,
    ``volga`` and ``charm``: NaN.
    """
    chain, settings = read_chain(ds, "vol"), Settings(accuracy, dividends)
    return _evaluate(chain, settings, OPTION_GREEKS, european_greeks, american_greeks)


def implied_vol(
    ds: xr.Dataset, *, accuracy: Accuracy = "fast", dividends: DividendModel = "escrowed"
) -> xr.Dataset:
    """Volatilities at which the model gives the ``price`` [ccy] of the chain.

    Parameters and errors are those of ``price``, with ``price`` in the place of ``vol``.

    Returns
    -------
    Dataset (schema ``implied_vols``) of ``implied_vol`` [1/sqrt(year)] and ``status``. A price
    outside of its bounds has none: NaN, and ``status`` says on which side it is.
    """
    chain, settings = read_chain(ds, "price"), Settings(accuracy, dividends)
    return _evaluate(chain, settings, IMPLIED_VOLS, european_vols, american_vols)


def _evaluate(
    chain: Chain,
    settings: Settings,
    table: Table,
    european: Callable[[Rows, bool, Settings], Answer],
    american: Callable[[Rows, Settings, bool], Answer],
) -> xr.Dataset:
    """Value each option by its own style of exercise."""
    numbers = len(table.columns) - 1
    early = bool(chain.american.any())
    by_market = bool(chain.dividends) or (early and goes_by_market(chain))

    def formula(rows: Rows) -> tuple[np.ndarray, ...]:
        out, status = either(
            rows,
            rows.american == 1.0,
            lambda some: american(some, settings, by_market),
            lambda some: european(some, chain.on_forward, settings),
        )
        return (*out.reshape(numbers, len(rows)), status)

    found = over_options(chain, formula, dtypes_of(table), by_market=by_market)
    return result(chain, table, found, settings)
