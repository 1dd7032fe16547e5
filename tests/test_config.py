"""Configuration: precedence, typing, refusals that help, and paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmquant.config import Config, json_schema
from mmquant.config_sources import parse_options, parse_yaml
from mmquant.errors import ConfigError

SECTIONS = {
    "tape",
    "strategy",
    "quoting",
    "signals",
    "decision",
    "latency",
    "fill",
    "orders",
    "fees",
    "limits",
    "risk",
    "ibkr",
    "journal",
    "hand",
    "profile",
    "report",
    "output",
}


def load(*sets: str, text: str = "", folder: Path | None = None, **env: str) -> Config:
    """A configuration of YAML text, variables and assignments alone."""
    if folder is None:
        return Config.load(env=env, sets=sets)
    path = folder / "run.yaml"
    path.write_text(text)
    return Config.load(path, env=env, sets=sets)


def refusal(*sets: str, **kwargs: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(*sets, **kwargs)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


def test_defaults_are_a_backtest_without_limits() -> None:
    config = load()
    assert set(config.as_dict()) == SECTIONS | {"name", "seed"}
    assert config.decision.interval_ns == 100_000_000
    assert config.decision.on == ("timer",)
    assert (config.latency.entry_ns, config.latency.response_ns) == (1_000_000, 1_000_000)
    assert (config.fill.mode, config.fill.queue, config.fill.queue_power) == (
        "partial",
        "power3",
        3.0,
    )
    assert config.fees.schedule == "zero"
    assert config.limits.max_position_lots is None and config.limits.max_loss_ccy is None


def test_later_sources_win(tmp_path: Path) -> None:
    text = "seed: 2\ndecision:\n  interval_ns: 3\nlatency: {entry_ns: 4, response_ns: 5}\n"
    env = {"MMQUANT__DECISION__INTERVAL_NS": "6", "MMQUANT__LATENCY__ENTRY_NS": "7"}
    config = load("latency.entry_ns=8", text=text, folder=tmp_path, **env)
    assert config.seed == 2
    assert config.latency.response_ns == 5
    assert config.decision.interval_ns == 6
    assert config.latency.entry_ns == 8
    assert config.latency.feed_offset_ns == 0


def test_the_last_assignment_wins_and_mappings_merge() -> None:
    config = load("seed=3", "seed=4", "strategy.params.a=1", "strategy.params={b: 2}")
    assert config.seed == 4
    assert config.strategy.params == {"a": 1.0, "b": 2.0}


def test_other_variables_are_left_alone() -> None:
    assert load(MMQUANT_REAL_DATA="x", PATH="y", MMQUANT__SEED="9").seed == 9


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("decison.interval_ns", "decision"),
        ("decision.intervall_ns", "decision.interval_ns"),
        ("interval_ns", "decision.interval_ns"),
        ("latency.entry", "latency.entry_ns"),
        ("fill.interval_ns", "decision.interval_ns"),
        ("limits.max_position", "limits.max_position_lots"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(
    key: str, near: str, tmp_path: Path
) -> None:
    error = refusal(f"{key}=1")
    assert f"did you mean '{near}'" in error.fix
    assert key in str(error)
    variable = "MMQUANT__" + key.upper().replace(".", "__")
    assert variable in refusal(**{variable: "1"}).where
    section, _, leaf = key.rpartition(".")
    text = f"{section}:\n  {leaf}: 1\n" if section else f"{leaf}: 1\n"
    error = refusal(text=text, folder=tmp_path)
    assert "run.yaml" in error.where and near in error.fix


def test_a_key_like_no_other_lists_the_valid_ones() -> None:
    assert "feed_offset_ns, entry_ns, response_ns" in refusal("latency.zzz=1").fix


def test_a_bad_value_names_its_key_its_source_and_itself(tmp_path: Path) -> None:
    error = refusal(text="latency:\n  entry_ns: 0\n", folder=tmp_path)
    assert "'latency.entry_ns'" in error.what and "got 0" in error.what
    assert "run.yaml" in error.where
    error = refusal("decision.on=[timer, bok]")
    assert "'decision.on'" in error.what and "'bok'" in error.what
    error = refusal("latency.entry_ns=0", "fill.mode=pear")
    assert "latency.entry_ns" in error.what and "fill.mode" in error.what


@pytest.mark.parametrize(
    "assignment",
    [
        "latency.entry_ns=0",
        "latency.feed_offset_ns=-1",
        "latency.entry_ns=1e-3",
        "decision.interval_ns=true",
        "decision.on=[]",
        "fill.queue_power=0",
        "fill.queue_power=.nan",
        "limits.max_loss_ccy=.inf",
        "limits.max_position_lots=1.5",
        "orders.tif=gtd",
        "orders.tif=ioc",
        "strategy.params.a=yes please",
        "strategy.params.a=true",
        "strategy.name=other",
        "tape.format=xls",
        "latency=3",
        "seed=-1",
        "seed",
        "=3",
        "a..b=3",
        "name=../up",
        "decision: [",
        "decision={interval_ns: 1, interval_ns: 2}",
    ],
)
def test_values_that_mean_nothing_are_refused(assignment: str) -> None:
    refusal(assignment)


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", "1.0e-3", "'1e-3'"])
def test_exponents_are_numbers(number: str) -> None:
    assert load(f"strategy.params.a={number}").strategy.params == {"a": 0.001}


def test_scalars_mean_what_they_look_like() -> None:
    text = "{a: on, b: 10:30, c: 2012-06-21, d: 1_000, e: 007, f: 1e8, g: true, h: ~, i: NO, j: .5}"
    assert parse_yaml(text, "test") == {
        "a": "on",
        "b": "10:30",
        "c": "2012-06-21",
        "d": 1000,
        "e": "007",
        "f": 1e8,
        "g": True,
        "h": None,
        "i": "NO",
        "j": 0.5,
    }
    assert load("decision.interval_ns=1e8").decision.interval_ns == 100_000_000


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_the_way_through_yaml(value: float) -> None:
    assert parse_yaml(repr(value), "test") == value


def test_the_key_on_and_one_word_lists(tmp_path: Path) -> None:
    config = load(text="decision:\n  on: [book, own, book]\n", folder=tmp_path)
    assert config.decision.on == ("book", "own")
    assert load("decision.on=trade").decision.on == ("trade",)


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    refusal(text="name: !!python/object/apply:os.getcwd []\n", folder=tmp_path)


@pytest.mark.parametrize("text", ["a: b: c", "- 1", "just words", "seed: 1\nseed: 2\n", "\x00"])
def test_files_that_are_no_configuration_are_refused(text: str, tmp_path: Path) -> None:
    assert "run.yaml" in str(refusal(text=text, folder=tmp_path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "none.yaml", env={})


def test_an_empty_section_is_its_defaults(tmp_path: Path) -> None:
    assert load(text="limits:\nname: a\n", folder=tmp_path).limits == load().limits


def test_paths_start_at_the_yaml_file(tmp_path: Path) -> None:
    text = "tape: {path: data/t.parquet}\nstrategy: {file: my.py, function: f}\n"
    config = load(text=text, folder=tmp_path)
    assert config.tape_path() == tmp_path / "data/t.parquet"
    assert config.strategy_path() == tmp_path / "my.py"
    assert str(tmp_path) not in json.dumps(config.as_dict())


@pytest.mark.parametrize("name", ["zero", "ibkr_us_equity_tiered"])
def test_a_fee_schedule_is_a_name_or_a_path(name: str, tmp_path: Path) -> None:
    text = f"fees: {{schedule: {name}}}"
    assert load(text=text, folder=tmp_path).fee_schedule() == name
    text = f"fees: {{schedule: {name}.yaml}}"
    assert load(text=text, folder=tmp_path).fee_schedule() == tmp_path / f"{name}.yaml"


def test_paths_of_assignments_start_at_the_working_directory(tmp_path: Path) -> None:
    config = load("tape.path=u.parquet", text="tape: {path: t.parquet}", folder=tmp_path)
    assert config.tape_path() == Path("u.parquet")
    assert load().tape_path() is None and load().strategy_path() is None


def test_a_configuration_survives_its_own_yaml(tmp_path: Path) -> None:
    config = load("decision.on=[book, own]", "strategy.params.a=1e-9", "limits.max_loss_ccy=1e3")
    assert load(text=config.to_yaml(), folder=tmp_path).as_dict() == config.as_dict()
    assert Config.from_dict(config.as_dict()).config_digest == config.config_digest


def test_the_digest_follows_what_changes_results() -> None:
    digest = load().config_digest
    assert digest == load("seed=1").config_digest and len(digest) == 64
    assert digest == load("output.dir=elsewhere", "report.title=other").config_digest
    assert digest != load("seed=2").config_digest


def test_from_dict_refuses_like_a_file() -> None:
    with pytest.raises(ConfigError, match=r"decision\.interval_ns"):
        Config.from_dict({"decision": {"interval": 3}})
    assert Config.from_dict({"seed": 5}).seed == 5


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().seed = 3  # type: ignore[misc]


def test_the_schema_knows_every_key_with_a_sentence() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(load().as_dict())
    for section in schema["$defs"].values():
        assert section["additionalProperties"] is False
        for key, value in section["properties"].items():
            assert value["description"].strip(), key


def test_options_of_a_reader() -> None:
    options = parse_options(["symbol=AMZN", "levels=5", "date=2012-06-21", "tick=0.01"])
    assert options == {"symbol": "AMZN", "levels": 5, "date": "2012-06-21", "tick": 0.01}
    with pytest.raises(ConfigError, match="no '='"):
        parse_options(["symbol"])


def test_the_account_is_read_and_never_written() -> None:
    config = load("ibkr.account=DU7654321", "ibkr.port=7497")
    assert config.ibkr.account == "DU7654321"
    assert config.replaced({"seed": 2}).ibkr.account == "DU7654321"
    for text in (config.to_yaml(), str(config.as_dict()), repr(config)):
        assert "DU7654321" not in text and "7497" in text
