"""Prices, greeks and volatilities of chains: any dims, any chunks, the same as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core import black
from mmquant.core.implied_vol import implied_vol_many
from mmquant.core.option_rows import ROWS
from mmquant.schema import validate
from mmquant.schema.options import OPTION_GREEKS, OptionStatus
from tests.options.chains import DIMS, options_of, random_chains, small_chain

SPOT = ("spot", "strike", "years", "vol", "rate", "dividend_yield")
FORWARD = ("forward", "strike", "years", "vol", "rate")
NAMES = [column.name for column in OPTION_GREEKS.columns][:ROWS]


def alone(kernel: Any, option: dict[str, float], *outs: np.ndarray) -> None:
    """Call a kernel for one option."""
    kernel(*(np.array([value]) for value in option.values()), *outs)


@pytest.mark.parametrize(("underlying", "names"), [("spot", SPOT), ("forward", FORWARD)])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_dims_in_any_order_give_what_one_by_one_gives(
    underlying: str, names: tuple[str, ...], data: st.DataObject
) -> None:
    ds = data.draw(random_chains(underlying))
    found = mm.options.greeks(ds)
    prices = mm.options.price(ds)
    assert dict(found.sizes) == dict(ds.sizes)
    assert found["price"].dims == tuple(dim for dim in DIMS if dim in ds.dims)
    kernel = black.spot_many if underlying == "spot" else black.black_many
    for place, option in options_of(ds, names):
        out = np.empty((ROWS, 1))
        alone(kernel, option, out)
        here = found.isel(place)
        np.testing.assert_array_equal([float(here[name]) for name in NAMES], out[:, 0])
        assert int(here["status"]) == OptionStatus.OK
        assert float(prices["price"].isel(place)) == pytest.approx(out[0, 0], rel=1e-14)


@settings(max_examples=20, deadline=None)
@given(ds=random_chains("forward", "price"))
def test_vols_of_any_dims_are_what_one_by_one_gives(ds: xr.Dataset) -> None:
    found = mm.options.implied_vol(ds)
    for place, option in options_of(ds, ("price", "forward", "strike", "years", "rate")):
        option["price"] *= np.exp(option.pop("rate") * option["years"])
        vol, status = np.empty(1), np.empty(1, np.int8)
        alone(implied_vol_many, option, vol, status)
        here = found.isel(place)
        np.testing.assert_array_equal(float(here["implied_vol"]), vol[0])
        assert int(here["status"]) == status[0]


@settings(max_examples=25, deadline=None)
@given(ds=random_chains(), data=st.data())
def test_chunks_change_no_bit(ds: xr.Dataset, data: st.DataObject) -> None:
    chunks = {dim: data.draw(st.integers(1, size), dim) for dim, size in ds.sizes.items()}
    whole, parts = mm.options.greeks(ds), mm.options.greeks(ds.chunk(chunks))
    if any(ds.chunk(chunks)[name].chunks for name in SPOT if ds[name].dims and name not in ds.dims):
        assert parts["price"].chunks is not None
    xr.testing.assert_identical(parts.compute(), whole)


def test_results_are_not_computed_before_they_are_asked_for() -> None:
    ds = small_chain().expand_dims(time=3).chunk(time=1)
    found = mm.options.implied_vol(ds.assign(price=5.0 + 0.0 * ds["vol"]))
    assert found["implied_vol"].chunks == ((1, 1, 1), (2,), (5,), (2,))


def test_the_vol_comes_back_from_the_price() -> None:
    for ds in (small_chain(), small_chain().rename(spot="forward").drop_vars("dividend_yield")):
        found = mm.options.implied_vol(ds.assign(price=mm.options.price(ds)["price"]))
        wanted, vol = xr.broadcast(ds["vol"], found["implied_vol"])
        np.testing.assert_allclose(vol, wanted, rtol=1e-9)
        assert (found["status"] == OptionStatus.OK).all()


def test_coordinates_and_attributes_are_kept() -> None:
    ds = small_chain()
    ds = ds.assign_coords(
        strike=ds["strike"].assign_attrs(units="USD"),
        expiry_name=("expiry", ["JAN", "SEP"]),
        batch=7,
        desk=("trader", ["a", "b"]),
    )
    for found in (mm.options.price(ds), mm.options.greeks(ds)):
        assert set(found.coords) == {"strike", "right", "expiry", "expiry_name", "batch"}
        assert found["strike"].attrs == {"units": "USD"}
        assert found.attrs["source"] == "by hand"
        assert found.attrs["method"] == "european: Black-Scholes-Merton"
    assert "method" not in ds.attrs


@pytest.mark.parametrize(
    ("call", "table"),
    [("price", "option_prices"), ("greeks", "option_greeks"), ("implied_vol", "implied_vols")],
)
def test_results_fit_their_tables(call: str, table: str) -> None:
    ds = small_chain(price=3.0)
    validate(ds, "option_chain")
    found = getattr(mm.options, call)(ds)
    validate(found, table)
    flags = found["status"].attrs
    assert flags["flag_meanings"].split() == [code.name.lower() for code in OptionStatus]
    assert flags["flag_values"].tolist() == [int(code) for code in OptionStatus]
    assert all(found[name].attrs["units"] for name in found.data_vars if name != "status")


@settings(max_examples=40, deadline=None)
@given(ds=random_chains(), data=st.data())
def test_nan_in_is_nan_out(ds: xr.Dataset, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(SPOT), "name")
    bad = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]), "bad")
    values = ds[name].values.copy()
    at = np.unravel_index(data.draw(st.integers(0, values.size - 1), "at"), values.shape)
    values[at] = bad
    found = mm.options.greeks(ds.assign({name: (ds[name].dims, values)}))
    missing = np.zeros(found["price"].shape, bool)
    place = dict(zip(ds[name].dims, at, strict=True))
    missing[tuple(place.get(dim, slice(None)) for dim in found["price"].dims)] = True
    for row in NAMES:
        np.testing.assert_array_equal(np.isnan(found[row]), missing)
    np.testing.assert_array_equal(found["status"], np.where(missing, OptionStatus.NAN, 0))


def test_what_cannot_be_is_nan_with_a_status() -> None:
    ds = small_chain(spot=-1.0)
    found = mm.options.price(ds)
    assert np.isnan(found["price"]).all()
    assert (found["status"] == OptionStatus.BAD_INPUT).all()
    cheap = small_chain(price=("strike", [0.5, 0.5, 120.0, 1.0, 1.0])).sel(right="C")
    status = mm.options.implied_vol(cheap)["status"].sel(expiry="2027-01-15")
    assert status.values.tolist()[:3] == [
        OptionStatus.BELOW,
        OptionStatus.BELOW,
        OptionStatus.ABOVE,
    ]


def test_at_the_strike_without_time_there_is_a_price_and_no_greeks() -> None:
    found = mm.options.greeks(small_chain(years=("expiry", [0.0, 0.5]))).isel(expiry=0)
    at_strike = found["strike"] == 100.0
    assert (found["price"].sel(strike=100.0) == 0.0).all()
    assert (found["status"] == at_strike * int(OptionStatus.REFUSED)).all()
    assert (np.isnan(found["delta"]) == at_strike).all()


def test_an_empty_chain_gives_an_empty_answer() -> None:
    found = mm.options.greeks(small_chain().isel(strike=slice(0, 0)))
    assert found["delta"].shape == (2, 0, 2)
