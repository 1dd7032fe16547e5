"""Black and Scholes (1973) on a spot without dividends: prices."""

from __future__ import annotations

from mmquant.options.compat.py_vollib.helpers import arguments
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers


def black_scholes(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers
) -> Numbers:
    """Price. t in years, r and sigma per year, as fractions."""
    return arguments.price(flag, S, K, t, sigma, r, 0.0, on_forward=False)
