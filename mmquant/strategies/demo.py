"""The demonstration: its tape and its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmquant.config import Config

if TYPE_CHECKING:
    import xarray as xr

HERE = Path(__file__).parent


def demo_folder() -> Path:
    """``datasets/demo`` of the checkout, or the copy that an installed package has."""
    checkout = HERE.parents[1] / "datasets" / "demo"
    return checkout if checkout.is_dir() else HERE / "demo_data"


def demo_tape(seed: int | None = None) -> xr.Dataset:
    """The bundled tape, or a market simulated from ``seed``."""
    if seed is None:
        from mmquant.data.readers import read_tape

        return read_tape("parquet", demo_folder() / "demo.parquet")
    from mmquant.data.synthetic import make_demo_tape

    return make_demo_tape(seed=seed)


def demo_config(seed: int | None = None) -> Config:
    """The settings of ``demo.yaml``; the environment does not change them."""
    sets = [] if seed is None else [f"seed={seed}"]
    return Config.load(demo_folder() / "demo.yaml", env={}, sets=sets)
