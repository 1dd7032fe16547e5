"""Faults 18 and 19: deaths at crash points, and what a restart finds."""

from __future__ import annotations

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, MsgKind, Reason
from tests.core.builders import BUY, SELL, Want
from tests.faults.given import numbers
from tests.faults.rig import CHANGES, Rig

BID, ASK = Want(BUY, 99, 2), Want(SELL, 101, 2)


def working(rig: Rig, *wants: Want) -> list[int]:
    """Place orders and have them confirmed."""
    ids = rig.placed(rig.decide(*wants))
    rig.advance(2)
    return ids


@pytest.mark.parametrize("when", ["before send", "after send", "while working", "while cancelling"])
def test_fault_18_crash_points(when: str) -> None:
    rig = Rig()
    if when == "before send":
        with rig.unsent():
            rig.decide(BID, ASK)
    elif when == "after send":
        rig.decide(BID, ASK)
    else:
        working(rig, BID, ASK)
        rig.trade(SELL, 98, 1)
    if when == "while cancelling":
        rig.decide()
    rig.restart()
    rig.assert_quoting(BID, ASK)
    assert rig.position() == rig.broker.ledger.position(0)


def test_fault_19_orders_and_trades_of_others_after_a_restart() -> None:
    rig = Rig(numbers("query_fails", 2), limits={"max_position_lots": 6})
    working(rig, BID)
    rig.restart()
    rig.tell(MsgKind.EXTERNAL, side=SELL, lots=4)
    rig.tell(MsgKind.POSITION, lots=7)
    assert Reason.PULL_POSITION in rig.alerts()
    said = rig.decide_for(10, BID, Want(SELL, 101, 9))
    assert not any(a["kind"] in CHANGES for a in said)
    rig.tell(MsgKind.POSITION, lots=0)
    rig.decide_for(20, BID, Want(SELL, 101, 9))
    assert int(rig.local.position[0]["open_sell"]) == 6
    assert sum(o.leaves for o in rig.broker.open.values() if o.side == SELL) == 2
    assert rig.kinds(rig.said)[ActionKind.CANCEL] <= 2
    assert np.isfinite(rig.local.position[0]["cash"])
