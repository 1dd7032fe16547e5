"""Headless comma-separated numbers, exactly: fast where all is well, line by line where not."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc

from mmquant.data.readers.text_input import COPY_FIX, Faults, TextInput

NANOS = 9
"""Decimals of a nanosecond. Files have more here and there, from floats: those are rounded."""
FINEST = 18
"""Decimals of seconds that the fast way takes."""
SECONDS = re.compile(rb"\s*([+-]?)(\d{1,9})(?:\.(\d+))?\s*")
WHOLE = re.compile(rb"\s*[+-]?\d{1,18}\s*")


def parse_table(
    text: TextInput, columns: int, *, names: Sequence[str], seconds: bool, more: bool
) -> tuple[list[np.ndarray], Faults]:
    """Columns (int64) of a table without a header, and the rows that could not be read.

    Parameters
    ----------
    columns : columns wanted; a row must have that many, or with ``more`` at least that many.
    names : names of the columns, for messages (the last one serves all that follow).
    seconds : the first column is decimal seconds, returned in ns.
    """
    try:
        return _fast(text.data, columns, seconds, more)
    except (pa.ArrowInvalid, ValueError):
        return _by_line(text, columns, names, seconds, more)


def _fast(data: bytes, columns: int, seconds: bool, more: bool) -> tuple[list[np.ndarray], Faults]:
    first = data.partition(b"\n")[0].count(b",") + 1
    if first < columns or (first > columns and not more):
        raise ValueError
    names = [f"c{i}" for i in range(first)]
    types = dict.fromkeys(names[:columns], pa.int64())
    if seconds:
        types[names[0]] = pa.decimal128(9 + FINEST, FINEST)
    table = pc.read_csv(
        pa.BufferReader(data),
        pc.ReadOptions(column_names=names, block_size=1 << 24),
        pc.ParseOptions(ignore_empty_lines=False, quote_char=False),
        pc.ConvertOptions(column_types=types, include_columns=names[:columns], null_values=[]),
    )
    if any(column.null_count for column in table.columns):
        raise ValueError
    out = [
        _nanoseconds(column) if pa.types.is_decimal(column.type) else column.to_numpy()
        for column in table.columns
    ]
    return out, Faults(len(out[0]))


def _nanoseconds(column: pa.ChunkedArray) -> np.ndarray:
    """Nanoseconds of decimal seconds, rounded to the nearest, halves away from 0."""
    column = compute.round(column, NANOS, "half_towards_infinity").cast(pa.decimal128(18, NANOS))
    parts = [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        words = np.frombuffer(chunk.buffers()[1], np.int64)[2 * chunk.offset :]
        parts.append(words[: 2 * len(chunk) : 2])
    return np.concatenate(parts)


def _by_line(
    text: TextInput, columns: int, names: Sequence[str], seconds: bool, more: bool
) -> tuple[list[np.ndarray], Faults]:
    lines = text.lines()
    out = np.zeros((columns, len(lines)), np.int64)
    faults = Faults(len(lines))
    for i, line in enumerate(lines):
        cells = line.split(b",")
        if len(cells) < columns or (len(cells) > columns and not more):
            what = f"the row has {len(cells)} columns, not {columns}"
            faults.mark_row(i, what, COPY_FIX if i + 1 == len(lines) else "correct the row")
            continue
        for j in range(columns):
            value = _seconds(cells[j]) if seconds and j == 0 else _whole(cells[j])
            if value is None:
                kind = "a number of seconds" if seconds and j == 0 else "a whole number"
                name = names[min(j, len(names) - 1)]
                faults.mark_row(i, f"{name} is not {kind}", "correct the row")
                break
            out[j, i] = value
    return list(out), faults


def _seconds(cell: bytes) -> int | None:
    """Nanoseconds of decimal seconds, as ``_nanoseconds`` rounds; None where they are not that."""
    match = SECONDS.fullmatch(cell)
    if match is None:
        return None
    sign, whole, part = match.groups()
    part = part or b""
    value = int(whole) * 10**NANOS + int(part[:NANOS].ljust(NANOS, b"0"))
    value += part[NANOS : NANOS + 1] >= b"5"
    return -value if sign == b"-" else value


def _whole(cell: bytes) -> int | None:
    return int(cell) if WHOLE.fullmatch(cell) else None
