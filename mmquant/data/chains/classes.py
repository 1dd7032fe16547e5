"""Option classes whose exercise or settlement is not that of stock options.

Source: the product specifications of Cboe (cboe.com/tradable_products) and Nasdaq (NDX), 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SETTLED_AT_OPEN = frozenset(
    {"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW", "MXEA", "MXEF", "MXACW", "MXUSA", "MXWLD"}
)
"""Roots settled by the opening prices of the expiry day."""
EUROPEAN = SETTLED_AT_OPEN | {
    "SPXW", "SPXPM", "SPXQ", "XSP", "NANOS", "NDXP", "XND", "RUTW", "MRUT", "XEO", "CBTX", "MBTX",
}  # fmt: skip
"""Roots exercised at expiry alone."""
MULTIPLIER = 100.0
"""Units that one standard contract stands for."""


def settled_at_open(roots: Sequence[str] | np.ndarray) -> np.ndarray:
    """Whether options of each root are settled by opening prices (bool)."""
    return np.isin(np.asarray(roots, str), sorted(SETTLED_AT_OPEN))


def exercise_of(roots: Sequence[str] | np.ndarray) -> np.ndarray:
    """`european` or `american`, for each root."""
    return np.where(np.isin(np.asarray(roots, str), sorted(EUROPEAN)), "european", "american")
