"""An option chain as a Dataset: what is looked for in it, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import xarray as xr

from mmquant.errors import DataError
from mmquant.schema.columns import Column
from mmquant.schema.options import DIVIDEND, OPTION_CHAIN

AMERICAN, EUROPEAN = "american", "european"
RIGHTS = {"C": 1.0, "P": -1.0}
CURRENCY = "ccy"


@dataclass(frozen=True)
class Chain:
    """The numbers of a chain as float64 arrays, each over the dims that it depends on.

    ``underlying`` is the price that greeks are by: the spot, or the forward where ``on_forward``.
    ``quoted`` is the volatility or the price, whichever was asked for. ``american`` is 1 or 0.
    ``dividends`` are times and amounts over the dim ``dividend``, empty where there are none.
    """

    source: xr.Dataset
    on_forward: bool
    sign: xr.DataArray
    underlying: xr.DataArray
    strike: xr.DataArray
    years: xr.DataArray
    quoted: xr.DataArray
    rate: xr.DataArray
    dividend_yield: xr.DataArray
    american: xr.DataArray
    dividends: tuple[xr.DataArray, ...]


def read_chain(ds: xr.Dataset, quoted: str, *, needs_underlying: bool = True) -> Chain:
    """The chain in a Dataset (schema ``option_chain``), with ``vol`` or ``price`` as its quote.

    A boundary needs no price of the underlying: 1 stands for it.

    Raises
    ------
    DataError
        where a variable is missing, is not of numbers, has another unit, or does not fit the rest.
        Numbers are not looked at: an option with a bad one gets NaN and a status.
    """
    if not isinstance(ds, xr.Dataset):
        _wrong(f"it is a {type(ds).__name__}, not an xarray Dataset", "pass a Dataset")
    on_forward = needs_underlying and _underlying(ds)
    american = _american(ds)
    if on_forward and bool(american.any()):
        _wrong(
            "an american option has a forward and no spot",
            "give 'spot'; for an option on a future, give its price as 'spot' and the rate as "
            "'dividend_yield' too",
        )
    underlying = "forward" if on_forward else "spot"
    return Chain(
        source=ds,
        on_forward=on_forward,
        sign=_sign(ds),
        underlying=_number(ds, underlying) if needs_underlying else xr.DataArray(1.0),
        strike=_number(ds, "strike"),
        years=_number(ds, "years"),
        quoted=_number(ds, quoted),
        rate=_number(ds, "rate"),
        dividend_yield=_yield(ds),
        american=american,
        dividends=_dividends(ds),
    )


def _underlying(ds: xr.Dataset) -> bool:
    """Whether greeks are by the forward."""
    given = [name for name in ("spot", "forward") if name in ds.variables]
    if len(given) != 1:
        _wrong(
            "there is neither 'spot' nor 'forward'"
            if not given
            else "there are 'spot' and 'forward'",
            "give one of them: greeks are by it",
        )
    if given == ["spot"]:
        return False
    for name in ("dividend_yield", "dividend_amount", "dividend_years"):
        if name in ds.variables:
            _wrong(
                f"there are 'forward' and {name!r}",
                f"drop {name!r}: the forward has the dividends in it; or give 'spot'",
            )
    return True


def _yield(ds: xr.Dataset) -> xr.DataArray:
    return _number(ds, "dividend_yield") if "dividend_yield" in ds.variables else xr.DataArray(0.0)


def _number(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A variable as float64, in the unit of its column."""
    column = OPTION_CHAIN.column(name)
    if name not in ds.variables:
        unit = f" [{column.unit}]"
        _wrong(f"variable {name!r} is missing", f"add {name!r}{unit}: {column.text}")
    array = ds[name]
    if array.dtype.kind not in "iuf":
        _wrong(f"variable {name!r} is {array.dtype}, not float64", _to_number(name, array))
    _check_unit(column, array)
    if name not in ("dividend_years", "dividend_amount") and DIVIDEND in array.dims:
        _wrong(
            f"variable {name!r} has the dim {DIVIDEND!r}",
            f"only 'dividend_years' and 'dividend_amount' are over {DIVIDEND!r}",
        )
    return array.astype(np.float64)


def _to_number(name: str, array: xr.DataArray) -> str:
    if array.dtype.kind in "mM" and name.endswith("years"):
        return f"divide the time by a year: ds[{name!r}] / np.timedelta64(365, 'D')"
    return f"convert it with .astype('float64'); {OPTION_CHAIN.column(name).text}"


def _check_unit(column: Column, array: xr.DataArray) -> None:
    """Refuse an attribute ``units`` that says another unit; any will do for a currency."""
    said = array.attrs.get("units", column.unit)
    if column.unit != CURRENCY and said != column.unit:
        _wrong(
            f"variable {column.name!r} has units {said!r}, not {column.unit!r}",
            f"convert it, and set its attribute units to {column.unit!r}",
        )


def _sign(ds: xr.Dataset) -> xr.DataArray:
    """``right`` as +1.0 for a call and -1.0 for a put."""
    if "right" not in ds.variables:
        _wrong("variable 'right' is missing", f"add 'right': {OPTION_CHAIN.column('right').text}")
    array = ds["right"]
    values = np.asarray(array.values)
    known = np.array(list(RIGHTS)) if values.dtype.kind not in "iuf" else np.array([1, -1])
    texts = values.astype(str) if values.dtype.kind not in "iuf" else values
    bad = ~np.isin(texts, known)
    if bad.any():
        _wrong(
            f"variable 'right' has {values[bad].item(0)!r} {_place(array, bad)}".strip(),
            "use 'C' or 1 for a call, 'P' or -1 for a put",
        )
    return array.copy(data=np.where(np.isin(texts, known[:1]), 1.0, -1.0))


def _american(ds: xr.Dataset) -> xr.DataArray:
    """Style of exercise: 1.0 where american, 0.0 where european."""
    attribute, variable = ds.attrs.get("exercise"), "exercise" in ds.variables
    if variable and attribute is not None:
        _wrong("'exercise' is a variable and an attribute", "drop one of them")
    if not variable and attribute is None:
        _wrong(
            "nothing says how the options are exercised",
            "add ds.attrs['exercise'] = 'american' or 'european', or a variable 'exercise'",
        )
    array = ds["exercise"] if variable else xr.DataArray(str(attribute))
    texts = np.asarray(array.values).astype(str)
    bad = ~np.isin(texts, [AMERICAN, EUROPEAN])
    if bad.any():
        _wrong(
            f"unknown style of exercise {str(texts[bad].flat[0])!r} {_place(array, bad)}".strip(),
            "use 'american' or 'european'",
        )
    return array.copy(data=np.where(texts == AMERICAN, 1.0, 0.0))


def _dividends(ds: xr.Dataset) -> tuple[xr.DataArray, ...]:
    names = ("dividend_years", "dividend_amount")
    given = [name for name in names if name in ds.variables]
    if not given or ds.sizes.get(DIVIDEND) == 0:
        return ()
    if len(given) == 1:
        other = next(name for name in names if name not in given)
        _wrong(f"there is {given[0]!r} and no {other!r}", f"add {other!r} over {DIVIDEND!r}")
    for name in names:
        if DIVIDEND not in ds[name].dims:
            _wrong(
                f"variable {name!r} has dims {ds[name].dims}",
                f"give it the dim {DIVIDEND!r}, one value for each dividend",
            )
    return tuple(_number(ds, name) for name in names)


def _place(array: xr.DataArray, bad: np.ndarray) -> str:
    """The first bad place of an array, by its dims."""
    at = np.argwhere(bad)[0]
    where = ", ".join(f"{dim} {int(i)}" for dim, i in zip(array.dims, at, strict=True))
    return f"at {where}" if where else ""


def _wrong(what: str, fix: str) -> NoReturn:
    raise DataError(f"option chain: {what}", where="", fix=fix)
