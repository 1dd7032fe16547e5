"""Check an object against the description of its table."""

from __future__ import annotations

import json
from difflib import get_close_matches
from enum import IntEnum
from typing import Any, NoReturn

import numpy as np

from mmquant.errors import DataError
from mmquant.schema.columns import Column, Table

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int, np.integer),
    "float": (float, np.floating),
    "dict": (dict,),
    "list": (list,),
}


def check_table(obj: Any, table: Table, where: str, rows_before: int = 0) -> None:
    """Raise DataError where ``obj`` is not a ``table``."""
    if table.form == "dict":
        if not isinstance(obj, dict):
            _wrong(table, f"it is a {type(obj).__name__}, not a dict", where, "pass a dict")
        _names(table, table.columns, obj, "key", where)
        for key in table.columns:
            if key.name in obj:
                _value(table, key, obj[key.name], "key", where)
        return
    columns = _columns(obj, table, where)
    _names(table, table.columns, columns, "column", where)
    for column in table.columns:
        if column.name in columns:
            dims, values = columns[column.name]
            _column(table, column, dims, values, where, rows_before)
    if table.attrs:
        _names(table, table.attrs, obj.attrs, "attribute", where)
        for attr in table.attrs:
            if attr.name in obj.attrs:
                _value(table, attr, obj.attrs[attr.name], "attribute", where)


def _columns(obj: Any, table: Table, where: str) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Name to (dims, values) of a Dataset or of a pandas table."""
    import pandas as pd
    import xarray as xr

    if isinstance(obj, xr.Dataset):
        return {
            str(name): (tuple(str(dim) for dim in var.dims), var.values)
            for name, var in obj.variables.items()
            if str(name) not in obj.dims or str(name) in {c.name for c in table.columns}
        }
    if isinstance(obj, pd.DataFrame) and table.form == "frame":
        return {str(name): (("row",), values) for name, values in obj.items()}
    wanted = "an xarray Dataset" if table.form == "dataset" else "a pandas DataFrame"
    _wrong(table, f"it is a {type(obj).__name__}, not {wanted}", where, f"pass {wanted}")


def _names(table: Table, known: tuple[Column, ...], given: Any, what: str, where: str) -> None:
    """Refuse missing and unknown names."""
    names = [column.name for column in known]
    for column in known:
        if not column.optional and column.name not in given:
            _wrong(
                table,
                f"{what} {column.name!r} is missing",
                where,
                f"add {what} {column.name!r} ({column.dtype}): {column.text}",
            )
    for name in given:
        if name not in names and not table.free:
            near = get_close_matches(str(name), names, 1)
            hint = f"rename it to {near[0]!r}" if near else f"leave out {what} {name!r}"
            _wrong(table, f"{what} {name!r} is not known", where, hint)


def _column(
    table: Table,
    column: Column,
    dims: tuple[str, ...],
    values: Any,
    where: str,
    rows_before: int,
) -> None:
    name = f"column {column.name!r}"
    wanted = column.dims or table.dims
    if table.form == "dataset" and dims != wanted and not table.free:
        _wrong(table, f"{name} has dims {dims}, not {wanted}", where, f"use dims {wanted}")
    array = np.asarray(values)
    if column.dtype == "str" and not (column.codes is not None and array.dtype.kind in "iuf"):
        if not _is_text(values):
            _wrong(table, f"{name} holds values that are not text", where, "use strings")
        return
    whole = table.free and column.dtype == "float64" and array.dtype.kind in "iuf"
    if str(values.dtype) != column.dtype and column.dtype != "str" and not whole:
        fix = f"convert it with .astype({column.dtype!r})"
        _wrong(table, f"{name} is {values.dtype}, not {column.dtype}", where, fix)
    if column.dtype.startswith("float") and not column.nullable and np.isnan(array).any():
        at = _first(np.isnan(array), rows_before)
        _wrong(table, f"{name} has NaN at {at}", where, "give every value")
    if column.codes is not None:
        codes = np.array([int(code) for code in column.codes], array.dtype)
        bad = ~np.isin(array, codes)
        if bad.any():
            value = int(array[bad][0])
            _wrong(
                table,
                f"{name} has the unknown code {value} at {_first(bad, rows_before)}",
                where,
                f"use one of {code_list(column)}",
            )


def _value(table: Table, column: Column, value: Any, what: str, where: str) -> None:
    """Check one attribute or key."""
    name = f"{what} {column.name!r}"
    if column.dtype == "json":
        try:
            json.loads(value)
        except (TypeError, ValueError):
            _wrong(table, f"{name} is not JSON", where, "write it with json.dumps")
        return
    kind = PYTHON_TYPES[column.dtype]
    if not isinstance(value, kind) or isinstance(value, bool):
        _wrong(
            table, f"{name} is a {type(value).__name__}, not {column.dtype}", where, "convert it"
        )


def _is_text(values: Any) -> bool:
    if getattr(values.dtype, "kind", "O") in "UT" or str(values.dtype) == "string":
        return True
    if str(values.dtype) == "str":
        return not values.isna().any()
    return all(isinstance(value, str) for value in values)


def _first(mask: np.ndarray, rows_before: int) -> str:
    at = np.argwhere(mask)[0]
    return (
        f"row {rows_before + int(at[0]) + 1}"
        if len(at) == 1
        else f"index {tuple(int(i) for i in at)}"
    )


def code_list(column: Column) -> str:
    """The codes of a column as one line, with their names where they have some."""
    if column.codes is None:
        return ""
    if isinstance(column.codes, tuple):
        return ", ".join(f"{code:+d}" if code else "0" for code in column.codes)
    members: list[IntEnum] = list(column.codes)
    return ", ".join(f"{int(member)} {member.name}" for member in members)


def _wrong(table: Table, what: str, where: str, fix: str) -> NoReturn:
    raise DataError(f"table {table.name!r}: {what}", where=where, fix=fix)
