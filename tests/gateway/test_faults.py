"""Scripted faults: each does what it says, and the truth at the exchange does not change by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmquant.errors import ConfigError
from mmquant.gateway.faults import WireFault, WirePlan, read_plan
from tests.gateway.market_rows import DEPTH, SECOND, TRADE, HandMarket
from tests.gateway.test_orders import errors, fills, kinds, statuses
from tests.gateway.wire_client import STOCK

SELLER = (3, 0, TRADE, -1, 9_950, 900)
"""A trade that fills a bid at 99.50."""


@pytest.fixture
def faulty(open_gateway, connect):
    """A gateway over the market by hand with some faults, and a client."""

    def open_faulty(*faults: dict, rows=(SELLER,), seed=0):
        plan = WirePlan(seed=seed, faults=tuple(WireFault(**fault) for fault in faults))
        gateway = open_gateway(market=HandMarket(*rows), faults=plan)
        client = connect(gateway)
        client.now()
        return gateway, client

    return open_faulty


def test_a_lost_acknowledgement_leaves_a_live_order(faulty) -> None:
    gateway, client = faulty(
        {"kind": "lose", "of": "order_status", "at": [1]},
        {"kind": "lose", "of": "open_order", "at": [1]},
    )
    client.place(1, limit=99.5)
    assert client.now() == []
    client.send(5, 1)
    assert client.until(3)[2] == "Submitted"
    assert len(gateway.gateway.orders.venue.orders) == 1


def test_a_lost_request_never_reaches_the_exchange(faulty) -> None:
    gateway, client = faulty({"kind": "lose_request", "of": "place", "at": [1]})
    client.place(1, limit=99.5)
    client.place(2, limit=99.4)
    assert {f[1] for f in client.now() if f[0] == "3"} == {"2"}
    assert len(gateway.gateway.orders.venue.orders) == 1


def test_messages_come_twice_late_and_in_another_order(faulty) -> None:
    gateway, client = faulty(
        {"kind": "duplicate", "of": "execution", "at": [1]},
        {"kind": "reorder", "of": "execution", "at": [2]},
        {"kind": "delay", "of": "commission", "at": [1], "for_ns": SECOND},
    )
    client.place(1, quantity=10, kind="MKT")
    said = client.now()
    assert kinds(said, "11", "59") == ["11", "11"]
    gateway.advance(SECOND + 1)
    assert kinds(client.now(), "59") == ["59"]
    client.place(2, quantity=10, kind="MKT")
    assert kinds(client.now(), "11", "5", "59") == ["5", "5", "11", "5", "59"]
    assert gateway.gateway.accounts.position(0) == 20


def test_a_slow_order_is_pending_and_can_be_neither_changed_nor_cancelled(faulty) -> None:
    gateway, client = faulty({"kind": "slow_place", "at": [1], "for_ns": SECOND})
    client.place(1, limit=99.0)
    client.place(1, limit=99.1)
    client.send(4, 1, 1, "")
    said = client.now()
    assert errors(said) == [2102, 161]
    assert statuses(said) == []
    gateway.advance(SECOND + 1)
    assert statuses(client.now()) == [("Submitted", "0", "100")]


def test_a_cancel_that_is_pending_can_be_overtaken_by_a_fill(faulty) -> None:
    gateway, client = faulty({"kind": "slow_cancel", "at": [1], "for_ns": 5 * SECOND})
    client.place(1, limit=99.5)
    client.now()
    client.send(4, 1, 1, "")
    assert statuses(client.now()) == [("PendingCancel", "0", "100")]
    client.send(4, 1, 1, "")
    assert errors(client.now()) == [161]
    gateway.advance(6 * SECOND)
    said = client.now()
    assert statuses(said) == [("Filled", "100", "0")]
    assert fills(said) == [("BOT", "100", "99.5")]
    client.send(4, 1, 1, "")
    assert "state: Filled" in client.error(1, 10148)[4]


@pytest.mark.parametrize(("kind", "price", "quantity"), [("correct", 100.03, 90), ("bust", 0, 0)])
def test_executions_are_revised_by_the_next_id(faulty, kind, price, quantity) -> None:
    fault = {"kind": kind, "at": [1], "for_ns": SECOND, "price_ticks": 2, "lots": -10}
    gateway, client = faulty(fault)
    client.place(1, quantity=100, kind="MKT")
    first = next(f for f in client.now() if f[0] == "11")
    gateway.advance(SECOND + 1)
    second = next(f for f in client.now() if f[0] == "11")
    assert first[14].rsplit(".", 1) == [second[14].rsplit(".", 1)[0], "01"]
    assert second[14].endswith(".02")
    assert float(second[19]) == quantity
    accounts = gateway.gateway.accounts
    assert accounts.position(0) == quantity
    paid = 1_000_000 - accounts.cash - accounts.fees
    assert paid == pytest.approx(price * quantity, abs=1e-6)
    client.send(7, 3, 8, 0, "", "", "", "", "", "")
    assert client.until(11)[14] == second[14]


def test_a_planned_refusal_and_a_warning(faulty) -> None:
    _, client = faulty({"kind": "reject", "at": [1]}, {"kind": "warn", "at": [1], "code": 10349})
    client.place(1, limit=99.0)
    said = client.now()
    assert errors(said) == [201]
    assert statuses(said) == [("Inactive", "0", "100")]
    client.place(2, limit=99.0)
    said = client.now()
    assert errors(said) == [10349]
    assert statuses(said, 2) == [("Submitted", "0", "100")]


def test_late_commissions(faulty) -> None:
    gateway, client = faulty({"kind": "late_commission", "at": [1], "for_ns": 2 * SECOND})
    client.place(1, quantity=10, kind="MKT")
    assert kinds(client.now(), "59") == []
    gateway.advance(SECOND)
    assert kinds(client.now(), "59") == []
    gateway.advance(2 * SECOND)
    assert kinds(client.now(), "59") == ["59"]


@pytest.mark.parametrize("held", ["hold", "drop"])
@pytest.mark.parametrize("data_lost", [False, True])
def test_a_link_that_is_down(faulty, held, data_lost) -> None:
    gateway, client = faulty(
        {"kind": "link_down", "from_ns": 2 * SECOND, "for_ns": 3 * SECOND, "held": held,
         "data_lost": data_lost},
        rows=(SELLER, (8, 0, DEPTH, 1, 9_998, 50)),
    )  # fmt: skip
    client.send(10, 5, 9, *STOCK, 5, True, "")
    client.place(1, limit=99.5)
    client.now()
    gateway.advance(4 * SECOND)
    client.place(2, limit=99.4)
    said = client.now()
    assert [f[3] for f in said if f[0] == "4"] == ["1100"]
    assert kinds(said, "3", "5", "11", "13") == []
    assert gateway.gateway.accounts.position(0) == 100
    gateway.advance(2 * SECOND)
    said = client.now()
    assert [f[3] for f in said if f[0] == "4"] == ["1101" if data_lost else "1102"]
    assert len(fills(said)) == (held == "hold")
    client.send(7, 3, 8, 0, "", "", "", "", "", "")
    assert client.until(11)[2] == "1"
    client.now()
    gateway.advance(5 * SECOND)
    assert (kinds(client.now(), "13") == []) == data_lost
    assert (1, 2) not in gateway.gateway.orders.orders


def test_a_broken_farm_silences_data_and_nothing_else(faulty) -> None:
    gateway, client = faulty(
        {"kind": "farm_down", "from_ns": SECOND, "for_ns": 4 * SECOND},
        {"kind": "history_down", "from_ns": SECOND, "for_ns": SECOND},
        rows=(SELLER, (3, 0, DEPTH, 1, 9_998, 50), (7, 0, DEPTH, 1, 9_998, 60)),
    )
    client.send(10, 5, 9, *STOCK, 5, True, "")
    client.place(1, limit=99.5)
    client.now()
    gateway.advance(4 * SECOND)
    said = client.now()
    assert [f[3] for f in said if f[0] == "4"] == ["2103", "2105", "2106"]
    assert kinds(said, "13") == []
    assert len(fills(said)) == 1
    gateway.advance(4 * SECOND)
    said = client.now()
    assert [f[3] for f in said if f[0] == "4"] == ["2104"]
    assert ["99.98", "60"] in [f[7:9] for f in said if f[0] == "13"]


@pytest.mark.parametrize(("kind", "code"), [("depth_reset", "317"), ("depth_halt", "316")])
def test_depth_is_reset_or_halted(faulty, kind, code) -> None:
    gateway, client = faulty({"kind": kind, "from_ns": SECOND})
    client.send(10, 5, 9, *STOCK, 5, True, "")
    client.now()
    gateway.advance(2 * SECOND)
    said = client.now()
    assert [f[2:4] for f in said if f[0] == "4"] == [["9", code]]
    assert len(kinds(said, "13")) == (4 if code == "317" else 0)
    client.send(10, 5, 9, *STOCK, 5, True, "")
    found = client.until(4) if code == "317" else client.until(13)
    assert found[3] == ("322" if code == "317" else "0")


def test_delayed_data_are_marked_as_such(faulty) -> None:
    gateway, client = faulty(
        {"kind": "delayed_data", "for_ns": 5 * SECOND},
        {"kind": "competing_session", "from_ns": 6 * SECOND, "for_ns": SECOND},
    )
    gateway.advance(SECOND)
    client.send(1, 11, 5, *STOCK, False, "", False, False, "")
    assert client.error(5, 354)
    client.send(59, 1, 3)
    client.send(1, 11, 5, *STOCK, False, "", False, False, "")
    assert client.error(5, 10167)
    assert client.until(58)[3] == "3"
    assert client.until(1)[3] == "66"
    client.now()
    gateway.advance(4 * SECOND + 1)
    said = client.now()
    assert [f[3] for f in said if f[0] == "58"] == ["1"]
    gateway.advance(2 * SECOND)
    assert client.error(5, 10197)


def test_a_dropped_socket_does_not_touch_the_orders(faulty, connect) -> None:
    gateway, client = faulty({"kind": "drop_socket", "of": "open_order", "at": [1]})
    client.place(1, limit=99.5)
    assert client.closed()
    again = connect(gateway, client_id=1)
    again.send(5, 1)
    assert again.until(3)[2] == "Submitted"
    gateway.call(lambda: gateway.gateway.faults.cause(WireFault(kind="socket_drop")))
    gateway.advance(1)
    assert again.closed()
    assert len(gateway.gateway.orders.venue.orders) == 1


def test_chances_are_those_of_the_seed(faulty) -> None:
    def lost(seed: int) -> list[str]:
        _, client = faulty({"kind": "lose_request", "of": "place", "probability": 0.5}, seed=seed)
        for i in range(1, 21):
            client.place(i, quantity=1, limit=99.0)
        return [f[1] for f in client.now() if f[0] == "3"]

    assert lost(1) == lost(1)
    assert lost(1) != lost(2)
    assert 2 < len(lost(1)) < 18


def test_a_plan_is_read_and_a_wrong_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("seed: 3\nfaults:\n  - {kind: lose, of: order_status, probability: 0.1}\n")
    assert read_plan(path).faults[0].kind == "lose"
    for text in ("faults: [{kind: lose}]", "faults: [{kind: who}]", "{", "seed: -1"):
        path.write_text(text)
        with pytest.raises(ConfigError):
            read_plan(path)
