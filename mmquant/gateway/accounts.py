"""The account: positions, cash and margin, and how its clients are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import UNSET_DOUBLE, Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

MARGIN_STOCK = 0.5
"""Part of a stock position's value that it binds (Regulation T)."""
MARGIN_SHORT_OPTION = 0.2
"""Part of the underlying's value that a short option binds, beside its premium."""
PNL_NS = 1_000_000_000
VALUES_NS = 200_000_000
"""How long after a fill the values of the account are told. [ns]"""


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
        self._start_cash = gateway.settings.cash
        self.fees = 0.0
        self.holdings: dict[int, Holding] = {}
        self._positions: set[Session] = set()
        self._updates: set[Session] = set()
        self._summaries: dict[tuple[Session, int], frozenset[str]] = {}
        self._multi: set[tuple[Session, int]] = set()
        self._pnl: dict[tuple[Session, int], int] = {}
        self._ticking = False
        self._values_due = False
        self._free: tuple[object, float] = (None, 0.0)

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {
            6: self._account_updates,
            61: self._all_positions,
            64: lambda session, _: self._positions.discard(session),
            62: self._summary,
            63: self._cancel_summary,
            76: self._updates_multi,
            77: lambda session, fields: self._multi.discard((session, _id(fields))),
            92: self._pnl_of_account,
            93: lambda session, fields: self._end_pnl(session, fields.whole()),
            94: self._pnl_of_position,
            95: lambda session, fields: self._end_pnl(session, fields.whole()),
        }

    def mark(self, inst: int) -> float:
        """Mid, or what there is of it, else the last price. [currency]"""
        one = self._gateway.reference.listings[inst]
        bid, _, ask, _ = self._gateway.floor.touch(inst)
        if bid != NO_BID and ask != NO_ASK:
            return 0.5 * (one.price(bid) + one.price(ask))
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
        self._tell_change(one)
        return realized

    def position(self, inst: int) -> float:
        """Units held."""
        holding = self.holdings.get(inst)
        return holding.quantity if holding else 0.0

    def equity(self) -> float:
        """Cash and positions at their marks. [currency]"""
        return self.cash + sum(
            h.quantity * self._gateway.reference.listings[i].contract.multiplier * self.mark(i)
            for i, h in self.holdings.items()
        )

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
        worth = equity - self.cash
        amounts = {
            "NetLiquidation": equity,
            "TotalCashValue": self.cash,
            "SettledCash": self.cash,
            "EquityWithLoanValue": equity,
            "GrossPositionValue": abs(worth),
            "AvailableFunds": free,
            "ExcessLiquidity": free,
            "FullAvailableFunds": free,
            "FullExcessLiquidity": free,
            "BuyingPower": max(2.0 * free, 0.0),
            "InitMarginReq": bound,
            "MaintMarginReq": bound,
            "FullInitMarginReq": bound,
            "FullMaintMarginReq": bound,
            "RealizedPnL": sum(h.realized for h in self.holdings.values()),
            "UnrealizedPnL": sum(self._unrealized(i) for i in self.holdings),
        }
        return {tag: f"{value:.2f}" for tag, value in amounts.items()}

    def _unrealized(self, inst: int) -> float:
        holding = self.holdings[inst]
        one = self._gateway.reference.listings[inst]
        each = self.mark(inst) * one.contract.multiplier
        return holding.quantity * (each - holding.average)

    def forget(self, session: Session) -> None:
        """End all of a client's subscriptions."""
        self._positions.discard(session)
        self._updates.discard(session)
        self._multi = {key for key in self._multi if key[0] is not session}
        for table in (self._summaries, self._pnl):
            for key in [key for key in table if key[0] is session]:
                del table[key]

    def _all_positions(self, session: Session, fields: Fields) -> None:
        self._positions.add(session)
        for inst in sorted(self.holdings):
            self._tell_position(session, self._gateway.reference.listings[inst])
        session.send(62, 1)

    def _tell_position(self, session: Session, one: Listing) -> None:
        holding = self.holdings[one.inst]
        fields = one.fields("")
        session.send(61, 3, self.name, *fields, holding.quantity, holding.average)

    def _tell_change(self, one: Listing) -> None:
        for session in self._positions:
            self._tell_position(session, one)
        for session in self._updates:
            self._tell_portfolio(session, one)
        if self._updates and not self._values_due:
            self._values_due = True
            self._gateway.floor.at(self._gateway.floor.now + VALUES_NS, self._tell_all_values)

    def _tell_all_values(self) -> None:
        self._values_due = False
        for session in self._updates:
            self._tell_values(session)

    def _account_updates(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        if not fields.flag():
            self._updates.discard(session)
            return
        self._updates.add(session)
        self._tell_values(session)
        for inst in sorted(self.holdings):
            self._tell_portfolio(session, self._gateway.reference.listings[inst])
        session.send(8, 1, self._gateway.clock_text()[9:14])
        session.send(54, 1, self.name)

    def _tell_values(self, session: Session) -> None:
        session.send(6, 2, "AccountCode", self.name, "", self.name)
        session.send(6, 2, "AccountReady", "true", "", self.name)
        for tag, value in self.values().items():
            session.send(6, 2, tag, value, "USD", self.name)

    def _tell_portfolio(self, session: Session, one: Listing) -> None:
        holding = self.holdings[one.inst]
        mark = self.mark(one.inst)
        c = list(one.fields(one.primary))
        session.send(
            7, 8, *c, holding.quantity, mark, mark * holding.quantity * one.contract.multiplier,
            holding.average, self._unrealized(one.inst), holding.realized, self.name,
        )  # fmt: skip

    def _summary(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        fields.skip(1)
        tags = frozenset(tag.split(":")[0] for tag in fields.text().split(","))
        self._summaries[session, req_id] = tags
        session.send(63, 1, req_id, self.name, "AccountType", "INDIVIDUAL", "")
        for tag, value in self.values().items():
            if tag in tags or "$LEDGER" in tags:
                session.send(63, 1, req_id, self.name, tag, value, "USD")
        session.send(64, 1, req_id)

    def _cancel_summary(self, session: Session, fields: Fields) -> None:
        self._summaries.pop((session, _id(fields)), None)

    def _updates_multi(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        self._multi.add((session, req_id))
        for tag, value in self.values().items():
            session.send(73, 1, req_id, self.name, "", tag, value, "USD")
        session.send(74, 1, req_id)

    def _pnl_of_account(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        self._pnl[session, req_id] = -1
        self._tell_pnl(session, req_id, -1)
        self._tick()

    def _pnl_of_position(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        fields.skip(2)
        one = self._gateway.reference.by_id.get(fields.whole())
        if one is None:
            session.error(req_id, 321, "Error validating request: the contract is not known")
            return
        self._pnl[session, req_id] = one.inst
        self._tell_pnl(session, req_id, one.inst)
        self._tick()

    def _tell_pnl(self, session: Session, req_id: int, inst: int) -> None:
        if inst < 0:
            values = self.values()
            gained = float(values["RealizedPnL"])
            daily = self.equity() - self._start_cash
            session.send(94, req_id, daily, float(values["UnrealizedPnL"]), gained)
            return
        holding = self.holdings.get(inst, Holding())
        open_gain = self._unrealized(inst) if inst in self.holdings else 0.0
        one = self._gateway.reference.listings[inst]
        worth = holding.quantity * self.mark(inst) * one.contract.multiplier
        daily = open_gain + holding.realized
        session.send(95, req_id, holding.quantity, daily, open_gain, holding.realized, worth)

    def _end_pnl(self, session: Session, req_id: int) -> None:
        self._pnl.pop((session, req_id), None)

    def _tick(self) -> None:
        """Tell profits once a second while anybody listens."""
        if self._ticking or not self._pnl:
            return
        self._ticking = True

        def again() -> None:
            self._ticking = False
            for (session, req_id), inst in self._pnl.items():
                self._tell_pnl(session, req_id, inst)
            self._tick()

        self._gateway.floor.at(self._gateway.floor.now + PNL_NS, again)


def _id(fields: Fields) -> int:
    """The request id behind a version field."""
    fields.skip(1)
    return fields.whole()
