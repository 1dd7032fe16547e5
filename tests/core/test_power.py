"""Squares and cubes have the bits of the C library's pow; all else is handed to it."""

from __future__ import annotations

import math
import platform
from fractions import Fraction

import numpy as np
import pytest

from mmquant.core.jit import kernel
from mmquant.core.power import power
from tests.core.plain import plain as plain_of


@kernel
def unequal(x, n):
    """How many powers differ from ``math.pow``."""
    count = 0
    for i in range(x.shape[0]):
        ours, theirs = power(x[i], n), math.pow(x[i], n)
        count += 1 if ours != theirs else 0
    return count


def bases(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.0, 1.0, count)
    quotients = rng.integers(1, 500, count) / rng.integers(1, 500, count)
    sizes = np.exp(rng.uniform(-13.0, 13.0, count))
    return np.concatenate([shares, quotients, sizes, [0.0, 1.0, 2.0, 2.0**-20, 2.0**20]])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the bits are those of glibc's pow")
@pytest.mark.parametrize("n", [2.0, 3.0])
def test_bits_of_pow(n: float) -> None:
    assert unequal(bases(1, 1_000_000), n) == 0


@pytest.mark.parametrize("n", [2.0, 3.0])
def test_within_a_rounding_of_the_exact_power(n: float) -> None:
    for x in bases(2, 300):
        exact = Fraction(float(x)) ** int(n)
        off = abs(Fraction(power(float(x), n)) - exact)
        assert off <= Fraction(math.ulp(float(exact))) * Fraction(52, 100)


@pytest.mark.parametrize("x", [-2.0, -0.5, 0.0, 1e-9, 1e9, math.inf, math.nan, 0.3])
@pytest.mark.parametrize("n", [1.0, 1.7, 4.0, -3.0])
def test_other_powers_are_those_of_the_library(x: float, n: float) -> None:
    try:
        expected = math.pow(x, n)
    except (ValueError, ZeroDivisionError):
        return
    assert power(x, n) == expected or math.isnan(expected)


@pytest.mark.parametrize("x", [math.nan, -3.0, math.inf, 0.0, 1e90])
def test_factors_of_another_size(x: float) -> None:
    with np.errstate(all="ignore"):
        assert np.array_equal([power(x, 3.0)], np.power([x], 3.0), equal_nan=True)


def test_plain_python_has_the_same_bits() -> None:
    plain = plain_of(power)
    for x in bases(3, 200):
        for n in (2.0, 3.0, 1.5):
            assert plain(float(x), n) == power(float(x), n)
