"""Run the kernels of a surface over times: forwards, European values, slices, prices."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mmquant.config_surface import SurfaceSettings
from mmquant.core.european_quotes import european_quotes
from mmquant.core.forward_fit import fit_forwards
from mmquant.core.slice_rows import SLICE_SIZE, make_slice
from mmquant.core.surface_fit import FIT_ROWS, fit_moments
from mmquant.core.surface_price import price_surface
from mmquant.core.surface_rows import (
    DEVIATION,
    FORWARD,
    FORWARD_ROWS,
    Memory,
    make_surface_work,
)
from mmquant.options.quality import mark_by_forward
from mmquant.options.surface_inputs import Layout, Market, layout_of, market_of
from mmquant.schema.quotes import QuoteQuality as Q

PIECE_TIMES = 8
"""Times that a thread takes at once."""


@dataclass(frozen=True)
class Prepared:
    """What slices are fitted to: ``forwards`` (time, expiry, FORWARD_ROWS), ``quality`` (time,
    contract), and ``european`` (2, time, contract), bids and asks to use, NaN for the rest."""

    layout: Layout
    market: Market
    forwards: np.ndarray
    quality: np.ndarray
    european: np.ndarray

    @property
    def forward(self) -> np.ndarray:
        return np.ascontiguousarray(self.forwards[:, :, FORWARD])


@dataclass(frozen=True)
class Fitted:
    """Arrays of a fit: ``forwards`` (time, expiry, FORWARD_ROWS), ``slices`` (time, expiry,
    SLICE_SIZE), ``said`` (time, expiry, FIT_ROWS); ``quality``, European ``bid`` and ``ask``,
    ``deviation`` (volatility to expiry) and ``price`` (time, contract)."""

    layout: Layout
    market: Market
    forwards: np.ndarray
    quality: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    slices: np.ndarray
    said: np.ndarray
    deviation: np.ndarray
    price: np.ndarray

    @property
    def forward(self) -> np.ndarray:
        forward: np.ndarray = self.forwards[:, :, FORWARD]
        return forward


def prepare(
    ds: xr.Dataset,
    held: np.ndarray,
    settings: SurfaceSettings,
    day_rates: dict[np.datetime64, float] | None = None,
) -> Prepared:
    """Forwards, and European values of screened quotes but for the contracts ``held`` (bool).

    ``day_rates``: implied rates of days, as market_of takes and fills them.
    """
    layout = layout_of(ds)
    usable = ((ds["quality"].values == Q.OK) & ~held).astype(np.int8)
    market = market_of(ds, layout, usable, settings, day_rates)
    bid, ask = ds["bid"].values, ds["ask"].values
    times, expiries = market.years.shape
    quotes, chain = (bid, ask, usable), layout.chain()
    basis = (layout.american, market.spot, market.years, market.rate)
    forwards = np.full((times, expiries, FORWARD_ROWS), np.nan)
    european = np.full((2, *bid.shape), np.nan)

    def make_european(begin: int, end: int, memory: Memory) -> None:
        buffers, exercise, _ = memory
        fit_forwards(
            begin, end, *quotes, *chain, *basis, settings.band_deviations, forwards, buffers,
            exercise,
        )  # fmt: skip
        forward = np.ascontiguousarray(forwards[:, :, FORWARD])
        width = settings.deepest_deviations * forwards[:, :, DEVIATION]
        european_quotes(
            begin, end, *quotes, *chain, *basis, forward, width, *european, buffers, exercise
        )

    _over_times(times, layout, make_european)
    forward = np.ascontiguousarray(forwards[:, :, FORWARD])
    quality = _marked(ds, layout, market, forward, european, settings)
    european[:, quality != Q.OK] = np.nan
    return Prepared(layout, market, forwards, quality, european)


def run_fit(
    ds: xr.Dataset, held: np.ndarray, settings: SurfaceSettings, own: np.ndarray | None = None
) -> Fitted:
    """Fit screened quotes but for the contracts ``held`` (contract, bool).

    ``own`` (expiry, SLICE_SIZE): slices that each expiry had by itself before, a warm start; it
    takes those of the last time.
    """
    found = prepare(ds, held, settings)
    layout, market, forward = found.layout, found.market, found.forward
    chain, (times, expiries) = layout.chain(), market.years.shape
    slices = np.zeros((times, expiries, SLICE_SIZE))
    said = np.full((times, expiries, FIT_ROWS), np.nan)
    fit_moments(
        0, times, *found.european, *chain, forward, market.discount, settings.fewest_strikes,
        np.zeros((expiries, SLICE_SIZE)) if own is None else own,
        np.zeros((expiries, 4, layout.most)), np.zeros(expiries, np.int64), slices, said,
        make_slice(), make_surface_work(layout.most)[2],
    )  # fmt: skip
    deviation, price = np.full((2, *ds["bid"].shape), np.nan)

    def price_all(begin: int, end: int, memory: Memory) -> None:
        buffers, exercise, _ = memory
        price_surface(
            begin, end, *chain, layout.american, market.spot, market.years, market.rate, forward,
            slices, deviation, price, buffers, exercise,
        )  # fmt: skip

    _over_times(times, layout, price_all)
    bid, ask = found.european
    return Fitted(
        layout, market, found.forwards, found.quality, bid, ask, slices, said, deviation, price
    )


def _over_times(times: int, layout: Layout, work: Callable[[int, int, Memory], None]) -> None:
    """Do all times in pieces, on as many threads as there are cores: times do not depend on each
    other, so the threads change nothing."""

    def do(begin: int) -> None:
        work(begin, min(begin + PIECE_TIMES, times), make_surface_work(layout.most))

    begins = range(0, times, PIECE_TIMES)
    threads = min(os.cpu_count() or 1, len(begins))
    if threads < 2:
        for begin in begins:
            do(begin)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(do, begins))


def _marked(
    ds: xr.Dataset,
    layout: Layout,
    market: Market,
    forward: np.ndarray,
    european: np.ndarray,
    settings: SurfaceSettings,
) -> np.ndarray:
    """Quality (time, contract) with what the forwards rule out."""
    placed, of = layout.expiry_of >= 0, layout.expiry_of
    if not placed.any():
        return ds["quality"].values
    forward, discount = (
        np.where(placed, values[:, of], np.nan) for values in (forward, market.discount)
    )
    values = ds.assign(
        bid=(("time", "contract"), european[0]), ask=(("time", "contract"), european[1])
    )
    marked = mark_by_forward(values, forward, discount, screen=settings.screen)
    quality: np.ndarray = marked["quality"].values
    return quality
