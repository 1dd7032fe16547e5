"""Our own CSV file of a tape: one comment line with the attributes, a line of names, the rows."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import xarray as xr

from mmquant.data.files import existing, written_whole
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
from mmquant.data.readers.parquet import one_path
from mmquant.data.tape import COLUMNS
from mmquant.errors import DataError

MARK = "# mmquant tape "
CUT_FIX = "the file may be cut off: copy it again"


def read(
    path: PathLike,
    *,
    lenient: bool = False,
    contracts: Contracts | None = None,
    date: str | None = None,
    allow_crossed: bool = False,
) -> xr.Dataset:
    """Read a tape from CSV (or .csv.gz); ``contracts`` and ``date`` go over what the file says.

    Columns are those of a tape, prices as ticks; ``exch_ts``, ``kind``, ``side``, ``tick`` and
    ``size`` are needed. The first line may be our comment line.
    ``allow_crossed`` keeps rows that leave the book crossed. Raises DataError.
    """
    file = existing(one_path(path))
    q = Quarantine(file, lenient)
    text, whole = _text(file)
    header, body, first = _split(text)
    attrs = with_options(load_header(header, file), file, contracts, date)
    names = [name.strip() for name in body.partition("\n")[0].split(",")]
    check_columns(names, file)
    if not whole:
        q.add(text.count("\n") + 1, "the compressed data end early", fix=CUT_FIX)
    data, rows = _parse(body, names, first, q)
    return build(data, rows, attrs, q, allow_crossed=allow_crossed, text=_line_of(text))


def write(tape: xr.Dataset, path: str | Path) -> None:
    """Write a tape to CSV, gzipped if the name ends in .gz; reading it gives the same tape."""
    header = dump_header(tape)
    frame = pd.DataFrame({name: tape[name].values for name in COLUMNS})
    frame["subtick"] = frame["subtick"].astype(np.float64)  # 17 digits: exact when read back
    with written_whole(path) as temporary:
        if str(path).endswith(".gz"):
            with temporary.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
                _write(frame, header, out)
        else:
            with temporary.open("wb") as out:
                _write(frame, header, out)


def _write(frame: pd.DataFrame, header: str, out: io.IOBase) -> None:
    out.write(f"{MARK}{header}\n".encode())
    frame.to_csv(out, index=False, lineterminator="\n")


def _text(path: Path) -> tuple[str, bool]:
    """The text of a file, and whether its compressed data were whole."""
    raw, whole = path.read_bytes(), True
    if path.name.endswith(".gz"):
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            raw = unzip.decompress(raw)
        except zlib.error as error:
            raise DataError(
                f"the compressed data are damaged ({error})", where=str(path), fix=CUT_FIX
            ) from None
        whole = unzip.eof
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n"), whole
    except UnicodeDecodeError as error:
        raise DataError(f"this is not a text file ({error})", where=str(path)) from None


def _split(text: str) -> tuple[str | None, str, int]:
    """Header JSON if there is one, the rest, and the line number of its first row."""
    if text.startswith(MARK):
        line, _, body = text.partition("\n")
        return line.removeprefix(MARK), body, 3
    return None, text, 2


def _line_of(text: str) -> Callable[[int], str]:
    lines: list[str] = []

    def line(row: int) -> str:
        if not lines:
            lines.extend(text.split("\n"))
        return lines[row - 1]

    return line


def _parse(
    body: str, names: list[str], first: int, q: Quarantine
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns (int64, subtick float32) and the line number of each row."""
    if body.endswith("\n"):
        try:
            return _parse_fast(body, names, first)
        except (pa.ArrowException, ValueError):
            pass  # some row is bad: read them one by one and say which
    return _parse_rows(body, names, first, q)


def _parse_fast(
    body: str, names: list[str], first: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    types = {name: pa.float64() if name == "subtick" else pa.int64() for name in names}
    table = pyarrow.csv.read_csv(
        io.BytesIO(body.encode()),
        read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
        parse_options=pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[]),
    )
    data = {name: table.column(name).to_numpy() for name in names}
    if "subtick" in names and np.isnan(data["subtick"]).any():
        raise ValueError
    return _typed(data), _lines(first, table.num_rows)


def _lines(first: int, n: int) -> np.ndarray:
    return np.arange(first, first + n)


def _typed(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name: values.astype(np.float32 if name == "subtick" else np.int64)
        for name, values in data.items()
    }


def _parse_rows(
    body: str, names: list[str], first: int, q: Quarantine
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    lines = body.split("\n")[1:]
    if body.endswith("\n"):
        lines.pop()
    elif lines:
        q.add(first + len(lines) - 1, "the last line has no end", lines.pop(), fix=CUT_FIX)
    good: list[list[int | float]] = []
    rows = []
    for row, line in enumerate(lines, first):
        cells = line.split(",")
        problem = _row_problem(cells, names)
        if problem:
            q.add(row, problem, line, fix="correct the row")
        else:
            good.append([_cell(name, c) for name, c in zip(names, cells, strict=True)])
            rows.append(row)
    columns = list(zip(*good, strict=True)) or [()] * len(names)
    data = {name: np.array(column) for name, column in zip(names, columns, strict=True)}
    return _typed(data), np.array(rows, np.int64)


def _row_problem(cells: list[str], names: list[str]) -> str:
    if len(cells) != len(names):
        return f"the row has {len(cells)} fields, not {len(names)}"
    for name, cell in zip(names, cells, strict=True):
        if cell.strip().lower() in ("", "nan", "na", "null", "none"):
            return f"{name} is empty or NaN"
        try:
            value = _cell(name, cell)
        except ValueError:
            return f"{name} is not {'a number' if name == 'subtick' else 'a whole number'}"
        if abs(value) >= 2**63:
            return f"{name} is beyond int64"
    return ""


def _cell(name: str, cell: str) -> int | float:
    return float(cell) if name == "subtick" else int(cell)
