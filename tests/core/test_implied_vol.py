"""Implied volatilities against 50 digits, against prices, at the bounds, and in all forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from numba import float64, int8

from mmquant.core import black, mills
from mmquant.core.implied_vol import implied_vol, implied_vol_many
from mmquant.core.jit import kernel
from mmquant.core.mills_tables import MILLS_START
from mmquant.core.option_rows import (
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BAD_INPUT,
    OPTION_BELOW,
    OPTION_NAN,
    OPTION_OK,
    OPTION_REFUSED,
)  # fmt: skip
from tests.core import make_implied_vol_tables, make_mills_tables
from tests.core.builders import examples
from tests.core.machine_code import check_vector_code
from tests.core.make_option_points import VOL_POINTS, options, vol_point
from tests.core.option_points import column, read, same_bits, worst
from tests.core.plain import plain
from tests.oracles.european import EPS, spot_rows

INF, NAN = math.inf, math.nan
ATTAINABLE = 4.0
PLAIN = plain(implied_vol_many)
NAMES = ("sign", "price", "forward", "strike", "years")
GOOD = (1.0, 8.0, 100.0, 95.0, 0.5)

tries = settings(deadline=None, max_examples=examples(300, 40))


def vols(*inputs: Any) -> tuple[np.ndarray, np.ndarray]:
    columns = [np.ascontiguousarray(c, float).ravel() for c in np.broadcast_arrays(*inputs)]
    out, status = np.full(columns[0].size, 7.0), np.full(columns[0].size, 99, np.int8)
    implied_vol_many(*columns, out, status)
    return out, status


def test_volatilities_have_the_digits_that_their_prices_leave_them() -> None:
    rows = read(VOL_POINTS.name)
    out, status = vols(*(column(rows, name) for name in NAMES))
    assert (status == OPTION_OK).all()
    exact = [row["vol"] for row in rows]
    assert worst(out, exact, column(rows, "amplification")) <= ATTAINABLE


def test_the_points_reach_far_down() -> None:
    prices = column(read(VOL_POINTS.name), "price")
    assert len(prices) > 450 and prices.min() < 2e-290


def test_volatilities_of_60_digits() -> None:
    rows = read("iv_mpmath60.csv")
    sign = np.where([row["cp"] == "c" for row in rows], 1.0, -1.0)
    out, status = vols(sign, *(column(rows, name) for name in ("price_float64", "F", "K", "T")))
    assert (status == OPTION_OK).all()
    exact = [row["iv_exact_of_price"] for row in rows]
    assert worst(out, exact, column(rows, "attainable_rel_err") / EPS) <= ATTAINABLE


def test_the_points_are_what_their_script_makes() -> None:
    with mp.workdps(90):
        made = [vol_point(option) for option in options(2, 3)]
    expected = [{k: str(v) for k, v in row.items()} for row in made if row is not None]
    assert read(VOL_POINTS.name)[: len(expected)] == expected


@pytest.mark.parametrize("script", [make_mills_tables, make_implied_vol_tables])
def test_the_coefficients_are_what_their_script_makes(script: Any) -> None:
    assert script.FILE.read_text() == script.text()


@kernel
def pairs(y1, y2, out):
    for i in range(y1.size):
        out[i, 0], out[i, 1], out[i, 2] = mills.mills_pair(y1[i], y2[i])


def test_tails_and_their_differences_keep_their_digits() -> None:
    rng = np.random.default_rng(1)
    low = np.concatenate([rng.uniform(MILLS_START, 2.0, 150), np.exp(rng.uniform(0.0, 6.0, 150))])
    gap = np.exp(rng.uniform(-30.0, 4.0, 300))
    high = low + gap
    out = np.empty((300, 3))
    pairs(low, high, out)
    with mp.workdps(60):
        for y1, y2, found in zip(low.tolist(), high.tolist(), out, strict=True):
            m1, m2 = make_mills_tables.mills(mp.mpf(y1)), make_mills_tables.mills(mp.mpf(y2))
            exact = (m1, m2, (m1 - m2) / (mp.mpf(y2) - y1) if y2 > y1 else 1 - y1 * m1)
            for value, truth in zip(found, exact, strict=True):
                assert abs(float(mp.mpf(value) / truth - 1)) <= 8.0 * EPS, (y1, y2)


def test_vollib_gives_the_same() -> None:
    from vollib.black.implied_volatility import implied_volatility

    made = [option for option in options(8, 60) if abs(math.log(option["vol"])) < 3.0]
    sign, forward, strike, years, vol = (
        np.array([option[n] for option in made], float)
        for n in ("sign", "forward", "strike", "years", "vol")
    )
    sign = np.where(strike > forward, 1.0, -1.0)
    price = np.empty(len(made))
    black.black_price_many(sign, forward, strike, years, vol, 0.0 * vol, price)
    out, _ = vols(sign, price, forward, strike, years)
    for i, flag in enumerate(np.where(sign > 0, "c", "p")):
        at = [float(c[i]) for c in (price, forward, strike)]
        theirs = implied_volatility(*at, 0.0, float(years[i]), flag)
        # Theirs takes the logarithm of a quotient, which loses digits near the money.
        assert out[i] == pytest.approx(theirs, rel=1e-14 + 1e-15 / (vol[i] * years[i] ** 0.5))


def everything(n: int, seed: int) -> list[np.ndarray]:
    """Out of the money: |x| from 1e-12 to 600, volatilities to expiry such that prices exist."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.uniform(-27.0, 6.4, n))
    x[: n // 10] = 0.0
    x[n // 10 : n // 3] = rng.uniform(0.0, 10.0, n // 3 - n // 10)
    y = rng.uniform(-8.0, 36.0, n)  # x / s - s / 2
    root = np.sqrt(y * y + 2.0 * x)
    deviation = np.where(y > 0.0, 2.0 * x / (np.abs(y) + root), root - y)
    deviation = np.where(x > 0.0, deviation, np.exp(rng.uniform(-30.0, 2.5, n)))
    strike = np.where(x < 1e-3, 1.0 + x, np.exp(x))
    return [np.ones(n), np.ones(n), strike, np.ones(n), deviation]


def test_volatilities_of_prices_come_back() -> None:
    """All over the range, to what the price holds; the formula's own error counts as well."""
    sign, forward, strike, years, vol = everything(examples(200_000, 500), seed=1)
    inputs = (sign, forward, strike, years, vol, 0.0 * vol)
    table = np.empty((9, vol.size))
    black.black_many(*inputs, table)
    price, vega = table[0], table[3]
    usable = (price > 1e-299) & (price < 1.0)
    assert usable.mean() > 0.8
    out, status = vols(sign, price, forward, strike, years)
    assert (status[usable] == OPTION_OK).all()
    error = np.abs(out / vol - 1.0)[usable] / EPS
    # The price of the option in the money has the rounding that the one out of it is lost in.
    room = (
        1.0 + (price / (vol * vega))[usable] + (0.5 / (vol * vega))[usable] * (price > 0.5)[usable]
    )
    assert (error / room).max() <= 12.0


def near_bounds() -> list[tuple[tuple[float, ...], int]]:
    return [
        (GOOD, OPTION_OK),
        ((1.0, 5.0, 100.0, 95.0, 0.5), OPTION_AT_INTRINSIC),
        ((1.0, math.nextafter(5.0, 0.0), 100.0, 95.0, 0.5), OPTION_BELOW),
        ((1.0, math.nextafter(5.0, 9.0), 100.0, 95.0, 0.5), OPTION_OK),
        ((1.0, 100.0, 100.0, 95.0, 0.5), OPTION_ABOVE),
        ((1.0, math.nextafter(100.0, 0.0), 100.0, 95.0, 0.5), OPTION_OK),
        ((1.0, 1e9, 100.0, 95.0, 0.5), OPTION_ABOVE),
        ((-1.0, 95.0, 100.0, 95.0, 0.5), OPTION_ABOVE),
        ((-1.0, math.nextafter(95.0, 0.0), 100.0, 95.0, 0.5), OPTION_OK),
        ((-1.0, 0.0, 100.0, 95.0, 0.5), OPTION_AT_INTRINSIC),
        ((-1.0, -1.0, 100.0, 95.0, 0.5), OPTION_BELOW),
        ((-1.0, 5e-324, 100.0, 95.0, 0.5), OPTION_REFUSED),
        ((-1.0, 1e-290, 100.0, 95.0, 0.5), OPTION_OK),
        ((1.0, 1e-290, 100.0, 100.0, 0.5), OPTION_OK),
        ((1.0, 0.0, 100.0, 100.0, 0.5), OPTION_AT_INTRINSIC),
        ((1.0, 1e-5, 1e-300, 1e300, 0.5), OPTION_ABOVE),
        ((0.0, *GOOD[1:]), OPTION_BAD_INPUT),
        ((1.0, 8.0, 0.0, 95.0, 0.5), OPTION_BAD_INPUT),
        ((1.0, 8.0, -1.0, 95.0, 0.5), OPTION_BAD_INPUT),
        ((1.0, 8.0, 100.0, 0.0, 0.5), OPTION_BAD_INPUT),
        ((1.0, 8.0, 100.0, 95.0, 0.0), OPTION_BAD_INPUT),
        ((1.0, 8.0, 100.0, 95.0, -1.0), OPTION_BAD_INPUT),
    ]  # fmt: skip


def test_prices_at_the_bounds_have_a_status_and_only_good_ones_a_volatility() -> None:
    cases = near_bounds()
    out, status = vols(*(np.array([case[0][i] for case in cases]) for i in range(5)))
    assert status.tolist() == [code for _, code in cases]
    assert (np.isfinite(out) == (status == OPTION_OK)).all()
    assert (out[status == OPTION_OK] > 0.0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_no_number_gives_none(name: str, value: float) -> None:
    inputs = dict(zip(NAMES, GOOD, strict=True)) | {name: value}
    vol, status = implied_vol(*inputs.values())
    assert math.isnan(vol) and status == OPTION_NAN


def test_one_by_one_and_plain_python_have_the_same_bits() -> None:
    sign, forward, strike, years, vol = everything(60, seed=2)
    price = np.empty(60)
    black.black_price_many(sign, forward, strike, years, vol, 0.0 * vol, price)
    price[:4] = NAN, -1.0, 0.0, 2.0
    columns = [sign, price, forward, strike, years]
    bounds = [np.array([case[0][i] for case in near_bounds()]) for i in range(5)]
    columns = [np.concatenate(pair) for pair in zip(columns, bounds, strict=True)]
    out, status = vols(*columns)
    slow, slow_status = np.empty_like(out), np.empty_like(status)
    PLAIN(*columns, slow, slow_status)
    assert same_bits(out, slow) and (status == slow_status).all()
    scalars = [implied_vol(*row) for row in zip(*columns, strict=True)]
    assert same_bits(out, np.array([vol for vol, _ in scalars]))
    assert status.tolist() == [code for _, code in scalars]


@pytest.mark.compiled
def test_the_loop_is_vector_code() -> None:
    check_vector_code(implied_vol_many, *[float64[::1]] * 6, int8[::1])


@tries
@given(
    sign=st.sampled_from([-1.0, 1.0]),
    forward=st.floats(1e-3, 1e5),
    moneyness=st.floats(-6.0, 6.0),
    years=st.floats(0.001, 10.0),
    vol=st.floats(0.005, 3.0),
)
def test_the_volatility_gives_the_price(
    sign: float, forward: float, moneyness: float, years: float, vol: float
) -> None:
    strike = forward * math.exp(moneyness * vol * math.sqrt(years))
    price = black.black_price(sign, forward, strike, years, vol, 0.0)
    intrinsic, bound = max(sign * (forward - strike), 0.0), forward if sign > 0 else strike
    found, status = implied_vol(sign, price, forward, strike, years)
    if not intrinsic < price < bound:
        assert status in (OPTION_BELOW, OPTION_AT_INTRINSIC, OPTION_ABOVE) and math.isnan(found)
        return
    assert status == OPTION_OK
    back = black.black_price(sign, forward, strike, years, found, 0.0)
    rows = spot_rows(int(sign), *map(mp.mpf, (forward, strike, years, found)), mp.mpf(0), mp.mpf(0))
    # Twice 4 units of the last digit of each: of the price, and of the volatility.
    room = 8.0 * EPS * (price + float(abs(rows[3])) * found + intrinsic)
    assert abs(back - price) <= room


@tries
@given(
    sign=st.sampled_from([-1.0, 1.0]),
    moneyness=st.floats(-3.0, 3.0),
    vol=st.floats(0.02, 2.0),
    more=st.floats(1e-9, 0.5),
)
def test_dearer_options_have_more_volatility(
    sign: float, moneyness: float, vol: float, more: float
) -> None:
    strike = 100.0 * math.exp(moneyness * vol)
    price = black.black_price(sign, 100.0, strike, 1.0, vol, 0.0)
    bound = 100.0 if sign > 0 else strike
    low, status = implied_vol(sign, price, 100.0, strike, 1.0)
    high, _ = implied_vol(sign, price + more * (bound - price), 100.0, strike, 1.0)
    assert status != OPTION_OK or math.isnan(high) or high > low
