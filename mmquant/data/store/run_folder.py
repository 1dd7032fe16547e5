"""The folder of a live run: what lies where, who holds it, and whether it is killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from mmquant.errors import DataError, LockedError, UsageError

SESSION = "session.json"


class RunFolder:
    """Names of the files in a live run's folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.journal = self.path / "journal"
        self.session_file = self.path / SESSION
        self.kill_file = self.path / "KILL"
        self.release_file = self.path / "RELEASE"
        self.database = self.path / "journal.sqlite"
        self._lock: IO[str] | None = None

    def check(self) -> RunFolder:
        """Itself. Raises DataError where no live run is here."""
        if not self.session_file.is_file():
            raise DataError(
                f"no live run is here (there is no {SESSION})",
                where=str(self.path),
                fix="name the folder of a live run",
            )
        return self

    def hold(self) -> None:
        """Keep all others from running it. Raises LockedError where one does."""
        file = (self.path / "LOCK").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise LockedError(
                "the run is running already", where=str(self.path), fix="stop it first"
            ) from None
        self._lock = file

    def let_go(self) -> None:
        """Let others run it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def is_running(self) -> bool:
        """Whether a process holds it."""
        try:
            self.hold()
        except LockedError:
            return True
        self.let_go()
        return False

    def latch(self, why: str) -> None:
        """Write the file ``KILL``, safely, unless it is there; on a full disk an empty one."""
        if self.kill_file.exists():
            return
        try:
            write_safely(self.kill_file, f"{why}\n")
        except OSError:
            self.kill_file.touch()


def write_safely(path: Path, text: str) -> None:
    """Write a file that is whole or not there, and on the disk, when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def kill(run: str | Path, why: str = "kill") -> Path:
    """Kill a live run: it cancels all its orders and quotes no more, after a restart neither.

    Writes the file ``KILL`` into the run's folder, which the running process looks for every 50 ms;
    returns its path. A run that does not run is killed when it starts. Raises DataError where no
    live run is there.
    """
    folder = RunFolder(run).check()
    folder.release_file.unlink(missing_ok=True)
    folder.latch(why)
    return folder.kill_file


def release(run: str | Path) -> None:
    """Let a killed run quote again when it is started next.

    Raises UsageError where it is not killed, LockedError where it still runs.
    """
    folder = RunFolder(run).check()
    if not folder.kill_file.exists():
        raise UsageError("the run is not killed", where=str(folder.path))
    folder.hold()
    try:
        why = folder.kill_file.read_text().strip()
        write_safely(folder.release_file, f"{why}\n")
        folder.kill_file.unlink()
    finally:
        folder.let_go()
