"""Datasets of results: variables with units and meanings, coordinates and attributes kept."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import xarray as xr

from mmquant.options.chain import Chain
from mmquant.options.settings import Settings
from mmquant.schema.columns import Column, Table
from mmquant.schema.options import DIMS

EXCEPTIONS = (
    "beside a dividend yield, at a rate below 0, with very many ex-dates, and for puts at a rate "
    "of 0 or a volatility very low or high"
)
"""Where the fast way through cash dividends does not apply."""


def dtypes_of(table: Table) -> list[Any]:
    """Types of a table's variables."""
    return [np.dtype(column.dtype) for column in table.columns]


def result(
    chain: Chain, table: Table, found: Sequence[xr.DataArray], settings: Settings
) -> xr.Dataset:
    """What was found, as the Dataset that a table describes; dims in their usual order."""
    variables = {
        column.name: values.drop_vars(values.coords)
        .transpose(..., *DIMS, missing_dims="ignore")
        .assign_attrs(_attributes(column))
        for column, values in zip(table.columns, found, strict=True)
    }
    out = xr.Dataset(variables)
    coords = chain.source.coords
    kept = {name: coord for name, coord in coords.items() if set(coord.dims) <= set(out.dims)}
    method = {"method": _method(chain, settings)}
    return out.assign_coords(kept).assign_attrs(chain.source.attrs | method)


def _attributes(column: Column) -> dict[str, Any]:
    """Attributes of a variable, as the CF conventions name them."""
    attrs: dict[str, Any] = {"long_name": column.text}
    if not isinstance(column.codes, type):
        return attrs | {"units": column.unit}
    members: list[IntEnum] = list(column.codes)
    return attrs | {
        "flag_values": np.array([int(member) for member in members], column.dtype),
        "flag_meanings": " ".join(member.name.lower() for member in members),
    }


def _method(chain: Chain, settings: Settings) -> str:
    """The models that the numbers come from, as one line."""
    parts = []
    styles = np.unique(chain.american.values)
    if 0.0 in styles:
        parts.append("european: " + ("Black-76" if chain.on_forward else "Black-Scholes-Merton"))
    if 1.0 in styles:
        parts.append(f"american: Andersen-Lake-Offengenden, {settings.accuracy}")
    if chain.dividends:
        parts.append(_dividend_method(settings, 1.0 in styles))
    return "; ".join(parts)


def _dividend_method(settings: Settings, early: bool) -> str:
    """How options with cash dividends are valued, ``early`` where some are american."""
    model = f"cash dividends: {settings.dividends} model"
    if settings.dividends == "escrowed" and not early:
        return model
    grid = f"finite differences, {settings.accuracy}"
    if not settings.spans:
        return f"{model}, {grid}"
    return f"{model}, boundaries between ex-dates, {settings.accuracy} ({grid}, {EXCEPTIONS})"
