"""Quotes as the plain arrays that the kernels of a surface take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.config_surface import SurfaceSettings
from mmquant.options.implied_rates import rates_by_agreement, rates_by_boxes
from mmquant.options.quality import underlying_sides
from mmquant.options.rates import read_rates
from mmquant.options.years import business_years, calendar_years
from mmquant.schema.quotes import QuoteQuality as Q

STRUCTURAL = (Q.NO_EXPIRY, Q.ADJUSTED_CLASS, Q.WRONG_MULTIPLIER, Q.DUPLICATE, Q.BAD_NUMBER)
"""Reasons that are the contract's, not a moment's."""


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
    ds: xr.Dataset,
    layout: Layout,
    usable: np.ndarray,
    settings: SurfaceSettings,
    day_rates: dict[np.datetime64, float] | None = None,
) -> Market:
    """Underlying, times and rates of screened quotes. ``usable`` (time, contract): 0 or 1.

    ``day_rates``: as ``known`` of rates_by_agreement.
    """
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
    spot = (low + high) / 2
    rate, notes = _rates(
        ds, layout, usable, spot, years, settings, {} if day_rates is None else day_rates
    )
    return Market(spot, years, business, rate, notes)


def _rates(
    ds: xr.Dataset,
    layout: Layout,
    usable: np.ndarray,
    spot: np.ndarray,
    years: np.ndarray,
    settings: SurfaceSettings,
    day_rates: dict[np.datetime64, float],
) -> tuple[np.ndarray, list[str]]:
    if settings.rate_per_year is not None:
        return np.full(years.shape, settings.rate_per_year), []
    if settings.rates_path is not None:
        curve = read_rates(settings.rates_path, ds.attrs["date"])
        return curve.rate(years), [f"Rates of {curve.source}."]
    quotes = (ds["bid"].values, ds["ask"].values, usable)
    rate, notes = np.zeros(years.shape), []
    european = np.flatnonzero(~layout.american)
    if european.size:
        boxes = rates_by_boxes(*quotes, layout.chain(), layout.most, years)
        if boxes is not None:
            rate[:, european] = boxes[:, european]
            notes.append("Rates of european options are implied by box spreads.")
    if layout.american.any():
        american = np.flatnonzero(layout.american)
        agreed = rates_by_agreement(
            *quotes, layout.chain(), layout.most, layout.american, spot, years,
            session_days(ds), settings.band_deviations, day_rates,
        )  # fmt: skip
        rate[:, american] = agreed[:, None]
        notes.append(
            "The rate of american options is that at which strikes agree best on forwards, at the "
            "first time of a day with enough of them; 0 without one."
        )
    return rate, notes


def session_days(ds: xr.Dataset) -> np.ndarray:
    """Day of each time in the time zone of the exchange (time,) [D]."""
    local = pd.DatetimeIndex(ds["time"].values).tz_localize("UTC").tz_convert(ds.attrs["timezone"])
    return local.tz_localize(None).to_numpy().astype("datetime64[D]")
