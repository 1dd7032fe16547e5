"""Tape rows with numbers that are none: backtest and live loop see the same, and believe none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.data.fees import FeeRates
from mmquant.errors import DataError
from mmquant.strategies.demo import demo_tape
from mmquant.trading.compiled import run_halves
from mmquant.trading.halves import make_halves, strategy_of, tape_columns
from tests.test_guarded_parity import DEMO, FILE, same_three_ways

UNSET = 2**31 - 1
BAD: list[tuple[str, dict[str, Any]]] = [
    *(("book", {"size": size}) for size in (-1, -(2**31), UNSET)),
    *(("book", {"tick": tick, "size": 5}) for tick in (NO_BID, -(2**31), NO_ASK, 0, -7)),
    *(("book", {"side": side, "size": 5}) for side in (0, 5, -7)),
    *(("trade", {"size": size}) for size in (-1, -(2**31), UNSET)),
    *(("trade", {"tick": tick, "subtick": 0.0}) for tick in (NO_BID, -(2**31), NO_ASK, 0, -7)),
    *(("trade", {"subtick": part}) for part in (math.nan, math.inf, -math.inf, -0.5, 1.5)),
    *(("trade", {"side": side}) for side in (5, -7)),
]
KINDS = {"book": (RowKind.DEPTH, RowKind.SNAPSHOT), "trade": (RowKind.TRADE,)}
QUIET = [*DEMO, "risk.protection.max_lots=1_000", "limits.max_position_lots=200"]


def spoiled(tape: Any, every: int) -> tuple[Any, np.ndarray]:
    """The tape with a bad copy of a row after each ``every``-th; and the places of the copies."""
    kind = tape["kind"].values
    after = []
    for i in range(len(kind) // every):
        wanted = KINDS[BAD[i % len(BAD)][0]]
        rows = np.flatnonzero(np.isin(kind[i * every : (i + 1) * every], wanted))
        after.append(i * every + int(rows[0]) if len(rows) else -1)
    chosen = [i for i, row in enumerate(after) if row >= 0]
    places = np.array([after[i] for i in chosen])
    new = tape.isel(event=np.sort(np.concatenate([np.arange(len(kind)), places]))).copy(deep=True)
    copies = places + 1 + np.arange(len(places))
    for i, at in zip(chosen, copies, strict=True):
        for name, value in BAD[i % len(BAD)][1].items():
            new[name].values[at] = value
    return new, copies


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 20_000))


def bad_times(tape: Any, copies: np.ndarray) -> list[tuple[int, int]]:
    """From each bad row's receipt until the next sound book row's, by the tape alone."""
    local, kind = tape["local_ts"].values, tape["kind"].values
    assert (np.diff(local) >= 0).all(), "rows are received in their order"
    heals = np.isin(kind, [RowKind.DEPTH, RowKind.SNAPSHOT, RowKind.CLEAR])
    heals[copies] = False
    good = np.flatnonzero(heals)
    ends = [good[np.searchsorted(good, at)] if at < good[-1] else -1 for at in copies]
    return [(int(local[a]), int(local[b])) for a, b in zip(copies, ends, strict=True)]


@pytest.mark.parametrize("on", ["timer", "timer, trade, own", "book"])
def test_both_pairings_and_the_journal_agree(tmp_path, tape, on):
    few, _ = spoiled(tape, 150)
    run = same_three_ways(tmp_path, few, *QUIET, f"decision.on=[{on}]")
    assert len(run.fills) > 10
    told = run.quotes[run.quotes["reason"] == mm.Reason.PULL_BAD_NUMBER]
    assert len(told) > (20 if "book" in on else 0)


def test_nothing_leaves_between_a_bad_row_and_the_next_sound_one(tape):
    few, copies = spoiled(tape, 150)
    assert len(copies) > 100
    config = mm.Config.load(FILE, env={}, sets=[*QUIET, "decision.on=[book, trade]"])
    run = mm.backtest(config, few)
    placed = run.quotes[run.quotes["action"] == mm.ActionKind.PLACE]["timestamp"].values
    pulled = run.quotes[run.quotes["reason"] == mm.Reason.PULL_BAD_NUMBER]["timestamp"].values
    spans = [(a, b) for a, b in bad_times(few, copies) if b > a]
    assert len(spans) > 50 and len(placed) > 100
    for start, end in spans:
        assert not ((placed >= start) & (placed < end)).any()
    within = [((pulled >= a) & (pulled < b)).any() for a, b in spans]
    assert sum(within) > 20, "orders that were working are pulled, with the reason"


@pytest.mark.parametrize("fill", ["partial", "peer"])
def test_the_exchange_passes_over_them(tape, fill):
    """Its book is that of the tape without them, level by level."""
    few, copies = spoiled(tape, 100)
    config = mm.Config.from_dict({"fill": {"mode": fill}})
    books = []
    for one in (tape, few):
        halves = make_halves(config, one, strategy_of(config), rates=[FeeRates()])
        halves, _ = run_halves(halves)
        books.append(halves.exchange.book)
    a, b = books
    assert len(copies) > 100
    assert a.level["lots"].any()
    np.testing.assert_array_equal(a.level["lots"], b.level["lots"])
    for name in ("best_bid", "best_ask", "base", "halted"):
        np.testing.assert_array_equal(a.side[name], b.side[name], err_msg=name)


def test_a_sound_tape_keeps_its_columns_and_one_book(tape):
    columns = tape_columns(tape, mm.Config())
    assert columns.kind.base is tape["kind"].values or columns.kind is tape["kind"].values
    assert len(columns.order) == 0


@pytest.mark.parametrize(("field", "value"), [("kind", 9), ("kind", -1), ("inst", 3), ("inst", -1)])
def test_a_row_of_no_kind_or_instrument_is_refused_by_all(tape, field, value):
    short = tape.isel(event=slice(0, 1_000)).copy(deep=True)
    short[field].values[700] = value
    for run in (mm.backtest, mm.replay):
        with pytest.raises(DataError, match="row 701"):
            run(mm.Config(), short)
