"""Times as Interactive Brokers writes and reads them."""

from __future__ import annotations

import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from mmquant.calendars import expiry_moments, in_calendar

NEW_YORK = ZoneInfo("America/New_York")
YEAR_NS = 365.0 * 86_400e9


def eastern(ns: int) -> datetime.datetime:
    """A time in New York, to the second."""
    return datetime.datetime.fromtimestamp(ns // 1_000_000_000, NEW_YORK)


@lru_cache(maxsize=256)
def close_ns(day: datetime.date) -> int:
    """When options of a day expire: the close of its session, early ones kept. [ns since the epoch]

    16:00 in New York where the calendar does not reach.
    """
    days = np.array([day], "datetime64[D]")
    if in_calendar(days)[0]:
        return int(expiry_moments(days).astype("datetime64[ns]")[0].astype(np.int64))
    close = datetime.datetime(day.year, day.month, day.day, 16, tzinfo=NEW_YORK)
    return int(close.timestamp()) * 1_000_000_000


def time_ns(text: str, of_day: str = "23:59:59") -> int | None:
    """A time as ``yyyymmdd hh:mm:ss zone``, or ``yyyymmdd-hh:mm:ss`` in UTC, else None. [ns]

    ``of_day``: the time where the text has only the day.
    """
    zone: datetime.tzinfo = datetime.UTC if "-" in text[:9] else NEW_YORK
    words = text.replace("-", " ", 1).split(None, 2)
    try:
        if len(words) == 3:
            zone = ZoneInfo(words[2])
        clock = words[1] if len(words) > 1 else of_day
        when = datetime.datetime.strptime(f"{words[0]} {clock}", "%Y%m%d %H:%M:%S")
        return int(when.replace(tzinfo=zone).timestamp()) * 1_000_000_000
    except (ValueError, IndexError, OverflowError, ZoneInfoNotFoundError):
        return None
