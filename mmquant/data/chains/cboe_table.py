"""Parts of a quote table of Cboe's: its head, its columns, its dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import numpy as np

from mmquant.calendars import in_calendar, midnight

STAMP = re.compile(r"([A-Z][a-z]+ \d{1,2},? \d{4}) (?:at|@) (\d{1,2}:\d{2}(?: [AP]M)?) E[DS]?T")
PRICE = r"[:|]? *([\d.,]+)"
EXPIRY_FORMATS = ("%a %b %d %Y", "%m/%d/%Y", "%Y-%m-%d")
HEAD_ROWS = 10
"""Rows among which the names of the columns are looked for."""


@dataclass(frozen=True)
class Head:
    """What stands above the rows. ``day`` is New York's, ``rows`` how many there are."""

    day: str
    time: np.datetime64
    bid: float
    ask: float
    last: float
    rows: int
    columns: dict[str, int]


def read_head(rows: list[list[str]], fail: Callable[[str, str], NoReturn]) -> Head:
    """Time, underlying and columns of a table; calls ``fail(what, fix)``, which raises."""
    names = next((i for i, row in enumerate(rows[:HEAD_ROWS]) if "Calls" in row), None)
    if names is None or "Puts" not in rows[names]:
        fail(
            "there is no row of column names with Calls and Puts",
            "download the quote table with all columns",
        )
    above = ["|".join(cell.strip() for cell in row) for row in rows[:names]]
    stamp = next(filter(None, (STAMP.search(text) for text in above)), None)
    if stamp is None:
        fail("no date and time stand above the column names", "keep the first lines of the file")
    text = "\n".join(above)
    named = re.search(r"Last" + PRICE, text) or re.search(r"\)\|([\d.,]+)", text)
    local = _local(stamp[1].replace(",", ""), stamp[2])
    if local is None:
        fail(f"{stamp[0]!r} is not a date and time", "keep the file as downloaded")
    return Head(
        day=local.date().isoformat(),
        time=midnight(local.date()) + np.timedelta64(60 * local.hour + local.minute, "m"),
        bid=_price(re.search(r"Bid" + PRICE, text)),
        ask=_price(re.search(r"Ask" + PRICE, text)),
        last=_price(named),
        rows=names + 1,
        columns=_columns(rows[names], fail),
    )


def expiry_days(texts: list[str]) -> np.ndarray:
    """Days [D] from the texts of the expiry column; NaT where a text is no date."""
    known = {text: _day(text.strip()) for text in set(texts)}
    return np.array([known[text] for text in texts], "datetime64[D]")


def _columns(names: list[str], fail: Callable[[str, str], NoReturn]) -> dict[str, int]:
    """Places of the columns: those of calls stand left of Strike or Puts, those of puts right."""
    names = [name.strip() for name in names]
    puts = names.index("Puts")
    places = {"call": names.index("Calls"), "put": puts}
    for place, name in (("strike", "Strike"), ("expiry", "Expiration Date")):
        if name in names:
            places[place] = names.index(name)
    for side in ("Bid", "Ask"):
        left = [i for i, name in enumerate(names) if name == side and i < puts]
        right = [i for i, name in enumerate(names) if name == side and i > puts]
        if len(left) != 1 or len(right) != 1:
            fail(f"column {side} is not there once for calls and once for puts",
                 "download the quote table with all columns")  # fmt: skip
        places[f"call_{side.lower()}"], places[f"put_{side.lower()}"] = left[0], right[0]
    return places


def _local(day: str, clock: str) -> datetime | None:
    for month in ("%B", "%b"):
        try:
            form = f"{month} %d %Y " + ("%I:%M %p" if clock.endswith("M") else "%H:%M")
            found = datetime.strptime(f"{day} {clock}", form)
        except ValueError:
            continue
        return found if in_calendar(np.array(found.date(), "datetime64[D]")) else None
    return None


def _price(found: re.Match[str] | None) -> float:
    try:
        value = float(found[1].replace(",", "")) if found else np.nan
    except ValueError:
        return np.nan
    return value if value > 0 else np.nan


def _day(text: str) -> np.datetime64:
    for form in EXPIRY_FORMATS:
        try:
            return np.datetime64(datetime.strptime(text, form).date(), "D")
        except ValueError:
            continue
    return np.datetime64("NaT", "D")
