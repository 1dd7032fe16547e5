"""One day under several profiles, side by side: with the full tape, and as a subscriber had it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from mmquant.report import style
from mmquant.report.scope import RunLike, Scope, scope_of
from mmquant.report.sections import Figure, Section
from mmquant.report.style import line, time_axis, value_axis
from mmquant.report.tables import Column, Table
from mmquant.report.text import Number, count, fixed, quantity
from mmquant.trading.measures import measures
from mmquant.trading.metrics import equity_curve

NAMES = {"ideal": "ideal: the full tape", "ibkr": "as a subscriber at IBKR"}
COLORS = (style.NET, style.FALL, style.INVENTORY)
SHOWN = {
    "net_pnl": "net PnL",
    "spread_pnl": "spread captured",
    "inventory_pnl": "inventory",
    "fees": "fees",
    "fills": "fills",
    "taker_fills": "of these, took",
    "volume": "volume",
    "pnl_per_unit": "net PnL per unit",
    "markout_30s": "markout, 30 s",
    "fill_ratio": "filled of what was ordered",
    "messages": "messages",
    "messages_per_fill": "messages per fill",
    "order_efficiency_ratio": "order-efficiency ratio",
    "engine_throttled": "held back by the message limit",
    "max_abs_position": "largest position",
    "uptime_two_sided": "time quoted on both sides",
    "quoted_width": "own width",
}
FOOT = (
    "The same configuration, day and exchange. A subscriber sees best prices now and then instead "
    "of each change of the book, is later with orders, may send fewer messages, and through SMART "
    "cannot ask for post-only: an order that crosses takes, and pays for it."
)


def views_section(run: RunLike, *, max_points: int) -> Section | None:
    """The views of a run in one section; None where it has only its own.

    Instruments of several currencies have no totals of money.
    """
    others: Mapping[str, RunLike] = getattr(run, "views", {})
    if not others:
        return None
    own = str(run.manifest.get("profile", "ideal"))
    views = {own: run, **others}
    scopes = [scope_of(view, None) for view in views.values()]
    mixed = scopes[0].currency.startswith("mixed")
    figure = Figure(
        "views-equity",
        "Equity under each view",
        _equity(list(views), scopes, max_points),
        "Net, marked at the mid of each step.",
    )
    return Section(
        "views",
        "Two views of one day",
        figures=[] if mixed else [figure],
        tables={"views": _table(views, currency="" if mixed else scopes[0].currency)},
    )


def _table(views: Mapping[str, RunLike], *, currency: str) -> Table:
    """Without a currency there are no amounts of money."""
    units = {"ccy": currency, "ccy/unit": f"{currency} per unit", "price": currency}
    summaries = [dict(view.manifest.get("summary", {})) for view in views.values()]
    rows, known = [], measures()
    for key, title in SHOWN.items():
        values = [summary.get(key) for summary in summaries]
        unit = known[key].unit if key in known else ""
        if all(value is None for value in values) or ("ccy" in unit and not currency):
            continue
        cell = quantity if unit == "units" else _cell
        rows.append([title, units.get(unit, unit), *(cell(value) for value in values)])
    columns = [
        Column("", left=True),
        Column("unit", left=True),
        *(Column(NAMES.get(name, name)) for name in views),
    ]
    return Table("Side by side", columns, rows, FOOT, strong=frozenset({0}))


def _cell(value: Number | Any) -> str:
    if value is None:
        return "–"
    return count(value) if isinstance(value, int) else fixed(value, 4 if abs(value) < 10 else 2)


def _equity(names: list[str], scopes: list[Scope], max_points: int) -> go.Figure:
    traces = [
        line(
            scope.x,
            equity_curve(path=scope.path),
            name=NAMES.get(name, name),
            color=color,
            hover="%{y:,.4~f}",
            max_points=max_points,
        )
        for name, scope, color in zip(names, scopes, COLORS, strict=False)
    ]
    layout = {"xaxis": time_axis(), "yaxis": value_axis(f"equity [{scopes[0].currency}]")}
    return style.figure(traces, height=340, **layout)
