"""The smiles of one moment, as figures draw them: quotes as volatilities, and the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.slice_curve import slice_variance_many
from mmquant.errors import UsageError
from mmquant.options.theo import theo
from mmquant.schema.quotes import QuoteQuality


@dataclass(frozen=True)
class Smile:
    """One expiry that has a forward. ``years`` by the calendar. ``quotes``: one row a strike, of
    the option out of the money, with ``strike`` [ccy], ``k``, ``right``, ``vol``, ``bid_vol``,
    ``ask_vol`` and ``mid_vol`` [1/sqrt(year)], ``reason`` (OK for those used)."""

    expiry: np.datetime64
    label: str
    years: float
    forward: float
    row: np.ndarray
    quotes: pd.DataFrame

    @property
    def fitted(self) -> bool:
        return bool(self.row[0] > 0)

    def vols(self, k: np.ndarray) -> np.ndarray:
        """Volatilities [1/sqrt(year)] at log-moneyness (n,); NaN without a slice."""
        out = np.empty((3, k.size))
        slice_variance_many(np.ascontiguousarray(k, np.float64), self.row, out)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(out[0] / self.years))


def smiles_of(quotes: xr.Dataset, surface: xr.Dataset, *, time: int = -1) -> list[Smile]:
    """The smiles of one row of ``time``, from near to far.

    Parameters
    ----------
    quotes : schema ``option_quotes``.
    surface : fitted to them, schema ``vol_surface``.
    time : which of the surface's times.

    Raises
    ------
    UsageError
        where the quotes have no row of that time.
    """
    surface = surface.isel(time=[time])
    moment = surface["time"].values[0]
    at = np.flatnonzero(quotes["time"].values == moment)
    if not at.size:
        raise UsageError(
            f"the quotes have no row of {moment}", fix="give the quotes that the surface is of"
        )
    theos = theo(quotes.isel(time=at), surface).isel(time=0)
    table = theos.drop_vars("time").to_dataframe().reset_index(drop=True)
    table["mid_vol"] = table["vol"] + table["residual_vol"]
    names = {int(code): code.name for code in QuoteQuality}
    table["reason"] = [names[int(code)] for code in table["quality"]]
    smiles = []
    labels = _labels(surface["expiry"].values)
    for e, expiry in enumerate(surface["expiry"].values):
        one = surface.isel(time=0, expiry=e)
        years, forward = float(one["years"]), float(one["forward"])
        if years > 0 and forward > 0:
            row = np.ascontiguousarray(one["slice"].values, np.float64)
            mine = table[table["expiry"] == pd.Timestamp(expiry)]
            smiles.append(
                Smile(expiry, labels[e], years, forward, row, _out_of_money(mine, forward))
            )
    return smiles


def _labels(expiries: np.ndarray) -> list[str]:
    """Dates, with the time in UTC where two expiries are of one day."""
    days = expiries.astype("datetime64[D]")
    alone = [bool((days == day).sum() == 1) for day in days]
    return [
        str(day) if single else str(expiry.astype("datetime64[m]")).replace("T", " ")
        for day, expiry, single in zip(days, expiries, alone, strict=True)
    ]


def _out_of_money(table: pd.DataFrame, forward: float) -> pd.DataFrame:
    call = table["right"] == "C"
    out = table[call == (table["strike"] >= forward)].sort_values("strike", ignore_index=True)
    return out.assign(k=np.log(out["strike"] / forward))
