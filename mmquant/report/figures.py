"""Figures of a run, for the report and for notebooks.

Each takes a run and returns a plotly figure; ``inst`` is an instrument id, needed where a price
is drawn and the run has several (the first is taken without it). Series are decimated to
``max_points`` points with their extremes kept. In a notebook: ``fig.show(config=CONFIG)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mmquant.report import style
from mmquant.report.decimate import MAX_POINTS
from mmquant.report.price_figure import price_figure
from mmquant.report.scope import RunLike, Scope, scope_of, symbol_of
from mmquant.report.style import CONFIG, line, said_if_empty, time_axis, value_axis
from mmquant.report.text import span
from mmquant.trading.intervals import mean_interval
from mmquant.trading.markouts import HORIZONS_S, markout_table, weighted_mean
from mmquant.trading.metrics import drawdown, equity_curve, pnl_split
from mmquant.trading.run_tables import Fills, inst_ids

__all__ = [
    "CONFIG",
    "equity_figure",
    "inventory_figure",
    "markout_figure",
    "pnl_split_figure",
    "price_figure",
]

MARKOUT_HOVER = "%{y:.5~f} (95 %: %{customdata[0]}), %{customdata[1]:,d} fills"
MOST_POSITIONS = 10
"""Most instruments in a figure of inventories."""


def equity_figure(
    run: RunLike, *, inst: int | None = None, price: bool = False, max_points: int = MAX_POINTS
) -> go.Figure:
    """Equity net and before fees over time, and the drawdown below it. [currency]

    ``price`` adds the mid of the instrument on an axis of its own.
    """
    scope = scope_of(run, inst)
    net, gross = equity_curve(path=scope.path), equity_curve(path=scope.path, gross=True)
    unit = escape(scope.currency)
    common: dict[str, Any] = {"hover": f"%{{y:,.4~f}} {unit}", "max_points": max_points}
    fall: dict[str, Any] = {"color": style.FALL, "fill": "tozeroy", "yaxis": "y2"}
    traces = [
        line(scope.x, gross, name="before fees", color=style.GROSS, width=1.2, **common),
        line(scope.x, net, name="net", color=style.NET, width=1.8, **common),
        line(scope.x, drawdown(equity=net), name="drawdown", **fall, **common),
    ]
    layout = {
        "xaxis": time_axis(anchor="y2"),
        "yaxis": value_axis(f"equity [{unit}]", domain=[0.34, 1.0]),
        "yaxis2": value_axis(f"drawdown [{unit}]", domain=[0.0, 0.26]),
    }
    if price and scope.single:
        common["hover"] = f"%{{y:,.{scope.decimals + 1}f}} {unit}"
        mid = scope.series("mid")
        traces.append(line(scope.x, mid, name="mid", color=style.MARKET, yaxis="y3", **common))
        right = {"overlaying": "y", "side": "right", "showgrid": False, "zeroline": False}
        layout |= {"yaxis3": value_axis(f"mid [{unit}]", **right)}
        layout |= {"margin": {"l": 72, "r": 72, "t": 34, "b": 40}}
    fig = style.figure(traces, height=400, **layout)
    return said_if_empty(fig, net, "no step has an equity: there was no mid")


def inventory_figure(
    run: RunLike, *, inst: int | None = None, max_points: int = MAX_POINTS
) -> go.Figure:
    """Position over time with the configured limits. [units]

    Over several instruments one line each, at most ten: the ones with the largest positions.
    """
    scope = scope_of(run, inst)
    position = scope.path["position"].transpose("time", "inst").values.astype(np.float64)
    ids = inst_ids(scope.path)
    size = np.abs(position).max(axis=0) if len(position) else np.zeros(len(ids))
    traces = [
        line(
            scope.x,
            position[:, i],
            name="position" if scope.single else escape(symbol_of(run, int(ids[i]))),
            color=style.NET if scope.single else None,
            shape="hv",
            hover="%{y:,.6~f} units",
            max_points=max_points,
        )
        for i in sorted(np.argsort(-size, kind="stable")[:MOST_POSITIONS])
    ]
    fig = style.figure(traces, height=260, xaxis=time_axis(), yaxis=value_axis("position [units]"))
    if limit_is_near(scope):
        stroke = {"dash": "dash", "width": 1, "color": style.FALL}
        for sign in (-1, 1):
            fig.add_hline(y=sign * (scope.limit or 0.0), line=stroke)
    return said_if_empty(fig, position, "the path has no steps")


def limit_is_near(scope: Scope) -> bool:
    """Whether the position limit fits on the chart without flattening the path."""
    if scope.limit is None or not len(scope.times):
        return False
    return scope.limit <= 3.0 * float(np.abs(scope.series("position")).max())


def markout_figure(
    run: RunLike, *, inst: int | None = None, horizons_s: Sequence[float] = HORIZONS_S
) -> go.Figure:
    """Size-weighted mean markout by side and horizon, with 95 % intervals. [ccy per unit]

    The point "at fill" is the spread captured: the markout at horizon 0 against the mid just
    before the fill. Intervals are a block bootstrap's (`intervals.mean_interval`).
    """
    scope = scope_of(run, inst)
    labels = ["at fill", *(horizon_label(h) for h in horizons_s)]
    traces = []
    for title, side, color, symbol in (
        ("buys", 1, style.BUY, "triangle-up"),
        ("sells", -1, style.SELL, "triangle-down"),
        ("all", 0, style.MID, "circle"),
    ):
        mean, low, high, count = _markout_points(scope, side, horizons_s)
        if not count[0]:
            continue
        up, down = np.nan_to_num(high - mean), np.nan_to_num(mean - low)
        said = [span(*pair, scope.decimals + 2) for pair in zip(low, high, strict=True)]
        traces.append(
            {
                "type": "scatter",
                "x": labels,
                "y": mean,
                "customdata": [[text, int(n)] for text, n in zip(said, count, strict=True)],
                "error_y": {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
                | {"thickness": 1.2, "width": 4},
                "mode": "lines+markers",
                "name": title,
                "line": {"color": color, "width": 1.6},
                "marker": {"symbol": symbol, "size": 8},
                "hovertemplate": MARKOUT_HOVER,
            }
        )
    across = {"title": {"text": "time after the fill"}, "gridcolor": style.GRID}
    upwards = value_axis(f"markout [{escape(scope.currency)} per unit]")
    fig = style.figure(traces, height=340, xaxis=across, yaxis=upwards)
    return fig if traces else said_if_empty(fig, np.zeros(0), "no fills")


def _markout_points(
    scope: Scope, side: int, horizons_s: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means, both ends of their intervals, and counts, at the fill and at each horizon."""
    chosen, times = scope.fills, scope.times
    if side and len(chosen):
        chosen = chosen[chosen["side"].to_numpy() == side]
    log = Fills.of(chosen)
    known = np.isfinite(log.mid)
    capture, size = (log.side * (log.mid - log.price))[known], log.size[known]
    start, end = (int(times[0]), int(times[-1])) if len(times) else (0, 0)
    at_fill = mean_interval(
        times=log.time[known], values=capture, weights=size, start=start, end=end
    )
    points = [(weighted_mean(capture, size)[0], at_fill.low, at_fill.high, len(log))]
    table = markout_table(
        path=scope.path, fills=chosen, horizons_s=horizons_s, multipliers=scope.multipliers
    )
    shown = table[["sized_mean", "sized_low", "sized_high", "used"]]
    points += list(shown.itertuples(index=False, name=None))
    mean, low, high, count = np.array(points, dtype=np.float64).T
    return mean, low, high, count


def horizon_label(horizon_s: float) -> str:
    """1 s, 30 s, 5 min."""
    whole_minutes = horizon_s >= 60 and horizon_s % 60 == 0
    return f"{horizon_s / 60:g} min" if whole_minutes else f"{horizon_s:g} s"


def pnl_split_figure(
    run: RunLike, *, inst: int | None = None, max_points: int = MAX_POINTS
) -> go.Figure:
    """Where the PnL came from: a waterfall of the whole run, and each part over time. [ccy]"""
    scope = scope_of(run, inst)
    unit = escape(scope.currency)
    equity = equity_curve(path=scope.path)
    traces = [_waterfall(scope)]
    for values, title, color in (
        (scope.series("spread_pnl"), "spread captured", style.SPREAD),
        (scope.series("inventory_pnl"), "inventory", style.INVENTORY),
        (-scope.series("fees"), "− fees", style.FEES),
        (equity, "net", style.NET),
    ):
        look: dict[str, Any] = {"name": title, "color": color, "xaxis": "x2", "yaxis": "y2"}
        hover = f"%{{y:,.4~f}} {unit}"
        traces.append(line(scope.x, values, hover=hover, max_points=max_points, **look))
    fig = style.figure(
        traces,
        height=360,
        xaxis={"domain": [0.0, 0.27]},
        xaxis2=time_axis(domain=[0.37, 1.0], anchor="y2"),
        yaxis=value_axis(f"PnL [{unit}]"),
        yaxis2=value_axis(f"cumulative [{unit}]", anchor="x2"),
    )
    return said_if_empty(fig, equity, "no step has an equity")


def _waterfall(scope: Scope) -> dict[str, Any]:
    split = pnl_split(path=scope.path, fills=scope.fills, multipliers=scope.multipliers)
    amount = dict(zip(split["part"], split["ccy"], strict=True))
    parts = ["spread", "inventory", "fees", "net"]
    return {
        "type": "waterfall",
        "x": ["spread", "inventory", "− fees", "net"],
        "y": [float(amount[part]) for part in parts],
        "measure": ["relative", "relative", "relative", "total"],
        "name": "whole run",
        "showlegend": False,
        "increasing": {"marker": {"color": style.SPREAD}},
        "decreasing": {"marker": {"color": style.FALL}},
        "totals": {"marker": {"color": style.NET}},
        "connector": {"line": {"color": style.GRID}},
        "hovertemplate": f"%{{x}}: %{{y:,.4~f}} {escape(scope.currency)}<extra></extra>",
    }
