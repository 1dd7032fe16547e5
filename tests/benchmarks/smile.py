"""Microseconds to fit and to evaluate a smile.

    python -m tests.benchmarks.smile --json

``svi_cold_us`` and ``svi_warm_us``: raw SVI through 50 noisy strikes, from nothing and from the
parameters before a small move; medians over smiles of the fastest of many runs, and
``svi_cold_worst_us`` and ``svi_warm_worst_us`` over the slowest smile. ``slice_us``: the quoted
slice of 100 strikes, held above the slice of the expiry before. ``strike_ns``: w and its
derivatives at one strike of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np

from mmquant.core.slice_curve import slice_variance_many
from mmquant.core.slice_fit import fit_slice, make_fit_work
from mmquant.core.slice_rows import SLICE_SIZE, make_slice
from mmquant.core.smile import svi_many
from mmquant.core.svi_fit import fit_svi, make_svi_work, refit_svi
from tests.benchmarks.harness import median, parser

SMILES, STRIKES, RUNS = 40, 50, 500


def fastest(function: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of the fastest of many calls, Python's call included."""
    best = np.inf
    for _ in range(runs):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def svi_times() -> dict[str, float]:
    """Of raw SVI, over random smiles."""
    rng, work, weight = np.random.default_rng(1), make_svi_work(), np.ones(STRIKES)
    k, out = np.linspace(-0.4, 0.3, STRIKES), np.empty((3, STRIKES))
    cold, warm = [], []
    for _ in range(SMILES):
        raw = rng.uniform((0.0, 0.02, -0.9, -0.1, 0.03), (0.04, 0.3, 0.5, 0.1, 0.3))
        svi_many(k, raw, out)
        w, params = out[0] * (1.0 + 0.002 * rng.standard_normal(STRIKES)), np.empty(5)
        moved = 1.01 * w + 0.0002 * np.sin(9.0 * k)
        cold.append(fastest(lambda w=w, params=params: fit_svi(k, w, weight, params, work)))
        before = params.copy()

        def refit(before=before, moved=moved, params=params) -> None:  # type: ignore[no-untyped-def]
            params[:] = before
            refit_svi(k, moved, weight, params, work)

        warm.append(fastest(refit))
    return {
        "svi_cold_us": 1e6 * median(cold),
        "svi_cold_worst_us": 1e6 * max(cold),
        "svi_warm_us": 1e6 * median(warm),
        "svi_warm_worst_us": 1e6 * max(warm),
    }


def slice_times() -> dict[str, float]:
    """Of the quoted slice."""
    rng, work, none = np.random.default_rng(2), make_fit_work(), make_slice()
    later = np.zeros((0, SLICE_SIZE))
    k = 0.2 * np.linspace(-5.0, 2.5, 100)
    w = (
        0.04
        * (1.0 - 0.5 * np.tanh(2.0 * k) + 1.5 * k * k)
        * (1.0 + 0.002 * rng.standard_normal(100))
    )
    below, row, out = make_slice(), make_slice(), np.empty((3, 100))
    fit_slice(k, 0.97 * w, 0.99 * w, 1.01 * w, none, later, below, work)

    def fit() -> None:
        row[0] = 0.0
        fit_slice(k, 0.98 * w, w, 1.02 * w, below, later, row, work)

    slice_us = 1e6 * fastest(fit)
    strike = fastest(lambda: slice_variance_many(k, row, out)) / k.size
    return {"slice_us": slice_us, "strike_ns": 1e9 * strike}


def main() -> None:
    p = parser(__doc__)
    args = p.parse_args()
    result = {name: round(value, 2) for name, value in (svi_times() | slice_times()).items()}
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:20} {value:8.2f}")


if __name__ == "__main__":
    main()
