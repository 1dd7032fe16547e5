"""Numbers and times as a reader wants them. A number that is not defined is a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NONE = "–"
Number = float | int | None


def is_known(x: Number) -> bool:
    return x is not None and math.isfinite(x)


def count(x: Number) -> str:
    """1,234."""
    return f"{int(x):,d}" if x is not None and math.isfinite(x) else NONE


def fixed(x: Number, decimals: int) -> str:
    """1,234.50 with that many decimals, never -0."""
    if x is None or not math.isfinite(x):
        return NONE
    text = f"{x:,.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0,.") else text


def span(low: Number, high: Number, decimals: int) -> str:
    """0.01 to 0.05: an interval."""
    if not (is_known(low) and is_known(high)):
        return NONE
    return f"{fixed(low, decimals)} to {fixed(high, decimals)}"


def decimals_of(values: Sequence[Number], *, significant: int = 4, least: int = 0) -> int:
    """Decimals that show the largest of the values to ``significant`` digits; at most 10."""
    known = [abs(x) for x in values if x is not None and math.isfinite(x) and x != 0]
    if not known:
        return least
    return min(10, max(least, significant - 1 - math.floor(math.log10(max(known)))))


def amount(x: Number) -> str:
    """A number of any size: at least two decimals below 10,000, four digits below 1."""
    least = 0 if x is not None and math.isfinite(x) and abs(x) >= 1e6 else 2
    return fixed(x, decimals_of([x], significant=4, least=least))


def quantity(x: Number) -> str:
    """A size in units: as many decimals as it has, at most 8."""
    if x is None or not math.isfinite(x):
        return NONE
    text = fixed(x, 8)
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(x: Number) -> str:
    """94.7 %."""
    return f"{x * 100:.1f} %" if x is not None and math.isfinite(x) else NONE


def tiny(x: Number) -> str:
    """A residual: 5.5e-13."""
    if x == 0:
        return "0"
    return f"{x:.1e}" if x is not None and math.isfinite(x) else NONE


def moment(ns: int | None) -> str:
    """2012-06-21 13:30:00.000 of a time in ns, UTC."""
    if ns is None:
        return NONE
    return str(np.datetime64(int(ns) // 1_000_000, "ms")).replace("T", " ")


def clock(ns: int) -> str:
    """2012-06-21 13:30 of a time in ns, UTC."""
    return moment(ns)[:16]


def duration(seconds: Number) -> str:
    """250 ms, 11.7 s, 5.2 min, 6.5 h."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    for scale, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def size_of(n_bytes: int) -> str:
    """12.3 MB."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} bytes"
