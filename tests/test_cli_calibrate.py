"""The calibrate commands: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main
from mmquant.data.latencies import read_latency
from mmquant.data.synthetic import make_random_tape

ORDERS = "request_ts,exch_ts,response_ts\n100,400,900\n2000,2600,3000\n"


@pytest.fixture(scope="module")
def tape_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "tape.parquet"
    mm.write_tape(mm.make_demo_tape(seed=3, minutes=10), path)
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs a command in an empty folder: exit code, lines of stdout, text of stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, list[str], str]:
        code = main(["calibrate", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


def only_object(lines: list[str]) -> dict:
    (line,) = lines
    result = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert not any(isinstance(value, dict | list) for value in result.values())
    return result


def test_help_lists_the_subjects(command) -> None:
    code, lines, err = command("--help")
    assert code == 0 and err == ""
    for name in ("intensity", "volatility", "latency"):
        assert any(line.strip().startswith(name) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "function", "options"),
    [
        (["intensity"], mm.calibrate_intensity, {}),
        (
            ["intensity", "--start", "60", "--end", "14:36", "--min-distance-ticks", "1.5"],
            mm.calibrate_intensity,
            {"start": "60", "end": "14:36", "min_distance_ticks": 1.5},
        ),
        (["volatility", "--price", "trade"], mm.calibrate_volatility, {"price": "trade"}),
        (["volatility", "--sample-s", "0.5"], mm.calibrate_volatility, {"sample_s": 0.5}),
        (["latency", "--knots", "9"], mm.calibrate_latency, {"knots": 9}),
    ],
)
def test_json_is_what_the_function_finds(
    arguments: list[str], function, options: dict, command, tape_file: Path
) -> None:
    name, *rest = arguments
    code, lines, err = command(name, tape_file, *rest, "--json")
    assert (code, err) == (0, "")
    assert only_object(lines) == function(mm.read_tape("parquet", tape_file), **options).to_dict()


def test_people_see_tables(command, tape_file: Path) -> None:
    code, lines, _ = command("intensity", tape_file)
    text = "\n".join(lines)
    assert code == 0
    for words in ("min_distance_ticks", "k_per_tick", "both", "bid", "ask", "rate_per_s"):
        assert words in text
    assert "nan" not in text.lower() and "None" not in text
    assert max(map(len, lines)) < 100
    assert "sigma_ticks_low" in "\n".join(command("volatility", tape_file)[1])


def test_too_little_is_said_and_null(command, tape_file: Path) -> None:
    code, lines, _ = command("intensity", tape_file, "--end", "3", "--json")
    result = only_object(lines)
    assert code == 0
    assert result["A_per_s"] is None and "too few" in result["reason"]
    assert "too few" in "\n".join(command("intensity", tape_file, "--end", "3")[1])
    result = only_object(command("volatility", tape_file, "--end", "3", "--json")[1])
    assert result["sigma_ticks"] is None and "too few" in result["reason"]


def test_knots_are_written(command, tmp_path: Path) -> None:
    tape = tmp_path / "tape.parquet"
    mm.write_tape(make_random_tape(2000, seed=1, jitter_ns=10**6), tape)
    (tmp_path / "orders.csv").write_text(ORDERS)
    code, lines, _ = command(
        "latency", tape, "--orders", "orders.csv", "--out", "order.parquet", "--feed-out",
        "feed.csv", "--knots", "20", "--json",
    )  # fmt: skip
    result = only_object(lines)
    assert code == 0
    assert (result["out"], result["feed_out"]) == ("order.parquet", "feed.csv")
    assert read_latency("order.parquet").knots["entry_ns"].tolist() == [300, 600]
    assert read_latency("feed.csv").table == "feed_latency"
    assert len(read_latency("feed.csv").knots) == result["feed_knots"] == 20
    shown = "\n".join(command("latency", tape, "--orders", "orders.csv")[1])
    assert "round_trip_ns_median" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["intensity", "none.parquet"], 3, "none.parquet"),
        (["intensity", "TAPE", "--start", "soon"], 2, "'soon' is not a moment"),
        (["intensity", "TAPE", "--inst", "4"], 2, "no instrument 4"),
        (["volatility", "TAPE", "--price", "last"], 2, "price is 'last'"),
        (["latency", "TAPE", "--out", "x.csv"], 2, "--orders"),
        (["latency", "TAPE", "--orders", "none.csv"], 3, "none.csv"),
        (["latency", "TAPE", "--knots", "0"], 2, "--knots"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], code: int, words: str, command, tape_file: Path
) -> None:
    given = [str(tape_file) if word == "TAPE" else word for word in arguments]
    got, lines, err = command(*given)
    assert (got, lines) == (code, [])
    assert err.startswith("error: ") and words in err and err.count("\n") == 1


def test_a_latency_that_was_not_measured_is_not_written(command, tmp_path: Path) -> None:
    tape = tmp_path / "tape.parquet"
    mm.write_tape(make_random_tape(2000, seed=1), tape)
    code, _, err = command("latency", tape, "--feed-out", "feed.csv")
    assert code == 2 and "not measured" in err
    assert not Path("feed.csv").exists()
