"""Layout of the live journal's files: a header, then frames, each with a checksum.

All numbers are little-endian. A frame's checksum runs on from that of the frame before it, over
segment borders too, so a frame that is lost, swapped or changed is seen.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import ACTION, MSG
from mmquant.core.jit import CACHE_DIR

MAGIC = b"MMQJRNL\0"
VERSION = 1
SUFFIX = ".mmj"
_HEADER = struct.Struct("<8sIIQIIq16s16s32s64sI")
HEADER_BYTES = _HEADER.size
FRAME = struct.Struct("<IIQIIII")
"""checksum, bytes of the payload, sequence, FrameKind, messages, actions, 0."""
FRAME_BYTES = FRAME.size
FRAME_SEQUENCE_AT = 8
"""Where the sequence is in a frame's header."""
MOST_BYTES = 1 << 30
"""No payload is longer: what says so is no frame."""


class FrameKind(IntEnum):
    """What a frame holds."""

    STEP = 1
    """MSG rows, then the ACTION rows that the last of them caused."""
    CHECKPOINT = 2
    """The state of the local half, packed; the first frame of each segment."""
    NOTE = 3
    """A sentence for people."""
    END = 4
    """The run ended in order."""


class Header(NamedTuple):
    """First bytes of a segment. ``chain`` is the checksum that the last segment ended with."""

    segment: int
    first_sequence: int
    chain: int
    start_ns: int
    layout: bytes
    code: bytes
    config: bytes
    run: str


class Frame(NamedTuple):
    """One frame. ``data`` is the payload of those that are no STEP."""

    sequence: int
    kind: int
    messages: np.ndarray
    actions: np.ndarray
    data: bytes


def layout_digest() -> bytes:
    """16 bytes that change with the layout of a MSG or an ACTION row."""
    text = repr((MSG.descr, MSG.itemsize, ACTION.descr, ACTION.itemsize))
    return hashlib.sha256(text.encode()).digest()[:16]


def make_header(
    *, segment: int, first_sequence: int, chain: int, start_ns: int, config: bytes, run: str
) -> bytes:
    """The bytes of a header; ``config`` is a digest of 32 bytes, ``run`` at most 64 bytes."""
    body = _HEADER.pack(
        MAGIC,
        VERSION,
        segment,
        first_sequence,
        chain,
        0,
        start_ns,
        layout_digest(),
        CACHE_DIR.name.encode(),
        config,
        run.encode(),
        0,
    )
    return body[:-4] + zlib.crc32(body[:-4]).to_bytes(4, "little")


def parse_header(data: bytes) -> Header | None:
    """The header at the start of a file, or None if there is none that is whole."""
    if len(data) < HEADER_BYTES or data[:8] != MAGIC:
        return None
    if zlib.crc32(data[: HEADER_BYTES - 4]) != int.from_bytes(
        data[HEADER_BYTES - 4 : HEADER_BYTES], "little"
    ):
        return None
    _, version, segment, first, chain, _, start, layout, code, config, run, _ = _HEADER.unpack_from(
        data
    )
    if version != VERSION:
        return None
    return Header(segment, first, chain, start, layout, code, config, run.rstrip(b"\0").decode())


def seal_frame(
    buffer: bytearray, end: int, chain: int, sequence: int, kind: int, messages: int, actions: int
) -> int:
    """Write the header of the frame that fills ``buffer[:end]``; returns its checksum."""
    length = end - FRAME_BYTES
    FRAME.pack_into(buffer, 0, 0, length, sequence, kind, messages, actions, 0)
    with memoryview(buffer) as view:
        chain = zlib.crc32(view[4:end], chain)
    buffer[:4] = chain.to_bytes(4, "little")
    return chain


def seal_parts(
    head: bytearray, parts: Sequence[bytes | memoryview], chain: int, sequence: int, kind: int
) -> int:
    """Write the header of a frame without rows whose payload is in pieces; returns its checksum."""
    FRAME.pack_into(head, 0, 0, sum(map(len, parts)), sequence, kind, 0, 0, 0)
    chain = zlib.crc32(head[4:], chain)
    for part in parts:
        chain = zlib.crc32(part, chain)
    head[:4] = chain.to_bytes(4, "little")
    return chain


def read_frame(data: memoryview, at: int, chain: int, sequence: int) -> tuple[Frame, int] | None:
    """The frame at an offset and its checksum, or None where none that is whole follows."""
    if at + FRAME_BYTES > len(data):
        return None
    checksum, length, number, kind, messages, actions, _ = FRAME.unpack_from(data, at)
    start, end = at + FRAME_BYTES, at + FRAME_BYTES + length
    if length > MOST_BYTES or end > len(data) or number != sequence:
        return None
    if zlib.crc32(data[at + 4 : end], chain) != checksum:
        return None
    if kind != FrameKind.STEP:
        return Frame(number, kind, NO_MESSAGES, NO_ACTIONS, bytes(data[start:end])), checksum
    if length != messages * MSG.itemsize + actions * ACTION.itemsize:
        return None
    rows = np.frombuffer(data, MSG, messages, start)
    sent = np.frombuffer(data, ACTION, actions, start + messages * MSG.itemsize)
    return Frame(number, kind, rows, sent, b""), checksum


NO_MESSAGES = np.zeros(0, MSG)
NO_ACTIONS = np.zeros(0, ACTION)
