"""American chains: published values, one by one, mixed styles, chunks, volatilities back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.american import FAST, HIGH, american_many
from mmquant.schema import validate
from mmquant.schema.options import OptionStatus
from tests.options.chains import options_of, random_chains, small_chain

ANCHORS = {
    "sign": [-1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 1],
    "spot": [100.0, 100, 100, 80, 100, 120, 36, 40, 100, 100, 100],
    "strike": [100.0, 100, 95, 100, 100, 100, 40, 40, 120, 100, 110],
    "years": [1.0, 1, 1, 3, 3, 3, 1, 1, 91 / 365, 91 / 365, 1],
    "rate": [0.05, 0.075, 0.075, 0.04, 0.04, 0.04, 0.06, 0.06, 0.045, 0.045, 0.03],
    "dividend_yield": [0.05, 0.05, 0.05, 0.04, 0.04, 0.04, 0.0, 0.0, 0.013, 0.06, 0.07],
    "vol": [0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.35, 0.25, 0.3],
    "price": [
        9.5694452989, 8.5849357364, 6.2786855442, 23.228338652, 12.6052119159, 6.4824245448,
        4.48667436, 2.319574248, 20.9109669033, 4.76652868917, 6.62670666988,
    ],
}  # fmt: skip
"""Options of Andersen, Lake and Offengenden (2016) and others, to ten digits."""
SHARED = ("spot", "strike", "years", "vol", "rate", "dividend_yield")


def anchors() -> xr.Dataset:
    rows = {name: ("option", np.array(values)) for name, values in ANCHORS.items()}
    return xr.Dataset(rows, attrs={"exercise": "american"}).rename(sign="right")


@pytest.mark.parametrize(
    ("accuracy", "within"), [("fast", 3e-4), ("accurate", 1e-5), ("high", 1e-8)]
)
def test_published_values(accuracy: Any, within: float) -> None:
    found = mm.options.price(anchors().drop_vars("price"), accuracy=accuracy)
    np.testing.assert_allclose(found["price"], ANCHORS["price"], rtol=0.0, atol=within)
    assert found.attrs["method"] == f"american: Andersen-Lake-Offengenden, {accuracy}"


def test_vols_come_back_from_published_values() -> None:
    found = mm.options.implied_vol(anchors().drop_vars("vol"), accuracy="high")
    np.testing.assert_allclose(found["implied_vol"], ANCHORS["vol"], atol=1e-8)


@pytest.mark.parametrize(("accuracy", "within"), [("fast", 5e-4), ("high", 1e-8)])
def test_a_chain_is_what_one_by_one_gives(accuracy: Any, within: float) -> None:
    """A smile shares boundaries between volatilities, which costs less than the accuracy."""
    ds = small_chain("american", spot=("time", [95.0, 101.0]))
    found = mm.options.greeks(ds, accuracy=accuracy)
    validate(found, "option_greeks")
    sign = xr.DataArray([1.0, -1.0], {"right": ["C", "P"]}, "right")
    sign, *numbers = (
        array.broadcast_like(found["price"]).transpose(*found["price"].dims).values.ravel().copy()
        for array in (sign, *(ds[name] for name in SHARED))
    )
    out, status = np.empty((9, sign.size)), np.empty(sign.size, np.int64)
    setting = {"fast": FAST, "high": HIGH}[accuracy]
    american_many(sign, *numbers, setting, out, status)
    for row, name in enumerate(("price", "delta", "gamma", "vega", "theta", "rho")):
        scale = 100.0 if name in ("vega", "theta", "rho") else 1.0
        np.testing.assert_allclose(found[name].values.ravel(), out[row], atol=within * scale)
    assert (found["status"] == OptionStatus.OK).all()
    assert all(np.isnan(found[name]).all() for name in ("vanna", "volga", "charm"))


@settings(max_examples=15, deadline=None)
@given(ds=random_chains(), data=st.data())
def test_any_dims_in_any_order_and_chunks(ds: xr.Dataset, data: st.DataObject) -> None:
    ds = ds.assign_attrs(exercise="american")
    found = mm.options.greeks(ds)
    for place, option in options_of(ds, SHARED):
        out, status = np.empty((9, 1)), np.empty(1, np.int64)
        american_many(*(np.array([value]) for value in option.values()), FAST, out, status)
        here = found.isel(place)
        assert int(here["status"]) == status[0] == OptionStatus.OK
        assert float(here["price"]) == pytest.approx(out[0, 0], abs=5e-4)
        assert float(here["delta"]) == pytest.approx(out[1, 0], abs=5e-4)
    chunks = {dim: data.draw(st.integers(1, size), dim) for dim, size in ds.sizes.items()}
    xr.testing.assert_identical(mm.options.greeks(ds.chunk(chunks)).compute(), found)


def test_one_vol_gives_the_bits_of_one_by_one() -> None:
    ds = small_chain("american", vol=0.3)
    found = mm.options.greeks(ds)
    for expiry in range(2):
        for strike in range(5):
            place = {"expiry": expiry, "strike": strike}
            one = mm.options.greeks(ds.isel(place))
            xr.testing.assert_equal(found.isel(place), one)


def test_each_option_by_its_own_style() -> None:
    styles = small_chain().drop_attrs().assign(exercise=("expiry", ["american", "european"]))
    for call in (mm.options.price, mm.options.greeks):
        mixed, american, european = (
            call(ds) for ds in (styles, small_chain("american"), small_chain("european"))
        )
        xr.testing.assert_equal(mixed.isel(expiry=0), american.isel(expiry=0))
        xr.testing.assert_equal(mixed.isel(expiry=1), european.isel(expiry=1))
        assert mixed.attrs["method"] == (
            "european: Black-Scholes-Merton; american: Andersen-Lake-Offengenden, fast"
        )


def test_american_is_worth_more() -> None:
    yields = ("expiry", [0.0, 0.06])
    ds = small_chain("american", dividend_yield=yields)
    american = mm.options.price(ds)["price"]
    european = mm.options.price(small_chain(dividend_yield=yields))["price"]
    sign = xr.DataArray([1.0, -1.0], dims="right")
    intrinsic = (sign * (ds["spot"] - ds["strike"])).clip(min=0.0)
    assert (american >= european - 1e-12).all()
    assert (american >= intrinsic.transpose(*american.dims[1:])).all()
    call = {"right": 0, "expiry": 0}
    np.testing.assert_allclose(american.isel(call), european.isel(call), rtol=1e-12)


@pytest.mark.parametrize(
    "chunks", [{"time": 1}, {"strike": 2}, {"expiry": 1, "strike": 1, "right": 1}]
)
@pytest.mark.parametrize("call", ["greeks", "implied_vol", "exercise_boundary"])
def test_chunks_change_no_bit(call: str, chunks: dict[str, int]) -> None:
    ds = small_chain("american", spot=("time", [95.0, 101.0, 99.0]))
    ds["price"] = mm.options.price(ds)["price"] * 1.01
    answer = getattr(mm.options, call)
    parts = answer(ds.chunk(chunks))
    assert all(values.chunks is not None for values in parts.data_vars.values())
    xr.testing.assert_identical(parts.compute(), answer(ds))


def test_markets_that_look_alike_are_not_mixed() -> None:
    """Two times with one spot and two smiles: as if each time were alone."""
    ds = small_chain("american", spot=("time", [100.0, 100.0])).isel(expiry=1)
    ds["vol"] = ds["vol"] * xr.DataArray([1.0, 1.5], dims="time")
    found = mm.options.greeks(ds)
    xr.testing.assert_identical(mm.options.greeks(ds.chunk(time=1)).compute(), found)
    for time in range(2):
        xr.testing.assert_equal(found.isel(time=time), mm.options.greeks(ds.isel(time=time)))


def test_nan_stays_with_its_option() -> None:
    ds = small_chain("american")
    ds["vol"][0, 1] = np.nan
    ds["rate"] = ds["rate"].where(ds["expiry"] != ds["expiry"][1])
    found, whole = mm.options.greeks(ds), mm.options.greeks(small_chain("american"))
    missing = np.zeros(found["price"].shape, bool)
    missing[0, 1], missing[1] = True, True
    np.testing.assert_array_equal(np.isnan(found["price"]), missing)
    np.testing.assert_array_equal(found["status"], np.where(missing, OptionStatus.NAN, 0))
    rest = found["price"].values[~missing] - whole["price"].values[~missing]
    assert np.abs(rest).max() < 5e-4


def test_two_boundaries_are_refused() -> None:
    found = mm.options.price(small_chain("american", rate=-0.01, dividend_yield=-0.03))
    assert (found["status"].sel(right="P") == OptionStatus.REFUSED).all()
    assert np.isnan(found["price"].sel(right="P")).all()
    assert (found["status"].sel(right="C") == OptionStatus.OK).all()


def test_vols_of_a_smile_come_back() -> None:
    ds = small_chain("american", spot=("time", [95.0, 101.0]))
    ds["price"] = mm.options.price(ds, accuracy="high")["price"]
    found = mm.options.implied_vol(ds, accuracy="high")
    greeks = mm.options.greeks(ds, accuracy="high")
    sure = greeks["vega"] > 0.5
    error = np.abs(found["implied_vol"] - ds["vol"]).where(sure)
    assert sure.sum() > 25
    assert float(error.max()) < 1e-6
    validate(found, "implied_vols")


def test_prices_at_intrinsic_have_no_vol() -> None:
    ds = small_chain("american", vol=0.2, strike=[60.0, 100.0, 160.0]).drop_vars("vol")
    price = xr.DataArray([[45.0, 9.0, 0.1], [0.1, 9.0, 60.0]], dims=("right", "strike"))
    found = mm.options.implied_vol(ds.assign(price=price)).isel(expiry=1)
    assert found["status"].sel(right="P").values[-1] == OptionStatus.AT_INTRINSIC
    low = mm.options.implied_vol(ds.assign(price=price - 0.2)).isel(expiry=1)
    assert low["status"].sel(right="P").values[-1] == OptionStatus.BELOW
    assert np.isnan(low["implied_vol"].sel(right="P").values[-1])
