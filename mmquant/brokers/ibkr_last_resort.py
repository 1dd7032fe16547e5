"""Cancels the orders of a run that cannot do so itself, by a connection of its own.

At Interactive Brokers an order belongs to the client number that placed it: another number cannot
cancel it, and can only ask to cancel all that the account has. So the run's own number comes first,
which is free once the run's socket is gone; all orders of the account are the last step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ib_async import IB, Trade

from mmquant.brokers.ibkr_orders import Identity

CONNECT_S, ANSWER_S = 2.0, 3.0
AGAIN_S = 0.25
"""Pause between two tries, and between two looks."""
OWN_S = 10.0
"""After so long without an end all orders of the account are cancelled."""
BATCH = 40
"""Cancels a second: with the rest, fewer than the 50 messages IBKR takes."""
LOOKS = 2
"""So often in a row the broker must say that nothing is open: one on its way is not told of."""
SPARE = 500_000
"""Added to the client number where it is taken."""


@dataclass(frozen=True)
class Address:
    """Where the broker is, and the client number of the run."""

    host: str
    port: int
    client_id: int


class LastResort:
    """``note`` is told what was done, in words without names of accounts."""

    def __init__(self, address: Address, run: str, note: Callable[[str], None]) -> None:
        self._address, self._identity, self._note = address, Identity(run), note
        self._ib: IB | None = None
        self._own = False
        self._asked_all = False

    async def cancel_all(self, give_up_s: float, *, number_taken: bool) -> bool:
        """Cancel until the broker says that nothing of the run is open; whether it has said so.

        ``number_taken``: the run's socket may be open still, so another number is tried at once.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        empty = 0
        while empty < LOOKS and loop.time() < begin + give_up_s:
            late = loop.time() >= begin + OWN_S
            try:
                if self._ib is None and not await self._connect(spare=late or number_taken):
                    empty = 0
                else:
                    left = await self._round(everything=late)
                    empty = 0 if left else empty + 1
            except (OSError, TimeoutError):
                self._hang_up()
                empty = 0
            await asyncio.sleep(AGAIN_S)
        self._hang_up()
        await asyncio.sleep(0)
        if empty >= LOOKS:
            self._note("nothing of the run is open: verified")
        return empty >= LOOKS

    async def _connect(self, *, spare: bool) -> bool:
        """By the run's own number, or else, once it is late, by another."""
        own = self._address.client_id
        for number in (own, own + SPARE) if spare else (own,):
            ib = IB()
            try:
                await ib.client.connectAsync(
                    self._address.host, self._address.port, number, CONNECT_S
                )
            except (OSError, TimeoutError):
                continue
            self._ib, self._own = ib, number == own
            whose = "the run's client number" if self._own else "another client number"
            self._note(f"connected by {whose}")
            return True
        return False

    async def _round(self, *, everything: bool) -> int:
        """Ask what is open, and cancel it. Returns how many orders of the run are open."""
        assert self._ib is not None
        ib = self._ib
        ask = ib.reqOpenOrdersAsync if self._own else ib.reqAllOpenOrdersAsync
        trades: list[Trade] = await asyncio.wait_for(ask(), ANSWER_S)
        mine = {t.order.permId or t.order.orderId: t.order for t in trades if self._is_mine(t)}
        if mine and (everything or not self._own):
            if not self._asked_all:
                self._note("the broker is asked to cancel all orders of the account")
            self._asked_all = True
            ib.client.reqGlobalCancel()
        elif mine:
            self._note(f"{len(mine)} orders are open: cancelling")
            for order in list(mine.values())[:BATCH]:
                ib.client.cancelOrder(order.orderId)
            await asyncio.sleep(1.0 if len(mine) > BATCH // 4 else 0.0)
        return len(mine)

    def _is_mine(self, trade: Trade) -> bool:
        return self._identity.order_id(trade.order.orderRef or "") > 0

    def _hang_up(self) -> None:
        if self._ib is not None:
            self._ib.client.disconnect()
            self._ib = None
