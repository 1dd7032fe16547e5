"""Frames that no client should send: noise, lies about lengths, and messages with wrong fields."""

from __future__ import annotations

import random
import socket

from tests.gateway.wire_client import STOCK, message, order_message

HELLO = b"API\0\0\0\0\x09v157..178"
BAD_FIELDS = [
    "", "-1", "0", "2147483648", "-2147483649", "9223372036854775808", "1e309", "nan", "NaN", "inf",
    "Infinite", "-Infinity", "0x10", "1_000", "٣", "é\\u0000", "%s%n", "'; DROP", "AAPL", "BAG",
    "A" * 5_000, "1.7976931348623157E308", "true", "1,2", "20260101 25:99:99 Mars/Base", "-0.0",
]  # fmt: skip
C12 = STOCK
MESSAGES: list[tuple[object, ...]] = [
    (1, 11, 1, *C12, False, "233,221", False, False, ""),
    (2, 2, 1),
    tuple(order_message(178, 1, "SELL", 100, "LMT", 195.0)),
    tuple(order_message(178, 2, "BUY", 1, "PEG BEST", 150.0)),
    tuple(order_message(178, 3, "BUY", 1, "LMT", 1.0, contract=(0, "AAPL", "BAG", *C12[3:]),
                        legs=((1, 1, "BUY"), (2, 1, "SELL")))),
    (4, 1, 1, ""),
    (5, 1), (6, 2, 1, "DU1234567"), (7, 3, 1, 0, "", "", "", "", "", ""), (8, 1, 1),
    (9, 8, 1, *C12, False, "", "", ""),
    (10, 5, 2, *C12, 5, True, ""), (11, 1, 2, True), (15, 1, True), (16, 1), (17, 1),
    (20, 3, *C12, False, "", "1 min", "1 D", False, "TRADES", 1, False, ""), (25, 1, 3), (49, 1),
    (50, 3, 4, *C12, 5, "TRADES", False, ""), (51, 1, 4),
    (54, 3, 5, *C12, 1.0, 190.0, 0, ""), (55, 3, 5, *C12, 0.2, 190.0, 0, ""), (59, 1, 1), (61, 1),
    (62, 1, 6, "All", "NetLiquidation"), (63, 1, 6), (64, 1), (76, 1, 7, "DU1234567", "", False),
    (77, 1, 7), (78, 8, "AAPL", "", "STK", 265598), (81, 9, "A"), (82,), (83, 10, "9c0001"),
    (87, 11, *C12, False, False, "TRADES", 1), (91, 26), (92, 12, "DU1234567", ""), (93, 12),
    (94, 13, "DU1234567", "", 265598), (95, 13),
    (96, 14, *C12, False, "", "20260101 00:00:00", 10, "TRADES", False, False, ""),
    (97, 15, *C12, "Last", 0, False), (98, 15), (99, False), (71, 2, 7, ""), (104, 1), (80,),
]  # fmt: skip
"""One sound message of each kind but the global cancel, which other clients are meant to notice."""


def frames(seed: int, count: int) -> list[bytes]:
    """So many hostile frames; the same seed, the same frames."""
    rng = random.Random(seed)
    makers = (_noise, _lie, _mutated, _mutated, _mutated, _cut, _longer, _shuffled)
    return [rng.choice(makers)(rng) for _ in range(count)]


def _noise(rng: random.Random) -> bytes:
    body = rng.randbytes(rng.randint(1, 300))
    return len(body).to_bytes(4, "big") + body


def _lie(rng: random.Random) -> bytes:
    """A length that is not that of what follows."""
    length = rng.choice([0, 1, 2**31, 2**32 - 1, 1 << 20, rng.randint(0, 70_000)])
    return length.to_bytes(4, "big") + rng.randbytes(rng.randint(0, 50))


def _mutated(rng: random.Random) -> bytes:
    fields = list(rng.choice(MESSAGES))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(fields))
        fields[at] = rng.choice(BAD_FIELDS) if rng.random() < 0.8 else rng.randint(-(2**40), 2**40)
    return message(*fields) if fields[0] not in (58, "58") else b""


def _cut(rng: random.Random) -> bytes:
    fields = list(rng.choice(MESSAGES))
    return message(*fields[: rng.randint(1, len(fields))])


def _longer(rng: random.Random) -> bytes:
    return message(*rng.choice(MESSAGES), *([rng.choice(BAD_FIELDS)] * rng.randint(1, 3_000)))


def _shuffled(rng: random.Random) -> bytes:
    first, *rest = rng.choice(MESSAGES)
    rng.shuffle(rest)
    return message(first, *rest)


class Attacker:
    """Sends hostile frames as client 66, connecting anew each time that it is sent away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.connections = 0

    def attack(self, frame: bytes) -> None:
        """Send one frame; what comes back is thrown away."""
        if self._socket is None:
            self._open()
        assert self._socket is not None
        try:
            self._socket.sendall(frame)
            self._throw_away()
        except OSError:
            self.close()

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20.0)
        self.connections += 1
        self._socket.sendall(HELLO + message(71, 2, 66, ""))
        self._socket.setblocking(False)

    def _throw_away(self) -> None:
        assert self._socket is not None
        try:
            if not self._socket.recv(1 << 18):
                self.close()
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
