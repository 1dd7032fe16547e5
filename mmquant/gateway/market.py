"""Where market rows come from: a tape, or a seeded market, in chunks made ahead of their time."""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core.black import spot_many
from mmquant.core.dtypes import RowKind
from mmquant.core.engine import Tape
from mmquant.core.option_rows import DELTA, GAMMA, PRICE, ROWS, THETA, VEGA
from mmquant.data.contracts import Contract
from mmquant.data.market_model import DEMO, MarketModel, simulate_chunks
from mmquant.data.readers import read_tape
from mmquant.data.tape import contracts_of
from mmquant.gateway.chain import chain_contracts, expiry_day, ticks_above, ticks_below
from mmquant.gateway.clock import YEAR_NS, close_ns, eastern
from mmquant.trading.halves import tape_columns

BATCH = 2_048
"""Events of the stock that are simulated in one go: some milliseconds of work."""
STOCK_TICK = 19_000
"""Tick of the first bid: 190.00."""
EXPIRY_DAYS = (30, 93)
"""Days to the two expiries, moved on to their Fridays."""
GRID_NS = 250_000_000
"""How often the options are quoted anew."""
LEVELS = 3
GREEKS = (PRICE, DELTA, GAMMA, VEGA, THETA)
AAPL = replace(
    DEMO,
    limit_odds=tuple((100 * lots, odds) for lots, odds in DEMO.limit_odds),
    market_odds=tuple((100 * lots, odds) for lots, odds in DEMO.market_odds),
    refill_lots=4_000,
)
"""The demo market in round lots of shares."""


@dataclass(frozen=True)
class Chunk:
    """Rows in order of time, and the time up to which nothing else happens."""

    tape: Tape
    until: int


class Market(Protocol):
    """A source of market rows. A richer one takes the place of the seeded one by these names."""

    @property
    def contracts(self) -> Sequence[Contract]:
        """What is traded; ids are 0 to n-1."""

    @property
    def date(self) -> str:
        """Trade date, whose tick ladders hold (ISO)."""

    @property
    def start_ns(self) -> int:
        """Time of the first row. [ns since the epoch]"""

    def chunks(self) -> Iterator[Chunk]:
        """The rows, chunk by chunk; where they end, the market stands still."""

    def volatility(self, inst: int, ts: int) -> float:
        """The model's implied volatility of an option at a time; NaN where there is none."""


class TapeMarket:
    """A recorded market at its own times."""

    def __init__(self, tape: xr.Dataset, columns: Tape) -> None:
        self.contracts: Sequence[Contract] = contracts_of(tape)
        self.date = str(tape.attrs["date"])
        self.start_ns = int(columns.exch_ts[0])
        self._columns = columns

    def chunks(self) -> Iterator[Chunk]:
        """The tape, whole."""
        yield Chunk(self._columns, int(self._columns.exch_ts[-1]))

    def volatility(self, inst: int, ts: int) -> float:
        """A tape knows none."""
        return float("nan")


def read_market(path: Path) -> TapeMarket:
    """The market of a tape in a file (.parquet or .tape)."""
    tape = read_tape("mapped" if path.suffix == ".tape" else "parquet", path)
    return TapeMarket(tape, tape_columns(tape, Config()))


class SyntheticMarket:
    """A stock of the zero-intelligence market, and a chain around a surface that moves.

    ``start_ns`` is the time of the first row. Same seed and start, same rows. Rates are 0 and there
    are no dividends, so that the American options are worth what European ones are.
    """

    def __init__(
        self,
        seed: int,
        start_ns: int,
        *,
        rate_scale: float = 1.0,
        model: MarketModel = AAPL,
        symbol: str = "AAPL",
    ) -> None:
        self._seed, self.start_ns, self._rate = seed, start_ns, rate_scale
        self._model = model
        start = eastern(start_ns)
        self.date = start.date().isoformat()
        self._expiry_days = [expiry_day(start.date(), days) for days in EXPIRY_DAYS]
        self.contracts: Sequence[Contract] = chain_contracts(symbol, self._expiry_days)
        options = self.contracts[1:]
        ends = [close_ns(datetime.date.fromisoformat(c.expiry)) for c in options]
        self._end = np.array(ends, np.int64)
        self._strike = np.array([c.strike for c in options])
        self._sign = np.array([1.0 if c.right == "C" else -1.0 for c in options])
        self._reset()

    def _reset(self) -> None:
        n = len(self._strike)
        self._level, self._spot = 0.25, 0.01 * STOCK_TICK
        self._quotes, self._sizes = np.zeros((2, n), np.int64), np.zeros((2, n), np.int64)
        self._quoted: deque[tuple[int, float, float]] = deque()

    def volatility(self, inst: int, ts: int) -> float:
        """The surface as last quoted by a time, at an option. Times may not go back."""
        if inst == 0:
            return float("nan")
        return float(self._surface(ts, *self._known(ts))[inst - 1])

    def prices(self, ts: int) -> np.ndarray:
        """Model prices of all options by the surface as last quoted. Times may not go back."""
        prices: np.ndarray = self._values(ts, *self._known(ts))[0]
        return prices

    def _known(self, ts: int) -> tuple[float, float]:
        """Level and underlying at the last quoting: rows are made ahead of their time."""
        while len(self._quoted) > 1 and self._quoted[1][0] <= ts:
            self._quoted.popleft()
        return self._quoted[0][1:] if self._quoted else (self._level, self._spot)

    def chunks(self) -> Iterator[Chunk]:
        """The stock's rows with the options' among them, without end."""
        self._reset()
        stock_seed, surface_seed = np.random.SeedSequence(self._seed).spawn(2)
        rng = np.random.Generator(np.random.PCG64(surface_seed))
        grid = self.start_ns
        last = self.start_ns
        for rows in simulate_chunks(
            self._model,
            stock_seed,
            start_ns=self.start_ns,
            rate_scale=self._rate,
            start_tick=STOCK_TICK,
            batch=BATCH,
        ):
            if not len(rows):
                continue
            last = int(rows["exch_ts"][-1])
            parts = [_stock_columns(rows)]
            mids = _mids(rows)
            while grid <= last:
                known = int(np.searchsorted(rows["exch_ts"], grid, side="right")) - 1
                if known >= 0 and np.isfinite(mids[known]):
                    self._spot = float(mids[known])
                parts.append(self._quote(grid, rng))
                grid += GRID_NS
            yield Chunk(_joined(parts), last)

    def _surface(self, ts: int, level: float, spot: float) -> np.ndarray:
        """Volatility of each option: a level that moves, with skew and smile."""
        years = np.maximum(self._end - ts, 60e9) / YEAR_NS
        money = np.log(self._strike / spot) / np.sqrt(years)
        vol: np.ndarray = level * (1.0 - 0.35 * money + 0.5 * money**2 + 0.02 * years)
        return np.clip(vol, 0.05, 2.0)

    def _values(self, ts: int, level: float, spot: float) -> np.ndarray:
        """Price and greeks of each option, rows as in GREEKS."""
        n = len(self._strike)
        years = np.maximum(self._end - ts, 60e9) / YEAR_NS
        table = np.empty((ROWS, n))
        vol, none = self._surface(ts, level, spot), np.zeros(n)
        spots = np.full(n, spot)
        spot_many(self._sign, spots, self._strike, years, vol, none, none, table)
        return table[list(GREEKS)]

    def _quote(self, ts: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Rows that move all options to their new prices, and some trades."""
        n = len(self._strike)
        self._level += 0.05 * (0.25 - self._level) * GRID_NS / 1e9 + 0.0004 * rng.standard_normal()
        self._level = min(max(self._level, 0.1), 0.8)
        self._quoted.append((ts, self._level, self._spot))
        value = self._values(ts, self._level, self._spot)
        half = 0.012 + 0.01 * value[0] + 0.15 * 0.01 * value[3]
        bid = ticks_below(np.maximum(value[0] - half, 0.0))
        ask = np.maximum(ticks_above(value[0] + half), bid + 1)
        sizes = rng.integers(1, 40, (2, n))
        rows: list[tuple[int, int, int, int, int, int]] = []
        for k, (side, tick) in enumerate(((1, bid), (-1, ask))):
            for i in np.flatnonzero(tick != self._quotes[k]):
                self._move(rows, ts, int(i), k, side, int(tick[i]), int(sizes[k, i]))
        for i in np.flatnonzero(rng.random(n) < 0.004):
            k = int(rng.integers(0, 2))
            lots = min(int(rng.integers(1, 6)), int(self._sizes[k, i]) - 1)
            tick = int(self._quotes[k, i])
            if lots > 0 and tick > 0:
                side = 1 if k == 0 else -1
                self._sizes[k, i] -= lots
                rows.append((ts, int(RowKind.TRADE), -side, tick, lots, int(i) + 1))
                rows.append(
                    (ts, int(RowKind.DEPTH), side, tick, int(self._sizes[k, i]), int(i) + 1)
                )
        return _columns(np.array(rows, np.int64).reshape(-1, 6))

    def _move(
        self, rows: list[tuple[int, int, int, int, int, int]], ts: int, i: int, k: int, side: int,
        tick: int, size: int,
    ) -> None:  # fmt: skip
        """Take the levels of one side away that are no more, then show the new ones."""
        depth = int(RowKind.DEPTH)
        old, self._quotes[k, i], self._sizes[k, i] = int(self._quotes[k, i]), tick, size
        new = [tick - side * j for j in range(LEVELS)]
        for j in range(LEVELS):
            gone = old - side * j
            if gone > 0 and gone not in new:
                rows.append((ts, depth, side, gone, 0, i + 1))
        for j, level in enumerate(new):
            if level > 0:
                rows.append((ts, depth, side, level, size + 10 * j, i + 1))


def _stock_columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    names = ("exch_ts", "kind", "side", "tick", "size")
    return {name: rows[name].astype(np.int64) for name in names} | {
        "inst": np.zeros(len(rows), np.int64)
    }


def _columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    names = ("exch_ts", "kind", "side", "tick", "size", "inst")
    return {name: rows[:, i] for i, name in enumerate(names)}


def _joined(parts: Sequence[dict[str, np.ndarray]]) -> Tape:
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["exch_ts"], kind="stable")
    c = {name: values[order] for name, values in columns.items()}
    ts = np.ascontiguousarray(c["exch_ts"], np.int64)
    return Tape(
        ts,
        ts,
        c["kind"].astype(np.int8),
        c["side"].astype(np.int8),
        c["tick"].astype(np.int32),
        np.zeros(len(ts), np.float32),
        c["size"].astype(np.int32),
        c["inst"].astype(np.int16),
        np.zeros(0, np.int64),
    )


def _mids(rows: np.ndarray) -> np.ndarray:
    """A stand-in for the mid after each row: the last price that traded. [currency]"""
    traded = rows["kind"] == int(RowKind.TRADE)
    at = np.maximum.accumulate(np.where(traded, np.arange(len(rows)), -1))
    price = 0.01 * rows["tick"].astype(np.float64)
    return np.where(at >= 0, price[np.maximum(at, 0)], np.nan)
