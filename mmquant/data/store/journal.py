"""The live journal: all messages and actions of a run, in order, written ahead of what is sent.

One ``write()`` a step hands the intent of all its actions, with the messages up to the one that
caused them, to the kernel before anything is sent: it survives the death of the process. A thread
syncs to the disk against the loss of power. Layout: ``journal_format``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.dtypes import ACTION, MSG
from mmquant.data.store.journal_format import (
    FRAME_BYTES,
    SUFFIX,
    FrameKind,
    make_header,
    seal_frame,
    seal_parts,
)
from mmquant.data.store.journal_sync import Syncer
from mmquant.errors import MMQuantError

FLUSH_ROWS = 64
"""Messages that caused nothing wait in memory until so many have come."""
FLUSH_NS = 100_000_000
"""Or until the first of them is so old, by the broker's clock."""


class JournalError(MMQuantError):
    """The journal cannot be written: nothing more may be sent but cancels."""


class Tail:
    """Where a journal ends, for what comes next."""

    def __init__(self, segment: int = 0, sequence: int = 0, chain: int = 0) -> None:
        self.segment, self.sequence, self.chain = segment, sequence, chain


class Journal:
    """Writes the journal of a run. The first frame of each segment is a checkpoint."""

    def __init__(
        self,
        folder: Path,
        *,
        run: str,
        config: bytes,
        start_ns: int,
        checkpoint: Sequence[bytes | memoryview],
        tail: Tail | None = None,
        sync_ms: float = 50.0,
        rotate_bytes: int = 64 << 20,
        checkpoint_ns: int = 60_000_000_000,
    ) -> None:
        tail = tail or Tail()
        self.folder, self.rotate_bytes, self.checkpoint_ns = folder, rotate_bytes, checkpoint_ns
        self._identity = {"run": run, "config": config, "start_ns": start_ns}
        self._segment, self.sequence, self._chain = tail.segment, tail.sequence, tail.chain
        self._buffer = bytearray(FRAME_BYTES + 4096 * MSG.itemsize)
        self._end, self._rows, self._flushed_ns = FRAME_BYTES, 0, start_ns
        self._fd, self._size, self._checkpoint_due = -1, 0, start_ns + checkpoint_ns
        self.failed = False
        folder.mkdir(parents=True, exist_ok=True)
        self._sync = Syncer(folder, sync_ms)
        self._open(checkpoint)

    @property
    def synced_sequence(self) -> int:
        """Last frame that is safe on the disk; the later ones would be lost with the power."""
        return self._sync.synced

    def could_be_lost(self) -> str:
        """What a loss of power, or of the process, would take away now."""
        frames = self.sequence - self.synced_sequence
        return (
            f"power: {frames} frames after number {self.synced_sequence}; "
            f"process: {self._rows} messages that caused nothing"
        )

    def step(self, messages: np.ndarray, actions: memoryview, n: int, ts: int) -> None:
        """Keep messages, the last of which caused the first ``n`` of ``actions`` (their bytes).

        With actions all is written before this returns; without, at the latest when FLUSH_ROWS
        wait or FLUSH_NS are over. Raises JournalError where nothing can be written.
        """
        data = messages.tobytes()
        end = self._end + len(data)
        size = n * ACTION.itemsize
        if end + size > len(self._buffer):
            self._buffer.extend(bytes(end + size))
        self._buffer[self._end : end] = data
        self._end = end
        self._rows += len(messages)
        if n:
            self._buffer[end : end + size] = actions[:size]
            self._end = end + size
            self._write(FrameKind.STEP, n)
        elif self._rows >= FLUSH_ROWS or ts - self._flushed_ns >= FLUSH_NS:
            self._write(FrameKind.STEP, 0)
            self._flushed_ns = ts

    def flush(self) -> None:
        """Write what waits."""
        if self._rows:
            self._write(FrameKind.STEP, 0)

    def note(self, text: str) -> None:
        """Write a sentence for people."""
        self.flush()
        self._put(FrameKind.NOTE, [text.encode()])

    def wants_checkpoint(self, ts: int) -> bool:
        """Whether a new segment is due: by time, or by what was written since the last one."""
        return self._size >= self.rotate_bytes or ts >= self._checkpoint_due

    def checkpoint(self, state: Sequence[bytes | memoryview], ts: int) -> None:
        """Begin a new segment with the state of the local half as it is now."""
        self.flush()
        self._checkpoint_due = ts + self.checkpoint_ns
        self._open(state)

    def close(self, *, in_order: bool = True) -> None:
        """Write what waits, and sync; ``in_order`` notes the end of the run."""
        try:
            if not self.failed:
                self.flush()
                if in_order:
                    self._put(FrameKind.END, [])
        finally:
            fd, self._fd = self._fd, -1
            self._sync.close(fd)

    def _open(self, state: Sequence[bytes | memoryview]) -> None:
        self._segment += 1
        path = self.folder / f"{self._segment:06d}{SUFFIX}"
        header = make_header(
            segment=self._segment,
            first_sequence=self.sequence + 1,
            chain=self._chain,
            **self._identity,  # type: ignore[arg-type]
        )
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            os.write(fd, header)
        except OSError as error:
            raise self._failure(error) from error
        old, self._fd = self._fd, fd
        self._sync.follow(fd, old)
        self._put(FrameKind.CHECKPOINT, state)
        self._size = 0

    def _put(self, kind: FrameKind, parts: Sequence[bytes | memoryview]) -> None:
        """A frame that is no step, from where its bytes are; nothing waits before it."""
        head, sequence = bytearray(FRAME_BYTES), self.sequence + 1
        chain = seal_parts(head, parts, self._chain, sequence, kind)
        self._hand_over([head, *parts], sequence, chain)

    def _write(self, kind: FrameKind, actions: int) -> None:
        """One frame by one ``write()``."""
        end, sequence = self._end, self.sequence + 1
        chain = seal_frame(self._buffer, end, self._chain, sequence, kind, self._rows, actions)
        with memoryview(self._buffer) as view, view[:end] as frame:
            self._hand_over([frame], sequence, chain)
        self._end, self._rows = FRAME_BYTES, 0

    def _hand_over(self, parts: Sequence[Any], sequence: int, chain: int) -> None:
        """Give a frame to the kernel by one call."""
        if self.failed or self._sync.error is not None:
            raise self._failure(self._sync.error)
        size = sum(map(len, parts))
        try:
            written = (
                os.write(self._fd, parts[0]) if len(parts) == 1 else os.writev(self._fd, parts)
            )
        except OSError as error:
            raise self._failure(error) from error
        if written != size:
            raise self._failure(None)
        self._chain, self.sequence = chain, sequence
        self._size += size
        self._sync.written = sequence

    def _failure(self, error: OSError | None) -> JournalError:
        self.failed = True
        why = error.strerror if error is not None else "only a part was written"
        return JournalError(
            f"the journal cannot be written ({why}): nothing more is sent but cancels",
            where=str(self.folder),
            fix="make room on the disk, then start the same run again",
        )


def action_bytes(actions: np.ndarray) -> memoryview:
    """The bytes of ACTION rows, as they are at any time."""
    return memoryview(actions.view(np.uint8))  # type: ignore[arg-type]
