"""The recorder at the gateway: it writes what was told, a kill loses little, and it backtests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.data.store.recording import (
    DEPTH,
    GAPS,
    QUOTES,
    SCHEMAS,
    TAPE,
    TRADES,
    Header,
    RecordingWriter,
    parts_of,
    read_growing,
    read_table,
)
from mmquant.data.store.recording_gaps import gaps_of
from mmquant.errors import DataError, LockedError, UsageError
from mmquant.gateway.faults import WireFault
from mmquant.live.recorder import Recorder
from tests.brokers.venues import DATE, MS, WireVenue, book, option, stock, trade

CONTRACTS = [stock(), option(1, 190.0, "C"), option(2, 190.0, "P")]


def market(seconds: int) -> list:
    """Quotes that move every 100 ms, and a trade every second."""
    rows = [
        *book(0, 18_999, 19_001),
        *book(0, 300, 310, 20, inst=1),
        *book(0, 200, 210, 20, inst=2),
    ]
    for i in range(1, 10 * seconds):
        away = i % 3
        rows += [
            row._replace(lots=300 + 10 * i % 700)
            for row in book(100 * i, 18_999 + 0 * away, 19_001 + away)
        ]
        if i % 10 == 0:
            rows += trade(100 * i + 1, 1, 19_001 + away, 100)
            rows += book(100 * i + 2, 300, 310, 20 + i, inst=1)
    return rows


class Recorded:
    """A recorder at a gateway whose time the test moves."""

    def __init__(self, folder: Path, rows: list, contracts: list = CONTRACTS, **given) -> None:
        self.venue = WireVenue(rows, contracts, trades=[0], **given)
        self.folder, self.contracts = folder, contracts
        self.writer = RecordingWriter(folder, Header(tuple(contracts), DATE, {}))
        # The venue has opened its broker: it is opened again, so that all is heard.
        self.venue.broker.link.close()
        broker = self.venue.broker
        opened = type(broker).open
        recorders: list[Recorder] = []

        def hearing(one) -> None:
            recorders.append(Recorder(one, self.writer, len(contracts), ["DU1234567"]))
            self.venue.take = recorders[-1].take  # type: ignore[method-assign]
            opened(one)

        type(broker).open = hearing  # type: ignore[method-assign]
        try:
            self.venue._broker()
        finally:
            type(broker).open = opened  # type: ignore[method-assign]
        self.recorder = recorders[0]

    def advance(self, ms: float, step: float = 50) -> None:
        for _ in range(round(ms / step)):
            self.venue.advance(step)

    def close(self) -> None:
        self.recorder.run(lambda: True)
        self.venue.close()


@pytest.fixture
def recorded(loop, tmp_path):
    one = Recorded(tmp_path / "r", market(20))
    one.advance(15_000)
    one.close()
    return one


def test_the_tape_has_the_book_that_was_told(tmp_path: Path) -> None:
    one = Recorded(tmp_path / "r", market(20))
    one.advance(9_950)
    one.writer.flush()
    tape = mm.read_tape("parquet", one.folder)
    book: dict[tuple[int, int, int], int] = {}
    names = ("kind", "inst", "side", "tick", "size")
    for kind, inst, side, tick, size in zip(*(tape[n].values.tolist() for n in names), strict=True):
        if kind in (RowKind.DEPTH, RowKind.SNAPSHOT):
            book[inst, side, tick] = size
        elif kind == RowKind.CLEAR:
            book = {key: lots for key, lots in book.items() if key[0] != inst}
    cells = one.venue.broker.feed.cells
    told = {
        (inst, side, tick): lots
        for inst, cell in enumerate(cells)
        for k, side in ((1, 1), (0, -1))
        for tick, lots in cell.levels[k].items()
    }
    assert {key: lots for key, lots in book.items() if lots} == told and len(told) > 8
    trades = tape["kind"].values == RowKind.TRADE
    assert trades.sum() == 9 and (tape["size"].values[trades] == 100).all()
    assert len(set(np.diff(tape["exch_ts"].values) == 0)) == 2, "packets have one time"
    one.close()


def test_raw_operations_rebuild_the_same_book(recorded: Recorded) -> None:
    raw = read_table(recorded.folder, DEPTH).rows.to_pylist()
    sides: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for row in raw:
        rows = sides[row["side"]]
        if row["operation"] == 0:
            rows.insert(row["position"], (row["price"], row["size"]))
        elif row["operation"] == 1:
            rows[row["position"]] = (row["price"], row["size"])
        else:
            del rows[row["position"]]
    shown = recorded.venue.broker.feed.cells[0].levels
    for side in (0, 1):
        raw_levels = {round(price * 100): int(size) for price, size in sides[side]}
        assert raw_levels == shown[side] and len(raw_levels) >= 3
    prints = read_table(recorded.folder, TRADES).rows.to_pylist()
    assert len(prints) == 14 and all(row["size"] == 100.0 for row in prints)


def test_option_quotes_are_what_was_told_at_each_second(recorded: Recorded) -> None:
    ds = mm.read_option_quotes(recorded.folder)
    assert ds.attrs["underlying"] == "AAPL" and ds.attrs["date"] == DATE
    assert ds["right"].values.tolist() == ["C", "P"]
    ticks = read_table(recorded.folder, QUOTES).rows.to_pylist()
    times = ds["time"].values.astype(np.int64).tolist()
    for i, time in list(enumerate(times))[1:-1]:
        for at, inst in ((0, 1), (1, 2)):
            before = [t for t in ticks if t["inst"] == inst and t["ts"] <= time]
            bids = [t["price"] for t in before if t["tick_type"] == 1]
            sizes = [t["size"] for t in before if t["tick_type"] in (0, 1)]
            assert ds["bid"].values[i, at] == bids[-1]
            assert ds["bid_size"].values[i, at] == sizes[-1]
    assert np.nanmax(ds["bid_size"].values[:, 0]) > 100
    assert ds["underlying_ask"].values[-2] >= 190.01


def test_a_gap_is_marked_and_the_book_is_empty_in_it(tmp_path: Path) -> None:
    down = WireFault(kind="link_down", from_ns=3_000 * MS, for_ns=4_000 * MS, data_lost=True)
    one = Recorded(tmp_path / "r", market(20), faults=[down])
    one.advance(15_000)
    one.close()
    tape = mm.read_tape("recording", one.folder)
    gaps = read_table(one.folder, GAPS).rows
    spans = gaps_of(gaps, len(CONTRACTS), 2**62)[0]
    start = one.venue.start
    (begin, end) = next(s for s in spans if s[0] > start)
    assert 2.9e9 < begin - start < 3.2e9 and end - begin > 3.9e9
    mine = tape["inst"].values == 0
    ts, kind = tape["exch_ts"].values[mine], tape["kind"].values[mine]
    assert kind[ts == begin].tolist() == [RowKind.CLEAR]
    assert not ((ts > begin) & (ts < end)).any()
    assert set(kind[ts == end].tolist()) == {RowKind.SNAPSHOT}
    ds = mm.read_option_quotes(one.folder)
    time = ds["time"].values.astype(np.int64)
    assert np.isnan(ds["bid"].values[(time >= begin) & (time < end)]).all()
    assert np.isfinite(ds["bid"].values[-2]).all()
    assert "code 1100" in gaps["what"].to_pylist()


def test_a_torn_part_gives_all_that_was_flushed_before(tmp_path: Path) -> None:
    """Whatever the byte at which a process dies: whole batches are read, in order."""
    one = Recorded(tmp_path / "r", market(8))
    sizes, rows = [], []
    for _ in range(6):
        one.advance(1_000)
        one.writer.flush()
        (growing,) = parts_of(one.folder / TAPE)
        sizes.append(growing.stat().st_size)
        rows.append(one.writer.counts[TAPE])
    whole, _ = read_growing(growing, SCHEMAS[TAPE])
    data, torn = growing.read_bytes(), tmp_path / "torn.growing"
    for length in [
        *range(0, len(data), 97),
        *sizes,
        *(s - 1 for s in sizes),
        *(s + 1 for s in sizes),
    ]:
        torn.write_bytes(data[:length])
        found, left = read_growing(torn, SCHEMAS[TAPE])
        kept = sum(1 for size in sizes if size <= length)
        wanted = rows[kept - 1] if kept else 0
        assert found.num_rows == wanted
        assert found.equals(whole.slice(0, wanted))
        assert left == max(min(length, len(data)) - (sizes[kept - 1] if kept else 0), 0) or not kept
    one.close()


def test_a_killed_recording_is_read_and_gone_on_with(tmp_path: Path) -> None:
    one = Recorded(tmp_path / "r", market(20))
    one.advance(3_000)
    one.writer.flush()
    one.advance(500)
    shutil.copytree(one.folder, tmp_path / "killed")
    before = mm.read_tape("recording", tmp_path / "killed")
    one.close()
    again = Recorded(tmp_path / "killed", market(20))
    again.advance(3_000)
    again.close()
    parts = parts_of(tmp_path / "killed" / TAPE)
    assert [part.name for part in parts] == ["000001.parquet", "000002.parquet"]
    after = mm.read_tape("recording", tmp_path / "killed")
    assert after.sizes["event"] > before.sizes["event"]
    n = before.sizes["event"]
    assert (after["kind"].values[n : n + 3] == RowKind.CLEAR).all(), "nothing is known at its start"
    floor = int(before["exch_ts"].values[-1])
    assert 0 <= int(after["exch_ts"].values[n]) - floor < 1e9, "since when nobody listened"
    gaps = read_table(tmp_path / "killed", GAPS).rows.to_pylist()
    ends = [gap["ts"] for gap in gaps if gap["what"] == "end"]
    assert ends[0] == after["exch_ts"].values[n]
    for name in ("exch_ts", "tick", "size"):
        assert (after[name].values[:n] == before[name].values).all()


def test_rotation_loses_and_repeats_nothing(tmp_path: Path) -> None:
    header = Header(tuple(CONTRACTS), DATE, {})
    writer = RecordingWriter(tmp_path / "r", header)
    for i in range(100):
        writer.add(TAPE, (i, 1, 1, 0, i, 5, 0.0))
        if i % 7 == 0:
            writer.flush()
        if i % 30 == 0:
            writer.rotate()
    writer.close()
    rows = read_table(tmp_path / "r", TAPE).rows
    assert rows["exch_ts"].to_pylist() == list(range(100))
    assert len(parts_of(tmp_path / "r" / TAPE)) == 5
    # A part of which the Parquet is there already is not read twice.
    (tmp_path / "r" / TAPE / "000002.growing").write_bytes(b"")
    assert read_table(tmp_path / "r", TAPE).rows.num_rows == 100
    (tmp_path / "r" / TAPE / "000003.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="a part of the recording is damaged"):
        read_table(tmp_path / "r", TAPE)


def test_a_folder_of_something_else_or_in_use_is_left_alone(tmp_path: Path) -> None:
    header = Header(tuple(CONTRACTS), DATE, {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UsageError, match="something else"):
        RecordingWriter(tmp_path / "other", header)
    writer = RecordingWriter(tmp_path / "r", header)
    with pytest.raises(LockedError):
        RecordingWriter(tmp_path / "r", header)
    writer.close()
    with pytest.raises(UsageError, match="other instruments"):
        RecordingWriter(tmp_path / "r", header._replace(date="2026-09-22"))
    RecordingWriter(tmp_path / "r", header).close()


def test_no_account_is_kept(tmp_path: Path) -> None:
    one = Recorded(tmp_path / "r", market(2))
    one.recorder._heard("error", (-1, 2100, "account DU1234567 is unsubscribed", ""))
    one.close()
    assert b"DU1234567" not in b"".join(
        p.read_bytes() for p in one.folder.rglob("*") if p.is_file()
    )
    texts = read_table(one.folder, GAPS).rows["why"].to_pylist()
    assert "account (account) is unsubscribed" in texts


@pytest.mark.compiled
def test_what_was_recorded_backtests_at_once(recorded: Recorded) -> None:
    config = mm.Config.from_dict({
        "tape": {"path": str(recorded.folder)},
        "strategy": {"name": "maker"},
        "quoting": {"half_spread_ticks": 1, "order_lots": 100},
        "limits": {"max_position_lots": 1000},
    })  # fmt: skip
    run = mm.backtest(config)
    assert run.summary["fills"] > 0
