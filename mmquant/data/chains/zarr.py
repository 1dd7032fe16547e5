"""Our own Zarr folder of option quotes: one array a variable, times as whole nanoseconds.

Written as version 2 of the format, which has a type for text of fixed width.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.chains.own import (
    AGAIN,
    check_writable,
    load_json,
    to_dataset,
    units_of,
)
from mmquant.data.files import put_in_place, temporary_beside
from mmquant.errors import DataError, UsageError
from mmquant.schema.quotes import OPTION_QUOTES

HEADER = "mmquant"


def write(ds: xr.Dataset, path: str | Path) -> None:
    """Write option quotes; reading gives the same Dataset."""
    check_writable(ds)
    zarr, path = _zarr(), Path(path)
    new = temporary_beside(path, folder=True)
    try:
        group = zarr.open_group(new, mode="w", zarr_format=2)
        for name, variable in ds.variables.items():
            values = variable.values
            array = group.create_array(
                str(name), data=values.view(np.int64) if values.dtype.kind == "M" else values
            )
            # xarray and others find the dims here.
            array.attrs["_ARRAY_DIMENSIONS"] = list(variable.dims)
        header = {"attrs": ds.attrs, "units": units_of(ds)}
        group.attrs[HEADER] = json.dumps(header, default=int)
        put_in_place(new, path)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | date | None = None,
) -> xr.Dataset:
    """Read option quotes that ``write`` wrote; it has no bad rows. Raises DataError."""
    zarr = _zarr()
    try:
        group = zarr.open_group(path, mode="r")
        header = load_json(group.attrs.get(HEADER), path)
        arrays = {}
        for column in OPTION_QUOTES.columns:
            if column.name in group:
                values = np.asarray(group[column.name][...])
                arrays[column.name] = (
                    values.view(column.dtype) if "datetime" in column.dtype else values
                )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(
            f"this is not a whole Zarr folder ({error})", where=str(path), fix="copy it again"
        ) from None
    if not {"attrs", "units"} <= set(header):
        raise DataError("this is not a folder of option quotes", where=str(path), fix=AGAIN)
    return to_dataset(arrays, header["units"], header["attrs"], path, underlying, date)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise UsageError(
            "the package zarr is not installed",
            fix="install it with pip install 'mmquant[zarr]', or use a .parquet file",
        ) from None
    return zarr
