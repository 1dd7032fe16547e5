"""The commands of a trader's hand: write a line, follow a file, run the day again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main
from mmquant.data.hand_fields import COLUMNS


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, list[str], str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def test_the_hand_of_the_command_line(command, tmp_path: Path) -> None:
    code, lines, _ = command("hand", "h.csv", "offset", "-0.05", "--symbol", "DEMO", "--for", "5")
    assert (code, lines) == (0, ["h.csv: offset DEMO -0.05"])
    assert command("hand", "h.csv", "halt", "--time", "2024-01-02T14:30:01Z")[0] == 0
    code, lines, _ = command("hand", "h.csv", "max_order_lots", "3", "--json")
    assert json.loads(lines[-1]) == {
        "file": "h.csv", "what": "max_order_lots", "symbol": "", "value": 3.0, "for_s": None,
    }  # fmt: skip
    assert (tmp_path / "h.csv").read_text().splitlines() == [
        ",".join(COLUMNS),
        ",DEMO,offset,-0.05,5.0",
        "2024-01-02T14:30:01Z,,halt,,",
        ",,max_order_lots,3.0,",
    ]
    for wrong in (["halt", "3"], ["theo", "1"], ["offset", "x", "--symbol", "A"], ["stop"]):
        code, lines, err = command("hand", "h.csv", *wrong)
        assert (code, lines) == (2, []) and err.startswith("error: ") and err.count("\n") == 1


def test_a_day_that_was_followed_is_run_again_from_its_folder(command, tmp_path: Path) -> None:
    mm.write_tape(mm.make_demo_tape(seed=3, minutes=0.5), tmp_path / "tape.parquet")
    Path("run.yaml").write_text("tape: {path: tape.parquet}\nhand: {file: hand.csv}\n")
    assert command("hand", "hand.csv", "max_order_lots", 1)[0] == 0
    code, _, err = command("replay", "run.yaml", "--out", "no")
    assert code == 3 and "the line has no time" in err and "line 2" in err
    code, lines, _ = command("replay", "run.yaml", "--follow", "--out", "one", "--json")
    assert code == 0
    digest = json.loads(lines[-1])["digest"]
    for again in ("backtest", "replay"):
        arguments = ("run.yaml", "--set", "hand.file=one/hand.csv", "--out", again, "--json")
        code, lines, _ = command(again, *arguments)
        assert code == 0 and json.loads(lines[-1])["digest"] == digest
        assert Path(again, "hand.csv").read_bytes() == Path("one/hand.csv").read_bytes()
    code, _, err = command("replay", "run.yaml", "--follow", "--set", "hand.file=null")
    assert code == 2 and "no file to follow" in err
