"""Option classes whose exercise or settlement is not that of stock options.

Source: the product specifications of Cboe (cboe.com/tradable_products) and Nasdaq (NDX), 2023.
"""

from __future__ import annotations

import numpy as np

SETTLED_AT_OPEN = frozenset(
    {"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW", "MXEA", "MXEF", "MXACW", "MXUSA", "MXWLD"}
)
"""Roots settled by the opening prices of the expiry day."""
EUROPEAN = SETTLED_AT_OPEN | {
    "SPXW", "SPXPM", "SPXQ", "XSP", "NDXP", "XND", "RUTW", "MRUT", "XEO",
}  # fmt: skip
"""Roots exercised at expiry alone."""
UNDERLYING = {
    "SPXW": "SPX", "SPXPM": "SPX", "SPXQ": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX",
}  # fmt: skip
"""Underlying of a root that is not named like it."""
MULTIPLIER = 100.0
"""Units that one standard contract stands for."""


def settled_at_open(roots: np.ndarray) -> np.ndarray:
    """Whether options of each root are settled by opening prices (bool)."""
    return np.isin(roots, sorted(SETTLED_AT_OPEN))


def exercise_of(roots: np.ndarray) -> np.ndarray:
    """`european` or `american`, for each root."""
    return np.where(np.isin(roots, sorted(EUROPEAN)), "european", "american")


def multiplier_of(roots: np.ndarray) -> np.ndarray:
    """Multiplier for each root; NaN where it ends in a digit.

    The Options Clearing Corporation marks so the classes that a split or spin-off adjusted.
    """
    adjusted = [root[-1:].isdigit() for root in roots.tolist()]
    return np.where(adjusted, np.nan, MULTIPLIER)


def underlying_of(roots: np.ndarray) -> str:
    """The symbol that options of these roots are on: that of most of them, adjustments undone."""
    names = [UNDERLYING.get(root, root.rstrip("0123456789") or root) for root in roots.tolist()]
    return max(sorted(set(names)), key=names.count) if names else ""
