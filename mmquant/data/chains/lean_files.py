"""Where the Lean files of an option day are, and what their members are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mmquant.calendars import FIRST_DAY, LAST_DAY
from mmquant.data.files import existing
from mmquant.errors import DataError, UsageError

ZIP_NAME = re.compile(r"(?P<day>\d{8})_quote_(?P<style>american|european)\.zip")
OPTION_MEMBER = re.compile(
    r"(?P<day>\d{8})_(?P<root>[^_]+)_minute_quote_(?P<style>american|european)_"
    r"(?P<right>call|put)_(?P<strike>\d+)_(?P<expiry>\d{8})\.csv"
)
EQUITY_MEMBER = re.compile(r"\d{8}_[^_]+_minute_quote\.csv")
LAYOUT = "<root>/option/<symbol>/<yyyymmdd>_quote_american.zip"


@dataclass(frozen=True)
class LeanDay:
    """The two files of a day: options, and underlying. ``day`` is ISO."""

    underlying: str
    day: str
    options: Path
    equity: Path


def find_day(path: Path, underlying: str | None, day: str | date | None) -> LeanDay:
    """The files that a path and what is asked for name.

    ``path`` is the folder with ``option`` and ``equity`` in it, or an option zip. Raises DataError
    where nothing fits, UsageError where several days do, naming them.
    """
    wanted = iso_day(day) if day is not None else None
    if path.is_dir():
        zips = [p for p in sorted((path / "option").rglob("*.zip")) if ZIP_NAME.fullmatch(p.name)]
        if not zips:
            raise DataError(
                "there are no option quotes of Lean's in this folder",
                where=str(path),
                fix=f"they are at {LAYOUT}",
            )
        return _equity(path, _choose(path, zips, underlying, wanted))
    options = existing(path)
    if not ZIP_NAME.fullmatch(options.name):
        raise DataError(
            "the name is not that of option quotes of Lean's",
            where=str(options),
            fix=f"name it as in {LAYOUT}",
        )
    root = next((p.parent for p in options.parents if p.name == "option"), options.parent)
    return _equity(root, _choose(options, [options], underlying, wanted))


def iso_day(day: str | date) -> str:
    """A day as ISO text, from a date or from 2015-12-24 or 20151224. Raises UsageError."""
    try:
        return (date.fromisoformat(day) if isinstance(day, str) else day).isoformat()
    except ValueError:
        raise UsageError(f"{day!r} is not a date", fix="write it as 2015-12-24") from None


def is_day(text: str) -> bool:
    """Whether a text is a date that the calendar reaches."""
    try:
        return FIRST_DAY <= date.fromisoformat(text).isoformat() <= LAST_DAY
    except ValueError:
        return False


def _choose(path: Path, zips: list[Path], underlying: str | None, day: str | None) -> Path:
    fits = [
        p
        for p in zips
        if (underlying is None or _symbol(p) == underlying.upper())
        and (day is None or _day(p) == day)
    ]
    if len(fits) == 1:
        return fits[0]
    there = _listed(f"{_symbol(p)} {_day(p)}" for p in (fits or zips))
    asked = " ".join(part for part in (underlying and underlying.upper(), day) if part)
    if not fits:
        raise DataError(
            f"there are no option quotes of {asked}", where=str(path), fix=f"there are {there}"
        )
    raise UsageError(
        f"there are option quotes of {len(fits)} days",
        where=str(path),
        fix=f"give underlying and date: there are {there}",
    )


def _equity(root: Path, options: Path) -> LeanDay:
    if not is_day(_day(options)):
        raise DataError("the name has no date", where=str(options), fix=f"name it as in {LAYOUT}")
    folder, symbol = options.parent, options.parent.name
    parts = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    beside = root.joinpath("equity", *parts[1:]) if parts[:1] == ("option",) else folder
    equity = beside / f"{options.name[:8]}_quote.zip"
    if not equity.is_file():
        raise DataError(
            f"the quotes of {symbol.upper()} itself are not there",
            where=str(equity),
            fix="put the equity zip of the same day there: a surface needs the underlying",
        )
    return LeanDay(_symbol(options), _day(options), options, equity)


def _symbol(path: Path) -> str:
    return path.parent.name.upper()


def _day(path: Path) -> str:
    return f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}"


def _listed(names: Iterable[str], limit: int = 12) -> str:
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
