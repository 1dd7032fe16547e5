"""Simulated tapes whose fill intensity, volatility or latency is known."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract
from mmquant.data.tape import make_tape

DEPTH, TRADE, CLEAR, STATUS = (
    int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.CLEAR), int(RowKind.STATUS),
)  # fmt: skip
DATE = "2024-01-02"
START = 1_704_205_800_000_000_000
"""14:30 UTC on DATE."""


def tape_of(rows: np.ndarray, *, tick: str = "0.01", instruments: int = 1) -> xr.Dataset:
    """A tape of rows (time in s, kind, side, tick, size), shape (n, 5); ticks may have a part."""
    order = np.argsort(rows[:, 0], kind="stable")
    time, kind, side, price, size = rows[order].T
    floor = np.floor(price)
    return make_tape(
        {
            "exch_ts": START + np.round(time * 1e9).astype(np.int64),
            "kind": kind.astype(np.int8),
            "side": side.astype(np.int8),
            "tick": floor.astype(np.int32),
            "subtick": np.minimum(price - floor, 1 - 2**-24).astype(np.float32),
            "size": size.astype(np.int32),
        },
        [Contract.equity(i, f"SIM{i}", venue="SIM", tick=tick) for i in range(instruments)],
        source={"format": "test", "files": []},
        date=DATE,
        timezone="America/New_York",
    )


def quote_rows(time: np.ndarray, bid: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """Rows that replace the best prices at each time, before levels far away that stay."""
    rows = [
        np.stack([time, np.full(len(time), DEPTH), np.full(len(time), side), price, size], axis=1)
        for side, now in ((1.0, bid), (-1.0, ask))
        for price, size in (
            (np.roll(now, 1), np.zeros(len(time))),
            (now, np.full(len(time), 9.0)),
        )
    ]
    moves = np.stack([rows[0], rows[2], rows[1], rows[3]], axis=1).reshape(-1, 5)
    far = [
        [time[0], DEPTH, 1.0, bid.min() - 9.0, 9.0],
        [time[0], DEPTH, -1.0, ask.max() + 9.0, 9.0],
    ]
    return np.concatenate([moves, far])


def quotes(
    rng: np.random.Generator, seconds: float, moves_per_s: float, widest: int = 2
) -> list[np.ndarray]:
    """Times and best prices of a mid that walks, under spreads of 1 tick to ``widest``."""
    n = rng.poisson(seconds * moves_per_s)
    time = np.concatenate([[0.0], np.sort(rng.uniform(0.0, seconds, n))])
    bid = 5000.0 + np.cumsum(rng.integers(-1, 2, n + 1))
    return [time, bid, bid + rng.integers(1, widest + 1, n + 1)]


def order_rows(
    rng: np.random.Generator,
    market: list[np.ndarray],
    time: np.ndarray,
    k: float,
) -> np.ndarray:
    """Trades of market orders of either side that reach an exponential distance from the mid.

    An order that does not reach the best price trades nothing. One that goes beyond it trades at
    the best price and at the farthest tick that it reaches.
    """
    at = np.searchsorted(market[0], time, side="right") - 1
    bid, ask = market[1][at], market[2][at]
    side = rng.choice([-1.0, 1.0], len(time))
    limit = side * (bid + ask) / 2.0 + rng.exponential(1.0 / k, len(time))
    far = side * np.floor(limit)
    best = np.where(side > 0, ask, bid)
    trades = side * (far - best) >= 0
    rows = [
        np.stack([time, np.full(len(time), TRADE), side, price, np.ones(len(time))], axis=1)[trades]
        for price in (best, far)
    ]
    return np.concatenate(rows)


def intensity_tape(seed: int, *, A: float, k: float, seconds: float, widest: int = 2) -> xr.Dataset:
    """Orders that reach distance d on one side at rate A exp(-k d), on a mid that moves."""
    rng = np.random.default_rng(seed)
    market = quotes(rng, seconds, 0.5, widest)
    time = np.sort(rng.uniform(0.0, seconds, rng.poisson(2.0 * A * seconds)))
    return tape_of(np.concatenate([quote_rows(*market), order_rows(rng, market, time, k)]))


def clustered_tape(seed: int, *, A: float, k: float, seconds: float, burst: float) -> xr.Dataset:
    """The same rate, but orders come in bursts of ``burst`` on average, within a second."""
    rng = np.random.default_rng(seed)
    market = quotes(rng, seconds, 0.5)
    starts = rng.uniform(0.0, seconds, rng.poisson(2.0 * A * seconds / burst))
    time = np.repeat(starts, rng.geometric(1.0 / burst, len(starts)))
    time = np.sort(np.minimum(time + rng.uniform(0.0, 1.0, len(time)), seconds))
    return tape_of(np.concatenate([quote_rows(*market), order_rows(rng, market, time, k)]))


def walk(rng: np.random.Generator, time: np.ndarray, sigma: float) -> np.ndarray:
    """A Brownian price at times, from tick 5000. [ticks]"""
    steps = rng.normal(0.0, sigma, len(time)) * np.sqrt(np.diff(time, prepend=0.0))
    return 5000.0 + np.cumsum(steps)


def bounce_tape(
    seed: int, *, sigma: float, seconds: float, trades_per_s: float, half_spread: float
) -> xr.Dataset:
    """Trades alone, half a spread to either side of a Brownian price. [ticks/sqrt(s), ticks]"""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.uniform(0.0, seconds, rng.poisson(seconds * trades_per_s)))
    side = rng.choice([-1.0, 1.0], len(time))
    price = walk(rng, time, sigma) + half_spread * side
    return tape_of(np.stack([time, np.full(len(time), TRADE), side, price, side**2], axis=1))


def flicker_tape(
    seed: int, *, sigma: float, seconds: float, quotes_per_s: float, noise: float
) -> xr.Dataset:
    """Quotes 2 ticks wide on the grid around a Brownian price plus normal noise. [ticks]"""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.uniform(0.0, seconds, rng.poisson(seconds * quotes_per_s)))
    bid = np.rint(walk(rng, time, sigma) + rng.normal(0.0, noise, len(time))) - 1.0
    return tape_of(quote_rows(time, bid, bid + 2.0))
