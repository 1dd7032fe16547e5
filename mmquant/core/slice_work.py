"""Memory of the fit of a slice: where its parts are."""

from __future__ import annotations

import numpy as np

from mmquant.core.slice_basis import BAND, BASIS_SIZE, SIZE
from mmquant.core.slice_rows import KNOTS, SLICE_SIZE
from mmquant.core.svi_fit import SVI_WORK_SIZE

MOST_QUOTES = 2048
"""Quotes of one expiry that the memory holds."""
PER_PIECE = 5
"""Points between two knots at which a slice is held free of arbitrage while it is fitted."""
CEILINGS, WING_CEILINGS = 4, 8
"""Points between two knots, and on a wing, at which it gives way to later slices."""
ADDED = 32
"""Room for points where the fit was found to fail between the others."""
MOST_BOUNDS = (
    2 * ((KNOTS - 1) * PER_PIECE + 1 + ADDED)
    + KNOTS
    + 6
    + (KNOTS - 1) * CEILINGS
    + 2 * WING_CEILINGS
    + MOST_QUOTES
)

MEMO = BASIS_SIZE
M, BOUNDS, ROOT, MARGIN, PLAIN = range(MEMO, MEMO + 5)
"""Number of knots and of bounds; square root of the variance near the money; by how much what is
held is to be held; above 0 where the curve that is departed from is a plain one, not SVI."""
BASE, FREE, C, TRIAL = range(MEMO + 5, MEMO + 5 + 4 * SIZE, SIZE)
"""Coefficients: of the curve departed from, of the fit that nothing holds, of the fit, of a try."""
RIGHT0, RIGHT = TRIAL + SIZE, TRIAL + 2 * SIZE
MATRIX0 = TRIAL + 3 * SIZE
MATRIX = MATRIX0 + BAND * SIZE
"""Least squares of the quotes and of smoothness, and these with what must hold."""
BOUND = MATRIX + BAND * SIZE
PLACE, PIECE, LEAST, SOFT, HELD, SLACK, FORCE, SLACK_STEP, FORCE_STEP = range(9)
ROW, VALUE_ROW, SLOPE_ROW, BEND_ROW = 9, 13, 17, 21
BOUND_SIZE = 25
"""A bound: moneyness where g is bounded, else NaN; piece; least value; how much it gives way to a
multiplier of 1; by how much it holds, slack, multiplier, steps of these; weights of the four
coefficients of its piece, and for g those of w and its derivatives."""
SVI_PART = BOUND + BOUND_SIZE * MOST_BOUNDS
OTHER_ROW = SVI_PART + SVI_WORK_SIZE
WEIGHT = OTHER_ROW + SLICE_SIZE
TARGET = WEIGHT + MOST_QUOTES
WORK_SIZE = TARGET + MOST_QUOTES


def make_fit_work() -> np.ndarray:
    """Memory of fit_slice() for one thread."""
    return np.zeros(WORK_SIZE)
