"""Orders by hand: place, modify, cancel, and what the broker says of them.

It translates. Whether an order may be sent is decided by the kernels of the local half, with the
checks, throttles and state machine of quotes; a request is a MANUAL message, so that a journal and
its replay hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from mmquant.config import Config
from mmquant.core.dtypes import (
    ActionKind,
    Hand,
    OrderState,
    OrderType,
    Reason,
    TimeInForce,
)
from mmquant.data.contracts import Contract
from mmquant.data.store.journal import Journal
from mmquant.errors import UsageError
from mmquant.trading import messages
from mmquant.trading.event_bus import EventBus
from mmquant.trading.local_port import NOTHING, LocalPort, Port, lots_of
from mmquant.trading.logs import Logs, orders_table
from mmquant.trading.ports import Broker

ORDER_TYPES = {
    "limit": (OrderType.LIMIT, TimeInForce.DAY),
    "post_only": (OrderType.POST_ONLY, TimeInForce.DAY),
    "marketable": (OrderType.LIMIT, TimeInForce.IOC),
    "peg_primary": (OrderType.PEG_PRIMARY, TimeInForce.DAY),
    "peg_mid": (OrderType.PEG_MID, TimeInForce.DAY),
    "peg_best": (OrderType.PEG_BEST, TimeInForce.DAY),
}
"""Order types by name, each with its time in force: a marketable limit takes at once up to its
price, and what it does not get is cancelled; of pegged orders the price is the limit."""


@dataclass(frozen=True)
class Accepted:
    """The request was sent. What comes of it, the broker says."""

    order_id: int
    timestamp: int


@dataclass(frozen=True)
class Denied:
    """The request was not sent. A cancel that is denied by THROTTLED goes at a later decision."""

    reason: Reason
    timestamp: int


Result = Accepted | Denied


@dataclass(frozen=True)
class Fill:
    """An execution as the broker reports it; a correction has the same ``exec_id`` and a higher
    ``revision``."""

    order_id: int
    exec_id: int
    side: int
    price: float
    size: float
    timestamp: int
    symbol: str | None = None
    venue: str | None = None
    mid: float = float("nan")
    maker: bool = True
    revision: int = 0


@dataclass(frozen=True)
class Booked:
    """What came of a fill: ``booked`` is false where it was known already. The order's state is
    None where no such order is known; the fill counts all the same."""

    booked: bool
    state: OrderState | None
    position: float
    reason: Reason


@dataclass(frozen=True)
class PortfolioState:
    """Positions [units] and greeks by symbol, as the caller knows them.

    Where several contracts have a symbol, the name says which: ``ABC@SMART``, or
    ``ABC 2024-06-21 100 C`` of an option. A position other than the local half's blocks the
    instrument until they agree.
    """

    positions: Mapping[str, float] = field(default_factory=dict)
    greeks: Mapping[str, Mapping[Literal["delta", "gamma", "vega"], float]] = field(
        default_factory=dict
    )


class OrderManager:
    """Own orders of several contracts at one broker.

    Parameters
    ----------
    config : limits and order settings, as for a run.
    contracts : what is traded, numbered from 0; the same symbol may have several venues.
    broker : where the orders go.
    date : day of the tick ladders and fees, ISO.
    journal : where each message and action is written before it is sent.
    bus : told of fills, order states, inventory and alerts.
    """

    def __init__(
        self,
        config: Config,
        contracts: Sequence[Contract],
        broker: Broker,
        *,
        date: str,
        journal: Journal | None = None,
        bus: EventBus | None = None,
    ) -> None:
        self.port: Port = LocalPort(
            config,
            contracts,
            NOTHING,
            date=date,
            start_ts=broker.start_ts,
            broker=broker,
            journal=journal,
            bus=bus,
        )

    @classmethod
    def of(cls, port: Port) -> OrderManager:
        """The manager of orders at a port, that of a running loop for one."""
        made = cls.__new__(cls)
        made.port = port
        return made

    @property
    def now(self) -> int:
        """The time of the local half. [ns]"""
        return self.port.now

    @property
    def config(self) -> Config:
        """Limits and order settings."""
        return self.port.config

    def pump(self, until: int) -> int:
        """Take all that the broker has up to a time [ns]; returns how many messages.

        Raises UsageError where the orders are those of a running loop, which does so itself.
        """
        port = self.port
        if not isinstance(port, LocalPort) or port.broker is None:
            raise UsageError("the loop takes the broker's messages itself", fix="do not pump")
        count = 0
        while (block := port.broker.next_message(until)) is not None:
            for i in range(len(block)):
                port.reach(int(block[i]["ts"]))
                port.tell(block[i : i + 1])
            count += len(block)
        port.reach(until)
        port.refresh()
        return count

    def place_quote(
        self,
        side: int,
        price: float,
        size: float,
        portfolio_state: PortfolioState | None = None,
        *,
        symbol: str | None = None,
        venue: str | None = None,
        order_type: str = "limit",
        expire_ts: int | None = None,
    ) -> Result:
        """Place an order: side +1 or -1, price [currency], size [units].

        ``symbol`` is one, or a name as in `PortfolioState`, ``order_type`` one of ORDER_TYPES,
        ``expire_ts`` the end of its life [ns]. Raises UsageError where the contract or the type is
        unknown; all else that is wrong is Denied.
        """
        contract = self.port.contract(symbol, venue)
        if order_type not in ORDER_TYPES:
            raise UsageError(f"no order type {order_type!r}", fix=f"use {', '.join(ORDER_TYPES)}")
        kind, tif = ORDER_TYPES[order_type]
        if expire_ts is not None and tif != TimeInForce.IOC:
            tif = TimeInForce.GTD
        if portfolio_state is not None:
            self.know(portfolio_state)
        self.port.refresh()
        tick, lots = self._terms(contract, price, size)
        request = messages.place_request(
            self.now, contract.id, side if side in (1, -1) else 0, tick, lots, kind, tif,
            expire_ts or 0,
        )  # fmt: skip
        return self._ask(request, ActionKind.PLACE)

    def modify_quote(self, order_id: int, price: float, size: float) -> Result:
        """Move an order to a price [currency], with a size left to fill [units]."""
        order = self._order(order_id)
        contract = self.port.contracts[0 if order is None else int(order["inst"])]
        self.port.refresh()
        tick, lots = self._terms(contract, price, size)
        request = messages.modify_request(self.now, order_id, tick, lots)
        return self._ask(request, ActionKind.MODIFY)

    def cancel_quote(self, order_id: int, reason: Reason = Reason.MANUAL) -> Result:
        """Cancel an order, and say why."""
        return self._ask(messages.cancel_request(self.now, order_id, reason), ActionKind.CANCEL)

    def handle_fill(self, event: Fill) -> Booked:
        """Book a fill that did not come through ``pump``: position comes from fills alone.

        Raises UsageError where its price or size is no number: nothing is booked then.
        """
        contract = self.port.contract(event.symbol, event.venue)
        lots = lots_of(contract, event.size)
        if lots is None or lots < 0 or not np.isfinite(event.price) or event.side not in (1, -1):
            raise UsageError(f"this is no fill: {event}", fix="give a side, a price and a size")
        self.port.reach(event.timestamp)
        message = messages.execution(
            self.now, event.order_id, event.exec_id, event.revision, inst=contract.id,
            side=event.side, lots=lots, price=event.price, mid=event.mid,
            liquidity=1 if event.maker else -1,
        )  # fmt: skip

        def booked() -> tuple[int, int, float]:
            position = self.port.local.position[contract.id]
            return int(position["fills"]), int(position["lots"]), float(position["cash"])

        def answer(before: tuple[int, int, float], ts: int, said: np.ndarray) -> Booked:
            order = self._order(event.order_id)
            alerts = [int(a["reason"]) for a in said if int(a["kind"]) == ActionKind.ALERT]
            return Booked(
                booked() != before,
                None if order is None else OrderState(int(order["state"])),
                float(self.port.local.position[contract.id]["units"]),
                Reason(alerts[0]) if alerts else Reason.NONE,
            )

        return self.port.ask(message, booked, answer)

    def know(self, state: PortfolioState) -> None:
        """Tell the local half what positions and greeks are."""
        for symbol, units in state.positions.items():
            contract = self.port.contract(symbol)
            lots = lots_of(contract, units)
            if lots is None:
                raise UsageError(f"{units!r} is no position in {symbol}", fix="give whole lots")
            self.port.tell(messages.position(self.now, contract.id, lots))
        for symbol, greeks in state.greeks.items():
            inst = self.port.contract(symbol).id
            for name, value in greeks.items():
                self.port.tell(messages.hand(self.now, inst, Hand[name.upper()], value))

    def portfolio_state(self) -> PortfolioState:
        """Positions as the local half has them, by symbol."""
        units = self.port.local.position["units"]
        names = [self.port.name_of(c) for c in self.port.contracts]
        return PortfolioState(dict(zip(names, units.tolist(), strict=True)))

    def orders(self) -> pd.DataFrame:
        """Live and ended orders that are remembered (schema ``orders``)."""
        seen = Logs()
        rows = self.port.local.order
        seen.append("orders", rows[rows["order_id"] != 0].copy())
        return orders_table(seen, self.port.local, self.port.contracts, self.port.date)

    def _terms(self, contract: Contract, price: float, size: float) -> tuple[int, int]:
        """Tick and lots; no lots where they are none, which the local half denies as BAD_QUOTE."""
        tick, lots = self.port.tick(contract, price), lots_of(contract, size)
        return (0, 0) if tick is None or lots is None else (tick, lots)

    def _order(self, order_id: int) -> np.void | None:
        """The order of an id, None where it is not remembered."""
        slots = self.port.local.live.shape[1]
        order = self.port.local.order[order_id & (slots - 1)]
        return order if int(order["order_id"]) == order_id else None

    def _ask(self, request: np.ndarray, wanted: ActionKind) -> Result:
        def answer(_: None, ts: int, said: np.ndarray) -> Result:
            for action in said:
                if int(action["kind"]) == wanted:
                    return Accepted(int(action["order_id"]), ts)
            return Denied(Reason(int(said[-1]["reason"])), ts)

        return self.port.ask(request, lambda: None, answer)
