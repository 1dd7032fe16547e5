"""Chains for tests: small ones by hand, and random ones with any dims."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

DIMS = ("time", "expiry", "strike", "right")
RANGES = {
    "spot": (60.0, 140.0),
    "forward": (60.0, 140.0),
    "strike": (70.0, 130.0),
    "vol": (0.1, 0.8),
    "rate": (0.0, 0.08),
    "dividend_yield": (0.0, 0.06),
    "years": (0.02, 2.0),
    "price": (1.0, 60.0),
}
SIZES = {"time": 2, "expiry": 2, "strike": 3, "right": 2}


def small_chain(exercise: str = "european", **variables: Any) -> xr.Dataset:
    """Two expiries, five strikes, calls and puts, one smile an expiry."""
    strike = np.array([80.0, 90.0, 100.0, 110.0, 125.0])
    vol = 0.2 + 0.05 * np.log(strike / 100.0) ** 2 - 0.1 * np.log(strike / 100.0)
    market = {
        "spot": 100.0,
        "years": ("expiry", [0.1, 0.75]),
        "vol": (("expiry", "strike"), np.stack([vol, vol + 0.02])),
        "rate": ("expiry", [0.04, 0.035]),
        "dividend_yield": 0.01,
        "strike": strike,
        "right": ["C", "P"],
        "expiry": ["2027-01-15", "2027-09-17"],
    }
    return xr.Dataset(market | variables, attrs={"exercise": exercise, "source": "by hand"})


@st.composite
def random_chains(draw: st.DrawFn, underlying: str = "spot", quoted: str = "vol") -> xr.Dataset:
    """Every variable over its own subset of the dims, in an order of its own."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    used = draw(st.sets(st.sampled_from(DIMS)).map(sorted))
    ds = xr.Dataset(attrs={"exercise": "european"})
    names = [underlying, quoted, "strike", "rate", "years", "right"]
    for name in [*names, "dividend_yield"] if underlying == "spot" else names:
        order = draw(st.permutations(used))
        dims = (name,) if name in used else order[: draw(st.integers(0, len(used)))]
        shape = [SIZES[dim] for dim in dims]
        if name == "right":
            codes = draw(st.sampled_from([np.array(["P", "C"]), np.array([1, -1])]))
            values = codes[np.arange(np.prod(shape, dtype=int)) % 2].reshape(shape)
        else:
            values = np.sort(rng.uniform(*RANGES[name], shape), axis=None).reshape(shape)
        ds[name] = (dims, values)
    return ds


def options_of(ds: xr.Dataset, names: tuple[str, ...]) -> Iterator[tuple[dict[str, int], dict]]:
    """Each option of a chain: its place, and its numbers."""
    dims = [dim for dim in ds.dims if dim != "dividend"]
    for at in itertools.product(*(range(ds.sizes[dim]) for dim in dims)):
        place = dict(zip(dims, at, strict=True))
        one = ds.isel(place)
        sign = 1.0 if one["right"].item() in ("C", 1) else -1.0
        yield place, {"sign": sign} | {name: float(one[name]) for name in names}
