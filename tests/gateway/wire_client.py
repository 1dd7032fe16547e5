"""A client of a few lines that speaks the wire, for what no real client would send."""

from __future__ import annotations

import socket
from collections.abc import Callable

STOCK = (0, "AAPL", "STK", "", 0.0, "", "", "SMART", "", "USD", "", "")
TIMEOUT_S = 20.0


def message(*fields: object) -> bytes:
    shown = ["1" if f is True else "0" if f is False else str(f) for f in fields]
    body = "".join(f"{f}\0" for f in shown).encode()
    return len(body).to_bytes(4, "big") + body


class WireClient:
    """Blocking; ``until`` reads until a message of a kind (and a test) comes."""

    def __init__(
        self, port: int, *, client_id: int = 1, versions: str = "v157..178", start: bool = True
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._held = b""
        self.seen: list[list[str]] = []
        self.version = 0
        if start:
            hello = versions.encode()
            self.raw(b"API\0" + len(hello).to_bytes(4, "big") + hello)
            self.version = int(self.read()[0])
            self.send(71, 2, client_id, "")
            self.accounts = self.until(15)
            self.next_id = int(self.until(9)[2])

    def __enter__(self) -> WireClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, *fields: object) -> None:
        self.raw(message(*fields))

    def read(self) -> list[str]:
        """The next message. Raises EOFError where the gateway has closed the connection."""
        while len(self._held) < 4 or len(self._held) < 4 + int.from_bytes(self._held[:4], "big"):
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._held += data
        length = int.from_bytes(self._held[:4], "big")
        body, self._held = self._held[4 : 4 + length], self._held[4 + length :]
        assert body.endswith(b"\0")
        fields = body[:-1].decode("ascii").split("\0")
        self.seen.append(fields)
        return fields

    def until(
        self, kind: int, fits: Callable[[list[str]], bool] = lambda fields: True
    ) -> list[str]:
        while True:
            fields = self.read()
            if fields[0] == str(kind) and fits(fields):
                return fields

    def error(self, req_id: int, code: int | None = None) -> list[str]:
        """The next error of a request."""
        return self.until(4, lambda f: f[2] == str(req_id) and (code is None or f[3] == str(code)))

    def now(self) -> list[list[str]]:
        """All that is said before the answer to a question after the time."""
        start = len(self.seen)
        self.send(49, 1)
        self.until(49)
        return self.seen[start:-1]

    def closed(self) -> bool:
        """Whether the gateway closes the connection before its time-out."""
        try:
            while True:
                self.read()
        except EOFError:
            return True
        except TimeoutError:
            return False

    def place(self, order_id: int, action: str = "BUY", quantity: float = 100,
              kind: str = "LMT", limit: object = "", **more: object) -> None:  # fmt: skip
        """Send placeOrder."""
        self.send(*order_message(self.version, order_id, action, quantity, kind, limit, **more))


def order_message(
    version: int, order_id: int, action: str = "BUY", quantity: object = 100, kind: str = "LMT",
    limit: object = "", *, contract: tuple[object, ...] = STOCK, tif: str = "DAY",
    aux: object = "", ref: str = "", transmit: bool = True, what_if: bool = False,
    good_till: str = "", account: str = "", legs: tuple[object, ...] = (), mid: tuple = ("", ""),
    compete: tuple = ("", ""),
) -> list[object]:  # fmt: skip
    """All fields of placeOrder, in the order of the specification."""
    out: list[object] = [3, order_id, *contract, "", "", action, quantity, kind, limit, aux, tif]
    out += ["", account, "O", 0, ref, transmit, 0, False, False, 0, 0, False, False]
    if contract[2] == "BAG":
        out += [len(legs)]
        for con_id, ratio, side in legs:
            out += [con_id, ratio, side, "SMART", 0, 0, "", -1]
        out += [0, 0]
    out += ["", 0.0, "", good_till, "", "", ""]
    out += [""] if version < 177 else []
    out += ["", 0, "", -1, 0, "", "", False, "", "", False, False, "", 0, "", "", "", "", ""]
    out += [False, "", "", "", "", False, "", "", "", "", "", "", "", "", "", ""]
    out += [False, "", "", False, False, "", "", what_if, "", False, False, False, 0]
    out += ["", "", "", "", "", "", 0, "", "", "", "", "", "", "", "", False, False, False, ""]
    for since in (158, 160, 162, 166, 169):
        out += ([False] if since == 162 else [""]) if version >= since else []
    if version >= 170:
        out += [""] if contract[7] == "IBKRATS" else []
        if kind == "PEG BEST":
            out += [*compete, *(mid if compete[1] == "Infinite" else ())]
        elif kind == "PEG MID":
            out += [*mid]
    return out
