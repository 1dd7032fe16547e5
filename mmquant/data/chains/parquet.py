"""Our own Parquet file of option quotes: one row a time and contract, attributes in metadata.

Any tool reads it as a plain table. Contracts stand in their order at every time, so the Dataset
comes back as it was.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from mmquant.data.chains.own import (
    AGAIN,
    check_writable,
    dims_of,
    load_json,
    to_dataset,
    units_of,
)
from mmquant.data.files import existing, written_whole
from mmquant.errors import DataError
from mmquant.schema.quotes import OPTION_QUOTES

KEY = b"mmquant"
BY_TIME, BY_CONTRACT = ("time",), ("contract",)


def write(ds: xr.Dataset, path: str | Path) -> None:
    """Write option quotes; reading gives the same Dataset."""
    check_writable(ds)
    n_times, n_contracts = ds.sizes["time"], ds.sizes["contract"]
    columns = {}
    for column in OPTION_QUOTES.columns:
        if column.name not in ds.variables:
            continue
        values = ds[column.name].values
        if dims_of(column) == BY_TIME:
            values = np.repeat(values, n_contracts)
        elif dims_of(column) == BY_CONTRACT:
            values = np.tile(values, n_times)
        columns[column.name] = _array(values.ravel())
    header = {"attrs": ds.attrs, "units": units_of(ds), "sizes": [n_times, n_contracts]}
    table = pa.table(columns)
    table = table.replace_schema_metadata({KEY: json.dumps(header, default=int).encode()})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | date | None = None,
) -> xr.Dataset:
    """Read option quotes that ``write`` wrote; a file of ours has no bad rows. Raises DataError."""
    file = existing(path)
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataError(
            f"this is not a whole Parquet file ({str(error).splitlines()[0]})",
            where=str(file),
            fix="it may be cut off: copy it again",
        ) from None
    header = load_json((table.schema.metadata or {}).get(KEY), file)
    if not {"attrs", "units", "sizes"} <= set(header):
        raise DataError("this is not a file of option quotes", where=str(file), fix=AGAIN)
    n_times, n_contracts = header["sizes"]
    if table.num_rows != n_times * n_contracts:
        raise DataError(
            f"the file has {table.num_rows} rows, its header says {n_times * n_contracts}",
            where=str(file),
            fix=AGAIN,
        )
    arrays = {}
    for column in OPTION_QUOTES.columns:
        if column.name not in table.column_names:
            continue
        found = table.column(column.name)
        if dims_of(column) == BY_TIME:
            found = found.take(np.arange(n_times) * n_contracts)
        elif dims_of(column) == BY_CONTRACT:
            found = found.slice(0, n_contracts)
        values = _values(found, column.dtype)
        if dims_of(column) == OPTION_QUOTES.dims:
            values = values.reshape(n_times, n_contracts)
        arrays[column.name] = values
    return to_dataset(arrays, header["units"], header["attrs"], file, underlying, date)


def _array(values: np.ndarray) -> pa.Array:
    """A column; NaT becomes null, NaN stays."""
    return (
        pa.array(values.astype(object), pa.string())
        if values.dtype.kind == "U"
        else pa.array(values)
    )


def _values(column: pa.ChunkedArray, dtype: str) -> np.ndarray:
    values = column.to_numpy()
    return values.astype(str) if dtype == "str" else values.astype(dtype, copy=False)
