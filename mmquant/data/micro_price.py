"""Tables of micro-price adjustments in files, and as the row of numbers that kernels read."""

from __future__ import annotations

import json
import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.data.files import written_whole
from mmquant.errors import DataError

SCHEMA = "micro_price"
VERSION = 1


def micro_price_table(fit: xr.Dataset) -> np.ndarray:
    """The row that ``core.theo`` looks up, from ``adjustment`` (spread, bucket) [ticks]."""
    values = fit["adjustment"].transpose("spread", "bucket").to_numpy()
    spreads, buckets = values.shape
    return np.concatenate([[float(buckets), float(spreads)], values.ravel()])


def write_micro_price(fit: xr.Dataset, path: str | PathLike[str]) -> None:
    """Write the adjustments of ``research.micro_price.fit_micro_price`` as JSON.

    Raises DataError where the fit found none: no quote would follow from such a table.
    """
    values = fit["adjustment"].transpose("spread", "bucket").to_numpy()
    if not np.isfinite(values).any():
        raise DataError(
            f"no adjustment was found ({fit.attrs.get('reason') or 'too few moves of the mid'})",
            where=str(path),
            fix="fit it on more of the tape",
        )
    rows = [[x if math.isfinite(x) else None for x in row] for row in values.tolist()]
    facts = {name: fit.attrs.get(name) for name in ("symbol", "date", "samples", "steps")}
    content = {"schema": SCHEMA, "schema_version": VERSION, **facts, "adjustment_ticks": rows}
    with written_whole(Path(path)) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_micro_price(path: str | PathLike[str]) -> np.ndarray:
    """The row that ``core.theo`` looks up, from a file of ``write_micro_price``.

    Raises
    ------
    DataError
        where the file is missing, or is no such table.
    """
    where = str(path)
    fix = "write it with mmquant.research.micro_price"
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror}", where=where, fix=fix) from None
    except ValueError:
        raise DataError("this is not JSON", where=where, fix=fix) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise DataError("this is no table of micro-prices", where=where, fix=fix)
    if content.get("schema_version") != VERSION:
        found = content.get("schema_version")
        raise DataError(f"version {found!r} of the table, not {VERSION}", where=where, fix=fix)
    rows = content.get("adjustment_ticks")
    if not isinstance(rows, list) or not _is_table(rows):
        what = "adjustment_ticks is not a list of equally long lists of numbers or null"
        raise DataError(what, where=where, fix=fix)
    if all(x is None for row in rows for x in row):
        raise DataError("the table knows no adjustment", where=where, fix=fix)
    values = [math.nan if x is None else float(x) for row in rows for x in row]
    return np.array([float(len(rows[0])), float(len(rows)), *values])


def _is_table(rows: list[Any]) -> bool:
    if not rows or not all(isinstance(row, list) for row in rows):
        return False
    if not rows[0] or len({len(row) for row in rows}) != 1:
        return False
    numbers = [x for row in rows for x in row if x is not None]
    return all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers
    )
