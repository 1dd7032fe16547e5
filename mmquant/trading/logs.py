"""Logs of the local half, drained from the kernels' buffers and turned into tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.dtypes import FILL, INSTRUCTION, ORDER, PATH
from mmquant.core.local import Local
from mmquant.core.orders import FIRST_ENDED
from mmquant.data.contracts import Contract
from mmquant.data.ladders import prices_of
from mmquant.data.mapping import Growing
from mmquant.data.tape import numpy_variable

DTYPES = {"fills": FILL, "orders": ORDER, "instructions": INSTRUCTION, "path": PATH}


BUFFERS = {
    "fills": "fill_log",
    "orders": "order_log",
    "instructions": "instruction_log",
    "path": "path_log",
}
"""The field of the local half in which each log comes."""


class Logs:
    """All that a run logged, in order; on disk where the tape is, whose column ``like`` is."""

    def __init__(self, like: np.ndarray | None = None) -> None:
        self.like = np.zeros(0) if like is None else like
        self._kept = {name: Growing(self.like, dtype) for name, dtype in DTYPES.items()}

    def drain(self, local: Local) -> None:
        """Copy what the buffers hold, and empty them."""
        log = local.log[0]
        for name, field in BUFFERS.items():
            if log[name]:
                self.append(name, getattr(local, field)[: log[name]])
                log[name] = 0

    def finish(self, local: Local) -> None:
        """Copy what the buffers hold, and the orders whose slots were not used again."""
        self.drain(local)
        self._add_last_orders(local)

    def take_over(self, local: Local) -> Local:
        """As ``finish``, but keep the buffers themselves. Returns the local half with others."""
        log = local.log[0]
        fresh: dict[str, Any] = {}
        for name, field in BUFFERS.items():
            if log[name]:
                buffer = getattr(local, field)
                self.append(name, buffer[: log[name]], copy=False)
                fresh[field] = np.zeros(len(buffer), buffer.dtype)
                log[name] = 0
        self._add_last_orders(local)
        return local._replace(**fresh)

    def _add_last_orders(self, local: Local) -> None:
        rest = local.order[local.order["order_id"] != 0]
        if local.log[0]["keep_tables"] and len(rest):
            self.append("orders", rest)

    def append(self, name: str, rows: np.ndarray, *, copy: bool = True) -> None:
        """Add rows to one log; without ``copy`` they may not change any more."""
        self._kept[name].append(rows, copy=copy)

    def rows(self, name: str) -> np.ndarray:
        """One log as a record array."""
        return self._kept[name].column()

    def of(self, name: str, owner: int) -> LogColumns:
        """One log of one set, for a table."""
        return LogColumns(self._kept[name], DTYPES[name], owner)


class NoLogs(Logs):
    """Nothing is kept: the buffers are there for who looks at them at once."""

    def append(self, name: str, rows: np.ndarray, *, copy: bool = True) -> None:
        """Let rows go."""


class LogColumns:
    """A log, column by column: put together as a whole it would stand in memory twice."""

    def __init__(self, kept: Growing, dtype: np.dtype, owner: int) -> None:
        self._kept, self._dtype, self._owner = kept, dtype, owner
        self.sort: np.ndarray | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        column = np.concatenate([np.zeros(0, self._dtype[name]), *self._parts(name)])
        return column if self.sort is None else column[self.sort]

    def growing(self, name: str, like: np.ndarray) -> np.ndarray:
        """A column that stands where ``like`` does: on disk or in memory."""
        column = Growing(like, self._dtype[name])
        for part in self._parts(name):
            column.append(part)
        return column.column()

    def _parts(self, name: str) -> Iterator[np.ndarray]:
        return (part[name][part["set"] == self._owner] for part in self._kept.parts())


def _names(inst: np.ndarray, contracts: Sequence[Contract]) -> dict[str, Any]:
    return {
        "inst": inst,
        "symbol": _texts([c.symbol for c in contracts], inst),
        "venue": _texts([c.venue for c in contracts], inst),
    }


def _texts(values: Sequence[str], inst: np.ndarray) -> pd.Series:
    return pd.Series(np.array(values, object)[inst], dtype="str")


def _prices(
    tick: np.ndarray, inst: np.ndarray, contracts: Sequence[Contract], date: str
) -> np.ndarray:
    out = np.full(len(tick), np.nan)
    for contract in contracts:
        mine = inst == contract.id
        if mine.any():
            out[mine] = prices_of(contract.ladder(date), tick[mine])
    return out


def _units(lots: np.ndarray, inst: np.ndarray, local: Local) -> np.ndarray:
    what = local.instrument[["lot_num", "lot_den"]]
    return np.asarray(lots * what["lot_num"][inst] / what["lot_den"][inst])


def fills_table(logs: Logs, contracts: Sequence[Contract], owner: int = 0) -> pd.DataFrame:
    """Fills of one set, in order of booking."""
    rows = logs.of("fills", owner)
    data = {"timestamp": rows["timestamp"], "exch_ts": rows["exch_ts"]}
    data |= {"order_id": rows["order_id"], **_names(rows["inst"], contracts)}
    for name in ("side", "price", "size", "lots", "liquidity", "fee", "mid"):
        data[name] = rows[name]
    for name in ("spread_capture", "position", "reason"):
        data[name] = rows[name]
    return pd.DataFrame(data)


def orders_table(
    logs: Logs, local: Local, contracts: Sequence[Contract], date: str, owner: int = 0
) -> pd.DataFrame:
    """Orders of one set, in order of submission."""
    rows = logs.of("orders", owner)
    rows.sort = np.argsort(rows["order_id"], kind="stable")
    inst = rows["inst"]
    filled = _units(rows["filled"], inst, local)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = np.where(rows["filled"] > 0, rows["value"] / filled, np.nan)
    ended = rows["state"] >= FIRST_ENDED
    return pd.DataFrame(
        {
            "order_id": rows["order_id"],
            **_names(inst, contracts),
            "side": rows["side"],
            "order_type": rows["order_type"],
            "tif": rows["tif"],
            "price": _prices(rows["tick"], inst, contracts, date),
            "size": _units(rows["lots"], inst, local),
            "status": rows["state"],
            "filled_qty": filled,
            "avg_price": average,
            "submit_time": rows["submit_ts"],
            "ack_time": rows["ack_ts"],
            "cancel_time": np.where(ended, rows["end_ts"], 0),
            "reason": rows["reason"],
            "position": rows["position"],
        },
    )


def quotes_table(
    logs: Logs, local: Local, contracts: Sequence[Contract], date: str, owner: int = 0
) -> pd.DataFrame:
    """Quote instructions of one set, in order."""
    rows = logs.of("instructions", owner)
    inst = rows["inst"]
    price = _prices(rows["tick"], inst, contracts, date)
    about_order = rows["order_id"] != 0
    return pd.DataFrame(
        {
            "timestamp": rows["timestamp"],
            **_names(inst, contracts),
            "action": rows["action"],
            "order_id": rows["order_id"],
            "side": rows["side"],
            "price": np.where(about_order, price, np.nan),
            "size": _units(rows["lots"], inst, local),
            "order_type": rows["order_type"],
            "tif": rows["tif"],
            "reason": rows["reason"],
            "position": rows["position"],
        },
    )


PATH_VARIABLES = (
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
    "fills",
    "open_orders",
    "volume",
)


def path_dataset(logs: Logs, contracts: Sequence[Contract], owner: int = 0) -> xr.Dataset:
    """Step path of one set over (time, inst)."""
    rows, count = logs.of("path", owner), len(contracts)
    time = rows["time"].reshape(-1, count)[:, 0].copy()
    data = {
        name: numpy_variable(("time", "inst"), rows.growing(name, logs.like).reshape(-1, count))
        for name in PATH_VARIABLES
    }
    return xr.Dataset(
        data,
        coords={
            "time": xr.IndexVariable("time", pd.Index(time)),
            "inst": xr.IndexVariable("inst", pd.Index(np.arange(len(contracts), dtype=np.int16))),
            "symbol": numpy_variable("inst", np.array([c.symbol for c in contracts])),
        },
    )
