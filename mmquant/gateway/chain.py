"""The stock and the option chain of the seeded market."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from mmquant.calendars import in_calendar, last_sessions, sessions
from mmquant.data.contracts import Contract, Ladder

STRIKES = 21
STRIKE_STEP = 2.5


def chain_contracts(symbol: str, expiries: Sequence[datetime.date]) -> list[Contract]:
    """A stock, then calls and puts of each expiry by strike."""
    stock = Contract(
        0, symbol, "equity", "NASDAQ", settlement="physical", ladders=(Ladder.flat("0.01"),)
    )
    found = [stock]
    middle = 190.0
    for expiry in expiries:
        for k in range(STRIKES):
            strike = middle + STRIKE_STEP * (k - STRIKES // 2)
            for right in ("C", "P"):
                name = f"{symbol:<6}{expiry:%y%m%d}{right}{round(strike * 1000):08d}"
                found.append(
                    Contract.option(
                        len(found), name, venue="CBOE", expiry=expiry.isoformat(), strike=strike,
                        right=right, tick_class="penny",
                    )
                )  # fmt: skip
    return found


def expiry_day(start: datetime.date, days: int) -> datetime.date:
    """The first Friday that many days from a date, or later; the session before a holiday."""
    day = start + datetime.timedelta(days)
    day += datetime.timedelta((4 - day.weekday()) % 7)
    known = np.array([day], "datetime64[D]")
    if not in_calendar(known)[0]:
        return day
    found: datetime.date = sessions().day[last_sessions(known)[0]].astype("datetime64[D]").item()
    return found


def ticks_below(price: np.ndarray) -> np.ndarray:
    """Tick at or below each price on the ladder of a penny class."""
    cents = np.floor(price * 100.0 + 1e-9)
    return np.where(cents < 300, cents, 300 + (cents - 300) // 5).astype(np.int64)


def ticks_above(price: np.ndarray) -> np.ndarray:
    """Tick at or above each price on the ladder of a penny class."""
    cents = np.ceil(price * 100.0 - 1e-9)
    return np.where(cents <= 300, cents, 300 + np.ceil((cents - 300) / 5)).astype(np.int64)
