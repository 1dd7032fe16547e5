"""Functions of mathfn.py against mpmath, against each other, and bit for bit in all their forms."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numba import float64

from mmquant.core import mathfn
from mmquant.core.jit import DISABLED, kernel
from mmquant.core.mathfn import exp, log, norm_cdf
from tests.core.builders import examples
from tests.core.machine_code import check_vector_code
from tests.core.make_mathfn_tables import FILE, text

INF, NAN = math.inf, math.nan
NAMES = [scalar.__name__ for scalar in mathfn.FORMULAS]
BOUND = {
    "exp": 0.8, "expm1": 1.0, "log": 0.7, "log1p": 0.7, "norm_pdf": 1.5, "norm_cdf": 4.0,
    "norm_inv": 4.0, "erfc": 4.0, "erfcx": 3.5,
}  # fmt: skip
"""Largest errors, as the docstrings say. [ulp]"""
DIGEST = "ed83aa1d4f5462e987be40fb4b84144899658137e7db874fe93344e1e416c136"


def exact_erfcx(x: mpf) -> mpf:
    """By its asymptotic series where that is exact enough."""
    if x < 30:
        return mp.erfc(x) * mp.exp(x * x)
    term = total = mpf(1)
    for k in range(1, 40):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * mp.sqrt(mp.pi))


def exact_norm_inv(p: mpf) -> mpf:
    """By Newton's method on the logarithm of the tail."""
    tail = min(p, 1 - p)
    x = mpf(-NormalDist().inv_cdf(float(tail)))
    for _ in range(20):
        area = mp.ncdf(-x)
        step = mp.log(area / tail) * area / mp.npdf(x)
        x += step
        if abs(step) < mpf(2) ** -110 * abs(x):
            break
    return x if p > mpf("0.5") else -x


EXACT: dict[str, Callable[[mpf], mpf]] = {
    "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p, "norm_pdf": mp.npdf,
    "norm_cdf": mp.ncdf, "norm_inv": exact_norm_inv, "erfc": mp.erfc, "erfcx": exact_erfcx,
}  # fmt: skip


def ulps(value: float, truth: mpf) -> float:
    """How far a value is from the truth, in distances of the doubles around that."""
    exponent = int(mp.frexp(truth)[1]) if truth != 0 else -1074
    return abs(float((mpf(value) - truth) / mpf(2) ** max(exponent - 53, -1074)))


def points(name: str, n: int, seed: int = 1) -> np.ndarray:
    """Arguments with finite values: all over, near 0, and where the formula changes."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform

    def powers(low: float, high: float) -> np.ndarray:
        """Both signs, evenly in the logarithm. No pow, whose bits depend on the platform."""
        two = np.ldexp(spread(1.0, 2.0, n), rng.integers(int(low), int(high), n))
        return two * rng.choice([-1.0, 1.0], n)

    halves = (rng.integers(-50, 50, n) + 0.5) * math.log(2.0)
    near_root = np.ldexp(math.sqrt(0.5) * spread(0.98, 1.02, n), rng.integers(-3, 60, n))
    parts = {
        "exp": [spread(-745.0, 709.7, n), spread(-1.0, 1.0, n), spread(-745.13, -708.0, n),
                powers(-60, 6), halves * spread(0.999, 1.001, n)],
        "expm1": [spread(-45.0, 709.7, n), spread(-1.0, 1.0, n), spread(30.0, 45.0, n),
                  powers(-1070, 6), halves * spread(0.999, 1.001, n), spread(0.34, 0.4, n)],
        "log": [np.abs(powers(-1074, 1023)), spread(0.5, 2.0, n), 1.0 + powers(-50, -5), near_root],
        "log1p": [np.abs(powers(-1070, 1023)), spread(-0.9999, 3.0, n), powers(-60, -1),
                  spread(-0.35, 0.5, n), near_root - 1.0, -1.0 + np.abs(powers(-53, -5))],
        "norm_pdf": [spread(-38.5, 38.5, n), spread(-6.0, 6.0, n), powers(-40, 3)],
        "norm_cdf": [spread(-38.4, 9.0, n), spread(-6.0, 6.0, n), powers(-40, 3),
                     spread(-1.0, 1.0, n), spread(-38.4, -37.0, n)],
        "norm_inv": [spread(0.0, 1.0, n), np.abs(powers(-1074, -1)), 1.0 - np.abs(powers(-53, -2)),
                     0.5 + powers(-53, -2), spread(0.04, 0.09, n), spread(0.91, 0.96, n)],
        "erfc": [spread(-6.0, 27.2, n), spread(-2.0, 6.0, n), powers(-40, 2),
                 spread(26.0, 27.2, n)],
        "erfcx": [spread(-26.62, 40.0, n), spread(-2.0, 6.0, n), powers(-40, 4),
                  np.abs(powers(3, 900))],
    }  # fmt: skip
    return np.concatenate(parts[name])


def looped(name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    getattr(mathfn, f"{name}_many")(x, out)
    return out


def bits(values: np.ndarray) -> bytes:
    """The bits, with one NaN for all: their signs come from the processor."""
    return np.where(np.isnan(values), NAN, values).tobytes()


def worst(name: str, n: int, seed: int) -> tuple[float, float]:
    """The largest error, and where it is."""
    x = points(name, n, seed)
    with mp.workprec(160):
        pairs = zip(looped(name, x).tolist(), x.tolist(), strict=True)
        return max((ulps(y, EXACT[name](mpf(a))), a) for y, a in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_as_close_as_they_say(name: str) -> None:
    error, where = worst(name, 400, seed=1)
    assert error <= BOUND[name], where
    says = re.search(r"within ([\d.]+) ulp", getattr(mathfn, name).__doc__)
    assert says is not None and float(says[1]) == BOUND[name]


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_values_are_as_close_as_they_say_at_many_points(name: str, seed: int) -> None:
    error, where = worst(name, 10_000, seed)
    assert error <= BOUND[name], where


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_gives_the_bits_of_scalar_calls(name: str) -> None:
    x = np.append(points(name, 100), [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e308, -1e308])
    scalars = np.array([getattr(mathfn, name)(a) for a in x])
    assert bits(looped(name, x)) == bits(scalars)


def test_bits_are_the_same_everywhere() -> None:
    """Compiled for any processor and as plain Python: one digest. No random number made it."""
    k = np.arange(1, 601)
    u = k * 0.6180339887498949 % 1.0
    x = np.concatenate(
        [u, 2.0 * u - 1.0, 1500.0 * (u - 0.5), np.ldexp(u + 0.5, 37 * k % 2098 - 1074)]
    )
    digest = hashlib.sha256(b"".join(bits(looped(name, x)) for name in NAMES))
    assert digest.hexdigest() == DIGEST


def test_the_coefficients_are_what_their_script_makes() -> None:
    assert FILE.read_text() == text()


SPECIAL = [
    ("exp", [(INF, INF), (-INF, 0.0), (0.0, 1.0), (-0.0, 1.0), (709.79, INF), (-745.14, 0.0),
             (709.782712893384, 1.7976931348622732e308), (-745.13, 5e-324)]),
    ("expm1", [(INF, INF), (-INF, -1.0), (0.0, 0.0), (-0.0, -0.0), (710.0, INF), (-800.0, -1.0),
               (5e-324, 5e-324), (-5e-324, -5e-324)]),
    ("log", [(INF, INF), (0.0, -INF), (-0.0, -INF), (-5e-324, NAN), (-INF, NAN), (1.0, 0.0),
             (5e-324, -744.4400719213812)]),
    ("log1p", [(INF, INF), (-1.0, -INF), (-1.0000000000000002, NAN), (-INF, NAN), (0.0, 0.0),
               (-0.0, -0.0), (5e-324, 5e-324)]),
    ("norm_pdf", [(INF, 0.0), (-INF, 0.0), (0.0, 0.3989422804014327), (-39.0, 0.0)]),
    ("norm_cdf", [(INF, 1.0), (-INF, 0.0), (0.0, 0.5), (-0.0, 0.5), (-39.0, 0.0), (9.0, 1.0),
                  (1e308, 1.0), (-1e308, 0.0)]),
    ("norm_inv", [(0.0, -INF), (-0.0, -INF), (1.0, INF), (0.5, 0.0), (-5e-324, NAN),
                  (1.0000000000000002, NAN), (INF, NAN), (-INF, NAN), (1e308, NAN)]),
    ("erfc", [(INF, 0.0), (-INF, 2.0), (0.0, 1.0), (-0.0, 1.0), (28.0, 0.0), (-7.0, 2.0)]),
    ("erfcx", [(INF, 0.0), (-INF, INF), (0.0, 1.0), (-26.65, INF),
                (1e308, 5.641895835477565e-309)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "pairs"), SPECIAL)
def test_special_values(name: str, pairs: list[tuple[float, float]]) -> None:
    function = getattr(mathfn, name)
    for x, value in [*pairs, (NAN, NAN)]:
        assert repr(function(x)) == repr(value), x


def test_integers_are_taken_as_numbers() -> None:
    assert exp(1) == exp(1.0) and log(2) == log(2.0) and norm_cdf(-1) == norm_cdf(-1.0)


tries = settings(deadline=None, max_examples=examples(300, 60))


@tries
@given(
    st.sampled_from(["exp", "expm1", "log", "log1p", "norm_cdf", "norm_inv"]),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_neighbours_do_not_fall_by_more_than_the_bound(name: str, u: float) -> None:
    low, high = {"log": (1e-3, 50.0), "log1p": (-0.99, 50.0), "norm_inv": (0.0, 1.0)}.get(
        name, (-37.0, 37.0)
    )
    x = low + (high - low) * u
    function = getattr(mathfn, name)
    here, there = function(x), function(math.nextafter(x, INF))
    assert there >= here - 2.0 * BOUND[name] * math.ulp(here)


@tries
@given(st.floats(allow_nan=False))
def test_both_sides_of_the_normal_distribution_make_one(x: float) -> None:
    assert abs(norm_cdf(x) + norm_cdf(-x) - 1.0) <= math.ulp(1.0)
    assert mathfn.norm_pdf(x) == mathfn.norm_pdf(-x)


@tries
@given(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True))
def test_the_inverse_normal_distribution_is_odd_and_an_inverse(p: float) -> None:
    x = mathfn.norm_inv(p)
    if p >= 0.5:
        assert mathfn.norm_inv(1.0 - p) == -x
    # An error of e in x moves the distribution by density times e.
    room = 5.0 * (math.ulp(x) * mathfn.norm_pdf(x) + math.ulp(p))
    assert abs(norm_cdf(x) - p) <= room


@tries
@given(st.floats(5e-324, 1.7e308))
def test_exp_and_log_undo_each_other(x: float) -> None:
    power = log(x)
    assert exp(power) == pytest.approx(x, rel=2.0**-52 * (1.0 + abs(power)), abs=5e-324)


@tries
@given(st.floats(-0.99, 700.0))
def test_expm1_and_log1p_undo_each_other(x: float) -> None:
    assert mathfn.log1p(mathfn.expm1(x)) == pytest.approx(x, rel=1e-15, abs=0.0)


@tries
@given(st.floats(0.0, 26.0))
def test_the_scaled_error_function_is_scaled(x: float) -> None:
    square = x * x
    rel = 1e-15 * (1.0 + square)
    assert mathfn.erfc(x) == pytest.approx(mathfn.erfcx(x) * exp(-square), rel=rel, abs=0.0)
    assert mathfn.erfc(x) == pytest.approx(2.0 * norm_cdf(-x * math.sqrt(2.0)), rel=rel, abs=0.0)


@kernel
def calls_many(forward, strike, deviation, out):
    """Undiscounted calls by Black's formula."""
    for i in range(forward.size):
        d = log(forward[i] / strike[i]) / deviation[i]
        above = norm_cdf(d + 0.5 * deviation[i])
        out[i] = forward[i] * above - strike[i] * norm_cdf(d - 0.5 * deviation[i])


@pytest.mark.compiled
@pytest.mark.parametrize("loop", [*mathfn.LOOPS, calls_many], ids=lambda f: f.__name__)
def test_loops_are_vector_code(loop: Any) -> None:
    arguments = loop.py_func.__code__.co_argcount * [float64[::1]]
    check_vector_code(loop, *arguments)


FROM_CACHE = """
import numpy as np
from mmquant.core import mathfn
for loop in mathfn.LOOPS:
    loop(np.ones(1), np.zeros(1))
print(sum(loop.stats.cache_hits.total() for loop in mathfn.LOOPS))
"""


@pytest.mark.compiled
@pytest.mark.skipif(DISABLED, reason="nothing is compiled")
def test_another_process_takes_all_loops_from_the_cache() -> None:
    for loop in mathfn.LOOPS:
        loop(np.ones(1), np.zeros(1))
    done = subprocess.run(
        [sys.executable, "-c", FROM_CACHE], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == len(mathfn.LOOPS)
