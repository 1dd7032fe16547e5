"""Is the connection to Interactive Brokers fit for trading? Looks at all that the API can show.

It sends no orders. What only a person can see in TWS's settings is listed to be looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mmquant.brokers.ibkr import IBKRBroker
from mmquant.brokers.ibkr_feed import FARM, NOT_LIVE
from mmquant.brokers.ibkr_instruments import instruments_of
from mmquant.brokers.ibkr_lines import Budget
from mmquant.brokers.ibkr_pacer import Rank
from mmquant.brokers.ibkr_taps import differences
from mmquant.config import Config
from mmquant.errors import ConfigError, MMQuantError
from mmquant.live.modes import LIVE_PORTS, PAPER_PORTS, PAPER_PREFIX

PATIENCE_S = 12.0
SAMPLES, BETWEEN_S = 8, 0.15
"""IBKR's clock is told in whole seconds: it is asked for several times within one."""
SKEW_WARN_S, SKEW_FAIL_S = 0.5, 2.0
READ_ONLY = 321
NO_PERMISSION = frozenset({354, 10089, 10090, 10091, 10092, 10167, 10168, 10186, 10189})
TOO_MANY = frozenset({101, 309, 10190})
COMPETING = 10197
BROKEN = frozenset({2103, 2105, 2110, 2157, 1100})
ZONE = ZoneInfo("America/New_York")


class State(StrEnum):
    """What was found."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    LOOK = "look"
    """The API does not show it: look yourself."""


class Finding(NamedTuple):
    """One thing that was looked at; ``fix`` is empty where nothing is to be done."""

    state: State
    what: str
    found: str
    fix: str = ""


LOOK_AT = (
    Finding(
        State.LOOK, "resubmission", "unknown",
        "API settings: turn off 'Maintain and resubmit orders when connection is restored': else "
        "quotes that waited are sent when they are old",
    ),
    Finding(
        State.LOOK, "order precautions", "unknown",
        "API precautions: bypass them for API orders, or a dialog holds orders back",
    ),
    Finding(
        State.LOOK, "sizes", "unknown",
        "API settings: turn off 'Send market data in lots for US stocks': sizes are read as shares",
    ),
    Finding(
        State.LOOK, "message rate", "unknown",
        "API settings: turn on 'Reject messages above maximum allowed message rate'",
    ),
    Finding(
        State.LOOK, "API log", "unknown",
        "API settings: turn off 'Include market data in API log file': it slows TWS down",
    ),
    Finding(State.LOOK, "memory", "unknown", "Global settings: give TWS 4096 MB of memory"),
    Finding(
        State.LOOK, "restart", "unknown",
        "Lock and exit: let it restart by itself, at a time when nothing is traded",
    ),
)  # fmt: skip
"""Settings of TWS that hurt, and that the API does not show."""


class Heard:
    """Codes and streams as they come."""

    def __init__(self, broker: IBKRBroker) -> None:
        self._broker = broker
        self.codes: list[tuple[int, int, str]] = []
        """Instrument (-1: none), code and text."""
        self.streams: set[tuple[int, str]] = set()
        self.times: list[tuple[int, float]] = []
        """IBKR's clock, and ours when it came. [s since the epoch]"""
        broker.listen(self._hear)

    def _hear(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "error":
            inst, _ = self._broker.feed.lines.get(args[0], (-1, ""))
            self.codes.append((inst, int(args[1]), str(args[2])))
        elif name == "currentTime":
            self.times.append((int(args[0]), time.time()))
        elif name.startswith(("updateMktDepth", "tickByTick")):
            inst, _ = self._broker.feed.lines.get(args[0], (-1, ""))
            self.streams.add((inst, "depth" if name.startswith("update") else "trades"))

    def of(self, inst: int) -> dict[int, str]:
        """The codes told of an instrument."""
        return {code: text for one, code, text in self.codes if one == inst}


def examine(config: Config, *, patience_s: float = PATIENCE_S) -> list[Finding]:
    """Look at a connection and its market data; nothing raises but a configuration without one.

    Raises
    ------
    ConfigError
        where no instrument is named.
    """
    found = [_library()]
    date = datetime.now(UTC).astimezone(ZONE).date().isoformat()
    ibkr = config.ibkr
    try:
        found.append(Finding(State.OK, "address", f"{ibkr.host}:{ibkr.port}, {_kind(ibkr.port)}"))
        instruments = instruments_of(ibkr, date)
        broker = IBKRBroker(
            instruments.contracts, date=date, run="doctor", host=ibkr.host, port=ibkr.port,
            client_id=ibkr.client_id, account=ibkr.account, budget=Budget(lines=ibkr.lines),
            dry=True, **instruments.streams(),
        )  # fmt: skip
        heard = Heard(broker)
        broker.open()
    except ConfigError:
        raise
    except MMQuantError as error:
        told = error.what + (f" ({error.where})" if error.where else "")
        return [*found, Finding(State.FAIL, "connection", told, error.fix)]
    try:
        found.append(Finding(State.OK, "connection", f"version {broker.ib.client.serverVersion()}"))
        found.append(_account(broker.account, ibkr.port))
        found += _clock(broker, heard)
        wanted = {(i, "depth") for i in instruments.depth}
        wanted |= {(i, "trades") for i in instruments.trades}
        _wait_for_data(broker, heard, wanted, patience_s)
        found += [*_market_data(broker, heard, instruments.depth, instruments.trades)]
        found += [*_codes(heard), _budget(len(instruments.contracts), ibkr.lines)]
    finally:
        broker.close()
    return [*found, *LOOK_AT]


def _library() -> Finding:
    wrong = differences()
    if wrong:
        return Finding(State.FAIL, "ib_async", "; ".join(wrong), "install ib_async 2.1")
    return Finding(State.OK, "ib_async", "fits")


def _kind(port: int) -> str:
    if port in PAPER_PORTS:
        return "a port of paper trading"
    return "a port of live trading" if port in LIVE_PORTS else "a port of your own choice"


def _account(account: str, port: int) -> Finding:
    """Whether account and port are of one kind; the account is not named."""
    paper = account.startswith(PAPER_PREFIX)
    what = "paper account" if paper else "live account"
    if port in (LIVE_PORTS if paper else PAPER_PORTS):
        fix = "log in with the user that you mean, or change the port"
        return Finding(State.FAIL, "account", f"{what} at {_kind(port)}", fix)
    return Finding(State.OK, "account", what)


def _clock(broker: IBKRBroker, heard: Heard) -> list[Finding]:
    """How far IBKR's clock is from ours, and how long a question takes."""
    took = []
    for _ in range(SAMPLES):
        known, asked = len(heard.times), time.time()
        broker.link.send(Rank.QUERY, "time", broker.link.client.reqCurrentTime)
        until = broker.clock.now() + 2_000_000_000
        while len(heard.times) == known and broker.clock.now() < until:
            broker.next_message(until)
        if len(heard.times) == known:
            fix = "look whether TWS hangs, or asks for something in a dialog"
            return [Finding(State.FAIL, "clock", "no answer within two seconds", fix)]
        took.append(heard.times[-1][1] - asked)
        _pump(broker, BETWEEN_S)
    skew, within = skew_of(heard.times)
    state = State.OK
    if abs(skew) - within > SKEW_WARN_S:
        state = State.FAIL if abs(skew) - within > SKEW_FAIL_S else State.WARN
    text = f"IBKR's is {skew:+.2f} s (within {within:.2f} s) from this computer's"
    fix = "" if state is State.OK else "let the system set its clock by NTP"
    fast = f"{1e3 * sorted(took)[len(took) // 2]:.1f} ms for a question and its answer"
    return [Finding(state, "clock", text, fix), Finding(State.OK, "round trip", fast)]


def skew_of(times: list[tuple[int, float]]) -> tuple[float, float]:
    """Their clock less ours, and by how much that may be wrong [s], from whole seconds of theirs.

    What shows a second s is between s and s + 1.
    """
    low = max(theirs - ours for theirs, ours in times)
    high = min(theirs + 1 - ours for theirs, ours in times)
    return 0.5 * (low + high), max(0.5 * (high - low), 0.0)


def _wait_for_data(
    broker: IBKRBroker, heard: Heard, wanted: set[tuple[int, str]], patience_s: float
) -> None:
    """Wait until all instruments are fresh and all streams have come, or patience is over."""
    until = broker.clock.now() + round(patience_s * 1e9)
    while broker.clock.now() < until:
        if wanted <= heard.streams and not any(cell.stale for cell in broker.feed.cells):
            return
        broker.next_message(until)


def _pump(broker: IBKRBroker, seconds: float) -> None:
    until = broker.clock.now() + round(seconds * 1e9)
    while broker.clock.now() < until:
        broker.next_message(until)


def _market_data(
    broker: IBKRBroker, heard: Heard, depth: frozenset[int], trades: frozenset[int]
) -> Iterator[Finding]:
    """One finding for each stock and its streams, and one for all options."""
    silent = []
    for contract, cell in zip(broker.contracts, broker.feed.cells, strict=True):
        codes = heard.of(contract.id)
        if contract.kind == "option":
            silent += [contract.id] if cell.stale else []
            continue
        yield _quotes(contract.symbol, cell.stale, codes)
        for name, wanted in (("depth", depth), ("trades", trades)):
            if contract.id in wanted:
                here = (contract.id, name) in heard.streams
                yield _stream(f"{contract.symbol} {name}", here, codes)
    options = sum(contract.kind == "option" for contract in broker.contracts)
    if options:
        text = f"{options - len(silent)} of {options} have live quotes"
        fix = "subscribe to OPRA for the API, or look when the market is open" if silent else ""
        yield Finding(State.WARN if silent else State.OK, "options", text, fix)


def _quotes(symbol: str, stale: set[str], codes: dict[int, str]) -> Finding:
    what = f"{symbol} market data"
    if COMPETING in codes:
        fix = "log out wherever else the same user is logged in"
        return Finding(State.FAIL, what, "another session of this user has them", fix)
    if NOT_LIVE in stale or codes.keys() & NO_PERMISSION:
        text = next((codes[code] for code in codes if code in NO_PERMISSION), "not live")
        fix = "subscribe to its exchange's data for the API; delayed data are never quoted on"
        return Finding(State.FAIL, what, text, fix)
    if FARM in stale:
        return Finding(State.FAIL, what, "the farm that serves it is broken", "wait, then restart")
    if stale:
        return Finding(State.WARN, what, "nothing came", "look again when its market is open")
    return Finding(State.OK, what, "live")


def _stream(what: str, here: bool, codes: dict[int, str]) -> Finding:
    refused = [codes[code] for code in codes if code in NO_PERMISSION | TOO_MANY]
    if here:
        return Finding(State.OK, what, "comes")
    if refused:
        return Finding(State.FAIL, what, refused[0], "subscribe to it, or ask for fewer of them")
    return Finding(State.WARN, what, "nothing came", "look again when its market is open")


def _codes(heard: Heard) -> Iterator[Finding]:
    """What was said of the whole connection."""
    said = heard.of(-1)
    if READ_ONLY in said and "read-only" in said[READ_ONLY].lower():
        fix = "API settings: turn off 'Read-Only API', or orders cannot be sent"
        yield Finding(State.FAIL, "orders", said[READ_ONLY], fix)
    for code in sorted(said.keys() & BROKEN):
        yield Finding(State.WARN, f"code {code}", said[code], "wait until it is restored")


def _budget(wanted: int, lines: int) -> Finding:
    if wanted <= lines:
        return Finding(State.OK, "lines", f"{wanted} of {lines} are used")
    text = f"{wanted} instruments take turns on {lines} lines"
    return Finding(State.WARN, "lines", text, "ask for fewer strikes, or buy more lines")
