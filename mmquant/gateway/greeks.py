"""Volatilities and greeks of options, by our own kernels, as Interactive Brokers tells them."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.black import spot_many
from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.implied_vol import implied_vol
from mmquant.core.option_rows import DELTA, GAMMA, OPTION_OK, PRICE, ROWS, THETA, VEGA
from mmquant.gateway.clock import YEAR_NS, close_ns
from mmquant.gateway.reference import ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

BID, ASK, LAST, MODEL, CUSTOM = 10, 11, 12, 13, 53
VEGA_UNIT, THETA_UNIT = 0.01, 1.0 / 365.0
"""Interactive Brokers' vega is per point of volatility, its theta per day."""
Told = tuple[float, float, float, float, float, float, float, float]


class Greeks:
    """Option computations at rates of 0 and no dividends, as the seeded market has them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told: dict[tuple[Session, int, int], Told] = {}
        self._table = np.empty((ROWS, 1))

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {
            54: self._volatility_of_price,
            55: self._price_of_volatility,
            56: _stop,
            57: _stop,
        }

    def tell(self, session: Session, req_id: int, one: Listing) -> None:
        """Send the computations at bid, ask, last and model."""
        spot = self._spot(one)
        bid, _, ask, _ = self._gateway.floor.touch(one.inst)
        last = self._gateway.quotes.days[one.inst].last
        prices = {
            BID: math.nan if bid == NO_BID else one.price(bid),
            ASK: math.nan if ask == NO_ASK else one.price(ask),
            LAST: last or math.nan,
        }
        for kind, price in prices.items():
            if math.isfinite(price):
                vol = self._volatility(one, price, spot)
                self._send(session, req_id, kind, one, vol, price, spot)
        vol = self._gateway.market.volatility(one.inst, self._gateway.floor.now)
        if not math.isfinite(vol) and math.isfinite(prices[BID] + prices[ASK]):
            vol = self._volatility(one, 0.5 * (prices[BID] + prices[ASK]), spot)
        self._send(session, req_id, MODEL, one, vol, math.nan, spot)

    def _spot(self, one: Listing) -> float:
        under = self._gateway.reference.by_id.get(one.under_id)
        return math.nan if under is None else self._gateway.accounts.mark(under.inst)

    def _years(self, one: Listing) -> float:
        day = datetime.date.fromisoformat(one.contract.expiry)
        return max(close_ns(day) - self._gateway.floor.now, 60e9) / YEAR_NS

    def _volatility(self, one: Listing, price: float, spot: float) -> float:
        """Implied volatility; NaN where the price has none."""
        if not math.isfinite(price + spot):
            return math.nan
        sign = 1.0 if one.right == "C" else -1.0
        vol, status = implied_vol(sign, price, spot, one.strike, self._years(one))
        return float(vol) if status == OPTION_OK else math.nan

    def _values(self, one: Listing, vol: float, spot: float) -> np.ndarray:
        sign = np.array([1.0 if one.right == "C" else -1.0])
        inputs = [np.array([x]) for x in (spot, one.strike, self._years(one), vol, 0.0, 0.0)]
        spot_many(sign, *inputs, self._table)
        return self._table[:, 0]

    def _send(
        self, session: Session, req_id: int, kind: int, one: Listing, vol: float, price: float,
        spot: float,
    ) -> None:  # fmt: skip
        if math.isfinite(vol + spot):
            row = self._values(one, vol, spot)
            shown = row[PRICE] if math.isnan(price) else price
            vega, theta = row[VEGA] * VEGA_UNIT, row[THETA] * THETA_UNIT
            told = (vol, row[DELTA], shown, 0.0, row[GAMMA], vega, theta, spot)
        else:
            shown = -1.0 if math.isnan(price) else price
            told = (-1.0, -2.0, shown, -1.0, -2.0, -2.0, -2.0, spot if spot == spot else -1.0)
        said: Told = tuple(round(float(x), 10) for x in told)  # type: ignore[assignment]
        if kind != CUSTOM and self._told.get((session, req_id, kind)) == said:
            return
        self._told[session, req_id, kind] = said
        session.send(21, req_id, kind, 1, *said)

    def forget(self, session: Session, req_id: int) -> None:
        """Forget what a line was told."""
        for kind in (BID, ASK, LAST, MODEL):
            self._told.pop((session, req_id, kind), None)

    def _volatility_of_price(self, session: Session, fields: Fields) -> None:
        one, req_id, price, spot = self._asked(session, fields)
        if one is not None:
            vol = self._volatility(one, price, spot)
            self._send(session, req_id, CUSTOM, one, vol, price, spot)

    def _price_of_volatility(self, session: Session, fields: Fields) -> None:
        one, req_id, vol, spot = self._asked(session, fields)
        if one is not None:
            self._send(session, req_id, CUSTOM, one, vol, math.nan, spot)

    def _asked(self, session: Session, fields: Fields) -> tuple[Listing | None, int, float, float]:
        fields.skip(1)
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        value, spot = fields.decimal(), fields.decimal()
        one = self._gateway.quotes.one_listing(session, req_id, query)
        if one is not None and not one.is_option:
            session.error(req_id, 321, "Error validating request: the contract is no option")
            one = None
        return one, req_id, value, spot


def _stop(session: Session, fields: Fields) -> None:
    """Computations are answered at once: there is nothing to cancel."""
