"""Lean zips as QuantConnect writes them, made from rows in a test."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Row = tuple[int, float | None, float | None]
"""Minute of the day, bid, ask; a side is None where it did not change."""


def bar(row: Row, size: int = 7) -> str:
    """One line: the bar of a minute, opens and extremes made up."""
    minute, bid, ask = row
    parts = [str(minute * 60_000)]
    for price in (bid, ask):
        if price is None:
            parts += ["", "", "", "", "0"]
        else:
            scaled = round(price * 10_000)
            parts += [
                str(scaled - 100),
                str(scaled + 100),
                str(scaled - 100),
                str(scaled),
                str(size),
            ]
    return ",".join(parts)


def member(
    right: str, strike: float, expiry: str, *, day: str = "20140605", root: str = "twx"
) -> str:
    return f"{day}_{root}_minute_quote_american_{right}_{round(strike * 10_000)}_{expiry}.csv"


def write_lean(
    root: Path,
    options: Mapping[str, Sequence[Row] | str | bytes],
    underlying: Sequence[Row] | str,
    *,
    day: str = "20140605",
    symbol: str = "twx",
) -> Path:
    """Both zips of a day; ``options`` by name of member, as rows or as text. Returns the root."""
    zip_rows(root / "option" / symbol / f"{day}_quote_american.zip", options)
    own = {f"{day}_{symbol}_minute_quote.csv": underlying}
    zip_rows(root / "equity" / symbol / f"{day}_quote.zip", own)
    return root


def zip_rows(path: Path, members: Mapping[str, Sequence[Row] | str | bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in members.items():
            whole = isinstance(rows, str | bytes)
            archive.writestr(name, rows if whole else "".join(bar(row) + "\n" for row in rows))


def random_rows(rng: np.random.Generator, first: int = 565, last: int = 965) -> list[Row]:
    """Bars in some minutes, also before the open and after the close; sides go missing."""
    minutes = np.flatnonzero(rng.random(last - first) < rng.uniform(0.02, 0.9)) + first
    return [
        (
            int(minute),
            None if rng.random() < 0.3 else round(float(rng.uniform(1, 2)), 2),
            None if rng.random() < 0.3 else round(float(rng.uniform(2, 3)), 2),
        )
        for minute in minutes
    ]


OPEN, CLOSE = 570, 960
CALL, PUT = member("call", 70, "20140621"), member("put", 72.5, "20140719")
STOCK = [(OPEN - 5, 69.9, 70.1), (OPEN + 1, 70.0, None)]


def market(folder: Path, **changes) -> Path:
    """A call and a put of two expiries; ``options`` replaces members or adds some."""
    options = {CALL: [(OPEN, 1.0, 1.2), (OPEN + 2, None, 1.3)], PUT: [(OPEN + 1, 2.0, None)]}
    return write_lean(folder, options | changes.pop("options", {}), STOCK, **changes)
