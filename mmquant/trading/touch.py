"""Best prices and market orders of a tape, instrument by instrument, on the exchange's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from mmquant.data.mapping import Growing, packets, pieces
from mmquant.trading.run_tables import Bools, Floats, Ints

SCAN_COLUMNS = ("exch_ts", "kind", "side", "tick", "subtick", "size", "inst")


@dataclass(frozen=True)
class Touch:
    """What one instrument showed and who traded with it.

    ``touches`` are TOUCH rows, ``orders`` MARKET_ORDER rows (see `core.touch_scan`), both in order
    of time; ``ts`` and ``mid`` are time [ns] and mid of each touch, NaN where it is not two-sided;
    ``last_ts`` is the time of the tape's last row [ns], and ``unsided`` and ``unsided_lots`` count
    trades of unknown aggressor, which are no market orders. Of a mapped tape these are maps too.
    """

    touches: np.ndarray
    orders: np.ndarray
    ts: Ints
    mid: Floats
    last_ts: int
    unsided: int
    unsided_lots: int

    def seconds(self, rows: slice) -> Floats:
        """How long each of some touches stood. [s]"""
        ends = self.ts[rows.start + 1 : rows.stop + 1]
        if rows.stop >= len(self.ts):
            ends = np.append(ends, self.last_ts)
        return np.asarray((ends - self.ts[rows]) / 1e9)

    def mid_at(self, times: Ints) -> Floats:
        """Mid at each time [ns]; NaN past the last row, before the first, or not two-sided."""
        step = np.searchsorted(self.ts, times, side="right") - 1
        known = (step >= 0) & (times <= self.last_ts)
        found = np.full(len(times), np.nan)
        found[known] = self.mid[step[known]]
        return found


def touches_of(tape: xr.Dataset, contracts: Sequence[Contract]) -> list[Touch]:
    """The touches and market orders of each instrument of a tape, by id."""
    columns = kernel_columns({name: tape[name].values for name in SCAN_COLUMNS}, SCAN_COLUMNS)
    n, m = len(columns[0]), len(contracts)
    instrument = instrument_rows(contracts, tape.attrs["date"])
    scan, packet, members = make_scan(m), np.zeros(1, PACKET), np.zeros(m, np.int64)
    kinds = (TOUCH, MARKET_ORDER, np.int64, np.float64)
    found = [[Growing(columns[0], kind) for kind in kinds] for _ in contracts]
    touches, orders = np.empty(0, TOUCH), np.empty(0, MARKET_ORDER)
    book = make_book(m)
    for rows in packets(columns[0], columns[1:]):
        some, at = [values[rows] for values in columns], 0
        if len(touches) < len(some[0]):
            touches, orders = np.empty(len(some[0]), TOUCH), np.empty(len(some[0]), MARKET_ORDER)
        packet["touches"] = packet["orders"] = 0
        while True:
            at = scan_touch(book, instrument, *some, at, scan, packet, members, touches, orders)
            if at >= len(some[0]):
                break
            book = grow_book(book)
        shown = _by_inst(touches[: packet[0]["touches"]], m)
        for kept, new, met in zip(
            found, shown, _by_inst(orders[: packet[0]["orders"]], m), strict=True
        ):
            parts = (new, met, new["ts"], 0.5 * (new["bid"] + new["ask"]))
            for column, values in zip(kept, parts, strict=True):
                column.append(values)
    last = int(columns[0][-1]) if n else 0
    made = []
    for kept, one in zip(found, scan, strict=True):
        seen, met, ts, mid = (column.column() for column in kept)
        made.append(Touch(seen, met, ts, mid, last, int(one["unsided"]), int(one["unsided_lots"])))
    return made


def _by_inst(rows: np.ndarray, instruments: int) -> list[np.ndarray]:
    """Rows split by instrument, each in its old order."""
    if instruments == 1:
        return [rows]
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

    def of(self, chosen: Bools | slice) -> Joined:
        """Some of the fills."""
        return Joined(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def parts(self) -> Iterator[Joined]:
        """All of the fills, piece by piece."""
        columns = [getattr(self, name) for name in self.__dataclass_fields__]
        return (self.of(rows) for rows in pieces(columns))


def is_blind(orders: np.ndarray) -> Bools:
    """Market orders before which the book was not two-sided."""
    return np.asarray(np.isnan(orders["bid"]) | np.isnan(orders["ask"]))


def joined(touch: Touch) -> Joined:
    """What joining both best prices would have been filled with."""
    kinds = (np.int64, np.float64, np.float64, np.float64, np.bool_)
    columns = [Growing(touch.orders, kind) for kind in kinds]
    for rows in pieces([touch.orders]):
        orders = touch.orders[rows]
        orders = orders[(orders["reach"] != INSIDE) & ~is_blind(orders)]
        values = (
            orders["ts"],
            -orders["side"].astype(np.float64),
            np.where(orders["side"] > 0, orders["ask"], orders["bid"]),
            0.5 * (orders["bid"] + orders["ask"]),
            (orders["reach"] == BEYOND) | (orders["at_best"] >= orders["shown"]),
        )
        for column, some in zip(columns, values, strict=True):
            column.append(some)
    return Joined(*(column.column() for column in columns))
