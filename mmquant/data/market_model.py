"""Zero-intelligence markets: their rates, and the rows that they write.

The bytes depend on model and seed alone: uniforms are taken from the raw stream of PCG64, which
NumPy keeps stable, and the market uses no operation whose rounding IEEE 754 leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmquant.core import zero_intelligence as zi
from mmquant.core.dtypes import RowKind, Status
from mmquant.errors import DataError, UsageError

BURN_IN = 4_096
"""Events that are played before the tape begins, so that the book has its usual shape."""
BATCH = 1 << 16
"""Events that are simulated in one call of the kernel."""
FOREVER = 2**62
"""An end of session that does not come. [ns]"""


@dataclass(frozen=True)
class MarketModel:
    """Rates and sizes of a market. Rates are orders per minute and side; odds are integers.

    ``limit`` and ``cancel`` are by distance from the opposite best price, 1 tick first; levels
    past the table of limit rates take ``k / i**alpha``, and past that of cancel rates its end.
    """

    limit: tuple[float, ...]
    cancel: tuple[float, ...]
    market: float
    levels: int
    k: float = 1.92
    alpha: float = 0.52
    limit_odds: tuple[tuple[int, int], ...] = ((1, 1),)
    """Pairs of (lots, weight) of limit orders and cancellations."""
    market_odds: tuple[tuple[int, int], ...] = ((1, 1),)
    refill_lots: int = 1
    latency_ns: int = 200_000
    jitter_ns: int = 1_000_000
    clock_ns: int = 1_000
    """Resolution of both clocks."""


SKY_PERFECT = MarketModel(
    limit=(1.85, 1.51, 1.09, 0.88, 0.77),
    cancel=(0.71, 0.81, 0.68, 0.56, 0.47),
    market=0.94,
    levels=5,
)
"""Table 2 of Cont, Stoikov and Talreja (2010), in orders of the average size."""

DEMO = MarketModel(
    limit=(70.0, 130.0, 120.0, 90.0, 75.0),
    cancel=(7.0, 8.0, 9.0),
    market=72.0,
    levels=10,
    k=190.0,
    limit_odds=((1, 25), (2, 20), (5, 25), (10, 20), (20, 10)),
    market_odds=((1, 25), (3, 20), (10, 25), (20, 18), (40, 9), (100, 3)),
    refill_lots=40,
)
"""A liquid stock-like market: spreads of one to three ticks and queues of tens of lots."""


def flow_of(model: MarketModel, *, rate_scale: float = 1.0, start_ns: int = 0) -> zi.Flow:
    """The kernel's parameters: rates per second, times ``rate_scale``, and lists of sizes."""
    if not 0.0 < rate_scale < math.inf:
        raise UsageError(f"rate_scale is {rate_scale}", fix="give a number above 0")
    tail = [round(model.k / i**model.alpha, 4) for i in range(1, model.levels + 1)]
    limit = [*model.limit, *tail[len(model.limit) :]][: model.levels]
    limit_lots = _sizes(model.limit_odds)
    mean = int(limit_lots.sum()) / limit_lots.size
    return zi.Flow(
        limit=np.array(limit) / 60.0 * rate_scale,
        cancel=np.array(model.cancel) / (60.0 * mean) * rate_scale,
        market=model.market / 60.0 * rate_scale,
        limit_lots=limit_lots,
        market_lots=_sizes(model.market_odds),
        refill_lots=model.refill_lots,
        start_ns=start_ns,
        clock_ns=model.clock_ns,
        latency_ns=model.latency_ns,
        jitter_ns=model.jitter_ns,
    )


def _sizes(odds: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Each size as often as its weight says."""
    lots, weights = zip(*odds, strict=True)
    return np.repeat(np.array(lots, dtype=np.int64), weights)


def open_market(model: MarketModel, *, start_tick: int = 10_000) -> zi.Market:
    """A book with ``refill_lots`` at each of the model's levels, one tick of spread, at rest."""
    lots = np.zeros(2 * start_tick, dtype=np.int64)
    low, high = start_tick - model.levels + 1, start_tick + model.levels
    lots[low : high + 1] = model.refill_lots
    state = np.zeros(zi.STATE_SIZE, dtype=np.int64)
    state[zi.BEST : zi.BEST + 2] = start_tick, start_tick + 1
    state[zi.FAR : zi.FAR + 2] = low, high
    return zi.Market(lots=lots, state=state)


def uniforms(bits: np.random.PCG64, events: int) -> np.ndarray:
    """(events, 4) uniforms in [0, 1) with 53 bits, from the raw stream."""
    raw = np.asarray(bits.random_raw(events * zi.DRAWS), dtype=np.uint64)
    raw >>= np.uint64(11)
    return (raw * 2.0**-53).reshape(events, zi.DRAWS)


def simulate_chunks(
    model: MarketModel,
    seed: int | np.random.SeedSequence,
    *,
    start_ns: int,
    end_ns: int = FOREVER,
    rate_scale: float = 1.0,
    start_tick: int = 10_000,
    batch: int = BATCH,
) -> Iterator[np.ndarray]:
    """Rows of one market, as arrays of ``zero_intelligence.ROW``; the snapshot comes first.

    Each array ends with a whole event, so a book replayed so far is never crossed. Without
    ``end_ns`` the market runs on until its price leaves the array of ticks, which is a DataError.
    """
    bits = np.random.PCG64(seed)
    market = open_market(model, start_tick=start_tick)
    rows = np.zeros(2 * batch + zi.MAX_ROWS, dtype=zi.ROW)
    flow = flow_of(model, rate_scale=rate_scale)
    for _ in _play(flow, market, uniforms(bits, BURN_IN), FOREVER, rows):
        pass
    market.state[zi.NOW : zi.REFILLS + 1] = 0, start_ns, start_ns + model.latency_ns, 0
    yield _snapshot(market)
    flow = flow._replace(start_ns=start_ns)
    while market.state[zi.EXCH] < end_ns:
        yield from _play(flow, market, uniforms(bits, batch), end_ns, rows)


def _play(
    flow: zi.Flow, market: zi.Market, draws: np.ndarray, end_ns: int, rows: np.ndarray
) -> Iterator[np.ndarray]:
    """The rows of one event a row of ``draws``, up to the end of the session."""
    while draws.shape[0]:
        status, count, used = zi.simulate(flow, market, draws, end_ns, rows.size, rows)
        if status == Status.BOOK_FULL:
            raise DataError(
                f"the simulated price left its range of {market.lots.size} ticks",
                where=f"bid at tick {market.state[zi.BEST]}",
                fix="simulate a shorter session, or start at a higher tick",
            )
        yield rows[:count].copy()
        draws = draws[draws.shape[0] if status == Status.END else used :]


def _snapshot(market: zi.Market) -> np.ndarray:
    """Both sides from best to far, stamped with the market's clock."""
    (bid, ask), (low, high) = market.state[zi.BEST :][:2], market.state[zi.FAR :][:2]
    ticks = np.concatenate([np.arange(bid, low - 1, -1), np.arange(ask, high + 1)])
    rows = np.zeros(ticks.size, dtype=zi.ROW)
    rows["exch_ts"], rows["local_ts"] = market.state[zi.EXCH], market.state[zi.LOCAL]
    rows["tick"], rows["size"] = ticks, market.lots[ticks]
    rows["kind"], rows["side"] = int(RowKind.SNAPSHOT), np.where(ticks <= bid, 1, -1)
    return rows[rows["size"] > 0]
