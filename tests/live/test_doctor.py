"""`mmquant doctor` and the conformance script, at the gateway."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmquant.brokers.ibkr_conform import Frame
from mmquant.cli import main
from mmquant.config import Config
from mmquant.config_ibkr import InstrumentConfig, InteractiveBrokersConfig
from mmquant.errors import ConfigError, UsageError
from mmquant.gateway.faults import WireFault, WirePlan
from mmquant.gateway.local import LocalGateway
from mmquant.gateway.market import SyntheticMarket
from mmquant.gateway.server import GatewaySettings
from mmquant.live.conform import (
    ACCOUNT,
    check_confirmed,
    differences,
    frames_of,
    save,
    scrub,
)
from mmquant.live.doctor import Finding, State, examine, skew_of
from tests.gateway.wire_client import WireClient
from tests.live.conftest import own_loop

SETTINGS = GatewaySettings(speed="1x", quirks=None)


def findings(behind_s: float = 0.0, symbol: str = "AAPL", **given) -> dict[str, Finding]:
    """What the doctor finds at a gateway, by what was looked at."""
    market = SyntheticMarket(7, time.time_ns() - round(behind_s * 1e9))
    with LocalGateway(market, replace(SETTINGS, **given)) as gateway:
        instrument = {"symbol": symbol, "depth": True, "trades": True}
        config = Config.from_dict({"ibkr": {"port": gateway.port, "instruments": [instrument]}})
        return {one.what: one for one in examine(config, patience_s=4.0)}


def test_a_healthy_connection() -> None:
    found = findings()
    # Of the gateway's clock see below.
    bad = [one for one in found.values() if one.state is State.FAIL and one.what != "clock"]
    assert bad == []
    assert found["AAPL market data"].found == "live"
    assert found["AAPL depth"].state is State.OK
    assert found["account"].found == "paper account"
    assert "version 178" in found["connection"].found
    assert found["resubmission"].state is State.LOOK
    assert not any("DU1234567" in one.found + one.fix for one in found.values())


def test_a_clock_that_is_off() -> None:
    found = findings(behind_s=1000.0)
    assert found["clock"].state is State.FAIL
    told = re.match(r"IBKR's is (\S+) s", found["clock"].found)
    # The gateway's clock begins when its market is made, a moment before it serves.
    assert told is not None and -1100.0 < float(told[1]) < -999.0


@pytest.mark.parametrize("skew", [-0.7, 0.0, 0.3, 12.4])
def test_a_skew_is_found_from_whole_seconds(skew: float) -> None:
    times = [(int(t + skew), t) for t in (100.0 + 0.15 * i for i in range(8))]
    found, within = skew_of(times)
    assert abs(found - skew) <= within + 1e-9 and within <= 0.1


def test_delayed_data_are_a_failure() -> None:
    plan = WirePlan(faults=(WireFault(kind="delayed_data", for_ns=10**12),))
    found = findings(faults=plan)
    one = found["AAPL market data"]
    assert one.state is State.FAIL and "never quoted" in one.fix


def test_an_unknown_symbol_and_nobody_there() -> None:
    one = findings(symbol="NONE")["connection"]
    assert one.state is State.FAIL and "knows no such contract (contract 0" in one.found
    config = Config.from_dict({"ibkr": {"port": 1, "instruments": [{"symbol": "AAPL"}]}})
    (one,) = [x for x in examine(config) if x.state is State.FAIL]
    assert "no connection" in one.found and "allow API connections" in one.fix


def test_a_client_number_that_is_taken_is_told_with_what_to_do() -> None:
    with LocalGateway(settings=replace(SETTINGS, reuse_s=0.0)) as gateway:
        ibkr = {"port": gateway.port, "instruments": [{"symbol": "AAPL"}]}
        config = Config.from_dict({"ibkr": ibkr})
        with WireClient(gateway.port, client_id=config.ibkr.client_id):
            (one,) = [x for x in examine(config) if x.state is State.FAIL]
    assert "client id is already in use" in one.found and "ibkr.client_id" in one.fix


def test_live_ports_want_live_accounts() -> None:
    from mmquant.live.doctor import _account

    assert _account("DU1", 4001).state is State.FAIL
    assert _account("U1", 7497).state is State.FAIL
    assert _account("U1", 4001).state is State.OK


@pytest.fixture(scope="module")
def talk() -> tuple[list[Frame], list[str]]:
    """Frames of the script at the gateway."""
    with LocalGateway(SyntheticMarket(7, time.time_ns()), SETTINGS) as gateway, own_loop():
        return frames_of(ibkr(gateway.port))


def ibkr(port: int, account: str = "") -> InteractiveBrokersConfig:
    return InteractiveBrokersConfig(port=port, instruments=(InstrumentConfig(symbol="AAPL"),))


def test_the_script_goes_through_at_the_gateway(talk) -> None:
    frames, late = talk
    assert late == []
    states = {
        step: [f.fields[2] for f in frames if f.step == step and f.fields[0] == "3"]
        for step in ("place", "cancel", "ioc", "buy", "sell")
    }
    assert states["place"][-1] == "Submitted" and states["cancel"][-1] == "Cancelled"
    assert states["ioc"][-1] in ("Cancelled", "Inactive")
    assert states["buy"][-1] == states["sell"][-1] == "Filled"
    again = [f for f in frames if f.step == "reconnect" and f.way == "in" and f.fields[0] == "5"]
    assert len(again) == 1, "the order that was left open"
    assert [f for f in frames if f.step == "global_cancel" and f.fields[0] == "3"]


def test_nothing_private_is_kept(talk, tmp_path: Path) -> None:
    frames, late = talk
    save(tmp_path / "c", frames, frames, [], {"late": late})
    text = "".join(file.read_text() for file in (tmp_path / "c").iterdir())
    assert "DU1234567" not in text and ACCOUNT in text
    rows = [json.loads(line) for line in (tmp_path / "c" / "broker.jsonl").read_text().splitlines()]
    assert [Frame(r["step"], r["way"], tuple(r["fields"])) for r in rows] == frames
    orders = {f.fields[6] for f in frames if f.fields[0] == "3" and f.way == "in"}
    assert all(name.startswith("P") for name in orders) and len(orders) >= 4


def test_balances_and_holdings_are_left_out() -> None:
    frames = [
        Frame("x", "in", ("6", "2", "NetLiquidation", "1234567.89", "USD", "DU77")),
        Frame("x", "in", ("4", "2", "-1", "2100", "account DU77 was unsubscribed", "")),
    ]
    kept = scrub(frames, "DU77")
    assert kept[0].fields == ("6", "#", "#", "#", "#", "#")
    assert kept[1].fields[4] == f"account {ACCOUNT} was unsubscribed"


def test_the_gateway_does_not_differ_from_itself_and_changes_are_found(talk) -> None:
    frames, _ = talk
    assert differences(frames, frames) == []
    no_commission = [f for f in frames if f.fields[0] != "59"]
    found = differences(no_commission, frames)
    assert "buy: message 59 is missing at the gateway" in found
    assert any(line.startswith("buy: states are") and "commission" in line for line in found)
    longer = [
        f._replace(fields=(*f.fields, "")) if f.fields[0] == "93" and f.way == "in" else f
        for f in frames
    ]
    assert any(line.startswith("message 93: ") for line in differences(frames, longer))
    as_text = [
        f._replace(fields=(*f.fields[:-1], "x")) if f.fields[0] == "49" and f.way == "in" else f
        for f in frames
    ]
    assert "message 49, field 2: text, the gateway's number" in differences(frames, as_text)


def test_only_a_paper_account_after_a_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="port of live trading"):
        check_confirmed(ibkr(4001), "PAPER")
    with pytest.raises(UsageError, match="not confirmed"):
        check_confirmed(ibkr(4002), "yes")
    with pytest.raises(ConfigError, match="no instrument"):
        check_confirmed(InteractiveBrokersConfig(), "PAPER")
    settings = replace(SETTINGS, account="U1234567")
    with LocalGateway(SyntheticMarket(7, time.time_ns()), settings) as gateway:
        with pytest.raises(UsageError, match="no paper account"):
            frames_of(ibkr(gateway.port))
        assert gateway.call(lambda: len(gateway.gateway.orders.orders)) == 0


def test_the_commands_say_what_they_found(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("ibkr: {instruments: [{symbol: AAPL}]}")
    with LocalGateway(SyntheticMarket(7, time.time_ns()), SETTINGS) as gateway:
        given = [str(config), "--set", f"ibkr.port={gateway.port}"]
        code = main(["doctor", *given, "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["AAPL market data"] == "ok: live"
        assert code == (4 if told["fail"] else 0)
        assert told["fail"] == int(told["clock"].startswith("fail"))
        assert main(["conform", *given, "--tws", "x"]) == 2, "it must be said that it is paper"
        assert main(["conform", *given, "--tws", "x", "--paper"]) == 2, "nobody typed the word"
        assert "nothing was sent" in capsys.readouterr().err
        assert gateway.call(lambda: len(gateway.gateway.orders.orders)) == 0
    assert main(["doctor", *given]) == 4
