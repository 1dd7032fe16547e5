"""Screen option quotes: which ones a surface may use, and why not the others.

No quote is dropped: each keeps its prices and gets the first reason that holds. What needs no
model is screened by `screen_quotes`; what needs a forward by `mark_by_forward`, once there is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.config_surface import QuoteScreen
from mmquant.options.quote_pairs import implied_prices, pair_up, series_of
from mmquant.schema import validate
from mmquant.schema.quotes import QuoteQuality as Q

Screens = Iterator[tuple[Q, np.ndarray]]
SECOND = np.timedelta64(1, "s")
YEAR = np.timedelta64(365, "D")


def screen_quotes(ds: xr.Dataset, *, screen: QuoteScreen | None = None) -> xr.Dataset:
    """Option quotes (schema ``option_quotes``) with ``quality`` filled anew; the rest is shared.

    Raises DataError where ``ds`` is not of the schema.
    """
    validate(ds, "option_quotes")
    screen = screen or QuoteScreen()
    quality = np.zeros(ds["bid"].shape, np.int8)
    for screens in (_contracts, _prices, _ages, _splits, _bounds):
        for reason, mask in screens(ds, screen, quality):
            quality[(quality == Q.OK) & mask] = reason
    return with_quality(ds, quality)


def mark_by_forward(
    ds: xr.Dataset,
    forward: np.ndarray,
    discount: np.ndarray,
    *,
    screen: QuoteScreen | None = None,
) -> xr.Dataset:
    """Mark what a forward rules out among the quotes that are OK so far.

    Parameters
    ----------
    ds : screened quotes; those of american options with the premium of early exercise taken off.
    forward, discount : of each quote's expiry [ccy] and [1], (time, contract) or what broadcasts to
        it; NaN marks nothing.

    Notes
    -----
    OUT_OF_BOUNDS: call + put bounds by no arbitrage, D max(F - K, 0) <= call <= D F and
    D max(K - F, 0) <= put <= D K, are missed by both bid and ask. PARITY_OUTLIER: D (F - K) is
    further outside [call bid - put ask, call ask - put bid] than ``parity_widths`` of its width;
    both call and put are marked, as it cannot be told which is wrong.
    """
    screen = screen or QuoteScreen()
    shape = ds["bid"].shape
    forward, discount = np.broadcast_to(forward, shape), np.broadcast_to(discount, shape)
    quality = ds["quality"].values.copy()
    bid, ask = ds["bid"].values, ds["ask"].values
    strike, call = ds["strike"].values, ds["right"].values.astype(str) == "C"
    floor = discount * np.maximum(np.where(call, forward - strike, strike - forward), 0)
    ceiling = discount * np.where(call, forward, strike)
    quality[(quality == Q.OK) & ((ask < floor) | (bid > ceiling))] = Q.OUT_OF_BOUNDS
    pairs = pair_up(ds)
    c, p = pairs.call, pairs.put
    low, high = bid[:, c] - ask[:, p], ask[:, c] - bid[:, p]
    value = discount[:, c] * (forward[:, c] - pairs.strike)
    gap = np.maximum(low - value, value - high)
    out = gap > screen.parity_widths * (high - low)
    out &= (quality[:, c] == Q.OK) & (quality[:, p] == Q.OK)
    mask = np.zeros(shape, bool)
    mask[:, c] |= out
    mask[:, p] |= out
    quality[mask] = Q.PARITY_OUTLIER
    return with_quality(ds, quality)


def with_quality(ds: xr.Dataset, quality: np.ndarray) -> xr.Dataset:
    """The Dataset with other reasons (time, contract)."""
    return ds.assign(quality=(ds["quality"].dims, quality.astype(np.int8), ds["quality"].attrs))


def quality_counts(ds: xr.Dataset) -> pd.DataFrame:
    """How many quotes have which reason, by expiry (schema ``quote_counts``), OK ones too."""
    days = pd.Series(ds["expiry"].values).dt.tz_localize("UTC").dt.tz_convert(ds.attrs["timezone"])
    expiry = np.broadcast_to(days.dt.strftime("%Y-%m-%d").fillna("").to_numpy(), ds["bid"].shape)
    counts = pd.Series(expiry.ravel()).to_frame("expiry")
    names = np.array([""] * (max(Q) + 1), object)
    names[[int(q) for q in Q]] = [q.name for q in Q]
    counts["reason"] = names[ds["quality"].values.ravel()]
    table = counts.groupby(["expiry", "reason"]).size().reset_index(name="quotes")
    return table.astype({"expiry": "str", "reason": "str", "quotes": "int64"})


def underlying_sides(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper price of the underlying [ccy] (time); NaN where it has none.

    Bid and ask where both are there and not crossed, else the last price for both.
    """
    bid, ask = ds["underlying_bid"].values, ds["underlying_ask"].values
    last = ds["underlying_last"].values if "underlying_last" in ds else np.full(bid.shape, np.nan)
    two = (bid > 0) & (bid <= ask) & np.isfinite(ask)
    last = np.where(last > 0, last, np.nan)
    return np.where(two, bid, last), np.where(two, ask, last)


def _contracts(ds: xr.Dataset, screen: QuoteScreen, _: np.ndarray) -> Screens:
    """What is wrong with a contract, whatever its prices."""
    strike, expiry = ds["strike"].values, ds["expiry"].values
    yield Q.NO_EXPIRY, np.isnat(expiry)
    yield Q.BAD_NUMBER, ~(np.isfinite(strike) & (strike > 0))
    yield (
        Q.ADJUSTED_CLASS,
        np.array(
            [is_adjusted(root, ds.attrs["underlying"]) for root in ds["root"].values.astype(str)],
            bool,
        ),
    )
    yield Q.WRONG_MULTIPLIER, ds["multiplier"].values != screen.multiplier
    yield Q.DUPLICATE, _repeated(ds)
    yield Q.EXPIRED, expiry[None, :] <= ds["time"].values[:, None]


def is_adjusted(root: str, underlying: str) -> bool:
    """Whether a trading class is not a plain one of its underlying.

    A split, merger or spin-off leaves a class with another deliverable, whose root ends in a digit
    (TWX1) or is another symbol; plain classes add letters at most, as SPXW does to SPX.
    """
    root, plain = ("".join(filter(str.isalnum, text)) for text in (root, underlying))
    return root != plain and not (root.startswith(plain) and root[len(plain) :].isalpha())


def _repeated(ds: xr.Dataset) -> np.ndarray:
    right = ds["right"].values.astype(str)
    keys = pd.DataFrame({"s": series_of(ds), "k": ds["strike"].values, "r": right})
    return keys.duplicated(keep=False).to_numpy()


def _prices(ds: xr.Dataset, screen: QuoteScreen, _: np.ndarray) -> Screens:
    """What is wrong with a bid and an ask by themselves."""
    bid, ask = ds["bid"].values, ds["ask"].values
    yield Q.BAD_NUMBER, np.isinf(bid) | np.isinf(ask) | (bid < 0) | (ask <= 0)
    yield Q.NO_BID, np.isnan(bid)
    yield Q.NO_ASK, np.isnan(ask)
    yield Q.ZERO_BID, bid == 0
    yield Q.CROSSED, bid > ask
    yield Q.LOCKED, bid == ask
    spread, mid = ask - bid, (ask + bid) / 2
    wide = (spread > screen.narrow_spread_ccy + 1e-9) & (spread > screen.max_relative_spread * mid)
    low, high = underlying_sides(ds)
    yield Q.WIDE, wide | (spread > screen.max_spread_of_underlying * ((low + high) / 2)[:, None])


def _ages(ds: xr.Dataset, screen: QuoteScreen, _: np.ndarray) -> Screens:
    """What is too old. A side without a time is."""
    time = ds["time"].values
    age = time[:, None] - np.minimum(ds["bid_time"].values, ds["ask_time"].values)
    yield Q.STALE, ~(age / SECOND <= screen.max_age_s)
    age = time - ds["underlying_time"].values
    low, _high = underlying_sides(ds)
    fresh = (age / SECOND <= screen.max_underlying_age_s) & np.isfinite(low)
    yield Q.STALE_UNDERLYING, np.broadcast_to(~fresh[:, None], ds["bid"].shape)


def _splits(ds: xr.Dataset, screen: QuoteScreen, quality: np.ndarray) -> Screens:
    """Series whose calls and puts imply a price far from the underlying's."""
    pairs = pair_up(ds)
    implied = implied_prices(pairs, ds["bid"].values, ds["ask"].values, quality == Q.OK)
    low, high = underlying_sides(ds)
    years = (ds["expiry"].values[None, :] - ds["time"].values[:, None]) / YEAR
    allowed = screen.split_log_move + screen.split_log_carry * np.maximum(years, 0)
    series = series_of(ds)
    known = np.full((implied.shape[0], int(series.max(initial=-1)) + 1), np.nan)
    known[:, : implied.shape[1]] = implied
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.abs(np.log(known / ((low + high) / 2)[:, None]))
    yield Q.SPLIT_SUSPECT, (move[:, series] > allowed) | (known[:, series] <= 0)


def _bounds(ds: xr.Dataset, screen: QuoteScreen, _: np.ndarray) -> Screens:
    """Bounds that hold without a forward: intrinsic value of american options, and the ceilings."""
    bid, ask, strike = ds["bid"].values, ds["ask"].values, ds["strike"].values
    call = ds["right"].values.astype(str) == "C"
    american = ds["exercise"].values.astype(str) == "american"
    low, high = (side[:, None] for side in underlying_sides(ds))
    intrinsic = np.where(call, low - strike, strike - high)
    ceiling = np.where(call, high, strike)
    yield Q.OUT_OF_BOUNDS, (american & (ask < intrinsic)) | (bid > ceiling)
