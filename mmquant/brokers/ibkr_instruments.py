"""From the section ``ibkr`` to contracts and their streams; option chains are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from mmquant.brokers.ibkr import IBKRBroker
from mmquant.config_ibkr import ChainConfig, InteractiveBrokersConfig
from mmquant.data.contracts import Contract
from mmquant.errors import ConfigError, MMQuantError

SPOT_PATIENCE_NS = 15_000_000_000


@dataclass(frozen=True)
class Instruments:
    """Contracts, numbered from 0, and which of them have their whole book and their trades."""

    contracts: tuple[Contract, ...]
    depth: frozenset[int]
    trades: frozenset[int]

    def streams(self) -> dict[str, Any]:
        """What `IBKRBroker` is told of them."""
        return {"depth": self.depth, "trades": self.trades}


def instruments_of(settings: InteractiveBrokersConfig, date: str) -> Instruments:
    """The contracts of a configuration; with a chain in it IBKR is asked for it first.

    Raises
    ------
    ConfigError
        where nothing is named.
    MMQuantError
        where IBKR does not answer, or gives no price to choose strikes by.
    """
    stocks = stocks_of(settings)
    chains = {i: one.chain for i, one in enumerate(settings.instruments) if one.chain is not None}
    if not chains:
        return stocks
    return replace(stocks, contracts=(*stocks.contracts, *_options(settings, stocks, chains, date)))


def stocks_of(settings: InteractiveBrokersConfig) -> Instruments:
    """The stocks of a configuration. Raises ConfigError where there are none."""
    named = settings.instruments
    if not named:
        raise ConfigError(
            "no instrument is named",
            where="ibkr.instruments",
            fix="give a list, such as [{symbol: AAPL, depth: true}]",
        )
    return Instruments(
        tuple(Contract.equity(i, one.symbol, venue=one.venue) for i, one in enumerate(named)),
        frozenset(i for i, one in enumerate(named) if one.depth),
        frozenset(i for i, one in enumerate(named) if one.trades),
    )


def _options(
    settings: InteractiveBrokersConfig,
    stocks: Instruments,
    chains: Mapping[int, ChainConfig],
    date: str,
) -> Sequence[Contract]:
    """The options, found by a connection of their own that is closed again."""
    broker = IBKRBroker(
        stocks.contracts, date=date, run="chains", host=settings.host, port=settings.port,
        client_id=settings.client_id, account=settings.account,
    )  # fmt: skip
    broker.open()
    found: list[Contract] = []
    try:
        for inst, chain in chains.items():
            stock = stocks.contracts[inst]
            answer = broker.finder.chain(
                stock.symbol, spot=_spot(broker, stock), expiries=chain.expiries,
                strikes_each=chain.strikes, today=date, venue=chain.venue,
                first_id=len(stocks.contracts) + len(found),
            )  # fmt: skip
            found += answer.contracts
    finally:
        broker.close()
    return found


def _spot(broker: IBKRBroker, stock: Contract) -> float:
    """Mid of a stock, waited for. [currency]"""
    until = broker.clock.now() + SPOT_PATIENCE_NS
    while not isfinite(spot := broker.feed.mid(stock.id)):
        if broker.next_message(until) is None:
            raise MMQuantError(
                f"there is no price of {stock.symbol} to choose strikes by",
                fix="start when its market is open, and with market data for it",
            )
    return spot
