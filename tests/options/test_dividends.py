"""Cash dividends: which of them count, and what they do to values and greeks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vollib.black_scholes as theirs
import xarray as xr

import mmquant as mm
from mmquant.schema.options import OptionStatus
from tests.options.chains import small_chain

DATES = {"dividend_years": ("dividend", [-0.1, 0.0, 0.05, 0.1, 0.3, 0.74, 0.9])}
AMOUNTS = {"dividend_amount": ("dividend", [9.0, 9.0, 0.5, 0.7, 0.9, 0.8, 9.0])}


def chain(**variables: object) -> xr.Dataset:
    """Without a yield; expiries of 0.1 and 0.75 years."""
    return small_chain(**{"dividend_yield": 0.0, "rate": 0.04} | DATES | AMOUNTS | variables)


def test_dividends_after_now_up_to_the_expiry_count() -> None:
    ds = chain()
    found = mm.options.price(ds)["price"]
    for expiry, counting in ((0, [2, 3]), (1, [2, 3, 4, 5])):
        worth = sum(
            AMOUNTS["dividend_amount"][1][i] * np.exp(-0.04 * DATES["dividend_years"][1][i])
            for i in counting
        )
        for strike in ds["strike"].values:
            one = found.isel(expiry=expiry).sel(strike=strike)
            t = float(ds["years"][expiry])
            vol = float(ds["vol"].isel(expiry=expiry).sel(strike=strike))
            for right in ("C", "P"):
                wanted = theirs.black_scholes(right.lower(), 100.0 - worth, strike, t, 0.04, vol)
                assert float(one.sel(right=right)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("greek", "name", "step", "order"),
    [
        ("delta", "spot", 1e-2, 1),
        ("gamma", "spot", 5e-2, 2),
        ("vega", "vol", 1e-4, 1),
        ("rho", "rate", 1e-4, 1),
        ("volga", "vol", 1e-3, 2),
    ],
)
def test_greeks_are_differences_of_prices(greek: str, name: str, step: float, order: int) -> None:
    ds = chain(dividend_yield=0.02)
    found = mm.options.greeks(ds)[greek]
    differences = difference("price", ds, {name: step}, order)
    np.testing.assert_allclose(found, differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("greek", "of"), [("theta", "price"), ("charm", "delta")])
def test_time_passes_for_dividends_too(greek: str, of: str) -> None:
    ds = chain(
        dividend_yield=0.02, dividend_years=("dividend", [-0.1, 0.03, 0.05, 0.12, 0.3, 0.8, 0.9])
    )
    found = mm.options.greeks(ds)[greek]
    passing = {"years": -1e-4, "dividend_years": -1e-4}
    np.testing.assert_allclose(found, difference(of, ds, passing, 1), rtol=1e-5, atol=1e-7)


def difference(of: str, ds: xr.Dataset, steps: dict[str, float], order: int) -> xr.DataArray:
    """Central difference of fourth order."""
    places = np.arange(-2.0, 3.0)
    weights = {1: [1, -8, 0, 8, -1], 2: [-1, 16, -30, 16, -1]}[order]
    total = 0.0
    for place, weight in zip(places, weights, strict=True):
        moved = ds.assign({name: ds[name] + place * step for name, step in steps.items()})
        total = total + weight * mm.options.greeks(moved)[of]
    step = abs(next(iter(steps.values())))
    sign = np.sign(next(iter(steps.values()))) ** order
    sign = -sign if "years" in steps else sign
    return sign * total / (12.0 * step**order)


def test_the_vol_comes_back() -> None:
    ds = chain()
    found = mm.options.implied_vol(ds.assign(price=mm.options.price(ds)["price"]))
    vol, wanted = xr.broadcast(found["implied_vol"], ds["vol"])
    np.testing.assert_allclose(vol, wanted, rtol=1e-9)
    assert found.attrs["method"].endswith("cash dividends: escrowed model")


def test_dividends_may_have_dims() -> None:
    """Times to ex-dates that shorten day by day: the same as day by day."""
    days = np.array([0.0, 0.02, 0.04])
    ds = chain(spot=("time", [100.0, 101.0, 99.0]))
    ds["dividend_years"] = ds["dividend_years"] - xr.DataArray(days, dims="time")
    found = mm.options.greeks(ds)
    for chunked in (ds.chunk(time=1), ds.chunk(dividend=2, strike=1)):
        xr.testing.assert_identical(mm.options.greeks(chunked).compute(), found)
    for day in range(3):
        one = mm.options.greeks(ds.isel(time=day))
        np.testing.assert_array_equal(found["price"].isel(time=day), one["price"])


def test_a_dividend_that_is_not_known_gives_no_number() -> None:
    for name in ("dividend_years", "dividend_amount"):
        ds = chain()
        hole = ds.assign({name: ds[name].where(ds[name] != ds[name][2])})
        found = mm.options.greeks(hole)
        assert np.isnan(found["delta"]).all()
        assert (found["status"] == OptionStatus.NAN).all()


def test_dividends_above_the_spot_are_refused() -> None:
    found = mm.options.price(chain(dividend_amount=("dividend", [0, 0, 0, 0, 150.0, 0, 0])))
    assert (found["status"].isel(expiry=1) == OptionStatus.REFUSED).all()
    assert (found["status"].isel(expiry=0) == OptionStatus.OK).all()


def test_no_dividend_at_all() -> None:
    empty = chain().isel(dividend=slice(0, 0))
    plain = chain().drop_vars(["dividend_years", "dividend_amount"])
    xr.testing.assert_equal(mm.options.greeks(empty), mm.options.greeks(plain))


def listed(exercise: str) -> xr.Dataset:
    """A call and a put of a year with a dividend of 7 in the middle, and a deep call of a month."""
    return xr.Dataset(
        {
            "spot": 100.0,
            "strike": ("option", [100.0, 100.0, 90.0]),
            "right": ("option", ["C", "P", "C"]),
            "years": ("option", [1.0, 1.0, 30 / 365]),
            "rate": ("option", [0.06, 0.06, 0.045]),
            "vol": ("option", [0.3, 0.3, 0.25]),
            "dividend_years": (("option", "dividend"), [[182 / 365], [182 / 365], [10 / 365]]),
            "dividend_amount": (("option", "dividend"), [[7.0], [7.0], [1.5]]),
        },
        attrs={"exercise": exercise},
    )


VALUES = {
    ("american", "spot"): [11.650640, 12.902839, 10.141882],
    ("american", "escrowed"): [11.192447, 12.452616, 10.139278],
    ("european", "spot"): [11.104886, 12.075006, 9.139464],
    ("european", "escrowed"): [10.692884, 11.663006, 9.133547],
}
"""By QuantLib's finite differences on a grid of 2,000 by 2,000."""


@pytest.mark.parametrize(("exercise", "model"), VALUES)
def test_both_models_and_styles(exercise: str, model: Any) -> None:
    found = mm.options.greeks(listed(exercise), dividends=model, accuracy="accurate")
    np.testing.assert_allclose(found["price"], VALUES[exercise, model], rtol=0.0, atol=1e-3)
    assert (found["status"] == OptionStatus.OK).all()
    closed = (exercise, model) == ("european", "escrowed")
    method = "" if closed else ", finite differences, accurate"
    assert found.attrs["method"].endswith(f"cash dividends: {model} model{method}")


@pytest.mark.parametrize("exercise", ["american", "european"])
@pytest.mark.parametrize("model", ["escrowed", "spot"])
def test_vols_come_back_in_both_models(exercise: str, model: Any) -> None:
    ds = listed(exercise)
    price = mm.options.price(ds, dividends=model)["price"]
    found = mm.options.implied_vol(ds.assign(price=price), dividends=model)
    np.testing.assert_allclose(found["implied_vol"], ds["vol"], atol=1e-6)
    low, high = (ds.assign(price=p) for p in (0.0 * price + 1e-9, 0.0 * price + 100.0))
    for answer, status in ((low, OptionStatus.BELOW), (high, OptionStatus.ABOVE)):
        wrong = mm.options.implied_vol(answer, dividends=model)
        assert wrong["status"].isel(option=2) == status
        assert np.isnan(wrong["implied_vol"].isel(option=2))


def test_chunks_change_no_bit_of_american_options_with_dividends() -> None:
    ds = chain(spot=("time", [100.0, 101.0])).assign_attrs(exercise="american")
    whole = mm.options.price(ds)
    xr.testing.assert_identical(mm.options.price(ds.chunk(strike=1, time=1)).compute(), whole)
    alone = mm.options.price(ds.isel(time=1, expiry=1, strike=2))
    xr.testing.assert_equal(whole.isel(time=1, expiry=1, strike=2), alone)
    later = ds.assign(dividend_years=("dividend", np.full(7, 5.0)))
    plain = ds.drop_vars(["dividend_years", "dividend_amount"])
    np.testing.assert_allclose(
        mm.options.price(later)["price"], mm.options.price(plain)["price"], atol=1e-4
    )
