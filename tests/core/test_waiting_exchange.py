"""An exchange that waits behind a decision, where no answer could come in time, says the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmquant.core.dtypes import MSG, ActionKind, Control, MsgKind, RowKind
from mmquant.core.latency import KNOT
from mmquant.core.tape_loop import VARIES
from tests.core.builders import BUY, SELL, examples
from tests.core.engine_runs import Result, run, same
from tests.random_rows import random_rows

LOGS = ("path", "fills", "orders", "instructions")
RISK = {"protection": {"window_s": 0.2, "max_fills": 2, "cooldown_s": 0.05}}


def lagging(columns: dict[str, np.ndarray], **settings: object) -> Result:
    """A run, which with measured latencies that never change is the same run.

    With those, the exchange never waits behind a decision.
    """
    entry, response = settings["latency"]  # type: ignore[misc]
    knots = np.array([(0, entry, response)], KNOT)
    lazy = run(columns, **settings)  # type: ignore[arg-type]
    prompt = run(columns, knots=knots, **settings)  # type: ignore[arg-type]
    for name in LOGS:
        same(getattr(lazy, name), getattr(prompt, name))
    assert lazy.halves.clock["inbox"] == prompt.halves.clock["inbox"]
    return lazy


@pytest.mark.parametrize("feed", [0, 1, 1_999_999, 2_000_000, 2_000_001, 9_000_000, 30_000_000])
@pytest.mark.parametrize("response", [1, 2_000_000, 9_000_000])
def test_an_exchange_that_waits_behind_a_decision_says_the_same(feed: int, response: int) -> None:
    """Feed latencies below, at and above those of answers; rows at all times, and at those of
    decisions and views."""
    for interval in (1_000_000, 10_000_000):
        for fine in (True, False):
            columns = random_rows(examples(600, 150), feed + response, feed_latency_ns=feed)
            if not fine:
                columns["exch_ts"] = columns["exch_ts"] // 1_000_000 * 1_000_000
                columns["local_ts"] = columns["exch_ts"] + feed
            latency = (1 if fine else 1_000_000, response)
            result = lagging(columns, latency=latency, interval_ns=interval)
            assert len(result.fills)


@pytest.mark.parametrize("feed", [1, 2_000_001, 9_999_999, 12_000_000])
def test_an_answer_that_comes_just_in_time_is_waited_for(feed: int) -> None:
    """Orders reach the exchange around the time of a decision's view, and answers to what happens
    then come around the time of the decision."""
    interval = 10_000_000
    behind = feed % interval
    columns = random_rows(examples(600, 150), feed, feed_latency_ns=feed)
    for response in {1, (behind + 1) // 2, *range(max(behind - 2, 1), behind + 2)}:
        for past in range(-1, 3):
            entry = max(interval - behind + past, 1)
            result = lagging(columns, latency=(entry, response), interval_ns=interval)
            assert len(result.fills)


def test_an_exchange_does_not_wait_where_rows_take_longer_or_shorter() -> None:
    rng = np.random.default_rng(3)
    for feed in (2_000_000, 30_000_000):
        columns = random_rows(examples(600, 150), feed, feed_latency_ns=feed)
        late = columns["local_ts"] + rng.integers(0, 1_000_000, len(columns["local_ts"]))
        columns["local_ts"] = np.maximum.accumulate(late)
        for response in (1, 1_000_000):
            result = lagging(columns, latency=(1, response))
            assert result.halves.clock["latency"] == VARIES
            assert len(result.fills)


@pytest.mark.parametrize("guarded", [False, True])
def test_an_exchange_does_not_wait_where_answers_may_come_sooner(guarded: bool) -> None:
    """Of answers that take longer or shorter, and of ones at which the guard pulls quotes. Where a
    row takes a nanosecond less, which is before all views, no exchange waits."""
    feed, response = 9_000_000, 12_000_000
    columns = random_rows(examples(1500, 400), 5, feed_latency_ns=feed)
    uneven = columns | {"local_ts": columns["local_ts"] - (np.arange(len(columns["tick"])) == 0)}
    settings: dict[str, Any] = {"latency": (1, response)}
    if guarded:
        settings["risk"] = RISK
    else:
        ts = columns["exch_ts"][::20]
        settings["knots"] = np.array([(t, 1, (1, response)[i % 2]) for i, t in enumerate(ts)], KNOT)
    result, prompt = run(columns, **settings), run(uneven, **settings)
    assert (result.halves.clock["latency"], prompt.halves.clock["latency"]) == (feed, VARIES)
    for name in LOGS:
        same(getattr(result, name), getattr(prompt, name))
    assert len(result.fills)


def test_a_kill_at_the_time_of_the_last_row_comes_before_the_decision_after_it() -> None:
    """Orders placed at 60 ms end at 110 ms, of which is heard at 140 ms: when the last row is
    received, at 119 ms, there is more to come. All that is then decided, at 120 ms, is no quote."""
    ms = 1_000_000
    times = np.array([0, 0, 89 * ms])
    columns = {
        "exch_ts": times,
        "local_ts": times + 30 * ms,
        "kind": np.full(3, RowKind.DEPTH, np.int8),
        "side": np.array([BUY, SELL, SELL], np.int8),
        "tick": np.array([999, 1001, 1001], np.int32),
        "size": np.array([5, 1, 3], np.int32),
    }
    kill = np.zeros(1, MSG)
    kill["ts"], kill["kind"], kill["reason"] = 119 * ms, MsgKind.CONTROL, Control.KILL
    gtd = {"tif": "gtd", "lifetime_s": 0.05}
    settings = {"latency": (1, 30 * ms), "interval_ns": 60 * ms, "inbox": kill, "orders": gtd}
    result = lagging(columns, **settings)
    assert result.halves.clock["inbox"] == 1
    placed = result.instructions["action"] == ActionKind.PLACE
    assert set(result.instructions["timestamp"][placed]) == {60 * ms}
