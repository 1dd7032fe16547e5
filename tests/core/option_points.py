"""Rows of the reference tables of options, and how far a result may be from them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.oracles.european import EPS

Rows = list[dict[str, str]]


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
