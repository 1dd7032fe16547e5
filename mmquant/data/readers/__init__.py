"""Readers and writers of tapes, one file a format, imported when used."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmquant.data.files import check_writable, is_recording
from mmquant.errors import UsageError

if TYPE_CHECKING:
    import xarray as xr

FORMATS = ("lobster", "binance", "neutral", "parquet", "mapped", "csv", "recording")
"""Formats that ``read_tape`` knows; each is a module of this package with a function ``read``."""
SUFFIXES = {
    ".parquet": "parquet",
    ".tape": "mapped",
    ".npz": "neutral",
    ".csv": "csv",
    ".csv.gz": "csv",
}
"""Formats that ``write_tape`` writes, by the end of the file name."""

PathLike = str | Path | Sequence[str | Path]


def read_tape(format: str, path: PathLike, *, lenient: bool = False, **options: Any) -> xr.Dataset:
    """Read a file of a known format as a tape (schema ``tape``).

    Parameters
    ----------
    format : one of FORMATS.
    path : the file, or several where the format has several.
    lenient : set bad rows aside (``quality.quarantine_of``) in place of an error.
    options : see the ``read`` of the format's module.

    Raises
    ------
    DataError
        naming file, row, what is wrong and the fix.
    UsageError
        for an unknown format or option.
    """
    if format == "parquet" and isinstance(path, str | Path) and is_recording(path):
        format = "recording"
    _check_options(format, options)
    tape: xr.Dataset = reader(format).read(path, lenient=lenient, **options)
    return tape


def _check_options(format: str, options: Mapping[str, Any]) -> None:
    known = [
        name
        for name, parameter in inspect.signature(reader(format).read).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "lenient"
    ]
    for name in options:
        if name not in known:
            raise UsageError(
                f"format {format!r} has no option {name!r}",
                fix=f"use {', '.join(known)}" if known else "leave it out",
            )


def import_tape(
    format: str, path: PathLike, out: str | Path, *, lenient: bool = False, **options: Any
) -> xr.Dataset:
    """Read a file and write it as a tape of our own; arguments as for ``read_tape``.

    Parquet goes to a mapped tape piece by piece, all else through memory. What cannot be written
    is refused before the file is read.
    """
    _format_of(out)
    check_writable(out)
    if format == "parquet" and Path(out).suffix == ".tape" and not lenient:
        _check_options("parquet", options)
        reader("mapped").from_parquet(path, out, **options)
        return read_tape("mapped", out, allow_crossed=True)
    tape = read_tape(format, path, lenient=lenient, **options)
    write_tape(tape, out)
    return tape


def reader(format: str) -> Any:
    """The module that reads a format. Raises UsageError where there is none."""
    if format not in FORMATS:
        raise UsageError(f"unknown tape format {format!r}", fix=f"use one of {', '.join(FORMATS)}")
    return import_module(f"{__name__}.{format}")


def read_own(path: str | Path) -> xr.Dataset:
    """Read a tape that this package wrote: mapped where its name says so, else Parquet.

    The folder of a recording is one too.
    """
    return read_tape("mapped" if Path(path).suffix == ".tape" else "parquet", path)


def write_tape(tape: xr.Dataset, path: str | Path, **options: Any) -> Path:
    """Write a tape in the format that the end of the name tells; return the path.

    Parquet, mapped and CSV hold all of it; what a neutral file cannot hold is refused. Raises
    UsageError for another ending. A file is replaced only when the new one is whole.
    """
    reader(_format_of(path)).write(tape, path, **options)
    return Path(path)


def _format_of(path: str | Path) -> str:
    name = Path(path).name.lower()
    for suffix, format in SUFFIXES.items():
        if name.endswith(suffix):
            return format
    raise UsageError(
        f"the name {Path(path).name!r} does not tell a tape format",
        fix=f"end it with one of {', '.join(SUFFIXES)}",
    )
