"""Volatility: what was simulated is found under noise, and the estimator is its definition."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import mmquant as mm
from mmquant.console import flat
from mmquant.errors import UsageError
from mmquant.research.calibration.preaveraging import MIN_RETURNS, integrated_variance
from tests.research.markets import (
    CLEAR,
    DEPTH,
    STATUS,
    TRADE,
    bounce_tape,
    flicker_tape,
    quote_rows,
    tape_of,
)

SEEDS = range(200)
COVERING = range(182, 199)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("make", "price", "sigma", "market"),
    [
        (bounce_tape, "trade", 1.0, {"seconds": 1800, "trades_per_s": 2, "half_spread": 1}),
        (bounce_tape, "trade", 0.2, {"seconds": 1800, "trades_per_s": 2, "half_spread": 1}),
        (bounce_tape, "trade", 3.0, {"seconds": 600, "trades_per_s": 1, "half_spread": 1}),
        (flicker_tape, "mid", 1.0, {"seconds": 1800, "quotes_per_s": 2, "noise": 1}),
    ],
)
def test_intervals_cover_what_was_simulated(
    make: Callable[..., xr.Dataset], price: str, sigma: float, market: dict
) -> None:
    found = [
        mm.calibrate_volatility(make(seed, sigma=sigma, **market), price=price) for seed in SEEDS
    ]
    held = [r.sigma_ticks_low <= sigma <= r.sigma_ticks_high for r in found]  # type: ignore[operator]
    assert sum(held) in COVERING
    ratio = np.array([r.sigma_ticks for r in found]) / sigma
    assert abs(ratio.mean() - 1.0) < 0.02
    assert np.mean([r.naive_ticks for r in found]) > 1.09 * sigma
    noise = np.mean([r.noise_ticks for r in found])
    assert noise == pytest.approx(1.0, rel=0.25)


def by_definition(y: np.ndarray, m: int) -> tuple[float, float]:
    """Integrated variance and its variance, with every sum written out."""
    n, r = len(y) - 1, np.diff(y)
    g = [min(j / m, 1 - j / m) for j in range(m + 1)]
    bars = [sum(g[j] * r[i + j - 1] for j in range(1, m)) for i in range(n - m + 2)]
    psi1 = m * sum((g[j] - g[j - 1]) ** 2 for j in range(1, m + 1))
    psi2 = sum(x * x for x in g) / m
    theta, rv = m / math.sqrt(n), sum(x * x for x in r)
    bias = psi1 / (theta**2 * psi2) / (2 * n)
    value = n / (n - m + 2) / (psi2 * m) * sum(x * x for x in bars) - bias * rv
    p11, p12, p22 = 1 / 6, 1 / 96, 151 / 80640
    one, two = 1.0, 1 / 12
    a = 4 * p22 / (3 * theta * two**4) * sum(x**4 for x in bars)
    b = 4 / (n * theta**3) * (p12 / two**3 - p22 * one / two**4)
    b *= sum(
        bars[i] ** 2 * sum(r[j - 1] ** 2 for j in range(i + m + 1, i + 2 * m + 1))
        for i in range(n - 2 * m + 1)
    )
    c = (p11 / two**2 - 2 * p12 * one / two**3 + p22 * one**2 / two**4) / (n * theta**3)
    c *= sum(r[i] ** 2 * r[i + 2] ** 2 for i in range(n - 2))
    return value / (1 - bias), (a + b + c) / math.sqrt(n)


@pytest.mark.parametrize("n", [MIN_RETURNS, 333])
def test_the_estimator_is_its_definition(n: int) -> None:
    rng = np.random.default_rng(n)
    y = np.cumsum(rng.normal(size=n + 1)) + rng.choice([-2.0, 2.0], n + 1)
    found = integrated_variance(y)
    value, variance = by_definition(y, found.window)
    assert found.window == 2 * round(math.sqrt(n) / 2)
    assert found.value == pytest.approx(value, rel=1e-9)
    width = stats.t.ppf(0.975, n / (2 * found.window)) * math.sqrt(variance) / value
    assert math.log(found.high / found.value) == pytest.approx(width, rel=2e-3)
    assert math.log(found.value / found.low) == pytest.approx(width, rel=2e-3)
    assert found.noise == pytest.approx(((np.diff(y) ** 2).sum() - value) / (2 * n))


def test_a_level_far_away_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    y = np.cumsum(rng.normal(size=1000)) + rng.choice([-1.0, 1.0], 1000)
    near, far = integrated_variance(y), integrated_variance(y + 1e7)
    assert far.value == pytest.approx(near.value, rel=1e-6)
    assert far.high == pytest.approx(near.high, rel=1e-6)


def test_what_is_not_identified_is_none_with_the_reason() -> None:
    short = mm.calibrate_volatility(
        bounce_tape(1, sigma=1.0, seconds=60, trades_per_s=2, half_spread=1), price="trade"
    )
    assert (short.sigma_ticks, short.sigma_ticks_low, short.sigma_ccy) == (None, None, None)
    assert short.noise_ticks is None and "too few" in short.reason
    assert short.naive_ticks is not None
    still = integrated_variance(np.full(500, 7.0))
    assert still.reason == "the price does not move" and math.isnan(still.value)
    noise = integrated_variance(np.tile([0.0, 1.0], 200))
    assert noise.reason == "the noise hides the moves of the price" and math.isnan(noise.high)
    none = mm.calibrate_volatility(short_book(), price="trade")
    assert none.reason == "there is no price in the window" and none.exposure_s == 0.0


def short_book() -> xr.Dataset:
    return tape_of(np.array([[0.0, DEPTH, 1, 100.0, 5], [9.0, DEPTH, -1, 103.0, 5]]))


def test_one_price_is_no_volatility() -> None:
    found = mm.calibrate_volatility(short_book())
    assert (found.observations, found.sigma_ticks, found.naive_ticks) == (1, None, None)
    assert len(found.signature) == 0


def halted(tape: xr.Dataset, at: float, seconds: float, jump: float) -> xr.Dataset:
    """The tape with a halt cut in, after which the book is a new one and the price has jumped."""
    ns = tape["exch_ts"].values
    cut = ns[0] + int(at * 1e9)
    later = ns >= cut
    rows = np.stack(
        [
            (ns - ns[0]) / 1e9 + seconds * later,
            tape["kind"].values,
            tape["side"].values,
            tape["tick"].values + tape["subtick"].values + jump * later,
            tape["size"].values,
        ],
        axis=1,
    )
    again = rows[later][0, 0]
    stop = [[at, STATUS, 0.0, 0.0, 1.0], [again, CLEAR, 0.0, 0.0, 0.0]]
    return tape_of(np.concatenate([rows[~later], stop, rows[later], [[again, STATUS, 0, 0, 0]]]))


def test_halts_count_neither_as_time_nor_as_a_move() -> None:
    tape = flicker_tape(4, sigma=1.0, seconds=900, quotes_per_s=2, noise=1)
    plain = mm.calibrate_volatility(tape)
    found = mm.calibrate_volatility(halted(tape, 400.0, 3600.0, 500.0))
    assert (plain.gaps, found.gaps) == (0, 1)
    assert found.exposure_s == pytest.approx(plain.exposure_s, abs=5.0)
    assert found.sigma_ticks == pytest.approx(plain.sigma_ticks, rel=0.02)
    assert found.naive_ticks == pytest.approx(plain.naive_ticks, rel=0.02)
    for one, other in zip(plain.signature.itertuples(), found.signature.itertuples(), strict=True):
        assert other.sigma_ticks == pytest.approx(one.sigma_ticks, rel=0.05)


def test_trades_over_a_halt_are_no_move_either() -> None:
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0.0, 900.0, 3000))
    book = quote_rows(np.array([0.0]), np.array([4900.0]), np.array([5100.0]))
    price = 5000.0 + np.cumsum(rng.normal(0.0, 0.5, len(time)))
    trades = np.stack([time, np.full(3000, TRADE), np.ones(3000), price, np.ones(3000)], axis=1)
    tape = tape_of(np.concatenate([book, trades]))
    plain = mm.calibrate_volatility(tape, price="trade")
    found = mm.calibrate_volatility(halted(tape, 400.0, 3600.0, 500.0), price="trade")
    assert (plain.gaps, found.gaps) == (0, 1)
    assert found.exposure_s == pytest.approx(plain.exposure_s, abs=5.0)
    assert found.naive_ticks == pytest.approx(plain.naive_ticks, rel=0.01)


def test_a_book_that_is_empty_for_a_moment_has_no_gap() -> None:
    """The bid goes for 0.1 s and comes back 4 ticks lower: a move like any other."""
    rows = [[0.0, DEPTH, 1, 100.0, 5], [0.0, DEPTH, -1, 103.0, 5], [1.0, DEPTH, 1, 100.0, 0]]
    for back, gaps, moved in ((1.1, 0, 2.0), (2.5, 1, 0.0)):
        last = [[back, DEPTH, 1, 96.0, 5], [4.0, DEPTH, 1, 96.0, 6]]
        found = mm.calibrate_volatility(tape_of(np.array(rows + last)))
        assert found.gaps == gaps
        seconds = 4.0 if gaps == 0 else 2.5
        assert found.exposure_s == pytest.approx(seconds, abs=1e-6)
        naive = 0.0 if found.naive_ticks is None else found.naive_ticks
        assert naive == pytest.approx(moved / math.sqrt(seconds), abs=1e-6)


def test_the_signature_by_hand() -> None:
    """A price that goes up and down by 2 each second shows it at 1 s, and not at 60 s."""
    time = np.arange(0.0, 3600.0)
    bid = 5000.0 + 2.0 * (np.arange(3600) % 2)
    found = mm.calibrate_volatility(tape_of(quote_rows(time, bid, bid + 1.0)))
    table = found.signature.set_index("interval_s")
    assert table["sigma_ticks"].to_dict() == pytest.approx(
        {1.0: 2.0, 5.0: 2.0 / math.sqrt(5), 15.0: 2.0 / math.sqrt(15), 60.0: 0.0}
    )
    assert table.loc[60.0, "returns"] == 59
    assert found.naive_ticks == pytest.approx(2.0, rel=1e-3)


def test_a_sampled_price_is_the_last_one_at_each_multiple() -> None:
    tape = flicker_tape(4, sigma=1.0, seconds=900, quotes_per_s=2, noise=0.5)
    found = mm.calibrate_volatility(tape, sample_s=2.0)
    assert found.observations == 450
    assert found.sigma_ticks_low < 1.0 < found.sigma_ticks_high  # type: ignore[operator]


def test_windows_and_prices() -> None:
    tape = flicker_tape(4, sigma=1.0, seconds=1800, quotes_per_s=2, noise=0.5)
    half = mm.calibrate_volatility(tape, start=900)
    assert half.exposure_s == pytest.approx(900.0, abs=5.0)
    assert half.start_ts == int(tape["exch_ts"].values[0]) + 900 * 10**9
    assert half.sigma_ticks_low < 1.0 < half.sigma_ticks_high  # type: ignore[operator]
    for wrong in ({"price": "last"}, {"sample_s": 0.0}, {"sample_s": math.inf}, {"start": 9e9}):
        with pytest.raises(UsageError):
            mm.calibrate_volatility(tape, **wrong)


def test_results_are_flat_and_in_currency_too() -> None:
    tape = flicker_tape(4, sigma=1.0, seconds=900, quotes_per_s=2, noise=0.5)
    found = mm.calibrate_volatility(tape)
    result = found.to_dict()
    assert flat(result).keys() == result.keys()
    json.dumps(result, allow_nan=False)
    assert result["sigma_ccy"] == pytest.approx(0.01 * result["sigma_ticks"])
    assert result["naive_ticks_15s"] == found.signature["sigma_ticks"].iloc[-1]
    assert result["reason"] == "" and result["window"] % 2 == 0


@pytest.mark.parametrize(
    ("reader", "file"),
    [
        ("lobster", "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"),
        ("lobster", "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz"),
        ("binance", "binance/usdm_btcusdt_20240808.gz"),
    ],
)
def test_recorded_days_make_sense(real_data: Callable[[str], Path], reader: str, file: str) -> None:
    """Mid and trades agree, noise shows in stocks, and minutes say what the estimate says."""
    tape = mm.read_tape(reader, real_data(file))
    mid, trade = (mm.calibrate_volatility(tape, price=price) for price in ("mid", "trade"))
    for one, other in ((mid, trade), (trade, mid)):
        assert one.sigma_ticks_low < other.sigma_ticks < one.sigma_ticks_high  # type: ignore[operator]
        assert one.sigma_ticks_high < 1.7 * one.sigma_ticks_low  # type: ignore[operator]
    coarse = mid.signature["sigma_ticks"].iloc[-1]
    assert coarse == pytest.approx(mid.sigma_ticks, rel=0.2)
    if reader == "lobster":
        assert mid.noise_ticks > 0.3 and trade.noise_ticks > mid.noise_ticks  # type: ignore[operator]
        assert mid.naive_ticks > mid.sigma_ticks_high  # type: ignore[operator]
