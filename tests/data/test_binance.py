"""Raw Binance logs against a feed whose book is known."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmquant.core.dtypes import RowKind
from mmquant.data.quarantine import quarantine_of
from mmquant.data.readers import read_tape
from mmquant.data.readers.binance import read
from mmquant.errors import DataError, UsageError
from tests.data.binance_feed import BEHIND_NS, Feed, Line


def write(folder: Path, text: str, name: str = "btcusdt_20240808") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows_of(tape) -> list[tuple]:
    names = ("exch_ts", "kind", "side", "tick", "size")
    return list(zip(*(tape[name].values.tolist() for name in names), strict=True))


def without_line(rows: list[tuple]) -> list[tuple]:
    return [(row[0], *row[2:]) for row in rows]


def counts_of(tape) -> dict:
    return json.loads(tape.attrs["counts"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_are_those_of_the_feed(tmp_path, seed) -> None:
    feed = Feed(seed)
    assert [line.ms for line in feed.lines] != sorted(line.ms for line in feed.lines)
    tape = read(write(tmp_path, feed.text()))
    assert rows_of(tape) == without_line(feed.rows())
    assert not tape["subtick"].values.any() and not tape["order_id"].values.any()
    assert set((tape["local_ts"] - tape["exch_ts"]).values.tolist()) == {500_000}
    contract = json.loads(tape.attrs["contracts"])[0]
    assert (contract["symbol"], contract["lot"], contract["currency"]) == (
        "BTCUSDT", "0.001", "USDT")  # fmt: skip
    assert contract["ladders"][0]["steps"] == [{"from_price": "0", "tick": "0.1"}]
    assert tape.attrs["date"] == "2024-08-09"
    tickers = sum(line.stream == "bookTicker" for line in feed.lines)
    assert counts_of(tape)["book_tickers"] == tickers > 0
    assert counts_of(tape)["lines"] == len(feed.lines)


def test_the_book_is_the_true_one_at_the_end(tmp_path) -> None:
    feed = Feed(4)
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for _, kind, side, tick, size in rows_of(read(write(tmp_path, feed.text()))):
        if kind == RowKind.CLEAR:
            book[side] = {t: n for t, n in book[side].items() if t * side < tick * side}
        elif kind != RowKind.TRADE:
            book[side].pop(tick, None)
            if size:
                book[side][tick] = size
    for side in (1, -1):
        assert len(book[side]) >= 20
        assert all(feed.book[side][tick] == size for tick, size in book[side].items())


def test_gzip_several_members_and_the_plain_log_are_the_same(tmp_path) -> None:
    feed = Feed(5)
    text = feed.text().encode()
    plain = read(write(tmp_path, feed.text()))
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    assert rows_of(read_tape("binance", path)) == rows_of(plain)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 3 // 4])
    with pytest.raises(DataError, match=r"end early.*x\.gz, row"):
        read(path)
    part = read(path, lenient=True)
    assert counts_of(part)["quarantined"] == 1
    assert 100 < part.sizes["event"] < plain.sizes["event"]


def test_the_recorded_clock_is_shifted_to_a_small_latency(tmp_path) -> None:
    feed = Feed(6)
    path = write(tmp_path, feed.text())
    tape = read(path, clock="recorded")
    lag = [line.local - line.ms * 10**6 for line in feed.lines if line.stream != "bookTicker"]
    shift = 500_000 - min(lag)
    assert counts_of(tape)["clock_shift_ns"] == shift
    assert abs(shift - BEHIND_NS) < 10_000_000
    wanted = [feed.lines[row[1]].local + shift for row in feed.rows()]
    assert tape["local_ts"].values.tolist() == wanted
    assert (tape["local_ts"] - tape["exch_ts"]).values.min() == 500_000
    order = tape["local_order"].values
    assert (np.diff(tape["local_ts"].values[order]) >= 0).all()
    assert any("behind" in note for note in json.loads(tape.attrs["notes"]))
    for line in feed.lines:
        line.local += 2 * BEHIND_NS
    right = read(write(tmp_path, feed.text()), clock="recorded")
    assert counts_of(right)["clock_shift_ns"] == 0
    assert right["local_ts"].values.tolist() == [feed.lines[row[1]].local for row in feed.rows()]


def test_grids_are_found_or_given(tmp_path) -> None:
    feed = Feed(7, tick="0.01")
    path = write(tmp_path, feed.text())
    assert rows_of(read(path)) == without_line(feed.rows())
    fine = read(path, tick="0.005", lot="0.0001", symbol="BTCUSDT", date="2024-08-01", venue="X")
    assert [(t // 2, s // 10) for _, _, _, t, s in rows_of(fine)] == [
        row[4:] for row in feed.rows()
    ]
    assert fine.attrs["date"] == "2024-08-01"
    with pytest.raises(DataError, match=r"off the tick grid.*row"):
        read(path, tick="0.1")
    with pytest.raises(DataError, match=r"no whole number of lots.*row"):
        read(path, lot="0.01")
    with pytest.raises(DataError, match="no messages of 'ETHUSDT'"):
        read(path, symbol="ETHUSDT")
    for options in ({"clock": "sun"}, {"feed_latency_ns": 0}):
        with pytest.raises(UsageError):
            read(path, **options)


def test_a_trade_may_be_off_the_grid(tmp_path) -> None:
    feed = Feed(8)
    trade = next(line for line in feed.lines if line.stream == "trade")
    trade.message["p"] = "500.07"
    tape = read(write(tmp_path, feed.text()))
    odd = tape.isel(event=np.flatnonzero(tape["subtick"].values))
    assert odd["tick"].values.tolist() == [5_000]
    assert odd["subtick"].values.tolist() == pytest.approx([0.7])


def test_one_of_several_symbols_is_chosen(tmp_path) -> None:
    one, other = Feed(9), Feed(10, symbol="ETHUSDT")
    lines = [line for line in other.lines if line.stream != "snapshot"]
    text = "".join(
        f"{line.text()}\n" for line in sorted(one.lines + lines, key=lambda line: line.local)
    )
    path = write(tmp_path, text)
    with pytest.raises(UsageError, match="2 symbols: BTCUSDT, ETHUSDT"):
        read(path)
    tape = read(path, symbol="BTCUSDT")
    assert rows_of(tape) == without_line(one.rows())
    makes_rows = sum(line.stream != "bookTicker" for line in lines)
    assert counts_of(tape)["other_symbols"] == makes_rows


def test_other_messages_are_counted(tmp_path) -> None:
    feed = Feed(11)
    wanted = without_line(feed.rows())
    trade = next(line for line in feed.lines if line.stream == "trade")
    extra = Line(trade.local, trade.ms, trade.message | {"X": "INSURANCE_FUND"})
    mark = Line(trade.local, trade.ms, {"e": "markPriceUpdate", "s": "BTCUSDT", "p": "1"})
    at = feed.lines.index(trade)
    feed.lines[at:at] = [extra, mark]
    tape = read(write(tmp_path, feed.text() + f'{feed.lines[-1].local} {{"result":null}}\n'))
    assert rows_of(tape) == wanted
    assert counts_of(tape)["other_trades"] == 1 and counts_of(tape)["other_messages"] == 2
    assert any("markPriceUpdate" in note for note in json.loads(tape.attrs["notes"]))


def pick(feed: Feed, stream: str, skip: int = 40) -> int:
    return [i for i, line in enumerate(feed.lines) if line.stream == stream][skip]


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
    "garbage": ("depthUpdate", edit_level(0, "5OO.10"), "a price is not a number"),
    "zero price": ("depthUpdate", edit_level(0, "0.00"), "a price is not positive"),
    "zero trade": ("trade", edit("q", "0.000"), "a trade has size 0"),
    "no levels": ("depthUpdate", edit("b", None), "field 'b' of a depthUpdate is missing"),
    "level": ("depthUpdate", edit("a", [["500.10"]]), "not a pair of price and size"),
    "ids": ("depthUpdate", edit("U", 10**15), "is after the last"),
    "huge": ("trade", edit("q", "9000000.000"), "beyond the int32 lots"),
    "crossed": ("depthUpdate", edit("a", [["100.00", "1.000"]]), "the book is crossed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_named_or_set_aside(tmp_path, name) -> None:
    stream, change, reason = BAD[name]
    feed = Feed(15)
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


def test_the_neutral_file_has_the_same_rows(real_data) -> None:
    tape = read(real_data("binance/usdm_btcusdt_20240808.gz"))
    with np.load(real_data("binance/usdm_btcusdt_20240808_neutral.npz")) as peer:
        for ours, theirs in (
            ("exch_ts", "exch_ts"), ("local_ts", "local_ts"), ("kind", "kind"), ("side", "side"),
            ("tick", "px_tick"),
        ):  # fmt: skip
            np.testing.assert_array_equal(tape[ours].values, peer[theirs])
        np.testing.assert_array_equal(tape["size"].values / 1000, peer["qty"])
    assert counts_of(tape)["book_tickers"] == 66_089
    assert 1_272_000_000 < counts_of(tape)["clock_shift_ns"] < 1_273_000_000
