"""The journal's files: what is written comes back, and what is torn is put aside."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from mmquant.core.dtypes import ACTION, MSG, ActionKind, MsgKind, OrderEvent
from mmquant.data.store import journal as journal_module
from mmquant.data.store.journal import FLUSH_ROWS, Journal, JournalError, action_bytes
from mmquant.data.store.journal_format import FrameKind
from mmquant.data.store.journal_reader import (
    put_torn_aside,
    read_journal,
    segment_paths,
    tail_of,
)
from mmquant.data.store.journal_sqlite import export_journal
from mmquant.errors import DataError

pytestmark = pytest.mark.plain


def make(folder: Path, **given) -> Journal:
    options = {"run": "r", "config": b"c" * 32, "start_ns": 0, "checkpoint": [b"state"]}
    return Journal(folder, **(options | given))


def random_rows(rng: np.random.Generator, dtype: np.dtype, n: int) -> np.ndarray:
    """Rows of random bytes, padding aside."""
    rows = np.zeros(n, dtype)
    for name in dtype.names:
        raw = rng.bytes(rows[name].nbytes)
        rows[name] = np.frombuffer(raw, rows[name].dtype).reshape(rows[name].shape)
    return rows


def test_what_is_written_comes_back(tmp_path) -> None:
    rng = np.random.default_rng(1)
    actions = random_rows(rng, ACTION, 40)
    journal = make(tmp_path)
    given = []
    for i in range(200):
        rows = random_rows(rng, MSG, int(rng.integers(1, 90)))
        n = int(rng.integers(0, 3)) * int(rng.integers(0, 20))
        journal.step(rows, action_bytes(actions), n, i)
        given.append((rows, n))
        if i % 60 == 59:
            journal.checkpoint([b"later"], i)
    journal.close()
    segments = read_journal(tmp_path)
    frames = [frame for segment in segments for frame in segment.frames()]
    assert len(segments) == 4
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
    assert frames[-1].kind == FrameKind.END
    steps = [frame for frame in frames if frame.kind == FrameKind.STEP]
    messages = b"".join(frame.messages.tobytes() for frame in steps)
    assert messages == b"".join(rows.tobytes() for rows, _ in given)
    sent = b"".join(frame.actions.tobytes() for frame in steps)
    assert sent == b"".join(actions[:n].tobytes() for _, n in given)
    assert journal.synced_sequence == frames[-1].sequence


def test_actions_are_on_file_when_step_returns_and_messages_wait_for_few(tmp_path) -> None:
    journal = make(tmp_path)
    rows, actions = np.zeros(1, MSG), np.zeros(4, ACTION)
    journal.step(rows, action_bytes(actions), 0, 0)
    assert "1 messages" in journal.could_be_lost()
    journal.step(rows, action_bytes(actions), 2, 0)
    last = list(read_journal(tmp_path)[-1].frames())[-1]
    assert (len(last.messages), len(last.actions)) == (2, 2)
    for _ in range(FLUSH_ROWS):
        journal.step(rows, action_bytes(actions), 0, 0)
    last = list(read_journal(tmp_path)[-1].frames())[-1]
    assert (len(last.messages), len(last.actions)) == (FLUSH_ROWS, 0)
    journal.step(rows, action_bytes(actions), 0, 10**9)
    assert len(list(read_journal(tmp_path)[-1].frames())[-1].messages) == 1
    journal.close()


def test_a_tail_torn_anywhere_is_put_aside_and_gone_on_from(tmp_path) -> None:
    journal = make(tmp_path)
    rows, actions = np.zeros(3, MSG), np.zeros(4, ACTION)
    for _ in range(3):
        journal.step(rows, action_bytes(actions), 2, 0)
    whole = segment_paths(tmp_path)[0].stat().st_size
    journal.step(rows, action_bytes(actions), 2, 0)
    journal.close(in_order=False)
    path = segment_paths(tmp_path)[0]
    data = path.read_bytes()
    for cut in range(whole + 1, len(data)):
        path.write_bytes(data[:cut])
        assert len(put_torn_aside(tmp_path)) == 1
        assert put_torn_aside(tmp_path) == []
        assert path.stat().st_size == whole
        kept = sorted((tmp_path / "quarantine").iterdir())[-1]
        assert kept.read_bytes() == data[whole:cut]
        kept.unlink()
    (last,) = read_journal(tmp_path)
    after = make(tmp_path, tail=tail_of(last))
    after.step(rows, action_bytes(actions), 1, 0)
    after.close()
    assert [s.header.segment for s in read_journal(tmp_path)] == [1, 2]


def test_a_segment_without_a_whole_checkpoint_is_put_aside(tmp_path) -> None:
    journal = make(tmp_path)
    journal.step(np.zeros(1, MSG), action_bytes(np.zeros(1, ACTION)), 1, 0)
    journal.checkpoint([b"x" * 1000], 1)
    journal.close()
    path = segment_paths(tmp_path)[1]
    for size in (300, 40, 0):
        path.write_bytes(path.read_bytes()[:size])
        assert read_journal(tmp_path, last_only=True)[0].header.segment == 1
    assert len(put_torn_aside(tmp_path)) == 1
    assert len(segment_paths(tmp_path)) == 1


def test_a_changed_byte_of_the_only_segment_is_damage_and_not_a_torn_end(tmp_path) -> None:
    """Whole frames behind it must not go with it: what was sent is in them."""
    journal = make(tmp_path)
    rows, actions = np.zeros(3, MSG), np.zeros(4, ACTION)
    for i in range(6):
        journal.step(rows, action_bytes(actions), 2, i)
    last = segment_paths(tmp_path)[0].stat().st_size
    journal.step(rows, action_bytes(actions), 2, 6)
    journal.close(in_order=False)
    path = segment_paths(tmp_path)[0]
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        if at < last:
            for read in (read_journal, put_torn_aside):
                with pytest.raises(DataError, match="damaged"):
                    read(tmp_path)
        else:
            assert read_journal(tmp_path)[0].torn == len(data) - last
    assert not (tmp_path / "quarantine").exists()


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_changed_byte_before_the_end_is_an_error(tmp_path, where) -> None:
    journal = make(tmp_path)
    rows, actions = np.zeros(3, MSG), np.zeros(4, ACTION)
    for i in range(20):
        journal.step(rows, action_bytes(actions), 2, i)
        if i == 9:
            journal.checkpoint([b"state"], i)
    journal.close()
    path = segment_paths(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        read_journal(tmp_path)


def test_a_missing_segment_is_an_error(tmp_path) -> None:
    journal = make(tmp_path)
    journal.checkpoint([b"a"], 1)
    journal.checkpoint([b"b"], 2)
    journal.close()
    segment_paths(tmp_path)[1].unlink()
    with pytest.raises(DataError, match="segment 2"):
        read_journal(tmp_path)


def test_a_full_disk_stops_the_journal_for_good(tmp_path, monkeypatch) -> None:
    journal = make(tmp_path)
    rows, actions = np.zeros(1, MSG), np.zeros(4, ACTION)

    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.write
    monkeypatch.setattr(journal_module.os, "write", full)
    with pytest.raises(JournalError, match="No space left"):
        journal.step(rows, action_bytes(actions), 1, 0)
    monkeypatch.setattr(journal_module.os, "write", real)
    with pytest.raises(JournalError):
        journal.step(rows, action_bytes(actions), 1, 0)
    journal.close()
    assert all(frame.kind != FrameKind.END for frame in read_journal(tmp_path)[-1].frames())


def test_an_export_goes_on_where_it_was_and_takes_nothing_twice(tmp_path) -> None:
    folder, database = tmp_path / "journal", tmp_path / "journal.sqlite"
    journal = make(folder)
    actions = np.zeros(4, ACTION)
    actions["kind"] = [ActionKind.PLACE, ActionKind.PLACE, ActionKind.CANCEL, ActionKind.ALERT]
    actions["order_id"], actions["lots"] = [17, 18, 17, 0], [5, 6, 5, 0]
    rows = np.zeros(2, MSG)
    rows["kind"], rows["event"] = int(MsgKind.ORDER), int(OrderEvent.EXECUTION)
    rows["order_id"], rows["seq"], rows["lots"], rows["price"] = 18, [7, 8], [2, 3], 10.5
    journal.step(rows, action_bytes(actions), 4, 0)
    assert export_journal(folder, database) == 2
    assert export_journal(folder, database) == 0
    revised = rows[:1].copy()
    revised["event"], revised["reason"] = int(OrderEvent.CORRECTION), 1
    revised["lots"] = 1
    journal.step(np.concatenate([revised, rows]), action_bytes(actions), 0, 10**9)
    journal.note("a sentence")
    journal.close()
    assert export_journal(folder, database) == 3
    with sqlite3.connect(database) as db:
        fills = db.execute("SELECT execution_id, revision, lots FROM fills ORDER BY 1").fetchall()
        orders = db.execute("SELECT order_id, last_event FROM orders ORDER BY 1").fetchall()
        counts = [
            db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("actions", "alerts", "order_events", "notes")
        ]
    db.close()
    assert fills == [(7, 1, 1), (8, 0, 3)]
    assert orders == [(17, "CANCEL"), (18, "EXECUTION")]
    assert counts == [3, 1, 5, 1]
