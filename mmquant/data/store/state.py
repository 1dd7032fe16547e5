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
SPARSE = frozenset({"executed"})
"""Tables of which only the rows in use are packed, each with its place."""
PLACE = np.dtype(np.int64)


def pack_state(state: Any) -> bytes:
    """All arrays of a (nested) NamedTuple but SCRATCH, with their names, layouts and shapes."""
    return b"".join(state_parts(state))


def state_parts(state: Any) -> list[bytes | memoryview]:
    """The bytes of ``pack_state`` in pieces, without a copy: they hold until the state changes."""
    names: list[list[Any]] = []
    parts: list[bytes | memoryview] = []
    for name, array in _arrays(state):
        packed = [np.ascontiguousarray(array)]
        if name in SPARSE:
            used = np.flatnonzero(array["used"])
            packed = [used.astype(PLACE), _bytes_of(array).reshape(len(array), -1)[used]]
        names.append([name, _layout(array), list(array.shape), sum(one.nbytes for one in packed)])
        parts += [memoryview(_bytes_of(one)) for one in packed if one.size]  # type: ignore[arg-type]
    head = json.dumps(names).encode()
    return [_LENGTH.pack(len(head)) + head, *parts]


def unpack_state(data: bytes, like: Any) -> Any:
    """The packed state, with the SCRATCH of ``like``; GROWING arrays may have another length.

    Raises DataError where names, layouts or shapes are not those of ``like``.
    """
    start = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    found: dict[str, np.ndarray] = {}
    known = dict(_arrays(like))
    for name, layout, shape, size in json.loads(data[_LENGTH.size : start]):
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
        given = data[start : start + size]
        if name in SPARSE:
            found[name] = _unpack_rows(given, array.dtype, shape[0])
        else:
            found[name] = np.frombuffer(bytearray(given), array.dtype).reshape(shape)
        start += size
    if found.keys() != known.keys():
        raise DataError("the checkpoint lacks " + ", ".join(known.keys() - found.keys()))
    return _rebuilt(like, "", found)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    """The bytes of an array as they are: numpy's copy of records leaves out their padding."""
    return array.reshape(-1).view(np.uint8)


def _unpack_rows(data: bytes, dtype: np.dtype, rows: int) -> np.ndarray:
    """A table of ``rows`` with the packed ones in their places."""
    used = len(data) // (PLACE.itemsize + dtype.itemsize)
    places = np.frombuffer(data, PLACE, used)
    raw = np.full((rows, dtype.itemsize), 0, np.uint8)
    raw[places] = np.frombuffer(data, np.uint8, offset=places.nbytes).reshape(used, dtype.itemsize)
    return raw.reshape(-1).view(dtype)


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
