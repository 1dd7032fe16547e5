"""What a paper account's frames say, scrubbed and kept, and where the gateway's differ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmquant.brokers.ibkr_conform import Frame, Talk, run_script
from mmquant.config_ibkr import InteractiveBrokersConfig
from mmquant.data.store.run_folder import write_safely
from mmquant.errors import ConfigError, UsageError
from mmquant.live.modes import LIVE_PORTS

CONFIRMATION = "PAPER"
ACCOUNT = "DU0000000"
STATUS, ERROR, OPEN_ORDER, EXECUTION, COMMISSION = "3", "4", "5", "11", "59"
PRIVATE = frozenset({"6", "7", "8", "61", "63", "73", "94", "95", "101", "107"})
"""Messages of balances, holdings and names: only that they came is kept."""
FARM_NOTICES = range(2100, 2200)
ORDERS = ("place", "modify", "cancel", "ioc", "buy", "sell", "left_open")
"""Steps in which the order of the messages matters."""


def check_confirmed(settings: InteractiveBrokersConfig, confirmed: str) -> None:
    """Before anything is connected.

    Raises
    ------
    ConfigError
        where the port is one of live trading, or no instrument is named.
    UsageError
        where it was not confirmed.
    """
    if settings.port in LIVE_PORTS:
        raise ConfigError(
            f"{settings.port} is the port of live trading",
            where="ibkr.port",
            fix="paper trading has 4002 (IB Gateway) and 7497 (TWS)",
        )
    if not settings.instruments:
        raise ConfigError("no instrument is named", where="ibkr.instruments", fix="name one stock")
    if confirmed != CONFIRMATION:
        raise UsageError("it was not confirmed, and nothing was sent", fix=f"type {CONFIRMATION}")


def frames_of(settings: InteractiveBrokersConfig) -> tuple[list[Frame], list[str]]:
    """The scrubbed frames of the script at an address, and the steps that waited in vain.

    Raises as `run_script` does.
    """
    talk = Talk(settings.host, settings.port, settings.client_id)
    account = run_script(talk, settings.instruments[0].symbol)
    return scrub(talk.frames, account), talk.late


def scrub(frames: Iterable[Frame], account: str) -> list[Frame]:
    """The frames without account, balances, holdings, and numbers that name an order for good."""
    kept = list(frames)
    names = {account: ACCOUNT}
    for frame in kept:
        for name, letter in _names_in(frame):
            if name not in names:
                names[name] = f"{letter}{len(names)}"
    out = []
    for frame in kept:
        fields = frame.fields
        if frame.way == "in" and fields[0] in PRIVATE:
            fields = (fields[0], *("#" for _ in fields[1:]))
        out.append(frame._replace(fields=tuple(_cleared(text, names, account) for text in fields)))
    return out


def _names_in(frame: Frame) -> list[tuple[str, str]]:
    """Numbers of orders (P) and executions (E) that a frame tells."""
    fields = frame.fields
    found: list[tuple[str, str]] = []
    if frame.way == "in" and fields[0] == STATUS:
        found = [(fields[6], "P")]
    elif frame.way == "in" and fields[0] == EXECUTION and len(fields) > 21:
        found = [(fields[14], "E"), (fields[21], "P")]
    elif frame.way == "in" and fields[0] == COMMISSION:
        found = [(fields[2], "E")]
    return [(name, letter) for name, letter in found if len(name) > 3]


def _cleared(text: str, names: Mapping[str, str], account: str) -> str:
    return names[text] if text in names else text.replace(account, ACCOUNT)


def differences(ours: Sequence[Frame], theirs: Sequence[Frame]) -> list[str]:
    """Where the gateway's frames (``ours``) are not like the broker's (``theirs``), in words.

    Values are not compared: which messages come in a step, in what order those of orders come, how
    many fields they have, and whether a field is empty, a number or a text.
    """
    found = []
    mine, other = _by_step(ours), _by_step(theirs)
    for step in dict.fromkeys([*other, *mine]):
        found += _kinds(step, mine.get(step, []), other.get(step, []))
        if step in ORDERS:
            a, b = (_statuses(frames.get(step, [])) for frames in (mine, other))
            if a != b:
                found.append(f"{step}: states are {b}, the gateway's {a}")
    return found + _fields(ours, theirs)


def _by_step(frames: Sequence[Frame]) -> dict[str, list[tuple[str, ...]]]:
    steps: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for frame in frames:
        if frame.way == "in" and not _is_notice(frame.fields):
            steps[frame.step].append(frame.fields)
    return steps


def _is_notice(fields: tuple[str, ...]) -> bool:
    return fields[0] == ERROR and int(fields[3]) in FARM_NOTICES


def _kinds(step: str, mine: list[tuple[str, ...]], other: list[tuple[str, ...]]) -> list[str]:
    a, b = ({_kind(fields) for fields in frames} for frames in (mine, other))
    found = [f"{step}: message {kind} is missing at the gateway" for kind in sorted(b - a)]
    return found + [
        f"{step}: message {kind} comes from the gateway alone" for kind in sorted(a - b)
    ]


def _kind(fields: tuple[str, ...]) -> str:
    """The number of a message; of an error with its code, of a tick with its type."""
    if fields[0] == ERROR:
        return f"4 (code {fields[3]})"
    if fields[0] in ("1", "2", "45", "46"):
        return f"{fields[0]} (tick {fields[3]})"
    if fields[0] == "21":
        return f"21 (tick {fields[2]})"
    return fields[0]


def _statuses(frames: list[tuple[str, ...]]) -> str:
    """Statuses, executions and commissions in order, repetitions left out."""
    names: list[str] = []
    for fields in frames:
        name = {STATUS: fields[2], EXECUTION: "execution", COMMISSION: "commission"}.get(fields[0])
        if name is not None and (not names or names[-1] != name):
            names.append(name)
    return " ".join(names)


def _fields(ours: Sequence[Frame], theirs: Sequence[Frame]) -> list[str]:
    """Numbers of fields, and what kinds of values stand in them, of messages that both send."""
    found = []
    a, b = _shapes(ours), _shapes(theirs)
    for kind in sorted(a.keys() & b.keys(), key=int):
        lengths = [sorted({len(shape) for shape in one[kind]}) for one in (a, b)]
        if lengths[0] != lengths[1] and min(map(len, lengths)) == 1 == max(map(len, lengths)):
            found.append(f"message {kind}: {lengths[1]} fields, the gateway's {lengths[0]}")
            continue
        for at in range(min(lengths[0][0], lengths[1][0])):
            values = [{shape[at] for shape in one[kind]} for one in (a, b)]
            if not values[0] & values[1]:
                words = [" or ".join(sorted(v)) for v in values]
                found.append(f"message {kind}, field {at}: {words[1]}, the gateway's {words[0]}")
    return found


def _shapes(frames: Sequence[Frame]) -> dict[str, list[tuple[str, ...]]]:
    shapes: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for frame in frames:
        if frame.way == "in" and frame.fields[0].isdigit():
            shapes[frame.fields[0]].append(tuple(_shape(text) for text in frame.fields))
    return shapes


def _shape(text: str) -> str:
    if not text:
        return "empty"
    try:
        float(text)
    except ValueError:
        return "text"
    return "number"


def save(
    folder: Path,
    theirs: Sequence[Frame],
    ours: Sequence[Frame],
    found: Sequence[str],
    facts: Mapping[str, object],
) -> None:
    """Write ``facts.json``, ``broker.jsonl``, ``gateway.jsonl`` and ``differences.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in (("broker", theirs), ("gateway", ours)):
        lines = "".join(json.dumps(frame._asdict()) + "\n" for frame in frames)
        write_safely(folder / f"{name}.jsonl", lines)
    write_safely(folder / "differences.txt", "".join(f"{line}\n" for line in found))
    write_safely(folder / "facts.json", json.dumps(facts, indent=1) + "\n")
