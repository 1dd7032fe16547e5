"""Runs of the engine over random tapes, with a strategy that does all that orders allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmquant.config import Config
from mmquant.core.book import make_book
from mmquant.core.jit import DISABLED, kernel
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates
from mmquant.data.tape import make_tape
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import Halves, make_halves
from mmquant.trading.strategy import Strategy
from tests.random_rows import random_rows

Columns = dict[str, np.ndarray]
ROWS = 250 if DISABLED else 1500
LATENCY_NS = 500_000


@kernel
def restless_quotes(view, params, memory, quotes):
    """Quotes whose price and size jump about with the market; some of them cross it."""
    n = 0
    for inst in range(view.shape[0]):
        market = view[inst]
        if market["best_bid"] < -(1 << 30) or market["best_ask"] > (1 << 30):
            continue
        draw = market["bid_lots"][0] + 3 * market["ask_lots"][0] + int(params[0])
        for k in range(2):
            side = 1 - 2 * k
            touch = market["best_bid"] if side > 0 else market["best_ask"]
            quote = quotes[n]
            quote["inst"] = inst
            quote["side"] = side
            quote["tick"] = touch - side * ((draw // (k + 1)) % 5 - 2)
            quote["lots"] = 1 + (draw // (3 - k)) % 6
            n += 1
    return n


RESTLESS = Strategy("restless", restless_quotes, {"phase": 0.0}, {}, raw=True)


class Result(NamedTuple):
    """The logs of a run as record arrays, and the halves as it left them."""

    path: np.ndarray
    fills: np.ndarray
    orders: np.ndarray
    instructions: np.ndarray
    halves: Halves


def tape_columns(seed: int, rows: int = ROWS) -> Columns:
    """A random tape whose rows are a nanosecond apart at least, so that a time names a row."""
    columns = random_rows(rows, seed, feed_latency_ns=LATENCY_NS, clears=True, wide=True)
    columns["exch_ts"] = columns["exch_ts"] + np.arange(rows)
    columns["local_ts"] = columns["exch_ts"] + LATENCY_NS
    return columns


def head(columns: Columns, rows: int) -> Columns:
    """The first rows of a tape."""
    return {name: column[:rows] for name, column in columns.items()}


def run(
    columns: Columns,
    *,
    instruments: int = 1,
    sets: Sequence[Mapping[str, float]] = ({},),
    strategy: Strategy = RESTLESS,
    on: Sequence[str] = ("timer",),
    fill: str = "partial",
    queue: str = "power",
    requote: str = "modify",
    order_type: str = "limit",
    limits: Mapping[str, Any] | None = None,
    tiny_logs: bool = False,
    window: int = 256,
    far: int = 64,
    knots: np.ndarray | None = None,
    latency: tuple[int, int] = (3_000_000, 2_000_000),
    interval_ns: int = 10_000_000,
    inbox: np.ndarray | None = None,
    orders: Mapping[str, Any] | None = None,
    risk: Mapping[str, Any] | None = None,
) -> Result:
    """Run a strategy over a tape, all sets in one pass."""
    config = Config.from_dict(
        {
            "decision": {"interval_ns": interval_ns, "on": list(on)},
            "latency": {"entry_ns": latency[0], "response_ns": latency[1]},
            "fill": {"mode": fill, "queue": queue, "queue_power": 2.0},
            "orders": {"requote": requote, "order_type": order_type, **(orders or {})},
            "risk": risk or {},
            "limits": {"max_position_lots": 40, "max_open_orders": 64, **(limits or {})},
        }
    )
    contracts = [
        Contract.simple(i, f"I{i}", tick="0.1", lot="0.001", kind="other", venue="X")
        for i in range(instruments)
    ]
    rows = {name: column for name, column in columns.items() if name != "local_order"}
    tape = make_tape(rows, contracts, source={}, date="2023-11-14")
    if "local_order" in columns:
        tape["local_order"] = ("event", columns["local_order"])
    rates = [FeeRates(maker_value_rate=-1e-4, taker_value_rate=2e-4)] * instruments
    halves = make_halves(config, tape, strategy, rates=rates, params=sets)
    small = make_book(instruments, window=window, far=far)
    halves.exchange = halves.exchange._replace(book=small)
    if knots is not None:
        halves.exchange = halves.exchange._replace(knots=knots)
    if inbox is not None:
        halves.inbox = inbox.copy()
    if len(halves.tape.order) or tuple(on) != ("timer",):
        small = make_book(instruments, window=window, far=far)
        halves.local = halves.local._replace(book=small)
    if tiny_logs:
        shrink_logs(halves)
    halves, logs = run_halves(halves)
    return Result(*(logs.rows(x) for x in ("path", "fills", "orders", "instructions")), halves)


def shrink_logs(halves: Halves) -> None:
    """Give the logs just the room that one decision needs."""
    local = halves.local
    room = len(halves.actions)
    logs = {
        name: np.zeros(room, getattr(local, name).dtype)
        for name in ("fill_log", "order_log", "instruction_log")
    }
    path = np.zeros(room * len(local.instrument), local.path_log.dtype)
    halves.local = local._replace(path_log=path, **logs)


def same(a: np.ndarray, b: np.ndarray, *but: str) -> None:
    """Check that two logs are equal bit for bit, some fields aside."""
    assert len(a) == len(b)
    for name in a.dtype.names or ():
        if name not in but:
            x, y = a[name], b[name]
            assert x.tobytes() == y.tobytes(), (name, np.flatnonzero(x != y)[:3])
