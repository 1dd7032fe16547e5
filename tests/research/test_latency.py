"""Latencies: constants, knots and their files, and clocks that do not agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.console import flat
from mmquant.data.latencies import LatencyModel, read_latency, read_order_times, thinned
from mmquant.data.synthetic import make_random_tape
from mmquant.errors import DataError, UsageError
from tests.research.markets import START, bounce_tape

T0 = START


def jittery(rows: int = 3000) -> xr.Dataset:
    return make_random_tape(rows, seed=2, jitter_ns=1_000_000)


def order_file(folder: Path, rows: list, name: str = "orders.csv") -> Path:
    columns = zip(("request_ts", "exch_ts", "response_ts"), zip(*rows, strict=True), strict=True)
    frame = pd.DataFrame({key: pd.array(values, dtype="Int64") for key, values in columns})
    path = folder / name
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


def test_constants_of_a_feed() -> None:
    tape = jittery()
    exch, local = tape["exch_ts"].values, tape["local_ts"].values
    once = pd.DataFrame({"exch": exch, "local": local})
    once = once[(once != once.shift()).any(axis=1)]
    latency = np.sort((once["local"] - once["exch"]).to_numpy())
    found = mm.calibrate_latency(tape)
    assert found.feed is not None and found.feed_reason == ""
    n = len(latency)
    assert found.feed.count == n < len(exch)
    assert found.feed.constants["feed_ns"] == {
        "min": latency[0],
        "p10": latency[int(np.ceil(0.1 * n)) - 1],
        "median": latency[int(np.ceil(0.5 * n)) - 1],
        "p90": latency[int(np.ceil(0.9 * n)) - 1],
        "p99": latency[int(np.ceil(0.99 * n)) - 1],
        "max": latency[-1],
    }
    assert found.orders is None and found.clock_shift_ns == 0


def test_knots_are_measurements_and_thin() -> None:
    tape = jittery()
    pairs = set(
        zip(tape["local_ts"].values, (tape["local_ts"] - tape["exch_ts"]).values, strict=True)
    )
    for knots in (1, 7, 100):
        found = mm.calibrate_latency(tape, knots=knots).feed
        assert found is not None
        table = found.model.knots
        assert len(table) == knots
        assert set(table.itertuples(index=False, name=None)) <= pairs
    whole = mm.calibrate_latency(tape, knots=10**6).feed
    assert whole is not None
    assert len(whole.model.knots) == len(np.unique(tape["local_ts"].values))
    assert whole.error_ns["feed_ns"] == 0


def test_a_slow_change_is_followed() -> None:
    """Latency that grows from 1 to 2 ms over a day, with noise of 0.1 ms: 50 knots follow it."""
    rng = np.random.default_rng(1)
    ts = T0 + np.sort(rng.integers(0, 86_400 * 10**9, 20_000))
    true = 1_000_000 + (ts - T0) / (86_400 * 10**9) * 1_000_000
    latency = np.rint(true + rng.normal(0.0, 100_000, len(ts))).astype(np.int64)
    model = thinned("feed_latency", ts, {"feed_ns": latency}, 50)
    drawn = model.at(ts)["feed_ns"].to_numpy()
    assert np.abs(drawn - true).max() < 60_000
    assert (np.diff(model.knots["ts"]) > 0).all()


def test_a_latency_that_was_not_measured_is_none() -> None:
    found = mm.calibrate_latency(bounce_tape(1, sigma=1, seconds=60, trades_per_s=2, half_spread=1))
    assert found.feed is None
    assert "take 0 ns" in found.feed_reason and "not measured" in found.feed_reason
    assert found.to_dict()["feed_ns_median"] is None


def test_a_tape_with_a_clock_behind_is_refused() -> None:
    tape = jittery().copy(deep=True)
    tape["local_ts"] = tape["local_ts"] - 5_000_000
    with pytest.raises(DataError, match=r"local_ts is before exch_ts in .* shift the local times"):
        mm.calibrate_latency(tape)


def test_a_window_of_the_feed() -> None:
    tape = jittery()
    halves = [mm.calibrate_latency(tape, start=s, end=e).feed for s, e in ((0, 1), (1, None))]
    whole = mm.calibrate_latency(tape).feed
    assert whole is not None
    assert sum(half.count for half in halves if half) == whole.count
    with pytest.raises(UsageError, match="nothing from 100"):
        mm.calibrate_latency(tape, start=100)
    with pytest.raises(UsageError, match="knots is 0"):
        mm.calibrate_latency(tape, knots=0)


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
def test_order_latency(tmp_path: Path, name: str) -> None:
    """Rows out of order, and two orders without all times."""
    rows = [
        (T0 + 2_000, T0 + 2_700, T0 + 4_000),
        (T0, T0 + 500, T0 + 1_500),
        (T0 + 3_000, None, T0 + 9_000),
        (T0 + 5_000, T0 + 5_300, T0 + 6_300),
        (T0 + 7_000, T0 + 7_001, None),
    ]
    found = mm.calibrate_latency(jittery(200), orders=order_file(tmp_path, rows, name)).orders
    assert found is not None
    assert (found.count, found.left_out) == (3, 2)
    assert found.model.knots.to_dict("list") == {
        "ts": [T0, T0 + 2_000, T0 + 5_000],
        "entry_ns": [500, 700, 300],
        "response_ns": [1_000, 1_300, 1_000],
    }
    assert found.constants["entry_ns"]["median"] == 500
    assert found.constants["response_ns"]["max"] == 1_300
    assert found.constants["round_trip_ns"]["min"] == 1_300
    assert found.error_ns == {"entry_ns": 0, "response_ns": 0}


def test_a_model_between_and_beyond_its_knots() -> None:
    knots = pd.DataFrame(
        {"ts": [T0, T0 + 10, T0 + 1_010], "entry_ns": [100, 200, 1_200], "response_ns": [5, 5, 6]}
    )
    model = LatencyModel("order_latency", knots)
    at = model.at(np.array([T0 - 50, T0, T0 + 1, T0 + 5, T0 + 520, T0 + 9_999]))
    assert at["entry_ns"].tolist() == [100, 100, 110, 150, 710, 1_200]
    assert at["response_ns"].tolist() == [5, 5, 5, 5, 6, 6]
    assert at.dtypes.unique().tolist() == [np.dtype(np.int64)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_of_knots_come_back(tmp_path: Path, suffix: str) -> None:
    model = thinned(
        "order_latency",
        np.array([T0, T0 + 5, T0 + 9]),
        {"entry_ns": np.array([7, 0, 9]), "response_ns": np.array([1, 2, 3])},
        9,
    )
    assert model.knots["entry_ns"].tolist() == [7, 1, 9]
    path = tmp_path / f"knots{suffix}"
    model.write(path)
    back = read_latency(path)
    assert back.table == "order_latency"
    pd.testing.assert_frame_equal(back.knots, model.knots)
    with pytest.raises(UsageError, match="without a suffix"):
        model.write(tmp_path / "knots")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("ts,entry_ns,response_ns\n5,1,1\n5,2,2\n", "do not rise"),
        ("ts,entry_ns,response_ns\n5,1,1\n6,0,2\n", "entry_ns is below 1 ns"),
        ("ts,entry_ns,response_ns\n5,1,\n", "empty values"),
        ("ts,entry_ns,response_ns\n5,1,x\n", "not whole numbers"),
        ("ts,entry_ns,response_ns\n5,1.5,2\n", "not whole numbers"),
        ("ts,entry_ns\n5,1\n", "'response_ns' is missing"),
        ("ts,feed_ns,more\n5,1,1\n", "'more' is not known"),
        ("ts,entry_ns,response_ns\n", "no knots"),
        ("", "not readable"),
    ],
)
def test_knots_that_cannot_be_are_refused(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "knots.csv"
    path.write_text(rows)
    with pytest.raises(DataError, match=words):
        read_latency(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("request_ts,exch_ts,response_ts\n5,4,9\n", "exch_ts is before request_ts in 1 of 1"),
        ("request_ts,exch_ts,response_ts\n1,2,3\n5,6,4\n", "response_ts is before exch_ts"),
        ("request_ts,exch_ts,response_ts\n1,2.5,3\n", "'exch_ts' is"),
        ("request_ts,exch_ts\n1,2\n", "'response_ts' is missing"),
        ("", "not readable"),
    ],
)
def test_measured_times_that_cannot_be_are_refused(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(rows)
    with pytest.raises(DataError, match=words) as error:
        read_order_times(path)
    assert "orders.csv" in str(error.value)


def test_the_row_of_a_negative_latency_is_named(tmp_path: Path) -> None:
    rows = [(T0, None, T0 + 1), (T0, T0 + 1, T0 + 2), (T0, T0 - 7, T0 + 2)]
    with pytest.raises(DataError, match=r"in 1 of 2 rows, by up to 7 ns .* row 3"):
        read_order_times(order_file(tmp_path, rows))


def test_no_order_with_all_times_is_no_measurement(tmp_path: Path) -> None:
    found = mm.calibrate_latency(jittery(200), orders=order_file(tmp_path, [(T0, None, T0)]))
    assert found.orders is None


measured = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 10**9), st.integers(0, 10**9)),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=100)
@given(measured, st.integers(1, 50))
def test_knots_rise_and_stay_within_what_was_measured(rows: list, knots: int) -> None:
    ts, entry, response = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    latency = {"entry_ns": entry, "response_ns": response}
    model = thinned("order_latency", ts + T0, latency, knots)
    assert len(model.knots) == min(knots, len(np.unique(ts)))
    drawn = model.at(ts + T0)
    for name, values in latency.items():
        assert drawn[name].min() >= max(values.min(), 1)
        assert drawn[name].max() <= max(values.max(), 1)


def test_results_are_flat() -> None:
    result = mm.calibrate_latency(jittery()).to_dict()
    assert flat(result).keys() == result.keys()
    json.dumps(result, allow_nan=False)
    assert result["feed_knots"] == 1000 and result["orders_count"] == 0


def test_recorded_feeds(real_data: Callable[[str], Path]) -> None:
    """A LOBSTER day has no local clock; that of the other log was shifted to fit."""
    stock = mm.calibrate_latency(
        mm.read_tape("lobster", real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"))
    )
    assert stock.feed is None and "1000000 ns" in stock.feed_reason
    log = real_data("binance/usdm_btcusdt_20240808.gz")
    coin = mm.calibrate_latency(mm.read_tape("binance", log, clock="recorded"))
    assert coin.feed is not None
    assert coin.clock_shift_ns == pytest.approx(1_272_656_851, abs=10**6)
    constants = coin.feed.constants["feed_ns"]
    assert constants["min"] == 500_000
    assert 2_000_000 < constants["median"] < 10_000_000 < constants["p99"] < 10**8
    assert coin.feed.error_ns["feed_ns"] < constants["median"] / 4
