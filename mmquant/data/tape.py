"""The tape: a recorded market as columns over ``event``, in order of (exch_ts, seq)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.data.contracts import Contract
from mmquant.data.ladders import as_date
from mmquant.data.mapping import PIECE_ROWS, give_back, is_rising, pieces, rising_order
from mmquant.errors import DataError
from mmquant.schema import VERSION, table, validate

COLUMNS: dict[str, np.dtype] = {
    column.name: np.dtype(column.dtype) for column in table("tape").columns if not column.optional
}
"""Name and dtype of each column that every tape has."""
REQUIRED = ("exch_ts", "kind", "side", "tick", "size")
LEVELS = ("L2", "L3")


def make_tape(
    columns: Mapping[str, np.ndarray],
    contracts: Sequence[Contract],
    *,
    level: str = "L2",
    source: Mapping[str, Any],
    date: str,
    timezone: str = "UTC",
    notes: Sequence[str] = (),
    counts: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Build a tape from columns of equal length, sorted by (exch_ts, seq) and validated.

    ``exch_ts``, ``kind``, ``side``, ``tick`` and ``size`` are needed; defaults are local_ts =
    exch_ts, seq = row number, subtick = 0, order_id = 0, inst = 0. ``local_order`` is added where
    local_ts goes backwards.

    Raises
    ------
    DataError
        where a column is missing, unknown, beyond the range of its type, or inconsistent.
    """
    data = complete(columns)
    data = _sorted(data)
    order = local_order(data["local_ts"])
    if order is not None:
        data["local_order"] = order
    attrs = tape_attributes(
        contracts,
        rows=len(data["exch_ts"]),
        level=level,
        source=source,
        date=date,
        timezone=timezone,
        notes=notes,
        counts=counts,
    )
    ds = tape_of(data, attrs)
    validate_tape(ds)
    return ds


def tape_of(columns: Mapping[str, np.ndarray], attrs: Mapping[str, Any]) -> xr.Dataset:
    """The Dataset of a tape's columns as they are, unchecked."""
    variables = {name: numpy_variable("event", values) for name, values in columns.items()}
    return xr.Dataset(variables, attrs=attrs)


def numpy_variable(dims: str | tuple[str, ...], values: np.ndarray) -> xr.Variable:
    """A variable of a plain array as it is.

    xarray would ask whether it is one of dask, and import dask for that where it is installed.
    """
    return xr.Variable(dims, values, fastpath=True)


def tape_attributes(
    contracts: Sequence[Contract],
    *,
    rows: int,
    level: str = "L2",
    source: Mapping[str, Any],
    date: str,
    timezone: str = "UTC",
    notes: Sequence[str] = (),
    counts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The attributes of a tape, as ``make_tape`` is given them."""
    return {
        "schema": "tape",
        "schema_version": VERSION,
        "level": level,
        "contracts": json.dumps([contract.to_dict() for contract in contracts]),
        "source": json.dumps(dict(source)),
        "date": date,
        "timezone": timezone,
        "notes": json.dumps(list(notes)),
        "counts": json.dumps({**(counts or {}), "rows": rows}, sort_keys=True),
    }


def complete(columns: Mapping[str, np.ndarray], *, rows_before: int = 0) -> dict[str, np.ndarray]:
    """All columns in their tape types, with defaults; ``rows_before`` is where ``seq`` begins."""
    for name in REQUIRED:
        if name not in columns:
            raise DataError(f"column {name!r} of a tape is missing", fix=f"give {name!r}")
    for name in columns:
        if name not in COLUMNS:
            raise DataError(f"a tape has no column {name!r}", fix=f"use {', '.join(COLUMNS)}")
    n = len(columns["exch_ts"])
    given = dict(columns)
    given.setdefault("local_ts", given["exch_ts"])
    given.setdefault("seq", np.arange(rows_before, rows_before + n, dtype=np.int64))
    out = {}
    for name, dtype in COLUMNS.items():
        values = given.get(name)
        out[name] = np.zeros(n, dtype) if values is None else as_column(name, values)
        if len(out[name]) != n:
            raise DataError(f"column {name!r} has {len(out[name])} rows, not {n}")
    return out


def as_column(name: str, values: Any, *, where: str = "") -> np.ndarray:
    """Values as the tape's column of that name. Raises DataError where they do not fit its type."""
    array, dtype = np.asarray(values), COLUMNS[name]
    if array.dtype == dtype:
        return array
    if dtype.kind == "f":
        return array.astype(dtype)
    if array.dtype.kind not in "iu":
        raise DataError(
            f"column {name!r} is {array.dtype}, not integer", where=where, fix="convert it first"
        )
    limits = np.iinfo(dtype)
    bad = np.flatnonzero((array < limits.min) | (array > limits.max))
    if bad.size:
        i = int(bad[0])
        raise DataError(
            f"{name} {int(array[i])} is beyond the {dtype} of a tape",
            where=f"{where}, row {i + 1}" if where else f"row {i + 1}",
            fix=BEYOND.get(name, "check the column"),
        )
    return array.astype(dtype)


BEYOND = {
    "size": "give the contract a larger lot",
    "tick": "give the contract a coarser tick ladder",
}
"""What to do about values that do not fit."""


def _sorted(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows by (exch_ts, seq)."""
    if in_order(data["exch_ts"], data["seq"]).all():
        return {name: np.ascontiguousarray(values) for name, values in data.items()}
    order = np.lexsort((data["seq"], data["exch_ts"]))
    return {name: values[order] for name, values in data.items()}


def in_order(exch_ts: np.ndarray, seq: np.ndarray) -> np.ndarray:
    """For each row but the first, whether (exch_ts, seq) does not go backwards."""
    step = exch_ts[1:] - exch_ts[:-1]
    return (step > 0) | ((step == 0) & (seq[1:] >= seq[:-1]))


def local_order(local_ts: np.ndarray) -> np.ndarray | None:
    """Row numbers (int64) in order of local receipt, None where that is the order of the rows."""
    if (local_ts[1:] >= local_ts[:-1]).all():
        return None
    return np.argsort(local_ts, kind="stable").astype(np.int64)


def local_order_pieces(local_ts: np.ndarray, exch_ts: np.ndarray) -> Iterator[np.ndarray]:
    """The row numbers of ``local_order`` bit by bit: nothing is received before it happened."""
    return rising_order(
        (local_ts[rows], int(exch_ts[rows][-1])) for rows in pieces([local_ts, exch_ts])
    )


def contracts_of(ds: xr.Dataset) -> list[Contract]:
    """The contracts of a tape, by id."""
    return [Contract.from_dict(value) for value in json.loads(ds.attrs["contracts"])]


def validate_tape(ds: xr.Dataset, *, where: str = "") -> None:
    """Check the layout of a tape and what its rows must fulfil.

    Raises
    ------
    DataError
        naming the first row (1-based) that does not fit. Crossed books are not looked for here.
    """
    validate(ds.isel(event=slice(0, 0)), "tape", where=where)
    _check_attributes(ds, where)
    ids = [contract.id for contract in contracts_of(ds)]
    if ids != list(range(len(ids))):
        raise DataError(
            f"contract ids of a tape are {ids}", where=where, fix="number contracts 0 to n-1"
        )
    columns = {name: ds[name].values for name in COLUMNS}
    for rows in pieces(list(columns.values())):
        validate(ds.isel(event=rows), "tape", where=where, rows_before=rows.start)
        _check_rows(columns, rows, len(ids), where)
    _check_local_order(ds, where)


def _check_rows(columns: Mapping[str, np.ndarray], rows: slice, n_inst: int, where: str) -> None:
    """Check some rows, and that they follow on the row before them."""
    first = max(rows.start - 1, 0)
    order = in_order(columns["exch_ts"][first : rows.stop], columns["seq"][first : rows.stop])
    late = np.concatenate([[False] if rows.start == 0 else [], ~order]).astype(bool)
    _refuse(late, "rows are not in order of (exch_ts, seq)", "sort them", where, rows.start)
    data = {name: values[rows] for name, values in columns.items()}
    for mask, what, fix in row_faults(data, n_inst):
        _refuse(mask, what, fix, where, rows.start)


def row_faults(data: Mapping[str, np.ndarray], n_inst: int) -> list[tuple[np.ndarray, str, str]]:
    """Masks of rows that no tape may have, each with what is wrong and the fix."""
    kind, side, size, tick = data["kind"], data["side"], data["size"], data["tick"]
    trade = kind == RowKind.TRADE
    sideless = trade | (kind == RowKind.STATUS) | (kind == RowKind.CLEAR)
    known = np.isin(kind, [int(code) for code in RowKind])
    sub = data["subtick"]
    return [
        (~known, "kind is unknown", "use the codes of RowKind"),
        (
            ((side != 1) & (side != -1) & ~sideless) | (side < -1) | (side > 1),
            "side is unknown",
            "use +1 for bids and buyers, -1 for asks and sellers, 0 on trades of unknown side only",
        ),
        ((size < 0) & (kind != RowKind.STATUS), "size is negative", "sizes are lots, 0 or more"),
        (trade & (size == 0), "a trade has size 0", "leave such rows out"),
        ((tick <= NO_BID) | (tick >= NO_ASK), "tick is out of range", BEYOND["tick"]),
        (
            ~((sub >= 0) & (sub < 1)) | ((sub != 0) & ~trade),
            "subtick is not in [0, 1), or not 0 on a row that is not a trade",
            "book rows lie on the tick grid",
        ),
        (
            data["local_ts"] < data["exch_ts"],
            "local_ts is before exch_ts",
            "correct the local clock: shift local_ts by a constant",
        ),
        (data["order_id"] < 0, "order_id is negative", "use 0 for no order"),
        (
            (data["inst"] < 0) | (data["inst"] >= n_inst),
            "inst is not the id of a contract",
            "give a contract for each instrument",
        ),
    ]


def _refuse(mask: np.ndarray, what: str, fix: str, where: str, rows_before: int) -> None:
    if mask.any():
        row = f"row {rows_before + int(np.flatnonzero(mask)[0]) + 1}"
        raise DataError(f"tape: {what}", where=f"{where}, {row}" if where else row, fix=fix)


def _check_attributes(ds: xr.Dataset, where: str) -> None:
    attrs = ds.attrs
    if attrs["schema"] != "tape" or int(attrs["schema_version"]) != VERSION:
        raise DataError(
            f"this is {attrs['schema']!r} version {attrs['schema_version']}, not a tape of "
            f"version {VERSION}",
            where=where,
            fix="import the source file again",
        )
    if attrs["level"] not in LEVELS:
        raise DataError(f"level {attrs['level']!r} is unknown", where=where, fix="use L2 or L3")
    as_date(attrs["date"], "date of a tape")


def _check_local_order(ds: xr.Dataset, where: str) -> None:
    local_ts, exch_ts = ds["local_ts"].values, ds["exch_ts"].values
    given = ds["local_order"].values if "local_order" in ds else None
    good = is_rising(local_ts) == (given is None)
    if good and given is not None:
        done = 0
        for wanted in local_order_pieces(local_ts, exch_ts):
            good = good and np.array_equal(given[done : done + len(wanted)], wanted)
            give_back([given], done - PIECE_ROWS, done)
            done += len(wanted)
    if not good:
        raise DataError(
            "tape: local_order does not order local_ts", where=where, fix="use make_tape"
        )
