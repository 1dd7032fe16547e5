"""From the arguments of py_vollib's functions to flat arrays, and from results to its units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmquant.core.black import black_many, black_price_many, spot_many, spot_price_many
from mmquant.core.implied_vol import implied_vol_many
from mmquant.core.option_rows import OPTION_ABOVE, OPTION_BAD_INPUT, OPTION_NAN, OPTION_OK, ROWS
from mmquant.options.compat.py_vollib.helpers.exceptions import (
    InvalidArgument,
    PriceIsAboveMaximum,
    PriceIsBelowIntrinsic,
)

Numbers = Any
"""A number, or an array of numbers."""
Flags = Any
""" "c" or "p", or an array of them."""
PERCENT = 0.01
DAY = 1.0 / 365.0


def price(flag: Flags, underlying: Numbers, *numbers: Numbers, on_forward: bool) -> Numbers:
    """Price, by (strike, years, vol, rate) or with the dividend yield after them."""
    kernel = black_price_many if on_forward else spot_price_many
    arrays, shape = _arrays(flag, underlying, *numbers)
    out = np.empty(arrays[0].size)
    kernel(*arrays, out)
    return _result(out, arrays, shape)


def greek(
    row: int,
    unit: float,
    flag: Flags,
    underlying: Numbers,
    *numbers: Numbers,
    on_forward: bool,
) -> Numbers:
    """A row of the greeks, times a unit."""
    kernel = black_many if on_forward else spot_many
    arrays, shape = _arrays(flag, underlying, *numbers)
    out = np.empty((ROWS, arrays[0].size))
    kernel(*arrays, out)
    return _result(out[row] * unit, arrays, shape)


def implied_vol(flag: Flags, undiscounted: Numbers, *numbers: Numbers) -> Numbers:
    """Volatility that gives an undiscounted price, by (forward, strike, years).

    Raises
    ------
    PriceIsBelowIntrinsic, PriceIsAboveMaximum, InvalidArgument
        where all arguments are numbers and there is none.
    """
    arrays, shape = _arrays(flag, undiscounted, *numbers)
    out, status = np.empty(arrays[0].size), np.empty(arrays[0].size, np.int8)
    implied_vol_many(*arrays, out, status)
    if shape:
        return out.reshape(shape)
    if status[0] not in (OPTION_OK, OPTION_NAN):
        raise _no_vol(int(status[0]), *(float(array[0]) for array in arrays))
    return float(out[0])


def _no_vol(status: int, sign: float, price: float, *numbers: float) -> Exception:
    forward, strike, years = numbers
    where = f"undiscounted price {price}, forward {forward}, strike {strike}, years {years}"
    if status == OPTION_BAD_INPUT:
        return InvalidArgument("an argument is out of its range", where=where, fix=RANGES)
    if status == OPTION_ABOVE:
        bound = "the forward" if sign > 0.0 else "the strike"
        return PriceIsAboveMaximum("no volatility gives this price", where=where,
                                   fix=f"an undiscounted price is below {bound}")  # fmt: skip
    return PriceIsBelowIntrinsic(
        "no volatility gives this price",
        where=where,
        fix="a price has to be above the intrinsic value of the forward",
    )


RANGES = (
    "prices and strikes are positive, times and volatilities not negative; "
    "at its strike, without time or volatility, an option has no greeks"
)


def growth(rate: Numbers, years: Numbers) -> Numbers:
    """What one unit grows to at a rate."""
    return np.exp(to_numbers(rate) * to_numbers(years))


def _result(out: np.ndarray, arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> Numbers:
    """An array of the shape of the arguments, or a number where they are numbers."""
    if shape:
        return out.reshape(shape)
    value, inputs = float(out[0]), [float(array[0]) for array in arrays]
    if np.isnan(value) and np.isfinite(inputs).all():
        raise InvalidArgument(
            "there is no number for these arguments", where=f"{inputs}", fix=RANGES
        )
    return value


def _arrays(flag: Flags, *numbers: Numbers) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Flat arrays as kernels are compiled for, and the shape that they had together."""
    values = [signs(flag), *(to_numbers(number) for number in numbers)]
    try:
        together = np.broadcast_arrays(*values)
    except ValueError:
        shapes = ", ".join(str(value.shape) for value in values)
        raise InvalidArgument(f"arrays of shapes {shapes} do not go together") from None
    flat = [np.array(value, np.float64, order="C").reshape(-1) for value in together]
    return flat, together[0].shape


def signs(flag: Flags) -> np.ndarray:
    """1.0 for "c" and -1.0 for "p". Raises InvalidArgument on anything else."""
    flags = np.asarray(flag, object)
    call, put = flags == "c", flags == "p"
    known = np.asarray(call | put)
    if not known.all():
        wrong = flags[~known].item(0)
        raise InvalidArgument(f"unknown flag {wrong!r}", fix="use 'c' for a call and 'p' for a put")
    return np.where(call, 1.0, -1.0)


def to_numbers(value: Numbers) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise InvalidArgument(
            f"an argument is {array.dtype}, not a number",
            where=repr(value)[:60],
            fix="give numbers",
        )
    return array.astype(np.float64)
