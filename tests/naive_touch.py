"""Best prices and market orders of a tape by dicts and lists, and random rows to try them on."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import RowKind
from mmquant.core.touch_scan import AT_BEST, BEYOND, INSIDE
from tests.naive_book import Book
from tests.random_rows import random_rows

DEPTH, TRADE, CLEAR = int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.CLEAR)
SNAPSHOT, STATUS = int(RowKind.SNAPSHOT), int(RowKind.STATUS)
COLUMNS = {
    "exch_ts": np.int64,
    "kind": np.int8,
    "side": np.int8,
    "tick": np.int32,
    "subtick": np.float32,
    "size": np.int32,
    "inst": np.int16,
}


def price(tick: int | None) -> float:
    if tick is None:
        return math.nan
    return (tick if tick < 1010 else 1010 + 5 * (tick - 1010)) / 100


def naive(columns: dict[str, np.ndarray], n_inst: int) -> tuple[list[tuple], list[tuple], list]:
    """The same: packets one after the other, and all of a packet collected before it is judged."""
    rows = list(zip(*(columns[name].tolist() for name in COLUMNS), strict=True))
    books = [Book() for _ in range(n_inst)]
    best: list[dict[int, int | None]] = [{1: None, -1: None} for _ in range(n_inst)]
    halted, unsided = [0] * n_inst, [[0, 0] for _ in range(n_inst)]
    touches, orders = [], []
    for ts in sorted({row[0] for row in rows}):
        packet = [row for row in rows if row[0] == ts]
        shown = {
            (m, s): books[m].lots(s, best[m][s]) if best[m][s] is not None else 0
            for m in range(n_inst)
            for s in (1, -1)
        }
        trades: dict[tuple[int, int], list[tuple[float, int]]] = {}
        for _, kind, side, tick, subtick, size, m in packet:
            if kind in (DEPTH, SNAPSHOT):
                books[m].set(side, tick, size)
            elif kind == CLEAR:
                books[m].clear(side, tick)
            elif kind == STATUS:
                halted[m] = size
            elif side == 0:
                unsided[m][0] += 1
                unsided[m][1] += size
            else:
                trades.setdefault((m, side), []).append((tick + subtick, size))
        hit = set()
        for (m, side), prints in trades.items():
            passive = best[m][-side]
            past = [side * (at - passive) for at, _ in prints] if passive is not None else [-1.0]
            reach = BEYOND if max(past) > 0 else AT_BEST if max(past) == 0 else INSIDE
            at_best = sum(q for (_, q), p in zip(prints, past, strict=False) if p == 0.0)
            lots = sum(q for _, q in prints)
            both = (price(best[m][1]), price(best[m][-1]))
            orders.append((ts, m, side, *both, lots, at_best, shown[m, -side], reach))
            if reach != INSIDE:
                hit.add((m, -side))
        for m in dict.fromkeys(row[6] for row in packet):
            now = {s: None if halted[m] else books[m].best[s] for s in (1, -1)}
            messages = sum(now[s] != best[m][s] or (m, s) in hit for s in (1, -1))
            best[m] = now
            if messages:
                known = now[1] is not None and now[-1] is not None
                ticks = now[-1] - now[1] if known else 0
                touches.append((ts, m, price(now[1]), price(now[-1]), ticks, messages))
    return touches, orders, unsided


def random_market(seed: int, rows: int, n_inst: int) -> dict[str, np.ndarray]:
    """Rows of all kinds, two clocks in ten equal, trades between ticks and of unknown side."""
    rng = np.random.default_rng(seed)
    columns = random_rows(rows, seed, clears=True, wide=True)
    columns["inst"] = rng.integers(0, n_inst, rows).astype(np.int16)
    columns["subtick"] = np.zeros(rows, np.float32)
    trade = columns["kind"] == TRADE
    columns["subtick"][trade] = rng.choice([0.0, 0.0, 0.5], int(trade.sum()))
    columns["side"][trade & (rng.random(rows) < 0.1)] = 0
    status = (columns["kind"] == DEPTH) & (rng.random(rows) < 0.02)
    columns["kind"][status], columns["side"][status] = STATUS, 0
    columns["size"][status] = rng.choice([0, 0, 0, 1, 2], int(status.sum()))
    return columns
