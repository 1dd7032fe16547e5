"""The commands: what they print, where, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main
from mmquant.console import flat

CONFIG = """
name: small
decision: {interval_ns: 100_000_000}
limits: {max_position_lots: 10}
"""


@pytest.fixture(scope="module")
def tape_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "tape.parquet"
    mm.write_tape(mm.make_demo_tape(seed=3, minutes=1), path)
    return path


@pytest.fixture
def config_file(tmp_path: Path, tape_file: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(f"{CONFIG}\ntape: {{path: {tape_file}}}\n")
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs a command in an empty folder: exit code, lines of stdout, text of stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, list[str], str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def is_flat(line: str) -> dict:
    """The one object of ``--json``, with scalars only."""
    result = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert isinstance(result, dict)
    assert not any(isinstance(value, dict | list) for value in result.values())
    return result


def test_help_lists_the_commands(command) -> None:
    code, lines, err = command("--help")
    assert code == 0 and err == ""
    for name in ("demo", "data", "feasible", "backtest", "replay", "report", "warmup", "config"):
        assert any(line.strip().startswith(name) for line in lines)
    assert command() == (0, lines, "")
    assert command("--version") == (0, [f"mmquant {mm.__version__}"], "")


def test_as_a_module_with_its_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mmquant", "config", "show", "--set", "zzz=1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: unknown key 'zzz'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bogus"], 2, "bogus"),
        (["backtest"], 2, "CONFIG"),
        (["data"], 2, "mmquant data"),
        (["demo", "--seed", "x"], 2, "--seed"),
        (["backtest", "none.yaml"], 2, "none.yaml"),
        (["config", "show", "--set", "decision.intervall_ns=1"], 2, "decision.interval_ns"),
        (["report", "none"], 3, "none"),
        (["data", "check", "xyz", "none"], 2, "xyz"),
        (["data", "check", "lobster", "none.zip"], 3, "none.zip"),
        (["data", "check", "lobster", "none.zip", "--option", "levels"], 2, "levels"),
    ],
)
def test_errors_are_one_line_and_one_object(
    arguments: list[str], code: int, words: str, command
) -> None:
    got, lines, err = command(*arguments)
    assert (got, lines) == (code, [])
    assert err.startswith("error: ") and words in err and err.count("\n") == 1
    got, lines, err = command(*arguments, "--json")
    assert got == code and "Traceback" not in err
    assert words in is_flat(lines[-1])["error"]


def test_a_bug_shows_its_traceback_only_on_demand(command, monkeypatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(mm.config.Config, "load", broken)
    code, lines, err = command("config", "show")
    assert (code, lines) == (1, [])
    assert err.count("\n") == 1 and "ZeroDivisionError: by zero" in err and "--debug" in err
    assert "Traceback" in command("config", "show", "--debug")[2]
    monkeypatch.setenv("MMQUANT_DEBUG", "1")
    assert "Traceback" in command("config", "show")[2]


def test_config_show_and_check(command, config_file: Path) -> None:
    code, lines, _ = command("config", "show", config_file)
    assert code == 0 and "name: small" in lines
    code, lines, _ = command("config", "show", config_file, "--set", "seed=5", "--json")
    shown = is_flat(lines[-1])
    assert shown["seed"] == 5 and shown["limits.max_position_lots"] == 10
    code, lines, _ = command("config", "check", config_file, "--json")
    checked = is_flat(lines[-1])
    assert checked["valid"] is True and len(checked["config_digest"]) == 64


def test_the_environment_counts(command, monkeypatch) -> None:
    monkeypatch.setenv("MMQUANT__SEED", "11")
    assert is_flat(command("config", "show", "--json")[1][-1])["seed"] == 11


def test_config_schema(command) -> None:
    _, lines, _ = command("config", "schema")
    schema = json.loads("\n".join(lines))
    assert "decision" in schema["properties"]
    assert json.loads(is_flat(command("config", "schema", "--json")[1][-1])["schema"]) == schema


def test_import_copies_a_tape(command, tape_file: Path) -> None:
    code, lines, _ = command("data", "import", "parquet", tape_file, "--out", "copy.parquet")
    assert code == 0 and lines[-1] == "copy.parquet"
    arguments = ("data", "import", "parquet", tape_file, "--out", "copy.parquet", "--json")
    facts = is_flat(command(*arguments)[1][-1])
    tape = mm.read_tape("parquet", tape_file)
    assert facts["rows"] == tape.sizes["event"]
    assert facts["symbols"] == "DEMO" and facts["tape"] == "copy.parquet"
    assert mm.read_tape("parquet", "copy.parquet").equals(tape)


def test_data_check(command, tape_file: Path) -> None:
    code, lines, _ = command("data", "check", "parquet", tape_file, "--json")
    assert code == 0 and is_flat(lines[-1])["rows"] > 0


def test_feasible_answers_in_words_and_as_json(command, tape_file: Path) -> None:
    code, lines, _ = command("feasible", tape_file, "--fees", "us_equity_maker_taker")
    assert code == 0 and lines[0] == "DEMO [USD], fees us_equity_maker_taker"
    found = mm.feasible(mm.read_tape("parquet", tape_file), fees="us_equity_maker_taker")[0]
    for name in ("30s", "messages", "efficiency", "queue"):
        assert f"  {found[f'verdict_{name}']}" in lines
    at = next(i for i, line in enumerate(lines) if line.startswith("queue "))
    assert {len(line) for line in lines[at : at + 9]} == {len(lines[at])}
    assert lines[at + 3].split()[:4] == ["in", "front", "30s", str(found["used_30s"])]
    answer = is_flat(
        command("feasible", tape_file, "--fees", "us_equity_maker_taker", "--json")[1][-1]
    )
    assert answer == found
    code, _, err = command("feasible", tape_file, "--fees", "nope")
    assert code == 3 and "nope" in err


def test_feasible_of_several_instruments(command, tmp_path: Path) -> None:
    tape = mm.make_demo_tape(seed=3, minutes=0.2, instruments=2)
    mm.write_tape(tape, tmp_path / "two.parquet")
    code, lines, _ = command("feasible", "two.parquet")
    titles = [line for line in lines if line.endswith(", fees zero")]
    assert code == 0 and len(titles) == 2
    answer = is_flat(command("feasible", "two.parquet", "--json")[1][-1])
    found = mm.feasible(tape)
    prefixes = [one["symbol"] for one in found]
    if prefixes[0] == prefixes[1]:
        prefixes = ["0", "1"]
    for prefix, one in zip(prefixes, found, strict=True):
        assert {key: answer[f"{prefix}.{key}"] for key in one} == one
    assert len(answer) == 2 * len(found[0])


def test_backtest_report_and_replay(command, config_file: Path) -> None:
    code, lines, _ = command("backtest", config_file, "--out", "one")
    assert code == 0 and lines[-1] == "one"
    assert (Path("one") / "run.json").is_file()
    code, lines, _ = command("backtest", config_file, "--json")
    again = is_flat(lines[-1])
    assert Path(again["run"]).parent == Path("runs")
    assert again["digest"] == mm.load_run("one").manifest["digest"]
    assert again.pop("peak_memory_mb") > 10
    third = is_flat(command("backtest", config_file, "--json")[1][-1])
    assert {name: third[name] for name in again} == again

    live = is_flat(command("replay", config_file, "--out", "two", "--json")[1][-1])
    assert live["digest"] == again["digest"]

    code, lines, _ = command("report", "one")
    assert code == 0 and Path(lines[-1]) == Path("one/report.html")
    assert "<html" in Path(lines[-1]).read_text()[:500]
    answer = is_flat(command("report", "one", "--out", "other.html", "--json")[1][-1])
    assert answer["report"] == "other.html" and Path("other.html").is_file()


def test_a_run_is_not_overwritten_unasked(command, config_file: Path) -> None:
    assert command("backtest", config_file, "--out", "one")[0] == 0
    code, _, err = command("backtest", config_file, "--out", "one")
    assert code != 0 and "one" in err
    assert command("backtest", config_file, "--out", "one", "--overwrite")[0] == 0


def test_another_tape_than_the_configured_one(command, tmp_path: Path, tape_file: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG)
    code, _, err = command("backtest", "run.yaml")
    assert code == 2 and "tape" in err
    assert command("backtest", "run.yaml", "--tape", tape_file, "--out", "one")[0] == 0


def test_demo_ends_with_the_path_of_its_report(command) -> None:
    code, lines, err = command("demo", "--seed", "3")
    assert code == 0 and err.startswith("Demo:")
    assert Path(lines[-1]) == Path("reports/demo/report.html")
    assert Path(lines[-1]).stat().st_size > 10_000
    result = is_flat(command("demo", "--seed", "3", "--out", "here", "--json")[1][-1])
    assert Path(result["report"]).is_file() and Path(result["run"]).is_dir()


def test_warmup_counts_kernels(command) -> None:
    assert is_flat(command("warmup", "--json")[1][-1])["kernels"] > 0


def test_results_become_flat() -> None:
    nested = {"a": {"b": float("nan"), "c": [1, 2]}, "d": True, "e": Path("x"), "f": None}
    assert flat(nested) == {"a.b": None, "a.c": "1, 2", "d": True, "e": "x", "f": None}


def test_a_misspelt_parameter_is_not_valid(command, config_file: Path) -> None:
    wrong = ("--set", "strategy.params.half_spred_ticks=1")
    code, lines, err = command("config", "check", config_file, *wrong)
    assert (code, lines) == (2, []) and "half_spred_ticks" in err and "half_spread_ticks" in err


def test_a_backtest_says_what_its_run_notes(command, config_file: Path) -> None:
    code, lines, err = command("backtest", config_file, "--set", "quoting.half_spread_ticks=5")
    assert code == 0 and "note: The section quoting has no effect" in err
    run = mm.load_run(lines[-1])
    assert [x for x in err.splitlines() if x.startswith("note: ")] == [
        f"note: {said}" for said in run.manifest["notes"]
    ]
