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
ADDED = 8
"""Room for points where the fit was found to fail between the others."""
MOST_POINTS = (KNOTS - 1) * PER_PIECE + 1 + 2 * 3 + ADDED

MEMO = BASIS_SIZE
M, POINTS, ROOT, MARGIN = range(MEMO, MEMO + 4)
"""Number of knots and of points; square root of the variance near the money; by how much what is
held is to be held."""
BASE, FREE, C, TRIAL = range(MEMO + 8, MEMO + 8 + 4 * SIZE, SIZE)
"""Coefficients: of the SVI curve, of the fit that nothing holds, of the fit, of a step that is tried."""
RIGHT0, RIGHT = TRIAL + SIZE, TRIAL + 2 * SIZE
MATRIX0 = TRIAL + 3 * SIZE
MATRIX = MATRIX0 + BAND * SIZE
"""Least squares of the quotes and of smoothness, and these with what must hold."""
POINT = MATRIX + BAND * SIZE
PLACE, PIECE, FLOOR, SCALE, AT, SLOPE, CURVE = 0, 1, 2, 3, 4, 8, 12
"""A point: moneyness, piece, least value and its scale; weights of the coefficients in value,
slope and second derivative."""
DISTANCE, DENSITY = 16, 26
ROW, HELD, SLACK, FORCE, SLACK_STEP, FORCE_STEP = 0, 4, 5, 6, 7, 8
"""What is held at a point, its distance from the floor and g: linear in the coefficients by ROW,
by how much it is held, its slack and multiplier and their steps."""
POINT_SIZE = 36
SVI_PART = POINT + POINT_SIZE * MOST_POINTS
OTHER_ROW = SVI_PART + SVI_WORK_SIZE
WEIGHT = OTHER_ROW + SLICE_SIZE
TARGET = WEIGHT + MOST_QUOTES
WORK_SIZE = TARGET + MOST_QUOTES


def make_fit_work() -> np.ndarray:
    """Memory of fit_slice() for one thread."""
    return np.zeros(WORK_SIZE)
