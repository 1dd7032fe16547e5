"""European prices and greeks against 50 digits, textbooks, vollib, limits and their own laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import float64

from mmquant.core import black
from mmquant.core.option_rows import (
    CHARM,
    DELTA,
    GAMMA,
    PRICE,
    RHO,
    ROWS,
    THETA,
    VANNA,
    VEGA,
    VOLGA,
)  # fmt: skip
from tests.core.machine_code import check_vector_code
from tests.core.make_option_points import POINTS, options
from tests.core.make_option_points import ROWS as NAMES
from tests.core.option_points import (
    SPOT,
    column,
    forward_table,
    one,
    random_inputs,
    read,
    same_bits,
    spot_table,
    worst,
)
from tests.core.plain import plain
from tests.oracles.european import amplification, spot_rows

INF, NAN = math.inf, math.nan
ATTAINABLE = 4.0
"""Largest error allowed, in units of what the inputs' own rounding does."""
PLAIN_SPOT, PLAIN_FORWARD = plain(black.spot_many), plain(black.black_many)


@pytest.mark.parametrize("model", ["spot", "forward"])
def test_rows_have_the_digits_that_their_inputs_leave_them(model: str) -> None:
    rows = [row for row in read(POINTS.name) if row["model"] == model]
    inputs = [column(rows, n) for n in ("sign", "forward", "strike", "years", "vol", "rate")]
    if model == "spot":
        out = spot_table(*inputs, column(rows, "dividend_yield"))
    else:
        out = forward_table(*inputs)
    for values, name in zip(out, NAMES, strict=True):
        exact = [row[name] for row in rows]
        assert worst(values, exact, column(rows, f"{name}_amplification")) <= ATTAINABLE, name


def test_the_points_reach_far_down() -> None:
    prices = column(read(POINTS.name), "price")
    assert len(prices) > 340 and prices.min() < 1e-289


def test_values_of_60_digits() -> None:
    rows = read("european_mpmath60.csv")
    sign = np.where([row["cp"] == "c" for row in rows], 1.0, -1.0)
    inputs = [column(rows, name) for name in ("S", "K", "T", "sigma", "r", "q")]
    out = spot_table(sign, *inputs)
    with mp.workdps(60):
        found = [
            amplification(spot_rows, int(s), at)
            for s, *at in zip(sign, *(c.tolist() for c in inputs), strict=True)
        ]
    names = ("price", "delta", "gamma", "vega_per_unit", "theta_per_year", "rho_per_unit",
             "vanna", "volga", "charm_dDelta_dt")  # fmt: skip
    for i, name in enumerate(names):
        exact = [row[name] for row in rows]
        assert worst(out[i], exact, [a[i] for a in found]) <= ATTAINABLE, name


def test_the_points_are_what_their_script_makes() -> None:
    rows = read(POINTS.name)[:3]
    with mp.workdps(90):
        for row, option in zip(rows, options(1, 3), strict=True):
            at = [option[n] for n in ("forward", "strike", "years", "vol", "rate")]
            exact = spot_rows(option["sign"], *map(mpf, at), mpf(option["dividend_yield"]))
            assert [row[n] for n in NAMES] == [mp.nstr(v, 50) for v in exact]


# Haug (2007), pages 3 and 4; Hull (2009), example 13.6; Jaeckel (2015) prints 1.04392e-20.
TEXTBOOK = [
    ((1, 60, 65, 0.25, 0.30, 0.08, 0.0), 2.1334, 5e-5),
    ((-1, 100, 95, 0.5, 0.20, 0.10, 0.05), 2.4648, 5e-5),
    ((1, 42, 40, 0.5, 0.20, 0.10, 0.0), 4.76, 5e-3),
    ((-1, 42, 40, 0.5, 0.20, 0.10, 0.0), 0.81, 5e-3),
    ((1, 100, 180, 0.1, 0.2, 0.03, 0.0), 1.04392e-20 * math.exp(-0.003), 5e-26),
]


@pytest.mark.parametrize(("inputs", "price", "room"), TEXTBOOK)
def test_prices_of_textbooks(inputs: tuple[float, ...], price: float, room: float) -> None:
    assert one(*inputs)[PRICE] == pytest.approx(price, rel=0.0, abs=room)


def test_vollib_gives_the_same() -> None:
    from vollib.black_scholes_merton import black_scholes_merton
    from vollib.black_scholes_merton.greeks import analytical

    sign, spot, _, years, vol, rate, dividend_yield = random_inputs(3, 40)
    strike = spot * np.exp(0.5 * vol * np.sqrt(years))
    out = spot_table(sign, spot, strike, years, vol, rate, dividend_yield)
    units = {DELTA: 1.0, GAMMA: 1.0, VEGA: 0.01, THETA: 1 / 365, RHO: 0.01}
    names = {DELTA: "delta", GAMMA: "gamma", VEGA: "vega", THETA: "theta", RHO: "rho"}
    for i, s in enumerate(sign):
        flag = "c" if s > 0 else "p"
        at = [float(c[i]) for c in (spot, strike, years, rate, vol, dividend_yield)]
        size = at[0]
        assert out[PRICE, i] == pytest.approx(
            black_scholes_merton(flag, *at), rel=1e-12, abs=1e-13 * size
        )
        for row, name in names.items():
            theirs = getattr(analytical, name)(flag, *at) / units[row]
            assert out[row, i] == pytest.approx(theirs, rel=1e-10, abs=1e-11 * size), name


def test_the_forward_is_a_spot_that_yields_the_rate() -> None:
    sign, forward, strike, years, vol, rate, _ = random_inputs(4, 50)
    of_forward = forward_table(sign, forward, strike, years, vol, rate)
    of_spot = spot_table(sign, forward, strike, years, vol, rate, rate)
    of_spot[RHO] = -years * of_spot[PRICE]
    assert same_bits(of_forward, of_spot)


@pytest.mark.parametrize(("vol", "years"), [(0.0, 2.0), (0.3, 0.0), (0.0, 0.0)])
def test_without_volatility_or_time_rows_are_those_of_a_forward_or_of_nothing(
    vol: float, years: float
) -> None:
    held, owed = 110.0 * math.exp(-0.03 * years), 100.0 * math.exp(-0.05 * years)
    out = one(1.0, 110.0, 100.0, years, vol, 0.05, 0.03)
    assert out[PRICE] == pytest.approx(held - owed, rel=1e-15)
    assert out[DELTA] == pytest.approx(held / 110.0, rel=1e-15)
    assert out[THETA] == pytest.approx(0.03 * held - 0.05 * owed, rel=1e-14)
    assert out[RHO] == pytest.approx(years * owed, rel=1e-15)
    assert out[CHARM] == pytest.approx(0.03 * held / 110.0, rel=1e-15)
    assert (out[[GAMMA, VEGA, VANNA, VOLGA]] == 0.0).all()
    assert (one(-1.0, 110.0, 100.0, years, vol, 0.05, 0.03) == 0.0).all()


def test_at_the_money_without_volatility_there_is_a_price_and_no_greek() -> None:
    out = one(1.0, 100.0, 100.0, 1.0, 0.0, 0.0, 0.0)
    assert out[PRICE] == 0.0 and np.isnan(out[1:]).all()


@pytest.mark.parametrize(("vol", "price"), [(1e-320, 10.0), (1e-190, 10.0), (1e200, 110.0)])
def test_extreme_volatilities_give_the_bounds(vol: float, price: float) -> None:
    out = one(1.0, 110.0, 100.0, 1.0, vol, 0.0, 0.0)
    assert out[PRICE] == price and out[DELTA] == 1.0 and out[VEGA] == 0.0
    at_the_money = min(vol * 39.89422804014327, 100.0)
    found = one(1.0, 100.0, 100.0, 1.0, vol, 0.0, 0.0)[PRICE]
    assert found == pytest.approx(at_the_money, rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("name", SPOT)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_no_number_gives_none(name: str, value: float) -> None:
    inputs = dict(zip(SPOT, (1.0, 100.0, 90.0, 0.5, 0.2, 0.03, 0.01), strict=True)) | {name: value}
    assert np.isnan(one(*inputs.values())).all()
    assert math.isnan(black.spot_price(*inputs.values()))
    if name != "dividend_yield":
        *first, _ = inputs.values()
        assert np.isnan(forward_table(*[[x] for x in first])).all()
        assert math.isnan(black.black_price(*first))


@pytest.mark.parametrize(
    ("name", "value"),
    [("sign", 0.0), ("sign", 2.0), ("spot", 0.0), ("spot", -1.0), ("strike", 0.0),
     ("strike", -90.0), ("years", -0.1), ("vol", -0.2)],
)  # fmt: skip
def test_inputs_without_sense_give_no_number(name: str, value: float) -> None:
    inputs = dict(zip(SPOT, (1.0, 100.0, 90.0, 0.5, 0.2, 0.03, 0.01), strict=True)) | {name: value}
    assert np.isnan(one(*inputs.values())).all()
    assert math.isnan(black.spot_price(*inputs.values()))


def test_a_bad_row_leaves_its_neighbours_alone() -> None:
    inputs = random_inputs(5, 40)
    good = spot_table(*inputs)
    inputs[3][17] = NAN
    out = spot_table(*inputs)
    assert np.isnan(out[:, 17]).all()
    assert same_bits(np.delete(out, 17, 1), np.delete(good, 17, 1))


def test_plain_python_has_the_same_bits() -> None:
    inputs = random_inputs(6, 60)
    inputs[4][:3] = 0.0
    inputs[3][3:6] = 0.0
    inputs[1][6], inputs[2][7], inputs[0][8] = 0.0, -1.0, NAN
    for compiled, slow, columns in (
        (black.spot_many, PLAIN_SPOT, inputs),
        (black.black_many, PLAIN_FORWARD, inputs[:6]),
    ):
        out, expected = np.empty((ROWS, 60)), np.empty((ROWS, 60))
        compiled(*columns, out)
        slow(*columns, expected)
        assert same_bits(out, expected)


def test_prices_alone_have_the_same_bits() -> None:
    inputs = random_inputs(7, 100)
    out = np.empty(100)
    black.spot_price_many(*inputs, out)
    scalars = [black.spot_price(*row) for row in zip(*inputs, strict=True)]
    assert same_bits(out, spot_table(*inputs)[PRICE]) and same_bits(out, np.array(scalars))
    black.black_price_many(*inputs[:6], out)
    scalars = [black.black_price(*row) for row in zip(*inputs[:6], strict=True)]
    assert same_bits(out, forward_table(*inputs[:6])[PRICE])
    assert same_bits(out, np.array(scalars))


ARRAY, TABLE = float64[::1], float64[:, ::1]
LOOPS = [
    (black.black_many, [ARRAY] * 6 + [TABLE]),
    (black.spot_many, [ARRAY] * 7 + [TABLE]),
    (black.black_price_many, [ARRAY] * 7),
    (black.spot_price_many, [ARRAY] * 8),
]


@pytest.mark.compiled
@pytest.mark.parametrize(("loop", "arguments"), LOOPS, ids=lambda x: getattr(x, "__name__", ""))
def test_loops_are_vector_code(loop: Any, arguments: list[Any]) -> None:
    check_vector_code(loop, *arguments)
