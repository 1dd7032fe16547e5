"""Prices and ticks, sizes and lots of a contract: exact, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmquant.data.ladders import prices_of, scaled_prices, ticks_of
from mmquant.errors import DataError

if TYPE_CHECKING:
    from mmquant.data.contracts import Contract


def price_to_tick_part(
    contract: Contract, price: np.ndarray | Sequence[str], scale: int = 1, *, date: str
) -> tuple[np.ndarray, np.ndarray]:
    """Floor tick (int32) and fraction of a step above it (float32, 0 on the grid) of each price.

    Exact. ``price`` is an integer array (price = integer / ``scale``) or decimal strings.
    Readers refuse or quarantine the book rows whose fraction is not 0.
    """
    if not isinstance(price, np.ndarray) or price.dtype.kind not in "iu":
        price, scale = scaled_prices(list(price))
    tick, part = ticks_of(contract.ladder(date), price, scale)
    return tick.astype(np.int32), part


def price_to_tick(
    contract: Contract, price: np.ndarray | Sequence[str], scale: int = 1, *, date: str
) -> np.ndarray:
    """Tick (int32) of each price; see ``price_to_tick_part``. Refuses prices off the grid."""
    tick, part = price_to_tick_part(contract, price, scale, date=date)
    if part.any():
        i = int(np.flatnonzero(part)[0])
        raise DataError(
            f"price {price[i]}{f' / {scale}' if scale != 1 else ''} is off the tick grid",
            where=f"contract {contract.id} {contract.symbol!r}, element {i}",
            fix="give the contract the tick ladder of that venue and date",
        )
    return tick


def tick_to_price(contract: Contract, tick: np.ndarray, *, date: str) -> np.ndarray:
    """Price (float64) of each tick, the double nearest to its decimal. [currency]"""
    return prices_of(contract.ladder(date), tick)


def size_to_lots(contract: Contract, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lots (int64) of sizes in units (float64), and where they are on the lot grid (bool).

    A size is on the grid when it is within a millionth of a lot of a whole number of lots.
    """
    num, den = contract.lot_fraction()
    size = np.asarray(size, np.float64)
    sane = np.abs(size) < 1e15
    exact = np.where(sane, size, 0.0) * den / num
    lots = np.round(exact)
    good = sane & (np.abs(exact) < 2**53) & (np.abs(exact - lots) <= 1e-6)
    return np.where(good, lots, 0).astype(np.int64), good


def lots_to_size(contract: Contract, lots: np.ndarray) -> np.ndarray:
    """Sizes in units (float64) of whole lots, by one division."""
    num, den = contract.lot_fraction()
    return np.asarray(lots, np.int64) * num / den
