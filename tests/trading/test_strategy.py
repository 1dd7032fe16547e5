"""A user's strategy: named parameters and memory, and errors that say what to mend."""

from __future__ import annotations

import pytest

import mmquant as mm
from mmquant.core.jit import DISABLED
from mmquant.errors import ConfigError, UsageError
from mmquant.strategies.demo import demo_tape

compiled = pytest.mark.skipif(DISABLED, reason="plain Python does not check types before it runs")


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 4000))


def run(strategy, tape, **params):
    return mm.backtest(mm.Config(), tape, strategy=strategy, params=params)


def test_parameters_and_memory_have_names_and_memory_lasts(tape):
    @mm.strategy(params={"every": 3.0}, memory={"seen": 0.0})
    def now_and_then(view, params, memory, quotes):
        memory["seen"] += 1.0
        if memory["seen"] % params["every"] != 0.0:
            return 0
        quotes[0]["side"] = 1
        quotes[0]["tick"] = view[0]["best_bid"]
        quotes[0]["lots"] = 1
        return 1

    third = run(now_and_then, tape)
    seventh = run(now_and_then, tape, every=7.0)
    placed = [int((one.quotes["action"] == 1).sum()) for one in (third, seventh)]
    steps = third.summary["steps"]
    assert placed[0] == pytest.approx(steps / 3, abs=1)
    assert placed[1] == pytest.approx(steps / 7, abs=1)
    assert third.manifest["strategy"] == {"name": "now_and_then", "params": {"every": 3.0}}


def test_a_negative_return_pulls_all_quotes(tape):
    @mm.strategy(memory={"n": 0.0})
    def pulls(view, params, memory, quotes):
        memory["n"] += 1.0
        if memory["n"] > 20.0:
            return -1
        quotes[0]["side"] = -1
        quotes[0]["tick"] = view[0]["best_ask"] + 5
        quotes[0]["lots"] = 1
        return 1

    quotes = run(pulls, tape).quotes
    pulled = quotes[quotes["reason"] == int(mm.Reason.PULL_STRATEGY)]
    assert set(pulled["action"]) == {int(mm.ActionKind.CANCEL), int(mm.ActionKind.PULL)}
    assert quotes["timestamp"].max() == pulled["timestamp"].max()


@compiled
def test_a_wrong_field_name_is_named(tape):
    @mm.strategy
    def wrong(view, params, memory, quotes):
        return int(view[0]["best_bit"])

    with pytest.raises(UsageError, match="best_bit"):
        run(wrong, tape)


@compiled
def test_a_wrong_parameter_name_in_the_function_is_named(tape):
    @mm.strategy(params={"spread": 1.0})
    def wrong(view, params, memory, quotes):
        return int(params["spraed"])

    with pytest.raises(UsageError, match="spraed"):
        run(wrong, tape)


def test_an_unknown_parameter_is_refused_with_the_known_ones(tape):
    with pytest.raises(ConfigError, match="half_spread_ticks"):
        run(None, tape, half_spraed_ticks=1.0)


def test_too_many_quotes_end_the_run(tape):
    @mm.strategy
    def greedy(view, params, memory, quotes):
        return 1000

    @mm.strategy
    def careless(view, params, memory, quotes):
        quotes[16]["tick"] = 5
        return 0

    @mm.strategy
    def runaway(view, params, memory, quotes):
        for i in range(50_000):
            quotes[i]["side"] = 1
        return 0

    strategies = (greedy, careless) if DISABLED else (greedy, careless, runaway)
    for strategy in strategies:
        with pytest.raises(UsageError, match="16 quotes"):
            run(strategy, tape)
        with pytest.raises(UsageError, match="16 quotes"):
            mm.replay(mm.Config(), tape, strategy=strategy)


def test_a_function_of_other_arguments_is_refused():
    with pytest.raises(UsageError, match="view, params, memory, quotes"):

        @mm.strategy
        def short(view, params):
            return 0


def test_a_strategy_file_says_what_it_lacks(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def quote(view, params, memory, quotes):\n    return 0\n")
    config = mm.Config.from_dict({"strategy": {"file": str(file)}})
    with pytest.raises(UsageError, match="decorate"):
        mm.backtest(config, demo_tape())
    file.write_text("import nothing_of_that_name\n")
    with pytest.raises(UsageError, match="nothing_of_that_name"):
        mm.backtest(config, demo_tape())
    missing = mm.Config.from_dict({"strategy": {"file": str(tmp_path / "none.py")}})
    with pytest.raises(UsageError, match="does not exist"):
        mm.backtest(missing, demo_tape())


@compiled
def test_a_function_that_forgets_its_return_is_told_so(tape):
    @mm.strategy
    def nothing(view, params, memory, quotes):
        quotes[0]["side"] = 1

    @mm.strategy
    def sometimes(view, params, memory, quotes):
        if view[0]["best_bid"] > 0:
            return 0

    for forgetful in (nothing, sometimes):
        with pytest.raises(UsageError, match="does not return a number on every way") as told:
            mm.backtest(mm.Config(), tape, strategy=forgetful)
        assert "return the number of quotes written" in str(told.value)
