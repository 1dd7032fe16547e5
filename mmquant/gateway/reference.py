"""What can be traded: contracts with their ids, market rules and chains, and how to find them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmquant.data.contracts import Contract
from mmquant.gateway.wire import Fields

SEC_TYPES = {
    "equity": "STK",
    "etf": "STK",
    "index": "IND",
    "option": "OPT",
    "future": "FUT",
    "future_option": "FOP",
    "fx": "CASH",
    "crypto_spot": "CRYPTO",
    "crypto_perp": "CRYPTO",
    "other": "CFD",
}
KNOWN_IDS = {
    "AAPL": 265598,
    "AMZN": 3691937,
    "SPY": 756733,
    "MSFT": 272093,
    "NVDA": 4815747,
    "TSLA": 76792991,
}
"""Contract ids of some stocks at Interactive Brokers, so that familiar scripts work."""
STOCK_EXCHANGES = ("SMART", "NASDAQ", "ISLAND", "ARCA", "BATS", "IBKRATS")
OPTION_EXCHANGES = ("SMART", "CBOE", "ISE", "IBUSOPT")
VENUES = {"XNAS": "NASDAQ", "XNYS": "NYSE", "ARCX": "ARCA", "XCBO": "CBOE", "XISE": "ISE"}
"""Names of venues on tapes, and at Interactive Brokers."""
DEEP_EXCHANGES = ("NASDAQ", "ISLAND")
"""Venues whose depth names market makers (message 13); that of the others has rows alone (12)."""
STOCK_ORDERS = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALLOC,AVGCOST,COND,CONDORDER,DAY,FOK,GAT,GTC,GTD,IOC,LMT,MIDPX,MKT,"
    "PEGBEST,PEGMID,REL,SNAPMID,SNAPMKT,SNAPREL,WHATIF"
)
OPTION_ORDERS = "ACTIVETIM,COND,DAY,FOK,GTC,GTD,IOC,LMT,MKT,PEGMID,REL,SNAPMID,SNAPMKT,WHATIF"
ZONE = "US/Eastern"


@dataclass(frozen=True)
class ContractQuery:
    """A contract as a client describes it; what is empty may be anything."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""

    @classmethod
    def read(cls, fields: Fields) -> ContractQuery:
        """From the twelve fields of a request."""
        con_id, symbol, sec_type, expiry = (
            fields.whole(), fields.text(), fields.text(), fields.text()
        )  # fmt: skip
        strike, right, multiplier = fields.decimal(0.0), fields.text(), fields.text()
        exchange, primary, currency = fields.text(), fields.text(), fields.text()
        local, trading_class = fields.text(), fields.text()
        right = {"CALL": "C", "PUT": "P", "?": "", "0": ""}.get(right.upper(), right.upper())
        return cls(
            con_id, symbol, sec_type, expiry, strike, right, multiplier, exchange, primary,
            currency, local, trading_class,
        )  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """One instrument of the exchange as Interactive Brokers would list it."""

    inst: int
    contract: Contract
    date: str
    con_id: int
    sec_type: str
    expiry: str
    right: str
    multiplier: str
    primary: str
    local_symbol: str
    exchanges: tuple[str, ...]
    rule_id: int
    rows: tuple[tuple[int, int, int, int], ...]
    lot: tuple[int, int]
    under_id: int = 0
    under_symbol: str = ""
    _prices: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def symbol(self) -> str:
        """The underlying's symbol."""
        return self.under_symbol or self.contract.symbol

    @property
    def is_option(self) -> bool:
        """Whether this is an option."""
        return self.sec_type in ("OPT", "FOP")

    @property
    def strike(self) -> float:
        """Strike, 0 where there is none. [currency]"""
        return self.contract.strike or 0.0

    @property
    def trading_class(self) -> str:
        """Class in which it trades."""
        return (
            self.symbol
            if self.is_option
            else "NMS"
            if self.primary in DEEP_EXCHANGES
            else self.symbol
        )

    @property
    def min_tick(self) -> float:
        """The smallest step of its ladder. [currency]"""
        return min(step / den for _, _, step, den in self.rows)

    def price(self, tick: int) -> float:
        """Price of a tick, the double nearest to its decimal. [currency]"""
        row = self.rows[0]
        for step in self.rows[1:]:
            if tick >= step[0]:
                row = step
        return (row[1] + (tick - row[0]) * row[2]) / row[3]

    def shown_price(self, tick: int) -> str:
        """Price of a tick as text."""
        found = self._prices.get(tick)
        if found is None:
            if len(self._prices) > 100_000:
                self._prices.clear()
            found = self._prices[tick] = repr(self.price(tick))
        return found

    def tick(self, price: float) -> int | None:
        """Tick of a price, None where it is off the ladder."""
        row = self.rows[0]
        for step in self.rows[1:]:
            if price * step[3] >= step[1] - 1e-6:
                row = step
        steps = (price * row[3] - row[1]) / row[2]
        if not abs(steps) < 2**30:
            return None
        nearest = round(steps)
        return row[0] + nearest if abs(steps - nearest) < 1e-4 else None

    def lots(self, quantity: float) -> int | None:
        """Lots of a quantity, None where it is no whole number of them."""
        num, den = self.lot
        lots = quantity * den / num
        return round(lots) if abs(lots) < 2**31 and abs(lots - round(lots)) < 1e-9 else None

    def quantity(self, lots: float) -> float:
        """Quantity of a number of lots."""
        num, den = self.lot
        return lots * num / den

    def fields(self, exchange: str = "SMART") -> tuple[object, ...]:
        """The eleven fields by which replies name a contract."""
        return (
            self.con_id, self.symbol, self.sec_type, self.expiry, self.strike, self.right,
            self.multiplier, exchange, self.contract.currency, self.local_symbol,
            self.trading_class,
        )  # fmt: skip


class Reference:
    """All listings of a market, with its rules and chains."""

    def __init__(self, contracts: Sequence[Contract], date: str) -> None:
        self.rules: dict[int, tuple[tuple[float, float], ...]] = {}
        ids: dict[tuple[tuple[float, float], ...], int] = {}
        stocks = {c.symbol: c for c in contracts if c.kind != "option"}
        self.listings: list[Listing] = []
        for contract in contracts:
            steps = contract.ladder(date).steps
            rule = tuple((float(s.from_price), float(s.tick)) for s in steps)
            rule_id = ids.setdefault(rule, 26 + len(ids))
            self.rules[rule_id] = rule
            self.listings.append(_listing(contract, date, rule_id, stocks))
        self.by_id = {one.con_id: one for one in self.listings}

    def find(self, query: ContractQuery) -> list[Listing]:
        """All listings that a description fits."""
        if query.con_id:
            one = self.by_id.get(query.con_id)
            return [one] if one is not None and _trades_at(one, query) else []
        return [one for one in self.listings if _fits(one, query)]

    def chains(self, under_id: int) -> list[tuple[str, str, str, list[str], list[float]]]:
        """(exchange, class, multiplier, expiries, strikes) of the options on an underlying."""
        options = [one for one in self.listings if one.under_id == under_id and one.is_option]
        if not options:
            return []
        expiries = sorted({one.expiry for one in options})
        strikes = sorted({one.strike for one in options})
        first = options[0]
        return [
            (exchange, first.trading_class, first.multiplier, expiries, strikes)
            for exchange in first.exchanges
        ]

    def matching(self, pattern: str) -> list[Listing]:
        """Stocks whose symbol begins with a pattern."""
        wanted = pattern.upper()
        return [one for one in self.listings if not one.is_option and one.symbol.startswith(wanted)]


def _listing(contract: Contract, date: str, rule_id: int, stocks: dict[str, Contract]) -> Listing:
    sec_type = SEC_TYPES[contract.kind]
    under = _underlying(contract.symbol) if sec_type == "OPT" else contract.symbol
    local, expiry, multiplier = contract.symbol, "", ""
    if sec_type == "OPT":
        expiry = contract.expiry.replace("-", "")
        multiplier = f"{contract.multiplier:g}"
        strike = round((contract.strike or 0.0) * 1000)
        local = f"{under:<6}{expiry[2:]}{contract.right}{strike:08d}"
    elif contract.multiplier != 1.0:
        multiplier = f"{contract.multiplier:g}"
    venue = VENUES.get(contract.venue, contract.venue or "SMART")
    exchanges: tuple[str, ...] = STOCK_EXCHANGES if sec_type == "STK" else OPTION_EXCHANGES
    if sec_type not in ("STK", "OPT"):
        exchanges = (venue,)
    elif venue not in exchanges and venue != "SIM":
        exchanges = (*exchanges, venue)
    primary = "NASDAQ" if sec_type == "STK" and venue in ("SIM", "SMART") else venue
    known = stocks.get(under)
    return Listing(
        inst=contract.id,
        contract=contract,
        date=date,
        con_id=con_id_of(sec_type, local),
        sec_type=sec_type,
        expiry=expiry,
        right=contract.right,
        multiplier=multiplier,
        primary="" if sec_type == "OPT" else primary,
        local_symbol=local,
        exchanges=exchanges,
        rule_id=rule_id,
        rows=tuple(contract.ladder(date).rows()),
        lot=contract.lot_fraction(),
        under_id=con_id_of(SEC_TYPES[known.kind], under) if sec_type == "OPT" and known else 0,
        under_symbol=under if sec_type == "OPT" else "",
    )


def con_id_of(sec_type: str, local_symbol: str) -> int:
    """Contract id: that of Interactive Brokers for well-known stocks, else one by name."""
    if sec_type == "STK" and local_symbol in KNOWN_IDS:
        return KNOWN_IDS[local_symbol]
    return 500_000_000 + zlib.crc32(f"{sec_type}:{local_symbol}".encode()) % 400_000_000


def _underlying(symbol: str) -> str:
    """Root of an option's symbol: what comes before a space or the first digit."""
    for i, letter in enumerate(symbol):
        if letter == " " or letter.isdigit():
            return symbol[:i] or symbol
    return symbol


def _trades_at(one: Listing, query: ContractQuery) -> bool:
    primary = query.primary in ("", one.primary, *one.exchanges)
    return primary and query.exchange in ("", "BEST", *one.exchanges)


def _fits(one: Listing, query: ContractQuery) -> bool:
    if query.local_symbol and query.local_symbol != one.local_symbol:
        return False
    if not query.symbol and not query.local_symbol:
        return False
    asked = (
        (query.symbol, one.symbol),
        (query.sec_type, one.sec_type),
        (query.right, one.right),
        (query.multiplier, one.multiplier),
        (query.currency, one.contract.currency),
        (query.trading_class, one.trading_class),
    )
    if any(wanted and wanted != has for wanted, has in asked):
        return False
    if query.strike and query.strike != one.strike:
        return False
    expiry_fits = one.expiry.startswith(query.expiry[:8]) if query.expiry else True
    return expiry_fits and _trades_at(one, query)
