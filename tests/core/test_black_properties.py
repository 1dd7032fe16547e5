"""Laws of European options at random markets: parity, bounds, shape, slopes, and NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.option_rows import (
    CHARM,
    DELTA,
    GAMMA,
    PRICE,
    RHO,
    THETA,
    VANNA,
    VEGA,
    VOLGA,
)
from tests.core.builders import examples
from tests.core.option_points import SPOT, one, random_inputs, spot_table

INF, NAN = math.inf, math.nan

tries = settings(deadline=None, max_examples=examples(200, 30))

MARKETS = {
    "spot": st.floats(1.0, 1e4),
    "moneyness": st.floats(-4.0, 4.0),
    "years": st.floats(0.003, 5.0),
    "vol": st.floats(0.02, 2.0),
    "rate": st.floats(-0.03, 0.12),
    "dividend_yield": st.floats(-0.02, 0.1),
}


def strike_of(spot: float, moneyness: float, years: float, vol: float) -> float:
    """A strike so many deviations away."""
    return spot * math.exp(moneyness * vol * math.sqrt(years))


@tries
@given(**MARKETS)
def test_parity_and_bounds(
    spot: float, moneyness: float, years: float, vol: float, rate: float, dividend_yield: float
) -> None:
    strike = strike_of(spot, moneyness, years, vol)
    call, put = (one(sign, spot, strike, years, vol, rate, dividend_yield) for sign in (1.0, -1.0))
    held, owed = spot * math.exp(-dividend_yield * years), strike * math.exp(-rate * years)
    room = 8.0 * math.ulp(held + owed)
    assert abs(call[PRICE] - put[PRICE] - (held - owed)) <= room
    assert abs(call[DELTA] - put[DELTA] - held / spot) <= room / spot
    assert abs(call[RHO] - put[RHO] - years * owed) <= years * room
    for row in (GAMMA, VEGA, VANNA, VOLGA):
        assert call[row] == put[row]
    assert max(held - owed, 0.0) - room <= call[PRICE] <= held + room
    assert max(owed - held, 0.0) - room <= put[PRICE] <= owed + room
    assert 0.0 <= call[DELTA] * spot <= held + room and -held - room <= put[DELTA] * spot <= 0.0
    assert call[GAMMA] >= 0.0 and call[VEGA] >= 0.0


@tries
@given(**MARKETS, width=st.floats(1e-3, 0.2))
def test_calls_fall_and_bend_upwards_in_the_strike(
    spot: float, moneyness: float, years: float, vol: float, rate: float, dividend_yield: float,
    width: float,
) -> None:  # fmt: skip
    middle = strike_of(spot, moneyness, years, vol)
    strikes = middle * np.array([1.0 - width, 1.0, 1.0 + width])
    low, mid, high = spot_table([1.0], [spot], strikes, [years], [vol], [rate], [dividend_yield])[
        PRICE
    ]
    room = 4.0 * math.ulp(spot + middle)
    discount = math.exp(-rate * years)
    for near, far, step in ((low, mid, strikes[1] - strikes[0]), (mid, high, middle * width)):
        assert -room <= near - far <= discount * step + room
    assert low - 2.0 * mid + high >= -4.0 * room


def derivative(function: Any, x: float, step: float) -> float:
    """Of eighth order."""
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    ups = [function(x + k * step) - function(x - k * step) for k in range(1, 5)]
    return sum(w * d for w, d in zip(weights, ups, strict=True)) / step


DERIVATIVES = [
    (DELTA, PRICE, "spot", 1.0), (GAMMA, DELTA, "spot", 1.0), (VEGA, PRICE, "vol", 1.0),
    (THETA, PRICE, "years", -1.0), (RHO, PRICE, "rate", 1.0), (VANNA, DELTA, "vol", 1.0),
    (VOLGA, VEGA, "vol", 1.0), (CHARM, DELTA, "years", -1.0),
]  # fmt: skip


@settings(deadline=None, max_examples=examples(60, 10))
@given(
    sign=st.sampled_from([-1.0, 1.0]),
    spot=st.floats(50.0, 200.0),
    moneyness=st.floats(-1.5, 1.5),
    years=st.floats(0.1, 3.0),
    vol=st.floats(0.1, 0.8),
    rate=st.floats(-0.03, 0.12),
    dividend_yield=st.floats(-0.02, 0.1),
)
def test_greeks_are_slopes(
    sign: float, spot: float, moneyness: float, years: float, vol: float, rate: float,
    dividend_yield: float,
) -> None:  # fmt: skip
    strike = strike_of(spot, moneyness, years, vol)
    at = dict(zip(SPOT, (sign, spot, strike, years, vol, rate, dividend_yield), strict=True))
    found = one(*at.values())
    steps = {"spot": 0.02 * spot * vol * math.sqrt(years), "vol": 0.02 * vol,
             "years": 0.02 * years, "rate": 0.002}  # fmt: skip
    for row, of, by, turn in DERIVATIVES:
        slope = turn * derivative(
            lambda x, by=by, of=of: one(*(at | {by: x}).values())[of], at[by], steps[by]
        )
        size = abs(found[of]) + spot * (1.0 if of in (PRICE, VEGA) else 1.0 / spot)
        assert found[row] == pytest.approx(slope, rel=1e-8, abs=1e-12 * size / steps[by]), row


@tries
@given(st.integers(0, 6), st.sampled_from([NAN, INF, -INF]), st.integers(0, 1000))
def test_nan_never_turns_into_a_number(which: int, value: float, seed: int) -> None:
    inputs = random_inputs(seed, 5)
    inputs[which][:] = value
    assert np.isnan(spot_table(*inputs)).all()
