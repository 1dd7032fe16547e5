"""What a chain must hold: each fault is named, with its place and what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.errors import DataError, UsageError
from tests.options.chains import small_chain

Change = Callable[[xr.Dataset], object]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda ds: ds.to_dataframe(), "is a DataFrame, not an xarray Dataset — pass a Dataset"),
        (lambda ds: ds["vol"], "is a DataArray, not an xarray Dataset"),
        (lambda ds: ds.drop_vars("vol"), r"'vol' is missing — add 'vol' \[1/sqrt\(year\)\]: Vol"),
        (lambda ds: ds.drop_vars("rate"), "variable 'rate' is missing"),
        (lambda ds: ds.drop_vars("strike"), "variable 'strike' is missing"),
        (lambda ds: ds.drop_vars("right"), "variable 'right' is missing — add 'right': `C` or `P`"),
        (lambda ds: ds.drop_vars("spot"), "neither 'spot' nor 'forward' — give one of them"),
        (lambda ds: ds.assign(forward=1.0), "there are 'spot' and 'forward' — give one of them"),
        (
            lambda ds: ds.rename(spot="forward"),
            "'forward' and 'dividend_yield' — drop 'dividend_yield': the forward has",
        ),
        (lambda ds: ds.assign(vol="high"), "'vol' is <U4, not float64 — convert it"),
        (lambda ds: ds.assign(vol=True), "'vol' is bool, not float64"),
        (
            lambda ds: ds.assign(years=np.timedelta64(9, "D")),
            r"'years' is timedelta64\[.*\], not float64 — divide the time by a year",
        ),
        (
            lambda ds: ds.assign(vol=ds["vol"].assign_attrs(units="%")),
            r"'vol' has units '%', not '1/sqrt\(year\)' — convert it, and set",
        ),
        (
            lambda ds: ds.assign_coords(right=["C", "p"]),
            "'right' has 'p' at right 1 — use 'C' or 1 for a call, 'P' or -1 for a put",
        ),
        (lambda ds: ds.assign_coords(right=[1, 0]), "'right' has 0 at right 1"),
        (lambda ds: ds.drop_attrs(), "nothing says how the options are exercised — add ds.attrs"),
        (lambda ds: ds.assign_attrs(exercise="bermudan"), "unknown style of exercise 'bermudan' —"),
        (
            lambda ds: ds.drop_attrs().assign(exercise=("expiry", ["european", "American"])),
            "unknown style of exercise 'American' at expiry 1 — use 'american' or 'european'",
        ),
        (lambda ds: ds.assign(exercise="european"), "is a variable and an attribute — drop one"),
        (
            lambda ds: (
                ds.drop_vars("dividend_yield")
                .rename(spot="forward")
                .assign_attrs(exercise="american")
            ),
            "an american option has a forward and no spot — give 'spot'; for an option on a future",
        ),
        (
            lambda ds: ds.assign(dividend_years=("dividend", [0.1])),
            "'dividend_years' and no 'dividend_amount' — add 'dividend_amount' over 'dividend'",
        ),
        (
            lambda ds: ds.assign(dividend_years=0.1, dividend_amount=("dividend", [1.0])),
            r"'dividend_years' has dims \(\) — give it the dim 'dividend'",
        ),
        (
            lambda ds: ds.assign(rate=("dividend", [0.1])),
            "'rate' has the dim 'dividend' — only 'dividend_years' and 'dividend_amount'",
        ),
    ],
)
def test_faults_are_named(change: Change, what: str) -> None:
    with pytest.raises(DataError, match=what):
        mm.options.price(change(small_chain()))  # type: ignore[arg-type]


def test_a_price_is_asked_for_where_it_is_needed() -> None:
    with pytest.raises(DataError, match=r"'price' is missing — add 'price' \[ccy\]"):
        mm.options.implied_vol(small_chain())


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown accuracy 'best' — use one of fast, accurate, hi"):
        mm.options.price(small_chain(), accuracy="best")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown dividends 'none' — use one of escrowed, spot"):
        mm.options.greeks(small_chain(), dividends="none")  # type: ignore[arg-type]


def test_units_that_fit_pass() -> None:
    ds = small_chain()
    for name, unit in {"vol": "1/sqrt(year)", "rate": "1/year", "years": "year"}.items():
        ds[name].attrs["units"] = unit
    ds["spot"] = ds["spot"].assign_attrs(units="USD")
    xr.testing.assert_equal(mm.options.price(ds), mm.options.price(small_chain()))


def test_whole_numbers_and_codes_do() -> None:
    ds = small_chain()
    ints = ds.assign_coords(strike=ds["strike"].astype(int), right=[1, -1]).assign(spot=100)
    np.testing.assert_array_equal(mm.options.price(ints)["price"], mm.options.price(ds)["price"])
