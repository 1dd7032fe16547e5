"""The compiled engine against the naive backtest on random tapes, and against the peer's runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from mmquant.config import Config
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates
from mmquant.data.tape import make_tape
from mmquant.research.reference import reference_config, run_reference
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import make_halves
from mmquant.trading.logs import Logs
from mmquant.trading.strategy import SKEW
from tests.naive import naive_backtest
from tests.naive_book import PEER_QUEUES
from tests.peer_runs import PeerRun, peer_runs
from tests.random_rows import random_rows

SEEDS = 24
LOCKED = 800
"""A seed whose peer CLEAR leaves a locked book at decisions, which is rare."""


def tape_of(columns: dict[str, np.ndarray]) -> xr.Dataset:
    contract = Contract.simple(
        0, "RANDOM", tick="0.1", lot="0.001", kind="crypto_perp", venue="TEST"
    )
    return make_tape(columns, [contract], source={}, date="2023-11-14")


def draw(seed: int) -> tuple[dict[str, np.ndarray], dict[str, Any], str, float]:
    """A tape, settings, a queue model and a fee."""
    rng = np.random.default_rng(seed + 10**6)
    columns = random_rows(
        int(rng.integers(300, 2500)),
        seed,
        feed_latency_ns=int(rng.choice([0, 1, 500_000, 30_000_000])),
        clears=bool(rng.random() < 0.5),
        wide=bool(rng.random() < 0.3),
        mean_lots=int(rng.choice([3, 20])),
    )
    settings = {
        "interval_ns": int(rng.choice([1_000_000, 10_000_000, 33_333_333, 100_000_000])),
        "entry_latency_ns": int(rng.choice([1, 1_000_000, 50_000_000, 250_000_000])),
        "response_latency_ns": int(rng.choice([1, 1_000_000, 50_000_000, 250_000_000])),
        "half_spread_ticks": float(rng.choice([-2, 0, 0.5, 1, 2.5])),
        "skew_ticks": float(rng.choice([0, 0.1, 0.5, 1])),
        "order_lots": int(rng.choice([1, 3, 5, 7])),
        "max_orders": float(rng.choice([1, 4, 20])),
    }
    return columns, settings, str(rng.choice(list(PEER_QUEUES))), float(rng.choice([0, -1e-4]))


def run_engine(tape: xr.Dataset, config: Config, maker_fee: float) -> Logs:
    halves = make_halves(
        config, tape, SKEW, rates=[FeeRates(maker_value_rate=maker_fee)], keep_tables=True
    )
    return run_halves(halves)[1]


@pytest.mark.compiled
@pytest.mark.parametrize("fill", ["partial", "peer"])
@pytest.mark.parametrize(
    "seed",
    [
        *(*range(SEEDS), LOCKED),
        *(pytest.param(s, marks=pytest.mark.soak) for s in range(SEEDS, 1500) if s != LOCKED),
    ],
)
def test_the_engine_does_what_the_naive_one_does(seed: int, fill: str) -> None:
    columns, settings, queue, fee = draw(seed)
    expected = naive_backtest(
        columns,
        tick=(1, 10),
        lot=(1, 1000),
        params={
            **settings,
            "queue": PEER_QUEUES[queue],
            "fill": fill,
            "maker_fee": fee,
            "peer_clear": fill == "peer",
        },
    )
    config = reference_config(**settings, queue=queue).model_dump(mode="json")
    config["fill"]["mode"] = fill
    logs = run_engine(tape_of(columns), Config.from_dict(config), fee)
    path, fills = logs.rows("path"), logs.rows("fills")
    mine = zip(
        fills["timestamp"].tolist(),
        fills["exch_ts"].tolist(),
        fills["side"].tolist(),
        np.rint(fills["price"] * 10).astype(int).tolist(),
        fills["lots"].tolist(),
        (fills["liquidity"] > 0).tolist(),
        strict=True,
    )
    assert list(mine) == expected["fills"]
    for ours, theirs in (("time", "timestamp"), ("fills", "num_trades"), ("position", "position")):
        assert path[ours].tolist() == expected["path"][theirs].tolist()
    for ours, theirs in (("mid", "price"), ("cash", "balance"), ("fees", "fee")):
        np.testing.assert_allclose(path[ours], expected["path"][theirs], rtol=1e-12, atol=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize("run", [r for r in peer_runs() if not r.clears], ids=lambda run: run.name)
def test_the_path_is_the_peers(run: PeerRun) -> None:
    path, _ = run_reference(tape_of(dict(run.columns)), queue=run.queue, **run.settings)
    for exact in ("timestamp", "num_trades", "position"):
        assert path[exact].tolist() == run.path[exact].tolist()
    for close in ("price", "balance", "fee"):
        np.testing.assert_allclose(path[close], run.path[close], rtol=1e-12, atol=1e-9)
