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
WING_POINTS = 6
ADDED = 8
"""Room for points where the fit was found to fail between the others."""
MOST_POINTS = (KNOTS - 1) * PER_PIECE + 1 + 2 * (WING_POINTS + 3) + ADDED

MEMO = BASIS_SIZE
M, POINTS, ROOT, FREE_COST, MU, MARGIN = range(MEMO, MEMO + 6)
"""Number of knots and of points; square root of the variance near the money; cost unheld;
penalty of what is not held, and by how much it is to be held."""
BASE, C, TRIAL = range(MEMO + 8, MEMO + 8 + 3 * SIZE, SIZE)
"""Coefficients: of the SVI curve, of the fit, of a step that is tried."""
RIGHT0, RIGHT = TRIAL + SIZE, TRIAL + 2 * SIZE
MATRIX0 = TRIAL + 3 * SIZE
MATRIX = MATRIX0 + BAND * SIZE
"""Least squares of the quotes and of smoothness, and these with what must hold."""
POINT = MATRIX + BAND * SIZE
PLACE, PIECE, BUTTERFLY, FLOOR, SCALE, FORCE_G, FORCE, MISS_G, MISS = range(9)
AT, SLOPE, CURVE = 9, 13, 17
POINT_SIZE = 21
"""A point: moneyness, piece, whether g counts, least value and its scale, multipliers, how far
from holding; weights of the coefficients in value, slope and second derivative."""
SVI_PART = POINT + POINT_SIZE * MOST_POINTS
OTHER_ROW = SVI_PART + SVI_WORK_SIZE
WEIGHT = OTHER_ROW + SLICE_SIZE
TARGET = WEIGHT + MOST_QUOTES
WORK_SIZE = TARGET + MOST_QUOTES


def make_fit_work() -> np.ndarray:
    """Memory of fit_slice() for one thread."""
    return np.zeros(WORK_SIZE)
