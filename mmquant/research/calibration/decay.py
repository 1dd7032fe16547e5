"""Rates that fall exponentially with distance, on a grid of ticks: likelihood and intervals.

A quote can stand at distances ``first, first + 1, ...`` ticks from the mid, where ``first`` depends
on the mid: whole ticks where bid + ask is even, half ticks where it is odd (two grids). Orders that
reach distance d or more are a Poisson process of rate A exp(-k d), so the reach of an order beyond
``first``, in whole ticks, is geometric, and with n orders of distances D on grids with times T

    log L = n log A - k sum(D) + n log(1 - exp(-k)) - A sum(T exp(-k first)).

Intervals are those of the profile likelihood. Where counts or distances vary from block to block
of time more than chance lets them, the likelihood ratio is scaled by the ratio of the sandwich
variance of the blocks to the model's (Chandler and Bate 2007, Biometrika 94).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmquant.research.calibration.statistics import Z, chi2_tail, t_quantile

MIN_ORDERS = 30
"""Fewer orders identify nothing."""
MIN_DEEPER = 5
"""Fewer orders that go beyond the first distance do not identify k."""
MIN_BLOCKS, MAX_BLOCKS, ORDERS_A_BLOCK = 10, 60, 5
MIN_EXPECTED = 5.0
"""Distances are joined until the model expects this many orders, for the test of fit."""
MOST = 600.0
"""Logarithm of the largest rate that is a number."""
CHANCE = 0.05
"""Blocks vary too much where chance alone would let them so in less than this share of tapes."""


@dataclass(frozen=True)
class Reach:
    """Orders at or beyond the first distance, and the time in which they were looked for.

    ``first`` (2,) and ``distance`` (n,) are in half ticks, ``time`` (2,) and ``block_time``
    (blocks, 2) in seconds by grid, ``block`` (n,) is the block of each order.
    """

    first: np.ndarray
    time: np.ndarray
    distance: np.ndarray
    block_time: np.ndarray
    block: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and by how much the model's variance was scaled."""

    value: float
    low: float
    high: float
    variance_factor: float


@dataclass(frozen=True)
class Decay:
    """A fitted rate ``A exp(-k d)``; ``reason`` says why there is none.

    ``dispersion`` is the variance of block counts over their mean, 1 for a Poisson process.
    ``fit_p`` is the chi-square p-value of the distances, ``fit_bins`` the number of bins, and
    ``fit_gap`` the largest difference between the shares of orders found and expected up to a
    distance (Kolmogorov's): with many orders a small gap is significant too.
    """

    orders: int
    deeper: int
    A: Estimate | None = None
    k: Estimate | None = None
    blocks: int = 0
    dispersion: float | None = None
    fit_p: float | None = None
    fit_bins: int = 0
    fit_gap: float | None = None
    reason: str = ""


class Likelihood:
    """The likelihood above, by a = log A and k. [log 1/s, 1/tick]"""

    def __init__(self, reach: Reach) -> None:
        self.n = len(reach.distance)
        self.total = float(reach.distance.sum()) / 2.0
        grids = zip(reach.first.tolist(), reach.time.tolist(), strict=True)
        self.grids = [(first / 2.0, time) for first, time in grids if time > 0.0]
        self.nearest = min(d for d, _ in self.grids)

    def moment(self, k: float, power: int) -> float:
        """Sum over grids of T d^power exp(-k (d - nearest))."""
        return sum(t * d**power * math.exp(-k * (d - self.nearest)) for d, t in self.grids)

    def rate(self, a: float, k: float) -> float:
        """Rate at the nearest distance. [1/s]"""
        return math.exp(min(a - k * self.nearest, MOST))

    def value(self, a: float, k: float) -> float:
        near = self.n * (a + math.log(-math.expm1(-k))) - k * self.total
        return near - self.rate(a, k) * self.moment(k, 0)

    def best_a(self, k: float) -> float:
        return math.log(self.n / self.moment(k, 0)) + k * self.nearest

    def profile_k(self, k: float) -> float:
        return self.value(self.best_a(k), k)

    def profile_a(self, a: float) -> float:
        return self.value(a, self.best_k(a))

    def best_k(self, a: float | None = None) -> float:
        """The k that is likeliest, given ``a`` or with the ``a`` that is likeliest for it."""

        def slope(k: float) -> float:
            rate = self.n / self.moment(k, 0) if a is None else self.rate(a, k)
            return rate * self.moment(k, 1) - self.total + self.n / math.expm1(k)

        low = high = 1.0
        while slope(low) < 0.0 and low > 1e-12:
            low, high = low / 2.0, low
        while slope(high) > 0.0 and high < 500.0:
            low, high = high, high * 2.0
        return root(slope, low, high)

    def information(self, a: float, k: float) -> np.ndarray:
        """Minus the second derivatives by (a, k), (2, 2)."""
        rate = self.rate(a, k)
        cross = -rate * self.moment(k, 1)
        bend = self.n * math.exp(-k) / math.expm1(-k) ** 2 + rate * self.moment(k, 2)
        return np.array([[rate * self.moment(k, 0), cross], [cross, bend]])


def root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0 between ``low`` and ``high``, by false position (Illinois).

    The nearer end where it is not 0 between them.
    """
    above, below = falling(low), falling(high)
    if above <= 0.0 or below >= 0.0:
        return low if above <= 0.0 else high
    side = 0
    for _ in range(100):
        middle = (low * below - high * above) / (below - above)
        value = falling(middle)
        if value > 0.0:
            moved, low, above = middle - low, middle, value
            below = below / 2.0 if side > 0 else below
            side = 1
        else:
            moved, high, below = high - middle, middle, value
            above = above / 2.0 if side < 0 else above
            side = -1
        if value == 0.0 or moved <= 1e-12 * abs(middle) or high - low <= 1e-12 * abs(middle):
            break
    return middle


def fit_decay(reach: Reach) -> Decay:
    """Fit the model; None in place of what is not identified."""
    n = len(reach.distance)
    deeper = int((reach.distance > reach.first[reach.distance & 1]).sum())
    if n < MIN_ORDERS:
        return Decay(n, deeper, reason=f"{n} orders reach that far: too few")
    if deeper < MIN_DEEPER:
        return Decay(n, deeper, reason=f"{deeper} of {n} orders go deeper: too few")
    likelihood = Likelihood(reach)
    k = likelihood.best_k()
    a = likelihood.best_a(k)
    factors, dispersion, blocks = _block_factors(reach, likelihood, a, k)
    found, expected = _by_distance(reach, a, k)
    bins, p = chi_square(found, expected)
    log_a = _interval(likelihood.profile_a, a, factors[0], blocks)
    log_k = _interval(lambda x: likelihood.profile_k(math.exp(x)), math.log(k), factors[1], blocks)
    far = log_a.high > MOST
    return Decay(
        n,
        deeper,
        A=None if far else _exponential(log_a),
        k=_exponential(log_k),
        blocks=blocks,
        dispersion=dispersion,
        fit_p=p,
        fit_bins=bins,
        fit_gap=float(np.abs(np.cumsum(found) - np.cumsum(expected)).max() / n),
        reason="A is no number: distance 0 is too far from the orders" if far else "",
    )


def _exponential(x: Estimate) -> Estimate:
    return Estimate(math.exp(x.value), math.exp(x.low), math.exp(x.high), x.variance_factor)


def _interval(
    profile: Callable[[float], float], best: float, factor: float, blocks: int
) -> Estimate:
    """Where a profile has fallen as far as its interval reaches, on both sides of its top."""
    width = t_quantile(blocks - 1.0) if factor > 1.0 else Z
    floor = profile(best) - width**2 * factor / 2.0
    ends = []
    for sign in (-1.0, 1.0):

        def above(step: float, sign: float = sign) -> float:
            return profile(best + sign * step) - floor

        step = 0.01 * max(abs(best), 0.01)
        while above(step) > 0.0:
            step *= 2.0
        ends.append(best + sign * root(above, 0.0, step))
    return Estimate(best, ends[0], ends[1], factor)


def _block_factors(
    reach: Reach, likelihood: Likelihood, a: float, k: float
) -> tuple[tuple[float, float], float | None, int]:
    """By how much blocks scale the variances of log A and k; dispersion of counts; blocks used."""
    blocks = len(reach.block_time)
    if blocks < MIN_BLOCKS:
        return (1.0, 1.0), None, 0
    d = reach.first / 2.0
    rates = np.exp(a - k * d)
    expected = reach.block_time @ rates
    count = np.bincount(reach.block, minlength=blocks)
    distance = np.bincount(reach.block, weights=reach.distance / 2.0, minlength=blocks)
    dispersion = float(((count - expected) ** 2 / expected).sum() / (blocks - 1))
    scores = np.stack(
        [count - expected, count / math.expm1(k) - distance + reach.block_time @ (rates * d)]
    )
    inverse = np.linalg.inv(likelihood.information(a, k))
    robust = inverse @ (scores @ scores.T * blocks / (blocks - 1.0)) @ inverse
    ratio = np.diag(robust) / np.diag(inverse)
    used = [
        float(r) if r > 1.0 and chi2_tail(r * (blocks - 1.0), blocks - 1.0) < CHANCE else 1.0
        for r in ratio
    ]
    return (used[0], used[1]), dispersion, blocks


def _by_distance(reach: Reach, a: float, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Orders found and expected at each half tick from the first on; the last is all beyond."""
    low = int(reach.first.min())
    high = max(int(reach.distance.max()), int(reach.first.max()))
    half = np.arange(low, high + 1)
    grid = half & 1
    tail = np.where(half < reach.first[grid], 0.0, reach.time[grid] * np.exp(a - k * half / 2.0))
    found = np.bincount(reach.distance - low, minlength=len(half)).astype(np.float64)
    beyond = tail[-2:].sum() * math.exp(-k)
    return np.append(found, 0.0), np.append(tail * -math.expm1(-k), beyond)


def chi_square(found: np.ndarray, expected: np.ndarray) -> tuple[int, float | None]:
    """Bins and p-value of Pearson's test, bins joined until each expects enough; 2 parameters."""
    sums: list[list[float]] = []
    open_bin = [0.0, 0.0]
    for seen, wanted in zip(found.tolist(), expected.tolist(), strict=True):
        open_bin = [open_bin[0] + seen, open_bin[1] + wanted]
        if open_bin[1] >= MIN_EXPECTED:
            sums.append(open_bin)
            open_bin = [0.0, 0.0]
    if sums:
        sums[-1] = [sums[-1][0] + open_bin[0], sums[-1][1] + open_bin[1]]
    if len(sums) < 3:
        return len(sums), None
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in sums)
    return len(sums), chi2_tail(statistic, len(sums) - 2.0)
