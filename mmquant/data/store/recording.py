"""A folder of recorded market data: tables in parts, and a kill loses little of them.

``tape/000001.parquet`` and the like. The part that grows is an Arrow stream (``.growing``): what
was flushed can be read whatever happens next. At its end it is written as Parquet and takes its
name by a rename.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mmquant.data.contracts import Contract
from mmquant.data.files import RECORDING, is_recording, written_whole
from mmquant.data.store.run_folder import RunFolder, write_safely
from mmquant.errors import DataError, UsageError

VERSION = 1
GROWING = ".growing"
TAPE, DEPTH, TRADES, QUOTES, GREEKS, GAPS = "tape", "depth", "trades", "quotes", "greeks", "gaps"

_AT = [("ts", pa.int64()), ("inst", pa.int16())]
SCHEMAS = {
    TAPE: pa.schema([
        ("exch_ts", pa.int64()), ("kind", pa.int8()), ("side", pa.int8()), ("inst", pa.int16()),
        ("tick", pa.int32()), ("size", pa.int32()), ("subtick", pa.float32()),
    ]),
    DEPTH: pa.schema([
        *_AT, ("position", pa.int16()), ("operation", pa.int8()), ("side", pa.int8()),
        ("price", pa.float64()), ("size", pa.float64()), ("maker", pa.string()),
    ]),
    TRADES: pa.schema([
        *_AT, ("time_s", pa.int64()), ("price", pa.float64()), ("size", pa.float64()),
        ("past_limit", pa.bool_()), ("unreported", pa.bool_()), ("exchange", pa.string()),
        ("conditions", pa.string()),
    ]),
    QUOTES: pa.schema([
        *_AT, ("tick_type", pa.int16()), ("price", pa.float64()), ("size", pa.float64()),
    ]),
    GREEKS: pa.schema([
        *_AT, ("tick_type", pa.int16()), ("volatility", pa.float64()), ("delta", pa.float64()),
        ("price", pa.float64()), ("dividends", pa.float64()), ("gamma", pa.float64()),
        ("vega", pa.float64()), ("theta", pa.float64()), ("underlying", pa.float64()),
    ]),
    GAPS: pa.schema([*_AT, ("what", pa.string()), ("why", pa.string())]),
}  # fmt: skip
"""Columns of each table. ``ts`` is the time of receipt [ns]; ``inst`` -1 means all."""
CLOCKS = {name: "exch_ts" if name == TAPE else "ts" for name in SCHEMAS}


class Header(NamedTuple):
    """What a recording is of."""

    contracts: tuple[Contract, ...]
    date: str
    source: dict[str, Any]

    def to_json(self) -> str:
        """As it stands in the folder."""
        facts = {
            "schema": "recording", "version": VERSION, "date": self.date, "source": self.source,
            "contracts": [contract.to_dict() for contract in self.contracts],
        }  # fmt: skip
        return json.dumps(facts, indent=1, sort_keys=True) + "\n"


def read_header(folder: str | Path) -> Header:
    """What a recording is of. Raises DataError."""
    file = Path(folder) / RECORDING
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        if facts["schema"] != "recording" or facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']}")
        contracts = tuple(Contract.from_dict(one) for one in facts["contracts"])
        return Header(contracts, str(facts["date"]), dict(facts["source"]))
    except FileNotFoundError:
        raise DataError(
            f"no recording is here (there is no {RECORDING})",
            where=str(folder),
            fix="check the path",
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"the header of the recording is damaged ({error!r})",
            where=str(file),
            fix="copy it from another recording of the same instruments and day",
        ) from None


class Table(NamedTuple):
    """All rows of a table, and how many bytes at the end of a growing part were torn."""

    rows: pa.Table
    torn_bytes: int


def read_table(folder: str | Path, name: str) -> Table:
    """All parts of a table, in order, the growing one too. Raises DataError on a damaged part."""
    parts, torn = [SCHEMAS[name].empty_table()], 0
    for file in parts_of(Path(folder) / name):
        if file.suffix == GROWING:
            rows, left = read_growing(file, SCHEMAS[name])
            torn += left
        else:
            rows = _read_part(file, SCHEMAS[name])
        parts.append(rows)
    return Table(pa.concat_tables(parts), torn)


def parts_of(folder: Path) -> list[Path]:
    """The parts of a table in order; a growing part that is there as Parquet already is not one."""
    whole = {file.stem: file for file in folder.glob("[0-9]*.parquet")}
    growing = {file.stem: file for file in folder.glob(f"[0-9]*{GROWING}")}
    return [file for _, file in sorted((growing | whole).items())]


def read_growing(file: Path, schema: pa.Schema) -> tuple[pa.Table, int]:
    """All whole batches of a growing part, and how many bytes behind them are torn."""
    batches, read = [], 0
    with pa.OSFile(str(file), "rb") as source:
        size = source.size()
        try:
            with pa.ipc.open_stream(source) as stream:
                read = source.tell()
                for batch in stream:
                    batches.append(batch)
                    read = source.tell()
        except (pa.ArrowException, OSError, EOFError):
            pass
    return pa.Table.from_batches(batches, schema), size - read


def _read_part(file: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(file).cast(schema)
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"a part of the recording is damaged ({str(error).splitlines()[0]})",
            where=str(file),
            fix="copy it again, or move it away: the rest can be read without it",
        ) from None


class RecordingWriter:
    """Adds rows to the tables of a recording; a recording that is there already is gone on with.

    Raises
    ------
    UsageError
        where the folder holds a recording of other instruments or another day, or something else.
    LockedError
        where another process writes to it.
    """

    def __init__(self, folder: str | Path, header: Header) -> None:
        self.folder = Path(folder)
        self.goes_on = is_recording(self.folder)
        if not self.goes_on and self.folder.exists() and any(self.folder.iterdir()):
            raise UsageError(
                "the folder holds something else", where=str(folder), fix="name a new folder"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held = RunFolder(self.folder)
        self._held.hold()
        if self.goes_on:
            self._check_same(header)
        else:
            write_safely(self.folder / RECORDING, header.to_json())
        self.counts = dict.fromkeys(SCHEMAS, 0)
        self.floor = 0
        """No row may be before this: the last one of what was there. [ns]"""
        self.part_rows = 0
        """Rows of all tables in the part that grows; those on the disk."""
        self._part = 1
        for name in SCHEMAS:
            (self.folder / name).mkdir(exist_ok=True)
            self._take_over(name)
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}
        self._open: dict[str, tuple[pa.OSFile, pa.RecordBatchStreamWriter]] = {}

    def add(self, name: str, row: tuple[Any, ...]) -> None:
        """Add a row to a table; it is on the disk after the next ``flush``."""
        self._rows[name].append(row)

    def flush(self) -> None:
        """Put all rows on the disk."""
        for name, rows in self._rows.items():
            if not rows:
                continue
            schema = SCHEMAS[name]
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            file, stream = self._stream(name)
            stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            file.flush()
            descriptor = os.open(self._growing(name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self.counts[name] += len(rows)
            self.part_rows += len(rows)
            rows.clear()

    def rotate(self) -> None:
        """End this part of all tables, and begin the next."""
        self.flush()
        for name, (file, stream) in self._open.items():
            stream.close()
            file.close()
            _finish(self._growing(name), SCHEMAS[name])
        self._open.clear()
        self._part += 1
        self.part_rows = 0

    def close(self) -> None:
        """End the recording."""
        self.rotate()
        self._held.let_go()

    def _growing(self, name: str) -> Path:
        return self.folder / name / f"{self._part:06d}{GROWING}"

    def _stream(self, name: str) -> tuple[pa.OSFile, pa.RecordBatchStreamWriter]:
        if name not in self._open:
            file = pa.OSFile(str(self._growing(name)), "wb")
            self._open[name] = (file, pa.ipc.new_stream(file, SCHEMAS[name]))
        return self._open[name]

    def _take_over(self, name: str) -> None:
        """Finish what a killed process left, and go on behind it."""
        folder = self.folder / name
        for file in folder.glob(f"[0-9]*{GROWING}"):
            if file.with_suffix(".parquet").exists():
                file.unlink()
            else:
                _finish(file, SCHEMAS[name])
        parts = parts_of(folder)
        for file in folder.glob(".*.parquet.*"):
            file.unlink()
        if parts:
            self._part = max(self._part, int(parts[-1].stem) + 1)
            times = _read_part(parts[-1], SCHEMAS[name])[CLOCKS[name]]
            self.floor = max([self.floor, *(int(t.as_py()) for t in times[-1:])])

    def _check_same(self, header: Header) -> None:
        found = read_header(self.folder)
        if (found.contracts, found.date) != (header.contracts, header.date):
            self._held.let_go()
            raise UsageError(
                "the folder holds a recording of other instruments or of another day",
                where=str(self.folder),
                fix="name another folder",
            )


def _finish(growing: Path, schema: pa.Schema) -> None:
    """A growing part becomes a Parquet file."""
    rows, _ = read_growing(growing, schema)
    if rows.num_rows:
        with written_whole(growing.with_suffix(".parquet")) as temporary:
            pq.write_table(rows, temporary, compression="zstd")
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
    growing.unlink()
