"""Syncs the journal to the disk in a thread of its own, so that no step waits for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class Syncer:
    """Syncs the file that is written every ``sync_ms``; ``synced`` is the last frame that is safe.

    An error is kept in ``error``: the writer fails at its next frame.
    """

    def __init__(self, folder: Path, sync_ms: float) -> None:
        self.written = self.synced = 0
        self.error: OSError | None = None
        self._folder, self._wait_s = folder, sync_ms / 1e3
        self._fd = -1
        self._left: list[int] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def follow(self, fd: int, old: int) -> None:
        """Sync this file from now on; ``old`` (-1: none) is synced once more, and closed."""
        with self._lock:
            self._fd = fd
            if old >= 0:
                self._left.append(old)

    def close(self, fd: int) -> None:
        """Sync and close all, and end the thread."""
        self._end.set()
        self._thread.join()
        self._sync_once()
        if fd >= 0:
            os.close(fd)

    def _run(self) -> None:
        while not self._end.wait(self._wait_s):
            self._sync_once()

    def _sync_once(self) -> None:
        with self._lock:
            left, self._left = self._left, []
            fd, written = self._fd, self.written
        try:
            for old in left:
                os.fdatasync(old)
                os.close(old)
            if left or self.synced == 0:
                _sync_folder(self._folder)
            if fd >= 0 and written != self.synced:
                os.fdatasync(fd)
                self.synced = written
        except OSError as error:
            self.error = error


def _sync_folder(folder: Path) -> None:
    """A new file survives the loss of power only if its folder is synced."""
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
