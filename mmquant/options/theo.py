"""What a surface says of every contract, and how far its quote is from that: `theo`."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from mmquant.config_surface import SurfaceSettings
from mmquant.core.european_quotes import european_quotes
from mmquant.core.implied_vol import implied_vol_many
from mmquant.core.surface_price import make_greeks_work, surface_greeks
from mmquant.core.surface_rows import make_surface_work
from mmquant.errors import DataError, UsageError
from mmquant.options.moves import moved_slices
from mmquant.options.quality import mark_by_forward, screen_quotes, underlying_sides
from mmquant.options.surface_inputs import Layout, layout_of
from mmquant.options.years import calendar_years
from mmquant.schema import VERSION, validate
from mmquant.schema.surface import OPTION_THEOS

Move = Literal["sticky_strike", "sticky_delta"]
SECOND = np.timedelta64(1, "s")
DEEPEST = 4.0
"""Options further in the money than this, in standard deviations, get no implied volatility."""


def theo(
    ds: xr.Dataset,
    surface: xr.Dataset,
    *,
    tick: float = 0.01,
    move: Move = "sticky_strike",
) -> xr.Dataset:
    """Volatility, value, greeks and residual of every contract at every time of the quotes.

    Each time takes the last slices of the surface at or before it; the underlying's move since
    then carries the forward with it, and the smile as ``move`` says. At a time of the fit itself
    nothing has moved.

    Parameters
    ----------
    ds : option quotes (schema ``option_quotes``).
    surface : schema ``vol_surface``, of the same underlying.
    tick : price increment that ``residual_ticks`` are in [ccy].
    move : ``sticky_strike``: a strike keeps its volatility; ``sticky_delta``: a moneyness does.

    Returns
    -------
    Dataset
        schema ``option_theos``. NaN where there is no slice, or none yet, or the expiry has passed.

    Raises
    ------
    DataError
        where a Dataset is not of its schema, or they are of different underlyings.
    UsageError
        where ``move`` or ``tick`` is none.
    """
    if move not in get_args(Move):
        raise UsageError(f"unknown move {move!r}", fix=f"use one of {', '.join(get_args(Move))}")
    if not 0 < tick < np.inf:
        raise UsageError(f"tick is {tick}", fix="give a price above 0, as 0.01")
    validate(surface, "vol_surface")
    settings = SurfaceSettings.model_validate_json(surface.attrs["settings"])
    screened = screen_quotes(ds, screen=settings.screen)
    if surface.attrs["asset"] != ds.attrs["underlying"]:
        raise DataError(
            f"the surface is of {surface.attrs['asset']}, the quotes of {ds.attrs['underlying']}",
            fix="give a surface that was fitted to quotes of the same underlying",
        )
    now = _Now(screened, surface, move)
    values = np.full((6, *ds["bid"].shape), np.nan)
    buffers = make_surface_work(now.layout.most)[0]
    surface_greeks(
        0, ds.sizes["time"], *now.layout.chain(), now.layout.american, now.spot, now.years,
        now.rate, now.forward, now.slices, values, buffers, make_greeks_work(now.layout.most),
    )  # fmt: skip
    return _answer(screened, now, values, tick, move, settings)


class _Now:
    """The surface as it is at the times of the quotes, over (time, expiry)."""

    def __init__(self, ds: xr.Dataset, surface: xr.Dataset, move: str) -> None:
        self.layout: Layout = layout_of(ds)
        time = ds["time"].values
        low, high = underlying_sides(ds)
        self.spot = (low + high) / 2
        self.years = calendar_years(time, self.layout.expiry)
        at = np.searchsorted(surface["time"].values, time, side="right") - 1
        e = np.searchsorted(surface["expiry"].values, self.layout.expiry)
        e = np.minimum(e, surface.sizes["expiry"] - 1)
        known = surface["expiry"].values[e] == self.layout.expiry if e.size else np.zeros(0, bool)
        past = np.maximum(at, 0)

        def of(name: str) -> np.ndarray:
            values: np.ndarray = surface[name].values[past][:, e].astype(float)
            values[at < 0] = np.nan
            values[:, ~known] = np.nan
            return values

        self.rate = of("rate")
        scale = self.spot / surface["underlying"].values[past]
        # At a time of the fit itself the ratio is exactly 1.
        same = surface["time"].values[past] == time
        scale = np.where(same, 1.0, scale)
        self.forward = of("forward") * scale[:, None]
        self.slices = moved_slices(
            of("slice"), np.log(scale)[:, None], of("years"), self.years, move
        )
        self.fit_age = np.where(at < 0, np.nan, (time - surface["time"].values[past]) / SECOND)

    @property
    def discount(self) -> np.ndarray:
        discount: np.ndarray = np.exp(-self.rate * self.years)
        return discount


def _answer(
    ds: xr.Dataset,
    now: _Now,
    values: np.ndarray,
    tick: float,
    move: str,
    settings: SurfaceSettings,
) -> xr.Dataset:
    european = _european(ds, now)
    quality = _quality(ds, now, european, settings)
    bid_vol, ask_vol, mid_vol = (
        _vols(ds, now, side) for side in (*european, (european[0] + european[1]) / 2)
    )
    bid, ask = ds["bid"].values, ds["ask"].values
    middle = (bid + ask) / 2
    older = np.minimum(ds["bid_time"].values, ds["ask_time"].values)
    age = (ds["time"].values[:, None] - older) / SECOND
    with np.errstate(all="ignore"):
        found = {
            **dict(zip(("vol", "theo", "delta", "gamma", "vega", "theta"), values, strict=True)),
            "bid_vol": bid_vol,
            "ask_vol": ask_vol,
            "residual_vol": mid_vol - values[0],
            "residual_ticks": (middle - values[1]) / tick,
            "residual_spreads": np.where(ask > bid, (middle - values[1]) / (ask - bid), np.nan),
            "age": age,
            "fit_age": np.broadcast_to(now.fit_age[:, None], bid.shape),
            "quality": quality,
        }
    dims = ("time", "contract")
    variables = {
        column.name: (dims, found[column.name], {"long_name": column.text, "units": column.unit})
        for column in OPTION_THEOS.columns
        if column.name in found
    }
    coords = {name: ds[name].variable for name in ("time", "expiry", "strike", "right", "root")}
    attrs = {
        "schema": OPTION_THEOS.name,
        "schema_version": VERSION,
        "asset": ds.attrs["underlying"],
        "currency": ds.attrs["currency"],
        "move": move,
    }
    out = xr.Dataset(variables, coords, attrs)
    validate(out, OPTION_THEOS.name)
    return out


def _european(ds: xr.Dataset, now: _Now) -> np.ndarray:
    """European values of bids and asks (2, time, contract)."""
    european = np.full((2, *ds["bid"].shape), np.nan)
    with np.errstate(invalid="ignore"):
        wanted = (ds["bid"].values > 0) | (ds["ask"].values > 0)
    deviation = np.sqrt(np.maximum(now.slices[:, :, 3], 0.0))
    buffers, exercise, _ = make_surface_work(now.layout.most)
    european_quotes(
        0, ds.sizes["time"], ds["bid"].values, ds["ask"].values, wanted.astype(np.int8),
        *now.layout.chain(), now.layout.american, now.spot, now.years, now.rate, now.forward,
        DEEPEST * deviation, *european, buffers, exercise,
    )  # fmt: skip
    return european


def _of_contract(now: _Now, values: np.ndarray) -> np.ndarray:
    """Values over (time, expiry) as ones over (time, contract)."""
    of = now.layout.expiry_of
    if values.shape[1] == 0:
        return np.full((values.shape[0], of.size), np.nan)
    return np.where(of >= 0, values[:, of], np.nan)


def _quality(
    ds: xr.Dataset, now: _Now, european: np.ndarray, settings: SurfaceSettings
) -> np.ndarray:
    dims = ("time", "contract")
    values = ds.assign(bid=(dims, european[0]), ask=(dims, european[1]))
    forward, discount = (_of_contract(now, x) for x in (now.forward, now.discount))
    marked = mark_by_forward(values, forward, discount, screen=settings.screen)
    quality: np.ndarray = marked["quality"].values
    return quality


def _vols(ds: xr.Dataset, now: _Now, price: np.ndarray) -> np.ndarray:
    """Implied volatilities of European values (time, contract)."""
    shape = price.shape
    sign = np.where(ds["right"].values.astype(str) == "C", 1.0, -1.0)
    forward, discount, years = (
        _of_contract(now, x) for x in (now.forward, now.discount, now.years)
    )
    columns = [
        np.ascontiguousarray(np.broadcast_to(x, shape), float).ravel()
        for x in (sign, price / discount, forward, ds["strike"].values, years)
    ]
    vol, status = np.empty(price.size), np.empty(price.size, np.int8)
    implied_vol_many(*columns, vol, status)
    out = vol.reshape(shape)
    out[~(now.slices[:, :, 0][:, np.maximum(now.layout.expiry_of, 0)] > 0)] = np.nan
    return out
