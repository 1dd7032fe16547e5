"""Strict and lenient reading, screening of rows, and the check of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.data.crossing import crossed_rows
from mmquant.data.quality import Quarantine, check, iso_time, quarantine_of, tape_facts
from mmquant.data.readers import write_tape
from mmquant.data.screening import screen, time_backwards
from mmquant.data.tape import COLUMNS
from mmquant.errors import DataError
from mmquant.schema import validate
from tests.data.tape_strategies import BASE, small_tape, tapes


def test_a_strict_read_raises_on_the_first_bad_row() -> None:
    q = Quarantine("in/a.csv")
    with pytest.raises(DataError) as error:
        q.bad(np.array([False, True, True]), "size is negative", np.array([2, 3, 4]), fix="mend it")
    assert str(error.value) == (
        "size is negative — in/a.csv, row 3 — mend it, or read with lenient=True (--lenient) to "
        "set such rows aside"
    )
    with pytest.raises(DataError, match=r"bad: 'x,y' — in/a\.csv, row 7 — read with lenient"):
        q.add(7, "bad", "x,y")


def test_a_lenient_read_collects_rows_with_one_reason_each() -> None:
    q = Quarantine("in/a.csv", lenient=True)
    rows = np.array([5, 3, 4])
    keep = q.bad(np.array([1, 0, 1]), "size is negative", rows, text=lambda i: f"row {i}")
    assert keep.tolist() == [False, True, False]
    q.add(5, "another reason")
    q.add(9, "side is unknown")
    assert q.total == 3
    assert q.counts == {"size is negative": 2, "side is unknown": 1}
    table = q.table()
    validate(table, "quarantine")
    assert table.values.tolist() == [
        ["a.csv", 4, "size is negative", "row 2"],
        ["a.csv", 5, "size is negative", "row 0"],
        ["a.csv", 9, "side is unknown", ""],
    ]
    with pytest.raises(DataError, match=r"cut off — in/a\.csv, row 3 — copy it"):
        q.fail("cut off", row=3, fix="copy it")


def test_tables_of_several_files_add_up_on_a_tape() -> None:
    tape = small_tape()
    assert quarantine_of(tape).empty
    validate(quarantine_of(tape), "quarantine")
    for name in ("a.csv", "b.csv"):
        q = Quarantine(name, lenient=True)
        q.add(1, "bad")
        q.attach(tape)
    assert quarantine_of(tape)["file"].tolist() == ["a.csv", "b.csv"]
    assert json.loads(tape.attrs["counts"])["quarantined"] == 2


@given(st.lists(st.integers(0, 12), max_size=30))
def test_time_backwards_leaves_sorted_rows_and_few_out(ts: list[int]) -> None:
    times = np.array(ts, np.int64)
    bad = time_backwards(times)
    assert (np.diff(times[~bad]) >= 0).all()
    early = times < np.maximum.accumulate(times) if ts else bad
    assert bad.sum() <= early.sum()


@settings(deadline=None)
@given(tapes())
def test_good_rows_pass_the_screen_unchanged(tape: xr.Dataset) -> None:
    data = {name: tape[name].values.astype(np.int64) for name in COLUMNS if name != "subtick"}
    data["subtick"] = tape["subtick"].values
    rows = np.arange(1, tape.sizes["event"] + 1)
    good = screen(data, rows, Quarantine("x"), 3)
    for name, dtype in COLUMNS.items():
        assert good[name].dtype == dtype
        assert (good[name] == tape[name].values).all()


def test_the_crossing_rows_of_a_wide_book_are_found() -> None:
    n = 20_000
    tick = np.arange(1, n + 1, dtype=np.int32) * 1000
    data = {
        "exch_ts": np.arange(n, dtype=np.int64),
        "kind": np.ones(n, np.int8),
        "side": np.ones(n, np.int8),
        "tick": tick,
        "size": np.ones(n, np.int32),
        "inst": np.zeros(n, np.int16),
    }
    data["side"][:2] = -1
    data["tick"][:2] = [5_000_500, 5_000_600]
    bad, counts = crossed_rows(data, 1)
    assert np.flatnonzero(bad).tolist() == list(range(5000, n))
    assert counts == {"crossed_rows": 15_000, "crossed_in_packet": 15_000, "locked_rows": 0}


def test_facts_of_a_tape() -> None:
    facts = tape_facts(small_tape(), gap_s=10e-9)
    assert facts == {
        "rows": 9, "trades": 2, "status_rows": 1, "symbols": "ABC", "date": "2023-11-14",
        "level": "L2", "first_time": "2023-11-14T22:13:20.000000000Z",
        "last_time": "2023-11-14T22:13:20.000000040Z", "gaps": 4, "largest_gap_s": 1e-8,
        "crossed_rows": 0, "crossed_in_packet": 0, "locked_rows": 0, "quarantined": 0,
    }  # fmt: skip
    assert iso_time(-1) == "1969-12-31T23:59:59.999999999Z"
    empty = tape_facts(small_tape().isel(event=slice(0, 0)))
    assert (empty["rows"], empty["first_time"], empty["largest_gap_s"]) == (0, "", 0.0)


def test_check_of_a_good_file_is_flat(tmp_path: Path) -> None:
    path = write_tape(small_tape(), tmp_path / "a.parquet")
    facts = check("parquet", path)
    assert facts["ok"] is True and facts["problem"] == "" and facts["rows"] == 9
    assert all(isinstance(value, str | int | float | bool) for value in facts.values())
    json.dumps(facts, allow_nan=False)


def test_check_of_a_bad_file_counts_and_tells_the_first_problem(tmp_path: Path) -> None:
    path = write_tape(small_tape(), tmp_path / "a.csv")
    rows = path.read_text().splitlines()
    at = rows[1].split(",").index("size")
    for line in (4, 5):
        cells = rows[line].split(",")
        cells[at] = "-1"
        rows[line] = ",".join(cells)
    path.write_text("\n".join(rows) + "\n")
    facts = check("csv", path)
    assert facts["ok"] is False and facts["quarantined"] == 2 and facts["rows"] == 7
    assert facts["problem"].startswith("size is negative") and "a.csv, row 5" in facts["problem"]
    assert check("csv", path, lenient=True)["ok"] is True
    path.write_text("")
    with pytest.raises(DataError):
        check("csv", path)


def test_check_of_several_files_adds_up(tmp_path: Path) -> None:
    one = write_tape(small_tape(), tmp_path / "a.parquet")
    later = small_tape()
    later["exch_ts"] = later["exch_ts"] + 10**9
    later["local_ts"] = later["local_ts"] + 10**9
    two = write_tape(later, tmp_path / "b.parquet")
    facts = check("parquet", [two, one])
    assert (facts["files"], facts["rows"], facts["symbols"]) == (2, 18, "ABC")
    assert facts["first_time"] == iso_time(BASE) and facts["last_time"] == iso_time(
        BASE + 10**9 + 40
    )
    assert facts["ok"] is True and facts["largest_gap_s"] == 1e-8


def test_check_of_the_lobster_sample(real_data: Callable[[str], Path]) -> None:
    facts = check("lobster", real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"))
    assert facts["book_rows"] == facts["book_rows_equal"] > 0
    assert facts["levels_injected"] > 0 and facts["ok"] is True
