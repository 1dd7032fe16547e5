"""The limits in force, how far they are used, and the switches, as messages to the local half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmquant.core.dtypes import Control, Reason
from mmquant.core.local import Local
from mmquant.data.hand_fields import LIMITS, check_message
from mmquant.trading import messages
from mmquant.trading.halves import NO_LIMIT
from mmquant.trading.order_manager import OrderManager


@dataclass(frozen=True)
class _Row:
    """One line of the table of utilisation; the limit is infinite where it does not bind."""

    scope: str
    limit: str
    unit: str
    used: float
    bound: float


class RiskGuard:
    """Limits and switches of an `OrderManager`'s local half."""

    def __init__(self, orders: OrderManager) -> None:
        self._orders = orders

    @property
    def _local(self) -> Local:
        return self._orders.port.local

    def utilisation(self) -> pd.DataFrame:
        """How far each limit in force is used (schema ``utilisation``): a row a scope and limit."""
        rows = [row for row in self._rows() if row.bound < NO_LIMIT]
        used = np.array([row.used for row in rows], np.float64)
        bound = np.array([row.bound for row in rows], np.float64)
        return pd.DataFrame(
            {
                "scope": pd.Series([row.scope for row in rows], dtype="str"),
                "limit": pd.Series([row.limit for row in rows], dtype="str"),
                "unit": pd.Series([row.unit for row in rows], dtype="str"),
                "used": used,
                "bound": bound,
                "share": used / bound,
            }
        )

    @property
    def latched(self) -> Reason:
        """Why all quotes are pulled until someone resumes, or for good; NONE if they are not."""
        return Reason(int(self._local.set[0]["blocked"]))

    def set_limit(self, name: str, value: float) -> None:
        """Set a limit by its configuration key's last part. Raises UsageError."""
        check_message(name, "", value, None)
        self._tell(lambda ts: messages.limit(ts, int(LIMITS[name]), float(value)))

    def halt(self) -> None:
        """Pull all orders until `resume`."""
        self._control(Control.HALT)

    def resume(self) -> None:
        """Go on after a halt. A kill stays."""
        self._control(Control.RESUME)

    def kill(self) -> None:
        """Pull all orders for good."""
        self._control(Control.KILL)

    def flatten(self) -> None:
        """Pull all orders and close the position."""
        self._control(Control.FLATTEN)

    def _control(self, what: Control) -> None:
        self._tell(lambda ts: messages.control(ts, what))

    def _tell(self, make: Callable[[int], np.ndarray]) -> None:
        self._orders.port.tell(make(self._orders.now))

    def _rows(self) -> list[_Row]:
        local, state = self._local, self._local.set[0]
        live = [local.order[slot] for slot in local.live[0, : int(state["live"])]]
        rows = []
        for contract in self._orders.port.contracts:
            position: Any = local.position[contract.id]
            held = int(position["lots"])
            worst = max(held + int(position["open_buy"]), int(position["open_sell"]) - held, 0)
            scope = f"{contract.symbol} {contract.venue}"
            rows.append(_Row(scope, "max_position_lots", "lots", worst, state["max_position_lots"]))
        largest = max((int(order["want_lots"]) for order in live), default=0)
        equity = float(state["equity"])
        rows += [
            _Row("account", "max_order_lots", "lots", largest, state["max_order_lots"]),
            _Row("account", "max_open_orders", "", len(live), state["max_open_orders"]),
            _Row("account", "max_loss_ccy", "ccy", max(-equity, 0.0), state["max_loss"]),
        ]
        return rows
