"""How all figures look: colours that colour-blind readers can tell apart, and plain axes.

Traces and axes are dicts, validated once where a figure is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mmquant.report.decimate import m4_rows

CONFIG: dict[str, Any] = {"showSendToCloud": False, "displaylogo": False, "responsive": True}
"""Pass it to ``fig.show(config=CONFIG)``: no upload button, no logo."""

NET, GROSS, FALL = "#0072b2", "#56b4e9", "#d55e00"
SPREAD, INVENTORY, FEES = "#009e73", "#e69f00", "#8c8c8c"
BUY, SELL, MARKET, MID = "#0072b2", "#d55e00", "#a4a4a4", "#767676"

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
GRID, ZERO, CLEAR = "rgba(128,128,128,0.22)", "rgba(128,128,128,0.55)", "rgba(0,0,0,0)"


def figure(traces: Sequence[dict[str, Any]], *, height: int, **layout: Any) -> go.Figure:
    """A figure of the traces with the common layout; ``layout`` adds to it or overrides it."""
    common = {
        "template": "none",
        "height": height,
        "margin": {"l": 72, "r": 16, "t": 34, "b": 40},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": FONT, "size": 12, "color": "#333"},
        "hovermode": "x",
        "showlegend": len(traces) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        "modebar": {"bgcolor": CLEAR, "color": ZERO, "activecolor": NET},
    }
    return go.Figure(data=list(traces), layout=common | layout)


def time_axis(**more: Any) -> dict[str, Any]:
    """An x axis of time; x is in ms since the epoch, shown in UTC."""
    return {
        "type": "date",
        "title": {"text": "time [UTC]", "standoff": 6},
        "hoverformat": "%Y-%m-%d %H:%M:%S.%L",
        "gridcolor": GRID,
        "zeroline": False,
        "showline": True,
        "linecolor": GRID,
    } | more


def value_axis(title: str, **more: Any) -> dict[str, Any]:
    """A y axis of values with a title that carries the unit."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": GRID,
        "zeroline": True,
        "zerolinecolor": ZERO,
        "exponentformat": "none",
        "separatethousands": True,
    } | more


def line(
    x: np.ndarray,
    y: np.ndarray,
    *,
    name: str,
    hover: str,
    max_points: int,
    color: str | None = None,
    width: float = 1.5,
    shape: str = "linear",
    **more: Any,
) -> dict[str, Any]:
    """A trace of y over x [ms], both of shape (n,), decimated; ``hover`` formats a point."""
    rows = m4_rows(x, y, max_points=max_points)
    return {
        "type": "scatter",
        "x": x[rows],
        "y": y[rows].astype(np.float32),
        "mode": "lines",
        "name": name,
        "line": {"color": color, "width": width, "shape": shape},
        "hovertemplate": hover,
    } | more


def said_if_empty(fig: go.Figure, values: np.ndarray, text: str) -> go.Figure:
    """The figure; where there is no finite value to draw, ``text`` in place of axes."""
    if not np.isfinite(values).any():
        fig.update_xaxes(visible=False)
        fig.update_yaxes(visible=False)
        fig.update_layout(showlegend=False, height=140)
        fig.add_annotation(
            text=text, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 14}
        )
    return fig
