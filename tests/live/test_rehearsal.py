"""Ten minutes of quoting at the gateway, by the command a user types. `make rehearse`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.live.counted_gateway import most_in_a_second
from tests.live.rehearsal import LIMIT_LOTS, rehearse

SECONDS = float(os.environ.get("MMQUANT_REHEARSE_S", "600"))


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 0.5, 0.99, 1.0, 1.2], 4),
        ([0.0, 1.0, 2.0], 1),
        ([0.0, 0.0, 0.0, 7.0], 3),
    ],
)
def test_messages_of_a_sliding_second(times: list[float], most: int) -> None:
    assert most_in_a_second(times) == most


@pytest.mark.compiled
def test_a_live_run_of_seconds_ends_verified_and_replays(tmp_path: Path) -> None:
    check(rehearse(4.0, tmp_path / "rehearsal"))


@pytest.mark.soak
def test_a_live_run_from_start_to_verified_end(tmp_path: Path) -> None:
    facts = rehearse(SECONDS, tmp_path / "rehearsal")
    check(facts)
    assert facts["live"]["fills"] > 0
    assert facts["gateway"]["both_sides"] > 0.95


def check(facts: dict[str, Any]) -> None:
    """What holds for a run of any length."""
    seen, told, again = facts["gateway"], facts["live"], facts["replay"]
    assert seen["exit_code"] == 0
    assert told["verified_closed"] and not told["killed"] and seen["open"] == 0
    assert told["order_ratio"] <= 20
    assert 0 < seen["most_in_a_second"] <= 50 and seen["pace_violations"] == 0
    assert seen["internal_errors"] == 0
    assert abs(seen["position"]) <= LIMIT_LOTS
    assert again["final_position"] == seen["position"]
    assert (again["fills"], again["orders"] > 0) == (told["fills"], True)
    assert again["fees"] == pytest.approx(told["fees"])
    assert facts["recorded"]["tape"] > 0 and facts["backtest"]["orders"] > 0
    assert abs(facts["backtest"]["pnl_check"]) < 1e-6
    assert again["net_pnl"] == pytest.approx(told["pnl"], abs=0.01)
