"""American options in columns, files of reference values, and the kernels on single options."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.american import american_many

HERE = Path(__file__).parent
COLUMNS = ("sign", "spot", "strike", "years", "vol", "rate", "dividend_yield")


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def columns(table: list[dict[str, str]]) -> tuple[np.ndarray, ...]:
    """The inputs of american_many; years of 365 days."""
    days = "days365" if "days365" in table[0] else "days"
    yields = "q" if "q" in table[0] else None

    def floats(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in table])

    sign = np.array([1.0 if row["cp"] == "C" else -1.0 for row in table])
    q = floats(yields) if yields else np.zeros(len(table))
    years = floats(days) / 365.0
    return sign, floats("S"), floats("K"), years, floats("vol"), floats("r"), q


def reference(name: str, column: str) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    table = rows(name)
    return columns(table), np.array([float(row[column]) for row in table])


def arrays(*option: Any) -> tuple[np.ndarray, ...]:
    """Scalars and arrays as columns of one length."""
    wide = np.broadcast_arrays(*[np.asarray(value, float) for value in option])
    return tuple(np.ascontiguousarray(np.atleast_1d(column)) for column in wide)


def results(*option: Any, setting: int, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """(out, status) of american_many."""
    inputs = arrays(*option)
    out = np.full((count, inputs[0].size), -1.0)
    status = np.full(inputs[0].size, -1)
    american_many(*inputs, setting, out, status)
    return out, status


def prices(*option: Any, setting: int) -> np.ndarray:
    out, status = results(*option, setting=setting, count=3)
    assert not status.any()
    return out[0]


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return np.array_equal(left, right, equal_nan=True)


def random_options(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Calls and puts of everyday and of stranger markets; none with two boundaries."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], n)
    strike = 100.0 * np.exp(rng.normal(0.0, 0.25, n))
    years, vol = 10.0 ** rng.uniform(-2.5, 0.7, n), 10.0 ** rng.uniform(-1.0, 0.1, n)
    rate = rng.uniform(0.0, 0.12, n)
    dividend_yield = np.where(rng.random(n) < 0.3, 0.0, rng.uniform(0.0, 0.12, n))
    return sign, np.full(n, 100.0), strike, years, vol, rate, dividend_yield
