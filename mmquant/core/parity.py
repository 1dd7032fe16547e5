"""The forward that calls and puts of one expiry imply by parity, and the discount factor.

Call - put = D (F - K) for European options. So bid and ask of both at a strike bound the forward,
and a forward inside as many of these intervals as can be is one that a few bad quotes do not move.
"""

from __future__ import annotations

import math

from mmquant.core.jit import inner_kernel, kernel

FEWEST_BOXES = 4
"""Strikes below which no discount factor is implied."""
REWEIGHTS = 8
OUTLYING = 1.5
"""Widths of a strike's interval beyond which its miss counts by size, not square."""


@inner_kernel
def sort_with(key, n, mark):
    """Sort ``key[:n]`` in place by heapsort, ``mark`` with it."""
    for start in range(n // 2 - 1, -1, -1):
        sift(key, mark, start, n)
    for end in range(n - 1, 0, -1):
        key[0], key[end] = key[end], key[0]
        mark[0], mark[end] = mark[end], mark[0]
        sift(key, mark, 0, end)


@inner_kernel
def after(key, mark, i, j):
    """Whether entry i comes after entry j: by key, and where alike an opening comes first."""
    return key[i] > key[j] or (key[i] == key[j] and mark[i] < mark[j])


@inner_kernel
def sift(key, mark, root, end):
    while True:
        child = 2 * root + 1
        if child >= end:
            return
        if child + 1 < end and after(key, mark, child + 1, child):
            child += 1
        if not after(key, mark, child, root):
            return
        key[root], key[child] = key[child], key[root]
        mark[root], mark[child] = mark[child], mark[root]
        root = child


@inner_kernel
def agreement(low, high, key, mark):
    """(lowest, highest, count): where the most intervals [low, high] overlap, and how many do.

    ``low``, ``high`` (n,) finite; those with low > high are left out. ``key``, ``mark`` (2n,) are
    memory. Where several places are alike, the one that is nearest to the middle of all is taken.
    NaN without intervals.
    """
    n, centre = 0, 0.0
    for i in range(low.size):
        if low[i] <= high[i]:
            key[2 * n], mark[2 * n] = low[i], 1.0
            key[2 * n + 1], mark[2 * n + 1] = high[i], -1.0
            centre += 0.5 * (low[i] + high[i])
            n += 1
    if n == 0:
        return math.nan, math.nan, 0
    centre /= n
    sort_with(key, 2 * n, mark)
    depth, most, nearest = 0, 0, math.inf
    start, end = math.nan, math.nan
    for i in range(2 * n):
        depth += 1 if mark[i] > 0.0 else -1
        if mark[i] > 0.0 and depth >= most:
            distance = max(key[i] - centre, centre - key[i + 1], 0.0)
            if depth > most or distance < nearest:
                most, nearest = depth, distance
                start, end = key[i], key[i + 1]
    return start, end, most


@kernel
def parity_forward(low, high, key, mark):
    """(forward, lower bound, upper bound, strikes that agree, strikes that do not).

    ``low``, ``high`` (n,): what each strike allows the forward to be. Bounds are the largest of
    the lower and the least of the upper ones among the strikes that agree. Between them, the
    forward is nearest to the mean of their middles, weighted by one over the square of the width.
    """
    start, end, most = agreement(low, high, key, mark)
    total, weights, lower, upper = 0.0, 0.0, -math.inf, math.inf
    for i in range(low.size):
        if low[i] <= start and high[i] >= end:
            width = high[i] - low[i] + 1e-12
            weight = 1.0 / (width * width)
            total, weights = total + weight * 0.5 * (low[i] + high[i]), weights + weight
            lower, upper = max(lower, low[i]), min(upper, high[i])
    if most == 0:
        return math.nan, math.nan, math.nan, 0, low.size
    forward = min(max(total / weights, lower), upper)
    return forward, lower, upper, most, low.size - most


@kernel
def box_discount(strike, low, high):
    """(discount, standard error): minus the slope of call - put by strike, robustly weighted.

    ``low``, ``high`` (n,): call bid - put ask and call ask - put bid. Two strikes are a box spread.
    NaN with fewer than FEWEST_BOXES strikes. The error is what half widths allow.
    """
    if strike.size < FEWEST_BOXES:
        return math.nan, math.nan
    level, slope, error = 0.0, 0.0, math.nan
    for step in range(REWEIGHTS):
        w0, w1, w2, y0, y1 = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(strike.size):
            x = strike[i] - strike[0]
            half = 0.5 * (high[i] - low[i])
            half = max(half, 1e-9)
            y = 0.5 * (low[i] + high[i])
            miss = abs(y - level - slope * x) / (2.0 * half)
            shrink = 1.0 if step == 0 or miss <= OUTLYING else OUTLYING / miss
            weight = shrink / (half * half)
            w0, w1, w2 = w0 + weight, w1 + weight * x, w2 + weight * x * x
            y0, y1 = y0 + weight * y, y1 + weight * x * y
        spread = w0 * w2 - w1 * w1
        if not spread > 0.0:
            return math.nan, math.nan
        slope = (w0 * y1 - w1 * y0) / spread
        level = (y0 - slope * w1) / w0
        error = math.sqrt(w0 / spread)
    return -slope, error
