"""Figures of a volatility surface, for the page of ``mmquant surface`` and for notebooks.

Each takes quotes and the surface that was fitted to them, and ``time``, which of the
surface's rows it shows. In a notebook: ``fig.show(config=CONFIG)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from mmquant.errors import UsageError
from mmquant.report import style
from mmquant.report.smiles import Smile, smiles_of
from mmquant.report.style import CONFIG, said_if_empty, value_axis

__all__ = ["CONFIG", "heat_map_figure", "smile_figure", "term_structure_figure"]

CURVE_POINTS = 201
BEYOND = 0.15
"""Part of the quoted range that the curve is drawn beyond it, on each side."""
DEVIATIONS = np.linspace(-3.0, 3.0, 61)
"""Where the heat map looks, in standard deviations from the forward."""
PERCENT = 100.0


def smile_figure(
    quotes: xr.Dataset, surface: xr.Dataset, *, expiry: Any = 0, time: int = -1
) -> go.Figure:
    """One expiry: bids and asks as volatilities, the fit through them, and how far it is from them.

    ``expiry``: its date, or which of the living ones. Quotes that were not used are grey, and say
    why.
    """
    smiles = smiles_of(quotes, surface, time=time)
    return figure_of(_chosen(smiles, expiry), quotes.attrs.get("currency", ""))


def _chosen(smiles: list[Smile], expiry: Any) -> Smile:
    if isinstance(expiry, int) and -len(smiles) <= expiry < len(smiles):
        return smiles[expiry]
    if not isinstance(expiry, int):
        day = np.datetime64(expiry, "D")
        for smile in smiles:
            if smile.expiry.astype("datetime64[D]") == day:
                return smile
    dates = ", ".join(smile.label for smile in smiles) or "none"
    raise UsageError(f"there is no expiry {expiry}", fix=f"choose one of those living: {dates}")


def figure_of(smile: Smile, currency: str) -> go.Figure:
    """The figure of one smile."""
    table = smile.quotes
    used = table["reason"] == "OK"
    traces = []
    for name, rows, color in (
        ("bid to ask", table[used], style.NET),
        ("not used", table[~used], style.FEES),
    ):
        traces.append(_bars(name, rows, rows["mid_vol"], color, "y"))
    traces.append(_curve(smile))
    traces.append(_bars("residual", table[used], table["residual_vol"][used],
                        style.NET, "y2") | {"showlegend": False})  # fmt: skip
    flat = {"width": 1.0, "color": style.FALL}
    ends = [float(table["strike"].min()), float(table["strike"].max())] if len(table) else [0, 1]
    traces.append({"type": "scatter", "x": ends, "y": [0.0, 0.0], "mode": "lines", "line": flat,
                   "yaxis": "y2", "showlegend": False, "hoverinfo": "skip"})  # fmt: skip
    across = value_axis(f"strike [{currency}]", zeroline=False, anchor="y2")
    fig = style.figure(
        traces,
        height=380,
        hovermode="closest",
        xaxis=across,
        yaxis=value_axis("volatility [%]", domain=[0.36, 1.0], zeroline=False),
        yaxis2=value_axis("less fit [%]", domain=[0.0, 0.28]),
    )
    return said_if_empty(fig, table[["bid_vol", "ask_vol"]].to_numpy(), "no quote has a volatility")


def _bars(name: str, rows: Any, middle: Any, color: str, axis: str) -> dict[str, Any]:
    """Middles with bars from bid to ask; where there is no middle, the side that there is."""
    shift = (middle - rows["mid_vol"]).to_numpy()
    center = np.where(np.isfinite(middle), middle, rows["ask_vol"].fillna(rows["bid_vol"]))
    up = np.nan_to_num(rows["ask_vol"] + shift - center)
    down = np.nan_to_num(center - rows["bid_vol"] - shift)
    said = [
        f"{right} {reason}" for right, reason in zip(rows["right"], rows["reason"], strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": rows["strike"].to_numpy(),
        "y": PERCENT * center,
        "yaxis": axis,
        "error_y": {"type": "data", "symmetric": False, "array": PERCENT * up,
                    "arrayminus": PERCENT * down, "thickness": 1.2, "width": 2},
        "marker": {"size": 4, "color": color},
        "customdata": said,
        "hovertemplate": "%{x:,.6~f}: %{y:.3f} %{customdata}<extra></extra>",
    }  # fmt: skip


def _curve(smile: Smile) -> dict[str, Any]:
    """The fitted smile over the strikes that are quoted, and a little beyond."""
    quoted = smile.quotes["k"][np.isfinite(smile.quotes["ask_vol"].fillna(smile.quotes["bid_vol"]))]
    low, high = (quoted.min(), quoted.max()) if len(quoted) else (-0.1, 0.1)
    more = BEYOND * (high - low)
    k = np.linspace(low - more, high + more, CURVE_POINTS)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "fit",
        "x": smile.forward * np.exp(k),
        "y": PERCENT * smile.vols(k),
        "line": {"color": style.FALL, "width": 1.6},
        "hovertemplate": "%{x:,.6~f}: %{y:.3f}<extra>fit</extra>",
    }


def term_structure_figure(quotes: xr.Dataset, surface: xr.Dataset, *, time: int = -1) -> go.Figure:
    """Volatility by expiry: at the forward, and one standard deviation below and above it. [%]"""
    return term_structure_of(smiles_of(quotes, surface, time=time))


def term_structure_of(smiles: list[Smile]) -> go.Figure:
    """The term structure of smiles."""
    smiles = [smile for smile in smiles if smile.fitted]
    moments = [str(smile.expiry.astype("datetime64[s]")) for smile in smiles]
    traces = []
    for name, place, color in (
        ("one deviation below", -1.0, style.FALL),
        ("at the forward", 0.0, style.NET),
        ("one deviation above", 1.0, style.SPREAD),
    ):
        y = [float(_at(smile, np.array([place]))[0]) for smile in smiles]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": name, "x": moments, "y": y,
            "line": {"color": color, "width": 1.6}, "marker": {"size": 6},
            "hovertemplate": "%{x}: %{y:.3f}",
        })  # fmt: skip
    across = {"type": "date", "title": {"text": "expiry"}, "gridcolor": style.GRID}
    fig = style.figure(traces, height=320, xaxis=across, yaxis=value_axis("volatility [%]"))
    return said_if_empty(fig, np.array(traces[1]["y"], np.float64), "no expiry has a slice")


def heat_map_figure(quotes: xr.Dataset, surface: xr.Dataset, *, time: int = -1) -> go.Figure:
    """Volatility over standard deviations from the forward, and expiries. [%]"""
    return heat_map_of(smiles_of(quotes, surface, time=time))


def heat_map_of(smiles: list[Smile]) -> go.Figure:
    """The heat map of smiles."""
    smiles = [smile for smile in smiles if smile.fitted]
    z = np.array([_at(smile, DEVIATIONS) for smile in smiles]).reshape(-1, DEVIATIONS.size)
    trace = {
        "type": "heatmap",
        "x": DEVIATIONS,
        "y": [smile.label for smile in smiles],
        "z": z.astype(np.float32),
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": "vol [%]"}},
        "hovertemplate": "%{y}, %{x:.1f} deviations: %{z:.2f}<extra></extra>",
    }
    fig = style.figure(
        [trace],
        height=max(260, 24 * len(smiles) + 100),
        hovermode="closest",
        xaxis=value_axis("standard deviations from the forward", zeroline=False),
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
    )
    return said_if_empty(fig, z, "no expiry has a slice")


def _at(smile: Smile, deviations: np.ndarray) -> np.ndarray:
    """Volatilities [%] at distances in volatilities to expiry at the forward."""
    level = smile.vols(np.zeros(1))[0] * np.sqrt(smile.years)
    return PERCENT * smile.vols(deviations * level)
