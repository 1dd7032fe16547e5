"""How clients are told of the account: positions, values, portfolio, profits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmquant.gateway.accounts import LEDGER, Holding
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

PNL_NS = 1_000_000_000
VALUES_NS = 200_000_000
"""How long after a fill the values of the account are told. [ns]"""
SUMMARY_NS = 180_000_000_000
"""How long after a fill summaries are told anew, as at Interactive Brokers. [ns]"""
MAX_SUMMARIES = 2
NO_ACCOUNT = "Error validating request: Invalid account code"


class AccountDesk:
    """Subscriptions to the account that all clients share."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._accounts = gateway, gateway.accounts
        self._positions: set[Session] = set()
        self._updates: set[Session] = set()
        self._summaries: dict[tuple[Session, int], frozenset[str]] = {}
        self._multi: set[tuple[Session, int]] = set()
        self._positions_multi: set[tuple[Session, int]] = set()
        self._pnl: dict[tuple[Session, int], int] = {}
        self._ticking = self._values_due = self._summaries_due = False

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {
            6: self._account_updates,
            61: self._all_positions,
            64: lambda session, _: self._positions.discard(session),
            74: self._positions_of_account,
            75: lambda session, fields: self._positions_multi.discard((session, _id(fields))),
            62: self._summary,
            63: self._cancel_summary,
            76: self._updates_multi,
            77: lambda session, fields: self._multi.discard((session, _id(fields))),
            92: self._pnl_of_account,
            93: lambda session, fields: self._end_pnl(session, fields.whole()),
            94: self._pnl_of_position,
            95: lambda session, fields: self._end_pnl(session, fields.whole()),
        }

    def forget(self, session: Session) -> None:
        """End all of a client's subscriptions."""
        self._positions.discard(session)
        self._updates.discard(session)
        for keys in (self._multi, self._positions_multi):
            keys.difference_update([key for key in keys if key[0] is session])
        for table in (self._summaries, self._pnl):
            for key in [key for key in table if key[0] is session]:
                del table[key]

    def _all_positions(self, session: Session, fields: Fields) -> None:
        self._positions.add(session)
        for inst in sorted(self._accounts.holdings):
            self._tell_position(session, self._gateway.reference.listings[inst])
        session.send(62, 1)

    def _tell_position(self, session: Session, one: Listing) -> None:
        holding = self._accounts.holdings[one.inst]
        fields = one.fields(one.primary)
        session.send(61, 3, self._accounts.name, *fields, holding.quantity, holding.average)

    def _positions_of_account(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        if not self._is_ours(session, req_id, fields.text()):
            return
        self._positions_multi.add((session, req_id))
        for inst in sorted(self._accounts.holdings):
            self._tell_multi_position(session, req_id, self._gateway.reference.listings[inst])
        session.send(72, 1, req_id)

    def _tell_multi_position(self, session: Session, req_id: int, one: Listing) -> None:
        holding = self._accounts.holdings[one.inst]
        session.send(
            71, 1, req_id, self._accounts.name, *one.fields(one.primary), holding.quantity,
            holding.average, "",
        )  # fmt: skip

    def _is_ours(self, session: Session, req_id: int, account: str) -> bool:
        """Whether an account is ours, which is meant too where none is named; else an error."""
        if account in ("", "All", self._accounts.name):
            return True
        session.error(req_id, 321, NO_ACCOUNT)
        return False

    def tell_change(self, one: Listing) -> None:
        """Tell that a position has changed."""
        for session in self._positions:
            self._tell_position(session, one)
        for session, req_id in self._positions_multi:
            self._tell_multi_position(session, req_id, one)
        for session in self._updates:
            self._tell_portfolio(session, one)
        floor = self._gateway.floor
        if (self._updates or self._multi) and not self._values_due:
            self._values_due = True
            floor.at(floor.now + VALUES_NS, self._tell_all_values)
        if self._summaries and not self._summaries_due:
            self._summaries_due = True
            floor.at(floor.now + SUMMARY_NS, self._tell_all_summaries)

    def _tell_all_values(self) -> None:
        self._values_due = False
        for session in self._updates:
            self._tell_values(session)
        for session, req_id in self._multi:
            self._tell_multi_values(session, req_id)

    def _tell_all_summaries(self) -> None:
        self._summaries_due = False
        for session, req_id in self._summaries:
            self._tell_summary(session, req_id)

    def _account_updates(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        if not fields.flag():
            self._updates.discard(session)
            return
        if not self._is_ours(session, -1, fields.text()):
            return
        self._updates.add(session)
        self._tell_values(session)
        for inst in sorted(self._accounts.holdings):
            self._tell_portfolio(session, self._gateway.reference.listings[inst])
        session.send(8, 1, self._gateway.clock_text()[9:14])
        session.send(54, 1, self._accounts.name)

    def _tell_values(self, session: Session) -> None:
        session.send(6, 2, "AccountCode", self._accounts.name, "", self._accounts.name)
        session.send(6, 2, "AccountReady", "true", "", self._accounts.name)
        for tag, value, currency in self._accounts.tags():
            session.send(6, 2, tag, value, currency, self._accounts.name)

    def _tell_portfolio(self, session: Session, one: Listing) -> None:
        holding = self._accounts.holdings[one.inst]
        mark = self._accounts.mark(one.inst)
        c = list(one.fields(one.primary))
        session.send(
            7, 8, *c, holding.quantity, mark, mark * holding.quantity * one.contract.multiplier,
            holding.average, self._accounts.unrealized(one.inst), holding.realized,
            self._accounts.name,
        )  # fmt: skip

    def _summary(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        fields.skip(1)
        tags = frozenset(tag.split(":")[0].strip() for tag in fields.text().split(","))
        mine = [key for key in self._summaries if key[0] is session]
        if (session, req_id) not in self._summaries and len(mine) >= MAX_SUMMARIES:
            text = "Error processing request.-'cb' : cause - Maximum number of account summary "
            session.error(req_id, 322, f"{text}requests exceeded")
            return
        self._summaries[session, req_id] = tags
        self._tell_summary(session, req_id)
        session.send(64, 1, req_id)

    def _tell_summary(self, session: Session, req_id: int) -> None:
        tags = self._summaries[session, req_id]
        for tag, value, currency in self._accounts.tags():
            if tag in tags or ("$LEDGER" in tags and tag in LEDGER):
                session.send(63, 1, req_id, self._accounts.name, tag, value, currency)

    def _cancel_summary(self, session: Session, fields: Fields) -> None:
        self._summaries.pop((session, _id(fields)), None)

    def _updates_multi(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        if not self._is_ours(session, req_id, fields.text()):
            return
        self._multi.add((session, req_id))
        self._tell_multi_values(session, req_id)
        session.send(74, 1, req_id)

    def _tell_multi_values(self, session: Session, req_id: int) -> None:
        for tag, value, currency in self._accounts.tags():
            session.send(73, 1, req_id, self._accounts.name, "", tag, value, currency)

    def _pnl_of_account(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        if not self._is_ours(session, req_id, fields.text()):
            return
        self._pnl[session, req_id] = -1
        self._tell_pnl(session, req_id, -1)
        self._tick()

    def _pnl_of_position(self, session: Session, fields: Fields) -> None:
        req_id, account = fields.whole(), fields.text()
        fields.skip(1)
        if not self._is_ours(session, req_id, account):
            return
        one = self._gateway.reference.by_id.get(fields.whole())
        if one is None:
            session.error(req_id, 321, "Error validating request: the contract is not known")
            return
        self._pnl[session, req_id] = one.inst
        self._tell_pnl(session, req_id, one.inst)
        self._tick()

    def _tell_pnl(self, session: Session, req_id: int, inst: int) -> None:
        if inst < 0:
            values = self._accounts.values()
            gained = float(values["RealizedPnL"])
            daily = self._accounts.equity() - self._accounts.start_cash
            session.send(94, req_id, daily, float(values["UnrealizedPnL"]), gained)
            return
        holding = self._accounts.holdings.get(inst, Holding())
        open_gain = self._accounts.unrealized(inst) if inst in self._accounts.holdings else 0.0
        one = self._gateway.reference.listings[inst]
        worth = holding.quantity * self._accounts.mark(inst) * one.contract.multiplier
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
