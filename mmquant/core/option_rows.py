"""Rows of the option kernels' results, and the status codes of their inputs."""

from __future__ import annotations

PRICE, DELTA, GAMMA, VEGA, THETA, RHO, VANNA, VOLGA, CHARM = range(9)
"""Rows of ``out``, whose shape is (9, options)."""
ROWS = 9

OPTION_OK = 0
OPTION_NAN = 1
"""An input is NaN or infinite."""
OPTION_BELOW = 2
"""The price is below the no-arbitrage bound."""
OPTION_ABOVE = 3
"""The price is at the upper no-arbitrage bound or above."""
OPTION_AT_INTRINSIC = 4
"""The price is the intrinsic value: no volatility above zero gives it."""
OPTION_BAD_INPUT = 5
"""A strike or forward that is not positive, a negative time, a sign that is not 1 or -1."""
OPTION_REFUSED = 6
"""The method does not cover the case."""
OPTION_NOT_CONVERGED = 7
