"""The trader's hand: messages that set a theo, an offset or a limit, or halt a strategy, as a file.

The file is CSV with the columns of COLUMNS. ``time`` is UTC (ISO 8601, or ns since the epoch) or
empty: when the line is read, which only a running strategy can do. ``for_s`` is how long a theo or
an offset holds, empty: for good. A run writes what it was told in the same form, so that the same
day can be run again with the same messages.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mmquant.core.dtypes import MSG, NEVER, Control, Hand, Limit, MsgKind
from mmquant.data.contracts import Contract
from mmquant.errors import DataError, UsageError

COLUMNS = ("time", "symbol", "what", "value", "for_s")
PRICES = {"theo": Hand.THEO, "offset": Hand.OFFSET}
CONTROLS = {"halt": Control.HALT, "resume": Control.RESUME, "kill": Control.KILL}
LIMITS = {
    "max_position_lots": Limit.MAX_POSITION_LOTS,
    "max_order_lots": Limit.MAX_ORDER_LOTS,
    "max_open_orders": Limit.MAX_OPEN_ORDERS,
    "max_loss_ccy": Limit.MAX_LOSS,
}
WHAT = (*PRICES, *CONTROLS, *LIMITS)
UNTIMED = -1


class TraderHand:
    """Writes messages to a file that a running strategy, or a later run, reads."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def theo(self, symbol: str, price: float | None, *, for_s: float | None = None) -> None:
        """Set the theoretical value of an instrument [currency]; None takes it away."""
        self.write("theo", symbol=symbol, value=price, for_s=for_s)

    def offset(self, symbol: str, by: float, *, for_s: float | None = None) -> None:
        """Shift the theoretical mid of an instrument. [currency]"""
        self.write("offset", symbol=symbol, value=by, for_s=for_s)

    def halt(self) -> None:
        """Pull all quotes until ``resume``."""
        self.write("halt")

    def resume(self) -> None:
        """Quote again after a halt."""
        self.write("resume")

    def kill(self) -> None:
        """Pull all quotes for good."""
        self.write("kill")

    def limit(self, name: str, value: float) -> None:
        """Set a limit: one of LIMITS."""
        self.write(name, value=value)

    def write(
        self,
        what: str,
        *,
        symbol: str = "",
        value: float | None = None,
        for_s: float | None = None,
        time: str = "",
    ) -> None:
        """Append one message. Raises UsageError where it makes no sense."""
        _check(what, symbol, value, for_s)
        number = "" if value is None else repr(float(value))
        line = [time, symbol, what, number, "" if for_s is None else repr(float(for_s))]
        text = io.StringIO()
        if not self.path.exists() or self.path.stat().st_size == 0:
            csv.writer(text, lineterminator="\n").writerow(COLUMNS)
        csv.writer(text, lineterminator="\n").writerow(line)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())


def _check(what: str, symbol: str, value: float | None, for_s: float | None) -> None:
    if what not in WHAT:
        raise UsageError(f"{what!r} cannot be set", fix="use one of " + ", ".join(WHAT))
    if what in PRICES and not symbol:
        raise UsageError(f"{what} needs a symbol", fix="say which instrument")
    if what in (*LIMITS, "offset") and value is None:
        raise UsageError(f"{what} needs a value", fix="give a number")
    if value is not None and not math.isfinite(value):
        raise UsageError(f"{what} is {value}", fix="give a finite number")
    if what in LIMITS and value is not None and value <= 0:
        raise UsageError(f"{what} is {value:g}", fix="give a number above 0")
    if for_s is not None and not 0 < for_s <= 1e7:
        raise UsageError(f"it is to hold for {for_s:g} s", fix="give a time above 0, up to 1e7 s")


def read_hand(path: str | Path, contracts: Sequence[Contract]) -> np.ndarray:
    """The messages of a file as MSG rows, in order of time, for a run over a tape.

    Raises DataError where a line is wrong, or has no time.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from None
    rows = list(parse_lines(text, str(file), contracts, first_line=1))
    out = np.concatenate(rows) if rows else np.zeros(0, MSG)
    untimed = np.flatnonzero(out["ts"] == UNTIMED)
    if len(untimed):
        raise DataError(
            "the line has no time",
            where=f"{file}, message {untimed[0] + 1}",
            fix="a run over a tape cannot know when it was given: write the time",
        )
    return out[np.argsort(out["ts"], kind="stable")]


def parse_lines(
    text: str, where: str, contracts: Sequence[Contract], *, first_line: int
) -> Iterator[np.ndarray]:
    """MSG arrays of one row each, for each line of CSV text; the header line is checked."""
    for number, line in enumerate(csv.reader(io.StringIO(text)), start=first_line):
        place = f"{where}, line {number}"
        if not line:
            continue
        if number == 1:
            if tuple(line) != COLUMNS:
                raise DataError(
                    "the header is not " + ",".join(COLUMNS), where=place, fix="write that line"
                )
            continue
        if len(line) != len(COLUMNS):
            raise DataError(f"{len(line)} fields instead of {len(COLUMNS)}", where=place)
        yield _message(dict(zip(COLUMNS, line, strict=True)), place, contracts)


def _message(line: dict[str, str], place: str, contracts: Sequence[Contract]) -> np.ndarray:
    value = _number(line["value"], "value", place)
    for_s = _number(line["for_s"], "for_s", place)
    what = line["what"]
    try:
        _check(what, line["symbol"], value, for_s)
    except UsageError as error:
        raise DataError(str(error), where=place) from None
    row = np.zeros(1, MSG)
    row["ts"] = _time(line["time"], place)
    row["price"] = row["mid"] = np.nan
    row["inst"] = _instrument(line["symbol"], place, contracts) if line["symbol"] else 0
    if what in PRICES:
        row["kind"], row["reason"] = MsgKind.THEO, PRICES[what]
        row["price"] = np.nan if value is None else value
        row["exch_ts"] = 0 if for_s is None else row["ts"] + round(for_s * 1e9)
    elif what in CONTROLS:
        row["kind"], row["reason"] = MsgKind.CONTROL, CONTROLS[what]
    else:
        assert value is not None
        row["kind"], row["reason"] = MsgKind.LIMITS, LIMITS[what]
        row["price"] = value
        row["lots"] = min(int(value), 2**31 - 1) if what != "max_loss_ccy" else 0
    return row


def _number(text: str, name: str, place: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{name} {text!r} is not a number", where=place) from None


def _time(text: str, place: str) -> int:
    text = text.strip()
    if not text:
        return UNTIMED
    if text.isdigit():
        return int(text)
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        raise DataError(
            f"{text!r} is not a time", where=place, fix="write 2012-06-21T14:30:00Z, or ns"
        ) from None
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(stamp.as_unit("ns").value)


def _instrument(symbol: str, place: str, contracts: Sequence[Contract]) -> int:
    found = [c.id for c in contracts if symbol in (c.symbol, str(c.id))]
    if len(found) == 1:
        return found[0]
    problem = "is not on the tape" if not found else "names several instruments"
    raise DataError(f"{symbol!r} {problem}", where=place, fix="give its symbol, or its number")


def hand_lines(rows: np.ndarray, contracts: Sequence[Contract]) -> list[dict[str, str]]:
    """Messages as lines of the file, with their times; ``refused`` says which changed nothing."""
    names = {
        **{(int(MsgKind.THEO), int(code)): name for name, code in PRICES.items()},
        **{(int(MsgKind.CONTROL), int(code)): name for name, code in CONTROLS.items()},
        **{(int(MsgKind.LIMITS), int(code)): name for name, code in LIMITS.items()},
    }
    out = []
    for row in rows:
        what = names[int(row["kind"]), int(row["reason"])]
        lasting = row["exch_ts"] in (0, NEVER)
        out.append(
            {
                "time": _iso(int(row["ts"])),
                "symbol": contracts[int(row["inst"])].symbol if what in PRICES else "",
                "what": what,
                "value": "" if math.isnan(row["price"]) else repr(float(row["price"])),
                "for_s": "" if lasting else repr((int(row["exch_ts"]) - int(row["ts"])) / 1e9),
                "refused": "yes" if row["event"] else "",
            }
        )
    return out


def _iso(ts: int) -> str:
    """A time with all nine digits, so that it is read back exactly."""
    whole = datetime.fromtimestamp(ts // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ts % 1_000_000_000:09d}Z"
