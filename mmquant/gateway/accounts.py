"""The account: positions, cash and margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.gateway.reference import Listing
from mmquant.gateway.wire import UNSET_DOUBLE

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

MARGIN_STOCK = 0.5
"""Part of a stock position's value that it binds (Regulation T)."""
MARGIN_SHORT_OPTION = 0.2
"""Part of the underlying's value that a short option binds, beside its premium."""

LEDGER = ("CashBalance", "StockMarketValue", "OptionMarketValue", "TotalCashValue",
          "NetLiquidation", "RealizedPnL", "UnrealizedPnL")  # fmt: skip
"""Tags that an account summary has under ``$LEDGER``."""


@dataclass
class Holding:
    """A position of one instrument; ``average`` is the price paid, times the multiplier."""

    quantity: float = 0.0
    average: float = 0.0
    realized: float = 0.0

    def trade(self, quantity: float, value_each: float, fees: float) -> float:
        """Book a signed quantity; returns what it realized, fees taken off."""
        before = self.quantity
        closed = 0.0
        if before * quantity < 0:
            closed = min(abs(before), abs(quantity))
        gain = closed * (value_each - self.average) * (1 if before > 0 else -1)
        after = before + quantity
        if before * after <= 0:
            self.average = value_each if after else 0.0
        elif closed == 0:
            self.average = (before * self.average + quantity * value_each) / after
        self.quantity = after
        self.realized += gain - fees if closed else 0.0
        return gain - fees if closed else UNSET_DOUBLE


class Accounts:
    """One account that all clients share."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.name = gateway.settings.account
        self.cash = gateway.settings.cash
        self.start_cash = gateway.settings.cash
        self.fees = 0.0
        self.holdings: dict[int, Holding] = {}
        self._free: tuple[object, float] = (None, 0.0)

    def mark(self, inst: int) -> float:
        """Mid, or what there is of it, else the last price. [currency]"""
        one = self._gateway.reference.listings[inst]
        bid, _, ask, _ = self._gateway.floor.touch(inst)
        if bid != NO_BID and ask != NO_ASK:
            return round(0.5 * (one.price(bid) + one.price(ask)), 10)
        if bid != NO_BID or ask != NO_ASK:
            return one.price(bid if bid != NO_BID else ask)
        return self._gateway.quotes.days[inst].last

    def book(self, one: Listing, side: int, quantity: float, price: float, fees: float) -> float:
        """Book an execution; returns the profit it realized, or UNSET_DOUBLE."""
        each = price * one.contract.multiplier
        holding = self.holdings.setdefault(one.inst, Holding())
        realized = holding.trade(side * quantity, each, fees)
        self.cash -= side * quantity * each + fees
        self.fees += fees
        self._gateway.account_desk.tell_change(one)
        return realized

    def position(self, inst: int) -> float:
        """Units held."""
        holding = self.holdings.get(inst)
        return holding.quantity if holding else 0.0

    def equity(self) -> float:
        """Cash and positions at their marks. [currency]"""
        return self.cash + sum(x for _, x in self._marked())

    def margin(self) -> float:
        """What all positions bind. [currency]"""
        listings = self._gateway.reference.listings
        return sum(self._bound(listings[i], h.quantity) for i, h in self.holdings.items())

    def free(self) -> float:
        """Funds that are not bound, at most a second old. [currency]"""
        key = (self._gateway.floor.now // 1_000_000_000, self.fees, self.cash)
        if self._free[0] != key:
            self._free = (key, self.equity() - self.margin())
        return self._free[1]

    def bound_more(self, extra: dict[int, float]) -> float:
        """What more of some instruments would bind on top. [currency]"""
        more = 0.0
        for inst, quantity in extra.items():
            one, held = self._gateway.reference.listings[inst], self.position(inst)
            more += self._bound(one, held + quantity) - self._bound(one, held)
        return max(more, 0.0)

    def _bound(self, one: Listing, quantity: float) -> float:
        each = self.mark(one.inst) * one.contract.multiplier
        if not one.is_option:
            return MARGIN_STOCK * abs(quantity) * each
        if quantity >= 0:
            return quantity * each
        under = self._gateway.reference.by_id.get(one.under_id)
        spot = self.mark(under.inst) if under is not None else one.strike
        rest = MARGIN_SHORT_OPTION * spot * one.contract.multiplier
        return -quantity * (rest + each)

    def values(self) -> dict[str, str]:
        """Tags of the account and their values."""
        equity, bound = self.equity(), self.margin()
        free = equity - bound
        worth = {kind: self._worth(option=kind) for kind in (False, True)}
        amounts = {
            "NetLiquidation": equity,
            "TotalCashValue": self.cash,
            "SettledCash": self.cash,
            "EquityWithLoanValue": equity,
            "PreviousDayEquityWithLoanValue": self.start_cash,
            "GrossPositionValue": self._gross(),
            "CashBalance": self.cash,
            "StockMarketValue": worth[False],
            "OptionMarketValue": worth[True],
            "AccruedCash": 0.0,
            "AvailableFunds": free,
            "ExcessLiquidity": free,
            "FullAvailableFunds": free,
            "FullExcessLiquidity": free,
            "BuyingPower": max(2.0 * free, 0.0),
            "InitMarginReq": bound,
            "MaintMarginReq": bound,
            "FullInitMarginReq": bound,
            "FullMaintMarginReq": bound,
            "LookAheadAvailableFunds": free,
            "LookAheadExcessLiquidity": free,
            "LookAheadInitMarginReq": bound,
            "LookAheadMaintMarginReq": bound,
            "RegTEquity": equity,
            "RegTMargin": bound,
            "SMA": free,
            "RealizedPnL": sum(h.realized for h in self.holdings.values()),
            "UnrealizedPnL": sum(self.unrealized(i) for i in self.holdings),
        }
        return {tag: f"{value:.2f}" for tag, value in amounts.items()}

    def tags(self) -> list[tuple[str, str, str]]:
        """(tag, value, currency) of the account; the currency is empty where a value has none."""
        values = self.values()
        equity, free = float(values["NetLiquidation"]), float(values["ExcessLiquidity"])
        plain = {
            "AccountType": "INDIVIDUAL",
            "Cushion": f"{free / equity if equity > 0.0 else 0.0:.6f}",
            "DayTradesRemaining": "-1",
            "Leverage": f"{self._gross() / equity if equity > 0.0 else 0.0:.2f}",
            "LookAheadNextChange": "0",
        }
        rows = [(tag, value, "") for tag, value in plain.items()]
        return rows + [(tag, value, "USD") for tag, value in values.items()]

    def _worth(self, *, option: bool) -> float:
        """Positions of one kind at their marks. [currency]"""
        return sum(x for one, x in self._marked() if one.is_option == option)

    def _gross(self) -> float:
        """All positions at their marks, long and short ones added. [currency]"""
        return sum(abs(x) for _, x in self._marked())

    def _marked(self) -> list[tuple[Listing, float]]:
        found = []
        for inst, holding in self.holdings.items():
            one = self._gateway.reference.listings[inst]
            each = one.contract.multiplier * self.mark(inst)
            found.append((one, holding.quantity * each))
        return found

    def unrealized(self, inst: int) -> float:
        """What a position has gained since it was bought. [currency]"""
        holding = self.holdings[inst]
        one = self._gateway.reference.listings[inst]
        each = self.mark(inst) * one.contract.multiplier
        return holding.quantity * (each - holding.average)
