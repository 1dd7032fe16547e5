"""Random messages at random times: the same in both pairings, and when played again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.data.hand import hand_text
from mmquant.data.runs import Run
from tests.hand_messages import HEADER, MESSAGES, ORDERS, TRIGGERS, WHEN, config_of
from tests.nosy import nosy
from tests.subscriber import three_books
from tests.test_parity import assert_same


@pytest.fixture(scope="module")
def tapes() -> list[Any]:
    """Received in order, and not."""
    return [three_books(seed, jitter=seed == 1, rows=100) for seed in (0, 1)]


TIMES: dict[str, list[int]] = {}


def times_of(tape: Any, config: dict) -> list[int]:
    """When something happens if nobody says anything: decisions, and what comes of own orders."""
    key = f"{tape.sizes} {tape['local_ts'].values[-1]} {config}"
    if key not in TIMES:
        TIMES[key] = _times(mm.backtest(mm.Config.from_dict(config), tape, strategy=nosy))
    return TIMES[key]


def _times(run: Run) -> list[int]:
    times = [run.path["time"].values, run.fills["timestamp"].to_numpy()]
    times += [run.orders[name].to_numpy() for name in ("ack_time", "cancel_time")]
    found = np.unique(np.concatenate(times))
    return found[found > 0].tolist()


def same_whatever_is_said(folder: Path, tape: Any, config: dict, said: Any) -> Run:
    """Both pairings do the same, and so do they with what the run says it was told."""
    times = [*times_of(tape, config), *tape["local_ts"].values.tolist()]
    times += [times[0] - 10**9, max(times) + 10**9]
    lines = [
        f"{times[which % len(times)] + shift},{symbol},{what},{value},{for_s}\n"
        for (which, shift), (what, symbol, value, for_s) in said
    ]
    file = folder / "hand.csv"
    file.write_text(HEADER + "".join(lines))
    run = assert_same(config | {"hand": {"file": str(file)}}, tape, nosy)
    file.write_text(hand_text(run.manifest["told"]))
    again = mm.backtest(mm.Config.from_dict(config | {"hand": {"file": str(file)}}), tape,
                        strategy=nosy)  # fmt: skip
    assert again.digest() == run.digest() and again.manifest["told"] == run.manifest["told"]
    return run


def hand_property(examples: int) -> Any:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.integers(0, 1),
        st.sampled_from(TRIGGERS),
        st.booleans(),
        st.sampled_from(ORDERS),
        st.lists(st.tuples(WHEN, MESSAGES), min_size=1, max_size=12),
    )
    def check(
        folder: Path, tapes: list[Any], which: int, on: Any, ibkr: bool, orders: Any, said: Any
    ) -> None:
        same_whatever_is_said(folder, tapes[which], config_of(on, ibkr, orders=orders), said)

    return check


def test_random_messages_do_the_same_in_both_pairings(tmp_path: Path, tapes: list[Any]) -> None:
    hand_property(25)(tmp_path, tapes)


@pytest.mark.soak
def test_more_random_messages_do_the_same(tmp_path: Path, tapes: list[Any]) -> None:
    hand_property(600)(tmp_path, tapes)
