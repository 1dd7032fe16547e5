"""A made-up chain of option quotes: prices from known smiles, between a bid and an ask in ticks."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from mmquant.calendars import TIMEZONE, expiry_moments, session
from mmquant.core.american import FAST, american_chain
from mmquant.core.black import spot_price_many
from mmquant.core.option_rows import PRICE
from mmquant.data.chains.make import make_option_quotes
from mmquant.errors import UsageError

SPOT, RATE, DIVIDEND_YIELD = 100.0, 0.04, 0.015
ANNUAL_VOL = 0.22
MINUTES_A_YEAR = 98_280
YEAR = np.timedelta64(365, "D")
FAR_DEVIATIONS = 3.5
"""How far from the forward strikes are listed, in volatilities to expiry."""
FARTHEST_DAYS = 730.0
TICK, COARSE_TICK, COARSE_FROM = 0.05, 0.10, 3.0
HALF_SPREAD, LEAST_HALF_SPREAD = 0.02, 0.02
"""Share of the price, and in currency."""
JITTER = 0.3
"""How far the middle of a quote is from the price, in half spreads."""


def make_demo_chain(
    *,
    seed: int = 7,
    minutes: int = 4,
    expiries: int = 6,
    strikes: int = 21,
    exercise: str = "american",
    symbol: str = "DEMO",
    date: str = "2024-01-02",
) -> xr.Dataset:
    """Option quotes (schema ``option_quotes``) of a made-up stock; no real data.

    Parameters
    ----------
    seed : any whole number from 0. Same arguments, same values.
    minutes : how many, from the session's second minute on; one row each.
    expiries : Fridays at growing distances, up to two years.
    strikes : of each expiry, a call and a put at each.
    exercise : ``american`` or ``european``.

    Notes
    -----
    The total variance of ``demo_variance`` by log-moneyness, forwards at a rate of 4 % and a
    dividend yield of 1.5 %, ticks of 0.05 and from 3 on 0.10. A price below a tick has no bid.

    Raises
    ------
    UsageError
        where an argument is out of range.
    """
    for name, value, least in (("minutes", minutes, 1), ("expiries", expiries, 1),
                               ("strikes", strikes, 3)):  # fmt: skip
        if value < least:
            raise UsageError(f"{name} is {value}", fix=f"give {least} or more")
    if exercise not in ("american", "european"):
        raise UsageError(f"exercise is {exercise!r}", fix="give 'american' or 'european'")
    opens, closes = session(date)
    times = opens + (1 + np.arange(minutes)) * np.timedelta64(60, "s")
    if times[-1] > closes:
        raise UsageError(f"{minutes} minutes do not fit into the session", fix="give fewer")
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=minutes) * ANNUAL_VOL / math.sqrt(MINUTES_A_YEAR)
    spot = np.round(SPOT * np.exp(np.cumsum(steps)), 2)
    moments = _expiries(date, expiries)
    listed = [_strikes(float((moment - times[0]) / YEAR), strikes) for moment in moments]
    prices = np.concatenate(
        [_prices(times, spot, *pair, exercise) for pair in zip(moments, listed, strict=True)], 1
    )
    bid, ask = _quotes(prices, rng)
    count = 2 * strikes
    return make_option_quotes(
        {
            "time": times,
            "expiry": np.repeat(moments, count),
            "strike": np.concatenate([np.repeat(k, 2) for k in listed]),
            "right": np.tile(["C", "P"], expiries * strikes),
            "root": np.full(expiries * count, symbol),
            "multiplier": np.full(expiries * count, 100.0),
            "exercise": np.full(expiries * count, exercise),
            "bid": bid,
            "ask": ask,
            "underlying_bid": spot - 0.01,
            "underlying_ask": spot + 0.01,
        },
        underlying=symbol,
        date=date,
        source={"format": "demo", "seed": seed, "files": []},
        notes=(f"Made up from smiles that are known; times are of {TIMEZONE}'s session.",),
    )


def demo_variance(k: np.ndarray, years: float) -> np.ndarray:
    """Total variance of the made-up smile: one SVI shape in k / sqrt(years)."""
    x = k / math.sqrt(years)
    return np.asarray(years * (0.02 + 0.05 * (-0.5 * (x - 0.05) + np.hypot(x - 0.05, 0.25))))


def _expiries(date: str, count: int) -> np.ndarray:
    """Fridays, the first within two weeks, at distances that grow."""
    day = np.datetime64(date, "D")
    # 1970-01-01 was a Thursday.
    first = day + np.timedelta64((1 - day.astype(int)) % 7 + 7, "D")
    weeks = np.geomspace(1.0, FARTHEST_DAYS / 7.0, count) if count > 1 else np.ones(1)
    weeks = np.maximum(np.round(weeks).astype(int), np.arange(1, count + 1))
    return expiry_moments(first + (weeks - 1) * np.timedelta64(7, "D"))


def _strikes(years: float, count: int) -> np.ndarray:
    """Strikes, no two alike, about the forward."""
    deviation = math.sqrt(float(demo_variance(np.zeros(1), years)[0]))
    forward = SPOT * math.exp((RATE - DIVIDEND_YIELD) * years)
    wanted = forward * np.exp(np.linspace(-FAR_DEVIATIONS, FAR_DEVIATIONS, count) * deviation)
    step = 0.5 if np.diff(wanted).min() > 1.0 else 0.01
    return np.asarray(np.round(wanted / step) * step)


def _prices(
    times: np.ndarray, spot: np.ndarray, moment: np.datetime64, strike: np.ndarray, exercise: str
) -> np.ndarray:
    """Values (time, contract) of an expiry, a call and a put at each strike."""
    sign, strike = np.tile([1.0, -1.0], strike.size), np.repeat(strike, 2)
    out, status = np.empty((3, sign.size)), np.empty(sign.size, np.int64)
    values = np.empty((times.size, sign.size))
    for t, now in enumerate(times):
        years = float((moment - now) / YEAR)
        forward = spot[t] * math.exp((RATE - DIVIDEND_YIELD) * years)
        vol = np.sqrt(demo_variance(np.log(strike / forward), years) / years)
        market = (float(spot[t]), years, RATE, DIVIDEND_YIELD)
        if exercise == "american":
            american_chain(sign, market[0], strike, years, vol, *market[2:], FAST, out, status)
        else:
            full = [np.full(sign.size, number) for number in market]
            spot_price_many(sign, full[0], strike, full[1], vol, full[2], full[3], out[PRICE])
        values[t] = out[PRICE]
    return values


def _quotes(price: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bids and asks around prices, rounded outwards to ticks."""
    half = np.maximum(HALF_SPREAD * price, LEAST_HALF_SPREAD)
    middle = price + JITTER * half * rng.uniform(-1.0, 1.0, price.shape)
    tick = np.where(price < COARSE_FROM, TICK, COARSE_TICK)
    bid = np.round(np.floor((middle - half) / tick + 1e-9) * tick, 2)
    ask = np.round(np.ceil((middle + half) / tick - 1e-9) * tick, 2)
    return np.where(bid > 0.0, bid, np.nan), np.maximum(ask, bid + TICK)
