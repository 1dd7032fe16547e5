"""Replies on contracts: details, option parameters, market rules, venues, matching symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmquant.gateway.reference import (
    DEEP_EXCHANGES,
    OPTION_ORDERS,
    STOCK_ORDERS,
    ZONE,
    ContractQuery,
    Listing,
)
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

NO_SECURITY = "No security definition has been found for the request"
LETTERS = {
    "ISLAND": "Q",
    "NASDAQ": "Q",
    "ARCA": "P",
    "BATS": "Z",
    "CBOE": "C",
    "ISE": "I",
    "IBKRATS": "u",
}


class ReferenceDesk:
    """Answers what contracts there are."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._reference = gateway.reference

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {
            9: self._details,
            78: self._option_parameters,
            81: self._matching,
            82: self._depth_exchanges,
            83: self._smart_components,
            91: self._market_rule,
        }

    def _details(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        found = self._reference.find(query)
        if not found:
            session.error(req_id, 200, NO_SECURITY)
            return
        for one in found:
            session.send(*details(req_id, one, query.exchange or "SMART", session.version))
        session.send(52, 1, req_id)

    def _option_parameters(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        fields.skip(3)
        under = fields.whole()
        chains = self._reference.chains(under)
        for exchange, trading_class, multiplier, expiries, strikes in chains:
            session.send(
                75, req_id, exchange, under, trading_class, multiplier,
                len(expiries), *expiries, len(strikes), *strikes,
            )  # fmt: skip
        session.send(76, req_id)

    def _matching(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        found = self._reference.matching(fields.text())
        out: list[object] = [79, req_id, len(found)]
        for one in found:
            kinds = sorted(
                {x.sec_type for x in self._reference.listings if x.under_id == one.con_id}
            )
            out += [one.con_id, one.symbol, one.sec_type, one.primary, one.contract.currency]
            out += [len(kinds), *kinds]
            out += [one.symbol, ""] if session.version >= 176 else []
        session.send(*out)

    def _depth_exchanges(self, session: Session, fields: Fields) -> None:
        rows: list[object] = []
        pairs = sorted(
            {(x, one.sec_type) for one in self._reference.listings for x in one.exchanges}
        )
        pairs = [pair for pair in pairs if pair[0] != "SMART"]
        for exchange, sec_type in pairs:
            service = "Deep2" if exchange in DEEP_EXCHANGES else "Deep"
            rows += [exchange, sec_type, exchange, service, 1 if sec_type == "STK" else 2]
        session.send(80, len(pairs), *rows)

    def _smart_components(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        venues = sorted({x for one in self._reference.listings for x in one.exchanges} - {"SMART"})
        rows: list[object] = []
        for i, venue in enumerate(venues):
            rows += [i, venue, LETTERS.get(venue, venue[:1])]
        session.send(82, req_id, len(venues), *rows)

    def _market_rule(self, session: Session, fields: Fields) -> None:
        rule_id = fields.whole()
        rule = self._reference.rules.get(rule_id)
        if rule is None:
            session.error(-1, 321, f"Error validating request: market rule {rule_id} is not known")
            return
        session.send(93, rule_id, len(rule), *(x for step in rule for x in step))


def details(req_id: int, one: Listing, exchange: str, version: int) -> list[object]:
    """Fields of contractDetails at a server version."""
    stock = one.sec_type == "STK"
    last = f"{one.expiry}-16:00:00-{ZONE}" if one.expiry else ""
    out: list[object] = [10] if version >= 164 else [10, 8]
    out += [req_id, one.symbol, one.sec_type, last, one.strike, one.right, exchange]
    out += [one.contract.currency, one.local_symbol]
    out += ["NMS" if stock else one.trading_class, one.trading_class, one.con_id, one.min_tick]
    out += [] if version >= 164 else [100]
    out += [one.multiplier, STOCK_ORDERS if stock else OPTION_ORDERS, ",".join(one.exchanges)]
    out += [1, one.under_id, f"{one.symbol} (simulated)", one.primary, one.expiry[:6]]
    out += ["Technology", "Computers", "Computers", ZONE]
    hours = _hours(one.date)
    out += [hours, hours, "", 0]
    out += [1, "ISIN", "US0378331005"] if stock and one.symbol == "AAPL" else [0]
    out += [1 if stock else 2, one.under_symbol, "STK" if one.under_symbol else ""]
    out += [",".join([str(one.rule_id)] * len(one.exchanges)), one.expiry]
    out += ["COMMON" if stock else ""]
    lot = one.quantity(1)
    out += [lot] if version == 163 else []
    out += [lot, lot, 100.0 if stock else lot] if version >= 164 else []
    return out


def _hours(date: str) -> str:
    """The simulated market trades around the clock, every day of the week."""
    day = date.replace("-", "")
    return f"{day}:0000-{day}:2359"
