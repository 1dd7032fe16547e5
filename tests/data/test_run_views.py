"""Runs with views beside them, and with what they were told, as folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main
from mmquant.data.runs import Run
from mmquant.errors import DataError
from tests.data.run_tables import fake_run

FILES = ["fills.parquet", "orders.parquet", "path.parquet", "quotes.parquet", "run.json"]


def with_views(**views: Run) -> Run:
    run = fake_run(4, 0)
    run.views = views
    return run


def told(**line: str) -> dict[str, str]:
    empty = {"time": "2012-06-21T14:30:00.000000000Z", "symbol": "", "value": "", "for_s": ""}
    return empty | {"refused": ""} | line


def files_in(folder: Path) -> list[str]:
    return sorted(str(at.relative_to(folder)) for at in folder.rglob("*") if at.is_file())


def test_a_run_with_views_comes_back_whole(tmp_path: Path) -> None:
    run = with_views(ibkr=fake_run(5, 1), ideal=fake_run(0, 2))
    folder = run.save(tmp_path / "run")
    views = [f"views/{name}/{file}" for name in ("ibkr", "ideal") for file in FILES]
    assert files_in(folder) == [*FILES, *views]
    back = Run.load(folder)
    assert back.manifest == run.manifest and set(back.views) == {"ibkr", "ideal"}
    assert back.manifest["views"] == {name: view.digest() for name, view in run.views.items()}
    for name, view in run.views.items():
        assert back.views[name].digest() == view.digest()
        assert back.views[name].manifest == view.manifest
        assert back.views[name].path.identical(view.path)
        assert Run.load(folder / "views" / name).digest() == view.digest()
    back.save(tmp_path / "copy")
    for file in files_in(folder):
        assert (folder / file).read_bytes() == (tmp_path / "copy" / file).read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["copy", "run"]


def test_views_are_not_part_of_the_digest_of_the_run() -> None:
    assert with_views(ibkr=fake_run(5, 1)).digest() == with_views().digest()


def test_overwriting_leaves_no_old_view(tmp_path: Path) -> None:
    folder = with_views(ibkr=fake_run(5, 1)).save(tmp_path / "run")
    with_views(ideal=fake_run(5, 2)).save(folder, overwrite=True)
    assert set(Run.load(folder).views) == {"ideal"}
    run = Run.load(folder)
    run.views = {}
    run.save(folder, overwrite=True)
    assert files_in(folder) == FILES and Run.load(folder).views == {}


def test_a_damaged_view_is_named(tmp_path: Path) -> None:
    folder = with_views(ibkr=fake_run(5, 1)).save(tmp_path / "run")
    (folder / "views" / "ibkr" / "fills.parquet").unlink()
    with pytest.raises(DataError, match=r"missing or not whole.*views/ibkr/fills\.parquet"):
        Run.load(folder)
    shutil.rmtree(folder / "views")
    with pytest.raises(DataError, match=r"no run here.*views/ibkr"):
        Run.load(folder)


def test_a_view_of_another_day_is_noticed(tmp_path: Path) -> None:
    one = with_views(ibkr=fake_run(5, 1)).save(tmp_path / "one")
    two = with_views(ibkr=fake_run(5, 9)).save(tmp_path / "two")
    shutil.rmtree(one / "views" / "ibkr")
    shutil.copytree(two / "views" / "ibkr", one / "views" / "ibkr")
    with pytest.raises(DataError, match=r"not the one that the run was saved with.*views/ibkr"):
        Run.load(one)


def test_what_else_lies_in_the_folder_does_no_harm(tmp_path: Path) -> None:
    folder = with_views(ibkr=fake_run(5, 1)).save(tmp_path / "run")
    (folder / "views" / ".DS_Store").write_text("x")
    (folder / "views" / "notes").mkdir()
    assert set(Run.load(folder).views) == {"ibkr"}


def test_a_wrong_view_is_not_saved(tmp_path: Path) -> None:
    run = with_views(ibkr=fake_run(5, 1))
    run.views["ibkr"].fills = run.views["ibkr"].fills.drop(columns="fee")
    with pytest.raises(DataError, match=r"column 'fee' is missing.*views/ibkr"):
        run.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_was_told_lies_beside_it_as_a_file(tmp_path: Path) -> None:
    run = with_views(ibkr=fake_run(5, 1))
    run.manifest["told"] = [
        told(what="theo", symbol="ABC, D", value="10.5", for_s="0.000000001"),
        told(what="max_order_lots", value="0.5", refused="yes"),
        told(what="halt"),
    ]
    folder = run.save(tmp_path / "run")
    assert (folder / "hand.csv").read_text() == (
        "time,symbol,what,value,for_s\n"
        '2012-06-21T14:30:00.000000000Z,"ABC, D",theo,10.5,0.000000001\n'
        "2012-06-21T14:30:00.000000000Z,,halt,,\n"
    )
    assert not (folder / "views" / "ibkr" / "hand.csv").exists()
    run.manifest["told"] = [told(what="max_order_lots", value="0.5", refused="yes")]
    assert files_in(run.save(folder, overwrite=True))[:2] == FILES[:2]
    assert not (folder / "hand.csv").exists()


def test_a_saved_day_and_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands save both views, and the report of the folder shows both."""
    mm.write_tape(mm.make_demo_tape(seed=3, minutes=1), tmp_path / "tape.parquet")
    (tmp_path / "run.yaml").write_text("name: day\ntape: {path: tape.parquet}\n")
    assert main(["backtest", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "day")]) == 0
    assert main(["report", str(tmp_path / "day"), "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["report"]).read_text()
    assert "Two views of one day" in page
    for name in ("ideal: the full tape", "as a subscriber at IBKR"):
        assert name in page
    run = Run.load(tmp_path / "day")
    assert run.views["ibkr"].manifest["profile"] == "ibkr"
    assert run.views["ibkr"].manifest["latency"]["entry_ns"] == 30_000_000
