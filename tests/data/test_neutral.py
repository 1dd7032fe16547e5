"""Neutral event files: both ways, and every fault named."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract
from mmquant.data.merging import concat
from mmquant.data.quality import quarantine_of
from mmquant.data.readers import read_tape, write_tape
from mmquant.data.readers.neutral import write
from mmquant.data.tape import contracts_of, make_tape
from mmquant.errors import DataError
from tests.data.tape_strategies import columns, contracts, row, small_tape

NAMES = ("exch_ts", "local_ts", "kind", "side", "px_tick", "qty", "tick_size", "lot_size")


def arrays(**changes: object) -> dict[str, np.ndarray]:
    """A neutral file of six rows, with arrays replaced."""
    good = {
        "exch_ts": np.array([10, 10, 20, 20, 30, 30]),
        "local_ts": np.array([15, 15, 25, 25, 35, 35]),
        "kind": np.array([4, 4, 2, 1, 3, 1], np.uint8),
        "side": np.array([1, -1, 1, -1, -1, -1], np.int8),
        "px_tick": np.array([100, 101, 101, 101, 101, 102]),
        "qty": np.array([0.5, 0.7, 0.2, 0.5, 0.0, 1.0]),
        "tick_size": np.float64(0.1),
        "lot_size": np.float64(0.001),
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def save(folder: Path, **changes: object) -> Path:
    path = folder / "events.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_a_file_becomes_a_tape(tmp_path: Path) -> None:
    tape = read_tape("neutral", save(tmp_path))
    assert tape["size"].values.tolist() == [500, 700, 200, 500, 0, 1000]
    assert tape["tick"].values.tolist() == [100, 101, 101, 101, 101, 102]
    contract = contracts_of(tape)[0]
    assert (contract.symbol, contract.lot, contract.ladders[0].steps[0].tick) == (
        "events", "0.001", "0.1",
    )  # fmt: skip
    assert tape.attrs["date"] == "1970-01-01"
    named = read_tape(
        "neutral",
        tmp_path / "events.npz",
        symbol="BTC",
        venue="V",
        kind="crypto_perp",
        date="2024-01-01",
    )
    assert contracts_of(named)[0].kind == "crypto_perp" and named.attrs["date"] == "2024-01-01"


@settings(max_examples=30, deadline=None)
@given(st.lists(row(kinds=[1, 2, 3, 4]), max_size=40))
def test_round_trip(rows: list) -> None:
    rows = [one | {"delay": 2, "subtick": 0.0, "side": one["side"] or 1} for one in rows]
    rows = [one | {"tick": -abs(one["tick"]) if one["side"] > 0 else one["tick"]} for one in rows]
    contract = Contract.simple(0, "A", tick="0.25", lot="0.01", kind="other", venue="unknown")
    data = columns(rows) | {"order_id": np.zeros(len(rows), np.int64)}
    tape = make_tape(data, [contract], source={}, date="2023-11-14")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        assert write(tape, path) == {"rows": len(rows), "floored": 0, "left_out": 0}
        back = read_tape("neutral", path, contract=contract, date="2023-11-14")
    for name in tape:
        assert (back[name].values == tape[name].values).all(), name


def test_the_real_file_round_trips(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    source = real_data("binance/usdm_btcusdt_20240808_neutral.npz")
    path = write_tape(read_tape("neutral", source), tmp_path / "again.npz")
    with np.load(source) as old, np.load(path) as new:
        assert set(old) == set(new) == set(NAMES)
        for name in NAMES:
            assert old[name].dtype == new[name].dtype
            assert np.array_equal(old[name], new[name]), name


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"qty": np.array([0.5, np.nan, 0.2, 0.5, 0, 1])}, "qty is NaN or infinite"),
        ({"qty": np.array([0.5, np.inf, 0.2, 0.5, 0, 1])}, "qty is NaN or infinite"),
        ({"qty": np.array([0.5, -0.7, 0.2, 0.5, 0, 1])}, "size is negative"),
        ({"qty": np.array([0.5, 0.70001, 0.2, 0.5, 0, 1])}, "not a whole number of lots of 0.001"),
        ({"qty": np.array([0.5, 2147483.648, 0.2, 0.5, 0, 1])}, "size is beyond the int32"),
        ({"px_tick": np.array([100, 2**31, 101, 101, 101, 102])}, "tick is beyond the int32"),
        ({"kind": np.array([4, 5, 2, 1, 3, 1], np.uint8)}, "kind is unknown"),
        ({"side": np.array([1, 0, 1, -1, -1, -1], np.int8)}, "side is unknown"),
        ({"local_ts": np.array([15, 9, 25, 25, 35, 35])}, "local_ts is before exch_ts"),
        ({"px_tick": np.array([100, 99, 101, 101, 101, 102])}, "the book is crossed"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    path = save(tmp_path, **changes)
    with pytest.raises(DataError, match=what) as error:
        read_tape("neutral", path)
    assert "events.npz, row 2" in str(error.value) and error.value.fix
    tape = read_tape("neutral", path, lenient=True)
    assert tape.sizes["event"] == 5
    assert quarantine_of(tape)["row"].tolist() == [2]


def test_time_running_backwards(tmp_path: Path) -> None:
    path = save(tmp_path, exch_ts=np.array([10, 10, 20, 9, 30, 30]))
    with pytest.raises(DataError, match=r"time runs backwards.*row 4"):
        read_tape("neutral", path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"qty": None}, "array 'qty' is missing"),
        ({"lot_size": None}, "array 'lot_size' is missing"),
        ({"side": np.array([1, -1], np.int8)}, "array 'side' has shape"),
        ({"px_tick": np.ones(6)}, "array 'px_tick' is float64"),
        ({"tick_size": np.float64(0)}, "tick_size is not one positive number"),
        ({"lot_size": np.float64(np.nan)}, "lot_size is not one positive number"),
    ],
)
def test_bad_files(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    path = save(tmp_path, **changes)
    for lenient in (False, True):
        with pytest.raises(DataError, match=what):
            read_tape("neutral", path, lenient=lenient)


def test_a_cut_off_file(tmp_path: Path) -> None:
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"not a whole \.npz file.*copy it again"):
        read_tape("neutral", path)
    path.write_bytes(b"1,2,3")
    with pytest.raises(DataError, match="not a whole"):
        read_tape("neutral", path)


def test_the_contract_must_have_the_grid_of_the_file(tmp_path: Path) -> None:
    path = save(tmp_path)
    good = Contract.simple(0, "A", tick="0.10", lot="0.0010", kind="other", venue="X")
    assert contracts_of(read_tape("neutral", path, contract=good)) == [good]
    with pytest.raises(DataError, match=r"tick 0\.1 and lot 0\.001, the contract 0\.01 and 1"):
        read_tape("neutral", path, contract=contracts()[0])
    option = contracts(3)[2]
    with pytest.raises(DataError, match="2 tick sizes"):
        read_tape("neutral", path, contract=option)


def test_what_a_neutral_file_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    tape = small_tape()
    with pytest.raises(DataError, match="0 trades off the grid, 2 rows without side"):
        write_tape(tape, path)
    assert not path.exists()
    assert write(tape, path, lossy=True) == {"rows": 7, "floored": 0, "left_out": 2}
    assert read_tape("neutral", path).sizes["event"] == 7
    local = tape["local_ts"].copy()
    local[3] += 1
    with pytest.raises(DataError, match="delay"):
        write(tape.assign(local_ts=local), path)
    two = small_tape(2)
    with pytest.raises(DataError, match="2 instruments"):
        write(concat([tape, two.assign(inst=two["inst"] + np.int16(1))]), path)


def test_trades_off_the_grid_are_floored_on_demand(tmp_path: Path) -> None:
    tape = small_tape()
    side = tape["side"].values.copy()
    side[tape["kind"].values == RowKind.TRADE] = 1
    counts = write(tape.assign(side=("event", side)), tmp_path / "a.npz", lossy=True)
    assert counts == {"rows": 8, "floored": 1, "left_out": 1}
