"""Other local halves that hear what a desk hears: as it is, twice, or in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmquant.core.dtypes import NEVER, MsgKind, OrderEvent
from mmquant.trading.halves import action_rows
from mmquant.trading.logs import Logs
from mmquant.trading.ports import LiveStep

if TYPE_CHECKING:
    from tests.faults.rig import Rig

REVISIONS = (int(OrderEvent.EXECUTION), int(OrderEvent.CORRECTION), int(OrderEvent.BUST))
COMPARED = ("order", "position", "live", "set", "traffic", "executed", "sent")


def is_execution(message: np.ndarray) -> bool:
    """Whether a message (1,) is about an execution or its fee."""
    kind, event = int(message["kind"][0]), int(message["event"][0])
    return kind == MsgKind.FEE or (kind == MsgKind.ORDER and event in REVISIONS)


class Twin:
    """A local half on the live loop's kernel that hears messages one by one."""

    def __init__(self, rig: Rig) -> None:
        local = rig.fresh_local()
        self.step, self.logs = LiveStep(local, rig.strategy, action_rows(local)), Logs()

    @property
    def local(self) -> Any:
        return self.step.local

    @np.errstate(all="ignore")
    def hear(self, message: np.ndarray, wants: np.ndarray) -> list[Any]:
        """Apply a message with these quotes wanted; returns what it causes, each as a tuple."""
        self.local.strategy_param[0] = wants
        message = message.copy()
        while (n := self.step(message, 0, NEVER, 0, 0)[0]) < 0:
            self.step.make_room(-n, self.logs)
        return [action.item() for action in self.step.actions[:n]]


def assert_same_state(mine: Any, theirs: Any, what: str) -> None:
    """Check that two local halves are in the same state, bit for bit."""
    for name in COMPARED:
        a, b = getattr(mine, name), getattr(theirs, name)
        if a.tobytes() == b.tobytes():
            continue
        for field in a.dtype.names or (None,):
            x, y = (a, b) if field is None else (a[field], b[field])
            same = np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
            assert same, f"{what}: {name} {field}"
