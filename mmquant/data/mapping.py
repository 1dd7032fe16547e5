"""Columns on disk as arrays: read as they are needed, and given back where they were passed.

Pages of a memory map count as memory of the process once they were looked at. Whoever goes over
whole columns does so by ``pieces``, and gives back what lies behind; a page that is looked at again
is read again. Columns in memory take the same way, which then gives nothing back.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

PIECE_ROWS = 1 << 20
"""Rows that are looked at before their pages are given back."""
SPILL_BYTES = 1 << 22
"""Size from which a growing column goes to a file."""
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""Promise no memory for writes that never come: a column may be larger than all memory."""


class ColumnMap(mmap.mmap):
    """A memory map that knows the folder of its file."""

    folder: Path


def map_column(
    file: BinaryIO,
    folder: Path,
    dtype: np.dtype,
    rows: int,
    *,
    offset: int = 0,
    scratch: bool = False,
) -> np.ndarray:
    """The column (rows,) that an open file has from ``offset`` [bytes] on.

    The array can be written to, as kernels are compiled for such arrays only: what is written goes
    to the file where it is ``scratch``, and else is seen by this process alone, for a time.
    """
    if hasattr(mmap, "MAP_PRIVATE"):
        flags = mmap.MAP_SHARED if scratch else mmap.MAP_PRIVATE | NO_RESERVE
        memory = ColumnMap(file.fileno(), 0, flags, mmap.PROT_READ | mmap.PROT_WRITE)
    else:
        access = mmap.ACCESS_WRITE if scratch else mmap.ACCESS_COPY
        memory = ColumnMap(file.fileno(), 0, access=access)
    memory.folder = folder
    return np.ndarray((rows,), dtype, buffer=memory, offset=offset)


def map_of(column: np.ndarray) -> ColumnMap | None:
    """The memory map behind a column, None where it is in memory."""
    base: object = column
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, ColumnMap) else None


def give_back(columns: Sequence[np.ndarray], start: int, stop: int) -> None:
    """Give back the pages of rows ``start`` to ``stop`` - 1 of the columns that are mapped."""
    start = max(start, 0)
    for column in columns:
        memory = map_of(column)
        if memory is None or not hasattr(memory, "madvise"):
            continue
        at = np.frombuffer(memory, np.uint8, 1).ctypes.data
        first = column.ctypes.data - at
        low = first + start * column.strides[0]
        high = first + min(stop, len(column)) * column.strides[0]
        low -= low % mmap.PAGESIZE
        high -= 0 if high == len(memory) else high % mmap.PAGESIZE
        if high > low:
            memory.madvise(mmap.MADV_DONTNEED, low, high - low)


def give_back_all(ds: xr.Dataset) -> None:
    """Give back the pages of all columns of a Dataset."""
    for variable in ds.variables.values():
        give_back([variable.values], 0, len(variable))


def pieces(columns: Sequence[np.ndarray]) -> Iterator[slice]:
    """Slices that together cover the columns (n,), each given back when the next is asked for."""
    total = len(columns[0]) if columns else 0
    for start in range(0, total, PIECE_ROWS):
        stop = min(start + PIECE_ROWS, total)
        yield slice(start, stop)
        give_back(columns, start, stop)


def packets(exch_ts: np.ndarray, columns: Sequence[np.ndarray]) -> Iterator[slice]:
    """As ``pieces``, but no two of them share an exchange time: a piece is as long as its last
    packet needs."""
    start, total = 0, len(exch_ts)
    while start < total:
        stop = min(start + PIECE_ROWS, total)
        if stop < total:
            stop += _rows_at(exch_ts, stop, exch_ts[stop - 1])
        yield slice(start, stop)
        give_back([exch_ts, *columns], start, stop)
        start = stop


def _rows_at(exch_ts: np.ndarray, start: int, ts: int) -> int:
    """How many rows from ``start`` on have that time; looks no further ahead than it must."""
    stop = start
    while stop < len(exch_ts) and exch_ts[stop] == ts:
        stop += int(np.searchsorted(exch_ts[stop : stop + 4096], ts, side="right"))
    return stop - start


def room_like(column: np.ndarray, rows: int, dtype: type) -> np.ndarray:
    """Room for a new column: in memory, or in a file without a name where ``column`` is mapped.

    The file is beside that of the column, or in the folder for temporary files where nothing can
    be written there; it goes with the array. Raises OSError where the disk is full.
    """
    memory, wanted = map_of(column), np.dtype(dtype)
    if memory is None or rows == 0:
        return np.empty(rows, wanted)
    with _scratch(memory.folder) as file:
        size = rows * wanted.itemsize
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return map_column(file, memory.folder, wanted, rows, scratch=True)


class Growing:
    """A column of unknown length that is made part by part, for one that is ``like`` another.

    What belongs to a mapped column goes to a file, as in ``room_like``, once it is large.
    """

    def __init__(self, like: np.ndarray, dtype: Any) -> None:
        memory = map_of(like)
        self._folder = None if memory is None else memory.folder
        self._dtype, self._rows = np.dtype(dtype), 0
        self._parts: list[np.ndarray] = []
        self._file: BinaryIO | None = None

    def append(self, values: np.ndarray, *, copy: bool = True) -> None:
        """Add values at the end; without ``copy`` they may not change any more."""
        self._rows += len(values)
        if self._file is None:
            take = np.array if copy else np.asarray
            self._parts.append(take(values, self._dtype))
            if self._folder is not None and self._rows * self._dtype.itemsize > SPILL_BYTES:
                self._file = _scratch(self._folder)
                for part in self._parts:
                    self._file.write(part.tobytes())
                self._parts.clear()
        else:
            self._file.write(np.asarray(values, self._dtype).tobytes())

    def column(self) -> np.ndarray:
        """All values; nothing is added after that."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                folder = self._folder or Path()
                self._parts = [map_column(file, folder, self._dtype, self._rows)]
            self._file = None
        elif len(self._parts) != 1:
            self._parts = [np.concatenate([np.zeros(0, self._dtype), *self._parts])]
        return self._parts[0]

    def parts(self) -> Iterator[np.ndarray]:
        """All values part by part, each for use before the next; nothing is added after that."""
        if self._file is not None:
            self.column()
        for part in self._parts:
            yield from (part[rows] for rows in pieces([part]))


def _scratch(folder: Path) -> BinaryIO:
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()


def is_rising(values: np.ndarray) -> bool:
    """Whether values (n,) never fall."""
    last = values[:1]
    for rows in pieces([values]):
        some = values[rows]
        if (some[1:] < some[:-1]).any() or (some[:1] < last).any():
            return False
        last = some[-1:].copy()
    return True


def rising_order(chunks: Iterable[tuple[np.ndarray, int]]) -> Iterator[np.ndarray]:
    """Places (int64) of keys in rising order, equal keys in that of their places, bit by bit.

    ``chunks`` are the keys, each with a number that no later key is below: what is not above it is
    settled, and only what is above it waits for the next chunk.
    """
    keys, places, first = np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    for more, floor in chunks:
        keys = np.concatenate([keys, more])
        places = np.concatenate([places, np.arange(first, first + len(more))])
        first += len(more)
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        settled = int(np.searchsorted(keys, floor, side="right"))
        yield places[:settled]
        keys, places = keys[settled:], places[settled:]
    yield places
