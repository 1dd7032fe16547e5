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

from mmquant.errors import DataError

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


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block has ended well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
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
