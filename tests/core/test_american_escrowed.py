"""The fast way through cash dividends against finite differences of the same model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmquant.core.american import ACCURATE, FAST, HIGH, tables
from mmquant.core.american_dividends import ESCROWED, dividend_many
from mmquant.core.american_escrowed import escrowed_many, escrowed_rows
from mmquant.core.dividend_grid import present_value
from mmquant.core.escrowed_call import ESCROWED_WORK_SIZE, side_tables
from mmquant.core.escrowed_put import span_tables, window_start
from mmquant.core.option_rows import (
    DELTA,
    GAMMA,
    OPTION_BAD_INPUT,
    OPTION_NAN,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    RHO,
    THETA,
    VEGA,
)
from tests.core.american_vectors import arrays, columns, prices, rows, same_bits
from tests.core.plain import plain
from tests.oracles.american_tree import european

PUT, CALL = -1.0, 1.0
Dividends = tuple[list[float], list[float]]


def values(
    *option: Any, dividends: Dividends, setting: int = FAST
) -> tuple[np.ndarray, np.ndarray]:
    inputs = arrays(*option)
    out, status = np.full((9, inputs[0].size), -1.0), np.full(inputs[0].size, -1)
    cash = [np.array(column, float) for column in dividends]
    escrowed_many(*inputs, *cash, setting, out, status)
    return out, status


def slow(*option: Any, dividends: Dividends, setting: int = HIGH) -> np.ndarray:
    inputs = arrays(*option)
    out, status = np.empty((9, inputs[0].size)), np.empty(inputs[0].size, np.int64)
    cash = [np.array(column, float) for column in dividends]
    dividend_many(*inputs, *cash, ESCROWED, True, setting, out, status)
    assert not status.any()
    return out


def test_against_another_s_finite_differences() -> None:
    table = [
        row
        for row in rows("american_discrete_div_fd")
        if row["model"] == "escrowed" and row["style"] == "A"
    ]
    assert len(table) == 7
    for row, option in zip(table, zip(*columns(table), strict=True), strict=True):
        pairs = [pair.split(":") for pair in row["divs"].split(";")]
        dividends = [float(day) / 365.0 for day, _ in pairs], [float(cash) for _, cash in pairs]
        out, status = values(*option, dividends=dividends)
        assert status[0] == OPTION_OK
        assert out[PRICE, 0] == pytest.approx(float(row["price_n2000"]), abs=5e-4)
        assert out[DELTA, 0] == pytest.approx(float(row["delta"]), abs=1e-4)
        assert out[GAMMA, 0] == pytest.approx(float(row["gamma"]), abs=1e-5)


@pytest.mark.compiled
def test_random_schedules() -> None:
    rng = np.random.default_rng(11)
    sign, strike = np.array([PUT, CALL, PUT, CALL]), np.array([92.0, 95.0, 110.0, 105.0])
    for _ in range(40):
        years, rate, vol = rng.uniform(0.05, 1.5), rng.uniform(0.005, 0.1), rng.uniform(0.15, 0.6)
        every, cash = rng.choice([0.25, 0.5]), rng.choice([0.2, 0.7, 3.0])
        times = np.arange(rng.uniform(0.005, every), years + 0.1, every)
        dividends = times.tolist(), [cash] * times.size
        option = (sign, 100.0, strike, years, vol, rate, 0.0)
        out, status = values(*option, dividends=dividends)
        error = np.abs(out - slow(*option, dividends=dividends))
        puts, calls = sign < 0.0, sign > 0.0
        done = status == OPTION_OK
        assert done[calls].all()
        covered = rate * math.sqrt(years) <= 0.45 * vol and vol * math.sqrt(years) <= 1.2
        assert done[puts].tolist() == [covered, covered]
        assert np.max(error[PRICE, puts & done], initial=0.0) < 2e-3
        assert np.max(error[PRICE, calls]) < 4e-4
        assert np.max(error[DELTA, done]) < 1e-3
        assert np.max(error[GAMMA, done]) < 1e-3


def test_greeks_against_finite_differences() -> None:
    dividends = ([0.2, 0.5], [1.5, 1.5])
    option = ([PUT, CALL], 100.0, 100.0, 0.8, 0.3, 0.06, 0.0)
    out, _ = values(*option, dividends=dividends)
    truth = slow(*option, dividends=dividends, setting=ACCURATE)
    close = {PRICE: 2e-3, DELTA: 2e-4, GAMMA: 2e-5, VEGA: 0.02, THETA: 0.01, RHO: 0.05}
    for row, most in close.items():
        assert out[row] == pytest.approx(truth[row], abs=most)


@pytest.mark.parametrize("setting", [FAST, ACCURATE])
def test_without_dividends_it_is_the_usual_option(setting: int) -> None:
    option = (PUT, 100.0, [90.0, 110.0, 170.0], 0.7, 0.3, 0.06, 0.0)
    out, _ = values(*option, dividends=([0.9, -0.1], [5.0, 5.0]), setting=setting)
    assert out[PRICE] == pytest.approx(prices(*option, setting=setting), abs=1e-10)


def test_call_that_is_never_exercised_is_european() -> None:
    """Dividends below the interest on the strike until expiry (Merton 1973)."""
    times, cash = np.array([0.1]), np.array([0.5])
    out, _ = values(CALL, 100.0, 100.0, 0.5, 0.2, 0.06, 0.0, dividends=([0.1], [0.5]))
    left = 100.0 - plain(present_value)(0.0, 0.5, 0.06, times, cash)
    truth = european(CALL, np.float64(left), 100.0, 0.5, 0.2, 0.06, 0.0)
    assert out[PRICE, 0] == pytest.approx(float(truth), abs=1e-12)


def test_window_is_where_waiting_is_better_however_low_the_stock() -> None:
    """At its start, a worthless stock: the strike now, or its later value and no dividends lost."""
    rate, strike = 0.05, 100.0
    times, cash = np.array([0.3, 0.5]), np.array([0.4, 2.0])
    start = plain(window_start)(0.0, 1.0, strike, rate, times, cash)
    now = strike - plain(present_value)(start, 1.0, rate, times, cash)
    waits = [
        math.exp(-rate * (t - start)) * (strike - plain(present_value)(t, 1.0, rate, times, cash))
        for t in times
    ]
    assert start < 0.3
    assert now == pytest.approx(max(waits), rel=1e-12)


def test_deep_put_is_exercised_after_the_last_dividend_only() -> None:
    option = (PUT, 40.0, 100.0, 1.0, 0.2, 0.08, 0.0)
    out, _ = values(*option, dividends=([0.9], [0.5]))
    assert list(out[: RHO + 1, 0]) == [60.0, -1.0, 0.0, 0.0, 0.0, 0.0]
    out, _ = values(*option, dividends=([0.05], [0.5]))
    assert out[PRICE, 0] > 60.0


@pytest.mark.parametrize(
    ("option", "status"),
    [
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.0, 0.0), OPTION_REFUSED),
        ((PUT, 100.0, 100.0, 0.5, 0.2, 0.05, 0.01), OPTION_REFUSED),
        ((CALL, 100.0, 100.0, 0.5, 0.2, 0.05, 0.01), OPTION_REFUSED),
        ((CALL, 100.0, 100.0, 0.5, 0.2, -0.01, 0.0), OPTION_REFUSED),
        ((PUT, 100.0, 100.0, 2.0, 0.12, 0.05, 0.0), OPTION_REFUSED),
        ((PUT, 100.0, 100.0, 2.0, 1.0, 0.05, 0.0), OPTION_REFUSED),
        ((PUT, 0.5, 100.0, 0.5, 0.2, 0.05, 0.0), OPTION_BAD_INPUT),
        ((PUT, 100.0, 100.0, 0.0, 0.2, 0.05, 0.0), OPTION_BAD_INPUT),
        ((PUT, 100.0, math.nan, 0.5, 0.2, 0.05, 0.0), OPTION_NAN),
    ],
)
def test_what_it_does_not_do(option: tuple, status: int) -> None:
    out, got = values(*option, dividends=([0.1], [1.0]))
    assert got[0] == status
    assert np.isnan(out).all()


@pytest.mark.compiled
def test_more_dividends_than_there_is_room_for_are_refused() -> None:
    times = np.linspace(0.02, 0.98, 45).tolist()
    _, status = values(PUT, 100.0, 100.0, 1.0, 0.2, 0.06, 0.0, dividends=(times, [1e-4] * 45))
    assert status[0] == OPTION_REFUSED


def test_dense_dividends_of_a_call_are_refused() -> None:
    times = (0.9 + 0.01 * np.arange(8)).tolist()
    _, status = values(CALL, 100.0, 80.0, 1.0, 0.2, 0.01, 0.0, dividends=(times, [2.0] * 8))
    assert status[0] == OPTION_REFUSED


def test_compiled_and_plain_python_give_the_same_bits() -> None:
    inputs = arrays([CALL, PUT], 100.0, 100.0, 0.6, 0.25, 0.05, 0.0)
    dividends = (np.array([0.2, 0.4]), np.array([1.5, 0.5]))
    outs, status = [np.empty((3, 2)), np.empty((3, 2))], np.empty(2, np.int64)
    constants = (tables(FAST), span_tables(), side_tables())
    for function, out in zip((escrowed_rows, plain(escrowed_rows)), outs, strict=True):
        work = np.zeros(ESCROWED_WORK_SIZE)
        function(*inputs, *dividends, *constants, work, out, status)
    assert same_bits(*outs)
    assert not np.isnan(outs[0]).any()
