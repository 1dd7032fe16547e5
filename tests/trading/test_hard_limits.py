"""Live trading does not start while a hard limit is unset."""

from __future__ import annotations

import pytest

import mmquant as mm
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import ConfigError
from mmquant.live.recovery import open_live
from mmquant.strategies.demo import demo_tape
from mmquant.trading.halves import open_session
from mmquant.trading.hard_limits import HARD_LIMITS, check_hard_limits, unset_hard_limits

ALL = {
    "limits": {
        "max_position_lots": 10,
        "max_order_lots": 5,
        "max_order_value_ccy": 1e4,
        "max_loss_ccy": 100,
        "price_collar_bps": 100,
        "max_book_age_s": 10,
        "max_messages": 40,
        "cancel_reserve": 10,
        "prevent_own_cross": True,
    },
    "orders": {"duplicate_window_s": 0.5},
    "risk": {"repeated": {"max_fills": 10}},
}


def test_nothing_is_missing_where_all_are_set():
    config = mm.Config.from_dict(ALL)
    assert unset_hard_limits(config) == []
    check_hard_limits(config)


@pytest.mark.parametrize("name", HARD_LIMITS)
def test_each_hard_limit_is_asked_for(name):
    key = HARD_LIMITS[name][0]
    section, *_, last = key.split(".")
    off = {"prevent_own_cross": False, "cancel_reserve": 0}.get(last)
    without = {} if section == "risk" else ALL[section] | {last: off}
    config = mm.Config.from_dict(ALL | {section: without})
    assert unset_hard_limits(config) == [key]
    with pytest.raises(ConfigError, match=key):
        check_hard_limits(config)


def test_one_of_two_collars_is_enough():
    limits = ALL["limits"] | {"price_collar_bps": None, "price_collar_ticks": 20}
    assert unset_hard_limits(mm.Config.from_dict(ALL | {"limits": limits})) == []


def test_the_live_loop_refuses_before_it_touches_anything(tmp_path):
    session = open_session(mm.Config(), demo_tape().isel(event=slice(0, 100)))
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="max_position_lots"):
        open_live(RunFolder(folder), session, object())
    assert not folder.exists()


def test_backtest_and_replay_do_not_ask():
    tape = demo_tape().isel(event=slice(0, 500))
    assert mm.backtest(mm.Config(), tape).digest() == mm.replay(mm.Config(), tape).digest()
