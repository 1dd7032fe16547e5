"""Reads a journal back, and puts a torn tail aside."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmquant.data.store.journal import Tail
from mmquant.data.store.journal_format import (
    FRAME,
    FRAME_BYTES,
    FRAME_SEQUENCE_AT,
    HEADER_BYTES,
    SUFFIX,
    Frame,
    Header,
    layout_digest,
    parse_header,
    read_frame,
)
from mmquant.errors import DataError

QUARANTINE = "quarantine"


@dataclass
class Segment:
    """One file of a journal; ``end`` is the byte behind its last whole frame."""

    path: Path
    header: Header
    end: int
    size: int
    last_sequence: int
    last_chain: int

    @property
    def torn(self) -> int:
        """Bytes behind the last whole frame."""
        return self.size - self.end

    def frames(self, after: int = 0) -> Iterator[Frame]:
        """Its whole frames with a sequence above ``after``, in order."""
        with self.path.open("rb") as file:
            data = memoryview(file.read(self.end))
        at, chain, sequence = HEADER_BYTES, self.header.chain, self.header.first_sequence
        while True:
            found = read_frame(data, at, chain, sequence)
            if found is None:
                return
            frame, chain = found
            at += FRAME_BYTES + payload_bytes(frame)
            sequence += 1
            if frame.sequence > after:
                yield frame


def payload_bytes(frame: Frame) -> int:
    """Length of a frame's payload."""
    return len(frame.data) + frame.messages.nbytes + frame.actions.nbytes


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a journal, in order. Raises DataError where one is missing."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    numbers = [int(path.stem) for path in paths]
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        missing = next(i for i, n in enumerate(numbers, 1) if n != i)
        raise DataError(f"segment {missing} of the journal is missing", where=str(folder))
    return paths


def scan_segment(path: Path) -> Segment | None:
    """Check a segment frame by frame; None where its header is not whole.

    Raises DataError where it was written by another layout of rows, or where whole frames follow
    one that is not: that is damage, and no write that was cut off.
    """
    data = memoryview(path.read_bytes())
    header = parse_header(bytes(data[:HEADER_BYTES]))
    if header is None:
        if is_followed(data, HEADER_BYTES):
            raise DataError("the header of a segment of the journal is damaged", where=str(path))
        return None
    if header.layout != layout_digest():
        raise DataError(
            "the journal has another layout of messages",
            where=str(path),
            fix="use the version of mmquant that wrote it",
        )
    at, chain, sequence = HEADER_BYTES, header.chain, header.first_sequence
    while (found := read_frame(data, at, chain, sequence)) is not None:
        frame, chain = found
        at += FRAME_BYTES + payload_bytes(frame)
        sequence += 1
    if is_followed(data, at, sequence, chain):
        raise DataError(
            f"frame {sequence} of the journal is damaged, and whole ones follow it",
            where=f"{path}, byte {at}",
            fix="restore the file; or cut it off there, and let the broker tell what came after",
        )
    return Segment(path, header, at, len(data), sequence - 1, chain)


def is_followed(data: memoryview, at: int, sequence: int = 0, chain: int = 0) -> bool:
    """Whether a whole frame comes behind the one at an offset (0: of any sequence), which is not.

    A checksum runs on from the one before it. That of the damaged frame is taken as it was written
    and as it comes out now; where it fails both ways, the frame after the next one is a proof.
    """
    if at + FRAME_BYTES > len(data):
        return False
    written, length, number, *_ = FRAME.unpack_from(data, at)
    after = (sequence or number) + 1
    end = at + FRAME_BYTES + length
    chains = (written, zlib.crc32(data[at + 4 : end], chain))
    for start in (end, *_starts(bytes(data[at:]), at, after)):
        if any(read_frame(data, start, one, after) is not None for one in chains):
            return True
        if start + FRAME_BYTES <= len(data):
            own, size, number, *_ = FRAME.unpack_from(data, start)
            behind = start + FRAME_BYTES + size
            if number == after and read_frame(data, behind, own, after + 1) is not None:
                return True
    return False


def _starts(rest: bytes, at: int, sequence: int) -> Iterator[int]:
    """Where a frame of this sequence could begin."""
    text = (sequence % 2**64).to_bytes(8, "little")
    found = rest.find(text, FRAME_BYTES)
    while found >= 0:
        yield at + found - FRAME_SEQUENCE_AT
        found = rest.find(text, found + 1)


def read_journal(folder: Path, *, last_only: bool = False) -> list[Segment]:
    """All segments of a journal, or the last one that begins with a whole checkpoint.

    Only the end of the last segment may be torn. Raises DataError where there is no journal, one
    is damaged before its end, or the segments do not follow each other.
    """
    paths = segment_paths(folder)
    found: list[Segment] = []
    for number, path in enumerate(reversed(paths)):
        segment = scan_segment(path)
        if segment is None or segment.last_sequence < segment.header.first_sequence:
            if number:
                raise DataError("a segment of the journal is damaged", where=str(path))
            continue
        if found:
            _check_link(segment, found[-1])
        found.append(segment)
        if last_only:
            break
    if not found:
        raise DataError("there is no journal here", where=str(folder))
    return found[::-1]


def _check_link(before: Segment, after: Segment) -> None:
    follows = after.header.first_sequence == before.last_sequence + 1
    if not follows or after.header.chain != before.last_chain or before.torn:
        raise DataError(
            f"frame {before.last_sequence + 1} of the journal is damaged",
            where=f"{before.path}, byte {before.end}",
        )


def put_torn_aside(folder: Path) -> list[str]:
    """Move what was torn off at the end into ``quarantine``; returns what was done, in words.

    Safe to repeat: a second call finds nothing.
    """
    done: list[str] = []
    last = read_journal(folder, last_only=True)[0]
    for path in segment_paths(folder)[last.header.segment :]:
        done.append(f"{path.name}: {path.stat().st_size} bytes of a segment without a checkpoint")
        _keep(path, path.read_bytes())
        path.unlink()
    if last.torn:
        done.append(f"{last.path.name}: {last.torn} bytes behind frame {last.last_sequence}")
        _keep(last.path, last.path.read_bytes()[last.end :])
        os.truncate(last.path, last.end)
    return done


def _keep(path: Path, data: bytes) -> None:
    folder = path.parent / QUARANTINE
    folder.mkdir(exist_ok=True)
    number = 1
    while (target := folder / f"{path.stem}.{number}.torn").exists():
        number += 1
    with target.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def tail_of(segment: Segment) -> Tail:
    """Where the next segment goes on."""
    return Tail(segment.header.segment, segment.last_sequence, segment.last_chain)
