"""How often market orders reach a quote: arrival rates by distance, and A exp(-k distance)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from mmquant.errors import UsageError
from mmquant.research.calibration.decay import Decay
from mmquant.research.calibration.exposure import QUOTES, Market
from mmquant.research.calibration.flow import Moment, read_flow


@dataclass(frozen=True)
class Intensity:
    """Fill intensity of one instrument: the rate A exp(-k distance) at which quotes are reached.

    Attributes
    ----------
    fits : a `Decay` for "bid" quotes (reached by sell orders), "ask" quotes (by buy orders), and
        "both", one curve for either side: A is then the rate on one side.
    rates : one row a quote side and distance: ``orders`` that reach it or go beyond,
        ``exposure_s`` in which a quote could stand there, ``rate_per_s`` with its exact Poisson
        interval ``rate_low``, ``rate_high``, and ``fitted_per_s`` (NaN nearer than the model).
    exposure_s : time with a two-sided book that is not halted. [s]
    min_distance_ticks : the model holds from here on; by default half of ``median_spread_ticks``.
    touch_beyond_share : share of the exposure with the best price farther away than that.
    orders : market orders in the window. ``orders_without_book`` came when a side was empty, and
        ``orders_behind_mid`` traded beyond the mid, as when the book lags behind the trades.
    unsided_trades : trades without an aggressor, left out.
    tick_size : None where it changes within the prices of the window. [currency]
    """

    symbol: str
    start_ts: int
    end_ts: int
    exposure_s: float
    median_spread_ticks: float | None
    min_distance_ticks: float | None
    touch_beyond_share: float | None
    tick_size: float | None
    orders: int
    orders_without_book: int
    orders_behind_mid: int
    unsided_trades: int
    fits: dict[str, Decay]
    rates: pd.DataFrame

    def facts(self) -> dict[str, Any]:
        """What was measured, without the curves."""
        names = [name for name in self.__dataclass_fields__ if name not in ("fits", "rates")]
        return {name: getattr(self, name) for name in names}

    def curves(self) -> pd.DataFrame:
        """The three curves as rows: NaN, with a ``reason``, where something is not identified."""
        rows = [
            {"quote": quote} | _numbers(fit, self.tick_size) for quote, fit in self.fits.items()
        ]
        table = pd.DataFrame(rows)
        return table.astype(
            {
                name: "float64"
                for name in table
                if table[name].dtype == object and name not in ("quote", "reason")
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Flat numbers: the curve of both sides by its names, of one side as ``bid.`` and ``ask.``.

        None where something is not identified; ``reason`` says why.
        """
        flat = _numbers(self.fits["both"], self.tick_size) | self.facts()
        for side in ("bid", "ask"):
            numbers = _numbers(self.fits[side], self.tick_size)
            flat |= {f"{side}.{name}": value for name, value in numbers.items()}
        return flat


def calibrate_intensity(
    tape: xr.Dataset,
    *,
    inst: int = 0,
    start: Moment = None,
    end: Moment = None,
    min_distance_ticks: float | None = None,
) -> Intensity:
    """Rate at which market orders reach a quote, by its distance from the mid, with A and k.

    All trades of one aggressor side at one exchange time are one market order. Its distance is
    that of the farthest tick it reached from the mid just before. The rate of orders that reach
    distance d or more is taken as A exp(-k d) (Avellaneda and Stoikov 2008), and
    fitted by maximum likelihood on the grid of ticks; see `mmquant.research.calibration.decay`.

    Parameters
    ----------
    tape : L2 tape.
    inst : instrument.
    start, end : seconds from the first row, or clock times like "09:30" on the tape's date in its
        time zone; the whole tape by default. Orders at ``end`` do not belong to the window.
    min_distance_ticks : fit from this distance on; half the time-weighted median spread by
        default: nearer, the best price itself is what orders have to reach.

    Returns
    -------
    Intensity
        estimates are None, with a reason, where there is too little to identify them.

    Raises
    ------
    UsageError
        where the window, the instrument or the distance cannot be.
    """
    if min_distance_ticks is not None and not 0.0 <= min_distance_ticks < 1e6:
        raise UsageError(
            f"min_distance_ticks is {min_distance_ticks}", fix="give a number of ticks from 0"
        )
    flow = read_flow(tape, inst=inst, start=start, end=end)
    market = Market.of(flow)
    nearest = min_distance_ticks
    if nearest is None and market.median_spread is not None:
        nearest = market.median_spread / 2.0
    fits, tables = {}, []
    for quote in QUOTES:
        fits[quote] = market.fit(quote, nearest)
        tables.append(market.rates(quote, fits[quote], nearest))
    return Intensity(
        symbol=flow.contract.symbol,
        start_ts=flow.window.start,
        end_ts=flow.window.end,
        exposure_s=market.exposure,
        median_spread_ticks=market.median_spread,
        min_distance_ticks=nearest,
        touch_beyond_share=market.share_wider(nearest),
        tick_size=market.tick_size(flow),
        orders=len(flow.orders),
        orders_without_book=len(flow.orders) - len(market.side),
        orders_behind_mid=int((market.distance < 0).sum()),
        unsided_trades=flow.unsided,
        fits=fits,
        rates=pd.concat(tables, ignore_index=True),
    )


def _numbers(fit: Decay, tick_size: float | None) -> dict[str, Any]:
    """Numbers of one curve, by name."""
    numbers: dict[str, Any] = {}
    for name, estimate in (("A_per_s", fit.A), ("k_per_tick", fit.k)):
        for end in ("value", "low", "high"):
            key = name if end == "value" else f"{name}_{end}"
            numbers[key] = getattr(estimate, end) if estimate else None
        numbers[f"{name}_variance_factor"] = estimate.variance_factor if estimate else None
    for end in ("value", "low", "high"):
        key = "k_per_ccy" if end == "value" else f"k_per_ccy_{end}"
        numbers[key] = getattr(fit.k, end) / tick_size if fit.k and tick_size else None
    return numbers | {
        "fit_orders": fit.orders,
        "fit_orders_deeper": fit.deeper,
        "dispersion": fit.dispersion,
        "dispersion_blocks": fit.blocks,
        "fit_p": fit.fit_p,
        "fit_bins": fit.fit_bins,
        "fit_gap": fit.fit_gap,
        "reason": fit.reason,
    }
