"""Options one a row, as kernels take them, and the way there from arrays with dims and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.option_rows import OPTION_BAD_INPUT, OPTION_NAN, OPTION_OK
from mmquant.options.chain import Chain
from mmquant.schema.options import DIVIDEND


@dataclass(frozen=True)
class Rows:
    """Options of a block: float64 arrays of shape (options,), dividends (options, dividends).

    Options that share the first six stand side by side. ``quoted`` is a volatility or a price.
    """

    underlying: np.ndarray
    years: np.ndarray
    rate: np.ndarray
    dividend_yield: np.ndarray
    dividend_years: np.ndarray
    dividend_amount: np.ndarray
    sign: np.ndarray
    strike: np.ndarray
    quoted: np.ndarray
    american: np.ndarray

    def __len__(self) -> int:
        return len(self.strike)

    def __getitem__(self, part: Any) -> Rows:
        """Some of the options, by a mask or a slice."""
        return Rows(*(array[part] for array in self._arrays()))

    def _arrays(self) -> list[np.ndarray]:
        return [getattr(self, field.name) for field in fields(self)]

    def finite(self) -> np.ndarray:
        """Where all inputs are numbers, and finite."""
        found = np.ones(len(self), bool)
        for array in self._arrays():
            found &= _by_option(np.isfinite(array))
        return found

    def markets(self) -> Iterator[slice]:
        """Slices of neighbours that share underlying, time, rates and dividends."""
        differs = np.zeros(max(len(self) - 1, 0), bool)
        for array in self._arrays()[:6]:
            differs |= ~_by_option(array[1:] == array[:-1])
        edges = [0, *(np.flatnonzero(differs) + 1).tolist(), len(self)]
        for start, end in pairwise(edges):
            yield slice(start, end)


def _by_option(holds: np.ndarray) -> np.ndarray:
    """Where something holds for all numbers of an option."""
    return holds if holds.ndim == 1 else np.asarray(holds.all(axis=1))


Answer = tuple[np.ndarray, np.ndarray]
"""Numbers of shape (..., options) and status codes."""
Formula = Callable[[Rows], tuple[np.ndarray, ...]]


def over_options(chain: Chain, formula: Formula, dtypes: list[Any]) -> tuple[xr.DataArray, ...]:
    """Apply a formula of rows to a chain, block by block where it is chunked.

    Options that share a market come into one block, so that chunks change nothing.
    """
    market = (chain.underlying, chain.years, chain.rate, chain.dividend_yield, *chain.dividends)
    option = (chain.sign, chain.strike, chain.quoted, chain.american)
    shared = {dim for array in market for dim in array.dims}
    whole = {dim for array in option for dim in array.dims} - shared | {DIVIDEND}
    arrays = [_in_one_chunk(array, whole) for array in (*market, *option)]
    core = [[DIVIDEND] if DIVIDEND in array.dims else [] for array in arrays]

    def block(*values: np.ndarray) -> tuple[np.ndarray, ...]:
        # The dims of the market come first, because its arrays do.
        lengths = [v.shape[v.ndim - len(c) :] for v, c in zip(values, core, strict=True)]
        shape = np.broadcast_shapes(
            *(v.shape[: v.ndim - len(c)] for v, c in zip(values, core, strict=True))
        )
        n = math.prod(shape)
        flat = [
            np.array(np.broadcast_to(v, shape + last), np.float64, order="C").reshape(n, *last)
            for v, last in zip(values, lengths, strict=True)
        ]
        none = [] if chain.dividends else [np.zeros((n, 0))] * 2
        rows = Rows(*flat[:4], *none, *flat[4:])
        with np.errstate(all="ignore"):  # what is no number has a status
            found = formula(rows)
        return tuple(
            values.astype(dtype, copy=False).reshape(shape)
            for values, dtype in zip(found, dtypes, strict=True)
        )

    found = xr.apply_ufunc(
        block,
        *arrays,
        input_core_dims=core,
        output_core_dims=[[] for _ in dtypes],
        output_dtypes=dtypes,
        dask="parallelized",
    )
    return tuple(found)


def _in_one_chunk(array: xr.DataArray, dims: set[Any]) -> xr.DataArray:
    split = {dim: -1 for dim, parts in array.chunksizes.items() if dim in dims and len(parts) > 1}
    return array.chunk(split) if split else array


def status_of(value: np.ndarray, rows: Rows) -> np.ndarray:
    """Status codes of options that have a number or NaN, by their inputs."""
    why = np.where(rows.finite(), OPTION_BAD_INPUT, OPTION_NAN)
    return np.where(np.isnan(value), why, OPTION_OK)
