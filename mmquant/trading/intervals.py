"""Intervals for means over events that come in clusters: a block bootstrap over time.

Fills of one second share their fate, and markouts over 30 s overlap, so events are not independent.
Time is cut into few long blocks, which nearly are (batch means: Schmeiser, Operations Research
30(3), 1982), and blocks are drawn with replacement. The statistic drawn is studentized (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, ch. 12): with few blocks, plain quantiles of
the mean are too narrow. Draws are seeded: same events, same interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmquant.data.mapping import pieces
from mmquant.trading.run_tables import Floats, Ints

BLOCKS = 40
"""Blocks that the time is cut into, where the horizon lets it."""
HORIZONS_A_BLOCK = 3.0
"""Shortest block, in horizons: what two blocks share is then a small part of either."""
LEAST_BLOCKS = 15
"""Blocks with events below which there is no interval."""
DRAWS = 1_000
LEVEL = 0.95
EXACT = 1e-12
"""A standard error below this share of the values is rounding."""


class Interval(NamedTuple):
    """A 95 % interval; NaN with the reason in ``why`` where there is none."""

    low: float
    high: float
    why: str = ""


def block_ns(*, span_ns: int, horizon_s: float) -> int:
    """Length of a block. [ns]"""
    return max(span_ns // BLOCKS + 1, round(HORIZONS_A_BLOCK * horizon_s * 1e9))


def mean_interval(
    *,
    times: Ints,
    values: Floats,
    weights: Floats | None = None,
    start: int,
    end: int,
    horizon_s: float = 0.0,
) -> Interval:
    """95 % interval of the weighted mean of ``values`` (n,), events at ``times`` (n,) [ns].

    ``start`` and ``end`` [ns] bound the time in which events could have come; ``horizon_s`` is how
    far ahead a value looks. [s] Weights are equal where none are given.
    """
    length = block_ns(span_ns=max(end - start, 0), horizon_s=horizon_s)
    columns = [times, values] if weights is None else [times, values, weights]
    first = min((int(times[rows].min()) for rows in pieces(columns)), default=start)
    first = (first - start) // length

    def parts() -> Iterator[tuple[Ints, Floats, Floats]]:
        """Block, value and weight of the events, piece by piece."""
        for rows in pieces(columns):
            block = (times[rows] - start) // length - first
            yield block, values[rows], np.ones(len(block)) if weights is None else weights[rows]

    mass = _by_block((block, weight) for block, _, weight in parts())
    filled = mass > 0.0
    blocks = int(filled.sum())
    if blocks < LEAST_BLOCKS:
        needed = f"{LEAST_BLOCKS} blocks of {length / 1e9:.3g} s"
        return Interval(np.nan, np.nan, f"{needed} with fills are needed, there are {blocks}")
    total, sizes, scale = 0.0, 0.0, 0.0
    for _, value, weight in parts():
        total += float((weight * value).sum())
        sizes += float(weight.sum())
        scale = max(scale, float(np.abs(value).max()))
    mean = total / sizes
    gaps = _by_block((block, weight * (value - mean)) for block, value, weight in parts())
    return _interval(mean, gaps[filled], mass[filled], scale)


def _by_block(parts: Iterable[tuple[Ints, Floats]]) -> Floats:
    """Sums of values by block."""
    total = np.zeros(0)
    for block, values in parts:
        sums = np.asarray(np.bincount(block, values, minlength=len(total)), np.float64)
        sums[: len(total)] += total
        total = sums
    return total


def _interval(mean: float, gaps: Floats, mass: Floats, scale: float) -> Interval:
    """Interval of a mean; block sums: ``gaps`` of weight * (value - mean), ``mass`` of weight."""
    n = len(gaps)
    spread = np.sqrt(n / (n - 1.0))
    error = spread * np.sqrt((gaps**2).sum()) / mass.sum()
    if error <= EXACT * scale:
        return Interval(mean, mean)
    moments = np.stack([gaps, mass, gaps**2, gaps * mass, mass**2], axis=1)
    gap, total, squares, cross, square_mass = np.einsum("rk,kj->jr", draws(n), moments)
    shift = gap / total
    variance = squares - 2.0 * shift * cross + shift**2 * square_mass
    variance[variance <= EXACT * squares] = 0.0
    tail = (1.0 - LEVEL) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = shift / (spread * np.sqrt(variance) / total)
        low, high = np.quantile(ratios[~np.isnan(ratios)], [tail, 1.0 - tail])
    if not (np.isfinite(low) and np.isfinite(high)):
        return Interval(np.nan, np.nan, "too few of the blocks differ from each other")
    return Interval(mean - float(high) * error, mean - float(low) * error)


@lru_cache(maxsize=64)
def draws(blocks: int) -> Floats:
    """How often each of ``blocks`` is in each draw, shape (DRAWS, blocks)."""
    picks = np.random.default_rng(blocks).integers(0, blocks, (DRAWS, blocks))
    rows = np.repeat(np.arange(DRAWS), blocks)
    counts = np.bincount(rows * blocks + picks.ravel(), minlength=DRAWS * blocks)
    return counts.reshape(DRAWS, blocks).astype(np.float64)
