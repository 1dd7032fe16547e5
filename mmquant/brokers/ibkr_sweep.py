"""Cancelling what a run has open from outside of it: by a connection of its own, when it is gone.

With the run's client id its orders can be cancelled one by one. As the last step, and where that id
cannot be had, the broker is asked to cancel all that the account has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ib_async import IB, StartupFetchNONE

from mmquant.brokers.ibkr_orders import LIVE, Identity

CONNECT_S = 4.0
ANSWER_S = 4.0
PAUSE_S = 0.5
PACE_S = 0.025
"""Pause between two cancels: 40 a second."""
OWN_ID_S = 8.0
"""So long the run's own client id is tried; its old connection may take a while to end."""
ESCALATE_S = 5.0
CLEAN_LOOKS = 2
"""An order that was on its way when the run ended may come up later."""
OTHER_IDS = 700_000
"""Client ids of sweepers begin here."""


@dataclass(frozen=True)
class Address:
    """Where the run's broker is, and which of its orders are the run's."""

    host: str
    port: int
    client_id: int
    run: str


@dataclass
class Swept:
    """What came of it; ``open``: the run's orders that the broker listed last."""

    open: int | None = None
    cancelled: int = 0
    account_wide: bool = False
    clean_looks: int = 0

    @property
    def verified(self) -> bool:
        """Whether the broker said, twice, that none of the run's orders is open."""
        return self.clean_looks >= CLEAN_LOOKS


def sweep(
    address: Address,
    *,
    patience_s: float = 30.0,
    own_id: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Swept:
    """Cancel all orders of a run and ask until none is open; gives up after ``patience_s``.

    Without ``own_id`` the run's connection still stands, and its number cannot be had.
    """
    found, started = Swept(), time.monotonic()
    ib = IB()
    ib.RequestTimeout = ANSWER_S
    escalate_at = started + ESCALATE_S + (OWN_ID_S if own_id else 0.0)
    try:
        while time.monotonic() - started < patience_s and not found.verified:
            try:
                if not ib.isConnected():
                    within = own_id and time.monotonic() - started < OWN_ID_S
                    _connect(ib, address, address.client_id if within else other_id(address))
                    if within:
                        escalate_at = time.monotonic() + ESCALATE_S
                _look(ib, address, found, say, time.monotonic() >= escalate_at or not own_id)
            except (OSError, TimeoutError) as error:
                say(f"no answer from the broker ({type(error).__name__})")
                ib.disconnect()
                time.sleep(PAUSE_S)
    finally:
        ib.disconnect()
    return found


def other_id(address: Address) -> int:
    """A client id that no run has."""
    return OTHER_IDS + address.client_id


def _connect(ib: IB, address: Address, client_id: int) -> None:
    ib.connect(
        address.host, address.port, clientId=client_id, timeout=CONNECT_S,
        fetchFields=StartupFetchNONE,
    )  # fmt: skip


def _look(
    ib: IB, address: Address, found: Swept, say: Callable[[str], None], everything: bool
) -> None:
    """Ask what is open, and cancel it."""
    # ib_async takes some errors for the end of an order: each answer is to be read anew.
    ib.wrapper.trades.clear()
    ib.wrapper.permId2Trade.clear()
    trades = _of_run(ib.reqAllOpenOrders(), address)
    found.open = len(trades)
    found.clean_looks = 0 if trades else found.clean_looks + 1
    if not trades:
        ib.sleep(0.0 if found.verified else PAUSE_S)
        return
    mine = [one for one in trades if one.order.clientId == ib.client.clientId]
    say(f"{len(trades)} orders of the run are open")
    if everything or not mine:
        say("the broker is asked to cancel all orders of the account")
        ib.client.reqGlobalCancel()
        found.account_wide = True
    for one in mine:
        ib.client.cancelOrder(one.order.orderId)
        found.cancelled += 1
        ib.sleep(PACE_S)
    ib.sleep(PAUSE_S)


def _of_run(trades: list[Any], address: Address) -> list[Any]:
    """The orders of the run that work, each once."""
    identity = Identity(address.run)
    found = {
        one.order.permId or one.order.orderRef: one
        for one in trades
        if identity.order_id(one.order.orderRef) and one.orderStatus.status in LIVE
    }
    return list(found.values())
