"""What one part of a report is about: one instrument of a run, or all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.errors import UsageError
from mmquant.trading.run_tables import Multipliers, inst_ids, path_times

DEFAULT_DECIMALS = 4


class RunLike(Protocol):
    """A run's tables, as a saved or a fresh run has them."""

    @property
    def manifest(self) -> dict[str, Any]: ...
    @property
    def path(self) -> xr.Dataset: ...
    @property
    def fills(self) -> pd.DataFrame: ...
    @property
    def orders(self) -> pd.DataFrame: ...
    @property
    def quotes(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class Scope:
    """One instrument's share of the tables, or the whole of them.

    ``inst`` is the instrument id, None for a total over several. ``decimals`` is how many a price
    is written with, ``limit`` the position limit [units] or None.
    """

    key: str
    title: str
    inst: int | None
    path: xr.Dataset
    fills: pd.DataFrame
    orders: pd.DataFrame
    quotes: pd.DataFrame
    multipliers: Multipliers | None
    currency: str
    decimals: int
    limit: float | None
    contract: Mapping[str, Any]

    @property
    def times(self) -> np.ndarray:
        """Times of the steps. [ns]"""
        return path_times(self.path)

    @property
    def x(self) -> np.ndarray:
        """Times of the steps for a chart. [ms since the epoch]"""
        return epoch_ms(self.times)

    @property
    def single(self) -> bool:
        """Whether this is one instrument, with a price and a position."""
        return self.path.sizes["inst"] == 1

    def series(self, name: str) -> np.ndarray:
        """A path variable, summed over instruments, shape (time,)."""
        values = self.path[name].transpose("time", "inst").values.astype(np.float64)
        return values[:, 0] if values.shape[1] == 1 else values.sum(axis=1)


def epoch_ms(times: np.ndarray) -> np.ndarray:
    """Nanoseconds as milliseconds, which charts count in."""
    return times.astype(np.int64) / 1e6


def scope_of(run: RunLike, inst: int | None = None) -> Scope:
    """The scope of an instrument id; without one, the whole run.

    Raises UsageError where the run has no such instrument.
    """
    ids = [int(i) for i in inst_ids(run.path)]
    if inst is None and len(ids) == 1:
        inst = ids[0]
    if inst is None:
        return _total(run)
    if inst not in ids:
        raise UsageError(
            f"the run has no instrument {inst}", fix=f"use one of {', '.join(map(str, ids))}"
        )
    contract = contracts_by_id(run).get(inst, {})
    return Scope(
        key=f"inst{inst}",
        title=symbol_of(run, inst),
        inst=inst,
        path=run.path.isel(inst=[ids.index(inst)]).assign_coords(inst=[inst]),
        fills=_rows_of(run.fills, inst),
        orders=_rows_of(run.orders, inst),
        quotes=_rows_of(run.quotes, inst),
        multipliers=_multipliers(run),
        currency=str(contract.get("currency", "ccy")),
        decimals=_decimals(contract),
        limit=_position_limit(run, contract),
        contract=contract,
    )


def _total(run: RunLike) -> Scope:
    currencies = {str(c.get("currency", "ccy")) for c in contracts_by_id(run).values()}
    return Scope(
        key="total",
        title="All instruments",
        inst=None,
        path=run.path,
        fills=run.fills,
        orders=run.orders,
        quotes=run.quotes,
        multipliers=_multipliers(run),
        currency=currencies.pop() if len(currencies) == 1 else "mixed ccy",
        decimals=DEFAULT_DECIMALS,
        limit=None,
        contract={},
    )


def scopes_of(run: RunLike) -> list[Scope]:
    """The total in front where there are several instruments, then each of them."""
    ids = [int(i) for i in inst_ids(run.path)]
    each = [scope_of(run, i) for i in ids]
    return each if len(ids) == 1 else [_total(run), *each]


def contracts_by_id(run: RunLike) -> dict[int, Mapping[str, Any]]:
    """The manifest's contracts; empty where it has none."""
    return {int(c["id"]): c for c in run.manifest.get("contracts") or [] if "id" in c}


def symbol_of(run: RunLike, inst: int) -> str:
    """Symbol of an instrument id, "instrument 3" where nothing names it."""
    contract = contracts_by_id(run).get(inst, {})
    if contract.get("symbol"):
        return str(contract["symbol"])
    if "symbol" in run.path.coords:
        place = int(np.flatnonzero(inst_ids(run.path) == inst)[0])
        return str(np.atleast_1d(run.path["symbol"].values)[place])
    return f"instrument {inst}"


def _multipliers(run: RunLike) -> Multipliers | None:
    contracts = contracts_by_id(run)
    return {i: float(c.get("multiplier", 1.0)) for i, c in contracts.items()} or None


def _rows_of(table: pd.DataFrame, inst: int) -> pd.DataFrame:
    if len(table) == 0 or "inst" not in table:
        return table
    return table[table["inst"].to_numpy() == inst].reset_index(drop=True)


def _decimals(contract: Mapping[str, Any]) -> int:
    """Decimals of the finest tick that the contract has had."""
    steps = [step for ladder in contract.get("ladders") or [] for step in ladder["steps"]]
    exponents = [Decimal(str(s["tick"])).normalize().as_tuple().exponent for s in steps]
    return max((max(0, -int(e)) for e in exponents), default=DEFAULT_DECIMALS)


def _position_limit(run: RunLike, contract: Mapping[str, Any]) -> float | None:
    """The configured position limit in units, from ``limits.max_position_lots``."""
    limits = (run.manifest.get("config") or {}).get("limits") or {}
    lots = limits.get("max_position_lots")
    return None if lots is None else float(lots * Fraction(str(contract.get("lot", "1"))))
