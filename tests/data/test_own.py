"""Our Parquet and CSV files: exact round trips, and every fault named."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import given, settings

from mmquant.data.quality import quarantine_of
from mmquant.data.readers import read_tape, write_tape
from mmquant.data.readers.own import write_tape as write_from_own
from mmquant.errors import DataError, UsageError
from tests.data.tape_strategies import BASE, contracts, small_tape, tapes

FORMATS = [("parquet", ".parquet"), ("csv", ".csv"), ("csv", ".csv.gz")]
DATE = "2023-11-14"


@pytest.mark.parametrize(("format", "suffix"), FORMATS)
@settings(max_examples=30, deadline=None)
@given(tape=tapes())
def test_round_trip_is_exact(format: str, suffix: str, tape: xr.Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_tape(tape, Path(folder) / f"tape{suffix}")
        back = read_tape(format, path)
    assert back.identical(tape)
    assert {n: v.dtype for n, v in back.items()} == {n: v.dtype for n, v in tape.items()}


@pytest.mark.parametrize(("format", "suffix"), FORMATS)
def test_the_same_tape_gives_the_same_bytes(tmp_path: Path, format: str, suffix: str) -> None:
    one = write_tape(small_tape(), tmp_path / f"one{suffix}").read_bytes()
    two = write_from_own(small_tape(), tmp_path / f"two{suffix}").read_bytes()
    assert one == two
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("format", "suffix"), FORMATS)
def test_a_quarantine_survives_the_file(tmp_path: Path, format: str, suffix: str) -> None:
    path = bad_csv(tmp_path, 5, "size", "-4")
    tape = read_tape("csv", path, lenient=True)
    again = read_tape(format, write_tape(tape, tmp_path / f"again{suffix}"))
    assert again.identical(tape)
    assert quarantine_of(again).values.tolist() == quarantine_of(tape).values.tolist()


def lines(tape: xr.Dataset, folder: Path) -> list[str]:
    return write_tape(tape, folder / "good.csv").read_text().splitlines()


def put(folder: Path, content: list[str], name: str = "bad.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(content) + "\n")
    return path


def bad_csv(folder: Path, line: int, column: str, value: str) -> Path:
    """The small tape with one cell changed; ``line`` counts from 1, the header being 1 and 2."""
    content = lines(small_tape(), folder)
    cells = content[line - 1].split(",")
    cells[content[1].split(",").index(column)] = value
    content[line - 1] = ",".join(cells)
    return put(folder, content)


FAULTS = [
    ("size", "-4", "size is negative"),
    ("size", "nan", "size is empty or NaN"),
    ("size", "", "size is empty or NaN"),
    ("size", "1.5", "size is not a whole number"),
    ("size", "many", "size is not a whole number"),
    ("size", "2147483648", "size is beyond the int32 of a tape"),
    ("tick", "3000000000", "tick is beyond the int32 of a tape"),
    ("tick", "99999999999999999999", "tick is beyond int64"),
    ("side", "0", "side is unknown"),
    ("side", "7", "side is unknown"),
    ("kind", "9", "kind is unknown"),
    ("subtick", "0.5", "subtick is not in"),
    ("subtick", "half", "subtick is not a number"),
    ("exch_ts", str(BASE - 1), "time runs backwards"),
    ("local_ts", "5", "local_ts is before exch_ts"),
    ("inst", "3", "inst is not the id of a contract"),
    ("order_id", "-2", "order_id is negative"),
    ("tick", "200", "the book is crossed"),
]


@pytest.mark.parametrize(("column", "value", "reason"), FAULTS)
def test_csv_faults(tmp_path: Path, column: str, value: str, reason: str) -> None:
    line = 11 if column == "tick" and value == "200" else 8
    path = bad_csv(tmp_path, line, column, value)
    if reason == "the book is crossed":
        content = path.read_text().splitlines()
        content[line - 1] = content[line - 1].removesuffix("0,0,0") + "0,0,0"
        cells = content[line - 1].split(",")
        cells[content[1].split(",").index("size")] = "3"
        path = put(tmp_path, [*content[: line - 1], ",".join(cells)])
    with pytest.raises(DataError, match=reason) as error:
        read_tape("csv", path)
    assert f"bad.csv, row {line}" in str(error.value)
    assert error.value.fix and "--lenient" in error.value.fix
    tape = read_tape("csv", path, lenient=True)
    table = quarantine_of(tape)
    assert table[["file", "row"]].values.tolist() == [["bad.csv", line]]
    assert reason in table["reason"][0]
    assert table["text"][0] == path.read_text().splitlines()[line - 1]
    assert tape.sizes["event"] == 8
    assert json.loads(tape.attrs["counts"])["quarantined"] == 1


def test_one_stamp_in_the_future_is_the_bad_row(tmp_path: Path) -> None:
    path = bad_csv(tmp_path, 4, "exch_ts", str(BASE + 10**12))
    content = path.read_text().replace(f"{BASE},0,", f"{BASE + 10**12},0,", 0)
    cells = content.splitlines()[3].split(",")
    cells[1] = cells[0]
    rows = content.splitlines()
    rows[3] = ",".join(cells)
    path = put(tmp_path, rows)
    with pytest.raises(DataError, match="time runs backwards"):
        read_tape("csv", path)
    assert quarantine_of(read_tape("csv", path, lenient=True))["row"].tolist() == [4]


def test_rows_with_too_few_and_too_many_fields(tmp_path: Path) -> None:
    content = lines(small_tape(), tmp_path)
    content[4] += ",1"
    content[6] = content[6].rsplit(",", 2)[0]
    path = put(tmp_path, content)
    with pytest.raises(DataError, match=r"the row has 11 fields, not 10.*bad\.csv, row 5"):
        read_tape("csv", path)
    tape = read_tape("csv", path, lenient=True)
    assert quarantine_of(tape)["row"].tolist() == [5, 7]


def test_seq_running_backwards_in_one_packet(tmp_path: Path) -> None:
    path = bad_csv(tmp_path, 3, "seq", "1")
    path = put(tmp_path, path.read_text().splitlines())
    content = path.read_text().splitlines()
    cells = content[3].split(",")
    cells[2] = "0"
    path = put(tmp_path, [*content[:3], ",".join(cells), *content[4:]])
    with pytest.raises(DataError, match="seq runs backwards"):
        read_tape("csv", path)
    assert read_tape("csv", path, lenient=True)["seq"].values.tolist() == list(range(9))


def test_a_cut_off_csv(tmp_path: Path) -> None:
    content = lines(small_tape(), tmp_path)
    whole = put(tmp_path, content[:9])
    with pytest.raises(DataError, match=r"cut off: 2 of 9 rows are missing.*copy it again"):
        read_tape("csv", whole)
    assert read_tape("csv", whole, lenient=True).sizes["event"] == 7
    torn = tmp_path / "torn.csv"
    torn.write_text("\n".join(content)[:-3])
    with pytest.raises(DataError, match=r"the last line has no end.*torn\.csv, row 11"):
        read_tape("csv", torn)
    assert read_tape("csv", torn, lenient=True).sizes["event"] == 8


def test_a_cut_off_gzip(tmp_path: Path) -> None:
    packed = write_tape(small_tape(), tmp_path / "a.csv.gz").read_bytes()
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(packed[:-9])
    with pytest.raises(DataError, match="compressed data end early"):
        read_tape("csv", cut)
    cut.write_bytes(b"not gzip")
    with pytest.raises(DataError, match="compressed data are damaged"):
        read_tape("csv", cut)


def test_missing_and_unknown_columns(tmp_path: Path) -> None:
    content = [line.rsplit(",", 1)[0] for line in lines(small_tape(), tmp_path)[1:]]
    path = put(tmp_path, [content[0].replace("tick,", "price,", 1), *content[1:]])
    with pytest.raises(DataError, match=r"column 'tick' is missing.*bad\.csv"):
        read_tape("csv", path, contracts=contracts(), date=DATE)


def test_a_csv_without_our_comment_line_needs_contracts_and_date(tmp_path: Path) -> None:
    names = ("exch_ts", "kind", "side", "tick", "size")
    tape = small_tape()
    body = zip(*(tape[name].values.tolist() for name in names), strict=True)
    path = put(tmp_path, [",".join(names), *(",".join(map(str, row)) for row in body)])
    with pytest.raises(DataError, match="does not tell its contracts"):
        read_tape("csv", path)
    with pytest.raises(DataError, match="does not tell its date"):
        read_tape("csv", path, contracts=contracts())
    text = json.dumps([contract.to_dict() for contract in contracts()])
    for given_contracts in (contracts(), text):
        back = read_tape("csv", path, contracts=given_contracts, date=DATE)
        assert (back["tick"] == tape["tick"]).all()
        assert not back["subtick"].any()


def test_damaged_headers(tmp_path: Path) -> None:
    content = lines(small_tape(), tmp_path)
    broken = put(tmp_path, [content[0][:-5], *content[1:]])
    with pytest.raises(DataError, match="the header is damaged"):
        read_tape("csv", broken)
    old = content[0].replace('"schema_version": 1', '"schema_version": 99')
    with pytest.raises(DataError, match="of version 99, not a tape of version 1"):
        read_tape("csv", put(tmp_path, [old, *content[1:]]))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_tape("csv", binary)


def parquet_with(folder: Path, **columns: object) -> Path:
    """The small tape as Parquet, with columns replaced (None: left out)."""
    path = write_tape(small_tape(), folder / "good.parquet")
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.column_names.index(name)
        table = table.remove_column(at)
        if values is not None:
            table = table.append_column(name, pa.array(values))
    bad = folder / "bad.parquet"
    pq.write_table(table, bad)
    return bad


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"size": None}, "column 'size' is missing"),
        ({"size": [1.0] * 9}, "column 'size' is double, not int32"),
        ({"size": [1, None, *range(7)]}, r"size is empty or NaN.*row 2"),
        ({"size": [1, -2, *range(1, 8)]}, r"size is negative.*row 2"),
        ({"size": [1, 2**31, *range(1, 8)]}, r"size is beyond the int32.*row 2"),
        ({"size": np.full(9, 2**64 - 1, np.uint64)}, "beyond int64"),
        ({"subtick": [float("nan"), *[0.0] * 8]}, r"subtick is empty or NaN.*row 1"),
        ({"side": [1, 5, *[1] * 7]}, r"side is unknown.*row 2"),
    ],
)
def test_parquet_faults(tmp_path: Path, columns: dict[str, object], what: str) -> None:
    path = parquet_with(tmp_path, **columns)
    with pytest.raises(DataError, match=what) as error:
        read_tape("parquet", path)
    assert "bad.parquet" in str(error.value) and error.value.fix
    if "row" in what:
        assert read_tape("parquet", path, lenient=True).sizes["event"] == 8


def test_parquet_that_is_cut_off_or_has_no_header(tmp_path: Path) -> None:
    path = write_tape(small_tape(), tmp_path / "a.parquet")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"not a whole Parquet file.*cut\.parquet.*copy it again"):
        read_tape("parquet", tmp_path / "cut.parquet")
    bare = tmp_path / "bare.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), bare)
    with pytest.raises(DataError, match="does not tell its contracts"):
        read_tape("parquet", bare)
    assert read_tape("parquet", bare, contracts=contracts(), date=DATE).sizes["event"] == 9


def test_formats_options_and_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown tape format 'xml' — use one of lobster"):
        read_tape("xml", "a.xml")
    with pytest.raises(UsageError, match="'parquet' has no option 'colour' — use contracts, date"):
        read_tape("parquet", "a.parquet", colour=1)
    with pytest.raises(UsageError, match="does not tell a tape format"):
        write_tape(small_tape(), tmp_path / "tape.xml")
    with pytest.raises(DataError, match="there is no such file"):
        read_tape("parquet", tmp_path / "none.parquet")
    with pytest.raises(DataError, match="a folder"):
        read_tape("parquet", tmp_path)
    with pytest.raises(DataError, match="2 files given"):
        read_tape("csv", ["a.csv", "b.csv"])
    path = write_tape(small_tape(), tmp_path / "a.csv")
    assert read_tape("csv", [path]).identical(small_tape())


def test_windows_line_ends_and_crossed_books_on_demand(tmp_path: Path) -> None:
    good = write_tape(small_tape(), tmp_path / "good.csv").read_text()
    path = tmp_path / "dos.csv"
    path.write_bytes(good.replace("\n", "\r\n").encode())
    assert read_tape("csv", path).identical(small_tape())
    crossed = bad_csv(tmp_path, 4, "tick", "300")
    assert read_tape("csv", crossed, allow_crossed=True).sizes["event"] == 9
    packed = tmp_path / "p.csv.gz"
    packed.write_bytes(gzip.compress(good.encode()))
    assert read_tape("csv", packed).identical(small_tape())
