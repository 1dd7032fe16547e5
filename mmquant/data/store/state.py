"""A state of arrays as bytes and back: checkpoints of the local half."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from mmquant.errors import DataError

_LENGTH = struct.Struct("<Q")
SCRATCH = frozenset({"fill_log", "order_log", "instruction_log", "path_log", "log", "quote"})
"""Buffers that hold nothing between two messages, once the logs are drained."""
GROWING = frozenset({"book.level", "book.far", "executed"})
"""Arrays that become longer when they are full."""


def pack_state(state: Any) -> bytes:
    """All arrays of a (nested) NamedTuple but SCRATCH, with their names, layouts and shapes."""
    return b"".join(state_parts(state))


def state_parts(state: Any) -> list[bytes | memoryview]:
    """The bytes of ``pack_state`` in pieces, without a copy: they hold until the state changes."""
    arrays = dict(_arrays(state))
    names = [[name, _layout(array), list(array.shape)] for name, array in arrays.items()]
    head = json.dumps(names).encode()
    parts: list[bytes | memoryview] = [_LENGTH.pack(len(head)) + head]
    for array in arrays.values():
        if array.size:
            raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            parts.append(memoryview(raw))  # type: ignore[arg-type]
    return parts


def unpack_state(data: bytes, like: Any) -> Any:
    """The packed state, with the SCRATCH of ``like``; GROWING arrays may have another length.

    Raises DataError where names, layouts or shapes are not those of ``like``.
    """
    start = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    found: dict[str, np.ndarray] = {}
    known = dict(_arrays(like))
    for name, layout, shape in json.loads(data[_LENGTH.size : start]):
        array = known.get(name)
        if (
            array is None
            or _layout(array) != layout
            or (tuple(shape) != array.shape and name not in GROWING)
        ):
            raise DataError(
                f"the checkpoint's {name!r} is not laid out as this run's",
                fix="use the configuration and the version of mmquant that wrote it",
            )
        # Bytes are copied as they are: numpy's copy of records leaves out their padding.
        size = int(np.prod(shape, dtype=np.int64)) * array.dtype.itemsize
        raw = bytearray(data[start : start + size])
        found[name] = np.frombuffer(raw, array.dtype).reshape(shape)
        start += size
    if found.keys() != known.keys():
        raise DataError("the checkpoint lacks " + ", ".join(known.keys() - found.keys()))
    return _rebuilt(like, "", found)


def _arrays(state: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name in state._fields:
        value = getattr(state, name)
        if hasattr(value, "_fields"):
            yield from _arrays(value, f"{prefix}{name}.")
        elif name not in SCRATCH:
            yield prefix + name, value


def _rebuilt(like: Any, prefix: str, found: dict[str, np.ndarray]) -> Any:
    values = {}
    for name in like._fields:
        value = getattr(like, name)
        if hasattr(value, "_fields"):
            values[name] = _rebuilt(value, f"{prefix}{name}.", found)
        elif prefix + name in found:
            values[name] = found[prefix + name]
    return like._replace(**values)


def _layout(array: np.ndarray) -> str:
    text = repr((array.dtype.descr, array.dtype.itemsize))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
