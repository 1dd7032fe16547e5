"""Quoted slices: the curve, its checks against dense grids, and fits that are never arbitrable."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core import slice_curve, slice_fit
from mmquant.core.slice_rows import (
    BEND,
    COUNT,
    KNOT,
    SLICE_BAD_QUOTES,
    SLICE_FALLBACK,
    SLICE_FEW,
    SLICE_NAN,
    SLICE_OK,
    SLICE_SIZE,
    SLICE_UNSORTED,
    W,
    make_slice,
)
from tests.core.builders import examples
from tests.core.plain import plain

NONE, NO_ROWS = make_slice(), np.zeros((0, SLICE_SIZE))
WORK = slice_fit.make_fit_work()


def natural_spline(knots: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The row of a natural cubic spline, its bends by a dense linear system."""
    h = np.diff(knots)
    matrix = np.diag((h[:-1] + h[1:]) / 3) + np.diag(h[1:-1] / 6, 1) + np.diag(h[1:-1] / 6, -1)
    row = make_slice()
    n = row[COUNT] = knots.size
    n = int(n)
    row[KNOT : KNOT + n], row[W : W + n] = knots, w
    row[BEND + 1 : BEND + n - 1] = np.linalg.solve(matrix, np.diff(np.diff(w) / h))
    return row


def random_row(rng: np.random.Generator, level: float = 0.04) -> np.ndarray:
    knots = np.sort(rng.uniform(-0.6, 0.6, rng.integers(4, 20))) + 1e-3 * np.arange(1)
    knots = knots[0] + np.cumsum(np.r_[0.0, np.maximum(np.diff(knots), 0.01)])
    wave = 1.0 + 0.05 * np.sin(rng.uniform(2, 8) * knots)
    return natural_spline(knots, level * (wave - 0.5 * knots + rng.uniform(1, 5) * knots**2))


def curve(row: np.ndarray, k: np.ndarray) -> np.ndarray:
    out = np.empty((3, k.size))
    slice_curve.slice_variance_many(k, row, out)
    return out


def dense_g(row: np.ndarray, k: np.ndarray) -> np.ndarray:
    w, slope, bend = curve(row, k)
    return (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2


def grid_of(*rows: np.ndarray) -> np.ndarray:
    """Points between all knots, and far out."""
    knots = np.sort(np.concatenate([r[KNOT : KNOT + int(r[COUNT])] for r in rows]))
    inner = np.concatenate([np.linspace(a, b, 60) for a, b in pairwise(knots)])
    wing = np.geomspace(1e-4, 1e4, 300)
    return np.concatenate([knots[0] - wing[::-1], inner, knots[-1] + wing])


def fit(
    k: Any, bid: Any, w: Any, ask: Any, below: Any = NONE, above: Any = NO_ROWS, row: Any = None
) -> tuple[int, np.ndarray]:
    row = make_slice() if row is None else row
    quotes = [np.asarray(x, float) for x in (k, bid, w, ask)]
    return slice_fit.fit_slice(*quotes, below, above, row, WORK), row


def smile(k: np.ndarray, level: float, skew: float = -0.5, bend: float = 0.3) -> np.ndarray:
    """A convex smile that is not SVI; ``skew`` and ``bend`` by deviations."""
    z = k / math.sqrt(level)
    return level * (1.0 + skew * np.tanh(0.4 * z) + bend * (np.sqrt(1.0 + 0.3 * z * z) - 1.0))


def test_the_curve_is_the_spline_and_straight_lines() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        row = random_row(rng)
        k = grid_of(row)[280:-280]
        h = 1e-5
        w, slope, bend = curve(row, k)
        assert np.allclose(
            (curve(row, k + h)[0] - curve(row, k - h)[0]) / (2 * h), slope, atol=1e-6
        )
        smooth = np.abs(curve(row, k + h)[2] - curve(row, k - h)[2]) < 1e-3
        assert np.allclose(
            ((curve(row, k + h)[1] - curve(row, k - h)[1]) / (2 * h))[smooth],
            bend[smooth],
            atol=1e-2,
        )
        n = int(row[COUNT])
        at_knots = curve(row, row[KNOT : KNOT + n])
        assert np.allclose(at_knots[0], row[W : W + n])
        assert np.allclose(at_knots[2], row[BEND : BEND + n], atol=1e-9)
        assert slice_curve.slice_variance(k[7], row) == (w[7], slope[7], bend[7])


def test_no_slice_gives_nan() -> None:
    for row in (NONE, np.full(SLICE_SIZE, math.nan), np.full(SLICE_SIZE, 1e9)):
        assert np.isnan(slice_curve.slice_variance(0.0, row)).all()
        assert np.isnan(slice_curve.least_g(row)).all()
        assert np.isnan(slice_curve.calendar_slack(row, NONE)).all()
    good = random_row(np.random.default_rng(1))
    assert np.isnan(slice_curve.slice_variance(math.nan, good)).all()


def test_least_g_against_a_dense_grid() -> None:
    rng = np.random.default_rng(2)
    finite = 0
    for _ in range(200):
        row = random_row(rng)
        g, k = slice_curve.least_g(row)
        grid = grid_of(row)
        w, slope, _ = curve(row, grid)
        if w.min() <= 0.0 or slope[0] > 0.0 or slope[-1] < 0.0:
            assert g == -math.inf
            continue
        finite += 1
        least = dense_g(row, grid).min()
        assert least - 1e-3 * max(1.0, abs(least)) <= g <= least + 1e-9
        if abs(k) < 1e3:
            assert dense_g(row, np.array([k]))[0] == pytest.approx(g, abs=1e-9)
    assert finite > 100


def test_calendar_slack_against_a_dense_grid() -> None:
    rng = np.random.default_rng(3)
    signs = set()
    for _ in range(200):
        near, far = random_row(rng), random_row(rng, level=0.05)
        slack, k = slice_curve.calendar_slack(near, far)
        grid = grid_of(near, far)
        gap = curve(far, grid) - curve(near, grid)
        signs.add(np.sign(slack))
        if slack == -math.inf:
            assert gap[1, 0] > 0.0 or gap[1, -1] < 0.0
        else:
            least = gap[0].min()
            assert least - 1e-5 <= slack <= least + 1e-12
            at = np.array([k])
            assert (curve(far, at) - curve(near, at))[0, 0] == pytest.approx(slack, abs=1e-12)
    assert signs == {-1.0, 1.0}


def test_a_slice_is_never_below_itself() -> None:
    row = random_row(np.random.default_rng(4))
    assert slice_curve.calendar_slack(row, row)[0] == 0.0


@pytest.mark.parametrize("level", [2e-5, 1e-3, 0.04, 0.3])
def test_the_fit_goes_through_smooth_quotes(level: float) -> None:
    k = math.sqrt(level) * np.linspace(-6.0, 3.0, 80)
    w = smile(k, level)
    status, row = fit(k, 0.98 * w, w, 1.02 * w)
    # Half spreads are 0.02: the fit is to be well inside them, not at the middle.
    assert status == SLICE_OK
    assert np.abs(curve(row, k)[0] / w - 1.0).max() < 0.005
    between = 0.5 * (k[1:] + k[:-1])
    assert np.abs(curve(row, between)[0] / smile(between, level) - 1.0).max() < 0.005


def test_held_out_strikes_of_a_noisy_smile_are_inside_their_quotes() -> None:
    rng = np.random.default_rng(5)
    k = 0.2 * np.linspace(-5.0, 2.5, 100)
    true = smile(k, 0.04)
    half = true * (0.01 + 0.01 * np.abs(k))
    middle = true + 0.3 * half * rng.standard_normal(100)
    out = rng.permutation(100) < 20
    status, row = fit(*(x[~out] for x in (k, middle - half, middle, middle + half)))
    miss = np.abs(curve(row, k[out])[0] - middle[out])
    assert status == SLICE_OK
    assert miss.mean() < 0.25 * 2.0 * half[out].mean()
    assert (miss < half[out]).mean() >= 0.95


def test_a_warm_start_gives_the_same_slice() -> None:
    k = 0.2 * np.linspace(-4.0, 2.0, 40)
    w = smile(k, 0.04)
    _, row = fit(k, 0.99 * w, w, 1.01 * w)
    moved = w * (1.0 + 0.01 * k)
    status, warm = fit(k, 0.99 * moved, moved, 1.01 * moved, row=row.copy())
    _, cold = fit(k, 0.99 * moved, moved, 1.01 * moved)
    assert status == SLICE_OK
    assert np.allclose(curve(warm, k), curve(cold, k), rtol=1e-3, atol=1e-6)


def test_few_noisy_quotes_are_smoothed() -> None:
    rng = np.random.default_rng(8)
    k = 0.2 * np.linspace(-2.0, 1.5, 12)
    true = smile(k, 0.04)
    off, noise = [], []
    for _ in range(60):
        middle = true * (1.0 + 0.01 * rng.standard_normal(12))
        status, row = fit(k, middle - 0.03 * true, middle, middle + 0.03 * true)
        assert status == SLICE_OK
        off.append(np.abs(curve(row, k)[0] / true - 1.0).mean())
        noise.append(np.abs(middle / true - 1.0).mean())
    assert np.mean(off) < 0.75 * np.mean(noise)


def noisy_quotes(rng: np.random.Generator, count: int, level: float) -> list[np.ndarray]:
    k = math.sqrt(level) * np.linspace(-1.5, 1.2, count)
    w = smile(k, level)
    half = w * rng.uniform(0.06, 0.3, count)
    middle = w + 0.4 * half * rng.standard_normal(count)
    return [k, middle - half, middle, middle + half]


def test_few_noisy_quotes_minute_by_minute_are_fitted_between_others() -> None:
    for seed in range(examples(100, 10)):
        rng = np.random.default_rng(seed)
        own = np.zeros((2, SLICE_SIZE))
        for _ in range(6):
            quotes = [noisy_quotes(rng, 5, 0.0035), noisy_quotes(rng, 9, 0.0075)]
            for e in range(2):
                fit(*quotes[e], row=own[e])
            below = NONE
            for e in range(2):
                status, row = fit(*quotes[e], below, own[e + 1 :], row=own[e].copy())
                assert status == SLICE_OK
                check_free(row, below)
                below = row


def test_one_sided_quotes_hold_the_slice_on_their_side() -> None:
    k = 0.2 * np.linspace(-4.0, 2.0, 31)
    w = smile(k, 0.04)
    bid, ask = 0.98 * w, 1.02 * w
    bid[20:], ask[20:] = math.nan, 0.9 * w[20:]
    status, row = fit(k, bid, w, ask)
    assert status == SLICE_OK
    assert (curve(row, k[22:])[0] < 0.93 * w[22:]).all()
    ask[20:], bid[20:] = math.inf, 1.15 * w[20:]
    status, row = fit(k, bid, w, ask)
    assert status == SLICE_OK
    assert (curve(row, k[22:])[0] > 1.10 * w[22:]).all()


def test_slices_that_cross_both_give_way() -> None:
    k = 0.2 * np.linspace(-4.0, 2.0, 61)
    near = smile(k, 0.04)
    far = near * (1.0 + 0.05 * np.sin(6.0 * k))
    quotes = [(k, 0.96 * w, w, 1.04 * w) for w in (near, far)]
    own = [fit(*q)[1] for q in quotes]
    assert slice_curve.calendar_slack(*own)[0] < 0.0
    status, first = fit(*quotes[0], above=np.array(own[1:]))
    status2, second = fit(*quotes[1], below=first)
    assert status == status2 == SLICE_OK
    assert slice_curve.calendar_slack(first, second)[0] >= 0.0
    at = k[(far < 0.97 * near)]
    up, down = (
        curve(second, at)[0] / curve(own[1], at)[0],
        curve(first, at)[0] / curve(own[0], at)[0],
    )
    assert (up > 1.005).all() and (down < 0.995).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_few_quotes_are_enough(count: int) -> None:
    k = np.linspace(-0.2, 0.15, count) if count > 1 else np.zeros(1)
    w = smile(k, 0.04)
    status, row = fit(k, 0.97 * w, w, 1.03 * w)
    assert status == SLICE_OK
    assert (np.abs(curve(row, k)[0] / w - 1.0) < 0.03).all()
    later = 1.3 * w
    status, second = fit(k, 0.97 * later, later, 1.03 * later, below=row)
    assert status == SLICE_OK
    assert slice_curve.calendar_slack(row, second)[0] >= 0.0
    assert (np.abs(curve(second, k)[0] / later - 1.0) < 0.03).all()


SANE = np.linspace(-0.3, 0.3, 9)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"k": SANE[::-1]}, SLICE_UNSORTED),
        ({"k": np.zeros(9)}, SLICE_UNSORTED),
        ({"k": np.r_[SANE[:8], math.nan]}, SLICE_NAN),
        ({"bid": np.full(9, 0.06)}, SLICE_BAD_QUOTES),
        ({"bid": np.full(9, -0.1)}, SLICE_BAD_QUOTES),
        ({"ask": np.zeros(9)}, SLICE_BAD_QUOTES),
        ({"w": np.full(9, math.nan)}, SLICE_BAD_QUOTES),
        ({"bid": np.full(9, math.nan)}, SLICE_FEW),
        ({"k": [], "bid": [], "w": [], "ask": []}, SLICE_FEW),
        ({"below": np.full(SLICE_SIZE, math.nan)}, SLICE_NAN),
    ],
)
def test_bad_inputs_give_a_code_and_no_slice(change: dict[str, Any], status: int) -> None:
    inputs = {"k": SANE, "bid": [0.03] * 9, "w": [0.04] * 9, "ask": [0.05] * 9} | change
    found, row = fit(**inputs)
    assert found == status
    assert row[COUNT] == 0.0


def check_free(row: np.ndarray, below: np.ndarray) -> None:
    """No arbitrage on a dense grid, by definition of g and of calendar order."""
    grid = grid_of(row) if below[COUNT] == 0 else grid_of(row, below)
    w, slope, _ = curve(row, grid)
    assert (w > 0.0).all()
    assert slope[0] >= -2.0 and slope[-1] <= 2.0
    assert dense_g(row, grid).min() > -1e-9
    if below[COUNT] > 0:
        assert (w - curve(below, grid)[0] >= -1e-12 * w).all()


@settings(max_examples=examples(150, 3), deadline=None)
@given(st.integers(0, 10**6))
def test_no_arbitrage_whatever_the_quotes(seed: int) -> None:
    """Three expiries of quotes that may be noise, out of order in time, wide or sparse."""
    rng = np.random.default_rng(seed)
    below = NONE
    level = 10.0 ** rng.uniform(-5, -1)
    for _ in range(3):
        n = int(rng.integers(1, 60))
        k = np.cumsum(rng.exponential(1.0, n))
        k = math.sqrt(level) * ((k - k[0]) / max(k[-1] - k[0], 1e-9) * rng.uniform(1, 15) - 5.0)
        k = k[0] + np.arange(n) * 1e-9 + (k - k[0])
        w = smile(k, level, rng.uniform(-0.9, 0.9), rng.uniform(0.0, 1.5))
        w = w * np.exp(rng.choice([0.0, 0.02, 0.5]) * rng.standard_normal(n))
        half = w * rng.choice([1e-5, 0.01, 0.3], n)
        bid = np.where(rng.random(n) < 0.1, math.nan, w - half)
        ask = np.where(rng.random(n) < 0.1, math.inf, w + half)
        status, row = fit(k, bid, w, ask, below)
        if status == SLICE_FEW:
            continue
        assert status in (SLICE_OK, SLICE_FALLBACK)
        check_free(row, below)
        below = row
        level *= rng.choice([0.7, 1.0, 1.02, 1.5, 30.0])


def test_plain_python_gives_the_same_bits() -> None:
    k = 0.2 * np.linspace(-4.0, 2.0, 25)
    w = smile(k, 0.04) * (1.0 + 0.02 * np.random.default_rng(9).standard_normal(25))
    bid, ask = 0.99 * w, 1.01 * w
    bid[3], ask[20] = math.nan, math.inf
    _, near = fit(k, 0.9 * bid, 0.9 * w, 0.9 * ask)
    rows = []
    for kernel in (slice_fit.fit_slice, plain(slice_fit.fit_slice)):
        row = make_slice()
        kernel(k, bid, w, ask, near, near[None], row, WORK)
        rows.append(row)
    assert rows[0].tobytes() == rows[1].tobytes()
    for check in (slice_curve.least_g, plain(slice_curve.least_g)):
        assert check(rows[0]) == slice_curve.least_g(rows[1])
    slack = plain(slice_curve.calendar_slack)(near, rows[0])
    assert slack == slice_curve.calendar_slack(near, rows[0])
