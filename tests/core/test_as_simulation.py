"""The kernel of the simulation against a market maker who keeps cash, mid and inventory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.as_simulation import BITS_31, Market, Paths, fill_chance, simulate

STEPS, PATHS = 40, 6
MARKET = Market(A=140.0, k=1.5, dt=0.005, move=2.0 * math.sqrt(0.005))


def draws_of(seed: int, steps: int = STEPS, paths: int = PATHS) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, (steps, paths), endpoint=True)
    return raw.astype(np.int64)


def room(steps: int = STEPS, paths: int = PATHS) -> Paths:
    whole = np.zeros(paths, np.int64)
    return Paths(np.zeros(paths), whole, whole.copy(), np.zeros((4, 2 * steps + 1)))


def by_hand(half_spread: np.ndarray, slope: np.ndarray, draws: np.ndarray, p: int):
    """One path as the paper tells it. Returns profit, inventory, trades."""
    cash, mid, held, trades = 0.0, 100.0, 0, 0
    for i in range(len(half_spread)):
        word = int(draws[i, p]) % 2**64
        for_ask, for_bid = word // 2 % 2**31 / 2**31, word // 2**32 % 2**31 / 2**31
        centre = mid - slope[i] * held
        bid, ask = centre - half_spread[i], centre + half_spread[i]
        sells = for_ask < min(140.0 * math.exp(-1.5 * (ask - mid)) * 0.005, 1.0)
        buys = for_bid < min(140.0 * math.exp(-1.5 * (mid - bid)) * 0.005, 1.0)
        if sells:
            cash, held, trades = cash + ask, held - 1, trades + 1
        if buys:
            cash, held, trades = cash - bid, held + 1, trades + 1
        mid += MARKET.move if word % 2 else -MARKET.move
    return cash + held * mid, held, trades


@pytest.mark.parametrize(
    ("half", "slope"), [(0.7, 0.0), (0.7, 0.4), (0.3, 2.0), (-0.5, 0.1), (9.0, 9.0)]
)
def test_paths_are_those_told_by_hand(half: float, slope: float) -> None:
    half_spread = half + 0.2 * np.linspace(1.0, 0.0, STEPS)
    slopes = slope * np.linspace(1.0, 0.0, STEPS)
    draws, paths = draws_of(3), room()
    simulate(MARKET, half_spread, slopes, draws, paths)
    want = [by_hand(half_spread, slopes, draws, p) for p in range(PATHS)]
    profit, inventory, trades = zip(*want, strict=True)
    assert paths.inventory.tolist() == list(inventory)
    assert paths.trades.tolist() == list(trades)
    assert paths.profit == pytest.approx(profit, abs=1e-9)


def test_a_quote_at_the_mid_or_beyond_it_is_filled_in_every_step() -> None:
    """The chance is capped at 1, and 1 is certain: both sides trade at all times."""
    paths, steps = room(), np.full(STEPS, -10.0)
    simulate(MARKET, steps, np.zeros(STEPS), draws_of(5), paths)
    assert (paths.trades == 2 * STEPS).all() and (paths.inventory == 0).all()
    assert paths.profit == pytest.approx(-20.0 * STEPS)


def test_a_quote_infinitely_far_is_never_filled() -> None:
    paths = room()
    simulate(MARKET, np.full(STEPS, math.inf), np.zeros(STEPS), draws_of(5), paths)
    assert not paths.trades.any() and not paths.inventory.any() and not paths.profit.any()


def test_every_step_can_buy() -> None:
    """The largest inventory that the scratch has to hold: one size a step."""
    paths = room()
    all_buy = np.zeros((STEPS, PATHS), np.int64) + (BITS_31 << 1)
    simulate(MARKET, np.full(STEPS, 0.1), np.zeros(STEPS), all_buy, paths)
    assert (paths.inventory == STEPS).all()
    all_sell = np.zeros((STEPS, PATHS), np.int64) + (BITS_31 << 32)
    simulate(MARKET, np.full(STEPS, 0.1), np.zeros(STEPS), all_sell, paths := room())
    assert (paths.inventory == -STEPS).all()


def test_the_chance_is_a_probability() -> None:
    assert fill_chance(MARKET, 0.0) == 140.0 * 0.005
    assert fill_chance(MARKET, -1e6) == 1.0
    assert fill_chance(MARKET, math.inf) == 0.0
    assert math.isnan(fill_chance(MARKET, math.nan))
