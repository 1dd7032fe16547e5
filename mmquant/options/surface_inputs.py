"""Quotes as the plain arrays that the kernels of a surface take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from mmquant.config_surface import SurfaceSettings
from mmquant.core.surface_rows import make_surface_work
from mmquant.options.quality import underlying_sides
from mmquant.options.rates import RateCurve, read_rates
from mmquant.options.years import business_years, calendar_years
from mmquant.schema.quotes import QuoteQuality as Q

STRUCTURAL = (Q.NO_EXPIRY, Q.ADJUSTED_CLASS, Q.WRONG_MULTIPLIER, Q.DUPLICATE, Q.BAD_NUMBER)
"""Reasons that are the contract's, not a moment's."""
PRIOR_ERROR = 0.003
"""Standard error [1/year] of an expiry's rate about that of all, where box spreads imply it."""


@dataclass(frozen=True)
class Layout:
    """Contracts by expiry and strike: ``start`` (expiries + 1,) into ``strike``, ``call``, ``put``.

    ``call`` and ``put`` say the contract, -1 where there is none. ``expiry_of`` (contracts,): index
    of its expiry, -1 for those that no expiry has.
    """

    expiry: np.ndarray
    american: np.ndarray
    start: np.ndarray
    strike: np.ndarray
    call: np.ndarray
    put: np.ndarray
    expiry_of: np.ndarray

    @property
    def most(self) -> int:
        """The most strikes that an expiry has."""
        return int(np.diff(self.start).max(initial=1))

    def chain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.start, self.strike, self.call, self.put


def layout_of(ds: xr.Dataset) -> Layout:
    """The layout of screened quotes. Contracts that can never be used have no place in it.

    Where two classes have the same expiry, strike and right, the one that is quoted more speaks.
    """
    quality, expiry = ds["quality"].values, ds["expiry"].values
    never = np.isin(quality, [int(reason) for reason in STRUCTURAL]).all(axis=0)
    use = ~never & ~np.isnat(expiry)
    good = (quality == Q.OK).sum(axis=0)
    moments = np.unique(expiry[use])
    call = ds["right"].values.astype(str) == "C"
    european = ds["exercise"].values.astype(str) == "european"
    strike = ds["strike"].values
    parts, starts = [], [0]
    american = np.zeros(moments.size, np.bool_)
    expiry_of = np.full(expiry.size, -1)
    for e, moment in enumerate(moments):
        mine = np.flatnonzero(use & (expiry == moment))
        american[e] = not european[mine].all()
        strikes = np.unique(strike[mine])
        sides = np.full((2, strikes.size), -1)
        for i in mine[np.argsort(good[mine], kind="stable")]:
            sides[0 if call[i] else 1, np.searchsorted(strikes, strike[i])] = i
        kept = sides[sides >= 0]
        expiry_of[kept] = e
        parts.append((strikes, *sides))
        starts.append(starts[-1] + strikes.size)
    columns = [np.concatenate([part[i] for part in parts] or [np.zeros(0)]) for i in range(3)]
    return Layout(
        moments,
        american,
        np.array(starts),
        columns[0].astype(float),
        columns[1].astype(np.int64),
        columns[2].astype(np.int64),
        expiry_of,
    )


@dataclass(frozen=True)
class Market:
    """What is known before the fit, over (time, expiry): ``years`` by the calendar, ``business``
    years, ``rate`` and ``discount``; ``spot`` over time. ``notes`` say what was assumed."""

    spot: np.ndarray
    years: np.ndarray
    business: np.ndarray
    rate: np.ndarray
    notes: list[str]

    @property
    def discount(self) -> np.ndarray:
        return np.exp(-self.rate * self.years)


def market_of(
    ds: xr.Dataset, layout: Layout, usable: np.ndarray, settings: SurfaceSettings
) -> Market:
    """Underlying, times and rates of screened quotes. ``usable`` (time, contract): 0 or 1."""
    time = ds["time"].values
    low, high = underlying_sides(ds)
    years = calendar_years(time, layout.expiry)
    business = business_years(
        time,
        layout.expiry,
        overnight_weight=settings.overnight_weight,
        weekend_weight=settings.weekend_weight,
    )
    years = np.where(years > 0, years, np.nan)
    rate, notes = _rates(ds, layout, usable, years, settings)
    return Market((low + high) / 2, years, business, rate, notes)


def _rates(
    ds: xr.Dataset, layout: Layout, usable: np.ndarray, years: np.ndarray, settings: SurfaceSettings
) -> tuple[np.ndarray, list[str]]:
    if settings.rate_per_year is not None:
        return np.full(years.shape, settings.rate_per_year), []
    if settings.rates_path is not None:
        curve = read_rates(settings.rates_path, ds.attrs["date"])
        return curve.rate(years), [f"Rates of {curve.source}."]
    if not layout.american.any():
        implied = _implied_rates(ds, layout, usable, years, settings)
        if implied is not None:
            return implied, ["Rates are implied by box spreads."]
    flat = RateCurve.flat(0.0)
    return flat.rate(years), ["No rate was given: interest is taken to be 0."]


def _implied_rates(
    ds: xr.Dataset, layout: Layout, usable: np.ndarray, years: np.ndarray, settings: SurfaceSettings
) -> np.ndarray | None:
    """Rates by box spreads (time, expiry), each drawn to that of all as far as it is unsure."""
    from mmquant.core.forward_fit import imply_discounts

    discount, error = np.full((2, *years.shape), np.nan)
    buffers = make_surface_work(layout.most)[0]
    imply_discounts(
        0, years.shape[0], ds["bid"].values, ds["ask"].values, usable, *layout.chain(),
        settings.band_deviations, discount, error, buffers,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        rate, sure = -np.log(discount) / years, (years / error) ** 2
    known = np.isfinite(rate) & np.isfinite(sure)
    if not known.any():
        return None
    rate, sure = np.where(known, rate, 0.0), np.where(known, sure, 0.0)
    total = sure.sum(axis=1, keepdims=True)
    over_all = (rate * sure).sum() / sure.sum()
    mean = np.where(
        total > 0,
        (rate * sure).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1),
        over_all,
    )
    prior = PRIOR_ERROR**-2
    return (rate * sure + mean * prior) / (sure + prior)
