"""Fit a surface to option quotes: `fit_surface`, and what its residuals add up to."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config_surface import SurfaceSettings
from mmquant.core.slice_curve import slice_variance
from mmquant.core.slice_rows import LEVEL
from mmquant.core.surface_fit import LEAST_G, SLACK, STATUS, TWO_SIDED
from mmquant.core.surface_rows import AGREE, DISAGREE, LOWER, UPPER
from mmquant.errors import UsageError
from mmquant.options.quality import screen_quotes
from mmquant.options.surface_fit import Fitted, run_fit
from mmquant.schema import VERSION, validate
from mmquant.schema.quotes import QuoteQuality as Q
from mmquant.schema.surface import DIMS, VOL_SURFACE, SliceStatus

SIGNIFICANT = 1e-9
"""Share of a price that rounding may put it outside bid and ask."""


def fit_surface(
    ds: xr.Dataset,
    *,
    settings: SurfaceSettings | None = None,
    hold_out: float = 0.0,
    seed: int = 0,
) -> xr.Dataset:
    """Fit a slice to every expiry of every time.

    Quotes are screened; calls and puts imply the forward of each expiry; american quotes are made
    European at the same volatility; slices are fitted from the shortest to the longest, free of
    butterfly and calendar arbitrage. See the page on surfaces.

    Parameters
    ----------
    ds : option quotes (schema ``option_quotes``).
    settings : how; all defaults if not given.
    hold_out : share of each expiry's strikes that the fit does not see, calls and puts: what the
        surface says of them is in the variables ``held_*``.
    seed : of their choice.

    Returns
    -------
    Dataset
        schema ``vol_surface``, over (time, expiry). An expiry without a slice says why in
        ``status``, and what was not used of its quotes is counted by reason in ``ignored``.

    Raises
    ------
    DataError
        where ``ds`` is not of the schema.
    UsageError
        where ``hold_out`` is not a share below one.
    """
    if not 0.0 <= hold_out < 1.0:
        raise UsageError(f"hold_out is {hold_out}", fix="give a share from 0 to below 1, as 0.2")
    settings = settings or SurfaceSettings()
    screened = screen_quotes(ds, screen=settings.screen)
    held = held_contracts(screened, hold_out, seed)
    fitted = run_fit(screened, held, settings)
    surface = _dataset(screened, held, fitted)
    surface.attrs = {
        "schema": VOL_SURFACE.name,
        "schema_version": VERSION,
        "asset": ds.attrs["underlying"],
        "currency": ds.attrs["currency"],
        "settings": settings.model_dump_json(),
        "notes": json.dumps(fitted.market.notes),
        "hold_out": float(hold_out),
        "seed": int(seed),
    }
    validate(surface, VOL_SURFACE.name)
    return surface


def held_contracts(ds: xr.Dataset, share: float, seed: int) -> np.ndarray:
    """Contracts (bool) of that share of each expiry's strikes, among those ever usable."""
    held = np.zeros(ds.sizes["contract"], bool)
    if share == 0.0:
        return held
    rng = np.random.default_rng(seed)
    expiry, strike = ds["expiry"].values, ds["strike"].values
    usable = (ds["quality"].values == Q.OK).any(axis=0)
    for moment in np.unique(expiry[usable]):
        mine = expiry == moment
        strikes = np.unique(strike[mine & usable])
        # Evenly, from a random one on: no two neighbours where the share is at most a half.
        count = np.floor(np.arange(strikes.size + 1) * share + rng.random())
        chosen = strikes[np.diff(count) > 0]
        held |= mine & np.isin(strike, chosen)
    return held


def surface_summary(surface: xr.Dataset) -> dict[str, Any]:
    """What a surface comes to over all times and expiries, as one flat dict of plain numbers."""
    status = surface["status"].values
    out: dict[str, Any] = {
        "asset": surface.attrs["asset"],
        "times": surface.sizes["time"],
        "expiries": surface.sizes["expiry"],
        "slices": int(np.isin(status, (SliceStatus.OK, SliceStatus.FALLBACK)).sum()),
    }
    for code in SliceStatus:
        out[f"slices_{code.name.lower()}"] = int((status == code).sum())
    for name in ("least_g", "calendar_slack"):
        values = surface[name].values
        out[name] = float(np.nanmin(values)) if np.isfinite(values).any() else None
    inside = _forward_inside(surface)
    out["forwards"] = int(np.isfinite(surface["forward"].values).sum())
    out["forwards_inside"] = int(inside.sum())
    for prefix in ("fit", "held"):
        weight = np.nan_to_num(surface[f"{prefix}_weight"].values)
        count = surface[f"{prefix}_quotes"].values
        residual = np.nan_to_num(surface[f"{prefix}_residual"].values)
        share = np.nan_to_num(surface[f"{prefix}_inside"].values)
        out[f"{prefix}_quotes"] = int(count.sum())
        total = weight.sum()
        out[f"{prefix}_residual"] = float((residual * weight).sum() / total) if total else None
        out[f"{prefix}_inside"] = (
            float((share * count).sum() / count.sum()) if count.sum() else None
        )
    out["used"] = int(surface["used"].values.sum())
    ignored = surface["ignored"].sum(("time", "expiry"))
    for reason, number in zip(surface["reason"].values, ignored.values, strict=True):
        out[f"ignored_{str(reason).lower()}"] = int(number)
    return out


def _forward_inside(surface: xr.Dataset) -> np.ndarray:
    forward = surface["forward"].values
    low, high = surface["forward_low"].values, surface["forward_high"].values
    slack = SIGNIFICANT * np.abs(forward)
    inside: np.ndarray = (forward >= low - slack) & (forward <= high + slack)
    return inside


def _dataset(ds: xr.Dataset, held: np.ndarray, fitted: Fitted) -> xr.Dataset:
    market, layout, said = fitted.market, fitted.layout, fitted.said
    forward = fitted.forward
    growth = forward * market.discount
    with np.errstate(all="ignore"):
        implied_yield = market.rate - np.log(forward / market.spot[:, None]) / market.years
    atm, skew = _at_the_money(fitted)
    values: dict[str, Any] = {
        "status": _status(ds, fitted).astype(np.int8),
        "years": market.years,
        "business_years": np.where(np.isfinite(market.years), market.business, np.nan),
        "rate": market.rate,
        "discount": market.discount,
        "forward": forward,
        "forward_low": fitted.forwards[:, :, LOWER],
        "forward_high": fitted.forwards[:, :, UPPER],
        "strikes_agree": np.nan_to_num(fitted.forwards[:, :, AGREE]).astype(np.int64),
        "strikes_disagree": np.nan_to_num(fitted.forwards[:, :, DISAGREE]).astype(np.int64),
        "dividend_yield": implied_yield,
        "implied_dividend": market.spot[:, None] - growth,
        "atm_vol": atm,
        "skew": skew,
        "least_g": said[:, :, LEAST_G],
        "calendar_slack": said[:, :, SLACK],
        "used": np.nan_to_num(said[:, :, TWO_SIDED]).astype(np.int64),
        **_statistics(ds, held, fitted),
        "american": layout.american,
        "underlying": market.spot,
    }
    reasons = [q.name for q in Q if q != Q.OK]
    variables = {name: (_dims(name), array, _attrs(name)) for name, array in values.items()}
    variables["ignored"] = ((*DIMS, "reason"), _ignored(layout, fitted.quality), _attrs("ignored"))
    variables["slice"] = ((*DIMS, "part"), fitted.slices, _attrs("slice"))
    coords = {
        "time": ("time", ds["time"].values, _attrs("time")),
        "expiry": ("expiry", layout.expiry.astype("datetime64[ns]"), _attrs("expiry")),
        "reason": ("reason", np.array(reasons), _attrs("reason")),
    }
    return xr.Dataset(variables, coords)


def _dims(name: str) -> tuple[str, ...]:
    return VOL_SURFACE.column(name).dims or DIMS


def _attrs(name: str) -> dict[str, str]:
    column = VOL_SURFACE.column(name)
    attrs = {"long_name": column.text}
    return attrs if column.dtype.startswith("datetime") else attrs | {"units": column.unit}


def _status(ds: xr.Dataset, fitted: Fitted) -> np.ndarray:
    status = fitted.said[:, :, STATUS].copy()
    status[~(fitted.forward > 0)] = SliceStatus.NO_FORWARD
    expired = fitted.layout.expiry[None, :] <= ds["time"].values[:, None]
    status[expired] = SliceStatus.EXPIRED
    return status


def _at_the_money(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    atm, skew = np.full((2, *fitted.forward.shape), np.nan)
    for t, e in np.argwhere(fitted.slices[:, :, LEVEL] > 0):
        w, slope, _bend = slice_variance(0.0, fitted.slices[t, e])
        if w > 0:
            atm[t, e] = np.sqrt(w / fitted.market.years[t, e])
            skew[t, e] = slope / (2 * atm[t, e] * fitted.market.years[t, e])
    return atm, skew


def _ignored(layout: Any, quality: np.ndarray) -> np.ndarray:
    """Quotes not used (time, expiry, reason)."""
    reasons = [q for q in Q if q != Q.OK]
    out = np.zeros((quality.shape[0], layout.expiry.size, len(reasons)), np.int64)
    for r, reason in enumerate(reasons):
        t, contract = np.nonzero(quality == reason)
        e = layout.expiry_of[contract]
        np.add.at(out, (t[e >= 0], e[e >= 0], r), 1)
    return out


def _statistics(ds: xr.Dataset, held: np.ndarray, fitted: Fitted) -> dict[str, np.ndarray]:
    """How far prices are from the quotes that are good in themselves, out of the money."""
    of, forward = fitted.layout.expiry_of, fitted.forward
    bid, ask, price = ds["bid"].values, ds["ask"].values, fitted.price
    f = np.where(of >= 0, forward[:, of], np.nan) if forward.size else np.full(bid.shape, np.nan)
    with np.errstate(all="ignore"):
        k = np.log(ds["strike"].values / f)
        d = -k / fitted.deviation + fitted.deviation / 2
        vega = f * np.exp(-0.5 * d * d)
        distance = np.abs(price - (bid + ask) / 2) / (ask - bid)
    call = ds["right"].values.astype(str) == "C"
    speaks = (ds["quality"].values == Q.OK) & np.where(call, k >= 0, k < 0) & np.isfinite(distance)
    slack = SIGNIFICANT * np.abs(price)
    inside = (price >= bid - slack) & (price <= ask + slack)
    shape = forward.shape
    out = {}
    for prefix, chosen in (("fit", speaks & ~held), ("held", speaks & held)):
        t, contract = np.nonzero(chosen)
        place = t * shape[1] + of[contract]

        def total(values: np.ndarray, place: np.ndarray = place) -> np.ndarray:
            counted = np.bincount(place, values, shape[0] * shape[1])
            return counted.astype(float).reshape(shape)

        count, weight = total(np.ones(t.size)), total(vega[t, contract])
        with np.errstate(all="ignore"):
            out[f"{prefix}_quotes"] = count.astype(np.int64)
            out[f"{prefix}_residual"] = total((vega * distance)[t, contract]) / weight
            out[f"{prefix}_inside"] = total(inside[t, contract].astype(float)) / count
        out[f"{prefix}_weight"] = weight
    return out
