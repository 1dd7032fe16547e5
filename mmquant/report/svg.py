"""A plain SVG line chart: what a reader sees where the interactive charts cannot run."""

from __future__ import annotations

from html import escape

import numpy as np
from markupsafe import Markup

from mmquant.report.decimate import m4_rows
from mmquant.report.text import clock, decimals_of, fixed

WIDTH, HEIGHT = 900, 220
LEFT, RIGHT, TOP, BOTTOM = 96, 8, 10, 26


def line_chart(
    times: np.ndarray, y: np.ndarray, *, unit: str, color: str, max_points: int = 600
) -> Markup:
    """SVG of y over ``times`` [ns], both of shape (n,); gaps where y is NaN. "" without values."""
    if not np.isfinite(y).any():
        return Markup("")
    rows = m4_rows(times, y, max_points=max_points)
    low, high = float(np.nanmin(y)), float(np.nanmax(y))
    decimals = decimals_of([low, high], least=2)
    bottom, top = fixed(low, decimals), fixed(high, decimals)
    x = _scaled(times[rows].astype(np.float64), LEFT, WIDTH - RIGHT)
    levels = np.clip(y[rows], low, high)
    if high > low:
        v = HEIGHT - BOTTOM - (levels - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    else:
        v = np.where(np.isfinite(levels), (HEIGHT - BOTTOM + TOP) / 2, np.nan)
    floor = HEIGHT - BOTTOM
    text = (
        f'<svg class="still" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="from {bottom} to {top} {escape(unit)}">'
        f'<path class="frame" d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}"/>'
        f'<path class="curve" style="stroke:{color}" d="{_path(x, v)}"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 9}" class="end">{top}</text>'
        f'<text x="{LEFT - 6}" y="{floor}" class="end">{bottom}</text>'
        f'<text x="{LEFT - 6}" y="{(TOP + floor) // 2}" class="end">{escape(unit)}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{clock(int(times[0]))}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" class="end">{clock(int(times[-1]))}</text>'
    )
    return Markup(text + "</svg>")


def _scaled(x: np.ndarray, low: float, high: float) -> np.ndarray:
    span = x[-1] - x[0]
    return low + (x - x[0]) / span * (high - low) if span > 0 else np.full(len(x), low)


def _path(x: np.ndarray, v: np.ndarray) -> str:
    """Moves and lines to one decimal; a NaN lifts the pen. A point alone is drawn as a dash."""
    parts, down = [], False
    for a, b in zip(x.tolist(), v.tolist(), strict=True):
        if not np.isfinite(b):
            down = False
            continue
        parts.append(f"{'L' if down else 'M'}{a:.1f} {b:.1f}")
        if not down:
            parts.append("h1")
        down = True
    return "".join(parts)
