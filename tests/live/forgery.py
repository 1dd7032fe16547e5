"""Journals with right checksums and wrong content."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from mmquant.core.dtypes import ACTION, MSG
from mmquant.data.store.journal_format import FRAME, FRAME_BYTES, HEADER_BYTES


def change_first_action(path: Path) -> None:
    """Add a lot to the first action, and make all checksums fit."""
    data = bytearray(path.read_bytes())
    at, chain, changed = HEADER_BYTES, 0, False
    while at < len(data):
        _, length, _, _, messages, actions, _ = FRAME.unpack_from(data, at)
        if actions and not changed:
            start = at + FRAME_BYTES + messages * MSG.itemsize
            np.frombuffer(data, ACTION, actions, start)["lots"][0] += 1
            changed = True
        end = at + FRAME_BYTES + length
        chain = zlib.crc32(data[at + 4 : end], chain)
        data[at : at + 4] = chain.to_bytes(4, "little")
        at = end
    path.write_bytes(data)
