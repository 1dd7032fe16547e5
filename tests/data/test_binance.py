"""Raw Binance logs against a feed whose book is known."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from mmquant.core.dtypes import RowKind
from mmquant.data.readers import read_tape
from mmquant.data.readers.binance import read
from mmquant.errors import DataError, UsageError
from tests.data.binance_feed import (
    BEHIND_NS,
    Feed,
    Line,
    counts_of,
    rows_of,
    without_line,
    write,
)


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
