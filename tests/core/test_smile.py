"""SVI, its Jump-Wings and g against 40 digits, published numbers and their own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from mmquant.core import smile
from tests.core.plain import plain

VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
"""Vogt's example (Gatheral and Jacquier 2014, example 3.1): a, b, rho, m, sigma; one year."""
RAW = st.tuples(
    st.floats(-0.005, 0.1),
    st.floats(0.01, 0.6),
    st.floats(-0.95, 0.95),
    st.floats(-0.3, 0.3),
    st.floats(0.05, 0.6),
)


def exact_w(k: mpf, raw: tuple[float, ...]) -> mpf:
    a, b, rho, m, sigma = map(mpf, raw)
    return a + b * (rho * (k - m) + mp.sqrt((k - m) ** 2 + sigma**2))


def exact_density(k: float, raw: tuple[float, ...]) -> mpf:
    """Density of the logarithm, by the second derivative of the call price by the strike."""

    def call(strike: mpf) -> mpf:
        root = mp.sqrt(exact_w(mp.log(strike), raw))
        d1 = -mp.log(strike) / root + root / 2
        return mp.ncdf(d1) - strike * mp.ncdf(d1 - root)

    strike = mp.exp(mpf(k))
    return mp.diff(call, strike, 2) * strike


@pytest.mark.parametrize("k", [-3.0, -0.7, 0.0, 0.3586, 1.1])
def test_derivatives(k: float) -> None:
    with mp.workdps(40):
        exact = [mp.diff(lambda x: exact_w(x, VOGT), mpf(k), n) for n in range(3)]
    assert np.allclose(smile.svi_variance(k, *VOGT), [float(x) for x in exact], rtol=1e-12, atol=0)


@pytest.mark.parametrize("k", [-1.0, 0.0, 0.4, 0.9, 1.4])
def test_the_density_is_the_second_derivative_of_the_call(k: float) -> None:
    with mp.workdps(40):
        exact = float(exact_density(k, VOGT))
    assert smile.density(k, *smile.svi_variance(k, *VOGT)) == pytest.approx(exact, rel=1e-9)


def test_published_numbers_of_vogts_example() -> None:
    wings = smile.jump_wings(1.0, *VOGT)
    published = (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249)
    assert wings == pytest.approx(published, rel=1e-6)
    density = smile.butterfly_g(0.9, *smile.svi_variance(0.9, *VOGT))
    assert density == pytest.approx(-0.03268513, abs=1e-8)


@settings(deadline=None)
@given(RAW, st.floats(0.02, 5.0))
def test_jump_wings_both_ways(raw: tuple[float, ...], years: float) -> None:
    wings = smile.jump_wings(years, *raw)
    # Where the least variance is at the money, Jump-Wings do not tell a from sigma.
    if not wings[4] > 1e-4 or wings[0] - wings[4] < 1e-3 * wings[0]:
        return
    k = np.linspace(-1.0, 1.0, 9)
    back = np.array(smile.raw_of_jump_wings(years, *wings))
    first, second = np.empty((3, 9)), np.empty((3, 9))
    smile.svi_many(k, np.array(raw), first)
    smile.svi_many(k, back, second)
    assert np.allclose(first, second, rtol=1e-5, atol=1e-8)


def test_wings_that_stand_for_no_slice_are_nan() -> None:
    assert np.isnan(smile.jump_wings(1.0, -0.5, 0.1, 0.0, 0.0, 0.1)).all()
    assert math.isnan(smile.raw_of_jump_wings(1.0, 0.04, 0.0, 0.5, 0.5, 0.05)[0])
    assert math.isnan(smile.raw_of_jump_wings(1.0, 0.04, 3.0, 0.5, 0.5, 0.02)[4])
    assert math.isnan(smile.butterfly_g(0.0, 0.0, 0.1, 0.1))
    assert math.isnan(smile.butterfly_g(0.0, math.nan, 0.1, 0.1))


def test_slopes_of_the_wings() -> None:
    left, right = smile.lee_slopes(VOGT[1], VOGT[2])
    assert -smile.svi_variance(-1e9, *VOGT)[1] == pytest.approx(left)
    assert smile.svi_variance(1e9, *VOGT)[1] == pytest.approx(right)


def test_plain_python_gives_the_same_bits() -> None:
    k, raw = np.linspace(-2.0, 2.0, 101), np.array(VOGT)
    compiled, slow = np.empty((3, 101)), np.empty((3, 101))
    smile.svi_many(k, raw, compiled)
    plain(smile.svi_many)(k, raw, slow)
    assert compiled.tobytes() == slow.tobytes()
    wings = smile.jump_wings(0.7, *VOGT)
    assert wings == plain(smile.jump_wings)(0.7, *VOGT)
    assert smile.raw_of_jump_wings(0.7, *wings) == plain(smile.raw_of_jump_wings)(0.7, *wings)
    assert smile.density(0.9, *compiled[:, 50]) == plain(smile.density)(0.9, *compiled[:, 50])
