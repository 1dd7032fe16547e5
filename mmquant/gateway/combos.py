"""Combinations: not built yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmquant.gateway.order_fields import OrderSpec
from mmquant.gateway.order_life import Order
from mmquant.gateway.session import Session

if TYPE_CHECKING:
    from mmquant.gateway.orders import OrderDesk
    from mmquant.gateway.server import Gateway


class Combos:
    def __init__(self, gateway: Gateway, desk: OrderDesk) -> None:
        pass

    def place(self, session: Session, spec: OrderSpec) -> None:
        session.error(spec.order_id, 387, "Unsupported order type")

    def change(self, session: Session, spec: OrderSpec, old: Order) -> None:
        pass

    def cancel(self, order: Order) -> None:
        pass
