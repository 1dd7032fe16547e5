"""What the kernels of a surface share: rows of a chain by strike, results by expiry, memory."""

from __future__ import annotations

import numpy as np

from mmquant.core.early_exercise import make_exercise_work
from mmquant.core.slice_work import make_fit_work

FORWARD, LOWER, UPPER, AGREE, DISAGREE, DEVIATION, MISFIT = range(7)
"""Forward and its bounds by parity [price]; numbers of strikes that agree and that do not;
volatility to expiry at the money; mean square of what the middles miss the forward by, in half
widths."""
FORWARD_ROWS = 7

(
    STRIKES, SIGNS, PRICES, VOLS, VALUES, PREMIUMS, MOVES, LOWS, HIGHS, KEYS, MARKS, PLACES,
) = range(12)  # fmt: skip
BUFFERS = 12

Memory = tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]


def make_surface_work(strikes: int) -> Memory:
    """(buffers, memory of early_exercise, memory of fit_slice) for one thread.

    ``strikes``: the most strikes that an expiry has.
    """
    room = 4 * max(strikes, 1)
    return np.zeros((BUFFERS, room)), make_exercise_work(room), make_fit_work()
