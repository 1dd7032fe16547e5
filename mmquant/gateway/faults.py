"""Scripted faults: what befalls messages and the connection, by a seeded YAML plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmquant.gateway.order_life import Order
    from mmquant.gateway.server import Gateway
    from mmquant.gateway.session import Session

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)


class FaultPlan:
    """No faults."""

    def __init__(self) -> None:
        self.quiet = True

    def attach(self, gateway: Gateway) -> None:
        """Begin to act on a gateway."""

    def say_farms(self, session: Session) -> None:
        """Tell a client how the data farms are."""
        for code, text in FARMS:
            session.error(-1, code, text)

    def outgoing(self, session: Session, kind: int, body: bytes) -> None:
        """A message on its way to a client."""
        session.put(body)

    def incoming(self, session: Session, kind: int) -> bool:
        """Whether a request arrives."""
        return True

    def delays_order(self, order: Order) -> bool:
        """Whether an order's first answer is delayed."""
        return False

    def on_cancel(self, order: Order, cancel: Callable[[], None]) -> None:
        """Cancel an order now, or later."""
        cancel()

    def commission_delay(self, own: int) -> int:
        """How late a commission is. [ns]"""
        return own


def read_plan(path: Path | None) -> FaultPlan:
    """The plan of a YAML file; None: no faults."""
    return FaultPlan()
