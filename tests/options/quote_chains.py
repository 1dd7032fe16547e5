"""A clean chain of option quotes: Black's prices from a known smile, rounded outward to cents."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from mmquant.data.chains.make import make_option_quotes

SPOT, RATE = 100.0, 0.03
START = np.datetime64("2023-09-14T14:00", "ns")
EXPIRIES = ("2023-09-29T20:00", "2023-10-20T20:00", "2024-01-19T21:00", "2024-09-20T20:00")
YEAR = np.timedelta64(365, "D")


def smile(k: float, years: float) -> float:
    """Volatility at log-moneyness k: a fixed SVI shape in k / sqrt(years)."""
    x = k / math.sqrt(years)
    return math.sqrt(0.02 + 0.06 * (-0.4 * (x - 0.1) + math.hypot(x - 0.1, 0.3)))


def black(sign: float, forward: float, strike: float, dev: float, discount: float) -> float:
    """Black's price by the textbook formula; ``dev`` is vol * sqrt(years)."""

    def cdf(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    d1 = math.log(forward / strike) / dev + dev / 2
    return discount * sign * (forward * cdf(sign * d1) - strike * cdf(sign * (d1 - dev)))


def market_of(
    expiry: np.datetime64, time: np.datetime64, spot: float, rate: float
) -> tuple[float, float, float]:
    """(years, forward, discount)."""
    years = float((expiry - time) / YEAR)
    return years, spot * math.exp((rate - rate / 3) * years), math.exp(-rate * years)


def clean_quotes(
    n_times: int = 3, exercise: str = "european"
) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
    """A chain, and the forwards and discounts (time, contract) that it is made with.

    The spot rises by 0.1 % a minute; the yield is a third of the rate. American options are without
    both, so that Black's price is theirs. Strikes within two deviations have bids, all of them.
    """
    rate = RATE if exercise == "european" else 0.0
    times = START + np.arange(n_times) * np.timedelta64(60, "s")
    contracts = []
    for text in EXPIRIES:
        expiry = np.datetime64(text, "ns")
        years, forward, _ = market_of(expiry, times[0], SPOT, rate)
        width = 2 * smile(0.0, years) * math.sqrt(years)
        for i in range(-6, 7):
            strike = round(2 * forward * math.exp(width * i / 6)) / 2
            contracts += [(expiry, strike, "C"), (expiry, strike, "P")]
    shape = (n_times, len(contracts))
    bid, ask, forwards, discounts = (np.empty(shape) for _ in range(4))
    spots = SPOT * 1.001 ** np.arange(n_times)
    for t, at in np.ndindex(shape):
        expiry, strike, right = contracts[at]
        years, forward, discount = market_of(expiry, times[t], spots[t], rate)
        dev = smile(math.log(strike / forward), years) * math.sqrt(years)
        price = black(1.0 if right == "C" else -1.0, forward, strike, dev, discount)
        bid[t, at] = math.floor(100 * price * 0.99) / 100
        ask[t, at] = math.ceil(100 * price * 1.01 + 1) / 100
        forwards[t, at], discounts[t, at] = forward, discount
    n = len(contracts)
    ds = make_option_quotes(
        {
            "time": times,
            "expiry": np.array([c[0] for c in contracts]),
            "strike": np.array([c[1] for c in contracts]),
            "right": np.array([c[2] for c in contracts]),
            "root": np.array(["TWX"] * n),
            "multiplier": np.full(n, 100.0),
            "exercise": np.array([exercise] * n),
            "bid": bid,
            "ask": ask,
            "underlying_bid": spots - 0.01,
            "underlying_ask": spots + 0.01,
        },
        underlying="TWX",
        date="2023-09-14",
        source={"format": "test", "files": []},
    )
    return ds, forwards, discounts
