"""The points of a sweep, from text such as ``quoting.half_spread_ticks=1:8:0.5``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from mmquant.config_sources import parse_yaml
from mmquant.errors import ConfigError

MOST_VALUES = 100_000


def parse_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Values of each key: ``key=from:to:step``, both ends included, or ``key=[a, b, c]``.

    Raises ConfigError where a text is neither, or names a key twice.
    """
    grid: dict[str, list[Any]] = {}
    for text in texts:
        key, sign, values = text.partition("=")
        key = key.strip()
        if not sign or not key or not values.strip():
            raise _error(text, "is no key with values")
        if key in grid:
            raise _error(text, "names a key a second time")
        grid[key] = _range(text, values) if ":" in values else _listed(text, values)
    return grid


def _range(text: str, values: str) -> list[Any]:
    try:
        parts = [Decimal(part.strip().replace("_", "")) for part in values.split(":")]
    except InvalidOperation:
        raise _error(text, "has a part that is no number") from None
    if len(parts) not in (2, 3) or not all(part.is_finite() for part in parts):
        raise _error(text, "is no range")
    start, stop, step = (*parts, Decimal(1))[:3]
    if step <= 0 or stop < start:
        raise _error(text, "does not rise")
    count = math.floor((stop - start) / step) + 1
    if count > MOST_VALUES:
        raise _error(text, f"has {count:,} values")
    whole = all(part == part.to_integral_value() for part in (start, step))
    found = [start + i * step for i in range(count)]
    return [int(x) if whole else float(x) for x in found]


def _listed(text: str, values: str) -> list[Any]:
    found = parse_yaml(values if values.strip().startswith("[") else f"[{values}]", text)
    if not isinstance(found, list) or not found:
        raise _error(text, "has no values")
    return found


def _error(text: str, problem: str) -> ConfigError:
    fix = "write quoting.half_spread_ticks=1:8:0.5, or quoting.model=[fixed, glft]"
    return ConfigError(f"{text!r} {problem}", where="--grid", fix=fix)
