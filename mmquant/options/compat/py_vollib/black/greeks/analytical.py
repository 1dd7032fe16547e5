"""Black (1976) on a forward or a future: greeks by formula."""

from __future__ import annotations

from mmquant.core.option_rows import DELTA, GAMMA, RHO, THETA, VEGA
from mmquant.options.compat.py_vollib.helpers.arguments import DAY, PERCENT, Flags, Numbers, greek


def delta(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Change of the price per unit of the forward."""
    return greek(DELTA, 1.0, flag, F, K, t, sigma, r, on_forward=True)


def theta(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Change of the price per calendar day that passes."""
    return greek(THETA, DAY, flag, F, K, t, sigma, r, on_forward=True)


def gamma(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Change of delta per unit of the forward."""
    return greek(GAMMA, 1.0, flag, F, K, t, sigma, r, on_forward=True)


def vega(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Change of the price per percentage point of volatility."""
    return greek(VEGA, PERCENT, flag, F, K, t, sigma, r, on_forward=True)


def rho(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Change of the price per percentage point of the rate. The forward stays where it is."""
    return greek(RHO, PERCENT, flag, F, K, t, sigma, r, on_forward=True)
