"""The local half as one object: requests in, answers out, and orders to a broker where one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core.dtypes import NEVER, ActionKind, Control, RowKind, Status
from mmquant.core.local import Local
from mmquant.data.contracts import OPTION_KINDS, Contract
from mmquant.data.fees import load_fees
from mmquant.data.grid import price_to_tick, size_to_lots
from mmquant.data.store.journal import Journal, JournalError, action_bytes
from mmquant.data.tape import make_tape
from mmquant.errors import DataError, MMQuantError, UsageError
from mmquant.trading import messages
from mmquant.trading.event_bus import EventBus, live_step
from mmquant.trading.halves import action_rows, make_local_half
from mmquant.trading.logs import Logs
from mmquant.trading.ports import Broker
from mmquant.trading.strategy import Strategy

Before = TypeVar("Before")
After = TypeVar("After")


def quote_nothing(view, params, memory, quotes):  # type: ignore[no-untyped-def]
    """Wants no quotes: all orders are by hand."""
    return 0


NOTHING = Strategy("nothing", quote_nothing, {}, {}, quotes=1, levels=0)
"""The strategy of a desk that only trades by hand."""


def opening(contracts: Sequence[Contract], date: str, ts: int) -> xr.Dataset:
    """A tape of one row, which says what is traded and when the day begins."""
    if [c.id for c in contracts] != list(range(len(contracts))):
        raise UsageError("contracts must be numbered from 0", fix="give them the ids 0, 1, 2, ...")
    columns = {"exch_ts": [ts], "kind": [int(RowKind.STATUS)], "side": [0], "tick": [0]}
    return make_tape(
        {name: np.array(value, np.int64) for name, value in columns.items()}
        | {"size": np.zeros(1, np.int64)},
        contracts,
        source={"reader": "none"},
        date=date,
    )


class Port:
    """A local half that requests are put to, wherever it runs."""

    def __init__(self, config: Config, contracts: Sequence[Contract], date: str) -> None:
        self.config, self.contracts, self.date = config, list(contracts), date

    @property
    def local(self) -> Local:
        """The state of the local half."""
        raise NotImplementedError

    @property
    def now(self) -> int:
        """The time there. [ns]"""
        raise NotImplementedError

    def reach(self, ts: int) -> None:
        """Let the time be no earlier than this."""

    def refresh(self) -> None:
        """Let requests be checked against the market as it is now."""

    def ask(
        self,
        message: np.ndarray,
        before: Callable[[], Before],
        after: Callable[[Before, int, np.ndarray], After],
    ) -> After:
        """Apply a message and send what it asks for; returns what ``after`` makes of it.

        ``before`` is called just before, ``after`` just after that, with what ``before`` gave, the
        time [ns], and the actions.

        Raises
        ------
        UsageError
            where the local half refuses the message; it has then changed nothing.
        """
        raise NotImplementedError

    def tell(self, message: np.ndarray) -> np.ndarray:
        """Apply a message and send what it asks for; returns a copy of the actions."""
        return self.ask(message, lambda: None, lambda _, ts, said: said.copy())

    def name_of(self, contract: Contract) -> str:
        """Its symbol; where several contracts have that, with what tells it from the others:
        ``ABC@SMART``, ``ABC 2024-06-21 100 C``, or its number."""
        for names in (_symbol, _terms, _terms_at):
            name = names(contract)
            if sum(names(c) == name for c in self.contracts) == 1:
                return name
        return str(contract.id)

    def contract(self, symbol: str | None, venue: str | None = None) -> Contract:
        """The contract of a symbol (None: the only one) and, where it has several, a venue; or of
        a name as ``name_of`` gives it."""
        named = {self.name_of(c): c for c in self.contracts if venue in (None, c.venue)}
        if symbol in named:
            return named[symbol]
        found = [
            c for c in self.contracts if symbol in (None, c.symbol) and venue in (None, c.venue)
        ]
        if len(found) == 1:
            return found[0]
        problem = "is not traded here" if not found else "names several contracts"
        known = ", ".join(named or map(self.name_of, self.contracts))
        raise UsageError(f"{symbol or 'no symbol'} {problem}", fix=f"name one of {known}")

    def tick(self, contract: Contract, price: float) -> int | None:
        """The tick of a price; None where it is no number or off the grid."""
        return tick_of(contract, price, self.date)


class LocalPort(Port):
    """The local half of a configuration for some contracts, stepped message by message."""

    def __init__(
        self,
        config: Config,
        contracts: Sequence[Contract],
        strategy: Strategy,
        *,
        date: str,
        start_ts: int,
        params: Mapping[str, float] | None = None,
        broker: Broker | None = None,
        journal: Journal | None = None,
        bus: EventBus | None = None,
    ) -> None:
        super().__init__(config, contracts, date)
        self.broker, self.journal, self._now = broker, journal, start_ts
        fees = load_fees(config.fee_schedule(), date)
        local = make_local_half(
            config,
            opening(contracts, date, start_ts),
            strategy,
            rates=[fees.rates] * len(contracts),
            params=[dict(params or {})],
            with_book=True,
        )
        self.step = live_step(local, strategy, action_rows(local), self.contracts, bus)
        self.logs = Logs()
        self._bytes = action_bytes(self.step.actions)

    @property
    def local(self) -> Local:
        """The state of the local half."""
        return self.step.local

    @property
    def now(self) -> int:
        """The time there. [ns]"""
        return self._now

    def reach(self, ts: int) -> None:
        """Let the time be no earlier than this."""
        self._now = max(self._now, ts)

    def refresh(self) -> None:
        """Decide, so that requests are checked against the market as it is now."""
        self.tell(messages.decision(self._now))

    def ask(
        self,
        message: np.ndarray,
        before: Callable[[], Before],
        after: Callable[[Before, int, np.ndarray], After],
    ) -> After:
        """As `Port.ask`, at once.

        Raises
        ------
        UsageError
            where the local half refuses the message; it has then changed nothing.
        JournalError
            where the journal cannot be written: all orders are cancelled, and nothing is sent
            any more but cancels.
        """
        kept = before()
        n = self.step(message, 0, NEVER, 0, 0)[0]
        while n < 0 and n != -Status.BAD_ROW:
            self.step.make_room(-n, self.logs)
            n = self.step(message, 0, NEVER, 0, 0)[0]
        if n < 0:
            raise refused()
        ts = int(message[0]["ts"])
        if self.journal is not None:
            try:
                self.journal.step(message, self._bytes, n, ts)
            except JournalError:
                self._kill(n, ts)
                raise
        if n and self.broker is not None:
            self.broker.send(self.step.actions, n, ts)
        answer = after(kept, ts, self.step.actions[:n])
        self.step.publish()
        return answer

    def _kill(self, n: int, ts: int) -> None:
        """Without a journal nothing may leave but cancels: send those that are due, and all."""
        self.journal = None
        actions = self.step.actions[:n]
        cancels = actions[actions["kind"] == int(ActionKind.CANCEL)].copy()
        if len(cancels) and self.broker is not None:
            self.broker.send(cancels, len(cancels), ts)
        self.tell(messages.control(ts, Control.KILL))


def refused() -> UsageError:
    """What to say where the local half refuses a message."""
    return UsageError("the local half refuses a message", fix="give it what it knows")


def _symbol(contract: Contract) -> str:
    return contract.symbol


def _terms(contract: Contract) -> str:
    if contract.kind not in OPTION_KINDS or contract.strike is None:
        return contract.symbol
    return f"{contract.symbol} {contract.expiry} {contract.strike:.12g} {contract.right}"


def _terms_at(contract: Contract) -> str:
    return f"{_terms(contract)}@{contract.venue}"


def tick_of(contract: Contract, price: float, date: str) -> int | None:
    """The tick of a price; None where it is no number or off the grid."""
    try:
        if not np.isfinite(price):
            return None
        return int(price_to_tick(contract, [repr(float(price))], date=date)[0])
    except (MMQuantError, OverflowError, TypeError, ValueError):
        return None


def lots_of(contract: Contract, size: float) -> int | None:
    """The lots of a size; None where it is no number or no whole lots."""
    try:
        lots, good = size_to_lots(contract, np.array([size], np.float64))
    except (DataError, TypeError, ValueError):
        return None
    return int(lots[0]) if good[0] and abs(lots[0]) < 2**31 else None
