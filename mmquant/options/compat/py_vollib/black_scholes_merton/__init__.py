"""Merton (1973) on a spot with a dividend yield: prices."""

from __future__ import annotations

from mmquant.options.compat.py_vollib.helpers import arguments
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers


def black_scholes_merton(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Price. t in years; r, sigma and q per year, as fractions."""
    return arguments.price(flag, S, K, t, sigma, r, q, on_forward=False)
