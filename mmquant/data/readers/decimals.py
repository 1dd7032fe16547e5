"""Decimal strings as exact integers, many at once, and the grid that they lie on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

NUMBER = re.compile(r"-?\d{1,10}(\.\d{1,8})?")
"""Numbers that fit int64 together, whatever their decimals."""


def not_decimal(texts: Sequence[str]) -> np.ndarray:
    """Which texts are no plain decimal numbers below 1e10 with up to 8 decimals (bool, n)."""
    match = NUMBER.fullmatch
    return np.fromiter((match(text) is None for text in texts), bool, len(texts))


def scaled(texts: Sequence[str]) -> tuple[np.ndarray, int]:
    """Decimal strings as integers (int64, n) and their scale: value = integer / scale.

    Raises ValueError where a text is not a plain decimal number or they do not fit; never where
    ``not_decimal`` finds nothing.
    """
    if not len(texts):
        return np.zeros(0, np.int64), 1
    array = pa.array(texts, pa.string())
    point = compute.find_substring(array, ".")
    tail = compute.subtract(compute.subtract(compute.binary_length(array), point), 1)
    places = compute.max(compute.if_else(compute.less(point, 0), 0, tail)).as_py()
    if places > 18:
        raise ValueError
    try:
        numbers = array.cast(pa.decimal128(38, places))
    except pa.ArrowInvalid as error:
        raise ValueError from error
    words = np.frombuffer(numbers.buffers()[1], np.int64)[2 * numbers.offset :]
    low, high = words[: 2 * len(numbers) : 2], words[1 : 2 * len(numbers) : 2]
    if (high != low >> 63).any():
        raise ValueError
    return low.copy(), 10**places


def grid_of(values: np.ndarray, scale: int, *, stray: float = 0.0) -> str:
    """The largest power of ten that values / scale are multiples of, as a decimal string.

    ``stray`` is the share of values that may be off it: wrong ones.
    """
    values = values[values != 0]
    power = 0
    while len(values) and (values % 10 ** (power + 1) != 0).mean() <= stray and power < 17:
        power += 1
    return f"{(Decimal(10**power) / Decimal(scale)).normalize():f}" if len(values) else "1"
