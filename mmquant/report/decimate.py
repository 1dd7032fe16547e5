"""Fewer points for a chart, none of them made up.

M4 (first, minimum, maximum and last point of each bucket of x) draws the same pixels as the
whole series where a bucket is no wider than a pixel, so peaks and troughs stay exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 4_000
"""Most points of a drawn trace."""


def m4_rows(
    x: NDArray[np.number], y: NDArray[np.floating], *, max_points: int = MAX_POINTS
) -> NDArray[np.int64]:
    """Rows to draw, ascending, at most ``max_points`` (at least 4) of them.

    x is ascending and finite, y may hold NaN (a gap), both of shape (n,). Up to ``max_points``
    rows all are kept. Otherwise x is cut into ``max_points // 4`` buckets of equal width, and of
    each bucket with rows the first, the last, and the first lowest and highest finite y are kept.
    The first and the last row and the extremes of the series are always among them; a gap that
    begins and ends inside one bucket is not.
    """
    if max_points < 4:
        raise ValueError("max_points is at least 4")
    n = len(x)
    if n <= max_points:
        return np.arange(n, dtype=np.int64)
    bucket = _buckets(x, max_points // 4)
    first = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    last = np.r_[first[1:], n] - 1
    dense = np.repeat(np.arange(len(first)), last - first + 1)
    low = _first_equal(y, np.fmin.reduceat(y, first), dense)
    high = _first_equal(y, np.fmax.reduceat(y, first), dense)
    return np.unique(np.concatenate([first, last, low, high])).astype(np.int64)


def _buckets(x: NDArray[np.number], count: int) -> NDArray[np.int64]:
    span = float(x[-1] - x[0])
    if span <= 0.0:
        return np.arange(len(x), dtype=np.int64) * count // len(x)
    scaled = (x - x[0]).astype(np.float64) * (count / span)
    return np.minimum(scaled.astype(np.int64), count - 1)


def _first_equal(
    y: NDArray[np.floating], value: NDArray[np.floating], bucket: NDArray[np.int64]
) -> NDArray[np.int64]:
    """First row of each bucket that holds the bucket's value; none for a bucket of NaN."""
    rows = np.flatnonzero(y == value[bucket])
    return rows[np.unique(bucket[rows], return_index=True)[1]]


def busiest_window(
    times: NDArray[np.int64], *, width: int, start: int, stop: int
) -> tuple[int, int]:
    """The window of ``width`` with most ``times`` in it, inside [start, stop].

    ``times`` is ascending. A window begins at one of the times, or ends at ``stop`` where that
    would leave the span; ties go to the earliest. Without any times, or where the span is no
    longer than ``width``, the window begins at ``start``.
    """
    inside = times[(times >= start) & (times <= stop)]
    if len(inside) == 0 or stop - start <= width:
        return start, min(start + width, stop)
    begins = np.clip(inside, start, stop - width)
    count = np.searchsorted(inside, begins + width, side="right") - np.searchsorted(inside, begins)
    begin = int(begins[np.argmax(count)])
    return begin, begin + width
