"""The parts of a report: cards, figures and tables of each instrument and of the total."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from markupsafe import Markup

from mmquant.report import figures, style
from mmquant.report.cards import Card, cards_of
from mmquant.report.decimate import busiest_window
from mmquant.report.distribution import distribution_table, inventory_table, pnl_histogram
from mmquant.report.facts import Fact
from mmquant.report.scope import RunLike, Scope
from mmquant.report.svg import line_chart
from mmquant.report.tables import (
    Table,
    adverse_table,
    hours_table,
    instruments_table,
    markouts_table,
    pnl_table,
)
from mmquant.report.text import (
    NONE,
    Number,
    clock,
    count,
    duration,
    quantity,
)
from mmquant.trading.metrics import equity_curve, summarize
from mmquant.trading.run_tables import Fills

ZOOM_NS = 600_000_000_000
MAX_SECTIONS = 20
"""Most instruments with a section of their own."""


@dataclass(frozen=True)
class Figure:
    """An interactive figure; ``still`` is SVG for where it cannot run."""

    id: str
    title: str
    plot: go.Figure
    caption: str
    still: Markup = field(default_factory=Markup)


@dataclass
class Section:
    """What the report says of one scope; ``facts`` stand below the table of the same name."""

    id: str
    title: str
    cards: list[Card] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    note: str = ""


def summary_of(scope: Scope) -> dict[str, Number]:
    """The scope's summary (keys in `metrics.SUMMARY`)."""
    return summarize(
        scope.path, scope.fills, scope.orders, scope.quotes, multipliers=scope.multipliers
    )


def sections_of(
    run: RunLike, scopes: list[Scope], *, tape: xr.Dataset | None, max_points: int
) -> list[Section]:
    """The total, where there is one, then the instruments with most value traded."""
    singles = [(scope, summary_of(scope)) for scope in scopes if scope.single]
    shown = sorted(singles, key=lambda pair: (-float(pair[1]["traded_value"] or 0.0), pair[0].key))
    keys = {scope.key for scope, _ in shown[:MAX_SECTIONS]}
    out = [
        _total_section(run, scope, singles, max_points=max_points)
        for scope in scopes
        if not scope.single
    ]
    out += [
        _instrument_section(run, scope, summary, tape=tape, max_points=max_points)
        for scope, summary in singles
        if scope.key in keys
    ]
    return out


def _total_section(
    run: RunLike,
    scope: Scope,
    singles: list[tuple[Scope, dict[str, Number]]],
    *,
    max_points: int,
) -> Section:
    section = Section(scope.key, scope.title, tables={"instruments": instruments_table(singles)})
    if len(singles) > MAX_SECTIONS:
        section.note = (
            f"The {MAX_SECTIONS} instruments with most value traded have a section each; "
            f"the other {len(singles) - MAX_SECTIONS} are in this table."
        )
    plots = [_inventory(run, scope, max_points)]
    if not scope.currency.startswith("mixed"):
        section.cards = cards_of(scope, summary_of(scope))
        section.tables["pnl"] = pnl_table(scope)
        section.tables["distribution"] = distribution_table(scope)
        section.tables["hours"] = hours_table(scope)
        plots = [_equity(run, scope, max_points), *plots, _split(run, scope, max_points)]
        plots.append(_distribution(run, scope))
    section.figures = plots
    return section


def _instrument_section(
    run: RunLike,
    scope: Scope,
    summary: dict[str, Number],
    *,
    tape: xr.Dataset | None,
    max_points: int,
) -> Section:
    plots = [_equity(run, scope, max_points), _inventory(run, scope, max_points)]
    plots += _prices(run, scope, tape, max_points)
    plots += [_markouts(run, scope), _split(run, scope, max_points), _distribution(run, scope)]
    builders: dict[str, Callable[[Scope], Table]] = {
        "pnl": pnl_table,
        "markouts": markouts_table,
        "adverse": adverse_table,
        "distribution": distribution_table,
        "hours": hours_table,
    }
    tables = {name: build(scope) for name, build in builders.items()}
    tables["inventory"] = inventory_table(scope, summary)
    return Section(scope.key, scope.title, cards_of(scope, summary), plots, tables)


def _drawn(scope: Scope, max_points: int) -> str:
    steps = len(scope.times)
    if steps <= max_points:
        return f"All {count(steps)} steps are drawn."
    return f"{count(steps)} steps, at most {count(max_points)} points a line; extremes are exact."


def _equity(run: RunLike, scope: Scope, max_points: int) -> Figure:
    still = Markup("")
    if len(scope.times):
        still = line_chart(
            scope.times, equity_curve(path=scope.path), unit=scope.currency, color=style.NET
        )
    return Figure(
        f"{scope.key}-equity",
        "Equity and drawdown",
        figures.equity_figure(run, inst=scope.inst, max_points=max_points),
        f"Marked at the mid of each step. {_drawn(scope, max_points)}",
        still,
    )


def _inventory(run: RunLike, scope: Scope, max_points: int) -> Figure:
    still, caption = Markup(""), _drawn(scope, max_points)
    if scope.single and len(scope.times):
        still = line_chart(
            scope.times, scope.series("position"), unit="units", color=style.INVENTORY
        )
    if scope.limit is not None:
        where = "dashed" if figures.limit_is_near(scope) else "outside of the chart"
        caption = f"Limit ±{quantity(scope.limit)} units ({where}). {caption}"
    if not scope.single and scope.path.sizes["inst"] > 10:
        caption = f"The ten largest of {scope.path.sizes['inst']} instruments. {caption}"
    return Figure(
        f"{scope.key}-inventory",
        "Inventory",
        figures.inventory_figure(run, inst=scope.inst, max_points=max_points),
        caption,
        still,
    )


def _prices(run: RunLike, scope: Scope, tape: xr.Dataset | None, max_points: int) -> list[Figure]:
    times, log = scope.times, Fills.of(scope.fills)
    few = max(max_points // 4, 4)
    still = Markup("")
    if len(times):
        still = line_chart(times, scope.series("mid"), unit=scope.currency, color=style.MID)
    day = Figure(
        f"{scope.key}-price",
        "Price, own quotes and fills",
        figures.price_figure(run, inst=scope.inst, max_points=max_points, max_fills=few),
        f"{_drawn(scope, max_points)} {_fills_drawn(log, few)}",
        still,
    )
    if len(times) < 2 or times[-1] - times[0] <= ZOOM_NS:
        return [day]
    start, end, why = _zoom(scope, log)
    zoom = figures.price_figure(
        run, inst=scope.inst, start_ns=start, end_ns=end, tape=tape, max_points=max_points
    )
    caption = f"Ten minutes from {clock(start)} UTC, {why}."
    return [day, Figure(f"{scope.key}-zoom", "The busiest ten minutes", zoom, caption)]


def _fills_drawn(log: Fills, most: int) -> str:
    n = len(log)
    if n == 0:
        return "There are no fills."
    if max((log.side > 0).sum(), (log.side < 0).sum()) <= most:
        return f"All {count(n)} fills are drawn."
    return f"Of {count(n)} fills at most {count(most)} a side are drawn, extremes kept."


def _zoom(scope: Scope, log: Fills) -> tuple[int, int, str]:
    times = scope.times
    first, last = int(times[0]), int(times[-1])
    if len(log):
        start, end = busiest_window(np.sort(log.time), width=ZOOM_NS, start=first, stop=last)
        return start, end, "the window with most fills"
    moved = times[1:][np.diff(scope.series("mid")) != 0]
    start, end = busiest_window(moved, width=ZOOM_NS, start=first, stop=last)
    return start, end, "the window in which the mid moved most often (there are no fills)"


def _markouts(run: RunLike, scope: Scope) -> Figure:
    steps = np.diff(scope.times)
    gap = duration(float(np.median(steps)) / 1e9) if len(steps) else NONE
    return Figure(
        f"{scope.key}-markouts",
        "Markouts",
        figures.markout_figure(run, inst=scope.inst),
        "Mean over units of side × (mid later − fill price), bars are 95 % intervals. "
        f"Steps are {gap} apart (median): a mid can be that old.",
    )


def _distribution(run: RunLike, scope: Scope) -> Figure:
    return Figure(
        f"{scope.key}-distribution",
        "PnL by the minute",
        pnl_histogram(run, inst=scope.inst),
        "Solid line: mean; dashed: the 5 % quantile, where there are enough minutes for one.",
    )


def _split(run: RunLike, scope: Scope, max_points: int) -> Figure:
    return Figure(
        f"{scope.key}-split",
        "Where the PnL came from",
        figures.pnl_split_figure(run, inst=scope.inst, max_points=max_points),
        "Spread captured + inventory − fees = net.",
    )
