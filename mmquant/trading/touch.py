"""Best prices and market orders of a tape, instrument by instrument, on the exchange's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mmquant.core.book import grow_book, make_book
from mmquant.core.touch_scan import (
    BEYOND,
    INSIDE,
    MARKET_ORDER,
    PACKET,
    TOUCH,
    make_scan,
    scan_touch,
)
from mmquant.data.contracts import Contract, instrument_rows
from mmquant.data.crossing import kernel_columns
from mmquant.trading.run_tables import Bools, Floats, Ints

SCAN_COLUMNS = ("exch_ts", "kind", "side", "tick", "subtick", "size", "inst")


@dataclass(frozen=True)
class Touch:
    """What one instrument showed and who traded with it.

    ``touches`` are TOUCH rows, ``orders`` MARKET_ORDER rows (see `core.touch_scan`), both in order
    of time; ``last_ts`` is the time of the tape's last row [ns], and ``unsided`` and
    ``unsided_lots`` count trades of unknown aggressor, which are no market orders.
    """

    touches: np.ndarray
    orders: np.ndarray
    last_ts: int
    unsided: int
    unsided_lots: int

    @property
    def mid(self) -> Floats:
        """Mid of each touch, NaN where it is not two-sided."""
        return np.asarray(0.5 * (self.touches["bid"] + self.touches["ask"]))

    @property
    def seconds(self) -> Floats:
        """How long each touch stood. [s]"""
        ends = np.append(self.touches["ts"][1:], self.last_ts)
        return np.asarray((ends[: len(self.touches)] - self.touches["ts"]) / 1e9)

    def mid_at(self, times: Ints) -> Floats:
        """Mid at each time [ns]; NaN past the last row, before the first, or not two-sided."""
        step = np.searchsorted(self.touches["ts"], times, side="right") - 1
        known = (step >= 0) & (times <= self.last_ts)
        found = np.full(len(times), np.nan)
        found[known] = self.mid[step[known]]
        return found


def touches_of(tape: xr.Dataset, contracts: Sequence[Contract]) -> list[Touch]:
    """The touches and market orders of each instrument of a tape, by id."""
    columns = kernel_columns({name: tape[name].values for name in SCAN_COLUMNS}, SCAN_COLUMNS)
    n, m = len(columns[0]), len(contracts)
    instrument = instrument_rows(contracts, tape.attrs["date"])
    touches, orders = np.empty(n, TOUCH), np.empty(n, MARKET_ORDER)
    scan, packet, members = make_scan(m), np.zeros(1, PACKET), np.zeros(m, np.int64)
    book, at = make_book(m), 0
    while True:
        at = scan_touch(book, instrument, *columns, at, scan, packet, members, touches, orders)
        if at >= n:
            break
        book = grow_book(book)
    last = int(columns[0][-1]) if n else 0
    each = zip(
        _by_inst(touches[: packet[0]["touches"]], m),
        _by_inst(orders[: packet[0]["orders"]], m),
        scan,
        strict=True,
    )
    return [
        Touch(shown, met, last, int(one["unsided"]), int(one["unsided_lots"]))
        for shown, met, one in each
    ]


def _by_inst(rows: np.ndarray, instruments: int) -> list[np.ndarray]:
    """Rows split by instrument, each in its old order."""
    if instruments == 1:
        return [rows.copy()]
    order = np.argsort(rows["inst"], kind="stable")
    ends = np.cumsum(np.bincount(rows["inst"], minlength=instruments))
    return np.split(rows[order], ends[:-1])


@dataclass(frozen=True)
class Joined:
    """Fills of one unit at the best price, joined before each market order that reached it.

    All of shape (n,): time [ns], own side (+1 bought), price, mid before, and whether the order
    took all that was shown, so that a unit at the end of the queue was filled too.
    """

    ts: Ints
    side: Floats
    price: Floats
    mid: Floats
    whole: Bools

    def __len__(self) -> int:
        return len(self.ts)

    def of(self, chosen: Bools) -> Joined:
        """Some of the fills."""
        return Joined(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def is_blind(orders: np.ndarray) -> Bools:
    """Market orders before which the book was not two-sided."""
    return np.asarray(np.isnan(orders["bid"]) | np.isnan(orders["ask"]))


def joined(touch: Touch) -> Joined:
    """What joining both best prices would have been filled with."""
    chosen = (touch.orders["reach"] != INSIDE) & ~is_blind(touch.orders)
    orders = touch.orders[chosen]
    return Joined(
        ts=orders["ts"],
        side=-orders["side"].astype(np.float64),
        price=np.where(orders["side"] > 0, orders["ask"], orders["bid"]),
        mid=0.5 * (orders["bid"] + orders["ask"]),
        whole=(orders["reach"] == BEYOND) | (orders["at_best"] >= orders["shown"]),
    )
