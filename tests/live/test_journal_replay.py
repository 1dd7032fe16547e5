"""A replayed journal gives the run that wrote it, and notices what is not the same."""

from __future__ import annotations

import pandas as pd
import pytest

import mmquant as mm
from mmquant.data.store.journal_reader import read_journal, segment_paths
from mmquant.errors import CheckFailed, MMQuantError, UsageError

pytestmark = pytest.mark.compiled


@mm.strategy(params={"lots": 3.0}, memory={"seen": 0.0})
def joins_and_rests(view, params, memory, quotes):
    memory["seen"] += 1.0
    if int(memory["seen"]) % 40 == 0:
        return -1
    for i in range(2):
        quotes[i]["side"] = 1 - 2 * i
        quotes[i]["tick"] = view[0]["best_bid"] if i == 0 else view[0]["best_ask"]
        quotes[i]["lots"] = int(params["lots"])
    return 2


CASES = {
    "built-in": ({"limits": {"max_position_lots": 40, "max_loss_ccy": 1000.0}}, None),
    "maker": (
        {"strategy": {"name": "maker"}, "quoting": {"half_spread_ticks": 1},
         "signals": {"volatility_halflife_s": 5}},
        None,
    ),
    "own function, own events, one book row at a time": (
        {"decision": {"on": ["book", "trade", "own"]}, "orders": {"requote": "modify"},
         "latency": {"response_ns": 70_000_000}},
        joins_and_rests,
    ),
    "few messages, loss": (
        {"limits": {"max_messages": 5, "cancel_reserve": 2, "max_loss_ccy": 0.5}},
        joins_and_rests,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_journal_gives_the_run_that_wrote_it(case, tmp_path) -> None:
    config, strategy = CASES[case]
    settings = mm.Config.from_dict(config | {"journal": {"checkpoint_s": 7}})
    tape = mm.make_demo_tape(seed=9, minutes=1)
    plain = mm.replay(settings, tape, strategy=strategy)
    run = mm.replay(settings, tape, strategy=strategy, journal=tmp_path / "run")
    again = mm.replay_journal(tmp_path / "run", strategy=strategy)
    assert len(segment_paths(tmp_path / "run" / "journal")) > 5
    assert len(run.quotes) > 10
    for other in (run, again):
        for name in ("fills", "orders", "quotes"):
            left, right = getattr(plain, name), getattr(other, name)
            pd.testing.assert_frame_equal(left, right, check_exact=True, obj=name)
        assert plain.path.identical(other.path)
        assert plain.manifest == other.manifest


def test_a_hand_is_journalled_with_what_was_refused(tmp_path) -> None:
    tape = mm.make_demo_tape(seed=9, minutes=0.5)
    start = pd.Timestamp(int(tape["exch_ts"].values[0]), unit="ns")
    at = [(start + pd.Timedelta(seconds=s)).isoformat() + "Z" for s in (3, 6, 9)]
    file = tmp_path / "hand.csv"
    file.write_text(
        "time,symbol,what,value,for_s\n"
        f"{at[0]},,halt,,\n{at[1]},,resume,,\n{at[2]},,max_order_lots,3,\n"
    )
    settings = mm.Config.from_dict({"hand": {"file": str(file)}})
    run = mm.replay(settings, tape, journal=tmp_path / "run")
    again = mm.replay_journal(tmp_path / "run")
    assert again.manifest["told"] == run.manifest["told"]
    assert again.digest() == run.digest()


def test_another_strategy_and_a_second_journal_are_refused(tmp_path) -> None:
    tape = mm.make_demo_tape(seed=9, minutes=0.1)
    mm.replay(tape=tape, strategy=joins_and_rests, journal=tmp_path / "run")
    with pytest.raises(UsageError, match="joins_and_rests"):
        mm.replay_journal(tmp_path / "run")
    with pytest.raises(UsageError, match="a journal already"):
        mm.replay(tape=tape, strategy=joins_and_rests, journal=tmp_path / "run")


def test_an_action_that_is_not_the_same_is_found(tmp_path) -> None:
    """A journal whose checksums are right, but whose first order is of another size."""
    from tests.live.forgery import change_first_action

    tape = mm.make_demo_tape(seed=9, minutes=0.1)
    mm.replay(tape=tape, journal=tmp_path / "run")
    (path,) = segment_paths(tmp_path / "run" / "journal")
    change_first_action(path)
    assert read_journal(tmp_path / "run" / "journal")[0].torn == 0
    with pytest.raises(CheckFailed, match="does not act as it did"):
        mm.replay_journal(tmp_path / "run")


def test_there_is_no_run_to_replay(tmp_path) -> None:
    with pytest.raises(MMQuantError, match="no live run"):
        mm.replay_journal(tmp_path)
