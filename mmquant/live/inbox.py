"""Messages from outside for the live loop: known beforehand, or read from a file as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmquant.core.dtypes import MSG, NEVER, Hand
from mmquant.data.contracts import Contract
from mmquant.data.hand import parse_lines
from mmquant.data.hand_fields import UNTIMED
from mmquant.errors import DataError


class Inbox:
    """Messages in order of time, and those that were taken, as they were applied.

    With ``follow``, lines that are added to that file are taken too: those without a time at the
    moment they are read, those whose time has passed as well, in order of time. ``for_s`` counts
    from the time that a line gives, or else from that moment. A line that is over by then takes
    away what it would have replaced, as if it had been read in time.
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
        self._posted: deque[np.ndarray] = deque()

    @property
    def next_ts(self) -> int:
        """When the next message is due. [ns]"""
        return int(self._waiting[0][0]["ts"]) if self._waiting else NEVER

    def take(self) -> np.ndarray:
        """The next message; ``event`` is set by the loop where it is refused."""
        message = self._waiting.pop(0)
        self._taken.append(message)
        return message

    def post(self, message: np.ndarray) -> None:
        """Add a message that is taken at the next poll, which stamps it; from any thread."""
        self._posted.append(message.copy())

    def close(self) -> None:
        """Leave what is still to come: all is over."""
        self._waiting.clear()

    def poll(self, now: int) -> None:
        """Read the whole lines that were added to the file.

        Raises DataError on a wrong line, or where the file has become shorter.
        """
        while self._posted:
            row = self._posted.popleft()
            row["ts"] = UNTIMED
            self._waiting.append(_stamped(row, now))
            self._waiting.sort(key=lambda row: int(row["ts"][0]))
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
        rows = list(parse_lines(whole, str(self._follow), self._contracts, first_line=first))
        rows.sort(key=lambda row: int(row["ts"][0]) if row["ts"][0] != UNTIMED else now)
        self._waiting += [_stamped(row, now) for row in rows]
        self._waiting.sort(key=lambda row: int(row["ts"][0]))

    def taken(self) -> np.ndarray:
        """All messages that were applied or refused, in order."""
        return np.concatenate(self._taken) if self._taken else np.zeros(0, MSG)


def _stamped(row: np.ndarray, now: int) -> np.ndarray:
    """The message with the time at which it is taken, and what is left of it by then."""
    given, until = int(row["ts"][0]), int(row["exch_ts"][0])
    row["ts"] = max(given, now)
    if given == UNTIMED and until:
        row["exch_ts"] = now + until
    elif until and until <= now:
        row["exch_ts"] = 0
        row["price"] = np.nan if row["reason"][0] == Hand.THEO else 0.0
    return row
