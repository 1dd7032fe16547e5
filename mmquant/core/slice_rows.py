"""Where the parts of a slice's row are: the quoted smile of one expiry, as plain numbers.

A slice is a natural cubic spline of total variance w by log-moneyness k, which goes on in straight
lines beyond its outermost knots. So all that it must obey can be checked on the whole line.
"""

from __future__ import annotations

import numpy as np

OWN_KNOTS, MORE_KNOTS = 26, 4
"""Most knots of a slice in and around its quotes, and beyond on each side."""
KNOTS = OWN_KNOTS + 2 * MORE_KNOTS
COUNT, LOW, HIGH, LEVEL, MISS = range(5)
"""Number of knots, 0 for no slice; lowest and highest k quoted; variance near the money; mean half
spread of the quotes, as a share of their variance."""
SVI = 5
"""Raw SVI parameters of the curve that the slice departs from."""
KNOT = 12
W = KNOT + KNOTS
BEND = W + KNOTS
SLICE_SIZE = BEND + KNOTS
"""Knots, variances and second derivatives there."""

SLICE_OK = 0
SLICE_FEW = 1
"""No quote to fit."""
SLICE_NAN = 2
"""A moneyness is not finite, or the row of another slice is none."""
SLICE_UNSORTED = 3
"""Moneyness does not rise from quote to quote."""
SLICE_BAD_QUOTES = 4
"""Bid, middle and ask are not in this order, or no numbers that a smile may have."""
SLICE_FALLBACK = 5
"""Free of arbitrage, but nearer to a plain slice than the quotes ask."""


def make_slice() -> np.ndarray:
    """A row without a slice."""
    return np.zeros(SLICE_SIZE)
