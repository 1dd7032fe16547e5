"""One client: its handshake, its requests in order, and what is on its way to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmquant.gateway.wire import (
    MAX_VERSION,
    MIN_VERSION,
    Fields,
    Framer,
    WireError,
    framed,
    split,
    text,
)

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

log = logging.getLogger(__name__)
START_API = 71
MAX_UNSENT = 16 << 20
"""A client that is so many bytes behind is disconnected: it does not read."""
MAX_VIOLATIONS = 3
MAX_EARLY = 100
"""Messages that may wait for a client id to become free."""
Handler = Callable[["Session", Fields], None]


class Session(asyncio.Protocol):
    """A connection. ``client_id`` is None until the client has started its API."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._unsent = bytearray()
        self._arrivals: deque[float] = deque()
        self._violations = 0
        self.version = 0
        self.client_id: int | None = None
        self.open = False
        self.paused = False
        self.auto_bind = False
        self.greeted = False
        self._early: list[tuple[int, Fields]] = []
        self.patience: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        """Whether requests are served."""
        return self.open and self.greeted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.open = transport, True
        transport.set_write_buffer_limits(high=1 << 20)
        self._gateway.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was sent away."""
        self.open = False
        self._gateway.closed(self)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self.paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.paused = False
        self._gateway.resumed()

    def data_received(self, data: bytes) -> None:
        """Serve what has arrived; a client that breaks the protocol is disconnected."""
        try:
            for body in self._framer.feed(data):
                if not self.open:
                    return
                self._take(body)
        except WireError as error:
            if self.started:
                self.error(-1, 320, f"Error reading request: {error.what}")
            self.close()
        finally:
            self._gateway.flush()

    def hold(self, held: bool) -> None:
        """Leave what the client sends unread for now, or read on."""
        if self._transport is not None and self.open:
            self._transport.pause_reading() if held else self._transport.resume_reading()

    def close(self) -> None:
        """Send what is due, then disconnect."""
        self.flush()
        self.open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Disconnect at once, as a broken line does."""
        self.open = False
        self._unsent.clear()
        if self._transport is not None:
            self._transport.abort()

    def send(self, *fields: Any) -> None:
        """Queue a message; faults of the plan befall it here."""
        body = "".join([text(field) + "\0" for field in fields]).encode("ascii", "backslashreplace")
        self.send_body(int(fields[0]), body)

    def send_body(self, kind: int, body: bytes) -> None:
        """Queue a message whose fields are encoded already."""
        if self._gateway.faults.quiet:
            self.put(body)
        else:
            self._gateway.faults.outgoing(self, kind, body)

    def put(self, body: bytes) -> None:
        """Queue a message past all faults."""
        if self.open:
            self._unsent += framed(body)
            self._gateway.dirty.add(self)

    def error(self, req_id: int, code: int, message: str) -> None:
        """Queue an error."""
        more = ("",) if self.version >= 166 else ()
        self.send(4, 2, req_id, code, message.replace("\\", "\\\\"), *more)

    def flush(self) -> None:
        """Hand all that is queued to the transport."""
        if self._unsent and self.open and self._transport is not None:
            self._transport.write(bytes(self._unsent))
            if self._transport.get_write_buffer_size() > MAX_UNSENT:
                log.warning("client %s does not read: disconnected", self.client_id)
                self.abort()
        self._unsent.clear()

    def _take(self, body: bytes) -> None:
        if self.version == 0:
            self._greet(body)
            return
        fields = Fields(split(body))
        kind = fields.whole()
        if self.client_id is not None and not self.greeted:
            self._early.append((kind, fields))
            if len(self._early) > MAX_EARLY:
                raise WireError("too many messages before the API has started", fix="wait for it")
            return
        if self.client_id is None:
            if kind != START_API:
                raise WireError("the API is not started", fix="send START_API first")
            fields.skip(1)
            self.client_id = fields.whole()
            if not 0 <= self.client_id < 2**31:
                raise WireError("the client id is negative", fix="use 0 or more")
            self._gateway.started(self)
            return
        self._serve(kind, fields)

    def begin(self) -> None:
        """The API has started."""
        self.greeted = True
        if self.patience is not None:
            self.patience.cancel()

    def serve_early(self) -> None:
        """Serve what came before the API had started."""
        early, self._early = self._early, []
        try:
            for kind, fields in early:
                self._serve(kind, fields)
        except WireError as error:
            self.error(-1, 320, f"Error reading request: {error.what}")
            self.close()

    def _serve(self, kind: int, fields: Fields) -> None:
        if self._in_pace():
            self._gateway.serve(self, kind, fields)

    def _greet(self, body: bytes) -> None:
        """Agree on a version: the highest that both speak."""
        words = body.decode("ascii", "replace").split(" ")
        low, _, high = words[0].removeprefix("v").partition("..")
        if not (low.isdecimal() and len(low) < 6 and len(high) < 6):
            raise WireError("the client names no versions", fix="send v157..178")
        least, most = int(low), int(high) if high.isdecimal() else int(low)
        if most < MIN_VERSION or least > MAX_VERSION or not words[0].startswith("v"):
            raise WireError(
                f"the client speaks versions {least} to {most}",
                fix=f"use one that speaks {MIN_VERSION} to {MAX_VERSION}",
            )
        self.version = min(most, MAX_VERSION)
        if self.version == 158:
            self.version = 157  # openOrder of 158 means two things to two clients
        self.put(f"{self.version}\0{self._gateway.clock_text()}\0".encode("ascii"))

    def _in_pace(self) -> bool:
        """Whether a message may pass; the third beyond the rate ends the connection."""
        most = self._gateway.settings.messages_per_s
        if most == 0:
            return True
        now = time.monotonic()
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= now - 1.0:
            arrivals.popleft()
        if len(arrivals) < most:
            arrivals.append(now)
            return True
        self._violations += 1
        self._gateway.pace_violations += 1
        self.error(-1, 100, f"Max rate of messages per second has been exceeded:max={most}")
        if self._violations >= MAX_VIOLATIONS:
            self.close()
        return False
