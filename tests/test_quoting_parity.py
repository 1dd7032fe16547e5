"""Random settings of the built-in quoting through the compiled backtest and through the live loop:
the same, bit for bit."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import xarray as xr

from mmquant.config import Config
from mmquant.strategies.demo import demo_tape
from mmquant.trading.halves import configured_params
from mmquant.trading.maker import MAKER
from tests.core.random_makers import tenths
from tests.random_quoting import SIGNALS, quoting_settings
from tests.test_parity import assert_same

ROWS = 8000
MOVING = ("refresh_s", "lifetime_s", "bid_delay_s", "ask_delay_s", "volatility_factor",
          "imbalance_ticks", "order_flow_ticks", "start_s", "stop_s", "horizon_to_end")  # fmt: skip
"""Settings by which quotes may change where neither the market nor the position does."""


@pytest.fixture(scope="module")
def tape() -> xr.Dataset:
    return demo_tape().isel(event=slice(0, ROWS))


def price(r: Random) -> float:
    """A price near those of the demo tape. [currency]"""
    return r.randint(9990, 10010) / 100


def messages(r: Random, start_ns: int, seconds: float) -> str:
    """Theos and offsets that someone sends, some of them for a while."""
    lines = ["time,symbol,what,value,for_s"]
    for at_s in sorted(r.uniform(0, seconds) for _ in range(30)):
        until = r.choice(["", "2.5", "20"])
        what, value = r.choice([("theo", price(r)), ("theo", price(r)), ("offset", 0.02)])
        lines.append(f"{start_ns + round(at_s * 1e9)},DEMO,{what},{value},{until}")
    return "\n".join(lines) + "\n"


def run_settings(r: Random, folder: Path, start_ns: int) -> dict[str, Any]:
    quoting = quoting_settings(r, price, share=0.2) | {
        "half_spread_ticks": tenths(-3, 0.5)(r),
        "min_half_spread_ticks": tenths(0.5, 1.5)(r),
        "horizon_s": tenths(0.1, 2)(r),
    }
    if quoting.get("stop_s") is not None:
        quoting["stop_s"] = tenths(60, 90)(r)
    out: dict[str, Any] = {
        "strategy": {"name": "maker"},
        "quoting": quoting,
        "signals": SIGNALS,
        "decision": {"on": r.choice([["timer"], ["timer"], ["timer", "trade"], ["book", "own"]])},
        "latency": {"entry_ns": r.choice([1, 1_000_000, 90_000_000])},
        "orders": {
            "requote": r.choice(["replace", "modify"]),
            "order_type": r.choice(["limit", "post_only"]),
        },
        "limits": {"max_position_lots": r.choice([20, 100])},
    }
    if quoting.get("theo") == "external":
        (folder / "hand.csv").write_text(messages(r, start_ns, 120.0))
        out["hand"] = {"file": str(folder / "hand.csv")}
    return out


def still(settings: dict[str, Any]) -> dict[str, Any]:
    """The same without what changes quotes by itself: the backtest may skip decisions then."""
    quoting = {k: v for k, v in settings["quoting"].items() if k not in MOVING}
    quoting["volatility_ticks"] = quoting["volatility_ticks"] or 1.5
    if quoting.get("theo") == "external":
        quoting["theo"] = "weighted_mid"
    out = settings | {"quoting": quoting, "signals": {}, "decision": {"on": ["timer"]}}
    out.pop("hand", None)
    return out


TRADING = (0, 1, 2, 5, 14)
"""Seeds of settings that trade a lot; below, 96 and 113 have theos from outside."""
MORE = [pytest.param(seed, marks=pytest.mark.soak) for seed in range(200, 400) if seed != 362]


@pytest.mark.parametrize("seed", [*TRADING, 96, 113, 362, *MORE])
def test_random_quoting_gives_the_same_in_both_pairings(
    seed: int, tape: xr.Dataset, tmp_path: Path
) -> None:
    settings = run_settings(Random(seed), tmp_path, int(tape["exch_ts"].values[0]))
    run = assert_same(settings, tape, None)
    assert ("hand" in settings) == (settings["quoting"].get("theo") == "external")
    if seed in (*TRADING, 96, 113):
        assert len(run.fills) > 20


@pytest.mark.parametrize("seed", [*TRADING, *MORE])
def test_quoting_that_follows_market_and_position_alone_may_skip_decisions(
    seed: int, tape: xr.Dataset, tmp_path: Path
) -> None:
    settings = still(run_settings(Random(seed), tmp_path, 0))
    config = Config.from_dict(settings)
    row = MAKER.param_row(configured_params(config, tape, MAKER))
    assert MAKER.steady(row[None]).all()
    run = assert_same(settings, tape, None)
    if seed in TRADING:
        assert len(run.fills) > 20


@pytest.mark.parametrize("key", MOVING)
def test_quoting_that_may_change_by_itself_skips_none(key: str, tape: xr.Dataset) -> None:
    values = {"horizon_to_end": True, "stop_s": 60} | dict.fromkeys(MOVING[:8], 1)
    quoting = {"half_spread_ticks": 2, "order_lots": 5, key: values[key]}
    config = Config.from_dict({"quoting": quoting, "signals": SIGNALS})
    row = MAKER.param_row(configured_params(config, tape, MAKER))
    assert not MAKER.steady(row[None]).any()
