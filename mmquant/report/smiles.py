"""The smiles of one moment, as figures draw them: quotes as volatilities, and the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.slice_curve import slice_variance_many
from mmquant.errors import UsageError
from mmquant.options.quality import underlying_sides
from mmquant.options.valuation import implied_vol
from mmquant.schema.quotes import QuoteQuality


@dataclass(frozen=True)
class Smile:
    """One expiry. ``years`` by the calendar. ``quotes``: one row a strike, of the option out of the
    money, with ``strike`` [ccy], ``k``, ``right``, ``bid_vol``, ``ask_vol``, ``mid_vol`` and
    ``fit_vol`` [1/sqrt(year)], ``reason`` (OK for those used)."""

    expiry: np.datetime64
    years: float
    forward: float
    row: np.ndarray
    quotes: pd.DataFrame

    @property
    def fitted(self) -> bool:
        return bool(self.row[0] > 0)

    @property
    def label(self) -> str:
        """Date of the expiry, with the hour where it is not the usual one of a close."""
        return str(self.expiry.astype("datetime64[D]"))

    def vols(self, k: np.ndarray) -> np.ndarray:
        """Volatilities [1/sqrt(year)] at log-moneyness (n,); NaN without a slice."""
        out = np.empty((3, k.size))
        slice_variance_many(np.ascontiguousarray(k, np.float64), self.row, out)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(out[0] / self.years))


def smiles_of(quotes: xr.Dataset, surface: xr.Dataset, *, time: int = -1) -> list[Smile]:
    """The smiles of one row of ``time``, expiries that still live, from near to far.

    Parameters
    ----------
    quotes : screened quotes (schema ``option_quotes``).
    surface : fitted to them (schema ``vol_surface``), with the same expiries.
    time : which of the surface's times.

    Raises
    ------
    UsageError
        where the quotes have no row of that time.
    """
    surface = surface.isel(time=time)
    moment = surface["time"].values
    at = np.flatnonzero(quotes["time"].values == moment)
    if not at.size:
        raise UsageError(
            f"the quotes have no row of {moment}", fix="give the quotes that the surface is of"
        )
    now = quotes.isel(time=at)
    low, high = underlying_sides(now)
    spot = float(0.5 * (low + high)[0])
    smiles = []
    for e, expiry in enumerate(surface["expiry"].values):
        one = surface.isel(expiry=e)
        years, forward = float(one["years"]), float(one["forward"])
        if not (years > 0 and forward > 0):
            continue
        mine = now.isel(time=0, contract=now["expiry"].values == expiry)
        rate = -np.log(float(one["discount"])) / years
        row = np.ascontiguousarray(one["slice"].values, np.float64)
        table = _quotes(mine, spot, forward, years, rate)
        smile = Smile(expiry, years, forward, row, table)
        table["fit_vol"] = smile.vols(table["k"].to_numpy())
        smiles.append(smile)
    return smiles


def _quotes(ds: xr.Dataset, spot: float, forward: float, years: float, rate: float) -> pd.DataFrame:
    """Quotes of the options out of the money, by strike."""
    call = ds["right"].values.astype(str) == "C"
    out = np.where(call, ds["strike"].values >= forward, ds["strike"].values < forward)
    ds = ds.isel(contract=np.flatnonzero(out))
    sides = np.stack([ds["bid"].values, ds["ask"].values, 0.5 * (ds["bid"] + ds["ask"]).values])
    style = ds["exercise"].values.astype(str)
    chain = xr.Dataset(
        {
            "price": (("side", "contract"), sides),
            "spot": spot,
            "years": years,
            "rate": rate,
            "dividend_yield": rate - np.log(forward / spot) / years,
            "exercise": ("contract", style),
        },
        {
            "strike": ("contract", ds["strike"].values),
            "right": ("contract", ds["right"].values.astype(str)),
        },
    )
    vols = implied_vol(chain)["implied_vol"].transpose("side", "contract").values
    names = {int(code): code.name for code in QuoteQuality}
    table = pd.DataFrame(
        {
            "strike": ds["strike"].values,
            "k": np.log(ds["strike"].values / forward),
            "right": ds["right"].values.astype(str),
            "bid_vol": vols[0],
            "ask_vol": vols[1],
            "mid_vol": vols[2],
            "reason": [names[int(code)] for code in ds["quality"].values],
        }
    )
    return table.sort_values("strike", ignore_index=True)
