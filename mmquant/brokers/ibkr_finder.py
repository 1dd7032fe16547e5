"""Finding contracts: as few questions as will do, and their ticks checked against ours."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date as Date
from typing import Any

from ib_async import Contract as IBContract
from ib_async import ContractDetails, OptionChain

from mmquant.brokers.ibkr_contracts import (
    Chain,
    Leg,
    Traded,
    chain_contracts,
    check_ladder,
    combo_of,
    ib_contract_of,
    ladder_of,
    match_details,
    nearest,
    root_of,
    rule_of,
)
from mmquant.brokers.ibkr_link import Link
from mmquant.brokers.ibkr_pacer import Rank
from mmquant.data.contracts import OPTION_KINDS, Contract
from mmquant.data.ladders import Ladder
from mmquant.errors import DataError

PATIENCE_S = 10.0
WORTH_A_CHAIN = 3
"""So many options of one expiry and right are asked for together."""


class Finder:
    """Asks IBKR for contracts, their ticks and option chains, through the pacer."""

    def __init__(
        self,
        link: Link,
        contracts: Sequence[Contract],
        date: str,
        legs: Mapping[int, Sequence[Leg]],
    ) -> None:
        self._link, self._contracts, self._date, self._legs = link, contracts, date, legs

    def find(self) -> list[Traded | None]:
        """Each contract as IBKR has it.

        Raises
        ------
        DataError
            where one is not known, is not one alone, or has other ticks than ours.
        """
        return self._link.run(self._find())

    def chain(
        self,
        symbol: str,
        *,
        spot: float,
        expiries: int,
        strikes_each: int,
        today: str,
        venue: str = "SMART",
        currency: str = "USD",
        first_id: int = 0,
    ) -> Chain:
        """The next expiries of a stock's options, and of each the strikes nearest to the spot.

        The exchanges' lists of expiries and strikes make pairs that do not exist: these are
        ``missing``. Raises DataError where there is no chain.
        """
        return self._link.run(
            self._chain(
                symbol, venue, currency, first_id,
                lambda e, k: nearest(
                    e, k, spot=spot, expiries=expiries, strikes_each=strikes_each,
                    today=Date.fromisoformat(today),
                ),
            )
        )  # fmt: skip

    async def _find(self) -> list[Traded | None]:
        found: list[Traded | None] = [None] * len(self._contracts)
        groups: dict[tuple[Any, ...], list[Contract]] = defaultdict(list)
        for contract in self._contracts:
            if contract.id not in self._legs:
                groups[_group(contract)].append(contract)
        asked = []
        for group in groups.values():
            together = len(group) >= WORTH_A_CHAIN
            for contract in group[:1] if together else group:
                wanted = ib_contract_of(contract)
                if together:
                    wanted.strike = 0.0
                asked.append((group if together else [contract], self._details(wanted)))
        for (members, _), details in zip(
            asked, await self._all([question for _, question in asked]), strict=True
        ):
            for contract in members:
                found[contract.id] = match_details(contract, _of_strike(contract, details))
        await self._check_ticks([one for one in found if one is not None])
        for inst, legs in self._legs.items():
            found[inst] = combo_of(self._contracts[inst], legs, found)
        return found

    async def _check_ticks(self, found: Sequence[Traded]) -> None:
        rules = await self._rules({one.rule for one in found if one.rule})
        for one in found:
            if one.rule in rules:
                check_ladder(one.contract, self._date, rules[one.rule])

    async def _chain(
        self, symbol: str, venue: str, currency: str, first_id: int, choose: Callable[..., Any]
    ) -> Chain:
        stock = IBContract(secType="STK", symbol=symbol, exchange="SMART", currency=currency)
        (details,) = await self._all([self._details(stock)])
        if not details:
            raise DataError(f"IBKR knows no stock {symbol!r}", fix="check symbol and currency")
        under = details[0].contract
        (lists,) = await self._all([self._parameters(symbol, under.conId)])
        known = [c for c in lists if c.exchange == venue and c.tradingClass == symbol]
        if not known:
            raise DataError(f"{symbol!r} has no options at {venue}", fix="check the venue")
        wanted = choose(known[0].expirations, known[0].strikes)
        questions = []
        for expiry, right in sorted({(e, r) for e, _, r in wanted}):
            option = IBContract(
                secType="OPT", symbol=symbol, exchange=venue, currency=currency, right=right,
                lastTradeDateOrContractMonth=expiry.replace("-", ""), tradingClass=symbol,
                multiplier=known[0].multiplier,
            )  # fmt: skip
            questions.append(self._details(option))
        answers = [d for answer in await self._all(questions) for d in answer]
        rules = await self._rules({rule_of(d, venue) for d in answers} - {0})
        return chain_contracts(
            symbol, answers, rules, wanted, venue=venue, trading_class=symbol, first_id=first_id
        )

    async def _rules(self, numbers: set[int]) -> dict[int, Ladder]:
        ordered = sorted(numbers)
        answers = await self._all([self._rule(number) for number in ordered])
        return {n: ladder_of(a) for n, a in zip(ordered, answers, strict=True) if a}

    def _details(self, contract: IBContract) -> Awaitable[list[ContractDetails]]:
        number = self._link.client.getReqId()
        return self._ask(
            number, lambda: self._link.client.reqContractDetails(number, contract), contract
        )

    def _parameters(self, symbol: str, con_id: int) -> Awaitable[list[OptionChain]]:
        number = self._link.client.getReqId()
        return self._ask(
            number, lambda: self._link.client.reqSecDefOptParams(number, symbol, "", "STK", con_id)
        )

    def _rule(self, number: int) -> Awaitable[list[Any]]:
        return self._ask(f"marketRule-{number}", lambda: self._link.client.reqMarketRule(number))

    def _ask(
        self, key: int | str, send: Callable[[], None], contract: IBContract | None = None
    ) -> Awaitable[list[Any]]:
        answer: Awaitable[list[Any]] = self._link.ib.wrapper.startReq(key, contract)
        self._link.send(Rank.DATA, key, send)
        return answer

    async def _all(self, questions: Sequence[Awaitable[Any]]) -> list[Any]:
        """All answers, in order. Raises DataError where one does not come."""
        waiting = [asyncio.ensure_future(question) for question in questions]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S + len(waiting) / 10
        while not all(one.done() for one in waiting):
            self._link.flush(self._link.clock.now())
            if loop.time() > deadline or not self._link.is_up:
                raise DataError(
                    "IBKR did not answer questions about contracts",
                    fix="try again, and with fewer contracts at a time",
                )
            left = self._link.pacer.next_ts() - self._link.clock.now()
            pending = [one for one in waiting if not one.done()]
            pause = min(max(left / 1e9, 0.001), 0.25)
            await asyncio.wait(pending, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        return [one.result() for one in waiting]


def _group(contract: Contract) -> tuple[Any, ...]:
    """Options that one question finds together."""
    if contract.kind not in OPTION_KINDS:
        return (contract.id,)
    c = contract
    return (c.kind, root_of(c), c.venue, c.currency, c.expiry, c.right, c.multiplier)


def _of_strike(contract: Contract, details: Sequence[ContractDetails]) -> list[ContractDetails]:
    if contract.strike is None:
        return list(details)
    return [d for d in details if d.contract is not None and d.contract.strike == contract.strike]
