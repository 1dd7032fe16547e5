"""The simulation of Avellaneda and Stoikov (2008): profit and inventory of a market maker."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import xarray as xr

from mmquant.core.as_simulation import Market, Paths, simulate
from mmquant.core.optimal_quotes import as_half_spread, as_slope
from mmquant.errors import UsageError

BLOCK = 1_024
"""Paths that are simulated at once. A path is the same however many follow."""

QuotingRule = Literal["inventory", "symmetric"]


def simulate_avellaneda_stoikov(
    *,
    gamma: float,
    sigma: float,
    k: float,
    A: float,
    horizon_s: float,
    steps: int,
    paths: int,
    seed: int,
    strategy: QuotingRule,
) -> xr.Dataset:
    """Profit and inventory of a market maker with the paper's quotes, in the paper's market.

    Parameters
    ----------
    gamma : risk aversion. [1 / (price · order size)]
    sigma : volatility of the mid. [price / sqrt(s)]
    k : decay of the fill intensity. [1 / price]
    A : fills a second of a quote at the mid, each side. [1 / s]
    horizon_s : the end, at which the inventory counts at the mid. [s] The paper leaves its unit of
        time open: take the same one everywhere.
    steps : steps until then; in each, at most one fill a side.
    paths : how many; the first ones do not depend on how many follow.
    seed : any whole number from 0. Both strategies meet the same market for the same seed.
    strategy : ``inventory`` leans against the inventory; ``symmetric`` quotes around the mid with
        the average spread of the former.

    Returns
    -------
    Dataset
        by ``path``: ``profit`` [price · order size], ``final_inventory`` [order sizes] and
        ``trades``; and ``average_spread`` [price].

    Raises
    ------
    UsageError
        where an argument is out of range.
    """
    numbers = {"gamma": gamma, "sigma": sigma, "k": k, "A": A, "horizon_s": horizon_s}
    _check(numbers, {"steps": steps, "paths": paths}, seed, strategy)
    half_spread, slope = _policy(gamma, sigma, k, horizon_s, steps)
    if strategy == "symmetric":
        half_spread = np.full(steps, half_spread.mean())
        slope = np.zeros(steps)
    dt = horizon_s / steps
    market = Market(float(A), float(k), dt, sigma * math.sqrt(dt))
    blocks = list(_blocks(market, half_spread, slope, paths, seed))
    profit, inventory, trades = (np.concatenate(part)[:paths] for part in zip(*blocks, strict=True))
    return xr.Dataset(
        {
            "profit": ("path", profit, {"units": "price * order size"}),
            "final_inventory": ("path", inventory, {"units": "order sizes"}),
            "trades": ("path", trades),
            "average_spread": ((), 2.0 * float(half_spread.mean()), {"units": "price"}),
        },
        attrs=numbers | {"steps": steps, "seed": seed, "strategy": strategy},
    )


def _policy(
    gamma: float, sigma: float, k: float, horizon_s: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Half spread and slope at the beginning of each step, from the kernels that quote."""
    left = [horizon_s - i * (horizon_s / steps) for i in range(steps)]
    half_spread = [as_half_spread(float(gamma), float(sigma), float(k), t) for t in left]
    slope = [as_slope(float(gamma), float(sigma), t) for t in left]
    return np.array(half_spread), np.array(slope)


def _blocks(
    market: Market, half_spread: np.ndarray, slope: np.ndarray, paths: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Profit, inventory and trades of each block of paths."""
    bits = np.random.PCG64(seed)
    steps = half_spread.size
    quotes = np.zeros((4, 2 * steps + 1))
    for _ in range(-(-paths // BLOCK)):
        raw = np.asarray(bits.random_raw(steps * BLOCK), dtype=np.uint64)
        block = Paths(np.zeros(BLOCK), np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64), quotes)
        simulate(market, half_spread, slope, raw.view(np.int64).reshape(steps, BLOCK), block)
        yield block.profit, block.inventory, block.trades


def _check(numbers: dict[str, float], counts: dict[str, int], seed: int, strategy: str) -> None:
    for name, value in numbers.items():
        least = 0.0 if name in ("gamma", "sigma") else math.ulp(0.0)
        if not least <= value < math.inf:
            fix = "give a number from 0" if least == 0.0 else "give a number above 0"
            raise UsageError(f"{name} is {value}", fix=fix)
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{name} is {count}", fix="give 1 or more")
    if seed < 0:
        raise UsageError(f"seed is {seed}", fix="give a whole number from 0")
    if strategy not in get_args(QuotingRule):
        raise UsageError(f"strategy is {strategy!r}", fix="give inventory or symmetric")
