"""Files of measured order latencies: read exactly, refused with their place, and told of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmquant.config import Config
from mmquant.core.latency import KNOT
from mmquant.data.latencies import LONGEST_NS
from mmquant.data.latency_file import latency_note, read_knots
from mmquant.errors import ConfigError, DataError
from mmquant.strategies.demo import demo_tape

HEAD = "ts,entry_ns,response_ns\n"
T0 = 1_700_000_000_123_456_789
rows = st.lists(
    st.tuples(st.integers(-(2**62), 2**62), *[st.integers(1, LONGEST_NS)] * 2),
    min_size=1,
    unique_by=lambda row: row[0],
).map(sorted)


def frame_of(data: list[tuple[int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(data, columns=["ts", "entry_ns", "response_ns"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@given(data=rows)
def test_knots_are_read_to_the_nanosecond(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: list[tuple[int, int, int]]
) -> None:
    file = tmp_path_factory.getbasetemp() / f"latency{suffix}"
    if suffix == ".csv":
        frame_of(data).to_csv(file, index=False)
    else:
        frame_of(data).to_parquet(file, index=False)
    knots = read_knots(file)
    assert knots.dtype == KNOT
    assert knots.tolist() == data


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "latency.csv"
    file.write_text(f"response_ns,ts,entry_ns\n3,{T0},2\n")
    assert read_knots(file).tolist() == [(T0, 2, 3)]


def test_whole_numbers_of_any_width_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "latency.parquet"
    frame = frame_of([(5, 2, 3)]).astype({"entry_ns": "int16", "response_ns": "float64"})
    frame.to_parquet(file)
    assert read_knots(file).tolist() == [(5, 2, 3)]


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("", "not readable", ""),
        (HEAD, "no knots", ""),
        ("ts,entry_ns\n5,1\n", "'response_ns' is missing", ""),
        ("entry_ns,response_ns\n1,1\n", "'ts' is missing", ""),
        ("ts,entry_ns,response_ns,venue\n5,1,1,2\n", "'venue' is not known", ""),
        ("ts,feed_ns\n5,1\n", "market data, not of orders", "column 'feed_ns'"),
        (HEAD + "5,1,1\n4,1,1\n", "do not rise", "row 2, column 'ts'"),
        (HEAD + "5,1,1\n9,1,1\n9,1,1\n", "do not rise", "row 3, column 'ts'"),
        (HEAD + "5,1,1\n6,0,1\n", "entry_ns is below 1 ns", "row 2, column 'entry_ns'"),
        (HEAD + "5,1,-7\n", "response_ns is below 1 ns", "row 1, column 'response_ns'"),
        (HEAD + "5,1,1\n6,,1\n", "empty", "row 2, column 'entry_ns'"),
        (HEAD + "5,1,1\n6,nan,1\n", "empty", "row 2, column 'entry_ns'"),
        (HEAD + "5,1.5,1\n", "not whole numbers", "row 1, column 'entry_ns'"),
        (HEAD + "5,1,1\n6,x,1\n", "not whole numbers", "row 2, column 'entry_ns'"),
        (HEAD + "5,1,inf\n", "not whole numbers", "row 1, column 'response_ns'"),
        (HEAD + "2012-06-21T10:00:00Z,1,1\n", "not whole numbers", "row 1, column 'ts'"),
        (HEAD + f"{T0}.0,1,1\n", "not whole numbers", "row 1, column 'ts'"),
        (HEAD + "9999999999999999999999,1,1\n", "not whole numbers", "row 1, column 'ts'"),
        (HEAD + "5,1,1\n6,3600000000001,1\n", "above an hour", "row 2, column 'entry_ns'"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_place(
    tmp_path: Path, text: str, what: str, place: str
) -> None:
    file = tmp_path / "latency.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=what) as caught:
        read_knots(file)
    assert str(file) in caught.value.where and place in caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_times_of_another_type_are_refused(tmp_path: Path, unit: str) -> None:
    """Their numbers may be in another unit than ns."""
    file = tmp_path / "latency.parquet"
    frame = frame_of([(T0, 1, 1)])
    frame["ts"] = pd.to_datetime(frame["ts"]).dt.as_unit(unit)
    frame.to_parquet(file)
    with pytest.raises(DataError, match="not whole numbers"):
        read_knots(file)


def test_a_missing_file_and_one_that_is_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_knots(tmp_path / "none.csv")
    file = tmp_path / "latency.parquet"
    file.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match="not readable"):
        read_knots(file)


# --- in a configuration


def test_the_path_starts_at_the_yaml_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("latency: {file: day/latency.csv}\n")
    assert Config.load(file, env={}).latency_path() == tmp_path / "day/latency.csv"
    sets = ["latency.file=latency.csv"]
    assert Config.load(file, env={}, sets=sets).latency_path() == Path("latency.csv")
    assert Config().latency_path() is None


def test_a_file_is_a_path() -> None:
    with pytest.raises(ConfigError, match=r"latency\.file"):
        Config.from_dict({"latency": {"file": ["a.csv"]}})


def test_a_run_says_where_its_latencies_are_from(tmp_path: Path) -> None:
    file, tape = tmp_path / "latency.csv", demo_tape()
    first, last = (int(t) for t in tape["exch_ts"].values[[0, -1]])
    outside = "nearest one holds throughout"
    for times, beyond in (
        ([first, last], False),
        ([first - 5, first], False),
        ([last, last + 5], False),
        ([1, 2], True),
        ([last + 1, last + 2], True),
    ):
        frame_of([(ts, 1, 1) for ts in times]).to_csv(file, index=False)
        note = latency_note(file, tape)
        assert "between 2 measured ones" in note
        assert (outside in note) == beyond


def test_knots_are_contiguous_rows_for_the_kernels(tmp_path: Path) -> None:
    file = tmp_path / "latency.csv"
    frame_of([(T0 + i, 1, 1) for i in range(3)]).to_csv(file, index=False)
    knots = read_knots(file)
    assert knots.flags.c_contiguous and knots.flags.aligned
    assert np.diff(knots["ts"]).tolist() == [1, 1]
