"""From a finished pairing to a Run: tables, step path and manifest."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from mmquant import __version__
from mmquant.config import Config
from mmquant.core.dtypes import Reason
from mmquant.core.local import Local
from mmquant.data.contracts import Contract
from mmquant.data.fees import Fees
from mmquant.data.hand import hand_lines
from mmquant.data.latency_file import latency_note
from mmquant.data.mapping import give_back_all
from mmquant.data.runs import Run
from mmquant.data.tape import contracts_of
from mmquant.trading.feasibility import feasibility, kept_in_run
from mmquant.trading.logs import Logs, fills_table, orders_table, path_dataset, quotes_table
from mmquant.trading.maker import Maker
from mmquant.trading.metrics import summarize
from mmquant.trading.reasons import reasons
from mmquant.trading.strategy import SKEW, Strategy

LIBRARIES = ("numpy", "numba", "pandas", "xarray")
BROKERS_OWN = (
    "Answers and fills are the broker's own: the settings of fill and latency played no part."
)
COUNTERS = (
    "decisions",
    "actions",
    "denied",
    "throttled",
    "bad_quotes",
    "late",
    "orphans",
    "illegal",
    "duplicates",
    "overfills",
    "timeouts",
)


def make_run(
    config: Config,
    tape: xr.Dataset,
    strategy: Strategy,
    fees: Fees,
    local: Local,
    logs: Logs,
    *,
    mode: str,
    told: np.ndarray,
    given: Config | None = None,
    owner: int = 0,
) -> Run:
    """The Run of one strategy set. ``given`` is the configuration before its profile changed it."""
    contracts, date = contracts_of(tape), tape.attrs["date"]
    path = path_dataset(logs, contracts, owner)
    fills = fills_table(logs, contracts, owner)
    orders = orders_table(logs, local, contracts, date, owner)
    quotes = quotes_table(logs, local, contracts, date, owner)
    scale = {contract.id: contract.multiplier for contract in contracts}
    summary = summarize(path, fills, orders, quotes, multipliers=scale)
    counted: dict[str, Any] = {f"engine_{name}": int(local.set[owner][name]) for name in COUNTERS}
    refused = refusals(local, owner)
    counted |= {f"engine_refused_{name.lower()}": count for name, count in refused.items()}
    stopped = Reason(int(local.set[owner]["blocked"]))
    counted["engine_stopped"] = None if stopped == Reason.NONE else stopped.name
    lines = hand_lines(told, contracts)
    manifest = {
        "name": config.name,
        "mode": mode,
        "config": (given or config).as_dict(),
        "seed": config.seed,
        "versions": {"mmquant": __version__, "python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
        "inputs": inputs_of(config, tape),
        "tape": tape_facts(tape, contracts),
        "fill_model": {
            "mode": config.fill.mode,
            "queue": config.fill.queue,
            "queue_power": config.fill.queue_power,
        },
        "latency": config.latency.model_dump(),
        "fees": fees.manifest(),
        "strategy": {
            "name": strategy.name,
            "params": strategy.shown_params(local.strategy_param[owner]),
        },
        "notes": notes_of(config, tape, fees, fills, stopped)
        + refusal_notes(refused)
        + unused(config, strategy)
        + unheard(config, strategy, {line["what"] for line in lines})
        + reasons(path=path, fills=fills, summary=summary),
        "told": lines,
        "profile": config.profile.name,
        "contracts": [contract.to_dict() for contract in contracts],
        "feasibility": kept_in_run(feasibility(tape, fees)),
        "summary": summary | counted,
    }
    run = Run(manifest, path, fills, orders, quotes)
    give_back_all(path)
    return run


def refusals(local: Local, owner: int) -> dict[str, int]:
    """How many orders and quotes were kept back, by the name of the Reason, the most first."""
    counts = local.refusals[owner]
    found = {Reason(code).name: n for code, n in enumerate(counts.tolist()) if n}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def refusal_notes(refused: dict[str, int]) -> list[str]:
    """What a run says of them."""
    if not refused:
        return []
    listed = ", ".join(f"{count:,} {name}" for name, count in refused.items())
    return [f"Quotes and orders kept back or made smaller, by reason: {listed}."]


def inputs_of(config: Config, tape: xr.Dataset) -> list[dict[str, Any]]:
    """Name, digest and size of the files behind the tape and the configuration."""
    source = json.loads(tape.attrs.get("source", "{}"))
    files = [dict(one) for one in source.get("files", [])]
    given = (config.latency_path(), config.micro_price_path())
    for path in (config.strategy_path(), config.hand_path(), *given):
        if path is not None and path.exists():
            from mmquant.data.files import file_digest

            files.append(file_digest(path))
    return files


def tape_facts(tape: xr.Dataset, contracts: list[Contract]) -> dict[str, Any]:
    """What the manifest says of the tape."""
    return {
        "rows": int(tape.sizes["event"]),
        "date": tape.attrs["date"],
        "timezone": tape.attrs.get("timezone", "UTC"),
        "first_ts": int(tape["exch_ts"].values[0]),
        "last_ts": int(tape["exch_ts"].values[-1]),
        "level": tape.attrs["level"],
        "symbols": [contract.symbol for contract in contracts],
        "notes": json.loads(tape.attrs.get("notes", "[]")),
        "counts": json.loads(tape.attrs.get("counts", "{}")),
    }


def notes_of(
    config: Config, tape: xr.Dataset, fees: Fees, fills: Any, stopped: Reason
) -> list[str]:
    """Sentences on what the run assumed and what its numbers cannot say."""
    notes = list(fees.notes)
    if stopped != Reason.NONE:
        notes.append(
            f"Quoting stopped for good before the end: {stopped.name}. What was held then is held "
            "to the end, and all later PnL is that inventory's."
        )
    notes += assumptions(config, tape) if of_a_tape(tape) else [BROKERS_OWN]
    odd = int(np.count_nonzero(fills["reason"])) if "reason" in fills else 0
    if odd:
        notes.append(f"{odd} executions came for orders that had ended or were not known.")
    return notes


def of_a_tape(tape: xr.Dataset) -> bool:
    """Whether fills were simulated over a tape: a live market has a reader, a tape a format."""
    return "reader" not in json.loads(tape.attrs.get("source", "{}"))


def assumptions(config: Config, tape: xr.Dataset) -> list[str]:
    """What a simulation takes for granted."""
    notes = [
        "Queue positions are estimated: the tape tells sizes of levels, not orders."
        if tape.attrs["level"] == "L2"
        else "The tape has order ids; it is read as levels, so queue positions are estimated."
    ]
    latencies = config.latency_path()
    if latencies is not None:
        notes.append(latency_note(latencies, tape))
    notes.append("The recorded market does not react to these orders: no market impact.")
    if config.fill.mode == "peer":
        notes.append(
            "fill: peer fills whole orders and lets one trade fill any number of them, as "
            "hftbacktest does: it counts liquidity twice."
        )
    return notes


def unused(config: Config, strategy: Strategy) -> list[str]:
    """Settings that were given although the strategy does not look at them."""
    if isinstance(strategy, Maker) or config.quoting == type(config.quoting)():
        return []
    return [
        f"The section quoting has no effect: strategy {strategy.name!r} does not use it, "
        "strategy.name maker does."
    ]


def unheard(config: Config, strategy: Strategy, told: set[str]) -> list[str]:
    """What a trader said that the built-in strategy does not look at."""
    deaf: set[str] = set()
    if isinstance(strategy, Maker) and config.quoting.theo != "external":
        deaf = {"theo"} & told
    elif strategy is SKEW:
        deaf = {"theo", "offset"} & told
    where = "quoting.theo is not external" if isinstance(strategy, Maker) else "strategy skew"
    return [
        f"The trader set {what}, which no quote follows ({where}): it only counts for the collar."
        for what in sorted(deaf)
    ]
