"""The functions of py_vollib: its own anchors, itself on random options, arrays, flags, errors."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core.black import spot_many
from mmquant.errors import MMQuantError
from mmquant.options.compat.py_vollib.helpers import exceptions
from mmquant.options.compat.py_vollib.helpers.exceptions import (
    AboveMaximumException,
    BelowIntrinsicException,
    InvalidArgument,
    PriceIsAboveMaximum,
    PriceIsBelowIntrinsic,
)

OURS, THEIRS = "mmquant.options.compat.py_vollib", "vollib"
MODELS = {"black": "F", "black_scholes": "S", "black_scholes_merton": "S"}
GREEKS = ("delta", "theta", "gamma", "vega", "rho")
EPS = np.finfo(float).eps
N = 300
Pair = tuple[Callable[..., Any], Callable[..., Any]]


def both(module: str, name: str) -> Pair:
    """A function of ours and theirs."""
    ours, theirs = (import_module(f"{root}.{module}") for root in (OURS, THEIRS))
    return getattr(ours, name), getattr(theirs, name)


def options(model: str, seed: int = 7) -> dict[str, np.ndarray]:
    """Random options with prices that are not tiny: within four deviations of the strike."""
    rng = np.random.default_rng(seed)
    years, vol = np.exp(rng.uniform(-5.0, 1.0, N)), rng.uniform(0.05, 1.2, N)
    underlying = np.exp(rng.uniform(0.0, 8.0, N))
    deviations = rng.uniform(-4.0, 4.0, N) * vol * np.sqrt(years)
    found = {
        "flag": rng.choice(["c", "p"], N),
        MODELS[model]: underlying,
        "K": underlying * np.exp(deviations),
        "t": years,
        "r": rng.uniform(-0.02, 0.1, N),
        "sigma": vol,
    }
    return found | ({"q": rng.uniform(-0.02, 0.1, N)} if model == "black_scholes_merton" else {})


def condition(model: str, option: dict[str, np.ndarray]) -> np.ndarray:
    """1 + sum |x df/dx| / |f| of the price over its inputs: what rounding the inputs does to it."""
    sign = np.where(option["flag"] == "c", 1.0, -1.0)
    u, strike, t = option[MODELS[model]], option["K"], option["t"]
    rate, vol = option["r"], option["sigma"]
    q = rate if model == "black" else option.get("q", np.zeros(N))
    out = np.empty((9, N))
    spot_many(sign, u, strike, t, vol, rate, q, out)
    price, delta = np.abs(out[0]), out[1]
    by_strike = np.abs(out[0] - u * delta)
    parts = np.abs(u * delta) + by_strike + np.abs(vol * out[3]) + np.abs(t * out[4])
    return 1.0 + (parts + np.abs(rate * out[5]) + np.abs(q * t * u * delta)) / price


def one_by_one(function: Callable[..., Any], *columns: np.ndarray) -> np.ndarray:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.array([float(function(*row)) for row in rows])


@pytest.mark.parametrize("model", MODELS)
def test_prices_are_theirs(model: str) -> None:
    ours, theirs = both(model, model)
    option = options(model)
    found, wanted = ours(*option.values()), one_by_one(theirs, *option.values())
    assert (np.abs(found - wanted) <= 8.0 * EPS * condition(model, option) * wanted).all()


@pytest.mark.parametrize("greek", GREEKS)
@pytest.mark.parametrize("model", MODELS)
def test_greeks_are_theirs(model: str, greek: str) -> None:
    ours, theirs = both(f"{model}.greeks.analytical", greek)
    option = options(model)
    found, wanted = ours(*option.values()), one_by_one(theirs, *option.values())
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-14 * scale)


def vol_arguments(model: str, option: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    price = both(model, model)[1]
    price = one_by_one(price, *option.values())
    u, k, t, r = (option[name] for name in (MODELS[model], "K", "t", "r"))
    if model == "black":
        return price, u, k, r, t, option["flag"]
    q = (option["q"],) if "q" in option else ()
    return (price, u, k, t, r, *q, option["flag"])


@pytest.mark.parametrize("model", MODELS)
def test_implied_vols_are_theirs(model: str) -> None:
    ours, theirs = both(f"{model}.implied_volatility", "implied_volatility")
    option = options(model)
    arguments = vol_arguments(model, option)
    vega = both(f"{model}.greeks.analytical", "vega")[0](*option.values()) * 100.0
    delta = both(f"{model}.greeks.analytical", "delta")[0](*option.values())
    per_vol = option["sigma"] * vega
    u = option[MODELS[model]]
    bound = 1.0 + (arguments[0] + u * np.abs(delta)) / per_vol
    sure = bound < 1e6
    found, wanted = ours(*arguments)[sure], one_by_one(theirs, *(a[sure] for a in arguments))
    assert sure.sum() > N // 2
    assert (np.abs(found - wanted) <= 8.0 * EPS * bound[sure] * wanted).all()


def test_undiscounted_and_normalised_are_theirs() -> None:
    option = options("black")
    flag, forward, strike, years, _, vol = option.values()
    ours, theirs = both("black", "undiscounted_black")
    arguments = (forward, strike, vol, years, flag)
    price = one_by_one(theirs, *arguments)
    np.testing.assert_allclose(ours(*arguments), price, rtol=1e-12)
    x, s = np.log(forward / strike), vol * np.sqrt(years)
    ours, theirs = both("black", "normalised_black")
    beta = one_by_one(theirs, x, s, flag)
    np.testing.assert_allclose(ours(x, s, flag), beta, rtol=1e-11)

    out = (np.where(flag == "c", 1.0, -1.0) * x < 0.0) & (s > 1e-3)
    for name, arguments, wanted in (
        ("implied_volatility_of_undiscounted_option_price", (price, forward, strike, years), vol),
        ("normalised_implied_volatility", (beta, x), s),
    ):
        columns = [column[out] for column in (*arguments, flag)]
        for suffix, more in (("", ()), ("_limited_iterations", (2,))):
            ours, theirs = both("black.implied_volatility", name + suffix)
            np.testing.assert_allclose(ours(*columns, *more), wanted[out], rtol=1e-11)
            first = [column[0] for column in columns]
            assert ours(*first, *more) == pytest.approx(theirs(*first, *more), rel=1e-11)


ANCHOR = ("c", 100, 100, 0.5, 0.01, 0.2)
"""An option at the money, and what py_vollib prints for it."""


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("", "black_scholes", 5.876024233827604),
        (".greeks.analytical", "delta", 0.5422350133116141),
        (".greeks.analytical", "gamma", 0.028051246304186248),
        (".greeks.analytical", "vega", 0.2805124630418625),
        (".greeks.analytical", "theta", -0.01669513433372764),
        (".greeks.analytical", "rho", 0.241737385486669),
    ],
)
def test_anchors(module: str, name: str, value: float) -> None:
    found = both(f"black_scholes{module}", name)[0](*ANCHOR)
    assert type(found) is float
    assert found == pytest.approx(value, rel=1e-14)


def test_anchors_of_the_docstrings() -> None:
    black, undiscounted = both("black", "black")[0], both("black", "undiscounted_black")[0]
    assert black("c", 100, 100, 0.5, 0.02, 0.2) == pytest.approx(5.5811067246048118, rel=1e-14)
    assert undiscounted(100, 100, 0.2, 0.5, "c") == pytest.approx(5.637197779701664, rel=1e-14)
    normalised = both("black", "normalised_black")[0]
    x = float(np.log(100.0 / 95.0))
    put, call = (normalised(x, 0.3 * np.sqrt(0.5), flag) for flag in "pc")
    assert (put, call) == pytest.approx((0.061296663817558904, 0.11259558142181655), rel=1e-13)
    merton = both("black_scholes_merton", "black_scholes_merton")[0]
    assert merton("p", 100, 95, 0.5, 0.1, 0.2, 0.05) == pytest.approx(2.4647876467558213, rel=1e-14)


def test_arrays_broadcast() -> None:
    price = both("black_scholes", "black_scholes")[0]
    strikes, flags = np.array([[90.0], [100.0], [110.0]]), ["c", "p"]
    found = price(flags, 100.0, strikes, 0.5, 0.01, 0.2)
    assert found.shape == (3, 2)
    wanted = [[price(f, 100.0, k, 0.5, 0.01, 0.2) for f in flags] for k in strikes.ravel()]
    np.testing.assert_array_equal(found, wanted)
    assert price([], 100.0, [], 0.5, 0.01, 0.2).shape == (0,)
    with pytest.raises(InvalidArgument, match=r"arrays of shapes \(2,\), \(3,\)"):
        price(flags, [1.0, 2.0, 3.0], 100.0, 0.5, 0.01, 0.2)


@pytest.mark.parametrize("flag", ["C", "P", "call", "", "cp", 1, None, ["c", "C"], np.nan])
def test_other_flags_are_refused(flag: object) -> None:
    for module, name in (
        ("black_scholes", "black_scholes"),
        ("black_scholes.greeks.analytical", "rho"),
        ("black_scholes.greeks.analytical", "theta"),
    ):
        with pytest.raises(InvalidArgument, match=r"unknown flag .* — use 'c' for a call and 'p'"):
            both(module, name)[0](flag, 100, 100, 0.5, 0.01, 0.2)


def test_what_is_no_number_is_refused() -> None:
    price = both("black_scholes", "black_scholes")[0]
    for bad in ("100", None, [1.0, "2"], True):
        with pytest.raises(InvalidArgument, match="not a number"):
            price("c", bad, 100, 0.5, 0.01, 0.2)
    with pytest.raises(InvalidArgument, match=r"no number for .* — prices and strikes are pos"):
        price("c", 100, -1, 0.5, 0.01, 0.2)
    assert np.isnan(price("c", [100.0], -1, 0.5, 0.01, 0.2))


def test_prices_without_a_vol() -> None:
    vol = both("black_scholes.implied_volatility", "implied_volatility")[0]
    with pytest.raises(
        PriceIsBelowIntrinsic, match=r"no volatility gives this price .* above the i"
    ):
        vol(9.0, 100, 90, 0.5, 0.01, "c")
    with pytest.raises(BelowIntrinsicException):
        vol(10.0, 100, 90, 0.5, 0.0, "c")
    with pytest.raises(PriceIsAboveMaximum, match="undiscounted price is below the forward"):
        vol(100.0, 100, 90, 0.5, 0.01, "c")
    with pytest.raises(AboveMaximumException, match="undiscounted price is below the strike"):
        vol(95.0, 100, 90, 0.5, 0.01, "p")
    with pytest.raises(InvalidArgument, match="out of its range"):
        vol(5.0, 100, 90, -0.5, 0.01, "p")
    found = vol([9.0, 12.0, 100.0, np.nan], 100, 90, 0.5, 0.01, "c")
    assert np.isnan(found).tolist() == [True, False, True, True]
    assert all(issubclass(getattr(exceptions, name), MMQuantError) for name in
               ("InvalidArgument", "PriceIsBelowIntrinsic", "PriceIsAboveMaximum"))  # fmt: skip


def test_fewer_iterations_are_refused() -> None:
    vol = both("black.implied_volatility", "normalised_implied_volatility_limited_iterations")[0]
    with pytest.raises(InvalidArgument, match="1 iterations are asked for — ask for 2 or more"):
        vol(0.08, 0.0, "c", 1)


def test_nan_gives_nan() -> None:
    nan = float("nan")
    assert np.isnan(both("black", "black")[0]("c", 100, 100, nan, 0.0, 0.2))
    assert np.isnan(both("black.greeks.analytical", "vega")[0]("p", nan, 100, 0.5, 0.0, 0.2))
    assert np.isnan(both("black.implied_volatility", "implied_volatility")[0](
        nan, 100, 100, 0.0, 0.5, "c"))  # fmt: skip


def test_every_function_of_theirs_is_here() -> None:
    for model in MODELS:
        for module in (model, f"{model}.implied_volatility", f"{model}.greeks.analytical"):
            theirs = import_module(f"{THEIRS}.{module}")
            names = [
                name
                for name, value in vars(theirs).items()
                if getattr(value, "__module__", "") == theirs.__name__
            ]
            ours = import_module(f"{OURS}.{module}")
            assert names and all(callable(getattr(ours, name)) for name in names)


def test_units_are_those_of_the_docs() -> None:
    ds = mm.options.greeks(
        xr.Dataset(
            {"spot": 100.0, "years": 0.5, "vol": 0.2, "rate": 0.01, "strike": 100.0, "right": "C"},
            attrs={"exercise": "european"},
        )
    )
    for name, unit in {
        "delta": 1.0,
        "gamma": 1.0,
        "vega": 0.01,
        "theta": 1 / 365,
        "rho": 0.01,
    }.items():
        found = both("black_scholes.greeks.analytical", name)[1](*ANCHOR)
        assert float(ds[name]) * unit == pytest.approx(found, rel=1e-13)
