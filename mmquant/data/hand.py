"""The trader's hand: messages that set a theo, an offset or a limit, or halt a strategy, as a file.

The file is CSV with the columns of COLUMNS. ``time`` is UTC (ISO 8601, or ns since the epoch) or
empty: when the line is read, which only a running strategy can do. ``for_s`` is how long a theo or
an offset holds, from that time on; empty: for good. A run writes what it was told in the same form,
so that the same day can be run again with the same messages.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from mmquant.core.dtypes import MSG, NEVER, Control, MsgKind
from mmquant.data.contracts import Contract
from mmquant.data.hand_fields import (
    COLUMNS,
    CONTROLS,
    LIMITS,
    PRICES,
    UNTIMED,
    check_message,
    instrument_of,
    number_of,
    seconds_text,
    time_of,
    time_text,
)
from mmquant.errors import DataError, MMQuantError


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
        check_message(what, symbol, value, for_s)
        time_of(time)
        number = "" if value is None else repr(float(value))
        line = (time, symbol, what, number, "" if for_s is None else repr(float(for_s)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            file.seek(0)
            before = file.read()
            start = "\n" if before and not before.endswith(b"\n") else ""
            lines = [line] if before.strip() else [COLUMNS, line]
            file.write((start + _csv(lines)).encode())


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def read_hand(path: str | Path, contracts: Sequence[Contract]) -> np.ndarray:
    """The messages of a file as MSG rows, in order of time, for a run over a tape.

    Raises DataError where the file cannot be read or is empty, a line is wrong, or has no time.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}",
            where=str(file),
            fix="name a file of messages in hand.file, or none",
        ) from None
    if not data.strip():
        raise DataError("the file is empty", where=str(file), fix=_header_fix())
    rows = list(parse_lines(data, str(file), contracts, first_line=1, needs_time=True))
    out = np.concatenate(rows) if rows else np.zeros(0, MSG)
    return out[np.argsort(out["ts"], kind="stable")]


def parse_lines(
    data: bytes,
    where: str,
    contracts: Sequence[Contract],
    *,
    first_line: int,
    needs_time: bool = False,
) -> Iterator[np.ndarray]:
    """MSG arrays of one row each, for each line of CSV text; the header line is checked.

    A row without a time has ``ts`` UNTIMED, and in ``exch_ts`` how long it holds. [ns]
    """
    try:
        text = data.decode("utf-8-sig" if first_line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        place = f"{where}, line {first_line + data[: error.start].count(10)}"
        raise DataError("this is no UTF-8 text", where=place, fix="write it anew") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = first_line == 1
    while True:
        try:
            line = next(reader, None)
        except csv.Error as error:
            place = f"{where}, line {first_line - 1 + reader.line_num}"
            raise DataError(f"this is not CSV ({error})", where=place, fix="mend it") from None
        place = f"{where}, line {first_line - 1 + reader.line_num}"
        if line is None:
            return
        if not line:
            continue
        if header and tuple(line) != COLUMNS:
            raise DataError(
                "the header is not " + ",".join(COLUMNS), where=place, fix=_header_fix()
            )
        if not header:
            yield _message(line, place, contracts, needs_time)
        header = False


def _header_fix() -> str:
    return f"begin the file with the line {','.join(COLUMNS)}"


def _message(
    line: list[str], place: str, contracts: Sequence[Contract], needs_time: bool
) -> np.ndarray:
    try:
        if len(line) != len(COLUMNS):
            raise DataError(
                f"{len(line)} fields instead of {len(COLUMNS)}", fix="give " + ",".join(COLUMNS)
            )
        time, symbol, what, value_text, for_text = (field.strip() for field in line)
        value, for_s = number_of(value_text, "value"), number_of(for_text, "for_s")
        check_message(what, symbol, value, for_s)
        ts = time_of(time)
        if needs_time and ts == UNTIMED:
            raise DataError(
                "the line has no time",
                fix="a run over a tape cannot know when it was given: write the time",
            )
        inst = instrument_of(symbol, contracts) if symbol else 0
    except MMQuantError as error:
        raise DataError(error.what, where=place, fix=error.fix) from None
    row = np.zeros(1, MSG)
    row["ts"], row["inst"] = ts, inst
    row["price"] = np.nan if value is None else value
    row["mid"] = np.nan
    if what in PRICES:
        row["kind"], row["reason"] = MsgKind.THEO, PRICES[what]
        if for_s is not None:
            row["exch_ts"] = round(Decimal(for_text) * 10**9) + (0 if ts == UNTIMED else ts)
    elif what in CONTROLS:
        row["kind"], row["reason"] = MsgKind.CONTROL, CONTROLS[what]
    else:
        row["kind"], row["reason"] = MsgKind.LIMITS, LIMITS[what]
        row["lots"] = 0 if value is None or what == "max_loss_ccy" else int(value)
    return row


def hand_lines(rows: np.ndarray, contracts: Sequence[Contract]) -> list[dict[str, str]]:
    """Messages as lines of the file, with their times; ``refused`` says which changed nothing.

    What the broker said has no line, nor have orders by hand: they are quote instructions. The end
    of a stop in order and of a kill has none either: the file has no words for them.
    """
    names = {
        **{(int(MsgKind.THEO), int(code)): name for name, code in PRICES.items()},
        **{(int(MsgKind.CONTROL), int(code)): name for name, code in CONTROLS.items()},
        **{(int(MsgKind.LIMITS), int(code)): name for name, code in LIMITS.items()},
    }
    symbols = [c.symbol for c in contracts]
    out = []
    for row in rows[rows["kind"] < int(MsgKind.SESSION)]:
        if row["kind"] == MsgKind.CONTROL and row["reason"] in (Control.UNHALT, Control.RELEASE):
            continue
        what, inst = names[int(row["kind"]), int(row["reason"])], int(row["inst"])
        holds_ns = int(row["exch_ts"]) - int(row["ts"])
        unique = 0 <= inst < len(symbols) and symbols.count(symbols[inst]) == 1
        out.append(
            {
                "time": time_text(int(row["ts"])),
                "symbol": "" if what not in PRICES else symbols[inst] if unique else str(inst),
                "what": what,
                "value": "" if math.isnan(row["price"]) else repr(float(row["price"])),
                "for_s": "" if row["exch_ts"] in (0, NEVER) else seconds_text(holds_ns),
                "refused": "yes" if row["event"] else "",
            }
        )
    return out


def hand_text(told: Sequence[Mapping[str, str]]) -> str:
    """The lines of ``hand_lines`` as a file, without those that were refused or not a number."""
    kept = [line for line in told if not line["refused"] and "inf" not in line["value"]]
    lines = [[line[name] for name in COLUMNS] for line in kept]
    return _csv([COLUMNS, *lines])
