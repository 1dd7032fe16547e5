"""One tape through the compiled backtest and through the live loop: the same, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mmquant as mm
from mmquant.strategies.demo import demo_tape


@mm.strategy(
    params={"half_spread_ticks": 1.0, "order_lots": 3.0, "fade": 0.9},
    memory={"mean_mid": float("nan"), "seen": 0.0},
)
def mean_reverting(view, params, memory, quotes):
    """Quotes two layers a side around a moving average of the mid; sometimes takes."""
    market = view[0]
    middle = (market["best_bid"] + market["best_ask"]) / 2.0
    if memory["seen"] == 0.0:
        memory["mean_mid"] = middle
    memory["seen"] += 1.0
    memory["mean_mid"] = params["fade"] * memory["mean_mid"] + (1.0 - params["fade"]) * middle
    if int(memory["seen"]) % 500 == 0:
        return -1
    lean = 0.5 * (memory["mean_mid"] - middle) - 0.05 * market["position_lots"]
    n = 0
    for layer in range(2):
        away = params["half_spread_ticks"] + 2.0 * layer
        for side in (1, -1):
            quote = quotes[n]
            quote["side"] = side
            quote["tick"] = int(middle + lean - side * away)
            quote["lots"] = int(params["order_lots"])
            if layer == 1 and int(memory["seen"]) % 7 == 0:
                quote["order_type"] = 0
                quote["tif"] = 3
                quote["tick"] = market["best_ask"] if side > 0 else market["best_bid"]
            n += 1
    return n


BASE = {
    "strategy": {
        "params": {"half_spread_ticks": 1, "skew_ticks": 0.1, "order_lots": 5,
                   "max_position_lots": 100}
    },
    "limits": {"max_position_lots": 60, "max_loss_ccy": 1000.0},
}  # fmt: skip
OWN = BASE | {"strategy": {}}
CASES = {
    "built-in": (BASE, None),
    "own function": (OWN, mean_reverting),
    "modify, day, slow answers": (
        BASE
        | {
            "orders": {"requote": "modify", "tif": "day", "order_type": "limit"},
            "latency": {"entry_ns": 30_000_000, "response_ns": 170_000_000},
        },
        None,
    ),
    "short lives": (BASE | {"orders": {"tif": "gtd", "lifetime_s": 0.75}}, None),
    "each trade and own event": (
        OWN | {"decision": {"on": ["trade", "own"]}, "fill": {"queue": "risk_averse"}},
        mean_reverting,
    ),
    "book and timer": (OWN | {"decision": {"on": ["book", "timer"]}}, mean_reverting),
    "peer fills": (BASE | {"fill": {"mode": "peer", "queue": "log2"}}, None),
    "slow feed": (BASE | {"latency": {"feed_offset_ns": 350_000_000}}, None),
    "few messages": (
        OWN
        | {
            "orders": {"requote": "modify", "size_tolerance_lots": 0},
            "limits": {"max_position_lots": 20, "max_messages": 5, "message_window_s": 0.7,
                       "cancel_reserve": 2},
        },
        mean_reverting,
    ),
    "loss limit": (BASE | {"limits": {"max_loss_ccy": 0.5}, "strategy": {
        "params": {"half_spread_ticks": 0, "order_lots": 50, "max_position_lots": 500}}}, None),
}  # fmt: skip


def assert_same(config: dict, tape, strategy) -> mm.Run:
    """Both pairings give the same quotes, orders, fills, positions and money."""
    settings = mm.Config.from_dict(config)
    compiled = mm.backtest(settings, tape, strategy=strategy)
    live = mm.replay(settings, tape, strategy=strategy)
    for name in ("fills", "orders", "quotes"):
        pd.testing.assert_frame_equal(
            getattr(compiled, name), getattr(live, name), check_exact=True, obj=name
        )
    assert compiled.path.identical(live.path)
    assert compiled.digest() == live.digest()
    compiled.validate()
    return compiled


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 20_000))


@pytest.mark.parametrize("case", CASES)
def test_the_demo_tape_gives_the_same_in_both_pairings(case, tape):
    config, strategy = CASES[case]
    run = assert_same(config, tape, strategy)
    assert len(run.fills) > 10
    stopped = run.summary["engine_stopped"]
    assert stopped == ("PULL_LOSS" if case == "loss limit" else None)
    assert any("PULL_LOSS" in note for note in run.manifest["notes"]) == (case == "loss limit")


def test_several_instruments_give_the_same_in_both_pairings():
    tape = mm.make_demo_tape(seed=3, minutes=1, instruments=3)

    @mm.strategy(params={"lots": 2.0})
    def all_of_them(view, params, memory, quotes):
        n = 0
        for i in range(len(view)):
            for side in (1, -1):
                quotes[n]["inst"] = i
                quotes[n]["side"] = side
                quotes[n]["tick"] = view[i]["best_bid"] if side > 0 else view[i]["best_ask"]
                quotes[n]["lots"] = int(params["lots"])
                n += 1
        return n

    run = assert_same({"decision": {"on": ["trade", "timer"]}}, tape, all_of_them)
    assert set(run.fills["inst"]) == {0, 1, 2}


@pytest.mark.parametrize("case", ["built-in", "own function"])
def test_a_real_day_gives_the_same_in_both_pairings(case, real_data):
    tape = mm.read_tape("lobster", real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"))
    config, strategy = CASES[case]
    run = assert_same(config | {"decision": {"interval_ns": 1_000_000_000}}, tape, strategy)
    assert len(run.fills) > 100


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(s, marks=pytest.mark.soak) for s in range(2, 200))]
)
def test_random_settings_give_the_same_in_both_pairings(seed):
    rng = np.random.default_rng(seed)
    tape = mm.make_demo_tape(seed=seed, minutes=0.5, instruments=int(rng.integers(1, 3)))
    asked = [name for name in ("timer", "book", "trade", "own") if rng.random() < 0.5]
    config = {
        "decision": {
            "interval_ns": int(rng.choice([7_000_001, 100_000_000])),
            "on": asked or ["timer"],
        },
        "latency": {
            "feed_offset_ns": int(rng.choice([0, 250_000_000])),
            "entry_ns": int(rng.choice([1, 1_000_000, 90_000_000])),
            "response_ns": int(rng.choice([1, 1_000_000, 300_000_000])),
        },
        "fill": {
            "mode": str(rng.choice(["partial", "peer"])),
            "queue": str(rng.choice(["risk_averse", "power", "power2", "power3", "log", "log2"])),
        },
        "orders": {
            "requote": str(rng.choice(["replace", "modify"])),
            "order_type": str(rng.choice(["limit", "post_only"])),
        },
        "limits": {"max_position_lots": int(rng.integers(5, 50))},
    }
    if rng.random() < 0.5:
        config["limits"] |= {"max_messages": int(rng.integers(2, 9)), "cancel_reserve": 1}
    if rng.random() < 0.5:
        config["orders"]["size_tolerance_lots"] = int(rng.integers(0, 3))
    assert_same(config, tape, mean_reverting)
