"""Both pairings give the same with all order checks, quotas and time-outs on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import MSG, MsgKind, Session
from mmquant.data.contracts import Contract
from mmquant.live import replay
from mmquant.trading import halves
from tests.test_parity import assert_same, mean_reverting

SECOND = 1_000_000_000


def random_tape(rng: np.random.Generator, seed: int, option: bool) -> Any:
    tape = mm.make_demo_tape(seed=seed, minutes=0.5, instruments=int(rng.integers(1, 3)))
    if option:
        rows = json.loads(tape.attrs["contracts"])
        terms = {"kind": "option", "expiry": "2030-01-18", "strike": 100.0, "right": "C",
                 "exercise": "american"}  # fmt: skip
        tape.attrs["contracts"] = json.dumps([row | terms for row in rows])
        assert Contract.from_dict(rows[0] | terms).kind == "option"
    return tape


def random_orders(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sections ``orders`` and ``limits`` in which each knob of the order path may be turned."""
    orders: dict[str, Any] = {
        "requote": str(rng.choice(["replace", "modify"])),
        "order_type": str(rng.choice(["limit", "post_only"])),
    }
    limits: dict[str, Any] = {"max_position_lots": int(rng.integers(5, 50))}
    knobs: list[tuple[dict[str, Any], str, list[Any]]] = [
        (orders, "ack_timeout_s", [0.001, 0.05, 2.0, None]),
        (orders, "cancel_timeout_s", [0.001, 0.1, None]),
        (orders, "min_requote_interval_s", [0.05, 0.5]),
        (orders, "duplicate_window_s", [0.1, 2.0]),
        (orders, "lifetime_s", [0.3, 2.0]),
        (limits, "max_messages", [4, 9]),
        (limits, "max_in_flight", [1, 3]),
        (limits, "max_messages_day", [40, 400]),
        (limits, "max_instrument_messages_day", [30, 300]),
        (limits, "max_option_orders_day", [25, 250]),
        (limits, "max_order_ratio", [3.0, 8.0]),
        (limits, "order_ratio_from", [20]),
        (limits, "slow_tolerance_ticks", [0, 1, 4]),
        (limits, "one_side_per_option", [False]),
        (limits, "prevent_own_cross", [True]),
        (limits, "price_collar_bps", [2.0, 20.0]),
        (limits, "price_collar_ticks", [1.5, 6.0]),
        (limits, "max_order_value_ccy", [150.0, 450.0, 1e5]),
    ]
    for section, name, values in knobs:
        if rng.random() < 0.4:
            section[name] = values[rng.integers(len(values))]
    if "lifetime_s" in orders:
        orders["tif"] = "gtd"
    return orders, limits


def broker_messages(rng: np.random.Generator, start: int, seconds: float, count: int) -> np.ndarray:
    """Outages and what else a broker says beside order messages."""
    rows = np.zeros(count, MSG)
    rows["ts"] = np.sort(start + rng.integers(0, int(seconds * SECOND), count))
    for i in range(count):
        row = rows[i]
        row["price"] = row["mid"] = np.nan
        row["kind"] = int(rng.choice([MsgKind.SESSION] * 3 + [MsgKind.POSITION, MsgKind.EXTERNAL]))
        row["side"] = int(rng.choice([-1, 1]))
        row["lots"] = int(rng.integers(0, 4))
        if row["kind"] == MsgKind.SESSION:
            row["reason"] = int(rng.choice(list(Session)))
        if rng.random() < 0.2:
            row["kind"], row["seq"], row["price"] = int(MsgKind.FEE), rng.integers(0, 60), 0.25
    return rows


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(s, marks=pytest.mark.soak) for s in range(4, 200))]
)
def test_random_knobs_and_broker_messages_give_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    tape = random_tape(rng, seed, option=seed % 2 == 1)
    orders, limits = random_orders(rng)
    asked = [name for name in ("timer", "trade", "own") if rng.random() < 0.5]
    config = {
        "decision": {"interval_ns": int(rng.choice([20_000_001, 100_000_000])),
                     "on": asked or ["timer"]},
        "latency": {"entry_ns": int(rng.choice([1, 1_000_000, 90_000_000])),
                    "response_ns": int(rng.choice([1, 1_000_000, 300_000_000]))},
        "orders": orders,
        "limits": limits,
    }  # fmt: skip
    said = broker_messages(rng, int(tape["exch_ts"].values[0]), 30.0, 25 * (seed % 3))
    monkeypatch.setattr(halves, "read_inbox", lambda *_: said.copy())
    monkeypatch.setattr(replay, "read_inbox", lambda *_: said.copy())
    assert_same(config, tape, mean_reverting)


def test_all_of_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the random settings are meant to reach does happen in one of them."""
    tape = mm.make_demo_tape(seed=1, minutes=0.5)
    config = {
        "orders": {"ack_timeout_s": 0.02, "min_requote_interval_s": 0.3, "requote": "modify"},
        "latency": {"entry_ns": 30_000_000, "response_ns": 90_000_000},
        "limits": {"prevent_own_cross": True, "max_messages_day": 900},
    }
    run = assert_same(config, tape, mean_reverting)
    assert run.summary["engine_timeouts"] > 0
    queries = run.quotes["action"] == int(mm.ActionKind.QUERY)
    assert queries.any()


def test_a_quote_good_till_cancelled_is_refused() -> None:
    with pytest.raises(mm.MMQuantError, match="never good till cancelled"):
        mm.Config.from_dict({"orders": {"tif": "gtc"}})
