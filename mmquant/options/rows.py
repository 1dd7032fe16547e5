"""Options one a row, as kernels take them, and the way there from arrays with dims and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.option_rows import OPTION_BAD_INPUT, OPTION_NAN, OPTION_OK
from mmquant.options.chain import Chain
from mmquant.schema.options import DIVIDEND

DIVIDENDS = ("dividend_years", "dividend_amount")
MARKET = ("underlying", "years", "rate", "dividend_yield", *DIVIDENDS)
"""What the options of one expiry share."""
BOUNDARY = ("quoted", "years", "rate", "dividend_yield", "sign")
"""What options of all strikes and spots share, if they share an exercise boundary."""


@dataclass(frozen=True)
class Rows:
    """Options of a block: float64 arrays of shape (options,), dividends (options, dividends).

    ``underlying`` is the spot or the forward, ``quoted`` the volatility or the price. ``group``
    (int64) numbers what options share: their market, or their boundary.
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
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.strike)

    def __getitem__(self, part: Any) -> Rows:
        """Some of the options, by a mask or a slice."""
        return Rows(*(getattr(self, field.name)[part] for field in fields(self)))

    def finite(self) -> np.ndarray:
        """Where all inputs are numbers, and finite."""
        found = np.ones(len(self), bool)
        for field in fields(self):
            finite = np.isfinite(getattr(self, field.name))
            found &= finite if finite.ndim == 1 else finite.all(axis=1)
        return found

    def groups(self) -> Iterator[slice]:
        """Slices of the options of one group."""
        edges = [0, *(np.flatnonzero(np.diff(self.group)) + 1).tolist(), len(self)]
        for start, end in pairwise(edges):
            yield slice(start, end)


Answer = tuple[np.ndarray, np.ndarray]
"""Numbers of shape (..., options) and status codes."""
Formula = Callable[[Rows], tuple[np.ndarray, ...]]


def either(
    rows: Rows, mask: np.ndarray, true: Callable[[Rows], Answer], false: Callable[[Rows], Answer]
) -> Answer:
    """The answers of one function where a mask is true, and of another one where it is not."""
    if not mask.any():
        return false(rows)
    if mask.all():
        return true(rows)
    (some, some_status), (rest, rest_status) = true(rows[mask]), false(rows[~mask])
    out, status = np.empty((*some.shape[:-1], len(rows))), np.empty(len(rows), np.int64)
    out[..., mask], out[..., ~mask] = some, rest
    status[mask], status[~mask] = some_status, rest_status
    return out, status


def over_options(
    chain: Chain, formula: Formula, dtypes: Sequence[Any], *, by_market: bool
) -> tuple[xr.DataArray, ...]:
    """Apply a formula of rows to a chain, block by block where it is chunked.

    With ``by_market``, options of one market are a group, neighbours in one block, so that what
    they share does not depend on chunks. Without, options of one boundary are neighbours.
    """
    arrays = _by_name(chain)
    first = [name for name in (MARKET if by_market else BOUNDARY) if name in arrays]
    arrays = {name: arrays[name] for name in first} | arrays
    whole: set[Any] = {DIVIDEND}
    shared = {dim for name in first for dim in arrays[name].dims} - whole
    if by_market:
        whole |= {dim for array in arrays.values() for dim in array.dims} - shared
    arrays = {name: _in_one_chunk(array, whole) for name, array in arrays.items()}
    core = [[DIVIDEND] if DIVIDEND in array.dims else [] for array in arrays.values()]

    def block(*values: np.ndarray) -> tuple[np.ndarray, ...]:
        own = [v.ndim - len(dims) for v, dims in zip(values, core, strict=True)]
        shape = np.broadcast_shapes(*(v.shape[:n] for v, n in zip(values, own, strict=True)))
        flat = {
            name: _flat(v, shape, v.shape[n:])
            for name, v, n in zip(arrays, values, own, strict=True)
        }
        n, in_group = math.prod(shape), math.prod(shape[len(shared) :])
        flat = dict.fromkeys(DIVIDENDS, np.zeros((n, 0))) | flat
        with np.errstate(all="ignore"):  # what is no number has a status
            found = formula(Rows(**flat, group=np.arange(n) // max(in_group, 1)))
        return tuple(
            result.astype(dtype, copy=False).reshape(shape)
            for result, dtype in zip(found, dtypes, strict=True)
        )

    # The first arrays decide the order of dims, and so which options are neighbours.
    return xr.apply_ufunc(
        block,
        *arrays.values(),
        input_core_dims=core,
        output_core_dims=[[] for _ in dtypes],
        output_dtypes=list(dtypes),
        dask="parallelized",
    )


def _by_name(chain: Chain) -> dict[str, xr.DataArray]:
    """The arrays of a chain by the names that they have in Rows."""
    aside = (*DIVIDENDS, "group")
    names = [field.name for field in fields(Rows) if field.name not in aside]
    arrays = {name: getattr(chain, name) for name in names}
    return arrays | dict(zip(DIVIDENDS, chain.dividends, strict=False))


def _flat(values: np.ndarray, shape: tuple[int, ...], last: tuple[int, ...]) -> np.ndarray:
    """A row for each option, in the one layout that kernels are compiled for."""
    whole = np.array(np.broadcast_to(values, shape + last), np.float64, order="C")
    return whole.reshape(math.prod(shape), *last)


def _in_one_chunk(array: xr.DataArray, dims: set[Any]) -> xr.DataArray:
    split = {dim: -1 for dim, parts in array.chunksizes.items() if dim in dims and len(parts) > 1}
    return array.chunk(split) if split else array


def status_of(value: np.ndarray, rows: Rows) -> np.ndarray:
    """Status codes of options that have a number or NaN, by their inputs."""
    missing = np.isnan(value)
    if not missing.any():
        return np.full(len(rows), OPTION_OK, np.int64)
    why = np.where(rows.finite(), OPTION_BAD_INPUT, OPTION_NAN)
    return np.where(missing, why, OPTION_OK)
