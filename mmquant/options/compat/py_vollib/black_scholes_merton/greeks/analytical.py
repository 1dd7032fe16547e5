"""Merton (1973) on a spot with a dividend yield: greeks by formula."""

from __future__ import annotations

from mmquant.core.option_rows import DELTA, GAMMA, RHO, THETA, VEGA
from mmquant.options.compat.py_vollib.helpers.arguments import DAY, PERCENT, Flags, Numbers, greek


def delta(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Change of the price per unit of the spot."""
    return greek(DELTA, 1.0, flag, S, K, t, sigma, r, q, on_forward=False)


def theta(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Change of the price per calendar day that passes."""
    return greek(THETA, DAY, flag, S, K, t, sigma, r, q, on_forward=False)


def gamma(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Change of delta per unit of the spot."""
    return greek(GAMMA, 1.0, flag, S, K, t, sigma, r, q, on_forward=False)


def vega(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Change of the price per percentage point of volatility."""
    return greek(VEGA, PERCENT, flag, S, K, t, sigma, r, q, on_forward=False)


def rho(
    flag: Flags, S: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers, q: Numbers
) -> Numbers:
    """Change of the price per percentage point of the rate. The spot stays where it is."""
    return greek(RHO, PERCENT, flag, S, K, t, sigma, r, q, on_forward=False)
