"""Early exercise: the boundary where it becomes best, and the decision before an ex-date."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core.american import ACCURATE
from mmquant.core.american_dividends import SPOT, dividend_many
from mmquant.core.option_rows import PRICE
from mmquant.errors import DataError
from mmquant.schema import validate
from mmquant.schema.options import ExerciseAdvice, OptionStatus
from tests.options.chains import small_chain

HOLD, EXERCISE, UNKNOWN = ExerciseAdvice.HOLD, ExerciseAdvice.EXERCISE, ExerciseAdvice.UNKNOWN


def test_the_boundary_is_where_waiting_is_worth_nothing() -> None:
    ds = small_chain("american", dividend_yield=0.05)
    found = mm.options.exercise_boundary(ds, accuracy="accurate")
    validate(found, "exercise_boundary")
    boundary = found["boundary"]
    assert boundary.dims == ("expiry", "strike", "right")
    sign = xr.DataArray([1.0, -1.0], {"right": ["C", "P"]}, "right")
    for away, waits in ((1.0 + 1e-6, False), (1.0 - 0.01, True)):
        spot = boundary * away**sign
        price = mm.options.price(ds.assign(spot=spot), accuracy="accurate")["price"]
        extra = price - sign * (spot - ds["strike"])
        assert ((extra > 1e-5) == waits).all()


def test_the_boundary_far_from_expiry_is_the_perpetual_one() -> None:
    rate, q, vol, strike = 0.05, 0.03, 0.3, 100.0
    ds = small_chain("american", rate=rate, dividend_yield=q, vol=vol, years=300.0, strike=[strike])
    found = mm.options.exercise_boundary(ds, accuracy="accurate")["boundary"].squeeze()
    m = (rate - q) / vol**2 - 0.5
    root = np.sqrt(m**2 + 2.0 * rate / vol**2)
    call, put = -m + root, -m - root
    assert float(found.sel(right="C")) == pytest.approx(strike * call / (call - 1.0), rel=1e-3)
    assert float(found.sel(right="P")) == pytest.approx(strike * put / (put - 1.0), rel=1e-3)


def test_no_boundary_where_waiting_is_free() -> None:
    calls = mm.options.exercise_boundary(small_chain("american", dividend_yield=0.0)).sel(right="C")
    puts = mm.options.exercise_boundary(small_chain("american", rate=0.0)).sel(right="P")
    assert (calls["boundary"] == np.inf).all()
    assert (puts["boundary"] == 0.0).all()
    assert (calls["status"] == OptionStatus.OK).all()


def test_the_boundary_needs_no_spot() -> None:
    ds = small_chain("american", dividend_yield=0.04)
    found = mm.options.exercise_boundary(ds.drop_vars("spot"))
    xr.testing.assert_equal(found, mm.options.exercise_boundary(ds))


def eve(**variables: object) -> xr.Dataset:
    """On the eve of an ex-date, with another one later."""
    dividends = {
        "dividend_years": ("dividend", [-0.2, 0.002, 0.3]),
        "dividend_amount": ("dividend", [5.0, 1.5, 1.5]),
    }
    return small_chain("american", **{"dividend_yield": 0.0, "rate": 0.04} | dividends | variables)


def test_advice_is_the_better_of_two_values() -> None:
    found = mm.options.exercise_advice(eve())
    validate(found, "exercise_advice")
    calls, puts = found.sel(right="C"), found.sel(right="P")
    assert calls["advice"].values.tolist() == [
        [EXERCISE, EXERCISE, HOLD, HOLD, HOLD],
        [HOLD] * 5,
    ]
    assert (puts["advice"] == HOLD).all()
    assert calls["exercise_value"].values.tolist()[0] == [20.0, 10.0, 0.0, 0.0, 0.0]
    gain = found["exercise_value"] - found["hold_value"]
    np.testing.assert_array_equal(found["gain"], gain)
    assert (found["status"] == OptionStatus.OK).all()


def test_what_is_held_is_the_option_after_the_drop() -> None:
    found = mm.options.exercise_advice(eve())["hold_value"]
    after = eve(spot=98.5, dividend_amount=("dividend", [0.0, 0.0, 1.5]))
    np.testing.assert_allclose(found, mm.options.price(after)["price"], rtol=1e-13)


def test_a_small_dividend_is_not_worth_the_interest() -> None:
    """A call is held if its strike's interest to the expiry is more than the dividend."""
    small = ("dividend", [5.0, 0.5, 0.0])
    ds = eve(rate=0.08, vol=0.2, dividend_amount=small, strike=[60.0, 80.0])
    found = mm.options.exercise_advice(ds).sel(right="C")["advice"].values
    assert (found[1] == HOLD).all()
    assert (found[0, 0] == EXERCISE) == (60.0 * (1.0 - np.exp(-0.08 * 0.1)) < 0.5)


def test_without_a_dividend_before_expiry_a_deep_put_is_exercised() -> None:
    ds = eve(dividend_years=("dividend", [-0.2, 0.9, 0.95]), strike=[60.0, 100.0, 190.0], vol=0.2)
    found = mm.options.exercise_advice(ds)
    assert found["advice"].sel(right="P").values.tolist() == [[HOLD, HOLD, EXERCISE]] * 2
    assert (found["advice"].sel(right="C") == HOLD).all()


def test_european_options_get_none() -> None:
    ds = eve().drop_attrs().assign(exercise=("expiry", ["american", "european"]))
    advice = mm.options.exercise_advice(ds)
    boundary = mm.options.exercise_boundary(ds.drop_vars(["dividend_years", "dividend_amount"]))
    for found in (advice, boundary):
        assert (found["status"].isel(expiry=1) == OptionStatus.REFUSED).all()
        assert (found["status"].isel(expiry=0) == OptionStatus.OK).all()
    assert (advice["advice"].isel(expiry=1) == UNKNOWN).all()
    assert np.isnan(boundary["boundary"].isel(expiry=1)).all()


def test_an_unknown_dividend_gets_no_advice() -> None:
    found = mm.options.exercise_advice(eve(dividend_amount=("dividend", [5.0, np.nan, 1.5])))
    assert (found["advice"] == UNKNOWN).all()
    assert (found["status"] == OptionStatus.NAN).all()
    assert found["advice"].attrs["flag_meanings"] == "unknown hold exercise"


@pytest.mark.parametrize(
    ("call", "ds", "what"),
    [
        (mm.options.exercise_advice, small_chain("american"), "no ex-date — add 'dividend_years'"),
        (mm.options.exercise_advice, small_chain(), "all options are european, and cannot be"),
        (mm.options.exercise_boundary, small_chain(), "all options are european"),
        (mm.options.exercise_boundary, eve(), "no one boundary with them — drop 'dividend_years'"),
    ],
)
def test_what_cannot_be_asked_is_named(
    call: Callable[..., object], ds: xr.Dataset, what: str
) -> None:
    with pytest.raises(DataError, match=what):
        call(ds)


def test_the_spot_model_holds_what_its_grid_says() -> None:
    ds = eve(vol=0.25).isel(expiry=1)
    found = mm.options.exercise_advice(ds, dividends="spot", accuracy="accurate")
    sign, strike = np.repeat([1.0, -1.0], 5), np.tile(ds["strike"].values, 2)
    market = (np.full(10, value) for value in (0.75, 0.25, 0.04, 0.0))
    out, status = np.empty((3, 10)), np.empty(10, np.int64)
    later = (np.array([0.3]), np.array([1.5]))
    dividend_many(
        sign, np.full(10, 98.5), strike, *market, *later, SPOT, True, ACCURATE, out, status
    )
    np.testing.assert_allclose(found["hold_value"].values.T.ravel(), out[PRICE], atol=1e-6)
