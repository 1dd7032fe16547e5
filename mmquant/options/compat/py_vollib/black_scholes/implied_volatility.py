"""Black and Scholes (1973) on a spot without dividends: implied volatilities."""

from __future__ import annotations

from mmquant.options.compat.py_vollib.black_scholes_merton import (
    implied_volatility as with_yield,
)
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers


def implied_volatility(
    price: Numbers, S: Numbers, K: Numbers, t: Numbers, r: Numbers, flag: Flags
) -> Numbers:
    """Volatility that gives a price. Errors: see ``arguments.implied_vol``."""
    return with_yield.implied_volatility(price, S, K, t, r, 0.0, flag)
