"""What our own files of option quotes share: attributes, and the way back to a Dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.chains.lean_files import iso_day
from mmquant.data.chains.make import COORDS, NAME, check_option_quotes
from mmquant.errors import DataError
from mmquant.schema import VERSION
from mmquant.schema.columns import Column
from mmquant.schema.quotes import OPTION_QUOTES

AGAIN = "write the file again with mm.write_option_quotes"


def dims_of(column: Column) -> tuple[str, ...]:
    """The dims of a variable."""
    return column.dims or OPTION_QUOTES.dims


def check_writable(ds: xr.Dataset) -> None:
    """Check what is to be written. Raises DataError."""
    check_option_quotes(ds)
    if not ds.sizes["time"] or not ds.sizes["contract"]:
        raise DataError("there are no quotes to write", fix="check what was read")


def to_dataset(
    arrays: Mapping[str, np.ndarray],
    units: Mapping[str, Mapping[str, str]],
    attrs: Mapping[str, Any],
    path: Path,
    underlying: str | None,
    day: str | date | None,
) -> xr.Dataset:
    """The checked Dataset of a file's arrays; it must be of the underlying and day asked for."""
    if attrs.get("schema") != NAME or attrs.get("schema_version") != VERSION:
        raise DataError(
            f"this is {attrs.get('schema')!r} of version {attrs.get('schema_version')}, not "
            f"{NAME} of version {VERSION}",
            where=str(path),
            fix="import the source again with this version",
        )
    variables = {}
    for column in OPTION_QUOTES.columns:
        if column.name in arrays:
            kept = dict(units.get(column.name, {}))
            variables[column.name] = (dims_of(column), arrays[column.name], kept)
    ds = xr.Dataset(
        {name: value for name, value in variables.items() if name not in COORDS},
        {name: variables[name] for name in COORDS if name in variables},
        dict(attrs),
    )
    check_option_quotes(ds, str(path))
    check_asked(ds, path, underlying, day)
    return ds


def check_asked(ds: xr.Dataset, path: Path, underlying: str | None, day: str | date | None) -> None:
    """Refuse quotes that are not of the underlying and day asked for. Raises DataError."""
    symbol = underlying and underlying.upper().lstrip("^")
    for name, asked in (("underlying", symbol), ("date", day and iso_day(day))):
        if asked and asked != ds.attrs[name]:
            raise DataError(
                f"this is {name} {ds.attrs[name]}, not {asked}",
                where=str(path),
                fix="name the file that has it",
            )


def units_of(ds: xr.Dataset) -> dict[str, dict[str, str]]:
    """Attributes of all variables."""
    return {str(name): dict(variable.attrs) for name, variable in ds.variables.items()}


def load_json(text: str | bytes | None, path: Path) -> dict[str, Any]:
    """A header written by `json.dumps`. Raises DataError where it is none."""
    try:
        found = json.loads(text or "")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError("the file has no header of option quotes", where=str(path), fix=AGAIN)
    return found
