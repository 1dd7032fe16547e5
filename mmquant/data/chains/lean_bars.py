"""Members of a Lean zip, and their minute bars parsed in one go."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mmquant.calendars import FIRST_DAY
from mmquant.data.chains.lean_files import is_day
from mmquant.data.files import BROKEN_ARCHIVE
from mmquant.data.quarantine import Quarantine
from mmquant.errors import DataError

COLUMNS = (
    "time", "bid_open", "bid_high", "bid_low", "bid", "bid_size",
    "ask_open", "ask_high", "ask_low", "ask", "ask_size",
)  # fmt: skip
USED = ("time", "bid", "bid_size", "ask", "ask_size")
DAY_MS, MINUTE_MS = 86_400_000, 60_000
SCALE = 10_000.0
COPY_FIX = "copy or download the file again"


@dataclass
class Members:
    """The members of a zip whose names fit: their names' parts and their bytes, in file order."""

    path: Path
    names: list[str] = field(default_factory=list)
    parts: list[dict[str, str]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    faults: list[Quarantine] = field(default_factory=list)


@dataclass(frozen=True)
class Bars:
    """Closing quotes of minute bars, by member and then in order of time.

    ``member`` is an index into the names; ``start_ms`` is ms since midnight in New York; prices are
    in ccy and NaN where a bar has none.
    """

    member: np.ndarray
    start_ms: np.ndarray
    bid: np.ndarray
    bid_size: np.ndarray
    ask: np.ndarray
    ask_size: np.ndarray
    faults: list[Quarantine]


def read_members(path: Path, pattern: re.Pattern[str], lenient: bool) -> Members:
    """All members of a zip. One with another name or damaged data is a fault. Raises DataError."""
    members = Members(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                _read_member(archive, info, pattern, members, lenient)
    except BROKEN_ARCHIVE as error:
        raise DataError(f"this is not a whole zip file ({error})", where=str(path),
                        fix=COPY_FIX) from None  # fmt: skip
    if not members.names:
        raise DataError(
            "the zip holds no member with minute quotes",
            where=str(path),
            fix=f"members are named like {pattern.pattern}",
        )
    return members


def read_bars(members: Members, lenient: bool) -> Bars:
    """The bars of all members. Raises DataError on a bad row, or sets it aside if lenient."""
    texts = [t if not t or t.endswith(b"\n") else t + b"\n" for t in members.texts]
    lines = np.array([text.count(b"\n") for text in texts], np.int64)
    first = np.concatenate([[0], np.cumsum(lines)])
    numbers, wrong = _parse(b"".join(texts))
    member = np.repeat(np.arange(lines.size), lines)
    for reason, mask in _faults(numbers, member, wrong):
        wrong[mask & (wrong == "")] = reason
    bad = np.flatnonzero(wrong != "")
    faults = _report(members, member[bad], bad - first[member[bad]], wrong[bad], lenient)
    keep = wrong == ""
    bid, bid_size, ask, ask_size = (numbers[name][keep] for name in USED[1:])
    return Bars(
        member[keep],
        numbers["time"][keep].astype(np.int64),
        bid / SCALE,
        bid_size,
        ask / SCALE,
        ask_size,
        faults,
    )


def _read_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    pattern: re.Pattern[str],
    members: Members,
    lenient: bool,
) -> None:
    q = Quarantine(f"{members.path}/{info.filename}", lenient)
    found = pattern.fullmatch(info.filename)
    if found is None:
        q.add(1, "the member's name is not one of minute quotes", info.filename,
              fix=f"name it like {pattern.pattern}")  # fmt: skip
    elif not is_day(found.groupdict().get("expiry", FIRST_DAY)):
        q.add(1, "the expiry in the member's name is not a date", info.filename)
    else:
        try:
            text = archive.read(info)
        except BROKEN_ARCHIVE as error:
            q.add(1, f"the member cannot be unpacked ({error})", info.filename, fix=COPY_FIX)
        else:
            members.names.append(info.filename)
            members.parts.append(found.groupdict())
            members.texts.append(text)
    if q.total:
        members.faults.append(q)


def _parse(text: bytes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The used columns as float64 by line, and what is wrong with each line ("" if nothing)."""
    n = text.count(b"\n")
    if n:
        try:
            table = _csv(text)
        except pa.ArrowInvalid:
            return _parse_lines(text)
        columns = {name: table.column(name) for name in USED}
        if table.num_rows != n or any(pc.any(pc.is_nan(c)).as_py() for c in columns.values()):
            return _parse_lines(text)
        return {name: c.to_numpy() for name, c in columns.items()}, np.full(n, "", object)
    return {name: np.empty(0) for name in USED}, np.full(0, "", object)


def _csv(text: bytes) -> pa.Table:
    return pacsv.read_csv(
        io.BytesIO(text),
        read_options=pacsv.ReadOptions(use_threads=False, column_names=list(COLUMNS)),
        parse_options=pacsv.ParseOptions(ignore_empty_lines=False, quote_char=False),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(COLUMNS, pa.float64()),
            include_columns=list(USED),
            null_values=[""],
        ),
    )


def _parse_lines(text: bytes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The same line by line, for text that holds something else than numbers somewhere."""
    lines = [line.rstrip(b"\r").split(b",") for line in text.split(b"\n")[:-1]]
    wrong = np.full(len(lines), "", object)
    even = np.array([len(cells) == len(COLUMNS) for cells in lines])
    wrong[~even] = f"the row has not {len(COLUMNS)} columns"
    blank = [b""] * len(COLUMNS)
    numbers = {}
    for name in USED:
        at = COLUMNS.index(name)
        cells = [(cells if ok else blank)[at] for cells, ok in zip(lines, even, strict=True)]
        texts = pd.Series([cell.decode("latin-1") for cell in cells], dtype=object)
        numbers[name] = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
        wrong[np.isnan(numbers[name]) & (texts != "").to_numpy()] = (
            "the row holds text where a number is expected"
        )
    return numbers, wrong


def _faults(
    numbers: dict[str, np.ndarray], member: np.ndarray, wrong: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """Reasons and the lines that they hold for."""
    time = numbers["time"]
    in_day = (time >= 0) & (time < DAY_MS)
    off_minute = ~in_day | (np.where(in_day, time, 0) % MINUTE_MS != 0)
    low = np.zeros(time.size, bool)
    for name in USED[1:]:
        low |= (numbers[name] < 0) | np.isinf(numbers[name])
    backwards = np.zeros(time.size, bool)
    good = np.flatnonzero((wrong == "") & ~off_minute & ~low)
    same = member[good][1:] == member[good][:-1]
    backwards[good[1:]] = same & (np.diff(time[good]) <= 0)
    return [
        ("the time is not a minute of the day in ms", off_minute),
        ("a price or size is negative or infinite", low),
        ("the time does not increase", backwards),
    ]


def _report(
    members: Members, member: np.ndarray, line: np.ndarray, wrong: np.ndarray, lenient: bool
) -> list[Quarantine]:
    """One quarantine for each member with bad lines."""
    faults = []
    for which in np.unique(member).tolist():
        q = Quarantine(f"{members.path}/{members.names[which]}", lenient)
        texts = members.texts[which].split(b"\n")
        mine = member == which
        for row, reason in zip(line[mine].tolist(), wrong[mine].tolist(), strict=True):
            q.add(row + 1, reason, texts[row].decode("utf-8", "replace"), fix=COPY_FIX)
        faults.append(q)
    return faults
