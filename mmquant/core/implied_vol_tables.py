"""Coefficients of the guess in implied_vol.py, lowest power first.

Written by ``python -m tests.core.make_implied_vol_tables``.
"""

from __future__ import annotations

ROUGH_LOG = (
    0.99996217,
    -0.49950211,
    0.33668782,
    -0.27010228,
    0.17348632,
)
STRADDLE_SHAPE = (
    0.39804944,
    0.04676949,
    0.61961737,
    0.15543116,
    -0.22064565,
)
TAIL_POINT_ABOVE = (
    2.5895878,
    0.81913986,
    0.0031854126,
)
TAIL_POINT_BELOW = (
    1.0,
    1.5014893,
    0.1804997,
)
