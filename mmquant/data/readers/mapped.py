"""A tape as a folder of one NumPy file a column, replayed from disk without loading it.

``NAME.tape/`` holds ``COLUMN.npy`` (NumPy's own format, uncompressed) and ``tape.json``: the
attributes, and of each column its type and the CRC-32 of its values.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

from mmquant.data.crossing import CROSSED_FIX, crossed_rows
from mmquant.data.files import put_in_place, temporary_beside
from mmquant.data.mapping import is_rising, map_column, pieces
from mmquant.data.readers import PathLike, own, parquet
from mmquant.data.readers.own import header_of, load_header
from mmquant.data.readers.parquet import one_path
from mmquant.data.tape import (
    COLUMNS,
    complete,
    contracts_of,
    local_order_pieces,
    tape_attributes,
    tape_of,
    validate_tape,
)
from mmquant.errors import DataError, UsageError

HEADER = "tape.json"
ORDER = "local_order"
DTYPES = COLUMNS | {ORDER: np.dtype(np.int64)}
OWN_KEYS = ("file_rows", "columns", "crossed_rows")
"""What the header says beside the attributes of the tape."""
BLOCK = 1 << 20
AGAIN = "copy the folder again, or import the source again"


def read(path: PathLike, *, lenient: bool = False, allow_crossed: bool = False) -> xr.Dataset:
    """A tape whose columns are memory maps; ``allow_crossed`` takes rows that leave a book crossed.

    Rows were checked when they were written, and their checksums tell that these are the same: that
    reads each file once. There are no bad rows for ``lenient`` to set aside. Raises DataError.
    """
    folder = Path(one_path(path))
    header = _load(folder)
    if header["crossed_rows"] and not allow_crossed:
        raise DataError(
            f"{header['crossed_rows']} rows leave the book crossed",
            where=str(folder),
            fix=f"{CROSSED_FIX}; or give option allow_crossed=true",
        )
    rows = int(header["file_rows"])
    columns = {
        name: _column(folder, name, rows, about["crc32"])
        for name, about in header["columns"].items()
    }
    return tape_of(columns, {k: v for k, v in header.items() if k not in OWN_KEYS})


def write(tape: xr.Dataset, path: str | Path) -> None:
    """Write a tape piece by piece; reading it gives the same tape, attributes included."""
    columns = {name: tape[name].values for name in COLUMNS}
    parts = (
        {name: values[rows] for name, values in columns.items()}
        for rows in pieces(list(columns.values()))
    )
    write_chunks(parts, path, tape.attrs)


def from_parquet(source: PathLike, path: str | Path, **options: Any) -> None:
    """Write a Parquet tape as a mapped one, never holding more than a part.

    ``options`` are those of the Parquet reader. Raises DataError at the first bad row.
    """
    allow_crossed = bool(options.pop("allow_crossed", False))
    attrs, chunks = parquet.chunks(source, **options)
    made = tape_attributes(
        own.as_contracts(attrs["contracts"]),
        rows=0,
        level=attrs.get("level", "L2"),
        source=json.loads(attrs.get("source", "{}")) or {"format": "tape", "files": []},
        date=attrs["date"],
        timezone=attrs.get("timezone", "UTC"),
        notes=json.loads(attrs.get("notes", "[]")),
        counts=json.loads(attrs.get("counts", "{}")),
    )
    kept = {name: attrs[name] for name in ("quarantine",) if name in attrs}
    write_chunks(chunks, path, made | kept, allow_crossed=allow_crossed)


def write_chunks(
    chunks: Iterable[Mapping[str, np.ndarray]],
    path: str | Path,
    attrs: Mapping[str, Any],
    *,
    allow_crossed: bool = True,
) -> None:
    """Write a tape from its columns in chunks of rows, such as those of ``make_tape``, in order.

    ``attrs`` are those of `data.tape.tape_attributes`; the number of rows in them is counted anew.
    A tape that is there is replaced once the new one is whole.

    Raises
    ------
    DataError
        where the rows are no tape, or not in order of (exch_ts, seq), or leave a book crossed
        without ``allow_crossed``.
    UsageError
        where something else has that name.
    """
    folder = Path(path)
    if folder.exists() and not (folder / HEADER).is_file():
        raise UsageError(
            "this is not a tape, and it is not replaced", where=str(folder), fix="name another"
        )
    temporary = temporary_beside(folder, folder=True)
    try:
        temporary.chmod(0o755)
        _fill(temporary, chunks, attrs, allow_crossed)
        put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(
    folder: Path,
    chunks: Iterable[Mapping[str, np.ndarray]],
    attrs: Mapping[str, Any],
    allow_crossed: bool,
) -> None:
    """Write columns, check what stands there, and write the header last."""
    rows, sums = _write_columns(folder, COLUMNS, _completed(chunks))
    columns = {name: _mapped(folder, name, rows) for name in COLUMNS}
    if not is_rising(columns["local_ts"]):
        order = local_order_pieces(columns["local_ts"], columns["exch_ts"])
        sums |= _write_columns(folder, (ORDER,), ({ORDER: some} for some in order))[1]
        columns[ORDER] = _mapped(folder, ORDER, rows)
    counts = json.loads(attrs["counts"]) | {"rows": rows}
    tape = tape_of(columns, {**attrs, "counts": json.dumps(counts, sort_keys=True)})
    validate_tape(tape)
    crossed = 0
    if tape.attrs["level"] == "L2":
        bad, found = crossed_rows(columns, len(contracts_of(tape)))
        crossed = found["crossed_rows"]
        if crossed and not allow_crossed:
            raise DataError(
                "the book is crossed", where=f"row {int(bad.argmax()) + 1}", fix=CROSSED_FIX
            )
    about = {name: {"dtype": str(DTYPES[name]), "crc32": value} for name, value in sums.items()}
    header = header_of(tape) | {"columns": about, "crossed_rows": crossed}
    (folder / HEADER).write_text(json.dumps(header, indent=1, sort_keys=True) + "\n", "utf-8")


def _completed(chunks: Iterable[Mapping[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    done = 0
    for chunk in chunks:
        yield complete(chunk, rows_before=done)
        done += len(chunk["exch_ts"])


def _write_columns(
    folder: Path, names: Iterable[str], parts: Iterable[Mapping[str, np.ndarray]]
) -> tuple[int, dict[str, int]]:
    """Write columns part by part. Returns their number of rows and the CRC-32 of each."""
    files = {name: (folder / f"{name}.npy").open("wb") for name in names}
    sums, rows = dict.fromkeys(files, 0), 0
    try:
        starts = {name: _start(file, DTYPES[name], 0) for name, file in files.items()}
        for part in parts:
            for name, file in files.items():
                content = (
                    np.ascontiguousarray(part[name]).data.cast("B") if len(part[name]) else b""
                )
                sums[name] = zlib.crc32(content, sums[name])
                file.write(content)
            rows += len(part[name])
        for name, file in files.items():
            file.seek(0)
            # NumPy leaves room for the number of rows to grow, so the values stay in their place.
            assert _start(file, DTYPES[name], rows) == starts[name]
    finally:
        for file in files.values():
            file.close()
    return rows, sums


def _start(file: BinaryIO, dtype: np.dtype, rows: int) -> int:
    """Write the beginning of a NumPy file; returns where its values start. [bytes]"""
    about = {"descr": dtype.str, "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, about)
    return file.tell()


def _load(folder: Path) -> dict[str, Any]:
    """The header of a tape. Raises DataError where there is none, or it is not one."""
    file = folder / HEADER
    if not file.is_file():
        raise DataError(
            f"there is no mapped tape here: it is a folder with a {HEADER}",
            where=str(folder),
            fix="check the path; a tape that was not written to its end has none",
        )
    header = load_header(file.read_text("utf-8", errors="replace"), file)
    try:
        names = {
            name: (about["dtype"], about["crc32"]) for name, about in header["columns"].items()
        }
        damaged = header["file_rows"] < 0 or header["crossed_rows"] < 0
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"the header is damaged ({error!r})", where=str(file), fix=AGAIN) from None
    wanted = {name: str(dtype) for name, dtype in DTYPES.items() if name in names or name != ORDER}
    if damaged or {name: dtype for name, (dtype, _) in names.items()} != wanted:
        raise DataError(
            f"the header tells columns {', '.join(names)}, not those of a tape",
            where=str(file),
            fix=AGAIN,
        )
    return header


def _column(folder: Path, name: str, rows: int, crc32: int) -> np.ndarray:
    """A column whose values are those that were written."""
    column = _mapped(folder, name, rows)
    found = 0
    with (folder / f"{name}.npy").open("rb") as file:
        file.seek(-column.nbytes, 2)
        while block := file.read(BLOCK):
            found = zlib.crc32(block, found)
    if found != crc32:
        raise DataError(
            f"the values of column {name!r} are not those that were written",
            where=str(folder / f"{name}.npy"),
            fix=AGAIN,
        )
    return column


def _mapped(folder: Path, name: str, rows: int) -> np.ndarray:
    """A column as a memory map; its file must have that many rows and be of the column's type."""
    path, dtype = folder / f"{name}.npy", DTYPES[name]
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            shape, fortran, found = np.lib.format.read_array_header_1_0(file)
            offset, size = file.tell(), path.stat().st_size
            if version != (1, 0) or fortran or found != dtype or shape != (rows,):
                raise ValueError(f"it has {shape} values of {found}, not {rows} of {dtype}")
            if size != offset + rows * dtype.itemsize:
                more = size - offset - rows * dtype.itemsize
                raise ValueError(f"it is {abs(more)} bytes too {'long' if more > 0 else 'short'}")
            return map_column(file, folder.parent, dtype, rows, offset=offset)
    except (OSError, ValueError) as error:
        raise DataError(
            f"column {name!r} cannot be used: {error}", where=str(path), fix=AGAIN
        ) from None
