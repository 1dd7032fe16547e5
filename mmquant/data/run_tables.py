"""Tables of a run as Parquet files, and the digest of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from mmquant.data.mapping import PIECE_ROWS, give_back_all
from mmquant.errors import DataError
from mmquant.schema import table

KEY = b"mmquant"
ARROW = {"str": pa.string()}


def write_frame(frame: pd.DataFrame, name: str, path: Path, header: dict[str, Any]) -> None:
    """Write the columns of a table (schema ``name``) to Parquet; NaN stays NaN."""
    _write({str(column): values for column, values in frame.items()}, name, path, header)


def _write(columns: Mapping[str, Any], name: str, path: Path, header: dict[str, Any]) -> None:
    """Write columns, Series or arrays, as they stand: a copy of all would double a long run."""
    wanted = {column.name: column.dtype for column in table(name).columns}
    arrays = {
        column: pa.array(
            values if wanted.get(column) == "str" else np.asarray(values),
            type=ARROW.get(wanted.get(column, "")),
        )
        for column, values in columns.items()
    }
    data = pa.table(arrays).replace_schema_metadata({KEY: json.dumps(header).encode()})
    pq.write_table(data, path, compression="zstd")


def read_frame(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table and its header. Raises DataError."""
    try:
        data = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"a table of the run is missing or not whole ({str(error).splitlines()[0]})",
            where=str(path),
            fix="run the backtest again",
        ) from None
    header = json.loads((data.schema.metadata or {}).get(KEY, b"{}"))
    return data.replace_schema_metadata(None).to_pandas(), header


def write_path(path: xr.Dataset, file: Path) -> None:
    """Write the step path: one row per (time, inst), time first."""
    n, m = path.sizes["time"], path.sizes["inst"]
    ids = path["inst"].values if "inst" in path.coords else np.arange(m, dtype=np.int16)
    columns: dict[str, np.ndarray] = {
        "time": np.repeat(path["time"].values, m),
        "inst": np.tile(ids, n),
        "symbol": np.tile(np.asarray(path["symbol"].values, object), n),
    }
    for name in path.data_vars:
        columns[str(name)] = path[name].transpose("time", "inst").values.reshape(-1)
    attrs = {str(name): _plain(var.attrs) for name, var in path.variables.items() if var.attrs}
    header = {
        "sizes": [n, m],
        "symbols": [str(s) for s in path["symbol"].values],
        "inst": [ids.dtype.str, ids.tolist()] if "inst" in path.coords else None,
        "attrs": _plain(path.attrs),
        "variables": attrs,
    }
    _write(columns, "path", file, header)
    give_back_all(path)


def read_path(file: Path) -> xr.Dataset:
    """The step path as written by ``write_path``. Raises DataError."""
    frame, header = read_frame(file)
    try:
        n, m = header["sizes"]
        times = frame["time"].to_numpy().reshape(n, m)[:, :1].reshape(-1)
        coords: dict[str, Any] = {"time": times, "symbol": ("inst", np.array(header["symbols"]))}
        if header["inst"]:
            dtype, ids = header["inst"]
            coords["inst"] = np.array(ids, dtype)
        data = {
            name: (("time", "inst"), frame[name].to_numpy().reshape(n, m))
            for name in frame.columns
            if name not in ("time", "inst", "symbol")
        }
        ds = xr.Dataset(data, coords, header["attrs"])
        for name, attrs in header["variables"].items():
            ds[name].attrs = attrs
    except (KeyError, ValueError) as error:
        raise DataError(f"the step path is damaged ({error})", where=str(file)) from None
    return ds


def digest_of(tables: Mapping[str, pd.DataFrame | xr.Dataset]) -> str:
    """sha256 of names, types and values of all tables; NaNs are all the same."""
    total = hashlib.sha256()
    for name in sorted(tables):
        total.update(name.encode())
        obj = tables[name]
        columns: Any = obj.variables.items() if isinstance(obj, xr.Dataset) else obj.items()
        for column, values in sorted(columns, key=lambda item: str(item[0])):
            _add(total, str(column), values)
        if isinstance(obj, xr.Dataset):
            give_back_all(obj)
    return total.hexdigest()


def _add(total: Any, name: str, values: Any) -> None:
    kind = np.asarray(values[:0]).dtype
    kind = kind if kind.kind in "biuf" else np.dtype(object)
    total.update(f"{name}|{kind.str}|{values.shape}|".encode())
    for start in range(0, len(values), PIECE_ROWS):
        total.update(_content(values[start : start + PIECE_ROWS], start == 0))


def _content(values: Any, is_first: bool) -> bytes:
    """Some rows of a column as the digest takes them: little-endian numbers, or separated texts."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        return ("" if is_first else "\0").encode() + "\0".join(map(str, array.reshape(-1))).encode()
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in attrs.items()}
