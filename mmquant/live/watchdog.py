"""The watchdog: a process of its own that cancels a run's orders when the run no longer can.

The run writes a byte into a pipe now and then. When the pipe ends before the run has stood the
watchdog down, the run has died; when no byte comes for ``timeout_s``, it hangs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mmquant.errors import MMQuantError
from mmquant.trading.ports import Broker

BEAT, STAND_DOWN = b".", b"q"
BEAT_EVERY_S = 0.5
READY = b"ready\n"


class Watchdog:
    """``with Watchdog(...) as dog``: beats by `beat`, and `stand_down` once all is closed.

    Leaving without `stand_down`, however that comes, is a run that has died. What the watchdog did
    is in the file ``watchdog.log`` of the run's folder.

    Parameters
    ----------
    folder : of the run; its name marks the run's orders.
    host, port, client_id : how the run itself reaches the broker.
    timeout_s : after so long without a beat the run is taken to hang; it is then killed for good.
    """

    def __init__(
        self, folder: str | Path, *, host: str, port: int, client_id: int, timeout_s: float = 10.0
    ) -> None:
        self._order = {
            "folder": str(Path(folder).resolve()),
            "host": host,
            "port": port,
            "client_id": client_id,
            "timeout_s": timeout_s,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._next_beat, self._stood_down = 0.0, False

    @property
    def pid(self) -> int:
        """Number of its process; 0 where it does not run."""
        return 0 if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        """Start it, and wait until it listens. Raises MMQuantError where it does not start."""
        Path(str(self._order["folder"])).mkdir(parents=True, exist_ok=True)
        # In a session of its own: Ctrl-C in the terminal is for the run alone.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mmquant.live.watchdog_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(self._order).encode() + b"\n")
            self._process.stdin.flush()
            ready = self._process.stdout.readline() == READY
        except OSError:
            ready = False
        if not ready:
            self._process.kill()
            self._process.communicate()
            raise MMQuantError(
                "the watchdog did not start",
                where=str(self._order["folder"]),
                fix="run python -m mmquant.live.watchdog_process to see why",
            )
        os.set_blocking(self._process.stdin.fileno(), False)
        return self

    def beat(self) -> bool:
        """Say that the run is well; False where the watchdog is gone, and the run should stop."""
        now = time.monotonic()
        if now < self._next_beat:
            return True
        self._next_beat = now + BEAT_EVERY_S
        return self._write(BEAT)

    def stand_down(self) -> None:
        """The run is over, and nothing of it is open: the watchdog ends."""
        self._stood_down = self._write(STAND_DOWN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        process.stdout.close()
        if self._stood_down:
            process.wait()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until its process has ended; 0: nothing is open."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def _write(self, byte: bytes) -> bool:
        if self._process is None or self._process.stdin is None:
            return False
        try:
            return os.write(self._process.stdin.fileno(), byte) == 1
        except (OSError, ValueError):
            return False


class WatchedBroker:
    """A broker whose run beats whenever it asks for messages; ``lost`` once the watchdog is gone.

    The live loop with a run's folder asks at least every 50 ms.
    """

    def __init__(self, broker: Broker, dog: Watchdog) -> None:
        self._broker, self._dog = broker, dog
        self.lost = False

    @property
    def start_ts(self) -> int:
        """Time from which the decision timer counts. [ns]"""
        return self._broker.start_ts

    def next_message(self, until: int) -> np.ndarray | None:
        """The broker's next messages."""
        if not self._dog.beat():
            self.lost = True
        return self._broker.next_message(until)

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Send actions."""
        self._broker.send(actions, n, ts)

    def cancel_account(self, ts: int) -> None:
        """Cancel all orders of the account."""
        self._broker.cancel_account(ts)

    def more_after(self, ts: int) -> bool:
        """Whether anything can still come."""
        return self._broker.more_after(ts)
