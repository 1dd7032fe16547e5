from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.report.decimate import busiest_window, m4_rows

values = st.one_of(st.just(float("nan")), st.integers(-5, 5).map(float))


def slow_m4(x, y, max_points):
    """The definition, row by row."""
    n = len(x)
    if n <= max_points:
        return list(range(n))
    count, span = max_points // 4, float(x[-1] - x[0])
    buckets: dict[int, list[int]] = {}
    for i in range(n):
        at = (
            i * count // n
            if span <= 0
            else min(int(float(x[i] - x[0]) * (count / span)), count - 1)
        )
        buckets.setdefault(at, []).append(i)
    keep = set()
    for rows in buckets.values():
        keep |= {rows[0], rows[-1]}
        finite = [i for i in rows if not np.isnan(y[i])]
        if finite:
            keep |= {min(finite, key=lambda i: y[i]), max(finite, key=lambda i: y[i])}
    return sorted(keep)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), values), max_size=80), st.integers(4, 30))
def test_m4_equals_its_definition(points, max_points):
    x = np.sort(np.array([p[0] for p in points], dtype=np.int64))
    y = np.array([p[1] for p in points], dtype=np.float64)
    rows = m4_rows(x, y, max_points=max_points)
    assert rows.tolist() == slow_m4(x, y, max_points)
    assert len(rows) <= max_points


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 200))
def test_m4_keeps_the_ends_and_the_extremes(seed, max_points):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.integers(0, 10**9, 1_000))
    y = np.cumsum(rng.normal(size=1_000))
    y[rng.random(1_000) < 0.1] = np.nan
    rows = m4_rows(x, y, max_points=max_points)
    assert len(rows) <= max_points and np.all(np.diff(rows) > 0)
    assert rows[0] == 0 and rows[-1] == 999
    assert np.nanmin(y[rows]) == np.nanmin(y) and np.nanmax(y[rows]) == np.nanmax(y)


def test_m4_of_nothing_but_gaps_keeps_the_ends_of_each_bucket():
    rows = m4_rows(np.arange(100), np.full(100, np.nan), max_points=8)
    assert rows.tolist() == [0, 49, 50, 99]


def test_m4_needs_four_points():
    with pytest.raises(ValueError, match="at least 4"):
        m4_rows(np.arange(10), np.arange(10.0), max_points=3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-5, 60), max_size=30), st.integers(1, 70))
def test_busiest_window_holds_as_many_as_any_other(times, width):
    times = np.sort(np.array(times, dtype=np.int64))
    begin, end = busiest_window(times, width=width, start=0, stop=50)
    assert 0 <= begin <= end <= 50 and end - begin == min(width, 50)
    inside = times[(times >= 0) & (times <= 50)]
    best = max(int(((inside >= b) & (inside <= b + width)).sum()) for b in range(51))
    assert int(((inside >= begin) & (inside <= end)).sum()) == best


def test_busiest_window_of_no_times_is_the_beginning():
    assert busiest_window(np.zeros(0, np.int64), width=10, start=5, stop=100) == (5, 15)
