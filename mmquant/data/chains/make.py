"""Build and check a Dataset of option quotes (schema ``option_quotes``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mmquant.calendars import TIMEZONE
from mmquant.errors import DataError
from mmquant.schema import VERSION, validate
from mmquant.schema.quotes import OPTION_QUOTES, QuoteQuality

NAME = "option_quotes"
COORDS = ("time", "expiry", "strike", "right", "root", "multiplier", "exercise")
STYLES = ("american", "european")
NOT_A_TIME = np.datetime64("NaT", "ns")


def make_option_quotes(
    columns: Mapping[str, Any],
    *,
    underlying: str,
    date: str,
    source: Mapping[str, Any],
    currency: str = "USD",
    notes: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """A checked Dataset from arrays by the names of the schema, contracts in order.

    ``bid_size``, ``ask_size``, ``bid_time``, ``ask_time``, ``underlying_*`` and ``quality`` may be
    left out: NaN, NaT where there is no price and else ``time``, and OK. Contracts are sorted by
    expiry, root, strike and right.

    Raises
    ------
    DataError
        where the arrays do not fit the schema.
    """
    data = {name: np.asarray(values) for name, values in columns.items()}
    _fill_in(data)
    order = np.lexsort((data["right"], data["strike"], data["root"], data["expiry"]))
    variables = {}
    for column in OPTION_QUOTES.columns:
        if column.optional and column.name not in data:
            continue
        dims = column.dims or OPTION_QUOTES.dims
        values = data[column.name]
        if column.dtype != "str":
            values = values.astype(column.dtype, copy=False)
        if "contract" in dims:
            values = np.ascontiguousarray(values[..., order])
        variables[column.name] = (dims, values, _attrs(column.name, column.unit, currency))
    ds = xr.Dataset(
        {name: value for name, value in variables.items() if name not in COORDS},
        {name: variables[name] for name in COORDS},
    )
    ds.attrs = {
        "schema": NAME,
        "schema_version": VERSION,
        "underlying": underlying,
        "currency": currency,
        "date": date,
        "timezone": TIMEZONE,
        "source": json.dumps(source, sort_keys=True),
        "notes": json.dumps(list(notes)),
        "counts": json.dumps(
            {"contracts": int(order.size), "quarantined": 0} | dict(counts or {}), sort_keys=True
        ),
    }
    check_option_quotes(ds)
    return ds


def check_option_quotes(ds: xr.Dataset, where: str = "") -> None:
    """Check a Dataset against schema ``option_quotes`` and what must hold between its values.

    Prices are not judged: that is for ``mm.options.screen_quotes``. Raises DataError.
    """
    validate(ds, NAME, where=where)
    time = ds["time"].values
    if np.isnat(time).any() or (np.diff(time) <= np.timedelta64(0, "ns")).any():
        raise DataError("times are missing or do not increase", where=where, fix="sort by time")
    for name, known in (("right", ("C", "P")), ("exercise", STYLES)):
        bad = ~np.isin(ds[name].values.astype(str), known)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"variable {name!r} has {str(ds[name].values[at])!r} at contract {at}",
                where=where,
                fix=f"use {known[0]!r} or {known[1]!r}",
            )


def _fill_in(data: dict[str, np.ndarray]) -> None:
    shape = data["bid"].shape
    time = np.broadcast_to(data["time"].astype("datetime64[ns]")[:, None], shape)
    for side in ("bid", "ask"):
        data.setdefault(f"{side}_size", np.full(shape, np.nan))
        given = np.isfinite(data[side])
        data.setdefault(f"{side}_time", np.where(given, time, NOT_A_TIME))
        data.setdefault(f"underlying_{side}", np.full(shape[0], np.nan))
    last = data.get("underlying_last", np.nan)
    known = np.isfinite(np.fmax(np.fmax(data["underlying_bid"], data["underlying_ask"]), last))
    data.setdefault("underlying_time", np.where(known, data["time"], NOT_A_TIME))
    data.setdefault("quality", np.full(shape, int(QuoteQuality.OK), np.int8))


def _attrs(name: str, unit: str, currency: str) -> dict[str, str]:
    if not unit or unit == "UTC":
        return {}
    return {"units": currency if unit == "ccy" else unit}
