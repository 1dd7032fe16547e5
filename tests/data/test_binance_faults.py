"""Raw Binance logs with faults: named in a strict read, set aside in a lenient one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmquant.data.quarantine import quarantine_of
from mmquant.data.readers.binance import read
from mmquant.errors import DataError
from tests.data.binance_feed import (
    Feed,
    counts_of,
    pick,
    rows_of,
    without_line,
    write,
)


def test_a_missing_diff_is_a_gap(tmp_path) -> None:
    feed = Feed(12)
    gone = pick(feed, "depthUpdate")
    after = pick(feed, "depthUpdate", 41)
    del feed.lines[gone]
    path = write(tmp_path, feed.text())
    with pytest.raises(DataError, match=rf"gap in update ids.*row {after}\b"):
        read(path)
    tape = read(path, lenient=True)
    assert quarantine_of(tape)["row"].tolist() == [after]
    assert counts_of(tape)["update_gaps"] == 1
    assert rows_of(tape) == without_line([row for row in feed.rows() if row[1] + 1 != after])


def by_hand(folder: Path, *lines: dict) -> Path:
    """A log of these messages, one a millisecond."""
    text = "".join(f"{10**15 + i * 10**6} {json.dumps(line)}\n" for i, line in enumerate(lines))
    return write(folder, text)


def diff(ms: int, first: int, last: int, previous: int, bid: str) -> dict:
    return {"e": "depthUpdate", "T": ms, "s": "X", "U": first, "u": last, "pu": previous,
            "b": [[bid, "1"]], "a": []}  # fmt: skip


SNAPSHOT = {"lastUpdateId": 50, "T": 100, "bids": [["7", "2"], ["5", "3"]], "asks": [["9", "4"]]}


@pytest.mark.parametrize("late", [False, True])
def test_a_snapshot_must_meet_the_diffs(tmp_path, late) -> None:
    after = diff(110, 60, 70, 59, "6")
    lines = [after, SNAPSHOT] if late else [SNAPSHOT, after]
    with pytest.raises(DataError, match=r"gap between the snapshot \(50\).*row 2"):
        read(by_hand(tmp_path, *lines))
    for first, previous in ((51, 50), (60, 50), (40, 39), (51, 40)):
        after = diff(110, first, 70, previous, "6")
        lines = [after, SNAPSHOT] if late else [SNAPSHOT, after]
        rows = rows_of(read(by_hand(tmp_path, *lines)))
        assert [row[1:] for row in rows] == [
            (3, 1, 5, 0), (4, 1, 7, 2), (4, 1, 5, 3), (3, -1, 9, 0), (4, -1, 9, 4), (1, 1, 6, 1)
        ]  # fmt: skip


def test_an_old_diff_after_a_snapshot_is_left_out(tmp_path) -> None:
    old, new = diff(100, 40, 45, 39, "7"), diff(110, 46, 60, 45, "6")
    tape = read(by_hand(tmp_path, SNAPSHOT, old, new))
    assert [row[3] for row in rows_of(tape)] == [5, 7, 5, 9, 9, 6]
    assert counts_of(tape)["stale_diffs"] == 1
    tape = read(by_hand(tmp_path, old, SNAPSHOT, new))
    assert [row[3] for row in rows_of(tape)] == [7, 5, 7, 5, 9, 9, 6]
    assert counts_of(tape)["stale_diffs"] == 0


def test_a_repeated_diff_is_refused(tmp_path) -> None:
    one, two = diff(100, 40, 45, 39, "7"), diff(110, 46, 60, 45, "6")
    path = by_hand(tmp_path, one, two, two)
    with pytest.raises(DataError, match=r"update 60 is out of order.*row 3"):
        read(path)
    assert rows_of(read(path, lenient=True)) == rows_of(read(by_hand(tmp_path, one, two)))


def edit(name: str, value: object) -> Callable[[dict], None]:
    def change(message: dict) -> None:
        if value is None:
            del message[name]
        else:
            message[name] = value

    return change


def edit_level(column: int, value: str) -> Callable[[dict], None]:
    def change(message: dict) -> None:
        (message["b"] or message["a"])[0][column] = value

    return change


BAD = {
    "no time": ("depthUpdate", edit("T", None), "field 'T' of a depthUpdate is missing"),
    "text time": ("trade", edit("T", "x"), "field 'T' of a trade is not int"),
    "backwards": ("depthUpdate", edit("T", 1_723_161_600_001), "time runs backwards"),
    "no side": ("trade", edit("m", None), "side of the trade is unknown"),
    "odd side": ("trade", edit("m", "buy"), "side of the trade is unknown"),
    "nan": ("trade", edit("p", "NaN"), "a price is not a number"),
    "json nan": ("trade", edit("q", float("nan")), "a size is not a number"),
    "negative": ("depthUpdate", edit_level(1, "-1.000"), "a size is negative"),
    "too large": ("depthUpdate", edit_level(0, "9" * 18 + ".00"), "or too large"),
    "too fine": ("trade", edit("q", "0." + "1" * 19), "or too large"),
    "garbage": ("depthUpdate", edit_level(0, "5OO.10"), "a price is not a number"),
    "zero price": ("depthUpdate", edit_level(0, "0.00"), "a price is not positive"),
    "zero trade": ("trade", edit("q", "0.000"), "a trade has size 0"),
    "no levels": ("depthUpdate", edit("b", None), "field 'b' of a depthUpdate is missing"),
    "level": ("depthUpdate", edit("a", [["500.10"]]), "not a pair of price and size"),
    "ids": ("depthUpdate", edit("U", 10**15), "is after the last"),
    "far": ("depthUpdate", edit_level(0, "400000000000.00"), "beyond the int32 ticks"),
    "off grid": ("depthUpdate", edit_level(0, "480.05"), "off the tick grid"),
    "huge": ("trade", edit("q", "9000000.000"), "beyond the int32 lots"),
    "crossed": ("depthUpdate", edit("a", [["100.00", "1.000"]]), "the book is crossed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_named_or_set_aside(tmp_path, name) -> None:
    stream, change, reason = BAD[name]
    feed = Feed(15, steps=300)
    rows = feed.rows()
    at = pick(feed, stream, 30)
    change(feed.lines[at].message)
    path = write(tmp_path, feed.text())
    with pytest.raises(DataError) as error:
        read(path)
    for part in (path.name, f"row {at + 1}", reason, "lenient"):
        assert part in str(error.value)
    tape = read(path, lenient=True)
    table = quarantine_of(tape)
    assert reason in table.set_index("row").loc[at + 1, "reason"]
    assert counts_of(tape)["quarantined"] == len(table) <= 2
    if name == "crossed":
        kept = [row for row in rows if row[1] != at or row[3] > 0]
    else:
        kept = [row for row in rows if row[1] + 1 not in set(table["row"])]
    assert rows_of(tape) == without_line(kept)


@pytest.mark.parametrize(
    ("line", "reason"),
    [("x {}", "local time"), ("123", "not whole JSON"), ("123 [1]", "not a JSON object"),
     ('123 {"e":"trade"', "not whole JSON"), ("-5 {}", "local time"), ("", "local time")],
)  # fmt: skip
def test_lines_that_are_none(tmp_path, line, reason) -> None:
    feed = Feed(16)
    lines = feed.text().splitlines()
    lines.insert(50, line.replace("123", str(feed.lines[50].local)))
    path = write(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(DataError, match=rf"{reason}.*row 51\b"):
        read(path)
    tape = read(path, lenient=True)
    assert quarantine_of(tape)["row"].tolist() == [51]
    assert rows_of(tape) == without_line(feed.rows())


def test_local_time_running_backwards(tmp_path) -> None:
    feed = Feed(17)
    at = pick(feed, "bookTicker")
    feed.lines[at].local -= 10**9
    with pytest.raises(DataError, match=rf"local time runs backwards.*row {at + 1}\b"):
        read(write(tmp_path, feed.text()))


def test_a_cut_line_and_an_empty_log(tmp_path) -> None:
    feed = Feed(18)
    path = write(tmp_path, feed.text()[:-30])
    with pytest.raises(DataError, match=rf"row {len(feed.lines)}\b"):
        read(path)
    with pytest.raises(DataError, match="no rows"):
        read(write(tmp_path, ""))
    with pytest.raises(DataError, match="no depth and no trade"):
        read(write(tmp_path, '5 {"e":"bookTicker"}\n'))
