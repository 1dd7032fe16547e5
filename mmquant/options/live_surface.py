"""A surface that is quoted from: quotes and ticks in, theos and THEO messages out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import xarray as xr

from mmquant.config_surface import LiveSettings, SurfaceSettings
from mmquant.core import surface_state as rows
from mmquant.core.dtypes import MSG, Hand, MsgKind
from mmquant.core.surface_refit import make_refit, refit
from mmquant.core.surface_reprice import LATE, reprice, revalue_oldest
from mmquant.core.surface_state import make_surface_state, take_quotes
from mmquant.errors import DataError, UsageError
from mmquant.options.quality import screen_quotes, underlying_sides
from mmquant.options.surface_fit import prepare
from mmquant.options.surface_inputs import Layout, layout_of
from mmquant.options.theo import Move
from mmquant.schema.quotes import QuoteQuality
from mmquant.schema.surface import LIVE_THEOS

GREEKS = {Hand.THEO: rows.THEO, Hand.DELTA: rows.DELTA, Hand.GAMMA: rows.GAMMA,
          Hand.VEGA: rows.VEGA}  # fmt: skip
STICKY = {"sticky_strike": rows.STICKY_STRIKE, "sticky_delta": rows.STICKY_DELTA}
SIDES = ("bid", "ask")
SECOND_NS = 1_000_000_000


class LiveSurface:
    """The surface of one underlying as its quotes arrive.

    Parameters
    ----------
    contracts : option quotes (schema ``option_quotes``) of any times: the contracts are taken from
        it, no quote is. Those that can never be used, such as of adjusted classes, get no theos.
    settings : of screens and fits, as ``fit_surface`` takes them.
    live : how old things may be, and the largest error of a theo between full valuations.
    move : what the smile does as the underlying moves between fits.

    Notes
    -----
    All times are int64 ns since the epoch, UTC. Fits are those of ``fit_surface`` to the bit where
    every expiry is fitted at the same times. It is one thread's.
    """

    def __init__(
        self,
        contracts: xr.Dataset,
        *,
        settings: SurfaceSettings | None = None,
        live: LiveSettings | None = None,
        move: Move = "sticky_strike",
    ) -> None:
        if move not in get_args(Move):
            raise UsageError(
                f"unknown move {move!r}", fix=f"use one of {', '.join(get_args(Move))}"
            )
        self.settings, live = settings or SurfaceSettings(), live or LiveSettings()
        self._quotes = _without_quotes(contracts)
        layout = layout_of(screen_quotes(self._quotes, screen=self.settings.screen))
        if not layout.expiry.size:
            raise DataError("no contract can be used", fix="see the column 'quality' of its quotes")
        self.layout = layout
        self.placed = np.flatnonzero(layout.expiry_of >= 0)
        """Index of each contract of the state in ``contracts``."""
        self._place = np.full(layout.expiry_of.size, -1)
        self._place[self.placed] = np.arange(self.placed.size)
        screen = self.settings.screen
        ages = (screen.max_age_s, screen.max_underlying_age_s, live.max_fit_age_s,
                live.max_value_age_s)  # fmt: skip
        call = contracts["right"].values[self.placed].astype(str) == "C"
        self.state = make_surface_state(
            np.where(call, 1.0, -1.0),
            contracts["strike"].values[self.placed],
            layout.expiry_of[self.placed],
            layout.expiry.astype("datetime64[ns]").astype(np.int64),
            layout.american,
            tolerance=live.max_error_ccy,
            sticky=STICKY[move],
            ages=[round(age * SECOND_NS) for age in ages],
        )
        self._fitted = make_refit(*layout.chain())
        self._underlying = (np.nan, np.nan)
        self._day_rates: dict[np.datetime64, float] = {}

    def take_quotes(
        self,
        which: np.ndarray,
        bid: np.ndarray,
        ask: np.ndarray,
        bid_ts: np.ndarray,
        ask_ts: np.ndarray,
    ) -> int:
        """Take quotes of the contracts ``which`` (n,), indices into the ones it was made with.

        ``bid``, ``ask`` [ccy], NaN for a side that there is not; times [ns] at which each side was
        given. How many were refused: contracts that it does not know, prices that are none, and
        quotes older than what is there.
        """
        which = np.asarray(which, np.int64)
        known = (which >= 0) & (which < self._place.size)
        place = np.where(known, self._place[np.where(known, which, 0)], -1)
        sides = (np.asarray(side, float) for side in (bid, ask))
        times = (np.asarray(times, np.int64) for times in (bid_ts, ask_ts))
        refused: int = take_quotes(place, *sides, *times, self.state)[0]
        return refused

    def take_underlying(self, bid: float, ask: float, ts: int, now: int) -> bool:
        """Reprice all contracts at the middle of the underlying. False where ``ts`` is late.

        NaN for both, or a crossed market, takes all theos away. ``now`` is what ages are by.
        """
        sound = 0 < bid <= ask < np.inf
        middle = (bid + ask) / 2 if sound else np.nan
        if reprice(middle, ts, now, self.state) == LATE:
            return False
        self._underlying = (bid, ask) if sound else (np.nan, np.nan)
        return True

    def take_moment(self, ds: xr.Dataset, time: int = 0) -> int:
        """Take all quotes and the underlying of one row of ``ds``, of the same contracts.

        A side that is not there has been taken away by then. How many quotes were refused.
        """
        one = ds.isel(time=[time])
        if one.sizes["contract"] != self._place.size:
            raise DataError(
                f"{one.sizes['contract']} contracts where {self._place.size} are known",
                fix="give quotes of the contracts that the surface was made with",
            )
        now, seen = (int(_ns(one[name].values)[0]) for name in ("time", "underlying_time"))
        sides = [one[side].values[0, self.placed] for side in SIDES]
        stamps = [_ns(one[f"{side}_time"].values[0, self.placed]) for side in SIDES]
        given = [np.where(np.isnan(side), now, ts) for side, ts in zip(sides, stamps, strict=True)]
        refused = self.take_quotes(self.placed, *sides, *given)
        low, high = underlying_sides(one)
        self.take_underlying(float(low[0]), float(high[0]), seen, now)
        return refused

    def refit(self, now: int, *, every: bool = False) -> int:
        """Fit the expiries whose quotes have changed, or ``every`` one, as of ``now``, and reprice.

        Returns how many slices changed. An expiry is fitted at most twice: alone, and beside its
        neighbours; one that the expiry before now crosses is fitted to the quotes it had.
        """
        dirty = self.state.expiry_ts[rows.DIRTY_TS] > 0
        if every:
            dirty = np.ones(dirty.size, bool)
        if not dirty.any():
            return 0
        moment = screen_quotes(self._moment(now), screen=self.settings.screen)
        found = prepare(moment, np.zeros(self._place.size, bool), self.settings, self._day_rates)
        market = found.market
        changed: int = refit(
            dirty.astype(np.int64), *np.ascontiguousarray(found.european[:, :, self.placed]),
            market.years[0], found.forward[0], market.rate[0], market.discount[0],
            float(market.spot[0]), self.settings.fewest_strikes, now, self._refit_of(found.layout),
            self.state,
        )  # fmt: skip
        ts = int(self.state.market_ts[rows.UNDERLYING_TS])
        reprice(float(self.state.market[rows.SPOT]), ts, now, self.state)
        return changed

    def revalue(self, now: int) -> bool:
        """Value the expiry in full for which that was longest ago, for idle moments."""
        return bool(revalue_oldest(now, self.state) >= 0)

    def theos(self) -> xr.Dataset:
        """What it says of every contract now (schema ``live_theos``); NaN and why where nothing."""
        values = {
            name: self._all(self.state.contract[row])
            for name, row in (("vol", rows.VOL), ("theo", rows.THEO), ("delta", rows.DELTA),
                              ("gamma", rows.GAMMA), ("vega", rows.VEGA))
        }  # fmt: skip
        status = np.full(self._place.size, rows.THEO_NO_SLICE)
        status[self.placed] = self.state.status
        for name in ("vol", "gamma", "vega"):
            values[name][status != rows.THEO_OK] = np.nan
        found = values | {"status": status.astype(np.int8)}
        variables = {
            column.name: (
                "contract",
                found[column.name],
                {"long_name": column.text, "units": column.unit},
            )
            for column in LIVE_THEOS.columns
            if column.name in found
        }
        names = ("expiry", "strike", "right", "root")
        coords = {name: self._quotes[name].variable for name in names}
        attrs = {
            "schema": LIVE_THEOS.name,
            "schema_version": self._quotes.attrs["schema_version"],
            "asset": self._quotes.attrs["underlying"],
            "currency": self._quotes.attrs["currency"],
        }
        return xr.Dataset(variables, coords, attrs)

    def messages(self, instruments: Mapping[int, int], ts: int, *, hold_s: float) -> np.ndarray:
        """THEO messages (MSG rows) of theo, delta, gamma and vega, for the quoting engine.

        ``instruments``: the engine's instrument by contract. They hold until ``hold_s`` after
        ``ts``, so that an engine that hears no more stops quoting; one without a theo is told so.
        """
        if not 0 < hold_s < np.inf:
            raise UsageError(f"hold_s is {hold_s}", fix="give the seconds that a theo holds")
        which = np.fromiter(instruments, np.int64, len(instruments))
        unknown = which[(which < 0) | (which >= self._place.size)]
        if unknown.size:
            raise UsageError(
                f"there is no contract {unknown[0]}",
                fix=f"use indices from 0 to {self._place.size - 1}",
            )
        good = self._all(self.state.status == rows.THEO_OK)[which] == 1.0
        out = np.zeros((which.size, len(GREEKS)), MSG)
        out["kind"], out["ts"], out["mid"] = int(MsgKind.THEO), ts, np.nan
        out["exch_ts"] = ts + round(hold_s * SECOND_NS)
        out["inst"] = np.fromiter(instruments.values(), np.int64, which.size)[:, None]
        for column, (what, row) in enumerate(GREEKS.items()):
            out["reason"][:, column] = int(what)
            values = self._all(self.state.contract[row])[which]
            out["price"][:, column] = np.where(good, values, np.nan)
        return out.ravel()

    def _all(self, values: np.ndarray) -> np.ndarray:
        """Values of the placed contracts as ones of all, NaN for the others."""
        out = np.full(self._place.size, np.nan)
        out[self.placed] = values
        return out

    def _refit_of(self, layout: Layout) -> object:
        """Memory of refits, with the contracts that speak for a strike now."""
        calls, puts = (
            np.where(side >= 0, self._place[np.maximum(side, 0)], -1)
            for side in (layout.call, layout.put)
        )
        return self._fitted._replace(call=calls, put=puts)

    def _moment(self, now: int) -> xr.Dataset:
        """All quotes as a Dataset of one time."""
        dims, state = ("time", "contract"), self.state
        found: dict[str, tuple[object, np.ndarray]] = {}
        for i, side in enumerate(SIDES):
            found[side] = dims, self._all(state.contract[rows.BID + i])[None, :]
            times = np.zeros(self._place.size, np.int64)
            times[self.placed] = state.contract_ts[rows.BID_TS + i]
            stamps = times.astype("datetime64[ns]")
            stamps[~np.isfinite(found[side][1][0])] = np.datetime64("NaT", "ns")
            found[f"{side}_time"] = dims, stamps[None, :]
            found[f"underlying_{side}"] = "time", np.array([self._underlying[i]])
        seen = np.array([state.market_ts[rows.UNDERLYING_TS]]).astype("datetime64[ns]")
        if not np.isfinite(self._underlying[0]):
            seen[:] = np.datetime64("NaT", "ns")
        found["underlying_time"] = "time", seen
        moment = self._quotes.assign(found)
        return moment.assign_coords(time=np.array([now]).astype("datetime64[ns]"))


def _ns(times: np.ndarray) -> np.ndarray:
    """Times as ns; 0 for NaT."""
    times = np.asarray(times, "datetime64[ns]")
    return np.where(np.isnat(times), 0, times.astype(np.int64))


def _without_quotes(ds: xr.Dataset) -> xr.Dataset:
    """One row of a Dataset of quotes with no quote in it."""
    one = ds.isel(time=[0]).drop_vars("underlying_last", errors="ignore")
    sides = ("bid", "ask", "bid_size", "ask_size", "underlying_bid", "underlying_ask")
    times, never = ("bid_time", "ask_time", "underlying_time"), np.datetime64("NaT", "ns")
    nothing = {name: xr.full_like(one[name], np.nan) for name in sides}
    nothing |= {name: xr.full_like(one[name], never) for name in times}
    nothing["quality"] = xr.full_like(one["quality"], int(QuoteQuality.NO_BID))
    return one.assign(nothing).copy()
