"""The TWS wire: frames of NUL-ended fields, with a limit on everything that a client sends."""

from __future__ import annotations

import math
from typing import Any

from mmquant.errors import MMQuantError

MIN_VERSION, MAX_VERSION = 157, 178
"""Server versions that are spoken. 178 is the last that ib_async 2.1 knows."""
UNSET_DOUBLE = 1.7976931348623157e308
UNSET_INT = 2**31 - 1
UNSET_TEXT = "1.7976931348623157E308"
MAX_FRAME = 1 << 16
"""Longest frame that a client may send. [bytes]"""
MAX_FIELDS = 2_000
MAX_TEXT = 4_096
"""Longest field of a client. [characters]"""
HELLO = b"API\0"
MAX_HELLO = 256


class WireError(MMQuantError):
    """What a client sent is no message of the protocol."""


def number(value: float) -> str:
    """A number as TWS writes it: whole ones without a point, what is not set as its sentinel."""
    if math.isnan(value) or abs(value) >= UNSET_DOUBLE:
        return UNSET_TEXT
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


def text(value: Any) -> str:
    """A field as it is written."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if value is None:
        return ""
    return number(float(value))


def frame(*fields: Any) -> bytes:
    """One message: its length, then each field and a NUL."""
    body = "".join([text(field) + "\0" for field in fields])
    return framed(body.encode("ascii", "backslashreplace"))


def framed(body: bytes) -> bytes:
    """A body behind its length."""
    return len(body).to_bytes(4, "big") + body


class Framer:
    """Cuts what arrives into frames, however it was split or joined on its way."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies of the frames that are complete now; the first is the client's hello.

        Raises
        ------
        WireError
            where the hello is none, or a frame is empty or too long.
        """
        held = self._held
        held += data
        bodies = []
        at = 0
        if not self._greeted:
            if not HELLO.startswith(bytes(held[:4])):
                raise WireError("the client does not begin with API", fix="speak the TWS protocol")
            if len(held) < len(HELLO):
                return []
            at = len(HELLO)
        while len(held) - at >= 4:
            length = int.from_bytes(held[at : at + 4], "big")
            most = MAX_FRAME if self._greeted else MAX_HELLO
            if not 0 < length <= most:
                raise WireError(f"a frame has {length} bytes", fix=f"send 1 to {most}")
            if len(held) - at - 4 < length:
                break
            bodies.append(bytes(held[at + 4 : at + 4 + length]))
            at += 4 + length
            self._greeted = True
        if self._greeted and at:
            del held[:at]
        return bodies


def split(body: bytes) -> list[str]:
    """Fields of a message. Raises WireError where there are too many, or one is too long."""
    if not body.endswith(b"\0"):
        raise WireError("a message does not end its last field", fix="end each field with a NUL")
    if body.count(b"\0") > MAX_FIELDS:
        raise WireError("a message has too many fields", fix=f"send {MAX_FIELDS} at most")
    fields = body[:-1].decode("utf-8", "backslashreplace").split("\0")
    if any(len(field) > MAX_TEXT for field in fields):
        raise WireError("a field is too long", fix=f"send {MAX_TEXT} characters at most")
    return fields


class Fields:
    """Fields of a message, read in order and each by its type."""

    def __init__(self, fields: list[str]) -> None:
        self._fields, self._at = fields, 0

    def text(self) -> str:
        """The next field. Raises WireError where there is none."""
        if self._at >= len(self._fields):
            raise WireError(f"field {self._at} is missing", fix="send all fields of the message")
        self._at += 1
        return self._fields[self._at - 1]

    def whole(self, unset: int = 0) -> int:
        """The next field as an int32 or int64."""
        value = self.text()
        if value == "":
            return unset
        try:
            whole = int(value) if len(value) <= 20 else 2**63
        except ValueError:
            whole = int(self._float(value, value))
        if abs(whole) >= 2**63:
            raise WireError(f"{value[:40]!r} is no whole number", fix="send one of 64 bits")
        return whole

    def decimal(self, unset: float = UNSET_DOUBLE) -> float:
        """The next field as a number; infinite only where it says so."""
        value = self.text()
        if value == "":
            return unset
        if value == "Infinite" or value == "Infinity":
            return math.inf
        return self._float(value, value)

    def flag(self) -> bool:
        """The next field as true or false."""
        return self.whole() != 0

    def skip(self, count: int) -> None:
        """Pass over fields that mean nothing here."""
        for _ in range(count):
            self.text()

    def count(self, most: int = 200) -> int:
        """The next field as the number of things that follow."""
        n = self.whole()
        if not 0 <= n <= most:
            raise WireError(f"a list of {n} entries", fix=f"send 0 to {most}")
        return n

    @property
    def left(self) -> int:
        """Fields that are still to be read."""
        return len(self._fields) - self._at

    def _float(self, value: str, shown: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not math.isfinite(found) or not value.isascii() or "_" in value:
            raise WireError(f"{shown[:40]!r} is no number", fix="send a decimal number")
        return found
