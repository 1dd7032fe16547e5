"""Options on stocks with cash dividends, by finite differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmquant.core.american import ACCURATE, FAST, HIGH
from mmquant.core.american_dividends import (
    ESCROWED,
    SPOT,
    dividend_many,
    dividend_rows,
    make_grid_work,
)
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_BAD_INPUT,
    OPTION_NAN,
    OPTION_OK,
    PRICE,
    RHO,
    THETA,
    VEGA,
)
from tests.core.american_vectors import arrays, columns, prices, rows, same_bits
from tests.core.plain import plain
from tests.oracles.american_tree import european

PUT, CALL = -1.0, 1.0
NONE: tuple[list[float], list[float]] = ([], [])


def values(
    *option: Any, dividends: tuple[list[float], list[float]], model: int, early: bool, setting: int
) -> tuple[np.ndarray, np.ndarray]:
    inputs = arrays(*option)
    out, status = np.full((9, inputs[0].size), -1.0), np.full(inputs[0].size, -1)
    cash = [np.array(column, float) for column in dividends]
    dividend_many(*inputs, *cash, model, early, setting, out, status)
    return out, status


def of_row(row: dict[str, str]) -> tuple[list[float], list[float]]:
    pairs = [pair.split(":") for pair in row["divs"].split(";")]
    return [float(day) / 365.0 for day, _ in pairs], [float(cash) for _, cash in pairs]


@pytest.mark.compiled
@pytest.mark.parametrize(("setting", "close"), [(FAST, 1.2e-3), (ACCURATE, 4e-4), (HIGH, 3e-4)])
def test_against_another_s_finite_differences(setting: int, close: float) -> None:
    table = rows("american_discrete_div_fd")
    for row, option in zip(table, zip(*columns(table), strict=True), strict=True):
        model = SPOT if row["model"] == "spot" else ESCROWED
        out, status = values(
            *option, dividends=of_row(row), model=model, early=row["style"] == "A", setting=setting
        )
        assert status[0] == OPTION_OK
        assert out[PRICE, 0] == pytest.approx(float(row["price_n2000"]), abs=close)
        assert out[DELTA, 0] == pytest.approx(float(row["delta"]), abs=0.1 * close)
        assert out[GAMMA, 0] == pytest.approx(float(row["gamma"]), abs=0.01 * close)


@pytest.mark.compiled
@pytest.mark.parametrize("model", [SPOT, ESCROWED])
def test_without_dividends_it_is_the_other_method(model: int) -> None:
    option = ([PUT, CALL, PUT], 100.0, [110.0, 95.0, 90.0], 0.7, 0.3, 0.06, 0.03)
    american, _ = values(*option, dividends=NONE, model=model, early=True, setting=HIGH)
    assert american[PRICE] == pytest.approx(prices(*option, setting=HIGH), abs=2e-4)
    out, _ = values(*option, dividends=NONE, model=model, early=False, setting=HIGH)
    for i, (sign, strike) in enumerate(((PUT, 110.0), (CALL, 95.0), (PUT, 90.0))):
        truth = european(sign, np.float64(100.0), strike, *option[3:])
        assert out[PRICE, i] == pytest.approx(float(truth), abs=1e-4)


def test_escrowed_european_is_black_of_what_is_left() -> None:
    left = 100.0 - 2.0 * math.exp(-0.05 * 0.2) - 2.0 * math.exp(-0.05 * 0.4)
    option = (CALL, 100.0, 100.0, 0.5, 0.25, 0.05, 0.0)
    dividends = ([0.2, 0.4, 0.6, -0.1], [2.0, 2.0, 50.0, 50.0])
    out, _ = values(*option, dividends=dividends, model=ESCROWED, early=False, setting=ACCURATE)
    truth = european(CALL, np.float64(left), 100.0, 0.5, 0.25, 0.05, 0.0)
    assert out[PRICE, 0] == pytest.approx(float(truth), abs=3e-4)


def test_spot_european_calls_and_puts_keep_parity() -> None:
    """Call less put is the forward: every dividend at its own date."""
    dividends = ([0.2, 0.7], [3.0, 4.0])
    option = ([CALL, PUT], 100.0, 95.0, 1.0, 0.3, 0.05, 0.0)
    out, _ = values(*option, dividends=dividends, model=SPOT, early=False, setting=ACCURATE)
    paid = 3.0 * math.exp(-0.05 * 0.2) + 4.0 * math.exp(-0.05 * 0.7)
    parity = 100.0 - paid - 95.0 * math.exp(-0.05)
    assert out[PRICE, 0] - out[PRICE, 1] == pytest.approx(parity, abs=1e-3)


@pytest.mark.compiled
@pytest.mark.parametrize("model", [SPOT, ESCROWED])
@pytest.mark.parametrize("sign", [PUT, CALL])
def test_greeks_are_differences_of_prices(sign: float, model: int) -> None:
    dividends = ([0.2, 0.5], [1.5, 1.5])

    def price(
        spot: float = 100.0, vol: float = 0.3, rate: float = 0.06, passed: float = 0.0
    ) -> float:
        ahead = ([t - passed for t in dividends[0]], dividends[1])
        option = (sign, spot, 100.0, 0.8 - passed, vol, rate, 0.0)
        out, _ = values(*option, dividends=ahead, model=model, early=True, setting=HIGH)
        return float(out[PRICE, 0])

    option = (sign, 100.0, 100.0, 0.8, 0.3, 0.06, 0.0)
    out, _ = values(*option, dividends=dividends, model=model, early=True, setting=HIGH)
    assert out[DELTA, 0] == pytest.approx((price(101.0) - price(99.0)) / 2.0, abs=2e-4)
    assert out[GAMMA, 0] == pytest.approx(price(101.0) + price(99.0) - 2.0 * price(), abs=2e-4)
    assert out[VEGA, 0] == pytest.approx((price(vol=0.31) - price(vol=0.29)) / 0.02, abs=0.02)
    assert out[RHO, 0] == pytest.approx((price(rate=0.065) - price(rate=0.055)) / 0.01, abs=0.1)
    assert out[THETA, 0] == pytest.approx(
        (price(passed=0.01) - price(passed=-0.01)) / 0.02, abs=0.03
    )


def test_a_call_is_exercised_before_a_large_dividend_only() -> None:
    """Merton's rule: never where the dividend is less than the interest on the strike."""
    option = (CALL, 120.0, 100.0, 0.5, 0.2, 0.06, 0.0)
    for cash, early in ((0.5, False), (6.0, True)):
        dividends = ([0.3], [cash])
        american, _ = values(*option, dividends=dividends, model=SPOT, early=True, setting=FAST)
        held, _ = values(*option, dividends=dividends, model=SPOT, early=False, setting=FAST)
        assert (american[PRICE, 0] > held[PRICE, 0] + 1e-3) == early


def test_deep_put_is_exercised_now() -> None:
    option = (PUT, 50.0, 100.0, 0.5, 0.2, 0.08, 0.0)
    out, _ = values(*option, dividends=NONE, model=SPOT, early=True, setting=FAST)
    assert list(out[: RHO + 1, 0]) == [50.0, -1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("option", "dividends", "status"),
    [
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.05, 0.0), ([0.1], [math.nan]), OPTION_BAD_INPUT),
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.05, 0.0), ([math.nan], [1.0]), OPTION_BAD_INPUT),
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.05, 0.0), ([0.1], [-1.0]), OPTION_BAD_INPUT),
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.05, 0.0), ([0.1], [101.0]), OPTION_BAD_INPUT),
        ((PUT, 100.0, 100.0, 0.5, 0.0, 0.05, 0.0), ([0.1], [1.0]), OPTION_BAD_INPUT),
        ((PUT, math.nan, 100.0, 0.5, 0.2, 0.05, 0.0), ([0.1], [1.0]), OPTION_NAN),
    ],
)
def test_what_makes_no_sense(option: tuple, dividends: tuple, status: int) -> None:
    out, got = values(*option, dividends=dividends, model=ESCROWED, early=True, setting=FAST)
    assert got[0] == status
    assert np.isnan(out).all()


def test_compiled_and_plain_python_give_the_same_bits() -> None:
    inputs = arrays([CALL, PUT], 100.0, 100.0, 0.3, 0.25, 0.05, 0.0)
    dividends = (np.array([0.1]), np.array([1.0]))
    outs, status = [np.empty((3, 2)), np.empty((3, 2))], np.empty(2, np.int64)
    for function, out in zip((dividend_rows, plain(dividend_rows)), outs, strict=True):
        function(*inputs, *dividends, SPOT, True, FAST, make_grid_work(), out, status)
    assert same_bits(*outs)
