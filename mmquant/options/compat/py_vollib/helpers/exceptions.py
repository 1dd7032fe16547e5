"""Errors of the py_vollib functions, by its names."""

from __future__ import annotations

from mmquant.errors import DataError, UsageError


class InvalidArgument(UsageError, ValueError):
    """A flag that is not "c" or "p", an argument that is no number, or one out of its range."""


class PriceIsBelowIntrinsic(DataError, ValueError):
    """A price at or below the intrinsic value: no volatility gives it."""


class PriceIsAboveMaximum(DataError, ValueError):
    """A price above that of infinite volatility."""


BelowIntrinsicException = PriceIsBelowIntrinsic
AboveMaximumException = PriceIsAboveMaximum
"""What py_vollib itself raises, by the names that it has for them."""
