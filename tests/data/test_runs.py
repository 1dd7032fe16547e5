"""Runs as folders: whole or not at all, exact, and protected from change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.data.run_tables import digest_of
from mmquant.data.runs import FRAMES, Run, plain
from mmquant.errors import DataError, UsageError
from tests.data.run_tables import fake_frame, fake_path, fake_run


def same(one: Run, two: Run) -> bool:
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    return one.path.identical(two.path) and one.manifest == two.manifest


@settings(max_examples=10, deadline=None)
@given(n=st.integers(0, 6), seed=st.integers(0, 100))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, n: int, seed: int) -> None:
    folder = tmp_path_factory.mktemp("runs") / "run"
    run = fake_run(n, seed)
    assert run.save(folder) == folder
    back = Run.load(folder)
    assert same(run, back)
    assert back.path["time"].attrs == {"units": "ns since epoch UTC"}
    assert sorted(path.name for path in folder.iterdir()) == [
        "fills.parquet", "orders.parquet", "path.parquet", "quotes.parquet", "run.json",
    ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_an_instrument_coordinate_and_column_types_survive(tmp_path: Path) -> None:
    run = fake_run()
    run.path = run.path.assign_coords(inst=np.array([3, 1], np.int16))
    back = Run.load(run.save(tmp_path / "run"))
    assert back.path.identical(run.path)
    assert back.path["inst"].dtype == np.int16
    assert {n: v.dtype for n, v in back.path.items()} == {n: v.dtype for n, v in run.path.items()}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = fake_run().save(tmp_path / "one"), fake_run().save(tmp_path / "two")
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes()


def test_the_manifest_is_plain_and_the_summary_is_in_it() -> None:
    run = fake_run()
    assert run.summary == {"pnl": 1.5, "sharpe": None, "fills": 4}
    assert json.loads(json.dumps(run.manifest, allow_nan=False)) == run.manifest
    assert plain({1: (np.int8(2), np.array([1.5, np.inf]), True, None)}) == {
        "1": [2, [1.5, None], True, None]
    }
    with pytest.raises(UsageError, match="a set does not fit"):
        plain({1, 2})


def test_a_run_is_replaced_only_on_demand(tmp_path: Path) -> None:
    folder = fake_run(4).save(tmp_path / "run")
    with pytest.raises(UsageError, match="there is a run already"):
        fake_run(5).save(folder)
    assert len(Run.load(folder).fills) == 4
    fake_run(5).save(folder, overwrite=True)
    assert len(Run.load(folder).fills) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    other = tmp_path / "other"
    other.mkdir()
    fake_run().save(other)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="this is not a run"):
        fake_run().save(strange, overwrite=True)
    assert (strange / "thesis.txt").read_text() == "mine"


def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_run(4).save(tmp_path / "run")

    def fail(*_: object) -> None:
        raise OSError("disk is full")

    monkeypatch.setattr("mmquant.data.runs.write_path", fail)
    for target in (folder, tmp_path / "new"):
        with pytest.raises(OSError, match="disk is full"):
            fake_run(5).save(target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(Run.load(folder).fills) == 4


def test_a_failed_replacement_brings_the_old_run_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_run(4).save(tmp_path / "run")
    replace, calls = os.replace, []

    def second_fails(source: object, target: object) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError("no")
        replace(source, target)

    monkeypatch.setattr("mmquant.data.files.os.replace", second_fails)
    with pytest.raises(OSError, match="no"):
        fake_run(5).save(folder, overwrite=True)
    assert len(Run.load(folder).fills) == 4


def test_wrong_tables_are_not_saved(tmp_path: Path) -> None:
    run = fake_run()
    run.fills = run.fills.drop(columns="fee")
    with pytest.raises(DataError, match="table 'fills': column 'fee' is missing"):
        run.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no run here.*name a folder with a run\.json"):
        Run.load(tmp_path / "none")
    folder = fake_run().save(tmp_path / "run")
    (folder / "orders.parquet").unlink()
    with pytest.raises(DataError, match=r"missing or not whole.*orders\.parquet"):
        Run.load(folder)
    fake_run().save(folder, overwrite=True)
    (folder / "path.parquet").write_bytes((folder / "path.parquet").read_bytes()[:100])
    with pytest.raises(DataError, match=r"missing or not whole.*path\.parquet"):
        Run.load(folder)
    manifest = folder / "run.json"
    text = manifest.read_text()
    manifest.write_text(text[:50])
    with pytest.raises(DataError, match="manifest is damaged"):
        Run.load(folder)
    manifest.write_text(text.replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(DataError, match="of version 99"):
        Run.load(folder)


def test_changed_tables_are_noticed(tmp_path: Path) -> None:
    one, two = fake_run(4, 0).save(tmp_path / "one"), fake_run(4, 1).save(tmp_path / "two")
    (one / "fills.parquet").write_bytes((two / "fills.parquet").read_bytes())
    with pytest.raises(DataError, match="not those that it was saved with"):
        Run.load(one)


def test_the_digest_sees_every_change_but_not_the_bits_of_nan() -> None:
    base = {"path": fake_path(3, 2), "fills": fake_frame("fills", 3)}
    digest = digest_of(base)
    assert digest == digest_of({"fills": fake_frame("fills", 3), "path": fake_path(3, 2)})
    fills = fake_frame("fills", 3)
    seen = {digest}
    for column in fills.columns:
        changed = fills.copy()
        last = changed[column].iloc[-1]
        changed.loc[2, column] = last + "x" if isinstance(last, str) else -1 * (last + 1)
        seen.add(digest_of(base | {"fills": changed.astype(fills.dtypes.to_dict())}))
    seen.add(digest_of(base | {"fills": fills.rename(columns={"fee": "fees"})}))
    assert len(seen) == len(fills.columns) + 2
    odd = fills.copy()
    odd.loc[0, "mid"] = np.frombuffer(b"\x01\0\0\0\0\0\xf8\xff", np.float64)[0]
    assert digest_of(base | {"fills": odd}) == digest


def test_a_run_is_shown_in_one_line() -> None:
    run = mm.backtest(tape=mm.make_demo_tape(minutes=1))
    shown = repr(run)
    assert len(shown) < 200 and "\n" not in shown
    for part in ("'run'", "backtest", f"{len(run.fills)} fills", "views ibkr"):
        assert part in shown
    assert run.manifest["digest"][:8] in shown
