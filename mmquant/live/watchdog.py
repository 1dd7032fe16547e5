"""A process beside a live run: it cancels the run's orders when the run dies or stands still.

The run tells it by a pipe that it lives. Silence, or an end of the pipe without a goodbye, is a
death. What it needs to know comes through the pipe first, not by the command line.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO

from mmquant.brokers.ibkr_sweep import Address, sweep
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import LockedError, MMQuantError

BEAT_NS = 500_000_000
SILENCE_S = 15.0
LAST_CHANCE_S = 3.0
"""A run that stands still is killed by its file, and has so long to cancel by itself."""
LOCK_S = 5.0
WORK_S = 45.0
"""So long a run waits for a watchdog that it called, which goes on working after that."""
PATIENCE_S = 600.0
"""So long it tries to cancel: TWS may be starting anew."""
LOG = "watchdog.log"
BEAT, BYE, CALL, READY = b".", b"q", b"c", b"ready"
ENDS = {
    "over": "is over",
    "called": "has ended, and orders may be open",
    "died": "died",
    "silent": "stands still",
}
VERIFIED, OPEN, NOT_NEEDED = 0, 4, 0


class Watchdog:
    """The run's side of the pipe. Raises MMQuantError where the process does not start."""

    def __init__(self, folder: RunFolder, address: Address, silence_s: float = SILENCE_S) -> None:
        self.failed = False
        self._next = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mmquant.live.watchdog"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        orders = {"folder": str(folder.path.resolve()), "silence_s": silence_s}
        self._say(json.dumps(orders | asdict(address)).encode() + b"\n")
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._process.stdout as answer:
            if answer.read(len(READY)) != READY:
                self._hang_up()
                raise MMQuantError(
                    "the watchdog did not start",
                    where=str(folder.path),
                    fix="run python -m mmquant.live.watchdog to see why",
                )
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


def act(end: str, folder: RunFolder, address: Address, say: Callable[[str], None]) -> int:
    """Cancel what a run has left open. Returns the exit code.

    A run that stood still is killed by its file: if it wakes, it cancels, and quotes no more. One
    whose orders may be open is not started again unseen.
    """
    if end == "over":
        return NOT_NEEDED
    if end == "silent":
        folder.latch("watchdog: the run stood still")
        time.sleep(LAST_CHANCE_S)
    elif not _hold(folder):
        say("the run was started again, and looks after its orders")
        return VERIFIED
    say(f"the run {ENDS[end]}: its orders are cancelled")
    try:
        found = sweep(address, patience_s=PATIENCE_S, own_id=end != "silent", say=say)
        if not found.verified:
            folder.latch("watchdog: orders may be open")
    finally:
        folder.let_go()
    if found.verified:
        say(f"nothing is open ({found.cancelled} cancelled)")
        return VERIFIED
    say("ORDERS MAY BE OPEN: look at the broker's own list, and cancel them there")
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


def _teller(folder: RunFolder) -> Callable[[str], None]:
    """Says things on stderr and in the file LOG of the run's folder; raises nothing."""

    def say(text: str) -> None:
        line = f"{datetime.fromtimestamp(time.time(), UTC):%Y-%m-%dT%H:%M:%SZ} watchdog: {text}\n"
        try:
            with (folder.path / LOG).open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            pass
        try:
            sys.stderr.write(line)
            sys.stderr.flush()
        except OSError:
            pass

    return say


def main() -> int:
    """Read the orders, watch, and act."""
    # A service that is stopped signals all its processes: this one ends after its run.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)  # ib_async's messages name accounts.
    pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    line = b""
    while not line.endswith(b"\n"):
        byte = pipe.read(1)
        if not byte:
            return NOT_NEEDED  # The run ended before it began.
        line += byte
    orders = json.loads(line)
    folder, silence_s = RunFolder(orders.pop("folder")), float(orders.pop("silence_s"))
    os.write(sys.stdout.fileno(), READY)
    return act(watch(pipe, silence_s), folder, Address(**orders), _teller(folder))


if __name__ == "__main__":
    raise SystemExit(main())
