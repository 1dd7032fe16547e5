"""Merton (1973) on a spot with a dividend yield: implied volatilities."""

from __future__ import annotations

from mmquant.options.compat.py_vollib.helpers import arguments
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers


def implied_volatility(
    price: Numbers, S: Numbers, K: Numbers, t: Numbers, r: Numbers, q: Numbers, flag: Flags
) -> Numbers:
    """Volatility that gives a price. Errors: see ``arguments.implied_vol``."""
    undiscounted = arguments.to_numbers(price) * arguments.growth(r, t)
    forward = arguments.to_numbers(S) * arguments.growth(arguments.to_numbers(r) - q, t)
    return arguments.implied_vol(flag, undiscounted, forward, K, t)
