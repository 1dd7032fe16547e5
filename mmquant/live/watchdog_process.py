"""What the watchdog's process does: listens to the pipe, and acts when it ends or falls silent.

Of a run that hangs the file ``KILL`` is written first: if it wakes, it cancels, and quotes no more.
Of one that has died, the folder is held while its orders are cancelled, so that it cannot be
started meanwhile; if it has been started already, the new process sees to its orders itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from mmquant.brokers.ibkr_last_resort import Address, LastResort
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import LockedError
from mmquant.live.watchdog import READY, STAND_DOWN

GIVE_UP_S = 3600.0
PARENT = os.getppid()


class End(Enum):
    """How watching ended."""

    STOOD_DOWN = "stood down"
    DIED = "the run has died"
    HANGS = "the run hangs"


def watch(read: Callable[[float], bytes | None], timeout_s: float) -> End:
    """Listen until it is over. ``read(s)`` returns what came, b"" at the pipe's end, None if none.

    A command and the end that follows it may come together.
    """
    while True:
        came = read(timeout_s)
        if came is None:
            return End.HANGS
        if STAND_DOWN in came:
            return End.STOOD_DOWN
        if came == b"":
            return End.DIED


def act(end: End, folder: RunFolder, resort: LastResort, note: Callable[[str], None]) -> bool:
    """Cancel what a run left. Returns whether nothing of it is open, as far as is our business."""
    note(end.value)
    if end == End.HANGS:
        folder.latch("watchdog: the run hung")
    try:
        folder.hold()
    except LockedError:
        if end == End.DIED and _parent_is_gone():
            note("the run was started again: its orders are its own business")
            return True
    try:
        hangs = end == End.HANGS
        verified = asyncio.run(resort.cancel_all(GIVE_UP_S, number_taken=hangs))
    finally:
        folder.let_go()
    if not verified:
        folder.latch("watchdog: orders may be open")
        note("ORDERS MAY STILL BE OPEN: look at the broker's own list, and cancel them there")
    return verified


def _parent_is_gone() -> bool:
    return os.getppid() != PARENT


def _read(seconds: float) -> bytes | None:
    """What the pipe has, waited for; beats that piled up come at once."""
    ready, _, _ = select.select([0], [], [], seconds)
    return os.read(0, 1 << 16) if ready else None


def _first_line() -> dict[str, Any]:
    """The order to watch, byte by byte: what comes behind it are beats."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit(2)
        line += byte
    order: dict[str, Any] = json.loads(line)
    return order


def main() -> int:
    """Watch one run. Returns 0 where nothing of it is open."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # It ends with its run, not before.
    logging.disable(logging.CRITICAL)  # ib_async's messages name accounts.
    order = _first_line()
    folder = RunFolder(order["folder"])

    def note(text: str) -> None:
        line = f"{datetime.fromtimestamp(time.time(), UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n"
        try:
            with (folder.path / "watchdog.log").open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            pass
        if sys.stderr.isatty():
            sys.stderr.write(f"watchdog: {line}")

    address = Address(order["host"], int(order["port"]), int(order["client_id"]))
    resort = LastResort(address, folder.path.name[:64], note)
    os.write(1, READY)
    end = watch(_read, float(order["timeout_s"]))
    if end == End.STOOD_DOWN:
        return 0
    return 0 if act(end, folder, resort, note) else 1


if __name__ == "__main__":
    sys.exit(main())
