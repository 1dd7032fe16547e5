"""The own best prices in a path, against a search through all orders for each instrument and side.

The search is made after each decision of a replay, when the orders stand as the path has them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import OrderState
from mmquant.core.local import Local
from mmquant.live.loop import LiveLoop


def searched(local: Local, inst: int, side: int) -> float:
    """Price of the best working order of a side: its tick times a cent."""
    slots = local.live[0, : int(local.set[0]["live"])]
    ticks = [
        int(order["tick"])
        for order in local.order[slots]
        if order["inst"] == inst and order["side"] == side and order["state"] >= OrderState.WORKING
    ]
    if not ticks:
        return math.nan
    return (max(ticks) if side > 0 else min(ticks)) / 100.0


@pytest.mark.compiled
@pytest.mark.parametrize("instruments", [1, 3])
def test_own_prices_are_those_of_the_best_working_orders(
    instruments: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = mm.Config.from_dict(
        {
            "strategy": {"name": "maker"},
            "quoting": {
                "half_spread_ticks": 1,
                "order_lots": 100,
                "layers": [{"offset_ticks": i} for i in range(3)],
                "max_position_lots": 300,
            },
            "profile": {"beside": []},
        }
    )
    seen: list[tuple[float, float]] = []
    decide = LiveLoop._decide

    def checked(self: LiveLoop, progress: Any) -> None:
        self.logs.drain(self.step.local)
        decide(self, progress)
        local = self.step.local
        rows = local.path_log[: int(local.log[0]["path"])][-instruments:]
        if len(rows) == 0:
            return
        assert rows["inst"].tolist() == list(range(instruments))
        for row in rows:
            inst = int(row["inst"])
            wanted = (searched(local, inst, 1), searched(local, inst, -1))
            assert (row["own_bid"], row["own_ask"]) == pytest.approx(wanted, nan_ok=True, rel=1e-12)
            seen.append(wanted)

    monkeypatch.setattr(LiveLoop, "_decide", checked)
    mm.replay(config, mm.make_demo_tape(minutes=1, rate_scale=5.0, instruments=instruments))
    found = np.array(seen)
    assert len(found) > 100 * instruments
    for column in found.T:
        assert np.isnan(column).any()
        assert len(np.unique(column[np.isfinite(column)])) > 3
