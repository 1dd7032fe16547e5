"""What our own files share: attributes, columns, and rebuilding the tape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.contracts import Contract
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import write_tape as write_tape
from mmquant.data.screening import screen
from mmquant.data.tape import COLUMNS, REQUIRED, make_tape, validate_tape
from mmquant.errors import DataError
from mmquant.schema import VERSION

Contracts = str | Sequence[Contract | Mapping[str, Any]]
IMPORT_FIX = "import the source again, or give the options contracts and date"


def dump_header(ds: xr.Dataset) -> str:
    """All attributes of a checked tape as one line of JSON, for a file."""
    validate_tape(ds)
    return json.dumps(header_of(ds), sort_keys=True)


def header_of(ds: xr.Dataset) -> dict[str, Any]:
    """All attributes of a tape as JSON holds them, and its number of rows."""
    attrs = dict(ds.attrs) | {"schema_version": int(ds.attrs["schema_version"])}
    return attrs | {"file_rows": int(ds.sizes["event"])}


def load_header(text: str | None, path: Path) -> dict[str, Any]:
    """The attributes of a file; empty where it has none. Raises DataError."""
    if text is None:
        return {}
    try:
        attrs = json.loads(text)
        schema, version = attrs["schema"], attrs["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"the header is damaged ({error!r})", where=str(path), fix=IMPORT_FIX
        ) from None
    if schema != "tape" or version != VERSION:
        raise DataError(
            f"this is {schema!r} of version {version}, not a tape of version {VERSION}",
            where=str(path),
            fix="import the source again with this version",
        )
    return dict(attrs)


def with_options(
    attrs: dict[str, Any],
    path: Path,
    contracts: Contracts | None,
    date: str | None,
) -> dict[str, Any]:
    """Attributes of the file, with the caller's options over them. Raises DataError."""
    if contracts is not None:
        attrs["contracts"] = json.dumps([c.to_dict() for c in as_contracts(contracts)])
    if date is not None:
        attrs["date"] = date
    for name in ("contracts", "date"):
        if name not in attrs:
            raise DataError(
                f"the file does not tell its {name}", where=str(path), fix=f"give option {name}"
            )
    return attrs


def as_contracts(value: Contracts) -> list[Contract]:
    """Contracts from themselves, their dicts or a JSON list."""
    given = json.loads(value) if isinstance(value, str) else value
    return [c if isinstance(c, Contract) else Contract.from_dict(c) for c in given]


def check_columns(names: Sequence[str], path: Path) -> None:
    """Refuse a file that lacks a needed column or has one that no tape has."""
    for name in REQUIRED:
        if name not in names:
            raise DataError(
                f"column {name!r} is missing",
                where=str(path),
                fix=f"the file needs {', '.join(REQUIRED)}",
            )
    for name in names:
        if name not in COLUMNS:
            raise DataError(
                f"column {name!r} is not known",
                where=str(path),
                fix=f"leave it out; a tape has {', '.join(COLUMNS)}",
            )


def build(
    data: dict[str, np.ndarray],
    rows: np.ndarray,
    attrs: Mapping[str, Any],
    q: Quarantine,
    *,
    allow_crossed: bool = False,
    text: Callable[[int], str] | None = None,
) -> xr.Dataset:
    """The tape of a file's columns: defaults, screening, then the tape with its attributes.

    ``rows`` (int64) numbers the rows in the file. Integers are int64.
    """
    contracts = as_contracts(attrs["contracts"])
    level = attrs.get("level", "L2")
    n = len(rows)
    full = {"local_ts": data["exch_ts"], "seq": np.arange(n)} | data
    for name in COLUMNS:
        full.setdefault(name, np.zeros(n, np.int64))
    _check_rows(n, attrs, q)
    good = screen(
        full, rows, q, len(contracts), level=level, allow_crossed=allow_crossed, text=text
    )
    ds = make_tape(
        good,
        contracts,
        level=level,
        source=json.loads(attrs.get("source", "{}")) or {"format": "tape", "files": []},
        date=attrs["date"],
        timezone=attrs.get("timezone", "UTC"),
        notes=json.loads(attrs.get("notes", "[]")),
        counts=json.loads(attrs.get("counts", "{}")),
    )
    if "quarantine" in attrs:
        ds.attrs["quarantine"] = attrs["quarantine"]
    return q.attach(ds) if q.total else ds


def _check_rows(n: int, attrs: Mapping[str, Any], q: Quarantine) -> None:
    """Notice a file that ends early."""
    wanted = int(attrs.get("file_rows", n))
    if n + q.total < wanted:
        missing = wanted - n - q.total
        q.add(n + q.total + 1, f"the file is cut off: {missing} of {wanted} rows are missing",
              fix="copy it again")  # fmt: skip
