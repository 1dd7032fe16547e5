"""Best prices and sizes of a tape against a book of plain dicts, and the flow between them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mmquant.core.book import make_book
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import DISABLED
from mmquant.core.quote_scan import QUOTED, scan_flow, scan_quotes
from tests.naive_book import Book
from tests.oracles.signals import side_flow
from tests.random_rows import random_rows

NOTHING = (NO_BID, NO_ASK, 0, 0)
NAMES = ("exch_ts", "kind", "side", "tick", "size", "inst")


def market(seed: int, rows: int = 3_000) -> dict[str, np.ndarray]:
    """Two instruments on one tape, with clears, halts and levels far away."""
    parts = [random_rows(rows, seed + i, clears=True, wide=True, mean_lots=3) for i in range(2)]
    start = parts[0]["exch_ts"][0]
    for i, part in enumerate(parts):
        part["exch_ts"] += start - part["exch_ts"][0]
        part["inst"] = np.full(rows, i, np.int16)
    data = {name: np.concatenate([part[name] for part in parts]) for name in NAMES}
    order = np.argsort(data["exch_ts"], kind="stable")
    data = {name: np.ascontiguousarray(values[order]) for name, values in data.items()}
    rng = np.random.default_rng(seed)
    for inst in range(2):
        mine = np.flatnonzero(data["inst"] == inst)
        begin = rng.choice(rows - 40, 6, replace=False)
        for code, at in ((0, begin + 40), (1, begin), (2, begin + 20)):
            data["kind"][mine[at]] = RowKind.STATUS
            data["size"][mine[at]] = code
    return data


def scan(data: dict[str, np.ndarray], wanted: int, *, far: int = 1 << 13) -> list[tuple] | None:
    rows = np.zeros(len(np.unique(data["exch_ts"])), QUOTED)
    book = make_book(1, window=1 << 6, far=far)
    n = scan_quotes(book, *(data[name] for name in NAMES), wanted, rows)
    return None if n < 0 else rows[:n].tolist()


def naive(data: dict[str, np.ndarray], wanted: int) -> list[tuple]:
    book, halted, out = Book(), False, [(0, None, None, None, None)]
    mine = np.flatnonzero(data["inst"] == wanted).tolist()
    for at, i in enumerate(mine):
        kind, side = int(data["kind"][i]), int(data["side"][i])
        tick, size = int(data["tick"][i]), int(data["size"][i])
        if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
            book.set(side, tick, size)
        elif kind == RowKind.CLEAR:
            book.clear(side, tick)
        elif kind == RowKind.STATUS:
            halted = size != 0
        ts = int(data["exch_ts"][i])
        if at + 1 == len(mine) or data["exch_ts"][mine[at + 1]] != ts:
            bid, ask = book.best[1], book.best[-1]
            top = NOTHING
            if bid is not None and ask is not None and bid < ask and not halted:
                top = (bid, ask, book.lots(1, bid), book.lots(-1, ask))
            if top != out[-1][1:]:
                out.append((ts, *top))
    return out[1:]


@pytest.mark.parametrize("seed", range(4 if not DISABLED else 1))
def test_quotes_are_those_of_a_book_of_dicts(seed: int) -> None:
    data = market(10 * seed)
    for wanted in (0, 1):
        found = scan(data, wanted)
        assert found == naive(data, wanted)
        assert NOTHING in {row[1:] for row in found}
        assert len(found) > 300


def test_an_instrument_without_rows_has_no_quotes() -> None:
    assert scan(market(5, 200), 7) == []


def test_too_small_a_map_is_said() -> None:
    assert scan(market(3), 0, far=16) is None


def test_flow_is_that_of_each_side() -> None:
    rows = np.array(scan(market(4), 0), QUOTED)
    flow = np.zeros(len(rows))
    columns = (np.ascontiguousarray(rows[x]) for x in ("bid", "ask", "bid_lots", "ask_lots"))
    scan_flow(*columns, flow)
    assert math.isnan(flow[0])
    lines = rows.tolist()
    for i, (a, b) in enumerate(itertools.pairwise(lines), start=1):
        if NO_BID in (a[1], b[1]):
            assert math.isnan(flow[i])
        else:
            bids = side_flow(1, (a[1], a[3]), (b[1], b[3]))
            asks = side_flow(-1, (a[2], a[4]), (b[2], b[4]))
            assert flow[i] == bids - asks
    assert np.isfinite(flow).sum() > 100
