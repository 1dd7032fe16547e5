"""LOBSTER files: what their names say, archives, and the message and book files inside."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mmquant.data.files import BROKEN_ARCHIVE, existing
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import PathLike
from mmquant.data.readers.text_input import COPY_FIX, TextInput, refuse_damage, text_input
from mmquant.errors import DataError, UsageError

NAME = re.compile(
    r"(?:(?P<symbol>[^/]+?)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<start>\d+)_(?P<end>\d+)_)?"
    r"(?:[^/]*_)?(?P<what>message|orderbook)(?:_(?P<levels>\d+))?\.csv(?:\.gz)?",
    re.IGNORECASE,
)
NO_BOOK = "none"
"""Value of the option ``orderbook`` that leaves the book file aside."""
MAX_LEVELS = 50


@dataclass(frozen=True)
class Source:
    """The texts of one symbol and day, and what names and options say about them."""

    files: tuple[Path, ...]
    messages: TextInput
    book: TextInput | None
    symbol: str
    date: str
    levels: int | None
    q: Quarantine
    book_q: Quarantine | None


def open_source(
    path: PathLike,
    *,
    lenient: bool,
    orderbook: str | Path | None,
    symbol: str | None,
    date: str | None,
    levels: int | None,
) -> Source:
    """Find and load the message file and, where there is one, the book file. Raises DataError."""
    symbol = None if symbol is None else str(symbol)
    date = None if date is None else str(date)
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    if len(paths) == 2 and orderbook is None:
        first, second = sorted(paths, key=lambda p: _what(p.name) == "orderbook")
        paths, orderbook = [first], second
    if len(paths) != 1:
        raise UsageError(
            f"{len(paths)} files were given",
            where=", ".join(str(p) for p in paths),
            fix="give a zip file, or a message file and its order book file",
        )
    file = existing(paths[0])
    if zipfile.is_zipfile(file) or file.suffix.lower() == ".zip":
        message, book, files = _from_zip(file, orderbook, symbol, date)
    else:
        message, book, files = _from_csv(file, orderbook)
    said = NAME.fullmatch(message.path.name)
    told = said.groupdict() if said else {}
    q = Quarantine(message.path, lenient)
    book_q = Quarantine(book.path, lenient) if book else None
    return Source(
        files,
        refuse_damage(message, q),
        refuse_damage(book, book_q) if book and book_q else None,
        symbol or _needed(told.get("symbol"), "symbol", message.path),
        date or _needed(told.get("date"), "date", message.path),
        _levels(levels, told.get("levels"), message.path),
        q,
        book_q,
    )


def _what(name: str) -> str:
    match = NAME.fullmatch(name)
    return match["what"].lower() if match else ""


def _needed(value: str | None, name: str, path: Path) -> str:
    if value is None:
        raise UsageError(
            f"the file name does not tell the {name}",
            where=str(path),
            fix=f"give the option {name}, or keep the name as LOBSTER wrote it",
        )
    return value


def _levels(given: int | None, told: str | None, path: Path) -> int | None:
    value = int(given) if given is not None else int(told) if told else None
    if value is not None and not 1 <= value <= MAX_LEVELS:
        raise UsageError(
            f"{value} levels are not in 1 to {MAX_LEVELS}", where=str(path), fix="correct levels"
        )
    return value


Texts = tuple[TextInput, TextInput | None, tuple[Path, ...]]


def _from_csv(file: Path, orderbook: str | Path | None) -> Texts:
    if _what(file.name) == "orderbook":
        raise UsageError(
            "this is an order book file", where=str(file), fix="give the message file beside it"
        )
    book = _sibling(file) if orderbook is None else None
    if orderbook is not None and str(orderbook).lower() != NO_BOOK:
        book = existing(orderbook)
    message = text_input(file, file.read_bytes())
    if book is None:
        return message, None, (file,)
    return message, text_input(book, book.read_bytes()), (file, book)


def _sibling(file: Path) -> Path | None:
    """The order book file of the same name beside a message file."""
    if _what(file.name) != "message":
        return None
    name = re.sub(r"message(?=(_\d+)?\.csv)", "orderbook", file.name)
    for other in (name, name.removesuffix(".gz"), f"{name.removesuffix('.gz')}.gz"):
        if other != file.name and (file.parent / other).is_file():
            return file.parent / other
    return None


def _from_zip(
    file: Path, orderbook: str | Path | None, symbol: str | None, date: str | None
) -> Texts:
    try:
        with zipfile.ZipFile(file) as archive:
            name = _member(archive, file, "message", symbol, date)
            if name is None:
                raise DataError(
                    "the archive has no message file",
                    where=str(file),
                    fix="a LOBSTER archive holds SYMBOL_DATE_START_END_message_LEVELS.csv",
                )
            message = text_input(file / name, archive.read(name))
            if orderbook is not None and str(orderbook).lower() == NO_BOOK:
                return message, None, (file,)
            if orderbook is not None:
                book = existing(orderbook)
                return message, text_input(book, book.read_bytes()), (file, book)
            said = NAME.fullmatch(Path(name).name)
            other = _member(
                archive, file, "orderbook", said and said["symbol"], said and said["date"]
            )
            if other is None:
                return message, None, (file,)
            return message, text_input(file / other, archive.read(other)), (file,)
    except BROKEN_ARCHIVE as error:
        raise DataError(
            f"the archive cannot be read ({error})", where=str(file), fix=COPY_FIX
        ) from None


def _member(
    archive: zipfile.ZipFile, file: Path, what: str, symbol: str | None, date: str | None
) -> str | None:
    """The one member that is a message or book file of the symbol and date."""
    found = []
    for name in archive.namelist():
        match = NAME.fullmatch(Path(name).name)
        if match is None or match["what"].lower() != what or name.startswith("__MACOSX"):
            continue
        if symbol in (None, match["symbol"]) and date in (None, match["date"]):
            found.append(name)
    if len(found) > 1:
        raise DataError(
            f"the archive has {len(found)} {what} files: {', '.join(sorted(found)[:4])}",
            where=str(file),
            fix="choose one by the options symbol and date, or unpack it",
        )
    return found[0] if found else None
