"""The price of one instrument with own quotes, own fills and the market's trades."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from mmquant.report import style
from mmquant.report.decimate import MAX_POINTS, m4_rows
from mmquant.report.scope import RunLike, Scope, epoch_ms, scope_of
from mmquant.report.style import line, said_if_empty, time_axis, value_axis
from mmquant.report.tape_trades import trades_in
from mmquant.trading.run_tables import Fills, inst_ids

LINES = (
    ("bid", "bid", style.MARKET, 0.8),
    ("ask", "ask", style.MARKET, 0.8),
    ("mid", "mid", style.MID, 1.0),
    ("own_bid", "own bid", style.BUY, 1.4),
    ("own_ask", "own ask", style.SELL, 1.4),
)


def price_figure(
    run: RunLike,
    *,
    inst: int | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    tape: xr.Dataset | None = None,
    max_points: int = MAX_POINTS,
    max_fills: int | None = None,
) -> go.Figure:
    """Mid, best bid and ask, own quotes as steps and fills as triangles, in a window of time.

    With the run's ``tape``, its trades are drawn as dots. Fills are decimated to ``max_fills`` a
    side (``max_points`` without it). [currency]
    """
    scope = scope_of(run, int(inst_ids(run.path)[0]) if inst is None else inst)
    times = scope.times
    first, last = (int(times[0]), int(times[-1])) if len(times) else (0, 0)
    start = first if start_ns is None else start_ns
    end = last if end_ns is None else end_ns
    rows = _steps_in(times, start, end)
    look: dict[str, Any] = {
        "hover": f"%{{y:,.{scope.decimals + 1}f}} {escape(scope.currency)}",
        "max_points": max_points,
        "shape": "hv",
    }
    x = scope.x[rows]
    traces = [
        line(x, scope.series(name)[rows], name=title, color=color, width=width, **look)
        for name, title, color, width in LINES
    ]
    if tape is not None:
        traces.append(_trades(scope, tape, start, end, max_points))
    traces += _fills(scope, start, end, max_fills or max_points)
    fig = style.figure(
        traces,
        height=440,
        xaxis=time_axis(range=[start / 1e6, end / 1e6]),
        yaxis=value_axis(f"price [{escape(scope.currency)}]", zeroline=False),
        hovermode="closest",
    )
    return said_if_empty(fig, scope.series("mid")[rows], "no mid in this window")


def _steps_in(times: np.ndarray, start: int, end: int) -> slice:
    """Steps in the window, and the one before it that still stands at its start."""
    first = int(np.searchsorted(times, start, side="right")) - 1
    return slice(max(first, 0), int(np.searchsorted(times, end, side="right")))


def _fills(scope: Scope, start: int, end: int, max_points: int) -> list[dict[str, Any]]:
    log = Fills.of(scope.fills)
    traces = []
    for side, title, symbol, color in (
        (1, "buys", "triangle-up", style.BUY),
        (-1, "sells", "triangle-down", style.SELL),
    ):
        mine = np.flatnonzero((log.side == side) & (log.time >= start) & (log.time <= end))
        mine = mine[np.argsort(log.time[mine], kind="stable")]
        crowded = len(mine) > 300
        edge = {"width": 0.0 if crowded else 0.7, "color": "#fff"}
        marker = {"symbol": symbol, "size": 6 if crowded else 9, "color": color, "line": edge}
        points = (log.time[mine], log.price[mine], log.size[mine])
        traces.append(_points(scope, *points, name=title, marker=marker, max_points=max_points))
    return traces


def _trades(
    scope: Scope, tape: xr.Dataset, start: int, end: int, max_points: int
) -> dict[str, Any]:
    found = trades_in(scope, tape, start, end)
    marker = {"size": 3, "color": style.MARKET}
    return _points(scope, *found, name="market trades", marker=marker, max_points=max_points)


def _points(
    scope: Scope,
    times: np.ndarray,
    prices: np.ndarray,
    sizes: np.ndarray,
    *,
    name: str,
    marker: dict[str, Any],
    max_points: int,
) -> dict[str, Any]:
    rows = m4_rows(times, prices, max_points=max_points)
    unit = escape(scope.currency)
    return {
        "type": "scatter",
        "x": epoch_ms(times[rows]),
        "y": prices[rows].astype(np.float32),
        "customdata": sizes[rows].astype(np.float32),
        "mode": "markers",
        "name": name,
        "marker": marker,
        "hovertemplate": f"%{{customdata:,.6~f}} units at %{{y:,.{scope.decimals}f}} {unit}",
    }
