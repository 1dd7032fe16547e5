"""The demonstration: its tape and its configuration."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from mmquant.config import Config

if TYPE_CHECKING:
    import xarray as xr

BUNDLED = Path(__file__).parents[2] / "datasets" / "demo.parquet"
"""The demo tape of a checkout; an installed package makes the same one anew."""


def demo_tape(seed: int | None = None) -> xr.Dataset:
    """The bundled tape, or a market simulated from ``seed``."""
    if seed is None and BUNDLED.exists():
        from mmquant.data.readers import read_tape

        return read_tape("parquet", BUNDLED)
    from mmquant.data.synthetic import make_demo_tape

    return make_demo_tape() if seed is None else make_demo_tape(seed=seed)


def demo_config(seed: int | None = None) -> Config:
    """The settings of ``demo.yaml``; neither files nor the environment change them."""
    sets = [] if seed is None else [f"seed={seed}"]
    with as_file(files("mmquant.strategies") / "demo.yaml") as path:
        return Config.load(path, env={}, sets=sets)
