"""Fill intensity: what was simulated is found, and a few rows are counted by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mmquant as mm
from mmquant.console import flat
from mmquant.data.tape_facts import tops
from mmquant.errors import UsageError
from mmquant.research.calibration.intensity import Intensity
from tests.research.markets import (
    DEPTH,
    START,
    STATUS,
    TRADE,
    clustered_tape,
    intensity_tape,
    tape_of,
)

SEEDS = range(200)
COVERING = range(182, 199)
"""Of 200 intervals of 95 %, this many cover in all but 0.6 % of cases."""


def small(*rows: tuple[float, int, int, float, int], tick: str = "0.01") -> xr.Dataset:
    """A book of 100 bid, 103 asked, and then rows (s, kind, side, tick, size)."""
    book = ((0.0, DEPTH, 1, 100.0, 5), (0.0, DEPTH, -1, 103.0, 5))
    return tape_of(np.array([*book, *rows], np.float64), tick=tick)


def covering(found: list[Intensity], quote: str, *, A: float, k: float) -> tuple[int, int]:
    """In how many of the results the intervals hold A, and k."""
    fits = [result.fits[quote] for result in found]
    assert all(fit.A is not None and fit.k is not None for fit in fits)
    return (
        sum(fit.A.low <= A <= fit.A.high for fit in fits),  # type: ignore[union-attr]
        sum(fit.k.low <= k <= fit.k.high for fit in fits),  # type: ignore[union-attr]
    )


def bias(found: list[Intensity], quote: str, *, A: float, k: float) -> tuple[float, float]:
    """Mean of log estimate over truth, in standard errors of that mean, of A and k."""
    logs = np.log([(r.fits[quote].A.value / A, r.fits[quote].k.value / k) for r in found])  # type: ignore[union-attr]
    return tuple(logs.mean(axis=0) / logs.std(axis=0) * math.sqrt(len(found)))


@pytest.mark.compiled
@pytest.mark.parametrize(("A", "k", "seconds"), [(1.0, 1.5, 600.0), (5.0, 0.1, 150.0)])
def test_intervals_cover_what_was_simulated(A: float, k: float, seconds: float) -> None:
    tapes = (intensity_tape(seed, A=A, k=k, seconds=seconds) for seed in SEEDS)
    found = [mm.calibrate_intensity(tape) for tape in tapes]
    for quote in ("both", "bid", "ask"):
        for count in covering(found, quote, A=A, k=k):
            assert count in COVERING
        assert max(map(abs, bias(found, quote, A=A, k=k))) < 3.5
    assert np.mean([result.fits["both"].fit_p < 0.05 for result in found]) < 0.12  # type: ignore[operator]


@pytest.mark.compiled
def test_intervals_cover_where_orders_come_in_bursts() -> None:
    A, k = 1.0, 0.7
    tapes = (clustered_tape(seed, A=A, k=k, seconds=600.0, burst=4.0) for seed in SEEDS)
    found = [mm.calibrate_intensity(tape) for tape in tapes]
    for count in covering(found, "both", A=A, k=k):
        assert count in COVERING
    fits = [result.fits["both"] for result in found]
    assert 2.5 < np.mean([fit.dispersion for fit in fits]) < 6.0  # type: ignore[arg-type]
    poisson = [
        abs(math.log(fit.A.value / A)) * math.sqrt(fit.A.variance_factor)  # type: ignore[union-attr]
        <= math.log(fit.A.high / fit.A.value)  # type: ignore[union-attr]
        for fit in fits
    ]
    assert sum(poisson) < 182, "Poisson intervals would have covered too"


def test_distances_rates_and_exposure_by_hand() -> None:
    """Mid 101.5 for 10 s, then 101 (an even book) for 10 s, then the bid is gone for 5 s."""
    tape = small(
        (1.0, TRADE, 1, 103.0, 2),  # reaches 1.5
        (2.0, TRADE, 1, 103.0, 1), (2.0, TRADE, 1, 105.0, 1),  # one order, reaches 3.5
        (3.0, TRADE, -1, 100.0, 1),  # reaches 1.5
        (4.0, TRADE, -1, 99.5, 1),  # a bid at 100 is the last it reaches: 1.5
        (5.0, TRADE, 0, 102.0, 1),  # nobody knows who
        (6.0, TRADE, 1, 101.0, 1),  # half a tick behind the mid
        (10.0, DEPTH, -1, 102.0, 5),
        (12.0, TRADE, 1, 102.0, 1),  # reaches 1
        (20.0, DEPTH, 1, 100.0, 0),
        (21.0, TRADE, 1, 102.0, 1),  # no mid
        (25.0, DEPTH, -1, 102.0, 1),
    )  # fmt: skip
    found = mm.calibrate_intensity(tape)
    assert found.exposure_s == pytest.approx(20.0)
    assert (found.orders, found.orders_without_book, found.unsided_trades) == (7, 1, 1)
    assert found.orders_behind_mid == 1
    assert (found.median_spread_ticks, found.min_distance_ticks) == (2.0, 1.0)
    assert found.touch_beyond_share == pytest.approx(0.5)
    rates = found.rates.set_index(["quote", "distance_ticks"])
    counts = {
        ("ask", 0.0): 1, ("ask", 0.5): 2, ("ask", 1.0): 1, ("ask", 1.5): 2, ("ask", 2.5): 1,
        ("ask", 3.5): 1, ("ask", 2.0): 0, ("bid", 1.5): 2, ("both", 1.5): 4, ("both", 1.0): 1,
    }  # fmt: skip
    assert {key: rates.loc[key, "orders"] for key in counts} == counts
    assert ("bid", 2.5) not in rates.index
    assert rates.loc[("ask", 1.5), "exposure_s"] == pytest.approx(10.0)
    assert rates.loc[("both", 1.5), "rate_per_s"] == pytest.approx(4 / 20.0)
    assert rates.loc[("both", 1.5), "rate_low"] == pytest.approx(1.0898650 / 20.0)
    assert rates["fitted_per_s"].isna().all()
    assert found.fits["both"].reason == "5 orders reach that far: too few"


def test_a_window_is_cut_out_of_the_tape() -> None:
    tape = intensity_tape(1, A=2.0, k=0.7, seconds=900.0)
    parts = [(0, 300), (300, 600), (600, None)]
    cut = [mm.calibrate_intensity(tape, start=start, end=end) for start, end in parts]
    whole = mm.calibrate_intensity(tape)
    assert sum(part.exposure_s for part in cut) == pytest.approx(whole.exposure_s)
    assert sum(part.orders for part in cut) == whole.orders
    assert cut[1].start_ts == START + 300 * 10**9 and cut[1].exposure_s == pytest.approx(300.0)
    for quote in ("both", "bid", "ask"):
        assert sum(part.fits[quote].orders for part in cut) == whole.fits[quote].orders
    by_clock = mm.calibrate_intensity(tape, start="09:35", end="09:40:00.0")
    pd.testing.assert_frame_equal(by_clock.rates, cut[1].rates)
    assert by_clock.fits == cut[1].fits
    assert mm.calibrate_intensity(tape, start="09:00", end=300).fits == cut[0].fits


def test_a_clock_time_after_midnight_is_the_next_days() -> None:
    tape = intensity_tape(1, A=2.0, k=0.7, seconds=3000.0)
    late = tape.copy()
    hours = 14 * 3600 * 10**9  # to 23:30 in New York
    for name in ("exch_ts", "local_ts"):
        late[name] = tape[name] + hours
    found = mm.calibrate_intensity(late, start="00:10")
    assert found.start_ts == START + hours + 2400 * 10**9


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": 10, "end": 10}, "nothing from 10 to 10"),
        ({"start": 5000}, "nothing from 5000 to its last row"),
        ({"end": "08:00"}, "nothing from its first row to 08:00"),
        ({"start": "nine"}, "'nine' is not a moment"),
        ({"start": "09:99"}, "'09:99' is not a moment"),
        ({"start": math.nan}, "'nan' is not a moment"),
        ({"inst": 1}, "no instrument 1"),
        ({"min_distance_ticks": -1.0}, "min_distance_ticks is -1"),
        ({"min_distance_ticks": math.nan}, "min_distance_ticks is nan"),
    ],
)
def test_what_cannot_be_is_refused(window: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mm.calibrate_intensity(intensity_tape(1, A=1.0, k=1.0, seconds=60.0), **window)


def test_halts_do_not_count_as_time() -> None:
    tape = small(
        (1.0, STATUS, 0, 0.0, 1), (2.0, TRADE, 1, 103.0, 1), (4.0, STATUS, 0, 0.0, 0),
        (5.0, DEPTH, 1, 100.0, 5),
    )  # fmt: skip
    found = mm.calibrate_intensity(tape)
    assert found.exposure_s == pytest.approx(2.0)
    assert (found.orders, found.orders_without_book) == (1, 1)


def test_a_book_without_two_sides_has_no_intensity() -> None:
    tape = tape_of(np.array([[0.0, DEPTH, 1, 100.0, 5], [1.0, TRADE, -1, 100.0, 1]]))
    found = mm.calibrate_intensity(tape)
    assert found.fits["both"].reason == "the book never has two sides"
    assert found.exposure_s == 0.0 and len(found.rates) == 0
    assert {found.median_spread_ticks, found.min_distance_ticks, found.tick_size} == {None}
    assert found.to_dict()["A_per_s"] is None


def test_the_smallest_distance_is_where_the_fit_begins() -> None:
    """Orders below 3 ticks that follow another law change nothing from there on."""
    tape = intensity_tape(3, A=20.0, k=0.5, seconds=600.0)
    ours = mm.calibrate_intensity(tape, min_distance_ticks=3.0)
    assert ours.min_distance_ticks == 3.0
    for quote in ("both", "bid", "ask"):
        rates = ours.rates[ours.rates["quote"] == quote].set_index("distance_ticks")
        fit = ours.fits[quote]
        assert rates["fitted_per_s"].first_valid_index() == 3.0
        assert fit.orders == rates.loc[3.0, "orders"] + rates.loc[3.5, "orders"]
        assert fit.A is not None and fit.k is not None
        assert rates.loc[4.0, "fitted_per_s"] == pytest.approx(
            fit.A.value * math.exp(-4.0 * fit.k.value)
        )


@pytest.mark.compiled
def test_a_wide_spread_hides_orders_until_the_fit_begins_behind_it() -> None:
    """An order that does not reach the best price leaves nothing on the tape."""
    A, k = 2.0, 0.5
    tapes = [intensity_tape(seed, A=A, k=k, seconds=1800.0, widest=8) for seed in range(10)]
    near = [mm.calibrate_intensity(tape) for tape in tapes]
    assert all(result.touch_beyond_share > 0.3 for result in near)  # type: ignore[operator]
    assert max(bias(near, "both", A=A, k=k)) < -3.5
    behind = [mm.calibrate_intensity(tape, min_distance_ticks=4.0) for tape in tapes]
    assert all(result.touch_beyond_share == 0.0 for result in behind)
    assert max(map(abs, bias(behind, "both", A=A, k=k))) < 3.5


def test_results_are_flat_and_whole() -> None:
    found = mm.calibrate_intensity(intensity_tape(2, A=2.0, k=0.7, seconds=900.0))
    result = found.to_dict()
    assert flat(result).keys() == result.keys()
    json.dumps(result, allow_nan=False)
    for name in ("A_per_s", "k_per_tick"):
        assert result[f"{name}_low"] < result[name] < result[f"{name}_high"]
        assert result[f"bid.{name}"] == found.curves().set_index("quote").loc["bid", name]
    assert result["k_per_ccy"] == pytest.approx(result["k_per_tick"] / 0.01)
    assert result["fit_orders"] == result["bid.fit_orders"] + result["ask.fit_orders"]
    assert result["reason"] == ""


def test_a_ladder_of_two_steps_has_no_k_per_currency() -> None:
    contract = mm.Contract.option(
        0, "X", venue="SIM", expiry="2024-03-15", strike=5.0, right="C", tick_class="nickel"
    )
    tape = intensity_tape(2, A=2.0, k=0.7, seconds=900.0)
    split = tape.copy()
    split.attrs["contracts"] = json.dumps([contract.to_dict()])
    around = split.copy()
    around["tick"] = split["tick"] - 5000 + 60  # the class changes its tick at 3.00, tick 60
    assert mm.calibrate_intensity(split).to_dict()["k_per_ccy"] is not None
    found = mm.calibrate_intensity(around).to_dict()
    assert (found["tick_size"], found["k_per_ccy"]) == (None, None)
    assert found["k_per_tick"] is not None


def test_exposure_against_a_plain_replay() -> None:
    tape = mm.make_demo_tape(seed=5, minutes=3)
    found = mm.calibrate_intensity(tape, min_distance_ticks=1.0)
    table = np.array(list(tops(tape)))
    held = np.diff(table[:, 0], append=found.end_ts) / 1e9
    odd = (table[:, 1] + table[:, 2]) % 2 == 1
    rates = found.rates.set_index(["quote", "distance_ticks"])
    assert rates.loc[("ask", 1.5), "exposure_s"] == pytest.approx(held[odd].sum())
    assert rates.loc[("both", 1.0), "exposure_s"] == pytest.approx(2 * held[~odd].sum())
    assert found.exposure_s == pytest.approx(held.sum())
    wide = table[:, 2] - table[:, 1] > 2
    assert found.touch_beyond_share == pytest.approx(held[wide].sum() / held.sum())


@pytest.mark.parametrize(
    ("reader", "file", "k_range"),
    [
        ("lobster", "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip", (0.2, 0.6)),
        ("lobster", "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz", (0.15, 0.6)),
    ],
)
def test_recorded_stocks_make_sense(
    real_data: Callable[[str], Path], reader: str, file: str, k_range: tuple[float, float]
) -> None:
    """Half the spread and 1 / k are of one size, both sides agree, and the curve holds."""
    found = mm.calibrate_intensity(mm.read_tape(reader, real_data(file)))
    result = found.to_dict()
    assert k_range[0] < result["k_per_tick_low"] < result["k_per_tick_high"] < k_range[1]
    assert 0.2 < 1 / result["k_per_tick"] / result["min_distance_ticks"] < 2.0
    assert result["bid.k_per_tick_low"] < result["ask.k_per_tick_high"]
    assert result["ask.k_per_tick_low"] < result["bid.k_per_tick_high"]
    assert result["fit_gap"] < 0.1
    assert result["dispersion"] > 5.0 and result["A_per_s_variance_factor"] > 2.0
    assert result["orders_behind_mid"] < 0.06 * result["orders"]


def test_a_recorded_book_that_lags_its_trades_is_said(real_data: Callable[[str], Path]) -> None:
    """The depth of this feed comes every 100 ms, so trades are far from the mid that is known."""
    tape = mm.read_tape("binance", real_data("binance/usdm_btcusdt_20240808.gz"))
    result = mm.calibrate_intensity(tape).to_dict()
    assert result["fit_p"] < 1e-6 and result["fit_gap"] > 0.5
    assert result["orders_behind_mid"] > 0.05 * result["orders"]
