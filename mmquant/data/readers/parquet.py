"""Our own Parquet file of a tape: delta-coded columns, zstd, attributes in the file's metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from mmquant.data.files import existing, written_whole
from mmquant.data.mapping import PIECE_ROWS
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import PathLike
from mmquant.data.readers.own import (
    Contracts,
    build,
    check_columns,
    dump_header,
    load_header,
    with_options,
)
from mmquant.data.tape import COLUMNS
from mmquant.errors import DataError

KEY = b"mmquant"


def read(
    path: PathLike,
    *,
    lenient: bool = False,
    contracts: Contracts | None = None,
    date: str | None = None,
    allow_crossed: bool = False,
) -> xr.Dataset:
    """Read a tape from Parquet; ``contracts`` and ``date`` (ISO) go over what the file says.

    Columns are those of a tape; ``exch_ts``, ``kind``, ``side``, ``tick`` and ``size`` are needed.
    ``allow_crossed`` keeps rows that leave the book crossed. Raises DataError.
    """
    file = existing(one_path(path))
    table = _load(file)
    check_columns(table.column_names, file)
    header = (table.schema.metadata or {}).get(KEY)
    attrs = load_header(header.decode() if header else None, file)
    attrs = with_options(attrs, file, contracts, date)
    q = Quarantine(file, lenient)
    rows = np.arange(1, table.num_rows + 1)
    keep = np.ones(table.num_rows, bool)
    data = {}
    for name in table.column_names:
        data[name], missing = _column(table.column(name), name, file)
        keep &= q.bad(missing, f"{name} is empty or NaN", rows, fix="give every value")
    if not keep.all():
        data = {name: values[keep] for name, values in data.items()}
    return build(data, rows[keep], attrs, q, allow_crossed=allow_crossed)


def chunks(
    path: PathLike, *, contracts: Contracts | None = None, date: str | None = None
) -> tuple[dict[str, Any], Iterator[dict[str, np.ndarray]]]:
    """Attributes and columns of a file, part by part, for a strict reader that checks the rows.

    Options as those of ``read``. Raises DataError, also on the way.
    """
    file = existing(one_path(path))
    source = _open(file)
    check_columns(source.schema_arrow.names, file)
    header = (source.schema_arrow.metadata or {}).get(KEY)
    attrs = load_header(header.decode() if header else None, file)
    return with_options(attrs, file, contracts, date), _parts(source, file, attrs)


def _parts(source: Any, file: Path, attrs: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    done = 0
    for batch in source.iter_batches(PIECE_ROWS):
        part = {}
        for name in batch.schema.names:
            part[name], missing = _column(batch.column(name), name, file)
            if missing.any():
                row = done + int(np.flatnonzero(missing)[0]) + 1
                raise DataError(
                    f"{name} is empty or NaN", where=f"{file}, row {row}", fix="give every value"
                )
        done += batch.num_rows
        yield part
    if done != attrs.get("file_rows", done):
        raise DataError(
            f"{attrs['file_rows']} rows were written, {done} are there",
            where=str(file),
            fix="copy it again",
        )


def write(tape: xr.Dataset, path: str | Path) -> None:
    """Write a tape to Parquet; reading it gives the same tape, attributes included."""
    header = dump_header(tape)
    arrays = {name: pa.array(tape[name].values) for name in COLUMNS}
    table = pa.table(arrays).replace_schema_metadata({KEY: header.encode()})
    encoding = {
        name: "BYTE_STREAM_SPLIT" if dtype.kind == "f" else "DELTA_BINARY_PACKED"
        for name, dtype in COLUMNS.items()
    }
    with written_whole(path) as temporary:
        pq.write_table(
            table, temporary, compression="zstd", use_dictionary=False, column_encoding=encoding
        )


def one_path(path: PathLike) -> str | Path:
    """The only path of a format that has one file."""
    if isinstance(path, str | Path):
        return path
    if len(path) != 1:
        raise DataError(f"{len(path)} files given, one is read", fix="read them one by one")
    return path[0]


def _load(path: Path) -> Any:
    return _read(path, lambda: pq.ParquetFile(path).read())


def _open(path: Path) -> Any:
    return _read(path, lambda: pq.ParquetFile(path))


def _read(path: Path, how: Callable[[], Any]) -> Any:
    try:
        return how()
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataError(
            f"this is not a whole Parquet file ({str(error).splitlines()[0]})",
            where=str(path),
            fix="it may be cut off: copy it again; a file of another format becomes a tape by "
            "mmquant data import",
        ) from None


def _column(column: Any, name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A column as int64 (float32 for subtick), and where it is empty or NaN."""
    real = COLUMNS[name].kind == "f"
    fits = pa.types.is_integer(column.type) or (real and pa.types.is_floating(column.type))
    if not fits:
        raise DataError(
            f"column {name!r} is {column.type}, not {COLUMNS[name]}",
            where=str(path),
            fix="convert the column before writing the file",
        )
    empty = column.is_null().to_numpy(zero_copy_only=False)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    if real:
        values = values.astype(np.float32)
        return values, empty | np.isnan(values)
    if values.dtype == np.uint64 and values.size and values.max() > np.iinfo(np.int64).max:
        raise DataError(f"column {name!r} is beyond int64", where=str(path), fix="use int64")
    return values.astype(np.int64), empty
