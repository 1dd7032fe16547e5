"""American and european options with cash dividends against another's finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core.american import FAST
from mmquant.core.american_dividends import ESCROWED, dividend_many
from mmquant.core.american_escrowed import escrowed_many
from mmquant.core.option_rows import OPTION_REFUSED
from mmquant.schema.options import OptionStatus
from tests.core.american_vectors import rows

TABLE = rows("american_discrete_div_fd")
STYLES = {"A": "american", "E": "european"}


def listed(model: str) -> tuple[xr.Dataset, xr.Dataset]:
    """The options of a model as a chain without attributes, and what they are worth."""
    table = [row for row in TABLE if row["model"] == model]
    lists = [[pair.split(":") for pair in row["divs"].split(";")] for row in table]
    dividends = np.zeros((2, len(table), max(map(len, lists))))
    for i, pairs in enumerate(lists):
        dividends[:, i, : len(pairs)] = np.array(pairs, float).T
    names = {"S": "spot", "K": "strike", "days365": "years", "r": "rate", "vol": "vol"}
    chain = xr.Dataset({ours: floats(table, theirs) for theirs, ours in names.items()})
    chain["years"] = chain["years"] / 365.0
    chain["right"] = ("option", [row["cp"] for row in table])
    chain["exercise"] = ("option", [STYLES[row["style"]] for row in table])
    chain["dividend_years"] = (("option", "dividend"), dividends[0] / 365.0)
    chain["dividend_amount"] = (("option", "dividend"), dividends[1])
    truth = {"price": "price_n2000", "delta": "delta", "gamma": "gamma"}
    return chain, xr.Dataset({ours: floats(table, theirs) for ours, theirs in truth.items()})


def floats(table: list[dict[str, str]], name: str) -> tuple[str, np.ndarray]:
    return "option", np.array([float(row[name]) for row in table])


@pytest.mark.parametrize("model", ["spot", "escrowed"])
def test_default_accuracy_is_within_two_thousandths_on_every_row(model: Any) -> None:
    chain, truth = listed(model)
    assert chain.sizes["option"] == 14
    price = mm.options.price(chain, dividends=model)
    np.testing.assert_allclose(price["price"], truth["price"], rtol=0.0, atol=2e-3)
    greeks = mm.options.greeks(chain, dividends=model)
    np.testing.assert_array_equal(greeks["price"], price["price"])
    np.testing.assert_allclose(greeks["delta"], truth["delta"], rtol=0.0, atol=2e-4)
    np.testing.assert_allclose(greeks["gamma"], truth["gamma"], rtol=0.0, atol=2e-5)


def american(**variables: object) -> xr.Dataset:
    chain, _ = listed("escrowed")
    return chain.where(chain["exercise"] == "american", drop=True).assign(variables)


def kernel_prices(kernel: Any, ds: xr.Dataset, *model: Any) -> np.ndarray:
    """Prices by a kernel, one by one."""
    found = []
    for i in range(ds.sizes["option"]):
        one = ds.isel(option=i)
        sign = 1.0 if one["right"].item() == "C" else -1.0
        names = ("spot", "strike", "years", "vol", "rate")
        option = [np.array([x]) for x in (sign, *(float(one[name]) for name in names))]
        q = np.array([float(one.get("dividend_yield", 0.0))])
        dividends = (one[f"dividend_{name}"].values for name in ("years", "amount"))
        out, status = np.empty((3, 1)), np.empty(1, np.int64)
        kernel(*option, q, *dividends, *model, FAST, out, status)
        found.append(np.nan if status[0] == OPTION_REFUSED else out[0, 0])
    return np.array(found)


def test_the_fast_way_where_it_applies() -> None:
    ds = american()
    price = mm.options.price(ds)
    np.testing.assert_array_equal(price["price"], kernel_prices(escrowed_many, ds))
    assert "boundaries between ex-dates, fast (finite differences, fast, " in price.attrs["method"]


@pytest.mark.parametrize(
    "change", [{"dividend_yield": 0.01}, {"rate": ("option", [-0.01, 0.0] * 3 + [-0.01])}]
)
def test_the_grid_where_it_does_not(change: dict[str, object]) -> None:
    ds = american(**change)
    fast, grid = (
        kernel_prices(kernel, ds, *model)
        for kernel, model in ((escrowed_many, ()), (dividend_many, (ESCROWED, True)))
    )
    assert np.isnan(fast).any()
    price = mm.options.price(ds)
    assert (price["status"] == OptionStatus.OK).all()
    np.testing.assert_array_equal(price["price"], np.where(np.isnan(fast), grid, fast))


@pytest.mark.parametrize("accuracy", ["accurate", "high"])
def test_the_reference_is_the_grid(accuracy: Any) -> None:
    chain, truth = listed("escrowed")
    price = mm.options.price(chain, accuracy=accuracy)
    np.testing.assert_allclose(price["price"], truth["price"], rtol=0.0, atol=4e-4)
    assert price.attrs["method"].endswith(f"escrowed model, finite differences, {accuracy}")


def test_a_vol_comes_back_the_fast_way() -> None:
    ds = american()
    found = mm.options.implied_vol(ds.assign(price=mm.options.price(ds)["price"]))
    np.testing.assert_allclose(found["implied_vol"], ds["vol"], rtol=0.0, atol=1e-7)
