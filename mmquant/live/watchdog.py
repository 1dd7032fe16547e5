"""A process beside a live run: it cancels the run's orders when the run dies or stands still.

The run tells it by a pipe that it lives. Silence, or an end of the pipe without a goodbye, is a
death. What it needs to know comes through the pipe first, not by the command line.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import time
from dataclasses import asdict
from typing import IO

from mmquant.brokers.ibkr_sweep import Address, sweep
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import LockedError

BEAT_NS = 500_000_000
SILENCE_S = 15.0
LAST_CHANCE_S = 3.0
"""A run that stands still is killed by its file, and has so long to cancel by itself."""
LOCK_S = 5.0
WORK_S = 45.0
"""A watchdog that was called has done its work by then, or never will."""
BEAT, BYE, CALL = b".", b"q", b"c"
ENDS = {
    "over": "is over",
    "called": "has ended, and orders may be open",
    "died": "died",
    "silent": "stands still",
}
VERIFIED, OPEN, NOT_NEEDED = 0, 4, 0


class Watchdog:
    """The run's side of the pipe."""

    def __init__(self, folder: RunFolder, address: Address, silence_s: float = SILENCE_S) -> None:
        self.failed = False
        self._next = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mmquant.live.watchdog"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        orders = {"folder": str(folder.path.resolve()), "silence_s": silence_s}
        self._say(json.dumps(orders | asdict(address)).encode() + b"\n")
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def beat(self, now: int) -> None:
        """Tell it that the run lives; ``failed`` says afterwards whether it still listens."""
        if now >= self._next:
            self._next = now + BEAT_NS
            self._say(BEAT)

    def dismiss(self) -> None:
        """The run is over, and nothing of it is open."""
        self._say(BYE)
        self._hang_up()

    def call(self) -> bool:
        """Let it cancel what is open; the run's socket must be closed. Whether that is verified."""
        self._say(CALL)
        self._hang_up()
        return self._process.returncode == VERIFIED

    def _hang_up(self) -> None:
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(WORK_S)
        except subprocess.TimeoutExpired:
            self.failed = True

    def _say(self, what: bytes) -> None:
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(what)
            self._process.stdin.flush()
        except (OSError, ValueError):
            self.failed = True


def watch(pipe: IO[bytes], silence_s: float) -> str:
    """How a run ends, as in ENDS."""
    number = pipe.fileno()
    while True:
        ready, _, _ = select.select([number], [], [], silence_s)
        if not ready:
            return "silent"
        heard = os.read(number, 4096)
        if not heard:
            return "died"
        if BYE in heard:
            return "over"
        if CALL in heard:
            return "called"


def act(end: str, folder: RunFolder, address: Address) -> int:
    """Cancel what a run has left open. Returns the exit code."""
    if end == "over":
        return NOT_NEEDED
    if end == "silent":
        folder.latch("watchdog: the run stood still")
        time.sleep(LAST_CHANCE_S)
    elif not _hold(folder):
        _say("watchdog: the run was started again, and looks after its orders")
        return VERIFIED
    _say(f"watchdog: the run {ENDS[end]}: its orders are cancelled")
    found = sweep(address, own_id=end != "silent", say=_say)
    folder.let_go()
    if found.verified:
        _say(f"watchdog: nothing is open ({found.cancelled} cancelled)")
        return VERIFIED
    _say("watchdog: ORDERS MAY BE OPEN: look at the broker's own list, and cancel them there")
    return OPEN


def _hold(folder: RunFolder) -> bool:
    """Keep the run from being started before its orders are cancelled."""
    until = time.monotonic() + LOCK_S
    while True:
        try:
            folder.hold()
            return True
        except LockedError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)


def _say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        pass


def main() -> int:
    """Read the orders, watch, and act."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)  # It tells of each cancel.
    pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    line = b""
    while not line.endswith(b"\n"):
        byte = pipe.read(1)
        if not byte:
            return NOT_NEEDED  # The run ended before it began.
        line += byte
    orders = json.loads(line)
    folder, silence_s = RunFolder(orders.pop("folder")), float(orders.pop("silence_s"))
    return act(watch(pipe, silence_s), folder, Address(**orders))


if __name__ == "__main__":
    raise SystemExit(main())
