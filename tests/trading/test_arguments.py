"""Arguments of a run that are of the wrong kind, or name what the strategy does not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmquant as mm
from mmquant.errors import ConfigError, MMQuantError, UsageError
from mmquant.trading.arguments import check_strategy

GLFT = Path(mm.__file__).parent / "strategies" / "quoting" / "glft.yaml"


def swept(config: Any = None, tape: Any = None, **more: Any) -> Any:
    return mm.sweep(config, tape, grid={"seed": [1]}, **more)


@pytest.mark.parametrize("how", [mm.backtest, mm.replay, swept])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"config": "run.yaml"}, r"config is a str, not a Config — 'run\.yaml' — mm\.Config\.load"),
        ({"config": {"name": "x"}}, "config is a dict, not a Config"),
        ({"tape": "day.parquet"}, r"tape is a str, not a Dataset — .* — mm\.read_tape"),
        ({"strategy": len}, r"strategy is a .*function.*, not a Strategy — .*@mm\.strategy"),
    ],
)
def test_a_path_is_no_object(how: Callable[..., Any], given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        how(**given)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"strategy": {"params": {"half_spred_ticks": 1.0}}}, "no parameter 'half_spred_ticks'"),
        ({"strategy": {"name": "maker"}}, "quotes at the theoretical mid itself"),
        (
            {
                "strategy": {"name": "maker", "params": {"zzz": 1.0}},
                "quoting": {"half_spread_ticks": 1.0},
            },
            "no parameter 'zzz'",
        ),
        ({"strategy": {"file": "none.py"}}, "the strategy file does not exist"),
    ],
)
def test_a_configuration_is_held_against_its_strategy(sections: dict, words: str) -> None:
    with pytest.raises(MMQuantError, match=words):
        check_strategy(mm.Config.from_dict(sections))


def test_what_is_measured_first_is_not_missed() -> None:
    check_strategy(mm.Config.load(GLFT, env={}))
    check_strategy(mm.Config())


def test_a_replay_says_where_the_numbers_of_a_backtest_are() -> None:
    tape = mm.make_demo_tape()
    sets = ["quoting.calibrate_s=600", "quoting.order_lots=5", "limits.max_position_lots=50"]
    config = mm.Config.load(GLFT, env={}, sets=[*sets, "profile.beside=[]"])
    with pytest.raises(ConfigError, match=r"a backtest measures first.*run\.manifest\[\"config\"]"):
        mm.replay(config, tape)
    run = mm.backtest(config, tape)
    again = mm.replay(mm.Config.from_dict(run.manifest["config"]), tape)
    assert again.manifest["digest"] == run.manifest["digest"] and len(run.fills) > 0


def test_settings_that_nobody_looks_at_are_told() -> None:
    tape = mm.make_demo_tape(minutes=1)

    def told(**sections: Any) -> bool:
        config = mm.Config.from_dict({"profile": {"beside": []}, **sections})
        notes = mm.backtest(config, tape).manifest["notes"]
        return any("The section quoting has no effect: strategy 'skew'" in x for x in notes)

    assert told(quoting={"half_spread_ticks": 3.0})
    assert not told()
    assert not told(strategy={"name": "maker"}, quoting={"half_spread_ticks": 3.0})
