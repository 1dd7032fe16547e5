"""The made-up chain: quotes of prices that are known, the same for the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.data.chains.demo import DIVIDEND_YIELD, RATE, YEAR, demo_variance
from mmquant.errors import UsageError
from tests.options.quote_chains import black


@pytest.mark.parametrize("exercise", ["european", "american"])
def test_prices_are_between_bid_and_ask(exercise: str) -> None:
    ds = mm.make_demo_chain(minutes=2, expiries=4, strikes=9, exercise=exercise)
    assert ds.sizes == {"time": 2, "contract": 72}
    spot = 0.5 * (ds["underlying_bid"] + ds["underlying_ask"]).values
    for t, c in np.ndindex(2, 72):
        years = float((ds["expiry"].values[c] - ds["time"].values[t]) / YEAR)
        forward, strike = (
            spot[t] * math.exp((RATE - DIVIDEND_YIELD) * years),
            ds["strike"].values[c],
        )
        w = float(demo_variance(np.array([math.log(strike / forward)]), years)[0])
        sign = 1.0 if ds["right"].values[c] == "C" else -1.0
        price = black(sign, forward, strike, math.sqrt(w), math.exp(-RATE * years))
        bid, ask = np.nan_to_num(ds["bid"].values[t, c]), ds["ask"].values[t, c]
        assert price < ask
        if exercise == "european":
            assert bid < price
        assert round(ask * 20, 6) % 1 == 0


def test_same_arguments_same_values_and_another_seed_others() -> None:
    one, same = (mm.make_demo_chain(minutes=2, expiries=2, strikes=5) for _ in "ab")
    xr.testing.assert_identical(one, same)
    other = mm.make_demo_chain(seed=8, minutes=2, expiries=2, strikes=5)
    assert not other["bid"].identical(one["bid"])


def test_expiries_are_different_days_and_strikes_differ() -> None:
    ds = mm.make_demo_chain(minutes=1, expiries=16, strikes=40)
    assert len(np.unique(ds["expiry"].values)) == 16
    keys = zip(ds["expiry"].values, ds["strike"].values, ds["right"].values, strict=True)
    assert len(set(keys)) == 16 * 80
    assert (ds["expiry"].values > ds["time"].values[0]).all()


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 0}, {"strikes": 2}, {"expiries": 0}, {"exercise": "both"}, {"minutes": 391}],
)
def test_what_cannot_be_made_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        mm.make_demo_chain(**wrong)
