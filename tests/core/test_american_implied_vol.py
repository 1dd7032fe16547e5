"""American implied volatility: back to the volatility that made the price, or a reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.american import ACCURATE, FAST, make_work, tables
from mmquant.core.american_implied_vol import (
    american_implied_vol_many,
    american_implied_vol_rows,
)
from mmquant.core.option_rows import (
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BAD_INPUT,
    OPTION_BELOW,
    OPTION_NAN,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    VEGA,
)
from tests.core.american_vectors import arrays, random_options, results, same_bits
from tests.core.builders import examples
from tests.core.plain import plain

EPS = 2.0**-52


def vols(*option: object, setting: int) -> tuple[np.ndarray, np.ndarray]:
    """(vol, status) of (sign, price, spot, strike, years, rate, yield)."""
    inputs = arrays(*option)
    out, status = np.full(inputs[0].size, -1.0), np.full(inputs[0].size, -1)
    american_implied_vol_many(*inputs, setting, out, status)
    return out, status


def round_trip(inputs: tuple[np.ndarray, ...], setting: int) -> tuple[np.ndarray, np.ndarray]:
    """(relative error, what rounding of the price alone does) where there is a volatility."""
    out, status = results(*inputs, setting=setting)
    assert not status.any()
    sign, spot, strike, years, vol, rate, q = inputs
    found, codes = vols(sign, out[PRICE], spot, strike, years, rate, q, setting=setting)
    assert set(codes) <= {OPTION_OK, OPTION_AT_INTRINSIC, OPTION_BELOW, OPTION_REFUSED}
    assert np.isnan(found[codes != OPTION_OK]).all()
    good = (codes == OPTION_OK) & (out[VEGA] > 1e-6 * out[PRICE])
    room = EPS * (1.0 + out[PRICE] / np.maximum(vol * out[VEGA], 1e-300))
    return np.abs(found / vol - 1.0)[good], room[good]


@pytest.mark.compiled
@pytest.mark.parametrize(("setting", "count"), [(FAST, 2000), (ACCURATE, 400)])
def test_round_trip(setting: int, count: int) -> None:
    error, room = round_trip(random_options(count, 7), setting)
    assert error.size > 0.7 * count
    assert np.all(error < 1e-10 + 30.0 * room)


@settings(max_examples=examples(60, 3), deadline=None)
@given(
    st.sampled_from([-1.0, 1.0]), st.floats(70.0, 140.0), st.floats(0.02, 3.0),
    st.floats(0.1, 1.0), st.floats(0.0, 0.12), st.floats(0.0, 0.12),
)  # fmt: skip
def test_round_trip_of_anything(
    sign: float, strike: float, years: float, vol: float, rate: float, q: float
) -> None:
    error, room = round_trip(arrays(sign, 100.0, strike, years, vol, rate, q), FAST)
    assert np.all(error < 1e-10 + 30.0 * room)


@pytest.mark.parametrize(
    ("price", "status"),
    [
        (19.0, OPTION_BELOW), (20.0, OPTION_AT_INTRINSIC), (120.0, OPTION_ABOVE),
        (math.nan, OPTION_NAN), (math.inf, OPTION_NAN), (-1.0, OPTION_BELOW), (20.5, OPTION_OK),
    ],
)  # fmt: skip
def test_status_of_a_put(price: float, status: int) -> None:
    vol, code = vols(-1.0, price, 100.0, 120.0, 0.5, 0.05, 0.01, setting=FAST)
    assert code[0] == status
    assert np.isnan(vol[0]) == (status != OPTION_OK)


def test_refused_and_bad_inputs() -> None:
    assert vols(-1.0, 5.0, 100.0, 100.0, 1.0, -0.01, -0.03, setting=FAST)[1][0] == OPTION_REFUSED
    assert vols(-1.0, 5.0, 100.0, -1.0, 1.0, 0.01, 0.0, setting=FAST)[1][0] == OPTION_BAD_INPUT
    assert vols(-1.0, 5.0, 100.0, 101.0, 0.0, 0.01, 0.0, setting=FAST)[1][0] == OPTION_ABOVE


def test_compiled_and_plain_python_give_the_same_bits() -> None:
    inputs = arrays(
        [-1.0, 1.0, -1.0], [7.0, 6.0, 21.0], 100.0, [100.0, 101.0, 120.0], 0.5, 0.05, 0.03
    )
    outs, status = [np.empty(3), np.empty(3)], np.empty(3, np.int64)
    functions = (american_implied_vol_rows, plain(american_implied_vol_rows))
    for function, out in zip(functions, outs, strict=True):
        function(*inputs, tables(FAST), make_work(), out, status)
    assert same_bits(*outs)
    assert not np.isnan(outs[0]).any()
