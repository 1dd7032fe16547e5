"""Unmodified clients do all that a market maker needs, each in a process of its own."""

from __future__ import annotations

import time

import pytest

from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from tests.gateway.clients import run_script

VERSIONS = {"ib_async": 178, "ibapi": 157, "ibapi-stable": 178}


@pytest.mark.parametrize("quirks", [None, 3])
@pytest.mark.parametrize("client", VERSIONS)
def test_a_client_connects_and_trades(client: str, quirks: int | None) -> None:
    market = SyntheticMarket(7, time.time_ns())
    with LocalGateway(market, GatewaySettings(quirks=quirks)) as gateway:
        facts = run_script(client, gateway.port, 5)
        held = gateway.call(lambda: gateway.gateway.accounts.position(0))
        assert gateway.gateway.internal_errors == 0
        assert gateway.gateway.pace_violations == 0
    assert facts["version"] == VERSIONS[client]
    assert facts["accounts"].strip(",") == "DU1234567"
    assert facts["con_id"] == 265598
    assert facts["min_tick"] == 0.01
    assert facts["rule"] == [[0.0, 0.01]]
    assert len(facts["expiries"]) == 2
    assert len(facts["strikes"]) == 21
    assert facts["option"].endswith("C00190000")
    assert 0 < facts["bid"] < facts["ask"]
    assert 0.1 < facts["model_vol"] < 0.8
    assert 0.3 < facts["model_delta"] < 0.8
    assert facts["bars"] > 20
    assert facts["modified"][0] == 200
    assert facts["filled"] == [100, True, "BOT"]
    assert facts["commission"] > 0
    assert facts["position"] == held > 100
    did = ("updateMktDepthL2", "updateMktDepth", "tick_by_tick", "partial", "global_cancel",
           "next_id", "still_open", "executions", "completed", "cancel_code")  # fmt: skip
    assert [name for name in did if facts[name] is not True] == []
