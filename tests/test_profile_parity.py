"""A subscriber's day through the compiled backtest and through the live loop: the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.strategies.demo import demo_tape
from tests.nosy import nosy
from tests.subscriber import restless, three_books
from tests.test_parity import assert_same, mean_reverting

IBKR = {"name": "ibkr", "beside": []}
WHOLE = IBKR | {"ibkr": {"depth_symbols": ["0"], "smart": False}}
SINGLE = {"strategy": {"params": {"half_spread_ticks": 1, "skew_ticks": 0.1, "order_lots": 5}}}
LAYERED = {
    "strategy": {"name": "maker"},
    "quoting": {
        "half_spread_ticks": 1,
        "order_lots": 5,
        "skew": {"ticks": 0.5},
        "layers": [{}, {"offset_ticks": 1, "lots": 3}, {"offset_ticks": 3}],
        "price_tolerance_ticks": 1,
    },
}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "single": (SINGLE | {"profile": IBKR}, None),
    "single, whole book": (SINGLE | {"profile": WHOLE}, None),
    "layered": (LAYERED | {"profile": IBKR}, None),
    "layered, modified on own events": (
        LAYERED
        | {"profile": WHOLE, "decision": {"on": ["timer", "own"]}}
        | {"orders": {"requote": "modify"}},
        None,
    ),
    "own function": ({"profile": IBKR}, mean_reverting),
    "own function, each trade and own event": (
        {"profile": IBKR, "decision": {"on": ["trade", "own"]}},
        mean_reverting,
    ),
    "all that is seen": ({"profile": IBKR}, nosy),
    "all that is seen, each row": (
        {"profile": WHOLE, "decision": {"on": ["book", "timer"]}},
        nosy,
    ),
    "as many messages as may be sent": (
        {"profile": WHOLE, "decision": {"interval_ns": 30_000_000}},
        restless,
    ),
}


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 8_000))


@pytest.mark.parametrize("case", CASES)
def test_a_subscribers_day_is_the_same_in_both_pairings(case: str, tape) -> None:
    config, strategy = CASES[case]
    run = assert_same(config, tape, strategy)
    assert run.manifest["profile"] == "ibkr" and len(run.fills) > 5
    throttled = run.summary["engine_throttled"]
    assert throttled > 0 if strategy is restless else throttled >= 0


def test_the_view_beside_is_the_run_under_that_profile(tape) -> None:
    day = mm.backtest(mm.Config.from_dict(SINGLE), tape)
    alone = mm.replay(mm.Config.from_dict(SINGLE | {"profile": IBKR}), tape)
    assert list(day.views) == ["ibkr"]
    assert day.views["ibkr"].digest() == alone.digest() != day.digest()


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(s, marks=pytest.mark.soak) for s in range(12, 600))]
)
def test_random_subscribers_are_the_same_in_both_pairings(seed: int) -> None:
    """Several instruments of their own conflation, received in order or not."""
    rng = np.random.default_rng(seed)
    tape = three_books(seed, jitter=bool(rng.random() < 0.5))
    asked = [name for name in ("book", "trade", "own") if rng.random() < 0.5]
    asked += ["timer"] * (asked in ([], ["own"]) or rng.random() < 0.5)
    config = {
        "decision": {
            "interval_ns": int(rng.choice([20_000_000, 50_000_000, 250_000_000])),
            "on": asked,
        },
        "orders": {
            "requote": str(rng.choice(["replace", "modify"])),
            "order_type": str(rng.choice(["limit", "post_only"])),
        },
        "limits": {
            "max_position_lots": int(rng.integers(5, 50)),
            "one_sided": str(rng.choice(["hold", "pull"])),
        },
        "profile": {
            "name": "ibkr",
            "beside": [],
            "ibkr": {
                "conflation_ns": int(rng.choice([1, 50_000_000, 250_000_000])),
                "option_conflation_ns": int(rng.choice([1, 20_000_000, 100_000_000])),
                "depth_symbols": [str(i) for i in range(3) if rng.random() < 0.4],
                "feed_ns": int(rng.choice([0, 20_000_000])),
                "entry_ns": int(rng.choice([1, 30_000_000])),
                "response_ns": int(rng.choice([1, 30_000_000, 250_000_000])),
                "max_messages_per_s": int(rng.choice([11, 40, 50])),
                "smart": bool(rng.random() < 0.5),
            },
        },
    }
    run = assert_same(config, tape, nosy)
    assert run.summary["steps"] > 5
