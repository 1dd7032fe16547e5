"""Mapped tapes: exact round trips in any chunks, and every damage refused."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.data import mapping
from mmquant.data.mapping import map_of, rising_order
from mmquant.data.readers import import_tape, read_tape, write_tape
from mmquant.data.readers.mapped import HEADER, write_chunks
from mmquant.data.synthetic import main, make_random_tape, write_random_tape
from mmquant.data.tape import COLUMNS, make_tape
from mmquant.errors import DataError, UsageError
from mmquant.trading.halves import tape_columns
from tests.data.tape_strategies import BASE, contracts, small_tape, tapes


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut everywhere: three rows a piece, and all that grows goes to disk."""
    monkeypatch.setattr(mapping, "PIECE_ROWS", 3)
    monkeypatch.setattr(mapping, "SPILL_BYTES", 0)


def chunks_of(tape: xr.Dataset, rows: int) -> list[dict[str, np.ndarray]]:
    return [
        {name: tape[name].values[i : i + rows] for name in COLUMNS}
        for i in range(0, tape.sizes["event"], rows)
    ]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=30, deadline=None)
@given(tape=tapes(), rows=st.integers(1, 9), piece=st.integers(1, 9))
def test_any_chunks_give_the_same_files_and_the_same_tape(
    tape: xr.Dataset, rows: int, piece: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        whole = write_tape(tape, Path(name) / "whole.tape")
        patch.setattr(mapping, "PIECE_ROWS", piece)
        write_chunks(chunks_of(tape, rows), Path(name) / "parts.tape", tape.attrs)
        assert bytes_of(Path(name) / "parts.tape") == bytes_of(whole)
        back = read_tape("mapped", whole)
        assert back.identical(tape)
        assert {n: v.dtype for n, v in back.items()} == {n: v.dtype for n, v in tape.items()}


def test_columns_are_maps_and_the_engine_takes_them_without_a_copy(tmp_path: Path) -> None:
    tape = read_tape("mapped", write_tape(small_tape(), tmp_path / "a.tape"))
    taken = tape_columns(tape, mm.Config())
    for name in ("exch_ts", "local_ts", "kind", "side", "tick", "subtick", "size", "inst"):
        assert map_of(tape[name].values) is not None
        assert np.shares_memory(getattr(taken, name), tape[name].values)


@pytest.mark.usefixtures("small_pieces")
def test_a_random_tape_is_written_as_it_is_made(tmp_path: Path) -> None:
    write_random_tape(tmp_path / "a.tape", 500, seed=3, jitter_ns=1000)
    assert read_tape("mapped", tmp_path / "a.tape").identical(
        make_random_tape(500, seed=3, jitter_ns=1000)
    )


def test_the_command_writes_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "200", "--seed", "4", "--out", str(tmp_path / "a.tape")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 200
    assert read_tape("mapped", tmp_path / "a.tape").identical(make_random_tape(200, seed=4))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=40), st.integers(1, 7))
def test_an_order_made_bit_by_bit_is_the_stable_one(
    steps: list[tuple[int, int]], rows: int
) -> None:
    floors = np.cumsum([step for step, _ in steps], dtype=np.int64)
    keys = floors + np.array([late for _, late in steps], np.int64)
    parts = [
        (keys[i : i + rows], int(floors[min(i + rows, len(keys)) - 1]))
        for i in range(0, len(keys), rows)
    ]
    found = np.concatenate(list(rising_order(parts)))
    assert found.tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("name", "row", "value", "what"),
    [
        ("kind", 4, 9, "unknown code 9 at row 5"),
        ("size", 5, -1, "size is negative"),
        ("exch_ts", 3, BASE - 1, "not in order"),
        ("local_ts", 8, 0, "local_ts is before exch_ts"),
    ],
)
def test_a_chunk_that_is_no_tape_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, row: int, value: int, what: str
) -> None:
    tape = small_tape()
    parts = chunks_of(tape, 2)
    column = parts[row // 2][name].copy()
    column[row % 2] = value
    parts[row // 2][name] = column
    with pytest.raises(DataError, match=what) as error:
        write_chunks(parts, tmp_path / "a.tape", tape.attrs)
    assert f"row {row + 1}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_tape_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    path = write_tape(small_tape(), tmp_path / "a.tape")
    other = make_random_tape(150, seed=1)
    assert read_tape("mapped", write_tape(other, path)).identical(other)
    assert [one.name for one in tmp_path.iterdir()] == ["a.tape"]
    (tmp_path / "b.tape").mkdir()
    (tmp_path / "b.tape" / "letters.txt").write_text("dear")
    with pytest.raises(UsageError, match="not a tape"):
        write_tape(other, tmp_path / "b.tape")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def change_header(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda f: (f / HEADER).unlink(), "no mapped tape here"),
        (lambda f: (f / HEADER).write_text("{"), "header is damaged"),
        (lambda f: change_header(f / HEADER, columns={}), "not those of a tape"),
        (lambda f: change_header(f / HEADER, columns=7), "header is damaged"),
        (lambda f: change_header(f / HEADER, schema_version=99), "of version 99"),
        (lambda f: change_header(f / HEADER, file_rows=3), "not 3 of"),
        (lambda f: (f / "tick.npy").unlink(), "'tick' cannot be used"),
        (lambda f: cut(f / "size.npy", 1), "1 bytes too short"),
        (lambda f: (f / "size.npy").write_bytes(b""), "'size' cannot be used"),
        (lambda f: flip(f / "size.npy", -4), "not those that were written"),
        (lambda f: flip(f / "exch_ts.npy", 130), "not those that were written"),
        (lambda f: shutil.copy(f / "kind.npy", f / "tick.npy"), "of int8, not"),
        (lambda f: np.save(f / "tick.npy", np.zeros(3, np.int32)), "of int32, not"),
    ],
)
def test_a_damaged_tape_is_refused(tmp_path: Path, damage: object, what: str) -> None:
    path = write_tape(small_tape(), tmp_path / "a.tape")
    damage(path)  # type: ignore[operator]
    with pytest.raises(DataError, match=what) as error:
        read_tape("mapped", path)
    assert "a.tape" in str(error.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no mapped tape here"):
        read_tape("mapped", tmp_path / "none.tape")


@pytest.mark.usefixtures("small_pieces")
def test_a_crossed_book_is_refused_unless_allowed(tmp_path: Path) -> None:
    rows = [(1, 100), (-1, 102), (1, 105), (-1, 106), (1, 99)]
    columns = {
        "exch_ts": BASE + np.arange(5),
        "kind": np.full(5, int(RowKind.DEPTH)),
        "side": np.array([side for side, _ in rows]),
        "tick": np.array([tick for _, tick in rows]),
        "size": np.ones(5, np.int64),
    }
    tape = make_tape(columns, contracts(), source={"format": "test"}, date="2023-11-14")
    path = write_tape(tape, tmp_path / "a.tape")
    with pytest.raises(DataError, match="1 rows leave the book crossed"):
        read_tape("mapped", path)
    assert read_tape("mapped", path, allow_crossed=True).identical(tape)


def test_what_is_written_to_a_column_stays_out_of_the_file(tmp_path: Path) -> None:
    path = write_tape(small_tape(), tmp_path / "a.tape")
    before = bytes_of(path)
    read_tape("mapped", path)["tick"].values[:] = 7
    assert bytes_of(path) == before
    assert read_tape("mapped", path).identical(small_tape())


@pytest.mark.usefixtures("small_pieces")
def test_parquet_is_imported_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmquant.data.readers.parquet.PIECE_ROWS", 4)
    tape = small_tape()
    source = write_tape(tape, tmp_path / "a.parquet")
    found = import_tape("parquet", source, tmp_path / "a.tape")
    assert found.identical(read_tape("parquet", source)) and found.identical(tape)
    assert map_of(found["tick"].values) is not None


@pytest.mark.usefixtures("small_pieces")
def test_bad_parquet_is_refused_as_it_is_read(tmp_path: Path) -> None:
    tape = small_tape()
    tape["size"].values[5] = -3
    frame = tape.to_dataframe()[list(COLUMNS)]
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    told = {"contracts": contracts(3), "date": "2023-11-14"}
    with pytest.raises(DataError, match="size is negative"):
        import_tape("parquet", tmp_path / "a.parquet", tmp_path / "a.tape", **told)
    with pytest.raises(UsageError, match="no option 'colour'"):
        import_tape("parquet", tmp_path / "a.parquet", tmp_path / "a.tape", colour="red")
    assert [one.name for one in tmp_path.iterdir()] == ["a.parquet"]
