"""What must hold between the messages of a Binance log, and the rows that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmquant.core.dtypes import NO_ASK, RowKind
from mmquant.data.contracts import Contract, price_to_tick_part
from mmquant.data.readers.binance_log import DIFF, ROW_FIX, SNAPSHOT, TRADE, Event
from mmquant.data.readers.decimals import not_decimal, scaled
from mmquant.data.readers.text_input import Faults
from mmquant.data.screening import time_backwards

MAX_LOTS = 2**31 - 1
GAP_FIX = "take the log from a new depth snapshot on"
TIME_FIX = "sort the lines, or take the log again"
TICK_FIX = "give the option tick the tick size of that contract and date"
LOT_FIX = "give the option lot the size step of that contract and date"
Columns = dict[str, np.ndarray]


@dataclass
class Levels:
    """All levels and trades of the events: exact integers, and the event that each belongs to."""

    event: np.ndarray
    side: np.ndarray
    price: np.ndarray
    price_scale: int
    size: np.ndarray
    size_scale: int


def check_times(events: Sequence[Event], local: Sequence[int], faults: Faults) -> None:
    """Mark lines whose local time, or time in their own stream, runs backwards."""
    good = np.flatnonzero(faults.ok)
    late = good[time_backwards(np.array(local, np.int64)[good])]
    _mark(faults, late, "local time runs backwards", TIME_FIX)
    for kind in (DIFF, TRADE):
        mine = [event for event in events if event.kind == kind and faults.code[event.line] == 0]
        back = time_backwards(np.array([event.ms for event in mine], np.int64))
        lines = np.array([event.line for event in mine], np.int64)[back]
        _mark(faults, lines, "time runs backwards", TIME_FIX)


def check_updates(events: Sequence[Event], faults: Faults) -> int:
    """Mark diffs that do not follow the one before; return the number of gaps."""
    diffs = [e for e in events if e.kind == DIFF and not faults.code[e.line]]
    gaps = 0
    for event in events:
        if event.kind != SNAPSHOT or faults.code[event.line] or not diffs:
            continue
        if diffs[0].first > event.last + 1 and diffs[0].previous > event.last:
            gaps += 1
            what = f"gap between the snapshot ({event.last}) and the first diff ({diffs[0].first})"
            faults.mark_row(max(event.line, diffs[0].line), what, GAP_FIX)
    last = -1
    for event in diffs:
        if last >= 0 and event.last <= last:
            what = f"update {event.last} is out of order: the last was {last}"
            faults.mark_row(event.line, what, ROW_FIX)
            continue
        if last >= 0 and event.previous != last:
            gaps += 1
            what = f"gap in update ids: pu is {event.previous}, the last update was {last}"
            faults.mark_row(event.line, what, GAP_FIX)
        last = event.last
    return gaps


def stale_lines(events: Sequence[Event]) -> set[int]:
    """Lines of diffs that are in order after a snapshot which has all they say already."""
    out = set()
    known = -1
    for event in events:
        if event.kind == SNAPSHOT:
            known = event.last
        elif event.kind == DIFF and event.last < known:
            out.add(event.line)
    return out


def exact_levels(events: Sequence[Event], faults: Faults) -> Levels:
    """Levels of the events as exact integers. Lines with a level that is not are marked."""
    while True:
        texts: list[str] = []
        counts = np.zeros(2 * len(events), np.int64)
        for i, event in enumerate(events):
            if faults.code[event.line] == 0:
                texts += event.bids
                texts += event.asks
                counts[2 * i : 2 * i + 2] = len(event.bids) // 2, len(event.asks) // 2
        block = np.repeat(np.arange(2 * len(events)), counts)
        owner = block // 2
        lines = np.array([event.line for event in events], np.int64)[owner]
        prices, sizes = texts[::2], texts[1::2]
        try:
            levels = Levels(
                owner, (1 - 2 * (block % 2)).astype(np.int8), *scaled(prices), *scaled(sizes)
            )
        except ValueError:
            for name, column in (("price", prices), ("size", sizes)):
                bad = lines[not_decimal(column)]
                _mark(faults, bad, f"a {name} is not a number, or too large", ROW_FIX)
            continue
        trade = np.array([event.kind == TRADE for event in events], bool)[owner]
        _mark(faults, lines[levels.price <= 0], "a price is not positive", ROW_FIX)
        _mark(faults, lines[levels.size < 0], "a size is negative", ROW_FIX)
        _mark(faults, lines[(levels.size == 0) & trade], "a trade has size 0", ROW_FIX)
        return levels


def level_rows(
    levels: Levels, events: Sequence[Event], contract: Contract, date: str, faults: Faults
) -> Columns:
    """Rows (one a level or trade, in the order of the lines) as tape columns and ``event``.

    Lines with a level off the grid are marked.
    """
    kinds = np.array([event.kind for event in events], np.int8)
    lines = np.array([event.line for event in events], np.int64)[levels.event]
    largest = contract.ladder(date).rows()[-1]
    limit = (NO_ASK - 1) * largest[2] * levels.price_scale // largest[3]
    _mark(faults, lines[levels.price >= limit], "a price is beyond the int32 ticks", TICK_FIX)
    use = faults.code[lines] == 0
    price = np.where(use, levels.price, 0)
    tick, part = price_to_tick_part(contract, price, levels.price_scale, date=date)
    kind = kinds[levels.event]
    _mark(faults, lines[(part != 0) & (kind != TRADE)], "a price is off the tick grid", TICK_FIX)
    num, den = contract.lot_fraction()
    common = math.gcd(den, num * levels.size_scale)
    a, b = den // common, num * levels.size_scale // common
    large = np.abs(levels.size) > 2**62 // a
    lots, rest = np.divmod(np.where(large, 0, levels.size) * a, b)
    _mark(faults, lines[rest != 0], "a size is no whole number of lots", LOT_FIX)
    _mark(faults, lines[large | (lots > MAX_LOTS)], "a size is beyond the int32 lots", LOT_FIX)
    keep = faults.code[lines] == 0
    rows = {"event": levels.event, "kind": kind, "side": levels.side, "tick": tick,
            "subtick": part, "size": np.minimum(lots, MAX_LOTS).astype(np.int32)}  # fmt: skip
    return {name: values[keep] for name, values in rows.items()}


def clear_rows(events: Sequence[Event], rows: Columns) -> Columns:
    """Rows that clear each side up to the worst level of a snapshot, in the form of ``rows``."""
    out: dict[str, list[int]] = {name: [] for name in ("event", "side", "tick")}
    for i, event in enumerate(events):
        if event.kind != SNAPSHOT:
            continue
        mine = rows["event"] == i
        for side, pairs in ((1, event.bids), (-1, event.asks)):
            ticks = rows["tick"][mine & (rows["side"] == side)]
            if len(ticks) == 0 and pairs:
                continue
            worst = (
                int((ticks * side).min()) * side if len(ticks) else 0 if side > 0 else NO_ASK - 1
            )
            for name, value in (("event", i), ("side", side), ("tick", worst)):
                out[name].append(value)
    n = len(out["event"])
    columns = {name: np.array(values, rows[name].dtype) for name, values in out.items()}
    return columns | {
        "kind": np.full(n, RowKind.CLEAR, np.int8),
        "subtick": np.zeros(n, np.float32),
        "size": np.zeros(n, np.int32),
    }


def _mark(faults: Faults, lines: np.ndarray, what: str, fix: str) -> None:
    mask = np.zeros(len(faults.code), bool)
    mask[lines] = True
    faults.mark(mask, what, fix)
