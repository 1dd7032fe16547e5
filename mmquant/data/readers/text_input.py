"""Text files as readers meet them: plain or gzipped, possibly cut off, with faults by line."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmquant.data.quarantine import Quarantine

GZIP = b"\x1f\x8b"
COPY_FIX = "copy or download the file again"


@dataclass
class TextInput:
    """Bytes of a text file. ``damage`` says what is wrong with its compressed data, if anything."""

    path: Path
    data: bytes
    damage: str = ""
    _lines: list[bytes] = field(default_factory=list)

    def lines(self) -> list[bytes]:
        """The lines without their ends; line ``i`` has row number ``i + 1``."""
        if not self._lines and self.data:
            self._lines = [line.rstrip(b"\r") for line in self.data.split(b"\n")]
            if not self._lines[-1]:
                self._lines.pop()
        return self._lines

    def line(self, row: int) -> str:
        """Text of a line by its row number, empty if there is none."""
        lines = self.lines()
        return lines[row - 1].decode("utf-8", "replace") if 0 < row <= len(lines) else ""


def text_input(path: Path, raw: bytes) -> TextInput:
    """A file's bytes as text, uncompressed if they are gzip."""
    data, damage = gunzip(raw) if raw.startswith(GZIP) else (raw, "")
    return TextInput(path, data.removeprefix(b"\xef\xbb\xbf"), damage)


def gunzip(raw: bytes) -> tuple[bytes, str]:
    """As much of gzip data as can be read, and what is wrong with the rest."""
    parts: list[bytes] = []
    while raw:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        for start in range(0, len(raw), 1 << 16):
            try:
                parts.append(stream.decompress(raw[start : start + (1 << 16)]))
            except zlib.error as error:
                return b"".join(parts), f"the compressed data are damaged ({error})"
            if stream.eof:
                raw = stream.unused_data + raw[start + (1 << 16) :]
                break
        else:
            return b"".join(parts), "the compressed data end early"
        if not raw.startswith(GZIP):
            return b"".join(parts), "" if not raw.strip(b"\0") else "bytes follow the gzip data"
    return b"".join(parts), ""


def refuse_damage(text: TextInput, q: Quarantine) -> TextInput:
    """The text without the line that damaged compressed data cut; that line goes to ``q``."""
    if not text.damage:
        return text
    whole = text.data.rfind(b"\n") + 1
    rest = text.data[whole:].decode("utf-8", "replace")
    q.add(text.data.count(b"\n") + 1, text.damage, rest, fix=COPY_FIX)
    return TextInput(text.path, text.data[:whole])


class Faults:
    """What is wrong with each of ``n`` rows: the first fault that is marked counts."""

    def __init__(self, n: int) -> None:
        self.code = np.zeros(n, np.int16)
        self.reasons: list[tuple[str, str]] = [("", "")]

    @property
    def ok(self) -> np.ndarray:
        """Rows without a fault (bool, n)."""
        return self.code == 0

    def mark(self, mask: np.ndarray, reason: str, fix: str = "") -> None:
        """Mark the rows of a mask."""
        new = mask & (self.code == 0)
        if new.any():
            self.code[new] = self._code(reason, fix)

    def mark_row(self, i: int, reason: str, fix: str = "") -> None:
        """Mark one row by its index."""
        if not self.code[i]:
            self.code[i] = self._code(reason, fix)

    def report(self, q: Quarantine, text: TextInput, skip: np.ndarray | None = None) -> None:
        """Hand the marked rows to ``q``, in order; ``skip`` leaves out those already handed."""
        new = self.code != 0 if skip is None else (self.code != 0) & ~skip
        for i in np.flatnonzero(new).tolist():
            reason, fix = self.reasons[self.code[i]]
            q.add(i + 1, reason, text.line(i + 1), fix=fix)

    def _code(self, reason: str, fix: str) -> int:
        if (reason, fix) not in self.reasons:
            self.reasons.append((reason, fix))
        return self.reasons.index((reason, fix))
