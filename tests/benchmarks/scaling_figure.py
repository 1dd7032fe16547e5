"""The figure of the scaling benchmark: panels of lines, both axes logarithmic, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mmquant.report.style import FALL, MID, NET

COLORS = (NET, FALL)
WIDTH, HEIGHT = 460, 270
"""Of one panel. [px]"""
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 44
LEAST_SPAN = 10.0
"""A value axis covers a decade at least, so that a flat line looks flat."""
LABEL_WIDTH = 30
COLUMNS = 2


@dataclass(frozen=True)
class Line:
    """One line of a panel; a panel with several names them."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]


def figure(panels: Sequence[Panel]) -> str:
    """SVG of the panels, two in a row."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11" fill="#333">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, panel in enumerate(panels):
        row, column = divmod(i, COLUMNS)
        parts.append(f'<g transform="translate({column * WIDTH} {row * HEIGHT})">')
        parts += [*drawn(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def drawn(panel: Panel) -> list[str]:
    """The elements of one panel."""
    sizes = sorted({x for line in panel.lines for x in line.x})
    low, high = value_range([y for line in panel.lines for y in line.y])
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(x: float) -> float:
        return LEFT + (right - LEFT) * _part(x, sizes[0], sizes[-1])

    def up(y: float) -> float:
        return floor - (floor - TOP) * _part(y, low, high)

    out = [f'<text x="{LEFT}" y="16" font-size="13">{escape(panel.title)}</text>']
    for y in round_values(low, high):
        out.append(f'<path d="M{LEFT} {up(y):.1f}H{right}" stroke="#ddd"/>')
        out.append(_text(LEFT - 6, up(y) + 4, short(y), "end"))
    last = -math.inf
    for x in sizes:
        out.append(f'<path d="M{across(x):.1f} {floor}v4" stroke="{MID}"/>')
        if across(x) - last >= LABEL_WIDTH:
            last = across(x)
            out.append(_text(last, floor + 16, short(x), "middle"))
    out.append(f'<path d="M{LEFT} {TOP}V{floor}H{right}" fill="none" stroke="{MID}"/>')
    out.append(_text((LEFT + right) / 2, HEIGHT - 10, panel.x_label, "middle"))
    middle = (TOP + floor) / 2
    out.append(
        f'<text x="14" y="{middle:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {middle:.1f})">{escape(panel.y_label)}</text>'
    )
    for i, line in enumerate(panel.lines):
        color = COLORS[i % len(COLORS)]
        points = [f"{across(x):.1f} {up(y):.1f}" for x, y in zip(line.x, line.y, strict=True)]
        out.append(
            f'<path d="M{"L".join(points)}" fill="none" stroke="{color}" stroke-width="1.8"/>'
        )
        for point in points:
            x, y = point.split()
            out.append(f'<circle cx="{x}" cy="{y}" r="2.6" fill="{color}"/>')
        if len(panel.lines) > 1:
            out.append(_text(right, TOP + 4 + 14 * i, line.label, "end", color))
    return out


def value_range(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a value axis: beyond all values, and a decade apart at least."""
    low, high = min(values) / 1.25, max(values) * 1.25
    stretch = math.sqrt(max(LEAST_SPAN / (high / low), 1.0))
    return low / stretch, high * stretch


def round_values(low: float, high: float) -> list[float]:
    """The 1, 2 and 5 of each decade from ``low`` to ``high``."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return [x for x in found if low <= x <= high]


def short(x: float) -> str:
    """A size or a value as a label: 200, 10k, 3M."""
    for scale, letter in ((1e6, "M"), (1e4, "k")):
        if x >= scale:
            return f"{x / min(scale, 1e3 if letter == 'k' else scale):g}{letter}"
    return f"{x:g}"


def _part(x: float, low: float, high: float) -> float:
    """Where x lies between two ends, by logarithms; in the middle where they are one."""
    return math.log(x / low) / math.log(high / low) if high > low else 0.5


def _text(x: float, y: float, text: str, anchor: str, color: str = "#333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"'
    return f"<text {place}>{escape(text)}</text>"
