"""Commands that look at a tape before any strategy does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mmquant import console
from mmquant.cli_options import Debug, Json, Tape

FACTS = (
    "seconds",
    "mid",
    "spread",
    "spread_ticks",
    "one_tick",
    "volume",
    "market_orders",
    "market_orders_per_minute",
    "orders_inside",
    "orders_blind",
    "trades_unsided",
    "fills",
    "fills_back",
    "half_spread",
    "maker_fee",
    "messages_per_s",
    "messages_p50",
    "messages_p99",
    "messages_max",
    "messages_over_plan",
    "efficiency",
    "efficiency_back",
)
"""Numbers of one instrument that are printed below the answers."""
COSTS = ("used", "half_spread", "adverse", "break_even", "margin", "margin_low", "margin_high")


def feasible(
    tape: Tape,
    fees: Annotated[
        str, typer.Option(metavar="NAME", help="Fee schedule: a name, or the path of a YAML file.")
    ] = "zero",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Would joining the best prices have paid, after adverse selection and fees?"""
    from mmquant.data.readers import read_own
    from mmquant.trading.feasibility import feasible as look_at

    found = look_at(read_own(tape), fees=fees)
    console.emit(by_symbol(found), *(block(one) for one in found), as_json=as_json)


def by_symbol(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The dict of the only instrument; of several, each below its symbol, or below its id where two
    have the same."""
    if len(found) == 1:
        return dict(found[0])
    symbols = [one["symbol"] for one in found]
    unique = len(set(symbols)) == len(symbols)
    return {str(one["symbol"] if unique else one["inst"]): dict(one) for one in found}


def block(one: Mapping[str, Any]) -> str:
    """The answers for one instrument, what they come from, and the facts behind."""
    from mmquant.trading.feasibility_words import PLACES

    horizons = [key.removeprefix("pays_") for key in one if key.startswith("pays_")]
    lines = [f"{one['symbol']} [{one['currency']}], fees {one['fees']}", ""]
    lines.append("Would joining the best have paid?")
    lines += [f"  {one[f'verdict_{at}']}" for at in horizons]
    lines += ["Do the messages fit?", f"  {one['verdict_messages']}"]
    lines += ["Are they efficient?", f"  {one['verdict_efficiency']}"]
    lines += ["Does place in the queue decide?", f"  {one['verdict_queue']}", ""]
    rows = [["queue", "after", *COSTS]]
    rows += [
        [place, at, *(_shown(one[f"{name}{suffix}_{at}"]) for name in COSTS)]
        for suffix, place in PLACES.items()
        for at in horizons
    ]
    lines += [*_aligned(rows), "", console.table({key: one[key] for key in FACTS})]
    return "\n".join([*lines, one["fees_note"], ""] if one["fees_note"] else [*lines, ""])


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,d}" if isinstance(value, int) else f"{value:.4g}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    out = []
    for row in rows:
        cells = [f"{cell:>{wide}}" for cell, wide in zip(row, width, strict=True)]
        out.append("  ".join([f"{row[0]:<{width[0]}}", *cells[1:]]))
    return out
