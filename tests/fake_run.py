"""A run made up from random numbers, with the tables and the identities of a real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.dtypes import ActionKind, OrderState

START = 1_340_285_400_000_000_000  # 2012-06-21 13:30 UTC

LADDER = {"from_date": "0001-01-01", "steps": [{"from_price": "0", "tick": "0.01"}]}

PATH_COLUMNS = (
    "bid",
    "ask",
    "mid",
    "position",
    "cash",
    "fees",
    "equity",
    "spread_pnl",
    "inventory_pnl",
    "own_bid",
    "own_ask",
    "volume",
)
FILL_COLUMNS = {
    "timestamp": "int64",
    "exch_ts": "int64",
    "order_id": "int64",
    "inst": "int16",
    "symbol": "str",
    "venue": "str",
    "side": "int8",
    "price": "float64",
    "size": "float64",
    "lots": "int32",
    "liquidity": "int8",
    "fee": "float64",
    "mid": "float64",
    "spread_capture": "float64",
    "position": "float64",
}


@dataclass
class FakeRun:
    """Stands in for a run: the same attributes, no files."""

    manifest: dict
    path: xr.Dataset
    fills: pd.DataFrame
    orders: pd.DataFrame
    quotes: pd.DataFrame

    @property
    def summary(self) -> dict:
        return self.manifest["summary"]


def make_path(time, *, symbols=("XYZ",), **columns) -> xr.Dataset:
    """A path Dataset; a missing column is 0, a given one has shape (time,) or (time, inst)."""
    time = np.asarray(time, dtype=np.int64)
    shape = (len(time), len(symbols))
    values = {name: np.zeros(shape) for name in PATH_COLUMNS}
    values |= {"fills": np.zeros(shape, np.int64), "open_orders": np.zeros(shape, np.int32)}
    for name, column in columns.items():
        column = np.asarray(column)
        values[name] = column[:, None] if column.ndim == 1 else column
    return xr.Dataset(
        {name: (("time", "inst"), value) for name, value in values.items()},
        coords={
            "time": ("time", time, {"units": "ns since epoch UTC"}),
            "inst": np.arange(len(symbols), dtype=np.int16),
            "symbol": ("inst", np.array(symbols, dtype=object)),
        },
    )


def make_fills(rows: list[dict]) -> pd.DataFrame:
    """A fill table from partial rows; what a row leaves out is 0."""
    empty = {"symbol": "XYZ", "venue": "TEST", "liquidity": 1}
    full = [{name: row.get(name, empty.get(name, 0)) for name in FILL_COLUMNS} for row in rows]
    return pd.DataFrame(full, columns=list(FILL_COLUMNS)).astype(FILL_COLUMNS)


def make_orders(n: int, *, size: float = 1.0, filled: float = 0.0) -> pd.DataFrame:
    state = OrderState.FILLED if filled else OrderState.CANCELLED
    return pd.DataFrame(
        {
            "order_id": np.arange(1, n + 1),
            "inst": np.zeros(n, np.int16),
            "status": np.full(n, int(state), np.int8),
            "size": np.full(n, size),
            "filled_qty": np.full(n, filled),
            "submit_time": START + np.arange(n, dtype=np.int64),
            "cancel_time": np.zeros(n, np.int64),
        }
    )


def make_quotes(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "timestamp": START + np.arange(n, dtype=np.int64),
            "inst": np.zeros(n, np.int16),
            "action": np.full(n, int(ActionKind.PLACE), np.int8),
        }
    )


def _one_instrument(rng, time, n_fills, *, price, fee_rate, multiplier) -> tuple[dict, list]:
    n = len(time)
    mid = price + np.cumsum(rng.choice([-0.005, 0.0, 0.005], n))
    bid, ask = mid - 0.01, mid + 0.01
    at = np.sort(rng.integers(1, max(n, 2), n_fills)) if n > 1 else np.zeros(0, int)
    side = rng.choice([-1, 1], len(at))
    side[np.abs(np.cumsum(side)) > 20] *= -1
    size = rng.integers(1, 4, len(at)).astype(float)
    fill_price = mid[at - 1] - side * 0.01
    capture = side * (mid[at - 1] - fill_price) * size * multiplier
    fee = fee_rate * size
    rows = [
        {
            "timestamp": int(time[k] - 1),
            "exch_ts": int(time[k] - 2),
            "order_id": j + 1,
            "side": side[j],
            "price": fill_price[j],
            "size": size[j],
            "lots": int(size[j]),
            "fee": fee[j],
            "mid": mid[k - 1],
            "spread_capture": capture[j],
        }
        for j, k in enumerate(at)
    ]

    def summed(values):
        return np.cumsum(np.bincount(at, values, n)) if len(at) else np.zeros(n)

    position, cash = summed(side * size), summed(-side * size * fill_price * multiplier)
    held = np.concatenate([[0.0], position[:-1]])
    moved = np.concatenate([[0.0], np.diff(mid)])
    # A fill between two steps is booked at the mid of the earlier one.
    inventory = np.cumsum((held + np.diff(position, prepend=0.0)) * moved * multiplier)
    fees = summed(fee)
    columns = {
        "bid": bid,
        "ask": ask,
        "mid": mid,
        "position": position,
        "cash": cash,
        "fees": fees,
        "equity": cash + position * mid * multiplier - fees,
        "spread_pnl": summed(capture),
        "inventory_pnl": inventory,
        "own_bid": np.where(position < 15, bid, np.nan),
        "own_ask": np.where(position > -15, ask, np.nan),
        "volume": summed(size),
        "fills": np.cumsum(np.bincount(at, minlength=n)) if len(at) else np.zeros(n, int),
        "open_orders": np.full(n, 2),
    }
    return columns, rows


def fake_run(
    *,
    steps: int = 2_000,
    fills: int = 200,
    symbols: tuple[str, ...] = ("XYZ",),
    seed: int = 1,
    name: str = "fake",
    multiplier: float = 1.0,
    currencies: tuple[str, ...] = ("USD",),
    hours: float = 6.5,
) -> FakeRun:
    """A run over ``hours`` with a random walk for a mid and fills at the touch."""
    rng = np.random.default_rng(seed)
    time = START + (np.arange(steps) * (hours * 3.6e12 / max(steps, 1))).astype(np.int64)
    columns: dict[str, list] = {}
    log: list[dict] = []
    for i, symbol in enumerate(symbols):
        one, rows = _one_instrument(
            rng, time, fills, price=100.0 + 50 * i, fee_rate=0.001, multiplier=multiplier
        )
        for key, value in one.items():
            columns.setdefault(key, []).append(value)
        log += [row | {"inst": i, "symbol": symbol} for row in rows]
    path = make_path(
        time, symbols=symbols, **{key: np.stack(value, axis=1) for key, value in columns.items()}
    )
    log.sort(key=lambda row: row["timestamp"])
    contracts = [
        {
            "id": i,
            "symbol": symbol,
            "kind": "equity",
            "venue": "TEST",
            "currency": currencies[i % len(currencies)],
            "multiplier": multiplier,
            "lot": "1",
            "ladders": [
                {"from_date": "0001-01-01", "steps": [{"from_price": "0", "tick": "0.01"}]}
            ],
        }
        for i, symbol in enumerate(symbols)
    ]
    manifest = {
        "schema": "run",
        "schema_version": 1,
        "name": name,
        "mode": "backtest",
        "config": {
            "name": name,
            "latency": {"entry_ns": 1_000_000},
            "limits": {"max_position_lots": 30},
        },
        "seed": seed,
        "versions": {"mmquant": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
        "inputs": [{"path": "tape.parquet", "sha256": "ab" * 32, "bytes": 12345}],
        "tape": {
            "rows": steps * 10,
            "date": "2012-06-21",
            "first_ts": int(time[0]) if steps else None,
            "last_ts": int(time[-1]) if steps else None,
            "level": "L2",
            "symbols": list(symbols),
            "notes": ["A note on the tape."],
            "counts": {"rows": steps * 10, "quarantined": 3},
        },
        "fill_model": {"mode": "partial", "queue": "power", "queue_power": 3.0},
        "strategy": {"name": "fake", "params": {}},
        "latency": {"feed_ns": 1_000_000, "order_ns": 2_000_000, "response_ns": 2_000_000},
        "fees": {
            "schedule": "demo",
            "source": "made up",
            "applied_from": "2012-01-01",
            "notes": ["A note on fees."],
        },
        "notes": ["A note on the run."],
        "told": [],
        "profile": "ideal",
        "contracts": contracts,
        "summary": {},
        "digest": "cd" * 32,
    }
    n_orders = 3 * len(log)
    filled = sum(row["size"] for row in log) / max(n_orders, 1)
    orders = make_orders(n_orders, size=4.0, filled=filled)
    return FakeRun(manifest, path, make_fills(log), orders, make_quotes(n_orders))
