"""European options in rows: Black-76 on a forward, Black-Scholes-Merton on a spot."""

from __future__ import annotations

import numpy as np

from mmquant.core.black import black_many, black_price_many, spot_many, spot_price_many
from mmquant.core.implied_vol import implied_vol_many
from mmquant.core.option_rows import (
    CHARM,
    DELTA,
    GAMMA,
    OPTION_ABOVE,
    OPTION_AT_INTRINSIC,
    OPTION_BAD_INPUT,
    OPTION_BELOW,
    OPTION_OK,
    OPTION_REFUSED,
    PRICE,
    RHO,
    ROWS,
    THETA,
)
from mmquant.options.dividends import PRICE_ROWS, dividend_values, dividend_vols, pays
from mmquant.options.rows import Answer, Rows, either, status_of
from mmquant.options.settings import Settings


def european_prices(rows: Rows, on_forward: bool, settings: Settings) -> Answer:
    """Prices and status codes, of shape (options,)."""

    def closed(rows: Rows) -> Answer:
        out = np.empty(len(rows))
        if on_forward:
            black_price_many(*_on_forward(rows), out)
            return out, status_of(out, rows)
        stock = Escrowed(rows)
        spot_price_many(*stock.arrays(), out)
        return out, stock.status(out)

    def grid(rows: Rows) -> Answer:
        out, status = dividend_values(rows, settings, False, PRICE_ROWS)
        return out[PRICE], status

    return either(rows, _needs_grid(rows, settings), grid, closed)


def european_greeks(rows: Rows, on_forward: bool, settings: Settings) -> Answer:
    """Price and greeks, of shape (9, options), and status codes."""

    def closed(rows: Rows) -> Answer:
        out = np.empty((ROWS, len(rows)))
        if on_forward:
            black_many(*_on_forward(rows), out)
            return out, _with_greeks(out, status_of(out[PRICE], rows))
        stock = Escrowed(rows)
        spot_many(*stock.arrays(), out)
        stock.to_spot(out)
        return out, _with_greeks(out, stock.status(out[PRICE]))

    def grid(rows: Rows) -> Answer:
        return dividend_values(rows, settings, False, ROWS)

    return either(rows, _needs_grid(rows, settings), grid, closed)


def european_vols(rows: Rows, on_forward: bool, settings: Settings) -> Answer:
    """Implied volatilities and status codes."""

    def closed(rows: Rows) -> Answer:
        vol, status = np.empty(len(rows)), np.empty(len(rows), np.int8)
        stock = Escrowed(rows)
        forward = stock.spot
        if not on_forward:
            forward = forward * np.exp((rows.rate - rows.dividend_yield) * rows.years)
        price = rows.quoted * np.exp(rows.rate * rows.years)
        implied_vol_many(rows.sign, price, forward, rows.strike, rows.years, vol, status)
        return vol, _without_time(rows, forward, stock.refuse(status))

    def grid(rows: Rows) -> Answer:
        return dividend_vols(rows, settings, early=False)

    return either(rows, _needs_grid(rows, settings), grid, closed)


def _on_forward(rows: Rows) -> tuple[np.ndarray, ...]:
    return rows.sign, rows.underlying, rows.strike, rows.years, rows.quoted, rows.rate


def _with_greeks(out: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Refused where there is a price and no delta: at the strike, with no time or volatility."""
    return np.where(np.isnan(out[DELTA]) & (status == OPTION_OK), OPTION_REFUSED, status)


def _without_time(rows: Rows, spot: np.ndarray, status: np.ndarray) -> np.ndarray:
    """At expiry any price has its side of the intrinsic value, and none a volatility."""
    over = rows.quoted - np.maximum(rows.sign * (spot - rows.strike), 0.0)
    side = np.select(
        [over > 0.0, over == 0.0, over < 0.0],
        [OPTION_ABOVE, OPTION_AT_INTRINSIC, OPTION_BELOW],
        OPTION_BAD_INPUT,
    )
    now = (rows.years == 0.0) & (spot > 0.0) & (rows.strike > 0.0) & (status == OPTION_BAD_INPUT)
    return np.where(now, side, status)


def _needs_grid(rows: Rows, settings: Settings) -> np.ndarray:
    """Where the spot is lognormal between ex-dates, so that there is no closed form."""
    return pays(rows) & (settings.dividends == "spot")


class Escrowed:
    """The spot less the present value of the dividends: what is lognormal in the escrowed model.

    A dividend counts where its ex-date is after now and not after the expiry.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.pays = rows.dividend_amount.shape[1] > 0
        self.spot = rows.underlying
        if self.pays:
            self._take_dividends(rows)

    def _take_dividends(self, rows: Rows) -> None:
        self.worth = np.zeros(len(rows))
        """Present value of the dividends, and its change by the rate."""
        self.worth_by_rate = np.zeros(len(rows))
        for years, amount in zip(rows.dividend_years.T, rows.dividend_amount.T, strict=True):
            counts = ~((years <= 0.0) | (years > rows.years))
            amount = np.where(amount < 0.0, np.nan, amount)
            worth = np.where(counts, amount * np.exp(-rows.rate * years), 0.0 * (years + amount))
            self.worth += worth
            self.worth_by_rate -= np.where(counts, years, 0.0) * worth
        self.spot = rows.underlying - self.worth

    def arrays(self) -> tuple[np.ndarray, ...]:
        rows = self.rows
        return (
            rows.sign, self.spot, rows.strike, rows.years, rows.quoted, rows.rate,
            rows.dividend_yield,
        )  # fmt: skip

    def to_spot(self, out: np.ndarray) -> None:
        """Greeks by the spot out of those by the escrowed one: it moves with rate and time."""
        if not self.pays:
            return
        by_time = -self.rows.rate * self.worth
        out[THETA] += out[DELTA] * by_time
        out[CHARM] += out[GAMMA] * by_time
        out[RHO] -= out[DELTA] * self.worth_by_rate

    def status(self, value: np.ndarray) -> np.ndarray:
        return self.refuse(status_of(value, self.rows))

    def refuse(self, status: np.ndarray) -> np.ndarray:
        """Refused where the dividends are worth more than the spot."""
        if not self.pays:
            return status
        eaten = (self.spot <= 0.0) & (self.rows.underlying > 0.0) & (status != OPTION_OK)
        return np.where(eaten, OPTION_REFUSED, status)
