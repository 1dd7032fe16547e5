"""LOBSTER files against a market whose whole book is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmquant.core.dtypes import RowKind
from mmquant.data.readers import read_tape
from mmquant.data.readers.lobster import check_book, read
from tests.data.lobster_market import (
    NAME,
    TICK,
    Market,
    market,
    message_lines,
    rows_of,
    window_lines,
    write_gzip,
    write_pair,
    write_zip,
)

MIDNIGHT = np.datetime64("2012-06-21T04:00", "ns").astype(np.int64).item()
"""Midnight in New York in summer, as UTC."""


def naive_windows(tape, made: Market) -> list[list[int]]:
    """Windows after each message by a plain replay; the market's times are all different."""
    rows = rows_of(tape)
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    out, at = [], 0
    for now, *_ in made.messages:
        while at < len(rows) and rows[at][0] <= now + MIDNIGHT:
            _, _, kind, side, tick, _, size, _ = rows[at]
            if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
                book[side].pop(tick, None)
                if size:
                    book[side][tick] = size
            at += 1
        asks, bids = sorted(book[-1].items()), sorted(book[1].items(), reverse=True)
        window: list[int] = []
        for i in range(made.levels):
            window += [asks[i][0] * TICK, asks[i][1]] if i < len(asks) else [9_999_999_999, 0]
            window += [bids[i][0] * TICK, bids[i][1]] if i < len(bids) else [-9_999_999_999, 0]
        out.append(window)
    assert at == len(rows)
    return out


PLAIN = pytest.mark.plain


@pytest.mark.parametrize(
    ("levels", "seed", "prefill"),
    [
        pytest.param(1, 1, 60, marks=PLAIN),
        pytest.param(2, 2, 0, marks=PLAIN),
        (5, 3, 60),
        pytest.param(5, 4, 8, marks=PLAIN),
        (10, 5, 80),
        (50, 6, 60),
    ],
)
def test_the_replayed_book_is_the_true_one_on_every_row(tmp_path, levels, seed, prefill) -> None:
    made = market(levels, seed, 300, prefill)
    path = write_zip(tmp_path, made)
    tape = read(path)
    assert naive_windows(tape, made) == made.windows
    facts = check_book(path)
    assert facts["book_rows"] == facts["book_rows_equal"] == 300
    assert facts["first_unequal_row"] == 0 and facts["quarantined"] == 0
    counts = json.loads(tape.attrs["counts"])
    snapshots = tape["size"].values[tape["kind"].values == RowKind.SNAPSHOT]
    seeded = sum(size > 0 for size in made.windows[0][1::2])
    assert (snapshots > 0).sum() == seeded + counts["levels_injected"]
    assert (counts["levels_injected"] > 10) == (levels <= 10)
    assert (counts["levels_forgotten"] > 10) == (levels <= 10)


def test_only_far_edges_are_taken_from_the_book_file(tmp_path) -> None:
    made = market(levels=5, seed=9)
    tape = read(write_zip(tmp_path, made))
    full = {1: {}, -1: {}}
    for ts, _, kind, side, tick, _, size, _ in rows_of(tape):
        if kind == RowKind.SNAPSHOT and size and ts > made.messages[0][0] + MIDNIGHT:
            better = [t for t in full[side] if t * side > tick * side]
            assert len(better) == made.levels - 1
        if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
            full[side].pop(tick, None)
            if size:
                full[side][tick] = size


def test_trades_come_before_their_level_with_exact_prices(tmp_path) -> None:
    made = market(seed=7, n=600)
    rows = rows_of(read(write_zip(tmp_path, made)))
    trades = [r for r in rows if r[2] == RowKind.TRADE]
    got = [(ts - MIDNIGHT, tick, round(sub, 6), side, size)
           for ts, _, _, side, tick, sub, size, _ in trades]  # fmt: skip
    assert got == made.trades
    assert any(sub for _, _, sub, _, _ in got)
    kinds = {row[0]: row[1] for row in made.messages}
    for at, row in enumerate(rows):
        if row[2] == RowKind.TRADE and kinds[row[0] - MIDNIGHT] == 4 and at > 0:
            after = rows[at + 1]
            assert after[0] == row[0] and (after[3], after[4]) == (-row[3], row[4])
            assert after[2] in (RowKind.DEPTH, RowKind.SNAPSHOT)
            assert after[7] == row[7] or after[2] == RowKind.SNAPSHOT


def test_all_ways_to_give_the_files_give_the_same_tape(tmp_path) -> None:
    made = market()
    tapes = [read(write_zip(tmp_path, made))]
    message = write_pair(tmp_path, 5, message_lines(made), window_lines(made))
    book = message.with_name(NAME.format(what="orderbook", levels=5))
    tapes += [read(message), read([book, message]), read_tape("lobster", message, lenient=True)]
    other = tmp_path / "other"
    other.mkdir()
    packed = write_gzip(other, made)
    tapes.append(read(packed, orderbook=book))
    renamed = other / "m.csv"
    renamed.write_bytes(message.read_bytes())
    tapes.append(read(renamed, orderbook=str(book), symbol="TEST", date="2012-06-21"))
    for tape in tapes[1:]:
        assert rows_of(tape) == rows_of(tapes[0])
        assert tape.attrs["contracts"] == tapes[0].attrs["contracts"]
        assert tape.attrs["counts"] == tapes[0].attrs["counts"]
    assert len(json.loads(tapes[1].attrs["source"])["files"]) == 2
    assert json.loads(tapes[0].attrs["contracts"])[0]["symbol"] == "TEST"


@pytest.mark.parametrize("book", [True, False])
def test_messages_of_one_time_keep_their_order(tmp_path, book) -> None:
    made = market(seed=5)
    for i, row in enumerate(made.messages):
        row[0] = made.messages[i // 7 * 7][0]
    path = write_pair(tmp_path, 5, message_lines(made), window_lines(made) if book else None)
    facts = check_book(path)
    assert facts["book_rows_equal"] == (400 if book else 0)
    seq = read(path)["seq"].values
    assert (np.diff(seq) > 0).all()


def test_a_longer_file_has_the_same_beginning(tmp_path) -> None:
    made = market(seed=3, n=300)
    for name, windows in (("with", window_lines(made)), ("without", None)):
        both = []
        for n in (200, 300):
            folder = tmp_path / f"{name}{n}"
            folder.mkdir()
            lines = message_lines(made)[:n]
            both.append(rows_of(read(write_pair(folder, 5, lines, windows and windows[:n]))))
        assert both[1][: len(both[0])] == both[0]


def test_a_wrong_book_row_is_counted_and_not_copied(tmp_path) -> None:
    made = market(seed=8)
    windows = [row.copy() for row in made.windows]
    windows[200][1] += 1  # best ask size: messages explain it
    made.windows, right = windows, made.windows
    path = write_zip(tmp_path, made)
    facts = check_book(path)
    assert (facts["book_rows_equal"], facts["first_unequal_row"]) == (399, 201)
    assert naive_windows(read(path), made) == right


def test_a_wrong_message_is_not_explained_away(tmp_path) -> None:
    made = market(seed=8)
    at = next(i for i, row in enumerate(made.messages) if i > 100 and row[1] == 1)
    made.messages[at][3] += 7
    facts = check_book(write_zip(tmp_path, made))
    assert facts["first_unequal_row"] == at + 1 and facts["book_rows_equal"] < 400


@pytest.mark.plain
def test_without_a_book_file_known_orders_make_the_book(tmp_path) -> None:
    made = Market(50, 11, hide=False).run(600)
    path = write_gzip(tmp_path, made)
    tape = read(path)
    assert naive_windows(tape, made) == made.windows
    facts = check_book(path)
    assert facts["book_rows"] == facts["book_rows_equal"] == facts["levels_injected"] == 0
    assert facts["unknown_orders"] == 0
    assert any("not claimed" in note for note in json.loads(tape.attrs["notes"]))


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_without_a_book_file_a_small_window_stays_uncrossed(tmp_path, levels) -> None:
    made = market(levels, seed=21, n=600)
    path = write_gzip(tmp_path, made)
    facts = check_book(path)
    assert facts["crossed_rows"] == 0 and facts["unknown_orders"] > 0
    tape = read(path)
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for _, _, kind, side, tick, _, size, _ in rows_of(tape):
        if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
            book[side].pop(tick, None)
            if size:
                book[side][tick] = size
        assert max(len(book[1]), len(book[-1])) <= levels + 1


def test_times_are_exact(tmp_path) -> None:
    stamps = {"34200": 0, "34200.000000001": 1, "34200.1": 10**8, "34200.632812672004": 632812672,
              "34200.9999999996": 10**9, "34201.123456789": 1_123_456_789}  # fmt: skip
    lines = [f"{stamp},1,{i},5,1000000,1" for i, stamp in enumerate(stamps, 1)]
    path = write_pair(tmp_path, 5, lines, None)
    start = MIDNIGHT + 34_200 * 10**9
    assert (read(path)["exch_ts"].values - start).tolist() == list(stamps.values())
    tape = read(path, feed_latency_ns=7)
    assert set((tape["local_ts"] - tape["exch_ts"]).values.tolist()) == {7}
    winter = read(path, date="2012-01-20")["exch_ts"].values[0]
    assert winter == np.datetime64("2012-01-20T14:30", "ns").astype(np.int64)
    slow = path.read_text() + "x"
    path.write_text(slow)
    lenient = read(path, lenient=True)["exch_ts"].values
    assert (lenient - start).tolist() == list(stamps.values())


@pytest.mark.plain
def test_halts_and_crosses(tmp_path) -> None:
    made = market(n=50)
    made.special(6, 500, 2_000 * TICK)
    made.special(6, 0, 2_000 * TICK)
    for code in (-1, 0, 1):
        made.special(7, 0, code)
    made.run(100)
    path = write_zip(tmp_path, made)
    tape = read(path)
    rows = rows_of(tape)
    assert [r[6] for r in rows if r[2] == RowKind.STATUS] == [1, 2, 0]
    assert [r[3:7] for r in rows if r[2] == RowKind.TRADE and r[3] == 0] == [(0, 2000, 0.0, 500)]
    counts = json.loads(tape.attrs["counts"])
    assert (counts["halts"], counts["crosses"]) == (3, 2)
    assert check_book(path)["book_rows_equal"] == 100


def test_amzn(real_data) -> None:
    path: Path = real_data("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip")
    facts = check_book(path)
    assert facts["book_rows"] == facts["book_rows_equal"] == 155_935
    assert 0 < facts["levels_injected"] < facts["book_rows"] / 4
    assert facts["crossed_rows"] == facts["unknown_levels"] == facts["quarantined"] == 0


def test_aapl_without_a_book_file(real_data) -> None:
    path: Path = real_data("lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz")
    facts = check_book(path)
    assert facts["messages"] == 91_997 and facts["book_rows"] == 0
    assert (facts["visible_executions"], facts["hidden_executions"]) == (4_067, 2_201)
    assert facts["crossed_rows"] == facts["executions_off_best"] == 0
