"""Dated fee schedules: YAML files with their sources, and the rates of a date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml

from mmquant.data.ladders import as_date
from mmquant.errors import DataError

FOLDER = Path(__file__).parent / "fee_schedules"
RATES = {
    "maker_bps": ("maker_value_rate", 1e4),
    "taker_bps": ("taker_value_rate", 1e4),
    "maker_per_unit_ccy": ("maker_unit_rate", 1.0),
    "taker_per_unit_ccy": ("taker_unit_rate", 1.0),
}
"""Keys of an entry, the rate each one gives, and its divisor."""
ENTRY_KEYS = ("from_date", "source", *RATES)
FILE_KEYS = ("name", "text", "currency", "entries")


@dataclass(frozen=True)
class FeeRates:
    """What a fill costs: value rates are of price * size * multiplier, unit rates per unit.

    Negative rates are rebates.
    """

    maker_value_rate: float = 0.0
    maker_unit_rate: float = 0.0
    taker_value_rate: float = 0.0
    taker_unit_rate: float = 0.0


@dataclass(frozen=True)
class Fees:
    """The rates of a schedule on a date, with their source and what was assumed."""

    rates: FeeRates
    schedule: str
    source: str
    applied_from: str
    notes: tuple[str, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """What a run's manifest says of its fees: schedule, source, applied_from, notes."""
        return {
            "schedule": self.schedule,
            "source": self.source,
            "applied_from": self.applied_from,
            "notes": list(self.notes),
        }


def schedule_names() -> list[str]:
    """Names of the schedules that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_fees(schedule: str | Path, date: str) -> Fees:
    """The fee rates of a schedule on a trade date (ISO).

    ``schedule`` is a name of ``schedule_names()`` or the path of a YAML file of the same form. A
    date before the first entry takes that entry and notes it.

    Raises
    ------
    DataError
        where the schedule is unknown or its file is not one.
    """
    as_date(date, "date")
    path = _path_of(schedule)
    content = _load(path)
    entries = [_entry(entry, path) for entry in content["entries"]]
    dates = [entry["from_date"] for entry in entries]
    if not dates or sorted(set(dates)) != dates:
        _wrong("entries are not in order of from_date", path, "sort them, one for each date")
    known = [entry for entry in entries if entry["from_date"] <= date]
    chosen = known[-1] if known else entries[0]
    name = str(content["name"])
    notes: tuple[str, ...] = ()
    if not known:
        notes = (
            f"Fees of {date} are not known: the first entry of schedule {name!r}, from "
            f"{chosen['from_date']}, is used.",
        )
    rates = {rate: chosen[key] / by for key, (rate, by) in RATES.items() if key in chosen}
    return Fees(FeeRates(**rates), name, chosen["source"].strip(), chosen["from_date"], notes)


def _path_of(schedule: str | Path) -> Path:
    shipped = FOLDER / f"{schedule}.yaml"
    if str(schedule) in schedule_names():
        return shipped
    path = Path(schedule).expanduser()
    if path.is_file():
        return path
    near = get_close_matches(str(schedule), schedule_names(), 1)
    names = near or schedule_names()
    raise DataError(
        f"there is no fee schedule {str(schedule)!r}",
        fix=f"use {' or '.join(names)}, or the path of a YAML file",
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        _wrong(f"this is not YAML ({error})", path, "correct the file")
    _check_keys(content, FILE_KEYS, ("name", "entries"), path)
    if not isinstance(content["entries"], list):
        _wrong("entries is not a list", path, "list one entry for each date")
    return dict(content)


def _entry(entry: Any, path: Path) -> dict[str, Any]:
    _check_keys(entry, ENTRY_KEYS, ("from_date", "source"), path)
    for key in RATES:
        value = entry.get(key, 0.0)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            _wrong(f"{key} {value!r} is not a number", path, "write a number")
    date = as_date(str(entry["from_date"]), f"from_date in {path}").isoformat()
    return {**entry, "from_date": date, "source": str(entry["source"])}


def _check_keys(value: Any, known: tuple[str, ...], needed: tuple[str, ...], path: Path) -> None:
    if not isinstance(value, Mapping):
        _wrong(f"{value!r} is not a mapping", path, f"give the keys {', '.join(known)}")
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            _wrong(
                f"key {key!r} is not known", path, f"use {near[0] if near else ', '.join(known)}"
            )
    for key in needed:
        if key not in value:
            _wrong(f"key {key!r} is missing", path, f"add {key!r}")


def _wrong(what: str, path: Path, fix: str) -> NoReturn:
    raise DataError(f"fee schedule: {what}", where=str(path), fix=fix)
