"""What a subscriber sees, slow and obvious; tapes of several books; strategies that want much."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import mmquant as mm
from mmquant.config import Config
from mmquant.core.dtypes import RowKind
from mmquant.core.jit import kernel
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates
from mmquant.data.tape import make_tape
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import make_halves
from mmquant.trading.profiles import under_profile
from mmquant.trading.strategy import Strategy
from tests.naive_book import Book
from tests.random_rows import random_rows

STOCK_NS, OPTION_NS, FEED_NS = 250_000_000, 100_000_000, 20_000_000
NO_BID, NO_ASK = -(2**31) + 1, 2**31 - 1
LIMITS = {"one_sided": "hold", "prevent_own_cross": False}
"""The naive exchange lets own orders meet."""
SEEN = 30


def option_price(tick: int) -> float:
    """Price of a tick of an option in pennies below 3 dollars, and in steps of 5 cents above."""
    return tick / 100 if tick <= 300 else (300 + 5 * (tick - 300)) / 100


@kernel
def write_down(view, params, memory, quotes):
    """Want nothing, and remember all that is seen. Times as distances: a double holds no ns."""
    for i in range(view.shape[0]):
        one = view[i]
        at = 1 + (int(memory[0]) * view.shape[0] + i) * SEEN
        memory[at] = one["elapsed_s"]
        memory[at + 1] = one["now"] - one["ts"]
        memory[at + 2] = one["now"] - one["exch_ts"]
        memory[at + 3] = one["now"] - one["trade_ts"]
        memory[at + 4] = one["trade_side"]
        memory[at + 5] = one["trade_price"]
        memory[at + 6] = one["buy_volume"]
        memory[at + 7] = one["sell_volume"]
        memory[at + 8] = one["best_bid"]
        memory[at + 9] = one["best_ask"]
        for k in range(5):
            memory[at + 10 + k] = one["bid_tick"][k]
            memory[at + 15 + k] = one["bid_lots"][k]
            memory[at + 20 + k] = one["ask_tick"][k]
            memory[at + 25 + k] = one["ask_lots"][k]
    memory[0] += 1.0
    return 0


class Notebook(Strategy):
    """``write_down`` with room for what it remembers."""

    def memory_row(self, instruments: int = 1) -> np.ndarray:
        return np.zeros(200_000)

    def steady(self, params: np.ndarray) -> np.ndarray:
        return np.full(len(params), False)


NOTEBOOK = Notebook("notebook", write_down, {}, {}, raw=True)


@mm.strategy(params={"lots": 1.0}, quotes=2)
def best_prices(view, params, memory, quotes):
    """A quote at the best price of each side."""
    for n in range(2):
        quotes[n]["side"] = 1 - 2 * n
        quotes[n]["tick"] = view[0]["best_bid"] if n == 0 else view[0]["best_ask"]
        quotes[n]["lots"] = int(params["lots"])
    return 2


@mm.strategy(memory={"seen": 0.0}, quotes=16)
def restless(view, params, memory, quotes):
    """Eight quotes a side that move at each decision: many more messages than may be sent."""
    memory["seen"] += 1.0
    away = int(memory["seen"]) % 2
    for i in range(16):
        side = 1 if i % 2 == 0 else -1
        best = view[0]["best_bid"] if side > 0 else view[0]["best_ask"]
        quotes[i]["side"] = side
        quotes[i]["tick"] = best - side * (2 * (i // 2) + away)
        quotes[i]["lots"] = 1
    return 16


def three_contracts() -> list[Contract]:
    return [
        Contract.equity(0, "ABC", venue="XNAS"),
        Contract.option(
            1, "ABC", venue="CBOE", expiry="2024-06-21", strike=10, right="C", tick_class="penny"
        ),
        Contract.equity(2, "DEF", venue="XNAS"),
    ]


def slower(columns: dict[str, np.ndarray], times: int) -> dict[str, np.ndarray]:
    """The rows of a tape with more time between them."""
    start, delay = columns["exch_ts"][0], columns["local_ts"] - columns["exch_ts"]
    columns["exch_ts"] = start + (columns["exch_ts"] - start) * times
    return columns | {"local_ts": columns["exch_ts"] + delay}


def three_books(seed: int, *, jitter: bool, rows: int = 250) -> xr.Dataset:
    """A stock, an option and another stock on one tape; with ``jitter``, received out of order."""
    parts = [slower(random_rows(rows, 3 * seed + i), 15) for i in range(3)]
    shift = [int(part["exch_ts"][0]) - int(parts[0]["exch_ts"][0]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["exch_ts"] -= np.repeat(shift, rows)
    columns["inst"] = np.repeat(np.arange(3), rows)
    order = np.argsort(columns["exch_ts"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    rng = np.random.default_rng(seed)
    delay = rng.integers(0, 40_000_000, 3 * rows) if jitter else 500_000
    columns["local_ts"] = columns["exch_ts"] + delay
    return make_tape(columns, three_contracts(), source={}, date="2023-11-14")


def settings(**more: Any) -> Config:
    ibkr = {"depth_symbols": ["DEF"]} | more.pop("ibkr", {})
    profile = {"name": "ibkr", "beside": [], "ibkr": ibkr}
    return Config.from_dict({"profile": profile, "limits": LIMITS} | more)


class Subscriber:
    """What the broker last sent of one contract, row by row through a book of dicts."""

    def __init__(self, tape: xr.Dataset, inst: int, every_ns: int, delay_ns: int) -> None:
        order = tape["local_order"].values if "local_order" in tape else np.arange(len(tape.event))
        order = order[tape["inst"].values[order] == inst]
        names = ("local_ts", "exch_ts", "kind", "side", "tick", "size")
        self.rows = list(zip(*(tape[n].values[order].tolist() for n in names), strict=True))
        self.every, self.delay = every_ns, delay_ns
        self.book, self.last, self.trade = Book(), (0, 0), (0, 0, 0)
        self.volume = {1: 0, -1: 0}

    def at(self, ts: int) -> None:
        """Bring it to a time here: the broker's last snapshot that has arrived, or each row."""
        there = ts - self.delay
        cut = there // self.every * self.every if self.every else there
        while self.rows and self.rows[0][0] <= cut:
            local_ts, exch_ts, kind, side, tick, lots = self.rows.pop(0)
            sent = -(-local_ts // self.every) * self.every if self.every else local_ts
            self.last = (sent + self.delay, exch_ts)
            if kind == RowKind.TRADE:
                self.trade = (exch_ts, side, tick)
                self.volume[side] += lots
            else:
                self.book.set(side, tick, lots)

    def levels(self, side: int, most: int) -> list[tuple[int, int]]:
        ticks = [tick for tick, _ in zip(self.book.from_best(side), range(most), strict=False)]
        shown = [(tick, self.book.lots(side, tick)) for tick in ticks]
        return shown + [(NO_BID if side > 0 else NO_ASK, 0)] * (5 - len(shown))


def seen(tape: xr.Dataset, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Times at which the strategy was asked (n,) [ns], and what it saw then (n, 3, SEEN)."""
    halves = make_halves(under_profile(config), tape, NOTEBOOK, rates=[FeeRates()] * 3)
    halves, _ = run_halves(halves)
    memory, count = halves.local.memory[0], int(halves.local.memory[0, 0])
    views = memory[1 : 1 + count * 3 * SEEN].reshape(count, 3, SEEN)
    elapsed_ns = np.rint(views[:, 0, 0] * 1e9).astype(np.int64)
    return int(tape["exch_ts"].values[0]) + elapsed_ns, views


def most_in_a_second(times: np.ndarray) -> int:
    """Most messages in any second, ends left out."""
    return max(
        (int(np.count_nonzero((times >= t) & (times < t + 10**9))) for t in times), default=0
    )
