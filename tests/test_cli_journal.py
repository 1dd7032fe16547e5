"""Commands of the journal and of the kill switch: what they print, and their exit codes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main
from mmquant.data.store.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "day"
    mm.replay(tape=mm.make_demo_tape(seed=3, minutes=0.3), journal=folder)
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    capsys.readouterr()
    code = main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]) if code == 0 else {}, err


def test_a_journal_is_replayed_and_exported(run, capsys, tmp_path) -> None:
    code, result, _ = told(capsys, "journal", "replay", run, "--out", tmp_path / "again")
    assert code == 0
    again = mm.load_run(tmp_path / "again")
    assert result["digest"] == again.digest()
    code, result, _ = told(capsys, "journal", "export", run)
    assert code == 0 and result["frames"] > 0
    with sqlite3.connect(result["database"]) as db:
        fills = db.execute("SELECT count(*) FROM fills").fetchone()[0]
        orders = db.execute("SELECT count(*) FROM orders").fetchone()[0]
    db.close()
    assert (fills, orders) == (len(again.fills), len(again.orders))
    assert told(capsys, "journal", "export", run)[1]["frames"] == 0


def test_a_kill_is_ended_by_a_confirmed_resume(run, capsys, tmp_path) -> None:
    assert told(capsys, "kill")[0] == 2
    code, result, _ = told(capsys, "kill", run)
    assert code == 0
    assert (result["killed"], result["latched_only"]) == ("", str(run))
    assert (run / "KILL").read_text() == "mmquant kill\n"
    code, _, err = told(capsys, "resume", run)
    assert code == 2 and "mmquant kill" in err
    assert told(capsys, "resume", run, "--confirm")[0] == 0
    assert not (run / "KILL").exists() and (run / "RELEASE").exists()
    assert told(capsys, "resume", run, "--confirm")[0] == 2
    assert told(capsys, "kill", tmp_path)[0] == 3


def test_a_kill_says_whether_a_process_answers(run, capsys) -> None:
    assert main(["kill", str(run)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no process runs it" in out and "nothing was cancelled" in out
    held = RunFolder(run)
    held.hold()
    try:
        assert main(["kill"]) == 0
        assert capsys.readouterr().out.startswith("killed: ")
    finally:
        held.let_go()


def test_an_export_goes_into_a_database_of_its_own(run, capsys, tmp_path) -> None:
    other = tmp_path / "runs" / "other"
    mm.replay(tape=mm.make_demo_tape(seed=4, minutes=0.3), journal=other)
    database = tmp_path / "new" / "both.sqlite"
    assert told(capsys, "journal", "export", run, "--out", database)[1]["frames"] > 0
    code, _, err = told(capsys, "journal", "export", other, "--out", database)
    assert code == 3 and "holds the journal of 'day', not of 'other'" in err
    assert told(capsys, "journal", "export", run, "--out", database)[1]["frames"] == 0


def test_what_is_no_database_is_refused_in_words(run, capsys, tmp_path) -> None:
    (tmp_path / "text").write_text("this is no database, long enough to be taken for one" * 9)
    for target, code, words in (
        (tmp_path / "text", 3, "not a database"),
        (tmp_path / "text" / "x", 2, "this is a file"),
        (tmp_path, 2, "this is a folder"),
    ):
        got, _, err = told(capsys, "journal", "export", run, "--out", target)
        assert got == code and words in err and "internal error" not in err
