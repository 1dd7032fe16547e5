"""Quote tables of Cboe's delayed quotes: one moment, one row per strike, calls left, puts right.

Volatilities and greeks in them are not read: ``mm.options`` computes its own.
"""

from __future__ import annotations

import csv
import zipfile
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


def read(
    path: Path,
    *,
    lenient: bool = False,
    underlying: str | None = None,
    date: str | date | None = None,
) -> xr.Dataset:
    """Option quotes of one moment (schema ``option_quotes``) from csv, csv.gz or zip.

    Root, right, strike and expiry come from the option symbols, and must agree with the columns.
    A row without a readable symbol has them from the columns, and the underlying's name as root.
    Raises DataError.
    """
    file = existing(path)
    q = Quarantine(file, lenient)
    rows = _rows(file, q)

    def fail(what: str, fix: str) -> NoReturn:
        q.fail(what, fix=fix)

    head = read_head(rows, fail)
    numbers, table = _table(rows, head, q)
    columns = _contracts(numbers, table, head, q, underlying)
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


def _table(rows: list[list[str]], head: Head, q: Quarantine) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers from 1 and cells (rows, columns) of the rows that are whole."""
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
    return np.array(numbers), np.array(cells, object)


def _contracts(
    numbers: np.ndarray, cells: np.ndarray, head: Head, q: Quarantine, underlying: str | None
) -> dict[str, Any]:
    """Columns of the Dataset, calls and then puts."""
    place = head.columns
    strike, keep = _number(cells[:, place["strike"]], "Strike", numbers, cells, q)
    days = expiry_days(
        cells[:, place["expiry"]].tolist() if "expiry" in place else [""] * len(cells)
    )
    keep &= _known(days, numbers, cells, q)
    sides = []
    for right, name in (("C", "call"), ("P", "put")):
        bid, bid_ok = _number(cells[:, place[f"{name}_bid"]], "Bid", numbers, cells, q)
        ask, ask_ok = _number(cells[:, place[f"{name}_ask"]], "Ask", numbers, cells, q)
        symbols = parse_symbols(cells[:, place[name]])
        keep &= bid_ok & ask_ok & _agree(symbols, right, strike, days, numbers, cells, q)
        sides.append((right, symbols, bid, np.where(ask == 0, np.nan, ask)))
    known = [root for _, symbols, *_ in sides for root in symbols["root"] if root]
    main = (underlying or underlying_of(np.array(known, str)) or "").upper().lstrip("^")
    parts = [_side(*side, days, strike, main) for side in sides]
    columns = {name: np.concatenate([part[name][keep] for part in parts]) for name in parts[0]}
    for name in ("bid", "ask"):
        columns[name] = columns[name][None, :]
    one = {"underlying_bid": head.bid, "underlying_ask": head.ask, "underlying_last": head.last}
    return columns | {name: np.array([value]) for name, value in one.items()}


def _side(
    right: str,
    symbols: pd.DataFrame,
    bid: np.ndarray,
    ask: np.ndarray,
    days: np.ndarray,
    strike: np.ndarray,
    main: str,
) -> dict[str, np.ndarray]:
    roots = np.where(symbols["root"] == "", main, symbols["root"]).astype(str)
    day = np.where(np.isnat(symbols["day"].to_numpy()), days, symbols["day"].to_numpy())
    day = day.astype("datetime64[D]")
    # Rows beyond the calendar are in quarantine by now.
    day[~in_calendar(day)] = np.datetime64("NaT")
    return {
        "expiry": expiry_moments(day, settled_at_open(roots)),
        "strike": strike,
        "right": np.full(strike.size, right),
        "root": roots,
        "multiplier": multiplier_of(roots),
        "exercise": exercise_of(roots),
        "bid": bid,
        "ask": ask,
    }


def _number(
    texts: np.ndarray, name: str, numbers: np.ndarray, cells: np.ndarray, q: Quarantine
) -> tuple[np.ndarray, np.ndarray]:
    """A column as float64, NaN where blank, and the rows where it is a number of 0 or more."""
    clean = pd.Series(texts).str.strip().str.replace(",", "")
    values = pd.to_numeric(clean, errors="coerce").to_numpy(np.float64)
    wrong = ((clean != "").to_numpy() & ~np.isfinite(values)) | (values < 0)
    return values, q.bad(wrong, f"{name} is not a price", numbers, text=_text(cells))


def _agree(
    symbols: pd.DataFrame,
    right: str,
    strike: np.ndarray,
    days: np.ndarray,
    numbers: np.ndarray,
    cells: np.ndarray,
    q: Quarantine,
) -> np.ndarray:
    """Rows whose symbol says what the columns say."""
    known = (symbols["root"] != "").to_numpy()
    day = symbols["day"].to_numpy().astype("datetime64[D]")
    ok = _known(day, numbers, cells, q)
    both = known & in_calendar(days) & in_calendar(day)
    moved = np.zeros(len(known), bool)
    moved[both] = expiry_moments(day[both]) != expiry_moments(days[both])
    wrong = known & (
        (symbols["right"] != right).to_numpy()
        | (np.abs(symbols["strike"].to_numpy() - strike) > 5e-4)
        | moved
    )
    return ok & q.bad(
        wrong, "the symbol and the columns say another option", numbers, text=_text(cells)
    )


def _known(days: np.ndarray, numbers: np.ndarray, cells: np.ndarray, q: Quarantine) -> np.ndarray:
    """Rows whose expiry is none or one that the calendar reaches."""
    beyond = ~np.isnat(days) & ~in_calendar(days)
    return q.bad(beyond, "the expiry is beyond the calendar", numbers, text=_text(cells))


def _text(cells: np.ndarray) -> Any:
    return lambda i: ",".join(cells[i].tolist())
