"""The simulation against the paper's tables, exact moments and closed forms."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import xarray as xr

from mmquant.errors import UsageError
from mmquant.research.avellaneda_stoikov import BLOCK, simulate_avellaneda_stoikov
from tests.oracles.avellaneda_stoikov import exact_moments
from tests.oracles.published_quotes import EXACT_TABLES, TABLES, Table

PAPER = {"sigma": 2.0, "k": 1.5, "A": 140.0, "horizon_s": 1.0, "steps": 200}
MANY = 100_000


@cache
def simulated(gamma: float, strategy: str, paths: int = MANY, seed: int = 2008) -> xr.Dataset:
    return simulate_avellaneda_stoikov(
        gamma=gamma, strategy=strategy, paths=paths, seed=seed, **PAPER
    )


@pytest.mark.parametrize(("gamma", "strategy"), EXACT_TABLES)
def test_the_recursion_gives_the_known_moments(gamma: float, strategy: str) -> None:
    found = exact_moments(gamma, strategy)
    spread, profit, profit_std, inventory_std, trades = EXACT_TABLES[gamma, strategy]
    assert found.spread == pytest.approx(spread, abs=1e-4)
    assert found.profit == pytest.approx(profit, abs=1e-3)
    assert found.profit_std == pytest.approx(profit_std, abs=1e-3)
    assert found.inventory == pytest.approx(0.0, abs=1e-9)
    assert found.inventory_std == pytest.approx(inventory_std, abs=1e-3)
    assert found.trades == pytest.approx(trades, abs=1e-2)


@pytest.mark.parametrize("gamma", [0.1, 0.01, 1.0])
def test_the_recursion_agrees_with_the_symmetric_closed_form(gamma: float) -> None:
    found = exact_moments(gamma, "symmetric")
    half, steps, dt = found.spread / 2.0, 200, 0.005
    chance = 140.0 * dt * math.exp(-1.5 * half)
    variance = 2.0 * steps * chance * (1.0 - chance)
    assert found.profit == pytest.approx(2.0 * steps * chance * half, rel=1e-9)
    assert found.inventory_std == pytest.approx(math.sqrt(variance), rel=1e-9)
    moves = half**2 + 4.0 * dt * (steps + 1) / 2.0
    assert found.profit_std == pytest.approx(math.sqrt(variance * moves), rel=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize(("gamma", "strategy"), EXACT_TABLES)
def test_moments_of_many_paths_are_the_exact_ones(gamma: float, strategy: str) -> None:
    found, want = simulated(gamma, strategy), exact_moments(gamma, strategy)
    assert float(found["average_spread"]) == pytest.approx(want.spread, rel=1e-12)
    for name, mean, std in (
        ("profit", want.profit, want.profit_std),
        ("final_inventory", want.inventory, want.inventory_std),
    ):
        assert abs(float(found[name].mean()) - mean) < 4.0 * std / math.sqrt(MANY)
        assert float(found[name].std(ddof=1)) == pytest.approx(std, rel=0.01)
    trades = found["trades"]
    assert abs(float(trades.mean()) - want.trades) < 4.0 * float(trades.std()) / math.sqrt(MANY)


@pytest.mark.compiled
@pytest.mark.parametrize("line", TABLES, ids=lambda line: f"{line.gamma}-{line.strategy}")
@pytest.mark.parametrize("paths", [1_000, MANY])
def test_the_papers_tables(line: Table, paths: int) -> None:
    """Means within four standard errors of the paper's 1,000 paths, deviations within 1.0."""
    found = simulated(line.gamma, line.strategy, paths)
    assert float(found["average_spread"]) == pytest.approx(line.spread, abs=0.015)
    for name, mean, std in (
        ("profit", line.profit, line.profit_std),
        ("final_inventory", line.inventory, line.inventory_std),
    ):
        error = math.hypot(std / math.sqrt(1_000), std / math.sqrt(paths) if paths < MANY else 0.0)
        assert abs(float(found[name].mean()) - mean) < 4.0 * error
        assert float(found[name].std(ddof=1)) == pytest.approx(std, abs=1.0)


def test_more_paths_begin_with_the_same_ones() -> None:
    few = simulated(0.1, "inventory", 10)
    more = simulated(0.1, "inventory", 2 * BLOCK + 5)
    assert more.sizes["path"] == 2 * BLOCK + 5
    for name in ("profit", "final_inventory", "trades"):
        assert np.array_equal(more[name][:10], few[name])
        assert len(np.unique(more[name][:BLOCK])) > 1
    assert not np.array_equal(more["profit"][:5], more["profit"][BLOCK : BLOCK + 5])


def test_a_seed_is_a_market() -> None:
    again = simulate_avellaneda_stoikov(
        gamma=0.1, strategy="inventory", paths=10, seed=2008, **PAPER
    )
    assert again.identical(simulated(0.1, "inventory", 10))
    assert not np.array_equal(again["profit"], simulated(0.1, "inventory", 10, 7)["profit"])


def test_without_risk_aversion_both_strategies_are_the_same() -> None:
    lean, flat = (simulated(0.0, name, 50)["profit"] for name in ("inventory", "symmetric"))
    assert np.allclose(lean, flat, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gamma", -0.1), ("gamma", math.nan), ("sigma", math.inf), ("k", 0.0), ("A", -1.0),
     ("horizon_s", 0.0), ("steps", 0), ("paths", 0), ("seed", -1), ("strategy", "best")],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(name: str, value: object) -> None:
    good = PAPER | {"gamma": 0.1, "paths": 2, "seed": 1, "strategy": "inventory"}
    with pytest.raises(UsageError, match=name):
        simulate_avellaneda_stoikov(**good | {name: value})
