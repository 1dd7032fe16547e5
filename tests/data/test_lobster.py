"""LOBSTER files against a market whose whole book is known."""

from __future__ import annotations

import json
import zipfile
from datetime import date as Date
from pathlib import Path

import numpy as np
import pytest

from mmquant.core.dtypes import RowKind
from mmquant.data.quarantine import quarantine_of
from mmquant.data.readers import read_tape
from mmquant.data.readers.lobster import check_book, read
from mmquant.errors import DataError, UsageError
from tests.data.lobster_market import (
    NAME,
    TICK,
    Market,
    as_text,
    message_lines,
    window_lines,
    write_gzip,
    write_pair,
    write_zip,
)

COLUMNS = ("exch_ts", "local_ts", "kind", "side", "tick", "subtick", "size", "order_id")
MIDNIGHT = np.datetime64("2012-06-21T04:00", "ns").astype(np.int64).item()
"""Midnight in New York in summer, as UTC."""


def market(levels: int = 5, seed: int = 1, n: int = 400, prefill: int = 60) -> Market:
    made = Market(levels, seed)
    made.prefill(prefill)
    return made.run(n)


def rows_of(tape) -> list[tuple]:
    return list(zip(*(tape[name].values.tolist() for name in COLUMNS), strict=True))


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


def hand_made(tmp_path: Path, text: str, levels: int = 2, windows: str = "") -> Path:
    """Files of messages ``type order size price side``, one a second, prices in cents."""
    lines = []
    for i, line in enumerate(text.split(";")):
        kind, order, size, price, side = line.split()
        cents = f"{price}00" if kind != "7" else price
        lines.append(f"{34_200 + i}.5,{kind},{order},{size},{cents},{side}")
    rows = [",".join(row.split()) for row in windows.split(";")] if windows else None
    return write_pair(tmp_path, levels, lines, rows)


STALE = "1 1 5 10005 -1; 1 2 5 10002 -1; 3 2 5 10002 -1; 4 77 5 10003 -1;"
"""An ask at 100.05 that leaves a window of two levels: an older order stands at 100.03."""


@pytest.mark.plain
@pytest.mark.parametrize("proof", ["1 3 9 10006 1", "1 3 9 10007 -1; 4 3 1 10007 -1"])
def test_a_level_that_left_unseen_is_dropped_when_disproved(tmp_path, proof) -> None:
    path = hand_made(tmp_path, STALE + proof)
    tape = read(path)
    facts = check_book(path)
    assert facts["levels_disproved"] == 1
    assert facts["crossed_rows"] == facts["executions_off_best"] == 0
    gone = tape.isel(event=(tape["kind"] == RowKind.SNAPSHOT).values)
    assert gone["tick"].values.tolist() == [10_005] and gone["size"].values.tolist() == [0]


def test_a_level_that_could_not_leave_is_a_crossed_book(tmp_path) -> None:
    narrow = "1 9 1 10003 1; 1 1 5 10005 -1; 1 2 5 10004 -1; 3 2 5 10004 -1; 1 3 9 10006 1"
    for text in ("1 1 5 10005 -1; 1 3 9 10006 1", narrow):
        with pytest.raises(DataError, match="crossed"):
            read(hand_made(tmp_path, text))


@pytest.mark.plain
def test_after_a_lost_message_any_level_may_be_gone(tmp_path) -> None:
    path = hand_made(tmp_path, "1 1 5 10005 -1; 3 1 x 10005 -1; 1 3 9 10006 1")
    table = quarantine_of(tape := read(path, lenient=True))
    assert table["row"].tolist() == [2]
    assert tape["tick"].values.tolist() == [10_005, 10_005, 10_006]
    assert tape["size"].values.tolist() == [5, 0, 9]


def test_a_halted_book_may_cross(tmp_path) -> None:
    text = "1 1 5 10005 -1; {} 1 3 9 10006 1; 3 3 9 10006 1; {} 1 4 9 10001 1"
    facts = check_book(hand_made(tmp_path, text.format("7 0 0 -1 -1;", "7 0 0 1 -1;")))
    assert (facts["halts"], facts["crossed_rows"], facts["crossed_while_halted"]) == (2, 0, 1)
    with pytest.raises(DataError, match="crossed"):
        read(hand_made(tmp_path, text.format("", "")))


@pytest.mark.plain
def test_a_level_that_did_not_enter_is_not_taken(tmp_path) -> None:
    row = "1000500 5 1000100 7 1000600 5 1000000 7"
    messages = "1 2 5 10006 -1; 3 2 5 10006 -1; 1 3 1 9990 1"
    path = hand_made(tmp_path, messages, windows=";".join([row] * 3))
    facts = check_book(path)
    assert (facts["book_rows_equal"], facts["levels_injected"]) == (1, 0)
    assert facts["beyond_window"] == 1


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


BAD_MESSAGES = {
    "nan time": (0, "nan", "time"),
    "text": (4, "abc", "price is not a whole number"),
    "empty": (3, "", "size is not a whole number"),
    "float": (3, "1.5", "size is not a whole number"),
    "backwards": (0, "34200.0", "time runs backwards"),
    "another day": (0, "90000.5", "not within the day"),
    "negative size": (3, "-5", "size is negative"),
    "no size": (3, "0", "size is 0"),
    "huge size": (3, "3000000000", "size is beyond int32"),
    "type": (1, "9", "event type is unknown"),
    "side": (5, "0", "direction (side) is unknown"),
    "price": (4, "0", "price is not positive"),
    "large price": (4, "9999999999", "price is too large"),
    "grid": (4, "2000050", "off the tick grid"),
    "order": (2, "-7", "order id is negative"),
}


@pytest.mark.parametrize("name", BAD_MESSAGES)
@pytest.mark.parametrize("with_book", [True, False])
def test_a_bad_message_is_named_or_set_aside(tmp_path, name, with_book) -> None:
    column, value, reason = BAD_MESSAGES[name]
    made = market(seed=4)
    at = next(i for i, row in enumerate(made.messages) if i >= 150 and row[1] == 1)
    lines = message_lines(made)
    cells = lines[at].split(",")
    cells[column] = value
    lines[at] = ",".join(cells)
    path = write_pair(tmp_path, 5, lines, window_lines(made) if with_book else None)
    with pytest.raises(DataError) as error:
        read(path)
    for part in (path.name, f"row {at + 1}", reason, "lenient"):
        assert part in str(error.value)
    table = quarantine_of(tape := read(path, lenient=True))
    assert table["row"].tolist() == [at + 1] and reason in table["reason"][0]
    assert table["file"][0] == path.name and table["text"][0] == lines[at]
    assert json.loads(tape.attrs["counts"])["quarantined"] == 1
    if with_book:
        facts = check_book(path, lenient=True)
        assert (facts["book_rows"], facts["book_rows_equal"]) == (400, 398)
        assert facts["first_unequal_row"] == at + 1


@pytest.mark.parametrize(("keep", "extra"), [(5, ""), (6, "")])
def test_a_missing_column_is_named(tmp_path, keep, extra) -> None:
    lines = [",".join(line.split(",")[:keep]) for line in message_lines(market(n=20))]
    lines[10] = ",".join(lines[10].split(",")[:4])
    path = write_pair(tmp_path, 5, lines, None)
    with pytest.raises(DataError, match=rf"row {1 if keep == 5 else 11}"):
        read(path)


def test_a_seventh_column_is_not_needed(tmp_path) -> None:
    made = market(n=100)
    plain = read(write_pair(tmp_path, 5, message_lines(made), None))
    path = write_pair(tmp_path, 5, [f"{line},null" for line in message_lines(made)], None)
    assert rows_of(read(path)) == rows_of(plain)


BAD_WINDOWS = {
    "negative": (1, "-3", "size is negative"),
    "nan": (3, "nan", "not a whole number"),
    "order": (4, "100", "levels are out of order"),
    "grid": (0, None, "off the tick grid"),
    "no size": (1, "0", "a level has size 0"),
    "crossed": (2, "cross", "the book is crossed"),
}


@pytest.mark.parametrize("name", BAD_WINDOWS)
def test_a_bad_book_row_is_named_or_set_aside(tmp_path, name) -> None:
    column, value, reason = BAD_WINDOWS[name]
    made = market(seed=4)
    at = 200
    windows = window_lines(made)
    cells = windows[at].split(",")
    cells[column] = {None: str(int(cells[0]) - 50), "cross": str(int(cells[0]) + TICK)}.get(
        value, value
    )
    windows[at] = ",".join(cells)
    path = write_pair(tmp_path, 5, message_lines(made), windows)
    with pytest.raises(DataError) as error:
        read(path)
    for part in ("orderbook_5.csv", f"row {at + 1}", reason):
        assert part in str(error.value)
    table = quarantine_of(read(path, lenient=True))
    assert table["row"].tolist() == [at + 1] and "orderbook" in table["file"][0]
    facts = check_book(path, lenient=True)
    assert facts["book_rows_equal"] == 399 and facts["first_unequal_row"] == at + 1


@pytest.mark.plain
def test_a_lasting_cross_is_an_error(tmp_path) -> None:
    made = market(seed=4)
    at = next(i for i, row in enumerate(made.messages) if i >= 150 and row[1] == 1 and row[5] == 1)
    made.messages[at][4] = made.windows[at][0] + 3 * TICK
    for name, windows in (("with", window_lines(made)), ("without", None)):
        folder = tmp_path / name
        folder.mkdir()
        path = write_pair(folder, 5, message_lines(made), windows)
        with pytest.raises(DataError, match=rf"crossed.*row {at + 1}"):
            read(path)
        table = quarantine_of(read(path, lenient=True))
        assert at + 1 in table["row"].tolist() and len(table) < 5
        facts = check_book(path, lenient=True)
        assert facts["crossed_rows"] == 0


def test_a_cross_inside_one_packet_is_none(tmp_path) -> None:
    lines = ["34200.1,1,1,5,1000000,-1", "34200.1,1,9,5,1010000,-1", "34200.2,1,2,5,1000000,1",
             "34200.2,1,3,5,1000100,1", "34200.2,3,1,5,1000000,-1"]  # fmt: skip
    path = write_pair(tmp_path, 5, lines, None)
    assert check_book(path)["crossed_rows"] == 0
    path = write_pair(tmp_path, 5, lines[:-1], None)
    with pytest.raises(DataError, match="crossed"):
        read(path)


def test_cut_files(tmp_path) -> None:
    made = market(seed=2)
    packed = write_gzip(tmp_path, made)
    whole = rows_of(read(packed))
    raw = packed.read_bytes()
    packed.write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(DataError, match=f"end early.*{packed.name}"):
        read(packed)
    part = read(packed, lenient=True)
    assert 50 < part.sizes["event"] < len(whole)
    assert rows_of(part) == whole[: part.sizes["event"]]
    assert len(quarantine_of(part)) == 1
    packed.write_bytes(raw[:-6] + b"\0" * 6)
    with pytest.raises(DataError, match="damaged"):
        read(packed)
    archive = write_zip(tmp_path, made)
    archive.write_bytes(archive.read_bytes()[:-40])
    for lenient in (False, True):
        with pytest.raises(DataError, match="cannot be read"):
            read(archive, lenient=lenient)
    text = as_text(message_lines(made))
    path = write_pair(tmp_path, 5, [], None)
    path.write_text(text[:-8])
    with pytest.raises(DataError, match="row 400"):
        read(path)
    assert quarantine_of(read(path, lenient=True))["row"].tolist() == [400]
    path.write_text("")
    with pytest.raises(DataError, match="no rows"):
        read(path)


def test_files_of_different_length(tmp_path) -> None:
    made = market(seed=2)
    path = write_pair(tmp_path, 5, message_lines(made), window_lines(made)[:390])
    with pytest.raises(DataError, match="has 400 rows and the book file has 390"):
        read(path)
    assert len(quarantine_of(read(path, lenient=True))) == 10
    facts = check_book(path, lenient=True)
    assert (facts["book_rows"], facts["book_rows_equal"]) == (390, 390)
    path = write_pair(tmp_path, 5, message_lines(made)[:380], window_lines(made))
    facts = check_book(path, lenient=True)
    assert (facts["book_rows"], facts["book_rows_equal"], facts["quarantined"]) == (400, 380, 20)


def test_what_names_and_options_must_tell(tmp_path) -> None:
    made = market(n=30)
    path = write_pair(tmp_path, 5, message_lines(made), window_lines(made))
    assert check_book(path, orderbook="none")["book_rows"] == 0
    tape = read(path, symbol="ABC", tick="0.005", venue="XBOS")
    contract = json.loads(tape.attrs["contracts"])[0]
    assert (contract["symbol"], contract["venue"]) == ("ABC", "XBOS")
    assert tape["tick"].values[-1] == 2 * read(path)["tick"].values[-1]
    with pytest.raises(DataError, match="16 \\(4 levels\\)"):
        read(path, levels=4)
    with pytest.raises(UsageError, match="give the message file"):
        read(path.with_name(NAME.format(what="orderbook", levels=5)))
    for options, wanted in (({"feed_latency_ns": 0}, "at least 1"), ({"levels": 51}, "1 to 50"),
                            ({"date": "2012-13-01"}, "2012-13-01")):  # fmt: skip
        with pytest.raises(UsageError, match=wanted):
            read(path, **options)
    bare = tmp_path / "x.csv"
    bare.write_text(path.read_text())
    for options in ({}, {"symbol": "A"}, {"symbol": "A", "date": "2012-06-21"}):
        with pytest.raises(UsageError, match="does not tell"):
            read(bare, **options)
    assert read(bare, symbol="A", date="2012-06-21", levels=5).sizes["event"] > 30
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "missing.zip")


def test_an_archive_of_two_days(tmp_path) -> None:
    made = market(n=30)
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for date in ("2012-06-21", "2012-06-22"):
            for what, lines in (("message", message_lines(made)),
                                ("orderbook", window_lines(made))):  # fmt: skip
                name = NAME.format(what=what, levels=5).replace("2012-06-21", date)
                archive.writestr(f"folder/{name}", as_text(lines))
    with pytest.raises(DataError, match="2 message files"):
        read(path)
    tape = read(path, date=Date(2012, 6, 22))  # type: ignore[arg-type]
    assert tape.attrs["date"] == "2012-06-22"
    assert check_book(path, date="2012-06-22")["book_rows_equal"] == 30
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(DataError, match="no message file"):
        read(path)


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
