"""The limits in force, how far they are used, and the switches, as messages to the local half."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmquant.config import Config
from mmquant.core.dtypes import Control, Reason
from mmquant.core.guard_state import POSITION, SHARES
from mmquant.core.local import Local
from mmquant.data.contracts import Contract
from mmquant.data.hand_fields import LIMITS, check_message
from mmquant.trading import messages
from mmquant.trading.guard_rows import GROSS_ONES, TWO_SIDED, scopes_of, underlying_of
from mmquant.trading.halves import NO_LIMIT
from mmquant.trading.order_manager import OrderManager

MEASURES = {**TWO_SIDED, **GROSS_ONES}
UNITS = {"units": "units", "ccy": "ccy", "lots": "lots"}


@dataclass(frozen=True)
class _Row:
    """One line of the table of utilisation; the limit is infinite where it does not bind."""

    scope: str
    limit: str
    used: float
    bound: float


class RiskGuard:
    """Limits and switches of one local half.

    Parameters
    ----------
    local : gives the state as it is now.
    tell : takes a message; in a running loop, ``loop.inbox.post``.
    now : gives the time. [ns]
    config, contracts : those of the run.
    """

    def __init__(
        self,
        local: Callable[[], Local],
        tell: Callable[[np.ndarray], object],
        now: Callable[[], int],
        config: Config,
        contracts: Sequence[Contract],
    ) -> None:
        self._read, self._send, self._now = local, tell, now
        self.contracts = list(contracts)
        self._scopes = [
            ("account" if limit.scope == "account" else f"{limit.scope} {name}")
            for limit in config.risk.limits
            for name, _ in scopes_of(limit, contracts)
        ]

    @classmethod
    def of(cls, orders: OrderManager) -> RiskGuard:
        """The guard of an `OrderManager`."""
        port = orders.port
        return cls(lambda: port.local, port.tell, lambda: orders.now, orders.config, port.contracts)

    def utilisation(self) -> pd.DataFrame:
        """How far each limit in force is used (schema ``utilisation``): a row a scope and limit."""
        rows = [row for row in self._rows() if row.bound < NO_LIMIT]
        used = np.array([row.used for row in rows], np.float64)
        bound = np.array([row.bound for row in rows], np.float64)
        units = [UNITS.get(row.limit.rpartition("_")[2], "") for row in rows]
        return pd.DataFrame(
            {
                "scope": pd.Series([row.scope for row in rows], dtype="str"),
                "limit": pd.Series([row.limit for row in rows], dtype="str"),
                "unit": pd.Series(units, dtype="str"),
                "used": used,
                "bound": bound,
                "share": used / bound,
            }
        )

    @property
    def blocked(self) -> Reason:
        """Why all quotes are pulled until someone resumes, or for good; NONE if they are not."""
        return Reason(int(self._read().set[0]["blocked"]))

    def latched(self) -> pd.DataFrame:
        """What is latched or tripped now (schema ``breakers``)."""
        found = [(scope, Reason(reason).name) for scope, reason in self._latched() if reason]
        return pd.DataFrame(
            {
                "scope": pd.Series([scope for scope, _ in found], dtype="str"),
                "reason": pd.Series([reason for _, reason in found], dtype="str"),
            }
        )

    def set_limit(self, name: str, value: float) -> None:
        """Set a limit by its configuration key's last part. Raises UsageError."""
        check_message(name, "", value, None)
        self._send(messages.limit(self._now(), int(LIMITS[name]), float(value)))

    def halt(self) -> None:
        """Pull all orders until `resume`."""
        self._control(Control.HALT)

    def resume(self) -> None:
        """Go on after a halt, a flatten or a breaker that waits for a person. A kill stays."""
        self._control(Control.RESUME)

    def kill(self) -> None:
        """Pull all orders for good."""
        self._control(Control.KILL)

    def flatten(self) -> None:
        """Pull all orders, then hedge and close what is held, where the guard is on."""
        self._control(Control.FLATTEN)

    def _control(self, what: Control) -> None:
        self._send(messages.control(self._now(), what))

    def _rows(self) -> Iterator[_Row]:
        local = self._read()
        state: Any = local.set[0]
        live = [local.order[slot] for slot in local.live[0, : int(state["live"])]]
        for contract in self.contracts:
            position: Any = local.position[contract.id]
            held = int(position["lots"])
            worst = max(held + int(position["open_buy"]), int(position["open_sell"]) - held, 0)
            scope = f"instrument {contract.id}"
            yield _Row(scope, "max_position_lots", worst, float(state["max_position_lots"]))
        largest = max((int(order["want_lots"]) for order in live), default=0)
        yield _Row("account", "max_order_lots", largest, float(state["max_order_lots"]))
        yield _Row("account", "max_open_orders", len(live), float(state["max_open_orders"]))
        gains = sum(_gain(local, contract.id) for contract in self.contracts)
        yield _Row("account", "max_loss_ccy", max(-gains, 0.0), float(state["max_loss"]))
        for i, scope in enumerate(self._scopes):
            bounds: Any = local.guard.scope[i]
            now: Any = local.guard.scope_state[i]
            position = SHARES if bounds["used"][SHARES] else POSITION
            for measure, name in ({position: "max_position_units"} | MEASURES).items():
                most = max(float(now["up"][measure]), -float(now["down"][measure]))
                yield _Row(scope, name, most, float(bounds["high"][measure]))
            equity, peak = float(now["equity"]), float(now["peak"])
            yield _Row(scope, "max_loss_ccy", max(-equity, 0.0), float(bounds["max_loss"]))
            yield _Row(scope, "max_drawdown_ccy", peak - equity, float(bounds["max_drawdown"]))

    def _latched(self) -> Iterator[tuple[str, int]]:
        local = self._read()
        yield "account", int(local.set[0]["blocked"])
        if not len(local.guard.param):
            return
        for scope, state in zip(self._scopes, local.guard.scope_state, strict=False):
            yield scope, int(state["latched"])
        names = list(dict.fromkeys(underlying_of(c) for c in self.contracts))
        for name, group in zip(names, local.guard.group, strict=False):
            for field in ("protected", "unhedged"):
                yield f"underlying {name}", int(group[field])
        for contract in self.contracts:
            line: Any = local.guard.line[contract.id]
            for reason in (*line["tripped"], line["repeated"]):
                yield f"instrument {contract.id}", int(reason)


def _gain(local: Local, inst: int) -> float:
    """Cash, less fees, and the position at the mid last seen; NaN where that is needed and none."""
    position: Any = local.position[inst]
    gain = float(position["cash"] - position["fees"])
    if position["lots"]:
        value = float(position["units"] * local.instrument[inst]["multiplier"])
        gain += value * float(local.views[inst]["mid"])
    return gain
