"""American quotes as European ones: against the accurate engine and Black's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.american import ACCURATE, american_many
from mmquant.core.black import black_price
from mmquant.core.early_exercise import european_values, make_exercise_work
from tests.core.american_vectors import same_bits
from tests.core.plain import plain

SPOT = 100.0
MARKETS = [
    (0.02, 0.03, 0.0),
    (0.25, 0.05, 0.01),
    (0.25, 0.01, 0.06),
    (1.0, 0.05, 0.0),
    (2.0, 0.03, 0.03),
    (2.0, 0.0, 0.02),
]
"""Years, rate and yield."""


def american(sign, strike, years, vol, rate, dividend_yield):
    n = sign.size
    out, status = np.empty((3, n)), np.empty(n, np.int64)
    full = (np.full(n, x) for x in (years, rate, dividend_yield))
    t, r, q = full
    american_many(sign, np.full(n, SPOT), strike, t, vol, r, q, ACCURATE, out, status)
    assert (status == 0).all()
    return out[0]


def european(sign, strike, price, years, rate, dividend_yield, start=0.0, kernel=european_values):
    n = sign.size
    vol, value, premium, move = np.full(n, start), np.empty(n), np.empty(n), np.empty(n)
    kernel(
        sign, strike, price, SPOT, years, rate, dividend_yield, vol, value, premium, move,
        make_exercise_work(n),
    )  # fmt: skip
    return value, vol


def chain(years):
    """Calls and puts over one and a half deviations around the money, with a smile."""
    k = np.linspace(-1.5, 1.5, 9) * 0.3 * math.sqrt(years)
    strike = np.tile(SPOT * np.exp(k), 2)
    vol = np.tile(0.3 - 0.1 * k / math.sqrt(years) + 0.05 * k * k / years, 2)
    return np.repeat([1.0, -1.0], 9), strike, vol


@pytest.mark.parametrize(("years", "rate", "dividend_yield"), MARKETS)
def test_the_european_value_at_the_same_volatility_comes_back(years, rate, dividend_yield):
    sign, strike, vol = chain(years)
    price = american(sign, strike, years, vol, rate, dividend_yield)
    value, found = european(sign, strike, price, years, rate, dividend_yield)
    forward = SPOT * math.exp((rate - dividend_yield) * years)
    want = np.array(
        [
            black_price(s, forward, k, years, v, rate)
            for s, k, v in zip(sign, strike, vol, strict=True)
        ]
    )
    out_of_money = np.where(sign > 0, strike >= forward, strike <= forward)
    # The fast engine, whose boundaries a smile shares, is within 3e-4 of prices near 100.
    assert np.abs(value - want)[out_of_money].max() < 3e-4
    assert np.abs(found - vol)[out_of_money].max() < 2e-4
    inside = ~out_of_money & np.isfinite(value)
    assert inside.sum() > 4
    assert np.abs(value - want)[inside].max() < 2e-2


def test_calls_and_puts_of_a_strike_meet_parity_again():
    years, rate, dividend_yield = 1.0, 0.04, 0.02
    strike = np.tile(np.linspace(90, 110, 5), 2)
    sign, vol = np.repeat([1.0, -1.0], 5), np.full(10, 0.25)
    price = american(sign, strike, years, vol, rate, dividend_yield)
    value, _ = european(sign, strike, price, years, rate, dividend_yield)
    discount = math.exp(-rate * years)
    forward = SPOT * math.exp((rate - dividend_yield) * years)
    raw = np.abs(price[:5] - price[5:] - discount * (forward - strike[:5])).max()
    left = np.abs(value[:5] - value[5:] - discount * (forward - strike[:5])).max()
    assert raw > 0.3
    assert left < 1e-3


def test_without_interest_and_yield_nothing_comes_off():
    sign, strike, vol = chain(0.5)
    price = np.array(
        [black_price(s, SPOT, k, 0.5, v, 0.0) for s, k, v in zip(sign, strike, vol, strict=True)]
    )
    value, found = european(sign, strike, price, 0.5, 0.0, 0.0)
    assert value == pytest.approx(price, abs=1e-12)
    assert found == pytest.approx(vol, abs=1e-9)


def test_a_price_that_is_all_early_exercise_has_none():
    sign, strike = np.array([-1.0, -1.0]), np.array([150.0, 100.0])
    value, vol = european(sign, strike, np.array([50.0, 8.0]), 1.0, 0.08, 0.0)
    assert np.isnan(value[0])
    assert np.isnan(vol[0])
    assert 0 < value[1] < 8.0


def test_a_start_changes_nothing_but_the_way():
    sign, strike, vol = chain(1.0)
    price = american(sign, strike, 1.0, vol, 0.05, 0.0)
    cold = european(sign, strike, price, 1.0, 0.05, 0.0)
    warm = european(sign, strike, price, 1.0, 0.05, 0.0, start=0.28)
    # In the money, a price next to its intrinsic value is that of many volatilities.
    out_of_money = np.where(sign > 0, strike >= SPOT, strike <= SPOT)
    assert out_of_money.sum() > 8
    assert warm[0][out_of_money] == pytest.approx(cold[0][out_of_money], abs=1e-5)


def test_plain_python_gives_the_same_bits():
    sign, strike, vol = (x[::4] for x in chain(0.25))
    price = american(sign, strike, 0.25, vol, 0.05, 0.01)
    args = (sign, strike, price, 0.25, 0.05, 0.01)
    compiled = european(*args)
    slow = european(*args, kernel=plain(european_values))
    assert same_bits(compiled[0], slow[0])
    assert same_bits(compiled[1], slow[1])
