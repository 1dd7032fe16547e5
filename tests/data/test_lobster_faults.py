"""LOBSTER files with faults: named in a strict read, set aside in a lenient one."""

from __future__ import annotations

import json
import zipfile
from datetime import date as Date

import pytest

from mmquant.core.dtypes import RowKind
from mmquant.data.quarantine import quarantine_of
from mmquant.data.readers.lobster import check_book, read
from mmquant.errors import DataError, UsageError
from tests.data.lobster_market import (
    NAME,
    TICK,
    as_text,
    hand_made,
    market,
    message_lines,
    rows_of,
    window_lines,
    write_gzip,
    write_pair,
    write_zip,
)

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
