"""Files: digests, existence, and writing so that no half-written file is ever seen."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmquant.errors import DataError, UsageError

BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError,
                  ValueError)  # fmt: skip
"""What zipfile raises on damaged archives, by where the damage is."""


RECORDING = "recording.json"
"""The file that tells that a folder is a recorder's."""


def is_recording(path: str | Path) -> bool:
    """Whether a path is the folder of a recording."""
    return (Path(path) / RECORDING).is_file()


def existing(path: str | Path) -> Path:
    """The path of a file that is there. Raises DataError."""
    path = Path(path)
    if path.is_dir():
        raise DataError("this is a folder, not a file", where=str(path), fix="name the file")
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), fix="check the path")
    return path


def file_digest(path: str | Path) -> dict[str, str | int]:
    """Name (without folder), sha256 and size of a file. [bytes]"""
    path = existing(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"name": path.name, "sha256": digest.hexdigest(), "bytes": path.stat().st_size}


def check_writable(path: str | Path) -> None:
    """Refuse a path whose folder cannot be made or written, so that no work is done for nothing.

    Raises UsageError.
    """
    folder = Path(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(
            "this is a file, and no folder can be in it", where=str(folder), fix="name another path"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            "this folder cannot be written", where=str(folder), fix="name another, or permit it"
        )


def check_file_target(path: str | Path) -> None:
    """Refuse a path that no file can be written to. Raises UsageError."""
    if Path(path).is_dir():
        raise UsageError("this is a folder, not a file", where=str(path), fix="name a file in it")
    check_writable(path)


def temporary_beside(path: Path, *, folder: bool = False) -> Path:
    """A new hidden file or folder next to ``path``. Raises UsageError where none can be made."""
    check_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            return Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(
            f"nothing can be written here ({error.strerror})",
            where=str(path.parent),
            fix="name another folder",
        ) from error
    os.close(handle)
    return Path(name)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block has ended well.

    Raises UsageError where no file can be written there.
    """
    path = Path(path)
    check_file_target(path)
    temporary = temporary_beside(path)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(new: Path, folder: Path) -> None:
    """Give a finished folder its name; one that was there is put back if that fails."""
    if not folder.exists():
        os.replace(new, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    os.replace(folder, old)
    try:
        os.replace(new, folder)
    except OSError:
        os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
