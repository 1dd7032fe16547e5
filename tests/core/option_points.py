"""Reference tables of options, how far a result may be from them, and our results as tables."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

from mmquant.core import black
from mmquant.core.option_rows import ROWS
from tests.core.make_option_points import options
from tests.oracles.european import EPS

Rows = list[dict[str, str]]
SPOT = ("sign", "spot", "strike", "years", "vol", "rate", "dividend_yield")


def read(name: str) -> Rows:
    with (Path(__file__).parent / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def column(rows: Rows, name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def worst(values: Any, exact: list[str], amplification: Any) -> float:
    """Largest error, in what the rounding of the inputs alone may do: 2^-52 amplified."""
    with mp.workdps(60):
        return max(
            abs(float((mpf(float(value)) - mpf(truth)) / mpf(truth))) / (EPS * float(a))
            for value, truth, a in zip(values, exact, amplification, strict=True)
        )


def spot_table(*inputs: Any) -> np.ndarray:
    columns = [np.ascontiguousarray(c, float) for c in np.broadcast_arrays(*inputs)]
    out = np.full((ROWS, columns[0].size), 7.0)
    black.spot_many(*[c.ravel() for c in columns], out)
    return out


def forward_table(*inputs: Any) -> np.ndarray:
    columns = [np.ascontiguousarray(c, float) for c in np.broadcast_arrays(*inputs)]
    out = np.full((ROWS, columns[0].size), 7.0)
    black.black_many(*[c.ravel() for c in columns], out)
    return out


def one(sign: float, spot: float, strike: float, years: float, vol: float, *rates: float) -> Any:
    return spot_table([sign], [spot], [strike], [years], [vol], *[[r] for r in rates])[:, 0]


def random_inputs(seed: int, n: int) -> list[np.ndarray]:
    """Seven arrays for spot_many; the first six suit black_many."""
    made = options(seed, n)
    names = ("sign", "forward", "strike", "years", "vol", "rate", "dividend_yield")
    return [np.array([option[name] for option in made], float) for name in names]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """One NaN for all: their signs come from the processor."""
    return (
        np.where(np.isnan(a), math.nan, a).tobytes() == np.where(np.isnan(b), math.nan, b).tobytes()
    )
