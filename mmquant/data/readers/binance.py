"""Binance futures: raw websocket logs, ``<local ns> <json>`` a line, plain or gzip.

One REST depth snapshot, depth diffs and trades make rows; bookTicker messages are counted and make
none, because they repeat the diffs ahead of time. All rows are in order of the venue's transaction
time (T), and in the order of the lines within one millisecond: the venue sends a trade before the
diff that it causes.

The local clock of such a log can be anything: behind the exchange's, or too jittery to order its
messages. By default the tape therefore says local_ts = exch_ts + ``feed_latency_ns``. With
``clock="recorded"`` local_ts is the recorded time; if some latency would then be below 1 ns, all
are shifted so that the smallest is ``feed_latency_ns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from mmquant.data.contracts import Contract
from mmquant.data.crossing import CROSSED_FIX, crossed_rows
from mmquant.data.files import existing, file_digest
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import PathLike
from mmquant.data.readers.binance_log import SNAPSHOT, TRADE, Event, Log, parse_log
from mmquant.data.readers.binance_rules import (
    Columns,
    Levels,
    check_times,
    check_updates,
    clear_rows,
    exact_levels,
    level_rows,
    stale_lines,
)
from mmquant.data.readers.decimals import grid_of
from mmquant.data.readers.parquet import one_path
from mmquant.data.readers.text_input import COPY_FIX, Faults, TextInput, refuse_damage, text_input
from mmquant.data.tape import make_tape
from mmquant.errors import UsageError

FEED_LATENCY_NS = 500_000
"""Latency of the default clock: half of the venue's time step, which is 1 ms. [ns]"""
STRAY = 0.001
"""Share of prices that may be wrong without changing the tick size that is found."""
CLOCKS = ("constant", "recorded")
MS = 10**6


def read(
    path: PathLike,
    *,
    lenient: bool = False,
    symbol: str | None = None,
    tick: str | None = None,
    lot: str | None = None,
    date: str | None = None,
    venue: str = "BINANCE",
    clock: str = "constant",
    feed_latency_ns: int = FEED_LATENCY_NS,
) -> xr.Dataset:
    """Read a raw log as an L2 tape with one instrument.

    Parameters
    ----------
    path : the log, plain or gzip.
    lenient : set bad lines aside (``quality.quarantine_of``) in place of an error.
    symbol : needed where the log has several.
    tick, lot : tick size [currency] and size step [units], decimal strings; by default the largest
        powers of ten that the prices of the book (but for one in 1,000), and all sizes, are
        multiples of.
    date : ISO date; by default that of the first message, UTC.
    clock : "constant" or "recorded", see above.
    feed_latency_ns : see above, at least 1. [ns]

    Notes
    -----
    A snapshot makes a CLEAR row of each side up to its worst level, then SNAPSHOT rows. A diff
    whose ``pu`` is not the ``u`` of the diff before is an error (a gap).

    Raises
    ------
    DataError
        naming file, row (line), what is wrong and the fix.
    """
    if clock not in CLOCKS or int(feed_latency_ns) < 1:
        raise UsageError(
            f"clock {clock!r} with feed_latency_ns {feed_latency_ns} cannot be",
            fix=f"use clock {' or '.join(CLOCKS)} and a latency of at least 1 ns",
        )
    file = existing(one_path(path))
    q = Quarantine(file, lenient)
    text = refuse_damage(text_input(file, file.read_bytes()), q)
    if not text.data.strip():
        q.fail("the file has no rows", fix=COPY_FIX)
    log, faults = parse_log(text)
    events = _of_symbol(log, q, symbol)
    check_times(events, log.local, faults)
    levels = exact_levels(events, faults)
    gaps = check_updates(events, faults)
    contract, found = _contract(events, levels, symbol, tick, lot, venue)
    start = min((e.ms for e in events if not faults.code[e.line]), default=0)
    day = str(date or datetime.fromtimestamp(start / 1000, UTC).date())
    rows = level_rows(levels, events, contract, day, faults)
    faults.report(q, text)
    rows, stale = _in_order(events, rows, faults)
    if not len(rows["kind"]):
        q.fail("the log has no depth and no trade message", fix="give a log with depth diffs")
    rows, crossings = _uncrossed(events, rows, q, text)
    local, measured = _local_times(events, rows, clock, int(feed_latency_ns))
    counts = log.counts | measured | {
        "lines": len(log.local), "update_gaps": gaps, "stale_diffs": stale,
        "snapshots": sum(e.kind == SNAPSHOT for e in events), **crossings,
    }  # fmt: skip
    columns = {name: values for name, values in rows.items() if name != "event"}
    tape = make_tape(
        columns | {"local_ts": local},
        [contract],
        source={"format": "binance", "files": [file_digest(file)]},
        date=day,
        notes=_notes(log, counts, contract, found, clock, int(feed_latency_ns)),
        counts=counts,
    )
    return q.attach(tape)


def _of_symbol(log: Log, q: Quarantine, symbol: str | None) -> list[Event]:
    """The events of one symbol. A snapshot without a symbol is of the only one."""
    symbols = sorted({event.symbol for event in log.events if event.symbol})
    if symbol is not None and symbol not in symbols:
        q.fail(
            f"the log has no messages of {symbol!r}",
            fix=f"use one of {', '.join(symbols[:8])}" if symbols else "give another log",
        )
    if symbol is None and len(symbols) > 1:
        raise UsageError(
            f"the log has {len(symbols)} symbols: {', '.join(symbols[:8])}",
            where=q.path,
            fix="choose one by the option symbol",
        )
    mine = [e for e in log.events if e.symbol in ("", symbol or "".join(symbols))]
    log.counts["other_symbols"] = len(log.events) - len(mine)
    return mine


def _contract(
    events: Sequence[Event],
    levels: Levels,
    symbol: str | None,
    tick: str | None,
    lot: str | None,
    venue: str,
) -> tuple[Contract, list[str]]:
    """The contract, and which of its grids were found from the numbers."""
    found = [name for name, given in (("tick", tick), ("lot", lot)) if given is None]
    trade = np.array([event.kind == TRADE for event in events], bool)[levels.event]
    book = levels.price[~trade] if not trade.all() else levels.price
    symbol = symbol or next((e.symbol for e in events if e.symbol), "UNKNOWN")
    currency = next((c for c in ("USDT", "USDC", "BUSD") if symbol.endswith(c)), "USD")
    contract = Contract.simple(
        0,
        symbol,
        tick=str(tick) if tick is not None else grid_of(book, levels.price_scale, stray=STRAY),
        lot=str(lot) if lot is not None else grid_of(levels.size, levels.size_scale),
        kind="crypto_perp",
        venue=venue,
        currency=currency,
    )
    return contract, found


def _in_order(events: Sequence[Event], rows: Columns, faults: Faults) -> tuple[Columns, int]:
    """All rows with their clears, by transaction time and then by line, and the stale diffs."""
    order = np.argsort([event.ms for event in events], kind="stable")
    stale = stale_lines([events[i] for i in order if not faults.code[events[i].line]])
    clears = clear_rows(events, rows)
    rows = {name: np.concatenate([clears[name], values]) for name, values in rows.items()}
    place = np.empty(len(events), np.int64)
    place[order] = np.arange(len(events))
    keep = ~np.isin(np.array([e.line for e in events], np.int64)[rows["event"]], list(stale))
    rows = {name: values[keep] for name, values in rows.items()}
    by = np.lexsort((-rows["side"].astype(np.int8), place[rows["event"]]))
    rows = {name: values[by] for name, values in rows.items()}
    rows["exch_ts"] = np.array([event.ms * MS for event in events], np.int64)[rows["event"]]
    return rows, len(stale)


def _uncrossed(
    events: Sequence[Event], rows: Columns, q: Quarantine, text: TextInput
) -> tuple[Columns, dict[str, int]]:
    """The rows without those that leave the book crossed, which go to ``q``."""
    inst = {"inst": np.zeros(len(rows["kind"]), np.int16)}
    bad, crossings = crossed_rows(rows | inst, 1)
    line = np.array([event.line + 1 for event in events], np.int64)[rows["event"]]
    keep = q.bad(
        bad, "the book is crossed", line, fix=CROSSED_FIX, text=lambda i: text.line(int(line[i]))
    )
    if keep.all():
        return rows, crossings
    return {name: values[keep] for name, values in rows.items()}, crossings


def _local_times(
    events: Sequence[Event], rows: Columns, clock: str, latency: int
) -> tuple[np.ndarray, dict[str, int]]:
    """local_ts of each row, and what the recorded clock shows. [ns]"""
    lag = np.array([e.local - e.ms * MS for e in events], np.int64)[rows["event"]]
    smallest = int(lag.min())
    shift = latency - smallest if smallest < 1 else 0
    measured = {
        "clock_shift_ns": shift,
        "median_latency_ns": int(np.median(lag)) + shift,
        "largest_latency_ns": int(lag.max()) + shift,
    }
    recorded = rows["exch_ts"] + lag + shift
    return recorded if clock == "recorded" else rows["exch_ts"] + latency, measured


def _notes(
    log: Log,
    counts: dict[str, int],
    contract: Contract,
    found: list[str],
    clock: str,
    latency: int,
) -> list[str]:
    notes = [f"{counts['book_tickers']} bookTicker messages make no rows."]
    if clock == "constant":
        notes.append(f"local_ts is exch_ts + {latency} ns; the recorded clock is not used.")
    elif counts["clock_shift_ns"]:
        notes.append(
            f"The local clock was behind the exchange's: local_ts is the recorded time + "
            f"{counts['clock_shift_ns']} ns, so that the smallest latency is {latency} ns."
        )
    grids = {"tick": contract.ladders[0].steps[0].tick, "lot": contract.lot}
    notes += [f"The {name} size {grids[name]} was found from the numbers." for name in found]
    if log.others:
        names = ", ".join(sorted(log.others)[:8])
        notes.append(f"{counts['other_messages']} messages of other kinds make no rows: {names}.")
    if counts.get("other_trades"):
        notes.append(f"{counts['other_trades']} trades outside the market make no rows.")
    if not counts["snapshots"]:
        notes.append("There is no depth snapshot: levels are unknown until they change.")
    return notes
