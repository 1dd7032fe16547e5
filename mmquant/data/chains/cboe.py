"""Quote tables of Cboe's delayed quotes: one moment, one row per strike, calls left, puts right.

Volatilities and greeks in them are not read: ``mm.options`` computes its own.
"""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.calendars import expiry_moments, in_calendar
from mmquant.data.chains.cboe_table import Head, expiry_days, read_head
from mmquant.data.chains.classes import (
    exercise_of,
    multiplier_of,
    settled_at_open,
    underlying_of,
)
from mmquant.data.chains.make import make_option_quotes
from mmquant.data.chains.own import check_asked
from mmquant.data.chains.symbols import parse_symbols
from mmquant.data.files import BROKEN_ARCHIVE, existing, file_digest
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers.text_input import refuse_damage, text_input

NOTES = (
    "All quotes bear the time at the head of the table; it tells neither their ages nor sizes.",
    "An ask of zero is no ask; a bid of zero is kept, and screened.",
)
SIDES = (("C", "call"), ("P", "put"))


@dataclass
class Rows:
    """Rows of a table: numbers from 1, cells (rows, columns), and which are kept (bool)."""

    numbers: np.ndarray
    cells: np.ndarray
    q: Quarantine
    keep: np.ndarray

    def refuse(self, mask: np.ndarray, reason: str) -> None:
        """Set rows aside. Raises DataError in a strict read."""

        def text(i: int) -> str:
            return ",".join(self.cells[i].tolist())

        self.keep &= self.q.bad(mask, reason, self.numbers, text=text)


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | date | None = None,
) -> xr.Dataset:
    """Option quotes of one moment (schema ``option_quotes``) from csv, csv.gz or zip.

    Root, right, strike and expiry of the option symbols and of the columns must agree; one of both
    is enough, and the underlying's name is the root where there is no symbol. Of tables by exchange
    the rows of single exchanges are left out. Raises DataError.
    """
    file = existing(path)
    q = Quarantine(file, lenient)
    rows = _rows(file, q)

    def fail(what: str, fix: str) -> NoReturn:
        q.fail(what, fix=fix)

    head = read_head(rows, fail)
    columns = _contracts(_table(rows, head, q), head, underlying)
    ds = make_option_quotes(
        {"time": np.array([head.time])} | columns,
        underlying=underlying_of(columns["root"]),
        date=head.day,
        source={"format": "cboe", "files": [file_digest(file)]},
        notes=NOTES,
        counts={"rows": len(rows) - head.rows},
    )
    check_asked(ds, file, underlying, date)
    return q.attach(ds) if q.total else ds


def _rows(file: Path, q: Quarantine) -> list[list[str]]:
    raw = file.read_bytes()
    if file.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(file) as archive:
                names = [n for n in archive.namelist() if n.lower().endswith((".csv", ".dat"))]
                if len(names) != 1:
                    q.fail(f"the zip holds {len(names)} tables, one is read", fix="unpack it")
                raw = archive.read(names[0])
        except BROKEN_ARCHIVE as error:
            q.fail(f"this is not a whole zip file ({error})", fix="copy or download it again")
    text = refuse_damage(text_input(file, raw), q)
    return [_cells(line) for line in text.lines()]


def _cells(line: bytes) -> list[str]:
    """The cells of one line; a quote that is not closed ends with it."""
    text = line.decode("utf-8", "replace").replace("\r", " ")
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _table(rows: list[list[str]], head: Head, q: Quarantine) -> Rows:
    """The rows that are whole."""
    width = max(head.columns.values()) + 1
    numbers, cells = [], []
    for i, row in enumerate(rows[head.rows :], head.rows + 1):
        if len(row) >= width:
            numbers.append(i)
            cells.append(row[:width])
        elif any(cell.strip() for cell in row):
            q.add(i, f"the row has {len(row)} columns, not {width}", ",".join(row))
    if not cells:
        q.fail("there are no rows of quotes", fix="download the table again")
    return Rows(np.array(numbers), np.array(cells, object), q, np.ones(len(cells), bool))


def _contracts(rows: Rows, head: Head, underlying: str | None) -> dict[str, Any]:
    """Columns of the Dataset, calls and then puts."""
    place, n = head.columns, len(rows.cells)
    symbols = {side: parse_symbols(rows.cells[:, place[name]]) for side, name in SIDES}
    strike = _number(rows, place["strike"], "Strike") if "strike" in place else np.full(n, np.nan)
    days = np.full(n, np.datetime64("NaT", "D"))
    if "expiry" in place:
        days = expiry_days(rows.cells[:, place["expiry"]].tolist())
    for parsed in symbols.values():
        strike = np.where(np.isnan(strike), parsed["strike"], strike)
        days = np.where(np.isnat(days), parsed["day"].to_numpy().astype("datetime64[D]"), days)
    rows.refuse(np.isnan(strike), "neither a column nor a symbol tells the strike")
    rows.refuse(~np.isnat(days) & ~in_calendar(days), "the expiry is beyond the calendar")
    days[~in_calendar(days)] = np.datetime64("NaT")
    known = [root for parsed in symbols.values() for root in parsed["root"] if root]
    main = (underlying or underlying_of(np.array(known, str)) or "").upper().lstrip("^")
    parts = []
    for side, name in SIDES:
        bid = _number(rows, place[f"{name}_bid"], "Bid")
        ask = _number(rows, place[f"{name}_ask"], "Ask")
        _agree(rows, symbols[side], side, strike, days)
        rows.keep &= (symbols[side]["exchange"] == "").to_numpy()
        roots = np.where(symbols[side]["root"] == "", main, symbols[side]["root"]).astype(str)
        parts.append(_side(side, roots, days, strike, bid, np.where(ask == 0, np.nan, ask)))
    columns = {n: np.concatenate([part[n][rows.keep] for part in parts]) for n in parts[0]}
    for name in ("bid", "ask"):
        columns[name] = columns[name][None, :]
    one = {"underlying_bid": head.bid, "underlying_ask": head.ask, "underlying_last": head.last}
    return columns | {name: np.array([value]) for name, value in one.items()}


def _side(
    right: str,
    roots: np.ndarray,
    days: np.ndarray,
    strike: np.ndarray,
    bid: np.ndarray,
    ask: np.ndarray,
) -> dict[str, np.ndarray]:
    return {
        "expiry": expiry_moments(days, settled_at_open(roots)),
        "strike": strike,
        "right": np.full(strike.size, right),
        "root": roots,
        "multiplier": multiplier_of(roots),
        "exercise": exercise_of(roots),
        "bid": bid,
        "ask": ask,
    }


def _number(rows: Rows, column: int, name: str) -> np.ndarray:
    """A column as float64, NaN where blank; rows where it is no number of 0 or more are refused."""
    clean = pd.Series(rows.cells[:, column]).str.strip().str.replace(",", "")
    values = pd.to_numeric(clean, errors="coerce").to_numpy(np.float64)
    rows.refuse(((clean != "").to_numpy() & ~np.isfinite(values)) | (values < 0),
                f"{name} is not a price")  # fmt: skip
    return values


def _agree(
    rows: Rows, symbols: pd.DataFrame, right: str, strike: np.ndarray, days: np.ndarray
) -> None:
    """Refuse rows whose symbol says another option than the columns, or than the other symbol."""
    known = (symbols["root"] != "").to_numpy()
    day = symbols["day"].to_numpy().astype("datetime64[D]")
    both = known & in_calendar(days) & in_calendar(day)
    moved = known & (np.isnat(day) | (~np.isnat(day) & ~in_calendar(day)))
    moved[both] = expiry_moments(day[both]) != expiry_moments(days[both])
    wrong = known & (
        (symbols["right"] != right).to_numpy()
        | (np.abs(symbols["strike"].to_numpy() - strike) > 5e-4)
        | moved
    )
    rows.refuse(wrong, "the symbol and the columns say another option")
