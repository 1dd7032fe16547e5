"""Options at the edges: each gets a number, or NaN and a status that says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.errors import DataError
from mmquant.schema.options import ExerciseAdvice, OptionStatus

STYLES = ("american", "european")
GREEKS = ("delta", "gamma", "vega", "theta", "rho")


def single(exercise: str = "american", **variables: Any) -> xr.Dataset:
    """One call at the money without dims."""
    market = {"spot": 100.0, "strike": 100.0, "right": "C", "years": 0.5, "vol": 0.2, "rate": 0.03}
    return xr.Dataset(market | variables, attrs={"exercise": exercise})


def dividends(*pairs: tuple[float, float]) -> dict[str, Any]:
    years, amounts = zip(*pairs, strict=True)
    return {
        "dividend_years": ("dividend", list(years)),
        "dividend_amount": ("dividend", list(amounts)),
    }


@pytest.mark.parametrize("exercise", STYLES)
def test_an_option_without_dims(exercise: str) -> None:
    found = mm.options.greeks(single(exercise))
    assert float(found["price"]) == pytest.approx(6.3710, abs=1e-4)  # no dividend: both alike
    assert found["price"].dims == ()


@pytest.mark.parametrize("exercise", STYLES)
def test_without_time_intrinsic_value_is_left(exercise: str) -> None:
    strike = xr.DataArray([90.0, 100.0, 110.0], dims="strike")
    found = mm.options.greeks(single(exercise, years=0.0, strike=strike))
    assert found["price"].values.tolist() == [10.0, 0.0, 0.0]
    assert found["status"].values.tolist() == [
        OptionStatus.OK,
        OptionStatus.REFUSED,
        OptionStatus.OK,
    ]
    assert found["delta"].values[[0, 2]].tolist() == [1.0, 0.0]
    for name in GREEKS:
        assert np.isnan(found[name].values).tolist() == [False, True, False]


@pytest.mark.parametrize("exercise", STYLES)
@pytest.mark.parametrize(
    ("price", "status"),
    [
        (9.0, OptionStatus.BELOW),
        (10.0, OptionStatus.AT_INTRINSIC),
        (11.0, OptionStatus.ABOVE),
        (np.nan, OptionStatus.NAN),
    ],
)
def test_without_time_no_price_has_a_vol(exercise: str, price: float, status: int) -> None:
    ds = single(exercise, years=0.0, strike=90.0, price=price).drop_vars("vol")
    found = mm.options.implied_vol(ds)
    assert np.isnan(found["implied_vol"])
    assert found["status"] == status


@pytest.mark.parametrize("exercise", STYLES)
def test_expired_options_have_no_number(exercise: str) -> None:
    for more in ({}, dividends((0.1, 1.0))):
        found = mm.options.greeks(single(exercise, years=-0.01, **more))
        assert np.isnan(found["price"])
        assert found["status"] == OptionStatus.BAD_INPUT


def test_greeks_without_volatility_are_not_all_there() -> None:
    """The price is that of the forward; what has no derivative is refused, not left out."""
    found = mm.options.greeks(single(vol=0.0))
    assert float(found["price"]) == pytest.approx(100.0 * (1.0 - np.exp(-0.015)), rel=1e-12)
    assert np.isnan(found["vega"])
    assert found["status"] == OptionStatus.REFUSED
    assert mm.options.price(single(vol=0.0))["status"] == OptionStatus.OK
    boundary = mm.options.exercise_boundary(single(vol=0.0, right="P"))
    assert boundary["status"] == OptionStatus.REFUSED


@pytest.mark.parametrize(("exercise", "model"), [("american", "escrowed"), ("european", "spot")])
@pytest.mark.parametrize("vol", [0.0, 0.001, 20.0])
def test_vols_beyond_the_grid_are_refused(exercise: str, model: Any, vol: float) -> None:
    """Percent in the place of 0.20, for one."""
    ds = single(exercise, vol=vol, **dividends((0.1, 1.0)))
    found = mm.options.greeks(ds, dividends=model)
    assert np.isnan(found["price"])
    assert found["status"] == OptionStatus.REFUSED


@pytest.mark.parametrize("exercise", STYLES)
@pytest.mark.parametrize("model", ["escrowed", "spot"])
def test_negative_dividends_make_no_sense(exercise: str, model: Any) -> None:
    ds = single(exercise, **dividends((0.1, -1.0), (0.2, 1.0)))
    found = mm.options.greeks(ds, dividends=model)
    assert np.isnan(found["price"])
    assert found["status"] == OptionStatus.BAD_INPUT


@pytest.mark.parametrize("exercise", STYLES)
def test_dividends_worth_more_than_the_stock_are_refused(exercise: str) -> None:
    found = mm.options.price(single(exercise, **dividends((0.1, 120.0))))
    assert found["status"] == OptionStatus.REFUSED


def test_advice_on_dividends_that_cannot_be() -> None:
    for amount, status in ((-1.0, OptionStatus.BAD_INPUT), (120.0, OptionStatus.REFUSED)):
        found = mm.options.exercise_advice(single(**dividends((0.01, amount), (0.3, 1.0))))
        assert found["status"] == status
        assert found["advice"] == ExerciseAdvice.UNKNOWN


@pytest.mark.parametrize("rate", [-0.05, -0.01, 0.0, 0.03])
@pytest.mark.parametrize("exercise", STYLES)
def test_rates_of_any_sign_with_dividends(exercise: str, rate: float) -> None:
    right = xr.DataArray(["C", "P"], dims="right")
    found = mm.options.greeks(single(exercise, rate=rate, right=right, **dividends((0.1, 1.0))))
    assert (found["status"] == OptionStatus.OK).all()
    if exercise == "european":
        forward = 100.0 - np.exp(-0.1 * rate) - 100.0 * np.exp(-0.5 * rate)
        assert float(found["price"][0] - found["price"][1]) == pytest.approx(forward, abs=1e-9)


@pytest.mark.parametrize("exercise", STYLES)
def test_deep_options(exercise: str) -> None:
    """The in the money side is worth its forward or exercise, the other side next to nothing."""
    strike = xr.DataArray([1.0, 1000.0], dims="strike")
    right = xr.DataArray(["C", "P"], dims="right")
    paid = np.exp(-0.1 * 0.03)
    found = mm.options.price(single(exercise, strike=strike, right=right, **dividends((0.1, 1.0))))
    price = found["price"].transpose("strike", "right").values
    call = 100.0 - np.exp(-0.015) - paid
    put = 1000.0 * np.exp(-0.015) - 100.0 + paid
    exercised = 100.0 - np.exp(-0.003)  # just before the ex-date: the strike then
    wanted = (call, put) if exercise == "european" else (exercised, 900.0)
    assert (price[0, 0], price[1, 1]) == pytest.approx(wanted, abs=1e-3)
    assert max(price[0, 1], price[1, 0]) < 1e-12
    assert (found["status"] == OptionStatus.OK).all()


def test_rights_of_any_type() -> None:
    for rights in (np.array([b"C", b"P"]), np.array(["C", "P"], object), np.array([1.0, -1.0])):
        found = mm.options.price(single(right=xr.DataArray(rights, dims="right")))
        assert float(found["price"][0]) > float(found["price"][1])


@pytest.mark.parametrize("right", ["c", "call", True, np.nan])
def test_a_right_that_is_none_is_named(right: Any) -> None:
    with pytest.raises(DataError, match=r"'right' has \S+ — use 'C' or 1 for a call"):
        mm.options.price(single(right=right))


def test_mixed_styles_with_dividends_in_any_order_and_chunks() -> None:
    vol = xr.DataArray([[0.2, 0.3], [0.25, 0.2]], dims=("strike", "expiry"))
    ds = single(
        strike=xr.DataArray([90.0, 110.0], dims="strike"),
        years=xr.DataArray([0.3, 0.6], dims="expiry"),
        right=xr.DataArray(["C", "P"], dims="right"),
        vol=vol,
        **dividends((0.1, 1.0), (0.4, 1.0)),
    )
    ds = ds.drop_attrs().assign(exercise=("style", list(STYLES)))
    found = mm.options.greeks(ds)
    assert (found["status"] == OptionStatus.OK).all()
    turned = ds.transpose("style", "right", "expiry", "dividend", "strike")
    xr.testing.assert_allclose(mm.options.greeks(turned), found, rtol=1e-13)
    parts = mm.options.greeks(ds.chunk(expiry=1, strike=1, style=1)).compute()
    xr.testing.assert_identical(parts, found)
    for i, style in enumerate(STYLES):
        alone = mm.options.greeks(ds.drop_vars("exercise").assign_attrs(exercise=style))
        xr.testing.assert_equal(found.isel(style=i), alone)
