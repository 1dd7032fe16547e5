"""Quality of data files: strict and lenient reading, and a check of files as one flat summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmquant.core.dtypes import RowKind
from mmquant.data.crossing import crossed_rows
from mmquant.data.mapping import pieces
from mmquant.data.quarantine import Quarantine, quarantine_of
from mmquant.data.readers import PathLike, read_tape
from mmquant.data.tape import COLUMNS, contracts_of
from mmquant.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Quarantine", "check", "quarantine_of", "tape_facts"]

SETS = ("lobster",)
"""Formats of which several files are one data set."""
LARGEST = ("largest_gap_s",)


def check(
    format: str,
    path: PathLike,
    *,
    lenient: bool = False,
    gap_s: float = 60.0,
    **options: Any,
) -> dict[str, Any]:
    """Read files and say in one flat dict what is in them and whether they hold together.

    Bad rows do not end the check: they are counted, ``problem`` has the error of a strict read, and
    ``ok`` is False (with ``lenient`` they alone do not make it so). A file that cannot be read at
    all raises DataError. With several files numbers are added up, save for LOBSTER, where they are
    one data set.

    Parameters
    ----------
    gap_s : a time without rows at least so long is a gap. [s]
    options : those of the format's reader.
    """
    if isinstance(path, str | Path) or len(path) == 1 or format in SETS:
        return _check_one(format, path, lenient, gap_s, options)
    return _together([_check_one(format, one, lenient, gap_s, options) for one in path])


def _check_one(
    format: str, path: PathLike, lenient: bool, gap_s: float, options: dict[str, Any]
) -> dict[str, Any]:
    problem = ""
    try:
        tape = read_tape(format, path, lenient=False, **options)
    except DataError as error:
        problem = str(error)
        tape = read_tape(format, path, lenient=True, **options)
    facts = {"format": format, "files": 1, **tape_facts(tape, gap_s=gap_s)}
    if format == "lobster":
        from mmquant.data.readers.lobster import check_book

        facts |= check_book(path, lenient=bool(problem), **options)
    good = facts.get("book_rows_equal", 0) == facts.get("book_rows", 0)
    facts["problem"] = problem
    facts["ok"] = good and facts["crossed_rows"] == 0 and (lenient or not problem)
    return facts


def tape_facts(tape: xr.Dataset, *, gap_s: float = 60.0) -> dict[str, Any]:
    """What is on a tape, as one flat dict: counts, first and last time, gaps, crossed rows."""
    data = {name: tape[name].values for name in COLUMNS}
    ts, kind = data["exch_ts"], data["kind"]
    contracts = contracts_of(tape)
    trades = status = gaps = largest = 0
    for rows in pieces([ts, kind]):
        trades += int((kind[rows] == RowKind.TRADE).sum())
        status += int((kind[rows] == RowKind.STATUS).sum())
        steps = np.diff(ts[max(rows.start - 1, 0) : rows.stop])
        gaps += int((steps >= gap_s * 1e9).sum())
        largest = max(largest, int(steps.max(initial=0)))
    _, crossing = crossed_rows(data, len(contracts))
    facts: dict[str, Any] = {
        "rows": len(ts),
        "trades": trades,
        "status_rows": status,
        "symbols": ", ".join(contract.symbol for contract in contracts),
        "date": tape.attrs["date"],
        "level": tape.attrs["level"],
        "first_time": iso_time(int(ts[0])) if ts.size else "",
        "last_time": iso_time(int(ts[-1])) if ts.size else "",
        "gaps": gaps,
        "largest_gap_s": largest / 1e9,
        **(crossing if tape.attrs["level"] == "L2" else dict.fromkeys(crossing, 0)),
    }
    counts = json.loads(tape.attrs["counts"])
    return facts | {name: value for name, value in counts.items() if name not in facts} | {
        "quarantined": len(quarantine_of(tape))
    }  # fmt: skip


def iso_time(ts: int) -> str:
    """A time in ns since the epoch as ISO text with all nine digits, UTC."""
    second = datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{ts % 10**9:09d}Z"


def _together(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One dict of several: numbers added, times spanned, texts listed once."""
    out: dict[str, Any] = {}
    for name in dict.fromkeys(name for facts in each for name in facts):
        values = [facts[name] for facts in each if name in facts]
        if name == "ok":
            out[name] = all(values)
        elif name in LARGEST or name == "last_time":
            out[name] = max(values)
        elif name == "first_time":
            out[name] = min(value for value in values if value) if any(values) else ""
        elif isinstance(values[0], int | float):
            out[name] = sum(values)
        else:
            out[name] = "; ".join(dict.fromkeys(value for value in values if value))
    return out
