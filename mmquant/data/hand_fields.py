"""The fields of a message from the trader: what each may hold, and how it is read and written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from mmquant.core.dtypes import Control, Hand, Limit
from mmquant.data.contracts import Contract
from mmquant.errors import DataError, UsageError

COLUMNS = ("time", "symbol", "what", "value", "for_s")
PRICES = {
    "theo": Hand.THEO,
    "offset": Hand.OFFSET,
    "delta": Hand.DELTA,
    "gamma": Hand.GAMMA,
    "vega": Hand.VEGA,
}
CONTROLS = {
    "halt": Control.HALT,
    "resume": Control.RESUME,
    "kill": Control.KILL,
    "flatten": Control.FLATTEN,
}
LIMITS = {
    "max_position_lots": Limit.MAX_POSITION_LOTS,
    "max_order_lots": Limit.MAX_ORDER_LOTS,
    "max_open_orders": Limit.MAX_OPEN_ORDERS,
    "max_loss_ccy": Limit.MAX_LOSS,
}
WHAT = (*PRICES, *CONTROLS, *LIMITS)
UNTIMED = -1
MOST_LOTS = 2**31 - 1
LONGEST_S = 1e7
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.(\d{1,9}))?)?(Z|[-+]\d\d:?\d\d)?", re.ASCII
)
NS = re.compile(r"[1-7]\d{18}", re.ASCII)


def check_message(what: str, symbol: str, value: float | None, for_s: float | None) -> None:
    """Refuse what makes no sense. Raises UsageError."""
    if what not in WHAT:
        raise UsageError(f"{what!r} cannot be set", fix="use one of " + ", ".join(WHAT))
    if what in PRICES and not symbol:
        raise UsageError(f"{what} needs a symbol", fix="say which instrument")
    if what not in PRICES and symbol:
        raise UsageError(f"{what} is for all instruments, not {symbol!r}", fix="leave it out")
    if what in (*LIMITS, "offset") and value is None:
        raise UsageError(f"{what} needs a value", fix="give a number")
    if what in CONTROLS and value is not None:
        raise UsageError(f"{what} takes no value", fix="leave it out")
    if what not in PRICES and for_s is not None:
        raise UsageError(f"{what} does not end by itself", fix="leave out for_s, and end it later")
    if value is not None and not math.isfinite(value):
        raise UsageError(f"{what} is {value}", fix="give a finite number")
    if what in LIMITS and value is not None:
        _check_limit(what, value)
    if for_s is not None and not 1e-9 <= for_s <= LONGEST_S:
        raise UsageError(
            f"it is to hold for {for_s:g} s", fix=f"give a time from 1e-9 to {LONGEST_S:g} s"
        )


def _check_limit(what: str, value: float) -> None:
    if value <= 0:
        raise UsageError(f"{what} is {value:g}", fix="give a number above 0")
    if what != "max_loss_ccy" and (value != int(value) or value > MOST_LOTS):
        raise UsageError(f"{what} is {value:g}", fix=f"give a whole number up to {MOST_LOTS}")


def number_of(text: str, name: str) -> float | None:
    """A number, or None where there is none. Raises UsageError; NaN is no number."""
    if not text:
        return None
    if not NUMBER.fullmatch(text):
        raise UsageError(f"{name} {text!r} is not a number", fix="write one like 100.25")
    return float(text)


def time_of(text: str) -> int:
    """A time with its date, as ns since the epoch; UNTIMED where there is none.

    Raises UsageError: a time without a date, or a number of seconds, is refused.
    """
    if not text:
        return UNTIMED
    if NS.fullmatch(text):
        return int(text)
    found = ISO.fullmatch(text)
    try:
        if not found:
            raise ValueError
        day, minute, second, part, zone = found.groups()
        whole = f"{day}T{minute}{(second or ':00').partition('.')[0]}{zone or 'Z'}"
        ts = round(datetime.fromisoformat(whole).timestamp()) * 10**9
        ts += int((part or "").ljust(9, "0"))
        if not 0 <= ts < 8 * 10**18:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time",
            fix="write date and time as in 2012-06-21T14:30:00.5Z, or ns since 1970",
        ) from None
    return ts


def instrument_of(symbol: str, contracts: Sequence[Contract]) -> int:
    """Number of the contract of that symbol, or else of that number. Raises DataError."""
    named = [c.id for c in contracts if symbol == c.symbol]
    found = named or [c.id for c in contracts if symbol == str(c.id)]
    if len(found) == 1:
        return found[0]
    problem = "is not on the tape" if not found else "names several instruments"
    raise DataError(f"{symbol!r} {problem}", fix="give its symbol, or its number on the tape")


def seconds_text(ns: int) -> str:
    """A duration without rounding."""
    text = f"{ns // 10**9}.{ns % 10**9:09d}"
    return text.rstrip("0").rstrip(".")


def time_text(ts: int) -> str:
    """A time with all nine digits, so that it is read back exactly."""
    whole = datetime.fromtimestamp(ts // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ts % 1_000_000_000:09d}Z"
