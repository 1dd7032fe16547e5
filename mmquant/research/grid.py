"""The points of a sweep: what may vary, and text such as ``quoting.half_spread_ticks=1:8:0.5``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from mmquant.config_sources import parse_yaml
from mmquant.errors import ConfigError, UsageError
from mmquant.trading.maker import Maker
from mmquant.trading.strategy import Strategy

MOST_VALUES = 100_000
FIXED = {
    "name": "it is only shown",
    "tape": "all points share one tape",
    "strategy.name": "all points share one strategy",
    "strategy.file": "all points share one strategy",
    "strategy.function": "all points share one strategy",
    "quoting.calibrate_s": "the calibration is done once, for all points",
    "profile.beside": "a sweep has no views beside it",
    "journal": "a sweep keeps no journal",
    "ibkr": "a sweep connects to nobody",
    "report": "it is only shown",
    "output": "it is only shown",
}
"""Keys and sections that a sweep cannot vary, and why: the points would bear a wrong label."""


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
        plain = ":" in values and "[" not in values and "{" not in values
        grid[key] = _range(text, values) if plain else _listed(text, values)
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


def values_of(key: str, values: Sequence[Any]) -> list[Any]:
    """The values of a key as those of Python, so that arrays of NumPy can be given too."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise UsageError(
            f"the grid gives {key!r} no list of values", where=repr(values), fix="write [1, 2, 3]"
        )
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def check_keys(grid: Mapping[str, Any], strategy: Strategy) -> None:
    """Refuse keys that would change the label of a point and nothing else. Raises UsageError."""
    for key in grid:
        why = FIXED.get(key) or FIXED.get(key.partition(".")[0])
        if why is None and key.startswith("quoting.") and not isinstance(strategy, Maker):
            why = f"strategy {strategy.name!r} does not use it"
        if why is not None:
            raise UsageError(
                f"a sweep cannot vary this: {why}",
                where=key,
                fix="leave it out of the grid, or make a sweep for each value",
            )
