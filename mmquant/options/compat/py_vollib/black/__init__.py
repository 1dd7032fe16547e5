"""Black (1976) on a forward or a future: prices."""

from __future__ import annotations

import numpy as np

from mmquant.options.compat.py_vollib.helpers import arguments
from mmquant.options.compat.py_vollib.helpers.arguments import Flags, Numbers


def black(flag: Flags, F: Numbers, K: Numbers, t: Numbers, r: Numbers, sigma: Numbers) -> Numbers:
    """Discounted price. t in years, r and sigma per year, as fractions."""
    return arguments.price(flag, F, K, t, sigma, r, on_forward=True)


def undiscounted_black(F: Numbers, K: Numbers, sigma: Numbers, t: Numbers, flag: Flags) -> Numbers:
    """Price as of the expiry."""
    return black(flag, F, K, t, 0.0, sigma)


def normalised_black(x: Numbers, s: Numbers, flag: Flags) -> Numbers:
    """Price over the root of F K, by x = log(F / K) and s = sigma sqrt(t)."""
    half = 0.5 * np.asarray(x)
    return undiscounted_black(np.exp(half), np.exp(-half), s, 1.0, flag)
