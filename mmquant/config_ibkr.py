"""The section ``ibkr``: the connection to Interactive Brokers, and what is traded or recorded."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from mmquant.config_sections import Int, Section

Count = Annotated[Int, Field(ge=1, le=1000)]


class ChainConfig(Section):
    """Options of a stock: some expiries, and the strikes nearest to the stock's price."""

    expiries: Count = 2
    """How many, from the next one on."""
    strikes: Count = 10
    """Strikes of each expiry, the nearest to the stock's price; calls and puts of each."""
    venue: str = "SMART"
    """SMART, or IBKR's name of an exchange."""


class InstrumentConfig(Section):
    """A stock, and its options if they are wanted."""

    symbol: str = Field(min_length=1, max_length=16)
    """Its symbol."""
    venue: str = "SMART"
    """SMART, or IBKR's name of an exchange."""
    depth: bool = False
    """Have the whole book, not the best prices alone; an account has three such books."""
    trades: bool = False
    """Have each trade; an account has five such streams."""
    chain: ChainConfig | None = None
    """Its options; null: none."""


class InteractiveBrokersConfig(Section):
    """The connection to TWS or IB Gateway, and what is traded or recorded by it."""

    host: str = "127.0.0.1"
    """Where TWS or IB Gateway runs."""
    port: Annotated[Int, Field(ge=1, le=65_535)] = 4002
    """IB Gateway has 4002 (paper) and 4001 (live), TWS 7497 and 7496."""
    client_id: Annotated[Int, Field(ge=1, le=999_999)] = 1
    """Number of this program; orders can be changed by the number that placed them only."""
    account: str = Field(default="", exclude=True, repr=False)
    """The account; needed for live trading. It is never written anywhere."""
    instruments: tuple[InstrumentConfig, ...] = ()
    """What is traded or recorded."""
    lines: Annotated[Int, Field(ge=1, le=10_000)] = 100
    """Lines of market data that the account has; with more instruments they take turns."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        symbols = [(one.symbol, one.venue) for one in self.instruments]
        if len(set(symbols)) < len(symbols):
            raise ValueError("an instrument is named twice")
        return self
