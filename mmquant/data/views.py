"""A tape as tables for people: trades, and book levels at points in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.book import Book, grow_book, make_book, top_levels
from mmquant.core.book_scan import apply_rows
from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract, lots_to_size, tick_to_price
from mmquant.data.crossing import BOOK_COLUMNS, kernel_columns
from mmquant.data.tape import contracts_of
from mmquant.errors import UsageError


def trade_events(tape: xr.Dataset) -> pd.DataFrame:
    """The trades of a tape (schema ``trades``), in its order."""
    rows = tape.isel(event=np.flatnonzero(tape["kind"].values == RowKind.TRADE))
    inst, contracts = rows["inst"].values, contracts_of(tape)
    price, size = np.zeros(len(inst)), np.zeros(len(inst))
    for contract in contracts:
        mine = inst == contract.id
        tick, date = rows["tick"].values[mine].astype(np.int64), tape.attrs["date"]
        low = tick_to_price(contract, tick, date=date)
        high = tick_to_price(contract, tick + 1, date=date)
        part = rows["subtick"].values[mine].astype(np.float64)
        price[mine] = np.where(part > 0, low + part * (high - low), low)
        size[mine] = lots_to_size(contract, rows["size"].values[mine])
    return pd.DataFrame(
        {
            "timestamp": rows["exch_ts"].values,
            "price": price,
            "size": size,
            "side": rows["side"].values,
            **_names(inst, contracts),
        }
    )


def book_levels(tape: xr.Dataset, times: Sequence[int], *, levels: int = 5) -> pd.DataFrame:
    """The best levels of both sides at each time (schema ``book_levels``), best first.

    ``times`` are exchange times, not falling [ns]; a state holds all rows up to and with that
    time. Raises UsageError where times fall, or the tape is not L2.
    """
    wanted = np.asarray(times, np.int64)
    if (np.diff(wanted) < 0).any() or levels < 1:
        raise UsageError("times fall, or levels is not positive", fix="sort times")
    if tape.attrs["level"] != "L2":
        raise UsageError(f"the tape is {tape.attrs['level']}, not L2", fix="use an L2 tape")
    contracts = contracts_of(tape)
    columns = kernel_columns({name: tape[name].values for name in BOOK_COLUMNS}, BOOK_COLUMNS)
    stops = np.searchsorted(tape["exch_ts"].values, wanted, side="right")
    book, at, parts = make_book(len(contracts)), 0, []
    for time, stop in zip(wanted, stops, strict=True):
        while (at := apply_rows(book, *columns, at, int(stop))) < stop:
            book = grow_book(book)
        parts += [_state(book, contract, int(time), levels) for contract in contracts]
    state = np.concatenate([np.zeros((6, 0), np.int64), *parts], axis=1)
    return _frame(state, contracts, tape.attrs["date"])


def _state(book: Book, contract: Contract, time: int, levels: int) -> np.ndarray:
    """Columns (6, n) of the levels there are: time, inst, side, place, tick, lots."""
    tops = np.zeros((4, levels), np.int64)
    top_levels(book, contract.id, tops.shape[1], tops[0], tops[1], tops[2], tops[3])
    place = np.arange(1, levels + 1)
    same = np.full(levels, time), np.full(levels, contract.id)
    sides = [
        np.stack([*same, np.full(levels, side), place, tops[i], tops[i + 1]])
        for side, i in ((1, 0), (-1, 2))
    ]
    state = np.concatenate(sides, axis=1)
    return state[:, state[5] > 0]


def _frame(state: np.ndarray, contracts: Sequence[Contract], date: str) -> pd.DataFrame:
    time, inst, side, place, tick, lots = state
    price, size = np.zeros(len(time)), np.zeros(len(time))
    for contract in contracts:
        mine = inst == contract.id
        price[mine] = tick_to_price(contract, tick[mine], date=date)
        size[mine] = lots_to_size(contract, lots[mine])
    names = _names(inst.astype(np.int16), contracts)
    return pd.DataFrame(
        {
            "timestamp": time,
            "symbol": names["symbol"],
            "side": side.astype(np.int8),
            "price": price,
            "size": size,
            "level": place.astype(np.int16),
            "inst": names["inst"],
            "venue": names["venue"],
        }
    )


def _names(inst: np.ndarray, contracts: Sequence[Contract]) -> dict[str, object]:
    venues = [contracts[i].venue for i in inst]
    symbols = [contracts[i].symbol for i in inst]
    return {
        "venue": pd.Series(venues, dtype="str"),
        "symbol": pd.Series(symbols, dtype="str"),
        "inst": inst,
    }
