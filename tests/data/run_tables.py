"""Tables and runs with random content that fits the schemas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.data.runs import Run
from mmquant.schema import TABLES, Column


def fake_frame(name: str, n: int, seed: int = 0) -> pd.DataFrame:
    """A table of ``n`` rows; nullable columns begin with NaN."""
    rng = np.random.default_rng(seed)
    columns = TABLES[name].columns
    return pd.DataFrame({column.name: _values(column, n, rng) for column in columns})


def _values(column: Column, n: int, rng: np.random.Generator) -> object:
    if column.dtype == "str":
        return pd.Series([f"{column.name}{i}" for i in range(n)], dtype="str")
    if column.codes is not None:
        codes = [int(code) for code in column.codes]
        return rng.choice(codes, n).astype(column.dtype)
    if column.dtype.startswith("float"):
        values = rng.normal(size=n)
        if column.nullable:
            values[:1] = np.nan
        return values
    return rng.integers(0, 1000, n).astype(column.dtype)


def fake_path(n: int, m: int, seed: int = 0) -> xr.Dataset:
    """A step path of ``n`` steps and ``m`` instruments."""
    rng = np.random.default_rng(seed)
    data = {
        column.name: (("time", "inst"), _values(column, n * m, rng).reshape(n, m))
        for column in TABLES["path"].columns
        if column.dims is None
    }
    time = xr.Variable("time", np.arange(n) * 10**9, {"units": "ns since epoch UTC"})
    symbols = np.array([f"S{i}" for i in range(m)], "U8")
    return xr.Dataset(data, {"time": time, "symbol": ("inst", symbols)}, {"note": "x"})


MAPPINGS = ("config", "versions", "tape", "fill_model", "strategy")


def fake_run(n: int = 4, seed: int = 0) -> Run:
    """A run with ``n`` rows in each table."""
    empty: dict[str, object] = {key: {} for key in MAPPINGS}
    manifest = empty | {
        "name": "fake",
        "mode": "backtest",
        "seed": np.int64(seed),
        "inputs": [],
        "latency": {"entry_ns": 1},
        "fees": {"schedule": "zero"},
        "notes": (),
        "told": [],
        "feasibility": {},
        "profile": "ideal",
        "contracts": [],
        "summary": {"pnl": np.float64(1.5), "sharpe": float("nan"), "fills": np.int32(n)},
    }
    return Run(
        manifest,
        fake_path(n, 2, seed),
        fake_frame("fills", n, seed),
        fake_frame("orders", n, seed),
        fake_frame("quotes", n, seed),
    )
