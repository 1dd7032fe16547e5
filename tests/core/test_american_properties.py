"""Laws that American prices keep, for any option."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.american import ACCURATE, FAST
from mmquant.core.option_rows import DELTA, GAMMA, OPTION_OK, PRICE
from tests.core.american_vectors import results
from tests.core.builders import examples
from tests.oracles.american_tree import european

PUT, CALL = -1.0, 1.0
LIMITED = settings(max_examples=examples(60, 6), deadline=None)

signs = st.sampled_from([PUT, CALL])
strikes = st.floats(50.0, 200.0)
years = st.floats(0.001, 5.0)
vols = st.floats(0.05, 1.5)
rates = st.floats(0.0, 0.15)
markets = st.tuples(years, vols, rates, rates)
any_float = st.floats(allow_nan=True, allow_infinity=True)


@LIMITED
@given(signs, strikes, markets, st.sampled_from([FAST, ACCURATE]))
def test_between_the_bounds(sign: float, strike: float, market: tuple, setting: int) -> None:
    out, status = results(sign, 100.0, strike, *market, setting=setting)
    value = out[PRICE, 0]
    assert status[0] == OPTION_OK
    lower = float(european(sign, np.float64(100.0), strike, *market))
    assert value >= max(lower * (1.0 - 1e-12) - 1e-13, sign * (100.0 - strike), 0.0)
    assert value <= (strike if sign < 0.0 else 100.0)
    assert -1e-3 <= sign * out[DELTA, 0] <= 1.0 + 1e-3
    assert out[GAMMA, 0] >= -1e-3


@LIMITED
@given(strikes, markets)
def test_a_call_is_a_put_with_all_exchanged(strike: float, market: tuple) -> None:
    maturity, vol, rate, q = market
    call, _ = results(CALL, 100.0, strike, maturity, vol, rate, q, setting=FAST)
    put, _ = results(PUT, strike, 100.0, maturity, vol, q, rate, setting=FAST)
    assert call[PRICE, 0] == put[PRICE, 0]


@LIMITED
@given(st.floats(0.1, 10.0), signs, strikes, markets)
def test_prices_scale(scale: float, sign: float, strike: float, market: tuple) -> None:
    one, _ = results(sign, 100.0, strike, *market, setting=FAST)
    other, _ = results(sign, 100.0 * scale, strike * scale, *market, setting=FAST)
    assert math.isclose(other[PRICE, 0], scale * one[PRICE, 0], rel_tol=1e-9, abs_tol=1e-9)


@LIMITED
@given(signs, markets)
def test_monotone_and_convex_in_strike(sign: float, market: tuple) -> None:
    strike = np.linspace(60.0, 160.0, 41)
    value = results(sign, 100.0, strike, *market, setting=ACCURATE)[0][PRICE]
    slope = -sign * np.diff(value)
    assert np.all(slope >= -1e-4)
    assert np.all(slope <= 2.5 + 1e-4)
    assert np.all(np.diff(value, 2) >= -1e-4)


@LIMITED
@given(signs, strikes, st.floats(0.05, 1.0), rates, rates)
def test_worth_more_with_more_time(
    sign: float, strike: float, vol: float, rate: float, q: float
) -> None:
    maturity = np.linspace(0.01, 3.0, 16)
    value = results(sign, 100.0, strike, maturity, vol, rate, q, setting=ACCURATE)[0][PRICE]
    assert np.all(np.diff(value) >= -1e-3)


@LIMITED
@given(signs, strikes, years, rates, rates)
def test_worth_more_with_more_volatility(
    sign: float, strike: float, maturity: float, rate: float, q: float
) -> None:
    vol = np.linspace(0.05, 1.5, 16)
    value = results(sign, 100.0, strike, maturity, vol, rate, q, setting=ACCURATE)[0][PRICE]
    assert np.all(np.diff(value) >= -1e-3)


@LIMITED
@given(st.lists(any_float, min_size=6, max_size=6), st.integers(0, 5), signs)
def test_nan_never_becomes_a_number(values: list[float], place: int, sign: float) -> None:
    values[place] = math.nan
    out, status = results(sign, *values, setting=FAST)
    assert np.isnan(out).all()
    assert status[0] != OPTION_OK


@settings(max_examples=examples(200, 10), deadline=None)
@given(signs, st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6))
def test_a_price_or_a_reason(sign: float, values: list[float]) -> None:
    """Whatever comes in: a status, and with it numbers or NaN, never both."""
    out, status = results(sign, *values, setting=FAST, count=3)
    assert np.isfinite(out[PRICE]).all() == (status[0] == OPTION_OK)
