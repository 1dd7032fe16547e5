"""Trades and book levels of a tape as tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import RowKind
from mmquant.data.views import book_levels, trade_events
from mmquant.errors import UsageError
from mmquant.schema import validate
from tests.data.tape_strategies import BASE, small_tape, tapes


def test_trades() -> None:
    trades = trade_events(small_tape())
    validate(trades, "trades")
    assert trades["price"].tolist() == [1.01, 0.995]
    assert trades["size"].tolist() == [2.0, 1.0]
    assert trades["side"].tolist() == [1, 0]
    assert trades["venue"].tolist() == ["XNAS", "XNAS"]


def test_levels() -> None:
    levels = book_levels(small_tape(), [BASE - 1, BASE, BASE + 10, BASE + 40], levels=2)
    validate(levels, "book_levels")
    names = ["timestamp", "side", "level", "price", "size"]
    rows = (levels[names] - [BASE, 0, 0, 0, 0]).round(9).values.tolist()
    assert rows == [
        [0, 1, 1, 0.99, 5], [0, 1, 2, 0.98, 6], [0, -1, 1, 1.01, 7], [0, -1, 2, 1.02, 8],
        [10, 1, 1, 0.99, 5], [10, 1, 2, 0.98, 6], [10, -1, 1, 1.01, 5], [10, -1, 2, 1.02, 8],
        [40, 1, 1, 0.98, 6], [40, -1, 1, 1.01, 5], [40, -1, 2, 1.02, 8],
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(tapes(), st.integers(1, 3))
def test_levels_equal_a_book_of_dicts(tape: xr.Dataset, levels: int) -> None:
    tape = tape.assign_attrs(level="L2")
    times = np.unique(tape["exch_ts"].values)
    table = book_levels(tape, times, levels=levels)
    validate(table, "book_levels")
    for time in times:
        for (inst, side), book in plain_book(tape, time).items():
            mine = table[
                (table["timestamp"] == time) & (table["inst"] == inst) & (table["side"] == side)
            ]
            best = sorted(book, reverse=bool(side > 0))[:levels]
            assert mine["level"].tolist() == list(range(1, len(best) + 1))
            lots = mine["size"].to_numpy() * (1000 if inst == 1 else 1)
            assert lots.round().tolist() == [book[tick] for tick in best]


def plain_book(tape: xr.Dataset, time: int) -> dict[tuple[int, int], dict[int, int]]:
    books: dict[tuple[int, int], dict[int, int]] = {}
    names = ("exch_ts", "kind", "side", "tick", "size", "inst")
    for ts, kind, side, tick, size, inst in zip(*(tape[n].values for n in names), strict=True):
        if ts > time:
            break
        if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
            book = books.setdefault((inst, side), {})
            book[tick] = size
            if size == 0:
                del book[tick]
        elif kind == RowKind.CLEAR:
            for s in (1, -1):
                book = books.get((inst, s), {})
                for t in [t for t in book if side == 0 or (side == s and s * (t - tick) >= 0)]:
                    del book[t]
    return books


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(UsageError, match="times fall"):
        book_levels(small_tape(), [2, 1])
    with pytest.raises(UsageError, match="L3, not L2"):
        book_levels(small_tape().assign_attrs(level="L3"), [1])
    assert book_levels(small_tape(), []).empty
