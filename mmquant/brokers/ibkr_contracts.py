"""Contracts at Interactive Brokers: what we trade, found by name, with its number and its ticks.

IBKR counts every message, and slows down who asks for many contracts: an option chain is asked for
by expiry, and only what is wanted of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from typing import Any

from ib_async import ComboLeg, ContractDetails
from ib_async import Contract as IBContract

from mmquant.brokers.ibkr_rows import Grid
from mmquant.data.contracts import OPTION_KINDS, Contract
from mmquant.data.ladders import ALWAYS, Ladder, Step
from mmquant.errors import DataError

SEC_TYPES = {
    "equity": "STK",
    "etf": "STK",
    "index": "IND",
    "option": "OPT",
    "future": "FUT",
    "future_option": "FOP",
    "fx": "CASH",
}
Ask = Callable[..., list[Any]]


@dataclass(frozen=True)
class Leg:
    """One leg of a combination: an instrument of the session, and how many of it are bought
    (above 0) or sold for one combination."""

    inst: int
    ratio: int


@dataclass
class Traded:
    """A contract of ours as IBKR has it."""

    contract: Contract
    ib: IBContract
    rule: int = 0
    """Number of its market rule, which says its ticks; 0: unknown."""


def root_of(contract: Contract) -> str:
    """IBKR's symbol: of an option named by its 21 characters (OSI), the underlying's."""
    if contract.kind in OPTION_KINDS and len(contract.symbol) == 21:
        return contract.symbol[:6].rstrip()
    return contract.symbol


def ib_contract_of(contract: Contract, trading_class: str = "") -> IBContract:
    """The contract to ask for. ``venue`` is IBKR's name of an exchange, or SMART.

    Raises
    ------
    DataError
        where IBKR has no such kind.
    """
    kind = SEC_TYPES.get(contract.kind)
    if kind is None:
        raise DataError(
            f"IBKR trades no {contract.kind!r}",
            where=f"contract {contract.id} {contract.symbol!r}",
            fix=f"use one of {', '.join(SEC_TYPES)}, or give its legs",
        )
    found = IBContract(
        secType=kind, symbol=root_of(contract), exchange=contract.venue,
        currency=contract.currency,
    )  # fmt: skip
    if contract.kind in OPTION_KINDS:
        found.lastTradeDateOrContractMonth = contract.expiry.replace("-", "")
        found.strike, found.right = contract.strike or 0.0, contract.right
        found.multiplier, found.tradingClass = f"{contract.multiplier:g}", trading_class
    elif contract.expiry:
        found.lastTradeDateOrContractMonth = contract.expiry.replace("-", "")
    return found


def combo_of(contract: Contract, legs: Sequence[Leg], traded: Sequence[Traded | None]) -> Traded:
    """A combination of instruments that were found already."""
    bag = IBContract(
        secType="BAG", symbol=contract.symbol, exchange=contract.venue, currency=contract.currency
    )
    for leg in legs:
        found = traded[leg.inst]
        if found is None or leg.ratio == 0:
            raise DataError(
                f"leg {leg.inst} of a combination is not one of the session's instruments",
                where=f"contract {contract.id} {contract.symbol!r}",
                fix="name the legs by their numbers, none of them a combination",
            )
        side = "BUY" if leg.ratio > 0 else "SELL"
        bag.comboLegs.append(
            ComboLeg(found.ib.conId, abs(leg.ratio), side, exchange=contract.venue)
        )
    return Traded(contract, bag)


def match_details(contract: Contract, found: Sequence[ContractDetails]) -> Traded:
    """The one contract that was meant.

    Raises
    ------
    DataError
        where there is none, or more than one.
    """
    kept = [(d, d.contract) for d in found if d.contract is not None]
    if len(kept) > 1:
        usual = [(d, ib) for d, ib in kept if ib.tradingClass == root_of(contract)]
        kept = usual or kept
    if len(kept) != 1:
        raise DataError(
            f"IBKR knows {len(kept)} such contracts" if kept else "IBKR knows no such contract",
            where=f"contract {contract.id} {contract.symbol!r} at {contract.venue}",
            fix="check symbol, venue, currency, expiry and strike",
        )
    details, ib = kept[0]
    ib.exchange = contract.venue
    return Traded(contract, ib, rule_of(details, contract.venue))


def rule_of(details: ContractDetails, venue: str) -> int:
    """Number of the market rule of a venue: rules are listed as the exchanges are; 0: unknown."""
    venues, rules = details.validExchanges.split(","), details.marketRuleIds.split(",")
    named = dict(zip(venues, rules, strict=False))
    rule = named.get(venue, "")
    return int(rule) if rule.isdigit() else 0


def ladder_of(increments: Iterable[Any]) -> Ladder:
    """The tick ladder of a market rule: rows of ``lowEdge`` and ``increment``."""
    steps = [Step(_decimal(row.lowEdge), _decimal(row.increment)) for row in increments]
    return Ladder(ALWAYS, tuple(steps))


def check_ladder(contract: Contract, date: str, rule: Ladder) -> None:
    """Refuse a contract whose ticks are not the broker's.

    Raises
    ------
    DataError
        as prices by the one would be off the other's grid.
    """
    if contract.ladder(date).rows() != rule.rows():
        steps = ", ".join(f"{s.from_price}: {s.tick}" for s in rule.steps)
        raise DataError(
            "the tick ladder is not IBKR's market rule",
            where=f"contract {contract.id} {contract.symbol!r} at {contract.venue}",
            fix=f"use the ladder {steps}",
        )


def with_ladder(contract: Contract, rule: Ladder) -> Contract:
    """The contract with the ticks of a market rule."""
    return replace(contract, ladders=(rule,))


@dataclass(frozen=True)
class Chain:
    """What of an option chain was wanted: the contracts there are, and those there are not."""

    contracts: tuple[Contract, ...]
    missing: tuple[tuple[str, float, str], ...]


def chain_contracts(
    symbol: str,
    details: Iterable[ContractDetails],
    rules: Mapping[int, Ladder],
    wanted: Sequence[tuple[str, float, str]],
    *,
    venue: str,
    trading_class: str,
    first_id: int,
) -> Chain:
    """Contracts of the wanted ``(expiry, strike, right)``; expiry as an ISO date."""
    known = {}
    for one in details:
        ib = one.contract
        if ib is not None and ib.tradingClass == trading_class:
            terms = (_iso(ib.lastTradeDateOrContractMonth), float(ib.strike), ib.right)
            known[terms] = (one, ib)
    contracts: list[Contract] = []
    for key in wanted:
        found = known.get(key)
        if found is None:
            continue
        expiry, strike, right = key
        one, ib = found
        rule = rules.get(rule_of(one, venue))
        contracts.append(
            Contract(
                first_id + len(contracts), symbol, "option", venue, ib.currency,
                float(ib.multiplier or 100), "american", "physical", expiry, strike,
                right, ladders=(rule or Ladder.flat(_decimal(one.minTick)),),
            )
        )  # fmt: skip
    return Chain(tuple(contracts), tuple(key for key in wanted if key not in known))


def nearest(
    expirations: Iterable[str],
    strikes: Iterable[float],
    *,
    spot: float,
    expiries: int,
    strikes_each: int,
    today: Date,
) -> list[tuple[str, float, str]]:
    """The next expiries, and of each the strikes nearest to the spot, calls and puts."""
    dates = sorted(_iso(e) for e in expirations if _iso(e) >= today.isoformat())[:expiries]
    near = sorted(sorted(strikes, key=lambda k: (abs(k - spot), k))[:strikes_each])
    return [(d, k, right) for d in dates for k in near for right in ("C", "P")]


def grids_of(contracts: Sequence[Contract], date: str) -> list[Grid]:
    """The grid of each contract."""
    return [Grid(contract, date) for contract in contracts]


def _iso(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _decimal(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") or "0"
