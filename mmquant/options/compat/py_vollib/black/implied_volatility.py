"""Black (1976) on a forward or a future: implied volatilities."""

from __future__ import annotations

import numpy as np

from mmquant.options.compat.py_vollib.helpers import arguments
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers
from mmquant.options.compat.py_vollib.helpers.exceptions import InvalidArgument

FULL_PRECISION = 2
"""Iterations after which more of them change nothing."""


def implied_volatility(
    discounted_option_price: Numbers,
    F: Numbers,
    K: Numbers,
    r: Numbers,
    t: Numbers,
    flag: Flags,
) -> Numbers:
    """Volatility that gives a price; r stands before t. Errors: see ``arguments.implied_vol``."""
    undiscounted = arguments.to_numbers(discounted_option_price) * arguments.growth(r, t)
    return arguments.implied_vol(flag, undiscounted, F, K, t)


implied_volatility_of_discounted_option_price = implied_volatility


def implied_volatility_of_undiscounted_option_price(
    undiscounted_option_price: Numbers, F: Numbers, K: Numbers, t: Numbers, flag: Flags
) -> Numbers:
    """Volatility that gives a price as of the expiry."""
    return arguments.implied_vol(flag, undiscounted_option_price, F, K, t)


def implied_volatility_of_undiscounted_option_price_limited_iterations(
    undiscounted_option_price: Numbers, F: Numbers, K: Numbers, t: Numbers, flag: Flags, N: int
) -> Numbers:
    """The same: two iterations reach full precision. Raises InvalidArgument where N is below 2."""
    _check_iterations(N)
    return arguments.implied_vol(flag, undiscounted_option_price, F, K, t)


def normalised_implied_volatility(beta: Numbers, x: Numbers, flag: Flags) -> Numbers:
    """s = sigma sqrt(t) that gives beta = price / root of F K, by x = log(F / K)."""
    half = 0.5 * np.asarray(x)
    return arguments.implied_vol(flag, beta, np.exp(half), np.exp(-half), 1.0)


def normalised_implied_volatility_limited_iterations(
    beta: Numbers, x: Numbers, flag: Flags, N: int
) -> Numbers:
    """The same: two iterations reach full precision. Raises InvalidArgument where N is below 2."""
    _check_iterations(N)
    return normalised_implied_volatility(beta, x, flag)


def _check_iterations(N: int) -> None:
    if N < FULL_PRECISION:
        raise InvalidArgument(
            f"{N} iterations are asked for",
            fix=f"ask for {FULL_PRECISION} or more: there is no less precise result",
        )
