"""Readers and writers of option quotes, one file a format, imported when used."""

from __future__ import annotations

from datetime import date as Date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmquant.data.files import is_recording
from mmquant.errors import DataError, UsageError

if TYPE_CHECKING:
    import xarray as xr

FORMATS = ("lean", "cboe", "parquet", "zarr", "recording")
"""Formats that ``read_option_quotes`` knows; each is a module of this package with ``read``."""
WRITTEN = (".parquet", ".zarr")
"""Ends of names that ``write_option_quotes`` knows."""


def read_option_quotes(
    path: str | Path,
    *,
    underlying: str | None = None,
    date: str | Date | None = None,
    format: str | None = None,
    lenient: bool = False,
) -> xr.Dataset:
    """Read option quotes and their underlying as a Dataset (schema ``option_quotes``).

    Parameters
    ----------
    path : a folder of Lean's with ``option`` and ``equity`` in it, or one of its option zips; a
        quote table of Cboe's (csv, csv.gz or zip); a Parquet file or Zarr folder of our own; the
        folder of a recorder.
    underlying, date : which of several underlyings and days in a folder, such as "GOOG" and
        "2015-12-24"; for one file they must be the ones in it.
    format : one of FORMATS, where the path does not tell.
    lenient : set bad rows and members aside (``quarantine_of``) in place of an error.

    Raises
    ------
    DataError
        naming file, row, what is wrong and the fix.
    UsageError
        where the format is unknown, or several days fit.
    """
    path = Path(path)
    format = format or format_of(path)
    if format not in FORMATS:
        raise UsageError(f"unknown format {format!r}", fix=f"use one of {', '.join(FORMATS)}")
    module: Any = import_module(f"{__name__}.{format}")
    ds: xr.Dataset = module.read(path, lenient=lenient, underlying=underlying, date=date)
    return ds


def write_option_quotes(ds: xr.Dataset, path: str | Path) -> Path:
    """Write option quotes to a .parquet file or a .zarr folder, whole or not at all; the path.

    Reading gives the same Dataset, attributes included. Raises DataError where ``ds`` is not of
    the schema, UsageError for another ending.
    """
    path = Path(path)
    if path.suffix not in WRITTEN:
        raise UsageError(
            f"the name {path.name!r} does not tell a format", fix="end it with .parquet or .zarr"
        )
    import_module(f"{__name__}.{path.suffix[1:]}").write(ds, path)
    return path


def format_of(path: Path) -> str:
    """The format that a path tells. Raises DataError."""
    name = path.name.lower()
    if not path.exists():
        raise DataError("there is no such file or folder", where=str(path), fix="check the path")
    if path.is_dir():
        if is_recording(path):
            return "recording"
        if name.endswith(".zarr") or (path / "zarr.json").is_file() or (path / ".zgroup").is_file():
            return "zarr"
        if (path / "option").is_dir():
            return "lean"
    elif name.endswith(".zip"):
        return "lean" if "_quote_" in name else "cboe"
    elif name.endswith((".csv", ".csv.gz")):
        return "cboe"
    elif name.endswith(".parquet"):
        return "parquet"
    raise DataError(
        "this is no folder or file of option quotes",
        where=str(path),
        fix="name a folder with 'option' and 'equity' in it (Lean), an option zip, a quote table "
        "(.csv, .csv.gz or .zip), or a .parquet or .zarr of our own",
    )
