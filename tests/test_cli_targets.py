"""What a command is asked to write: refused before the work where it cannot be, named after it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mmquant as mm
from mmquant.cli import main

GRID = ("--grid", "strategy.params.skew_ticks=0:24:1")


@pytest.fixture(scope="module")
def tape_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "tape.parquet"
    mm.write_tape(mm.make_demo_tape(seed=3, minutes=1), path)
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs a command in a folder with ``run.yaml``: exit code, lines of stdout, text of stderr."""
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text("name: small\nprofile: {beside: []}\n")

    def run(*arguments: object) -> tuple[int, list[str], str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def no_work(*_args: object, **_kwargs: object) -> None:
    pytest.fail("the work was done although its result cannot be written")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backtest", "run.yaml", "--out", "run.yaml/x"], "this is a file"),
        (["backtest", "run.yaml", "--set", "output.dir=run.yaml"], "this is a file"),
        (["backtest", "run.yaml", "--out", "full", "--overwrite"], "this is not a run"),
        (["demo", "--out", "run.yaml"], "this is a file"),
        (["replay", "run.yaml", "--out", "run.yaml/x"], "this is a file"),
        (["replay", "run.yaml", "--out", "full", "--overwrite"], "this is not a run"),
        (["sweep", "run.yaml", *GRID, "--out", "run.yaml/x.csv"], "this is a file"),
        (["sweep", "run.yaml", *GRID, "--out", "full.csv"], "this is a folder"),
        (["sweep", "run.yaml", *GRID, "--out", "points.xlsx"], "end it with .parquet or .csv"),
    ],
)
def test_the_place_is_looked_at_before_the_work(
    arguments: list[str], words: str, command, tape_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("full", "full.csv"):
        Path(folder).mkdir()
        (Path(folder) / "kept").write_text("")
    for name in ("research.backtest.backtest", "live.replay.replay", "research.sweep.sweep"):
        monkeypatch.setattr(f"mmquant.{name}", no_work)
    tape = [] if arguments[0] == "demo" else ["--tape", tape_file]
    code, lines, err = command(*arguments, *tape)
    assert (code, lines) == (2, []) and words in err
    assert (Path("full") / "kept").exists()


@pytest.mark.parametrize("out", ["run.yaml/x.parquet", "tape.xlsx"])
def test_an_import_looks_at_its_target_first(command, monkeypatch, out: str) -> None:
    monkeypatch.setattr("mmquant.data.readers.read_tape", no_work)
    code, _, err = command("data", "import", "lobster", "none.zip", "--out", out)
    assert code == 2 and out.partition("/")[0] in err


def test_other_files_say_where_they_cannot_be(command, tape_file: Path) -> None:
    assert command("backtest", "run.yaml", "--tape", tape_file, "--out", "one")[0] == 0
    for arguments in (
        ["report", "one", "--out", "run.yaml/x.html"],
        ["calibrate", "micro-price", tape_file, "--out", "run.yaml/x.json"],
    ):
        code, lines, err = command(*arguments)
        assert (code, lines) == (2, []) and "this is a file" in err and "run.yaml" in err


def test_a_sweep_says_what_it_does_not_show(command, tape_file: Path) -> None:
    code, lines, err = command("sweep", "run.yaml", *GRID, "--tape", tape_file)
    assert code == 0 and len(lines) == 1 + 20
    assert "the best 20 of 25 points; --out writes all" in err
    code, lines, err = command("sweep", "run.yaml", *GRID, "--tape", tape_file, "--out", "p.csv")
    assert lines[-1] == "p.csv" and "20 of 25" in err and "--out" not in err
    points = pd.read_csv("p.csv")
    assert len(points) == 25
    assert points.dtypes[["fills", "messages", "decisions"]].tolist() == ["int64"] * 3


def test_a_file_that_is_no_tape_is_to_be_imported(command) -> None:
    Path("day.npz").write_bytes(b"PK\x03\x04 and so on")
    code, _, err = command("backtest", "run.yaml", "--tape", "day.npz")
    assert code == 3 and "not a whole Parquet file" in err and "mmquant data import" in err
