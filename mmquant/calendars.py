"""Sessions of the US stock and option exchanges, and the moment an option ceases.

The sessions are those of `exchange_calendars` for the New York Stock Exchange, whose holidays and
early closes the option exchanges keep. Days are ``datetime64[D]``, moments ``datetime64[ns]`` UTC.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mmquant.errors import DataError

Day = date | str | np.datetime64

TIMEZONE = "America/New_York"
FIRST_DAY, LAST_DAY = "1990-01-01", "2049-12-31"
"""Days that the table of sessions spans."""


@dataclass(frozen=True)
class Sessions:
    """All sessions in order: ``day`` [D], ``opens`` and ``closes`` [ns, UTC]."""

    day: np.ndarray
    opens: np.ndarray
    closes: np.ndarray


@lru_cache(maxsize=1)
def sessions() -> Sessions:
    """The table of sessions, from FIRST_DAY to LAST_DAY."""
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

    with warnings.catch_warnings():
        # It warns of what the next major pandas changes inside it.
        warnings.simplefilter("ignore")
        schedule = XNYSExchangeCalendar(start=FIRST_DAY, end=LAST_DAY).schedule
    table = Sessions(
        schedule.index.to_numpy().astype("datetime64[D]"),
        _moments(schedule["open"]),
        _moments(schedule["close"]),
    )
    for array in (table.day, table.opens, table.closes):
        array.flags.writeable = False
    return table


def session(day: Day) -> tuple[np.datetime64, np.datetime64]:
    """Open and close of the session of a day. Raises DataError where it has none."""
    table, wanted = sessions(), _day(day)
    at = int(np.searchsorted(table.day, wanted))
    if at == table.day.size or table.day[at] != wanted:
        raise DataError(
            f"{wanted} has no session: it is a weekend or a holiday in New York",
            fix="check the date",
        )
    return table.opens[at], table.closes[at]


def last_sessions(days: np.ndarray) -> np.ndarray:
    """Index into ``sessions()`` of the last session on or before each day [D]; -1 for NaT.

    Raises DataError for days outside the table.
    """
    table = sessions()
    days = np.asarray(days, "datetime64[D]")
    none = np.isnat(days)
    beyond = ~none & ~in_calendar(days)
    if beyond.any():
        raise DataError(
            f"the calendar does not know {days[beyond].flat[0]}",
            fix=f"use days from {table.day[0]} to {LAST_DAY}",
        )
    at = np.searchsorted(table.day, days, side="right") - 1
    return np.where(none, -1, at)


def in_calendar(days: np.ndarray) -> np.ndarray:
    """Whether the table reaches each day [D] (bool); not for NaT."""
    days = np.asarray(days, "datetime64[D]")
    return (days >= sessions().day[0]) & (days <= np.datetime64(LAST_DAY))


def expiry_moments(days: np.ndarray, at_open: np.ndarray | bool = False) -> np.ndarray:
    """When options cease that expire on ``days`` [D]; NaT stays NaT.

    It is the close of the last session on or before the day, early closes and holidays kept: an
    expiry on a Saturday, as all monthly ones were before February 2015, ceases on the Friday. Where
    ``at_open`` holds, it is that session's open: such options are settled by opening prices.
    """
    table = sessions()
    at = last_sessions(days)
    moments = np.where(at_open, table.opens[at], table.closes[at])
    return np.where(at < 0, np.datetime64("NaT", "ns"), moments)


def midnight(day: Day) -> np.datetime64:
    """The moment [ns, UTC] at which a day begins in New York."""
    local = pd.Timestamp(str(_day(day))).tz_localize(ZoneInfo(TIMEZONE))
    moment: np.datetime64 = local.tz_convert("UTC").tz_localize(None).as_unit("ns").to_datetime64()
    return moment


def _day(day: Day) -> np.datetime64:
    found: np.datetime64 = np.array([day], "datetime64[D]")[0]
    return found


def _moments(column: pd.Series) -> np.ndarray:
    return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
