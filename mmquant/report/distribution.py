"""PnL by interval and the inventory, as a figure and tables."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from mmquant.report import style
from mmquant.report.figures import horizon_label
from mmquant.report.scope import RunLike, Scope, scope_of
from mmquant.report.style import said_if_empty, value_axis
from mmquant.report.tables import Column, Table, money
from mmquant.report.text import Number, count, fixed, percent, quantity
from mmquant.trading.distribution import INTERVALS_S, QUANTILES, pnl_distribution, pnl_intervals
from mmquant.trading.inventory import inventory_half_life, position_moments

BARS = 40
"""Bars of the histogram."""
FOOT = (
    "Whole intervals from the first step on; equity at an edge is that of the last step before it. "
    "A quantile is left out where there are too few intervals to have one beyond it."
)
QUANTILE_TITLES = {"q01": "1 %", "q05": "5 %", "q50": "median", "q95": "95 %", "q99": "99 %"}


def pnl_histogram(
    run: RunLike, *, inst: int | None = None, interval_s: float = INTERVALS_S[0]
) -> go.Figure:
    """How often which PnL came over an interval, its mean and its 5 % quantile as lines. [ccy]"""
    scope = scope_of(run, inst)
    pnl = pnl_intervals(path=scope.path, interval_s=interval_s)
    pnl = pnl[np.isfinite(pnl)]
    heights, edges = _histogram(pnl)
    middle, unit = (edges[:-1] + edges[1:]) / 2.0, escape(scope.currency)
    bars = {
        "type": "bar",
        "x": middle,
        "y": heights.astype(np.float32),
        "width": np.diff(edges),
        "marker": {"color": np.where(middle < 0.0, style.FALL, style.SPREAD).tolist()},
        "name": "intervals",
        "hovertemplate": f"%{{y:,d}} intervals near %{{x:,.4~f}} {unit}<extra></extra>",
    }
    across = value_axis(f"PnL of {horizon_label(interval_s)} [{unit}]")
    fig = style.figure([bars], height=280, xaxis=across, yaxis=value_axis("intervals"), bargap=0)
    found = pnl_distribution(path=scope.path, interval_s=interval_s)
    for key, dash in (("mean", "solid"), ("q05", "dash")):
        if found[key] is not None:
            stroke = {"dash": dash, "width": 1.2, "color": style.MID}
            fig.add_vline(x=found[key], line=stroke)
    return said_if_empty(fig, pnl, "no interval has an equity at both ends")


def _histogram(pnl: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights and edges of about BARS bars, one edge at 0, so that no bar is gain and loss."""
    if not len(pnl):
        return np.zeros(0), np.zeros(1)
    width = (pnl.max() - pnl.min()) / BARS or 1.0
    first, last = np.floor(pnl.min() / width), np.floor(pnl.max() / width) + 1.0
    return np.histogram(pnl, np.arange(first, last + 1.0) * width)


def distribution_table(scope: Scope) -> Table:
    """One row a length of interval."""
    found = [pnl_distribution(path=scope.path, interval_s=seconds) for seconds in INTERVALS_S]
    names = ("mean", "sd", "worst", *QUANTILES)
    parts = [[horizon_label(seconds) for seconds in INTERVALS_S]]
    parts += [[count(one["n"]) for one in found], [percent(one["positive"]) for one in found]]
    parts += [money([one[name] for one in found]) for name in names]
    titles = ("mean", "standard deviation", "worst", *(QUANTILE_TITLES[q] for q in QUANTILES))
    columns = [Column("over", left=True), Column("intervals"), Column("with a gain")]
    columns += [Column(title, scope.currency) for title in titles]
    rows = [list(row) for row in zip(*parts, strict=True)]
    return Table("PnL by interval", columns, rows, FOOT)


def inventory_table(scope: Scope, summary: dict[str, Number]) -> Table:
    """Moments and half-life of the position of one instrument."""
    moments, half_life = position_moments(path=scope.path), inventory_half_life(path=scope.path)
    shown = {
        "mean": (fixed(moments["mean"], 2), "units"),
        "standard deviation": (fixed(moments["sd"], 2), "units"),
        "skewness": (fixed(moments["skew"], 2), "1"),
        "mean of |position|": (fixed(summary["mean_abs_position"], 2), "units"),
        "largest |position|": (quantity(summary["max_abs_position"]), "units"),
        "half-life": (fixed(half_life.seconds, 1), "s"),
        "left after a step": (fixed(half_life.phi, 4), "1"),
    }
    foot = f"Weighted by time. Half-life by a fit of q(t + {half_life.step_s:g} s) to q(t)"
    foot += f"; there is none: {half_life.why}." if half_life.why else "."
    columns = [Column("position", left=True), Column("value"), Column("unit", left=True)]
    return Table("Inventory", columns, [[k, *v] for k, v in shown.items()], foot)
