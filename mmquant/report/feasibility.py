"""The first block of a report: would joining the best prices have paid on this tape?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmquant.report.cards import Card
from mmquant.report.facts import Fact
from mmquant.report.figures import horizon_label
from mmquant.report.scope import RunLike
from mmquant.report.sections import Section
from mmquant.report.tables import Column, Table
from mmquant.report.text import (
    NONE,
    amount,
    count,
    decimals_of,
    duration,
    fixed,
    percent,
    quantity,
    span,
)
from mmquant.trading.feasibility_words import PLACES
from mmquant.trading.markouts import HORIZONS_S

NOTE = (
    "Before any strategy: one unit that joins the best bid and ask before each market order, on "
    "the exchange's clock. In front of the queue every market order that reaches the price fills "
    "it; at the end only one that takes all that is shown. Every real place lies between. Fees are "
    "those of this run."
)
COST_FOOT = (
    "Margin = half spread − adverse selection − fee; the break-even half spread is the sum of the "
    "two costs. Intervals are of 95 %, by a bootstrap of blocks of time."
)
QUESTIONS = {
    "fits": ("Do the messages fit into what the broker takes?", "verdict_messages"),
    "efficient": ("Are there enough fills for the messages?", "verdict_efficiency"),
    "queue_bound": ("Does place in the queue decide?", "verdict_queue"),
}
CARD_HORIZON_S = 30.0


def feasibility_section(run: RunLike) -> Section:
    """The section, with what the run has kept of its tape."""
    section = Section("feasibility", "Feasibility", note=NOTE)
    kept = run.manifest.get("feasibility") or {}
    found = list(kept.get("instruments") or [])
    if not found:
        section.note = "This run has not recorded whether joining the best prices would have paid."
    if kept.get("left_out"):
        section.note += f" The {len(found)} instruments with most fills are shown, and"
        section.note += f" {count(kept['left_out'])} others left out."
    if len(found) == 1:
        section.cards = _cards(found[0])
    for one in found:
        name = f"feasibility-{one['inst']}"
        of = f" of {one['symbol']}" if len(found) > 1 else ""
        section.tables[f"{name}-answers"] = _answers(one, of)
        section.tables[f"{name}-costs"] = _costs(one, of)
        section.facts[f"{name}-costs"] = _facts(one)
    return section


def _cards(one: Mapping[str, Any]) -> list[Card]:
    at, after = f"{CARD_HORIZON_S:g}s", horizon_label(CARD_HORIZON_S)
    costs = [one[f"{name}_{at}"] for name in ("half_spread", "break_even", "margin")]
    decimals, ccy = decimals_of(costs), f"{one['currency']} per unit"
    half, needed, margin = (fixed(value, decimals) for value in costs)
    interval = span(one[f"margin_low_{at}"], one[f"margin_high_{at}"], decimals)
    most = f"at most {count(one['messages_max'])}, planned with {count(one['messages_plan'])}"
    ratio = f"{fixed(one['efficiency_back'], 1)} at the end; excessive above "
    return [
        Card(f"Joining the best, {after}", str(one[f"pays_{at}"]), "", "would it have paid?"),
        Card("Half spread", half, ccy, "earned at the fill"),
        Card("Break-even half spread", needed, ccy, f"adverse selection in {after} and fee"),
        Card("Margin", margin, ccy, f"95 %: {interval}"),
        Card("Messages, 99 %", count(one["messages_p99"]), "in a second", most),
        Card(
            "Messages per fill",
            fixed(one["efficiency"], 1),
            "",
            ratio + fixed(one["efficiency_limit"], 0),
        ),
    ]


def _answers(one: Mapping[str, Any], of: str) -> Table:
    rows = []
    for horizon_s in HORIZONS_S:
        question = f"Would joining the best have paid, {horizon_label(horizon_s)} after a fill?"
        rows.append(_answer(question, one[f"pays_{horizon_s:g}s"], one[f"verdict_{horizon_s:g}s"]))
    for key, (question, verdict) in QUESTIONS.items():
        rows.append(_answer(question, one[key], one[verdict]))
    columns = [Column(title, left=True) for title in ("question", "answer", "why")]
    return Table(f"Answers{of}", columns, rows, str(one["fees_note"]))


def _answer(question: str, answer: str, verdict: str) -> list[str]:
    return [question, answer, verdict.removeprefix(f"{answer}: ")]


def _costs(one: Mapping[str, Any], of: str) -> Table:
    names = ("half_spread", "adverse", "break_even", "margin")
    keys = [(suffix, h) for suffix in PLACES for h in HORIZONS_S]
    values = [one[f"{name}{suffix}_{h:g}s"] for suffix, h in keys for name in names]
    decimals = decimals_of(values)
    rows = []
    for suffix, horizon_s in keys:
        at = f"{suffix}_{horizon_s:g}s"
        half, adverse, needed, margin = (one[f"{name}{at}"] for name in names)
        fee = None if needed is None else needed - adverse
        rows.append(
            [
                PLACES[suffix],
                horizon_label(horizon_s),
                count(one[f"used{at}"]),
                *(fixed(value, decimals) for value in (half, adverse, fee, needed, margin)),
                span(one[f"margin_low{at}"], one[f"margin_high{at}"], decimals),
            ]
        )
    unit = f"{one['currency']} per unit"
    titles = ("half spread", "adverse selection", "fee", "break-even half spread", "margin")
    columns = [Column("in the queue", left=True), Column("after", left=True), Column("fills")]
    columns += [Column(title, unit) for title in (*titles, "95 % interval")]
    return Table(f"Costs and margin of joining the best{of}", columns, rows, COST_FOOT)


def _facts(one: Mapping[str, Any]) -> list[Fact]:
    """What the answers rest on."""
    ccy, spread = one["currency"], one["spread"]
    market = [
        f"mid {amount(one['mid'])} {ccy}",
        f"spread {amount(spread)} {ccy}, {fixed(one['spread_ticks'], 2)} ticks",
        f"one tick wide in {percent(one['one_tick'])} of the time",
        f"two-sided in {percent(one['two_sided'])} of {duration(one['seconds'])}",
    ]
    trades = [
        f"{count(one['market_orders'])} market orders",
        f"{fixed(one['market_orders_per_minute'], 1)} a minute",
        f"{quantity(one['volume'])} units",
    ]
    fills = [
        f"{count(one['fills'])} in front of the queue",
        f"{count(one['fills_back'])} at its end",
        f"fee {amount(one['maker_fee'])} {ccy} per unit",
    ]
    left_out = [
        f"{count(one['orders_inside'])} orders that met hidden ones only",
        f"{count(one['orders_blind'])} before two best prices",
        f"{count(one['trades_unsided'])} trades of unknown aggressor",
    ]
    messages = [
        f"{count(one['messages'])}, {fixed(one['messages_per_s'], 2)} a second",
        f"in a second {count(one['messages_p50'])} (median), {count(one['messages_p99'])} (99 %)",
        f"more than {count(one['messages_plan'])} in {fine(one['messages_over_plan'])} of the time",
    ]
    return [
        Fact("Market, by time", market),
        Fact("Trades", trades),
        Fact("Fills of one joined unit", fills),
        Fact("Left out", left_out),
        Fact("Messages to stay at both best prices", messages),
    ]


def fine(share: float | None) -> str:
    """0.07 %."""
    return f"{share:.2%}".replace("%", " %") if share is not None else NONE
