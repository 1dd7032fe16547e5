"""With the risk guard on, backtest and live loop agree bit for bit, and the guard was at work."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import MSG, NEVER, Control, Hand, MsgKind
from mmquant.data.tape import contracts_of
from mmquant.research.sweep import sweep
from tests.research.test_sweep import SHARED
from tests.test_parity import assert_same, mean_reverting

SECOND = 1_000_000_000


@mm.strategy(params={"lots": 4.0})
def all_of_them(view, params, memory, quotes):
    """Joins the best prices of each instrument."""
    n = 0
    for i in range(len(view)):
        for side in (1, -1):
            quotes[n]["inst"] = i
            quotes[n]["side"] = side
            quotes[n]["tick"] = view[i]["best_bid"] if side > 0 else view[i]["best_ask"]
            quotes[n]["lots"] = int(params["lots"])
            n += 1
    return n


LIMITS = [
    {"scope": "account", "max_gross_ccy": 9000.0, "max_net_ccy": 6000.0, "max_loss_ccy": 40.0},
    {"scope": "underlying", "max_delta": 40.0, "max_gamma": 5.0, "max_vega": 90.0},
    {"scope": "instrument", "max_position_units": 25, "max_target_units": 10,
     "max_drawdown_ccy": 25.0, "min_capture_bps": -5.0},
]  # fmt: skip
RISK: dict[str, Any] = {
    "limits": LIMITS,
    "loss_confirm_s": 0.5,
    "capture_fills": 3,
    "protection": {"max_fills": 4, "max_delta": 15.0, "window_s": 2.0, "cooldown_s": 1.5},
    "repeated": {"max_fills": 9, "window_s": 10.0},
    "breakers": {
        "market": {"on": True, "clean_decisions": 2},
        "spread": {"max_ticks": 3.0, "cooldown_s": 0.3},
        "jump": {"max_ticks": 1.5},
        "volatility": {"max_surge": 4.0},
    },
    "hedge": {"max_delta": 12.0, "min_interval_s": 0.4},
}
BASE = {"signals": {"volatility_halflife_s": 2, "warm_observations": 2, "volatility_sample_s": 0.2}}


def chain_tape(seed: int, minutes: float = 1.0) -> Any:
    """A tape of a stock and of two options on it, that only their contracts tell apart."""
    tape = mm.make_demo_tape(seed=seed, minutes=minutes, instruments=3)
    plain = [c.to_dict() for c in contracts_of(tape)]
    more = {"kind": "option", "exercise": "american", "settlement": "physical",
            "expiry": "2024-06-21", "strike": 100.0, "symbol": plain[0]["symbol"]}  # fmt: skip
    for one, right in zip(plain[1:], "CP", strict=True):
        one |= more | {"right": right}
    return tape.assign_attrs(contracts=json.dumps(plain))


def message(ts: int, kind: MsgKind, **fields: Any) -> np.ndarray:
    row = np.zeros(1, MSG)
    row["ts"], row["kind"], row["price"], row["mid"] = ts, int(kind), np.nan, np.nan
    for name, value in fields.items():
        row[name] = value
    return row


def greeks(ts: int, r: Random) -> list[np.ndarray]:
    out = []
    for inst, sign in ((1, 1), (2, -1)):
        for what, value in ((Hand.DELTA, sign * r.uniform(0.3, 0.7)), (Hand.GAMMA, 0.05),
                            (Hand.VEGA, r.uniform(0.5, 1.5))):  # fmt: skip
            fields = {"inst": inst, "reason": int(what), "price": value, "exch_ts": NEVER}
            out.append(message(ts, MsgKind.THEO, **fields))
    return out


def told(monkeypatch: pytest.MonkeyPatch, rows: list[np.ndarray]) -> None:
    found = np.concatenate(rows) if rows else np.zeros(0, MSG)
    found = found[np.argsort(found["ts"], kind="stable")]
    # The live side first: imported later, it would take over the other one's patch for good.
    for module in ("mmquant.live.replay", "mmquant.trading.halves"):
        monkeypatch.setattr(f"{module}.read_inbox", lambda *_: found.copy())


def reasons(run: mm.Run) -> set[str]:
    return {mm.Reason(int(code)).name for code in run.quotes["reason"].unique()}


def inbox(tape: Any, r: Random, *, flatten: bool) -> list[np.ndarray]:
    """Greeks every 5 s, some bad numbers, a flatten in the middle and resumes."""
    first, last = int(tape["exch_ts"][0]), int(tape["exch_ts"][-1])
    rows: list[np.ndarray] = []
    for ts in range(first + 1, last, 5 * SECOND):
        rows += greeks(ts, r)
    for _ in range(4):
        ts = r.randrange(first, last)
        rows.append(message(ts, MsgKind.CONTROL, reason=int(Control.RESUME)))
    bad = {"inst": 0, "reason": int(Hand.OFFSET), "price": np.inf}
    rows.append(message(r.randrange(first, last), MsgKind.THEO, **bad))
    if flatten:
        rows.append(message((first + last) // 2, MsgKind.CONTROL, reason=int(Control.FLATTEN)))
    return rows


def test_one_stock(monkeypatch):
    tape = mm.make_demo_tape(seed=5, minutes=2)
    told(monkeypatch, inbox(tape, Random(1), flatten=True)[-6:])
    run = assert_same(BASE | {"risk": RISK}, tape, mean_reverting)
    assert len(run.fills) > 10
    assert {"PULL_PROTECTION", "PULL_FLATTEN", "PULL_BAD_NUMBER", "HEDGE"} <= reasons(run)


def test_a_stock_and_its_options(monkeypatch):
    tape = chain_tape(7)
    told(monkeypatch, inbox(tape, Random(2), flatten=True))
    risk = RISK | {"breakers": {}, "protection": {"max_fills": 20, "window_s": 2.0}}
    config = BASE | {"risk": risk, "decision": {"on": ["trade", "timer"]}}
    run = assert_same(config, tape, all_of_them)
    assert len(run.fills) > 10
    assert {"HEDGE", "FLATTEN", "SOFT_LIMIT", "PULL_REPEATED"} <= reasons(run)
    units = np.abs(run.path["position"].values)
    assert units.max() <= 25


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(s, marks=pytest.mark.soak) for s in range(2, 100))]
)
def test_random_settings(seed, monkeypatch):
    r = Random(seed)
    tape = chain_tape(seed, 0.5) if r.random() < 0.7 else mm.make_demo_tape(seed=seed, minutes=0.5)
    told(monkeypatch, inbox(tape, r, flatten=r.random() < 0.5))
    risk = {key: value for key, value in RISK.items() if r.random() < 0.7}
    risk["on_breach"] = r.choice(["pull", "flatten"])
    asked = [name for name in ("timer", "book", "trade", "own") if r.random() < 0.4]
    config = BASE | {
        "risk": risk,
        "decision": {"on": asked or ["timer"], "interval_ns": r.choice([7_000_001, 100_000_000])},
        "latency": {"feed_offset_ns": r.choice([0, 250_000_000]),
                    "entry_ns": r.choice([1, 1_000_000, 90_000_000]),
                    "response_ns": r.choice([1, 1_000_000, 300_000_000])},
        "orders": {"requote": r.choice(["replace", "modify"])},
        "limits": r.choice([{}, {"max_messages": 7, "cancel_reserve": 2}]),
    }  # fmt: skip
    several = len(contracts_of(tape)) > 1
    assert_same(config, tape, all_of_them if several else mean_reverting)


def test_each_set_of_a_sweep_has_a_guard_of_its_own(monkeypatch):
    tape = chain_tape(9, 0.5)
    told(monkeypatch, inbox(tape, Random(3), flatten=False))
    config = mm.Config.from_dict(BASE | {"risk": RISK, "profile": {"beside": []}})
    grid = {"strategy.params.lots": [1.0, 4.0, 7.0]}
    found = sweep(config, tape, grid=grid, strategy=all_of_them)
    for lots in grid["strategy.params.lots"]:
        one = found.sel({"strategy.params.lots": lots})
        run = mm.backtest(config, tape, strategy=all_of_them, params={"lots": lots})
        for name in SHARED:
            assert float(one[name]) == run.summary[name], (lots, name)
        assert float(one["denied"]) == run.summary["engine_denied"]
    assert len(set(found["fills"].values)) > 1
