"""PnL over intervals and over days."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import mmquant as mm
from mmquant.trading.distribution import (
    noncentral_t_cdf,
    noncentrality,
    pnl_distribution,
    pnl_intervals,
)
from tests.fake_run import START, fake_run, make_path

S = 1_000_000_000


def test_intervals_by_hand() -> None:
    """Edges at 0, 60, 120 s; equity is that of the last step at or before; 130 s is left out."""
    path = make_path(START + np.array([0, 59, 61, 120, 130]) * S, equity=[1.0, 4.0, 9.0, 2.0, 50.0])
    assert pnl_intervals(path=path, interval_s=60.0).tolist() == [3.0, -2.0]
    assert pnl_intervals(path=path, interval_s=300.0).tolist() == []


def test_intervals_equal_the_slow_reference() -> None:
    run = fake_run(steps=3_000, fills=300, symbols=("A", "B"), hours=2.0)
    times, equity = run.path["time"].values, run.path["equity"].values.sum(axis=1)
    for seconds in (60, 300):
        edges, at = [], int(times[0])
        while at <= times[-1]:
            edges.append(float(equity[[t <= at for t in times]][-1]))
            at += seconds * S
        wanted = [b - a for a, b in pairwise(edges)]
        found = pnl_intervals(path=run.path, interval_s=float(seconds))
        assert found.tolist() == pytest.approx(wanted)
        out = pnl_distribution(path=run.path, interval_s=float(seconds))
        assert out["n"] == len(wanted) and out["worst"] == pytest.approx(min(wanted))
        assert out["mean"] == pytest.approx(sum(wanted) / len(wanted))
        assert out["sd"] == pytest.approx(np.std(wanted, ddof=1))
        assert out["positive"] == sum(x > 0 for x in wanted) / len(wanted)
        assert out["q50"] == pytest.approx(sorted(wanted)[len(wanted) // 2], abs=1.0)


@pytest.mark.parametrize(
    ("n", "known"),
    [(1, {"q50"}), (19, {"q50"}), (20, {"q05", "q50", "q95"}), (99, {"q05", "q50", "q95"}),
     (100, {"q01", "q05", "q50", "q95", "q99"})],
)  # fmt: skip
def test_a_quantile_needs_an_interval_beyond_it(n: int, known: set[str]) -> None:
    equity = np.cumsum(np.arange(n + 1.0))
    path = make_path(START + np.arange(n + 1) * 60 * S, equity=equity)
    out = pnl_distribution(path=path, interval_s=60.0)
    told = {key for key in ("q01", "q05", "q50", "q95", "q99") if out[key] is not None}
    assert out["n"] == n and told == (known if n > 1 else set())
    assert (out["sd"] is None) == (n < 2)
    for key in told:
        share = int(key[1:]) / 100
        assert out[key] == pytest.approx(1 + share * (n - 1))  # PnL is 1, 2, ... n


def test_intervals_without_an_equity_are_not_counted() -> None:
    equity = [0.0, 1.0, np.nan, 5.0, 6.0]
    path = make_path(START + np.arange(5) * 60 * S, equity=equity)
    out = pnl_distribution(path=path, interval_s=60.0)
    assert (out["n"], out["mean"], out["positive"]) == (2, 1.0, 1.0)
    none = pnl_distribution(path=path.isel(time=slice(0, 1)), interval_s=60.0)
    assert none["n"] == 0 and all(v is None for k, v in none.items() if k != "n")


# --- Sharpe -------------------------------------------------------------------


@pytest.mark.parametrize("df", [1, 2, 3, 9, 40, 251, 3_000])
@pytest.mark.parametrize("t", [-3.0, 0.0, 0.7, 4.0, 25.0])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.5, 20.0])
def test_the_noncentral_t_equals_scipys(df: int, t: float, shift: float) -> None:
    wanted = stats.nct.cdf(t, df, shift) if shift - t < 20 else 0.0  # scipy's is NaN there
    assert noncentral_t_cdf(t, df, shift) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize("t", [-2.0, 0.3, 8.0])
@pytest.mark.parametrize("df", [1, 5, 100])
def test_the_noncentrality_gives_the_share_back(t: float, df: int) -> None:
    for share in (0.025, 0.975):
        shift = noncentrality(t, df, share)
        assert stats.nct.cdf(t, df, shift) == pytest.approx(share, abs=1e-7)


def test_sharpe_by_hand() -> None:
    out = mm.daily_sharpe(daily_pnl=[1.0, 3.0, 2.0, np.nan])
    assert out["n"] == 3 and out["sharpe"] == pytest.approx(2.0 * math.sqrt(252))
    # noncentral t with 2 degrees of freedom at 2 * sqrt(3)
    for key, share in (("low", 0.975), ("high", 0.025)):
        shift = out[key] / math.sqrt(252) * math.sqrt(3)
        assert stats.nct.cdf(2.0 * math.sqrt(3), 2, shift) == pytest.approx(share, abs=1e-7)


@pytest.mark.parametrize("days", [[], [5.0], [5.0, np.nan], [2.0, 2.0, 2.0], [0.0, 0.0]])
def test_no_sharpe_without_days_that_differ(days: list[float]) -> None:
    out = mm.daily_sharpe(daily_pnl=days)
    assert out == {"sharpe": None, "n": int(np.isfinite(days).sum()), "low": None, "high": None}


def test_scale_does_not_matter_and_sign_turns_it() -> None:
    days = [1.0, -2.0, 4.0, 0.5]
    one, other = mm.daily_sharpe(daily_pnl=days), mm.daily_sharpe(daily_pnl=[-7 * x for x in days])
    assert other["sharpe"] == pytest.approx(-one["sharpe"])
    assert other["low"] == pytest.approx(-one["high"], abs=1e-6)
