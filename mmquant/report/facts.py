"""What a report says of a run besides its numbers: settings, sources, notes and warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmquant.config import Config
from mmquant.report.scope import RunLike, Scope, contracts_by_id, scopes_of
from mmquant.report.tables import Column, Table, failed_checks
from mmquant.report.text import count, duration, fixed, moment, size_of
from mmquant.trading.markouts import HORIZONS_S, two_sided_mid
from mmquant.trading.measures import BY_HORIZON, BY_INTERVAL, EXCESSIVE_ORDERS, SUMMARY
from mmquant.trading.metrics import order_efficiency
from mmquant.trading.run_tables import Fills, path_times

NOT_RECORDED = "not recorded"
MOST_WARNINGS = 12
UNITS = ("ns", "s", "ticks", "lots", "units", "ccy", "bps")


class Fact(NamedTuple):
    """A term of the header and its lines."""

    term: str
    lines: list[str]


def header_facts(run: RunLike) -> list[Fact]:
    """What was run on what: the block under the title."""
    m = run.manifest
    tape, fill = _dict(m, "tape"), _dict(m, "fill_model")
    span = f"{moment(tape.get('first_ts'))} to {moment(tape.get('last_ts'))} UTC"
    rows = tape.get("rows")
    kind = f"{tape.get('level', '')} tape of {count(rows)} rows" if rows is not None else ""
    queue = _joined(fill, "queue", "queue_power", text="{0}, exponent {1:g}")
    return [
        Fact("Instruments", _instruments(run)),
        Fact("Tape", [*_input_names(m), kind.strip() or NOT_RECORDED]),
        Fact("Time", [str(tape.get("date", NOT_RECORDED)), span]),
        Fact("Fills", [f"mode {fill.get('mode', NOT_RECORDED)}", f"queue model {queue}"]),
        Fact("Latency", _latency(_dict(m, "latency"))),
        Fact("Fees", _fees(_dict(m, "fees"))),
        Fact("Run", [f"seed {m.get('seed', NOT_RECORDED)}", *_short(m)]),
    ]


def _short(manifest: Mapping[str, Any]) -> list[str]:
    """The first versions and the start of the digest; `provenance_facts` has the rest."""
    versions = [f"{k} {v}" for k, v in _dict(manifest, "versions").items()][:2]
    digest = str(manifest.get("digest", NOT_RECORDED))
    return [", ".join(versions) or NOT_RECORDED, f"digest {digest[:12]}"]


def provenance_facts(run: RunLike) -> list[Fact]:
    """What it takes to make the same run again."""
    m = run.manifest
    versions = [f"{k} {v}" for k, v in _dict(m, "versions").items()]
    return [
        Fact("Inputs", _inputs(m) or [NOT_RECORDED]),
        Fact("Digest of the tables", [f"sha256 {m.get('digest', NOT_RECORDED)}"]),
        Fact("Versions", versions or [NOT_RECORDED]),
        Fact("Seed", [str(m.get("seed", NOT_RECORDED))]),
    ]


def _dict(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = source.get(key)
    return value if isinstance(value, Mapping) else {}


def _joined(source: Mapping[str, Any], first: str, second: str, *, text: str) -> str:
    if source.get(first) is None:
        return NOT_RECORDED
    if source.get(second) is None:
        return str(source[first])
    return text.format(source[first], source[second])


def _instruments(run: RunLike) -> list[str]:
    known = contracts_by_id(run)
    lines = [
        f"{c.get('symbol', i)} · {c.get('kind', '')} · {c.get('venue', '')} · "
        f"{c.get('currency', '')}, multiplier {c.get('multiplier', 1):g}, lot {c.get('lot', '1')}"
        for i, c in sorted(known.items())[:6]
    ]
    more = len(known) - len(lines)
    if more > 0:
        lines.append(f"and {more} more")
    return lines or [str(s) for s in _dict(run.manifest, "tape").get("symbols", [])]


def _input_names(manifest: Mapping[str, Any]) -> list[str]:
    return [str(s.get("name", s.get("path", "input"))) for s in manifest.get("inputs") or []]


def _inputs(manifest: Mapping[str, Any]) -> list[str]:
    out = []
    for source in manifest.get("inputs") or []:
        name = source.get("name", source.get("path", "input"))
        size = f" · {size_of(int(source['bytes']))}" if source.get("bytes") is not None else ""
        out.append(f"{name}{size} · sha256 {source.get('sha256', NOT_RECORDED)}")
    return out


def _latency(latency: Mapping[str, Any]) -> list[str]:
    measured = latency.get("file")
    out = [] if measured is None else [f"orders: measured, in {Path(str(measured)).name}"]
    for key, value in latency.items():
        if key == "file" or (measured is not None and key in ("entry_ns", "response_ns")):
            continue
        name = key.removesuffix("_ns").replace("_", " ")
        timed = key.endswith("_ns") and isinstance(value, int | float)
        out.append(f"{name} {duration(value / 1e9) if timed else value}")
    return out or [NOT_RECORDED]


def _fees(fees: Mapping[str, Any]) -> list[str]:
    if not fees:
        return [NOT_RECORDED]
    out = [f"schedule {fees.get('schedule', NOT_RECORDED)}"]
    if fees.get("applied_from"):
        out.append(f"in force from {fees['applied_from']}")
    if fees.get("source"):
        out.append(f"source: {fees['source']}")
    return out + _sentences(fees.get("notes"))


def _sentences(value: Any) -> list[str]:
    if not value:
        return []
    return [str(value)] if isinstance(value, str) else [str(item) for item in value]


def notes_of(run: RunLike) -> list[Fact]:
    """Notes on run, tape and fees, and the tape's counts, quarantined rows among them."""
    m = run.manifest
    tape = _dict(m, "tape")
    found = [
        Fact("Run", _sentences(m.get("notes"))),
        Fact("Tape", _sentences(tape.get("notes"))),
        Fact("Fees", _sentences(_dict(m, "fees").get("notes"))),
        Fact("Counts of the tape", [_counted(k, v) for k, v in _dict(tape, "counts").items()]),
    ]
    return [fact for fact in found if fact.lines]


def _counted(key: str, value: Any) -> str:
    return f"{key}: {count(value) if isinstance(value, int | float) else value}"


def warnings_of(run: RunLike, scopes: list[Scope]) -> list[str]:
    """What a reader must know before trusting the numbers."""
    out = []
    singles = [scope for scope in scopes if scope.single]
    steps = run.path.sizes["time"]
    quarantined = _dict(_dict(run.manifest, "tape"), "counts").get("quarantined")
    if quarantined:
        out.append(f"{count(quarantined)} bad rows of the source were put aside (quarantined).")
    stopped = _dict(run.manifest, "summary").get("engine_stopped")
    if stopped:
        out.append(f"Quoting stopped for good before the end ({stopped}).")
    if not len(run.fills):
        out.append("The run has no fills.")
    if steps < 2:
        out.append(f"The path has {'one step' if steps else 'no steps'}: there is little to see.")
    times = path_times(run.path)
    late = int((Fills.of(run.fills).time > times[-1]).sum()) if steps else 0
    if late:
        out.append(
            f"{count(late)} fill(s) came after the last step: they are in the tables of fills, "
            "not yet in equity, position and PnL."
        )
    step = median_step_s(singles[0])
    if step is not None and step > min(HORIZONS_S):
        out.append(
            f"Steps are {duration(step)} apart (median), longer than the shortest markout "
            "horizon: the mid of a markout can be that old."
        )
    if len({scope.currency for scope in singles}) > 1:
        out.append("The instruments have different currencies: no totals over them are given.")
    each = _excessive_orders(run, scopes)
    each += [failed for scope in scopes for failed in failed_checks(scope)]
    each += [blind for scope in singles for blind in _blind_steps(scope)]
    more = len(each) - MOST_WARNINGS
    return out + each[:MOST_WARNINGS] + ([f"And {more} more of the kind."] if more > 0 else [])


def _excessive_orders(run: RunLike, scopes: list[Scope]) -> list[str]:
    """What the broker would say of the messages of a subscriber's view, the run's or one beside."""
    if run.manifest.get("profile") != "ibkr":
        view = getattr(run, "views", {}).get("ibkr")
        scopes = [] if view is None else scopes_of(view)
    found = [(s.title, order_efficiency(quotes=s.quotes, fills=s.fills)) for s in scopes]
    return [
        f"As a subscriber at IBKR, {title}: the order-efficiency ratio is {fixed(ratio, 1)}, above "
        f"{EXCESSIVE_ORDERS:g}: too many messages for the orders executed, and the broker may "
        "restrict the account."
        for title, ratio in found
        if ratio > EXCESSIVE_ORDERS
    ]


def _blind_steps(scope: Scope) -> list[str]:
    n = len(scope.times)
    blind = int((~np.isfinite(two_sided_mid(scope.path))).sum())
    return [f"{scope.title}: {count(blind)} of {count(n)} steps have no two-sided mid."] * (
        blind > 0
    )


def median_step_s(scope: Scope) -> float | None:
    """Median time between two steps [s]; None with fewer than two."""
    times = scope.times
    return float(np.median(np.diff(times))) / 1e9 if len(times) > 1 else None


def parameter_table(run: RunLike) -> Table:
    """Every setting of the run, with its unit and meaning."""
    meaning = _meanings(Config)
    rows = [
        [key, _shown(value), _unit(key, value, meaning.get(key, "")), meaning.get(key, "")]
        for key, value in _flat(run.manifest.get("config") or {})
    ]
    columns = [Column(t, left=True) for t in ("setting", "value", "unit", "meaning")]
    return Table("Parameters", columns, rows)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == {} else str(value)


def _unit(key: str, value: Any, meaning: str) -> str:
    unit = unit_of(key, meaning)
    if unit == "ns" and isinstance(value, int) and value >= 1_000:
        return f"ns = {duration(value / 1e9)}"
    return unit


def unit_of(key: str, meaning: str) -> str:
    """The unit of a setting: it ends the meaning, or else the key."""
    told = re.search(r"\[([^\]]+)\]$", meaning)
    if told:
        return "ccy" if told[1] == "currency" else told[1]
    if key.endswith("_per_s"):
        return "1/s"
    last = key.rpartition("_")[2]
    return last if last in UNITS and "_" in key else ""


def _meanings(model: Any, prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for name, info in model.model_fields.items():
        nested = getattr(info.annotation, "model_fields", None)
        if nested:
            out |= _meanings(info.annotation, f"{prefix}{name}.")
        else:
            out[prefix + name] = (info.description or "").replace("``", "")
    return out


def definitions_table() -> Table:
    """The measures of the summary with unit and meaning."""
    known = SUMMARY | BY_INTERVAL | BY_HORIZON
    rows = [[key, m.unit, m.text] for key, m in known.items()]
    return Table(
        "Definitions", [Column(t, left=True) for t in ("measure", "unit", "meaning")], rows
    )
