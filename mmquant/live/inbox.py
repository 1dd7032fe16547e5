"""Messages from outside for the live loop: known beforehand, or read from a file as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

import numpy as np

from mmquant.core.dtypes import MSG, NEVER, Hand, MsgKind
from mmquant.data.contracts import Contract
from mmquant.data.hand import parse_lines
from mmquant.data.hand_fields import UNTIMED
from mmquant.errors import DataError, UsageError
from mmquant.trading.local_port import refused


class Request:
    """Someone in another thread who waits for what comes of a message."""

    def __init__(self, before: Callable[[], Any], after: Callable[[Any, int, Any], Any]) -> None:
        self.future: Future[Any] = Future()
        self._before, self._after, self._kept = before, after, None

    def claim(self) -> bool:
        """Whether the message is still wanted; from then on it cannot be withdrawn."""
        return self.future.set_running_or_notify_cancel()

    def begin(self) -> None:
        """The message is about to be applied."""
        self._kept = self._before()

    def end(self, ts: int, actions: np.ndarray | None) -> None:
        """It was applied, with these actions, or refused (None)."""
        try:
            if actions is None:
                raise refused()
            self.future.set_result(self._after(self._kept, ts, actions))
        except Exception as error:
            self.future.set_exception(error)

    def fail(self, error: Exception) -> None:
        """It will not be applied."""
        self.future.set_exception(error)


def over() -> UsageError:
    """What to say to a request that comes too late."""
    return UsageError("the run is over: the request was not taken", fix="start the run again")


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
        self._requests: dict[int, Request] = {}
        self._asked: tuple[np.ndarray, Request] | None = None
        self.closed, self.thread, self._lock = False, 0, Lock()
        self._contracts = contracts
        self._follow = None if follow is None else Path(follow)
        self._read, self._lines = 0, 0
        self._taken: list[np.ndarray] = []
        self._posted: deque[tuple[np.ndarray, Request | None]] = deque()

    @property
    def next_ts(self) -> int:
        """When the next message is due. [ns]"""
        return int(self._waiting[0][0]["ts"]) if self._waiting else NEVER

    def take(self) -> np.ndarray:
        """The next message; ``event`` is set by the loop where it is refused."""
        message = self._waiting.pop(0)
        self._taken.append(message)
        request = self._requests.pop(id(message), None)
        if request is not None:
            request.begin()
            self._asked = message, request
        return message

    def answer(self, actions: np.ndarray) -> None:
        """Tell who asked what came of the message that was taken last."""
        if self._asked is not None:
            (message, request), self._asked = self._asked, None
            refused = message["event"][0] == 1 and message["kind"][0] != MsgKind.ORDER
            request.end(int(message["ts"][0]), None if refused else actions)

    def post(self, message: np.ndarray, request: Request | None = None) -> None:
        """Add a message that is taken at the next poll, which stamps it; from any thread.

        Raises UsageError where the run is over.
        """
        with self._lock:
            if self.closed:
                raise over()
            self._posted.append((message.copy(), request))

    def close(self) -> None:
        """Leave what is still to come: all is over. Who waits for an answer is told so."""
        with self._lock:
            self.closed = True
        self._waiting.clear()
        waiting = list(self._requests.values())
        self._requests.clear()
        if self._asked is not None:
            waiting.append(self._asked[1])
            self._asked = None
        while self._posted:
            request = self._posted.popleft()[1]
            if request is not None and request.claim():
                waiting.append(request)
        for request in waiting:
            request.fail(over())

    def poll(self, now: int) -> None:
        """Take what was posted, and read the whole lines that were added to the file.

        Raises DataError on a wrong line, or where the file has become shorter.
        """
        self.thread = get_ident()
        while self._posted:
            row, request = self._posted.popleft()
            if request is not None:
                if not request.claim():
                    continue
                self._requests[id(row)] = request
            if row["kind"][0] in (MsgKind.MANUAL, MsgKind.ORDER):
                row["ts"] = now
            else:
                row["ts"] = UNTIMED
                _stamped(row, now)
            self._waiting.append(row)
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
