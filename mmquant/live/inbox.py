"""Messages from outside for the live loop: known beforehand, or read from a file as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmquant.core.dtypes import MSG, NEVER
from mmquant.data.contracts import Contract
from mmquant.data.hand import parse_lines
from mmquant.data.hand_fields import UNTIMED
from mmquant.errors import DataError


class Inbox:
    """Messages in order of time, and those that were taken, as they were applied.

    With ``follow``, lines that are added to that file are taken too: those without a time at the
    moment they are read, those whose time has passed as well. ``for_s`` counts from the time that a
    line gives, or else from that moment; a line whose ``for_s`` is over when it is read is refused.
    """

    def __init__(
        self,
        rows: np.ndarray | None = None,
        *,
        follow: str | Path | None = None,
        contracts: Sequence[Contract] = (),
    ) -> None:
        given = np.zeros(0, MSG) if rows is None else rows
        self._waiting = [given[i : i + 1].copy() for i in range(len(given))]
        self._contracts = contracts
        self._follow = None if follow is None else Path(follow)
        self._read, self._lines = 0, 0
        self._taken: list[np.ndarray] = []

    @property
    def next_ts(self) -> int:
        """When the next message is due. [ns]"""
        return int(self._waiting[0][0]["ts"]) if self._waiting else NEVER

    def take(self) -> np.ndarray:
        """The next message; ``event`` is set by the loop where it is refused."""
        message = self._waiting.pop(0)
        self._taken.append(message)
        return message

    def poll(self, now: int) -> None:
        """Read the whole lines that were added to the file.

        Raises DataError on a wrong line, or where the file has become shorter.
        """
        if self._follow is None or not self._follow.exists():
            return
        size = self._follow.stat().st_size
        if size < self._read:
            raise DataError(
                "the file has become shorter while it was followed",
                where=str(self._follow),
                fix="only add lines to it",
            )
        if size == self._read:
            return
        with self._follow.open("rb") as file:
            file.seek(self._read)
            added = file.read(size - self._read)
        whole = added[: added.rfind(b"\n") + 1]
        if not whole.strip():
            return
        first = self._lines + 1
        self._read += len(whole)
        self._lines += whole.count(b"\n")
        for row in parse_lines(whole, str(self._follow), self._contracts, first_line=first):
            message = _stamped(row, now)
            (self._taken if message[0]["event"] else self._waiting).append(message)
        self._waiting.sort(key=lambda row: int(row[0]["ts"]))

    def taken(self) -> np.ndarray:
        """All messages that were applied or refused, in order."""
        return np.concatenate(self._taken) if self._taken else np.zeros(0, MSG)


def _stamped(row: np.ndarray, now: int) -> np.ndarray:
    """The message with the time at which it is taken; refused where it would be over by then."""
    given, until = int(row["ts"][0]), int(row["exch_ts"][0])
    if given == UNTIMED:
        row["ts"] = now
        row["exch_ts"] = now + until if until else 0
    elif until and until <= now:
        row["event"] = 1
    else:
        row["ts"] = max(given, now)
    return row
